"""How many tokens a prompt has, by its text and by what servers counted before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.client.knowledge import (
    MOST_RATIO,
    UNCORRECTED,
    TokenEstimate,
    guess_tokens,
)

GUESSES = st.integers(0, 200_000)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("abc" * 10, 10),
        ("你好", 2),
        ("こんにちは、世界。", 9),
        ("안녕하세요", 5),
        ("Привет", 4),
        ("def 函数(): pass", 2 + 4),
        ("🤗", 2),
        ("\ud800", 1),
    ],
)
def test_a_letter_of_cjk_is_a_token_and_so_are_three_bytes(
    text: str, tokens: int
) -> None:
    """What cannot be encoded counts as little as a question mark."""
    assert guess_tokens(text) == tokens


@given(st.text())
def test_no_text_is_guessed_above_its_bytes(text: str) -> None:
    """The shortest way to a token is a byte."""
    assert guess_tokens(text) <= max(1, len(text.encode("utf-8", "replace")))


@given(st.lists(st.tuples(GUESSES, GUESSES), max_size=20), GUESSES)
def test_no_count_makes_the_estimate_useless(
    counts: list[tuple[int, int]], guess: int
) -> None:
    """Whatever a server counts: a longer guess has no fewer tokens, within bounds."""
    estimate = UNCORRECTED
    for guessed, counted in counts:
        estimate = estimate.corrected(guessed, counted)
    assert 0 <= estimate.tokens(0) <= estimate.tokens(guess)
    assert estimate.tokens(guess) <= MOST_RATIO * guess + estimate.overhead + 1


@given(st.integers(300, 100_000), st.floats(1.0, 3.5))
def test_a_count_that_was_higher_is_believed_at_once(guess: int, ratio: float) -> None:
    """The next prompt of that kind is not refused."""
    count = int(guess * ratio) + 40
    learned = UNCORRECTED.corrected(guess, count)
    assert count <= learned.tokens(guess) <= count + 1


def test_a_count_that_was_lower_is_approached() -> None:
    """From above, so that no prompt is refused on the way."""
    estimate = UNCORRECTED
    seen = [estimate.tokens(1_000)]
    for _count in range(20):
        estimate = estimate.corrected(1_000, 600)
        seen.append(estimate.tokens(1_000))
    assert seen == sorted(seen, reverse=True)
    assert 600 <= seen[-1] <= 605


def test_a_short_prompt_teaches_what_is_added_to_every_prompt() -> None:
    """A system prompt of the server's own makes no text longer than it is."""
    learned = UNCORRECTED.corrected(10, 300)
    assert learned.tokens(10) == 300
    assert learned.tokens(10_000) == 10_290


def test_an_estimate_is_trusted_near_what_was_counted() -> None:
    """A prompt far longer than any that was counted may be of other text."""
    learned = UNCORRECTED.corrected(100, 100)
    assert learned.trusted(400)
    assert not learned.trusted(401)
    assert not UNCORRECTED.trusted(1)
    assert TokenEstimate(longest=500).corrected(10, 10).trusted(2_000)
