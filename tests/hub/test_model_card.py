"""What is kept of a card is plain, short, and says what the card says."""

from __future__ import annotations

import time

import pytest
from catalogue_world import CARD
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.hub.model_card import CARD_BYTES, ModelCard, read_card

LONG = "This model answers questions about many things in several languages."


def test_a_card_tells_its_first_paragraph_and_its_limitations() -> None:
    """Front matter, badges, code and what follows the section are left out."""
    card = read_card(CARD.encode())
    assert card.summary.startswith("The Llama 3.3 model is an instruction tuned")
    assert card.summary.endswith("made for multilingual dialogue and better than many.")
    assert card.heading == "Ethical Considerations and Limitations"
    assert card.limitations == (
        (
            "The core values are openness and helpfulness; testing has been in English "
            "mostly."
        ),
        "It may produce inaccurate, biased or other objectionable answers.",
    )


@pytest.mark.parametrize(
    "heading",
    [
        "# Limitations",
        "## Bias, Risks, and Limitations",
        "### Known issues ###",
        "#### Out-of-Scope Use",
        "## **Limitations and bias**",
        "## 局限性",
        "## 风险与限制",
    ],
)
def test_a_section_is_known_by_its_words(heading: str) -> None:
    """As cards in English and Chinese call it."""
    card = read_card(f"{LONG}\n\n{heading}\n\n{LONG}\n\n# More\n\nx".encode())
    assert card.limitations == (LONG,)
    assert card.summary == LONG


def test_headings_inside_the_section_do_not_end_it() -> None:
    """One of its own rank does."""
    text = f"## Limitations\n### Speed\n{LONG}\n### Size\n{LONG}\n## Use\n{LONG} No."
    assert read_card(text.encode()).limitations == (LONG, LONG)


def test_a_hostile_card_is_text() -> None:
    """No sequence of a terminal, no hidden order, no markup, no endless line."""
    evil = f"\x1b[2J\u202eab <img src=x onerror=y> **{LONG}** [a](javascript:b) " * 50
    card = read_card(f"{evil}\n\n## Risks\n\n{evil}".encode())
    for said in (card.summary, *card.limitations):
        assert said.isprintable()
        assert "<" not in said
        assert "javascript" not in said
        assert len(said) <= 602


@pytest.mark.parametrize("data", [b"", b"---\n", b"\xff\xfe", b"# x", b"<!-- x"])
def test_a_card_without_words_says_nothing(data: bytes) -> None:
    """And is no failure."""
    assert read_card(data) == ModelCard()


@given(st.binary(max_size=400) | st.text(alphabet="#-*`<>![]() \n|ab", max_size=400))
def test_any_bytes_are_a_card(data: bytes | str) -> None:
    """The reader is total, and what it tells is printable."""
    card = read_card(data if isinstance(data, bytes) else data.encode())
    assert all(each.isprintable() for each in (card.summary, *card.limitations))


@pytest.mark.parametrize(
    "piece", ["#", "<", "[", "![", "<!--", "*", "`", " ", "[a](", "- ", "<a ", "|"]
)
def test_no_card_takes_long(piece: str) -> None:
    """Whatever is repeated: an expression that searches back would take minutes."""
    before = time.process_time()
    read_card((piece * CARD_BYTES)[:CARD_BYTES].encode())
    assert time.process_time() - before < 1
