"""Tokens in a user's text: broken on the way in, mended on the way out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.prompts.families import load_families
from bytebuddy_provider_hf.prompts.special_tokens import Unescape, escape, unescape

TOKENS = tuple(
    dict.fromkeys(
        token
        for form in load_families().fim_formats.values()
        for token in form.specials
    )
)
CODE = st.lists(st.sampled_from([*TOKENS, "<", "|", ">", "x", "\n"])).map("".join)
SHORT = st.text(alphabet="ab<", min_size=1, max_size=4)
JOINER = "\u2060"


def cut(text: str, sizes: list[int]) -> list[str]:
    """Cut a text into pieces of these sizes, and the rest."""
    pieces = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [*pieces, text]


@given(CODE)
def test_no_token_is_left(code: str) -> None:
    """An escaped text holds none of the tokens."""
    safe, found = escape(code, TOKENS)
    assert not [token for token in TOKENS if token in safe]
    assert set(found) <= {token for token in TOKENS if token in code}


@given(st.text(alphabet="ab<"), st.lists(SHORT))
def test_tokens_may_overlap(text: str, tokens: list[str]) -> None:
    """Also tokens that stand one in another are broken, and mended."""
    safe, _ = escape(text, tokens)
    assert not [token for token in tokens if len(token) > 1 and token in safe]
    assert unescape(safe, tokens) == text


@given(CODE)
def test_what_was_broken_is_mended(code: str) -> None:
    """Sent and come back, the text is the user's own again."""
    assert unescape(escape(code, TOKENS)[0], TOKENS) == code


@given(st.text(alphabet=f"ab<{JOINER}"), st.lists(SHORT), st.lists(st.integers(0, 4)))
def test_mending_does_not_depend_on_pieces(
    text: str, tokens: list[str], sizes: list[int]
) -> None:
    """A text cut anywhere is mended as the whole text is."""
    text = escape(text, tokens)[0]
    for pieces in (cut(text, sizes), list(text)):
        mending = Unescape(tokens)
        shown = [mending.feed(piece) for piece in pieces]
        assert "".join([*shown, mending.close()]) == unescape(text, tokens)


@given(st.text(alphabet=f"xy{JOINER}"))
def test_other_joiners_stay(text: str) -> None:
    """A joiner that breaks no token is the user's own."""
    assert unescape(text, TOKENS) == text


def test_little_is_held_back() -> None:
    """What is held back is never longer than a broken token."""
    mending = Unescape(["<fim_suffix>"])
    shown = 0
    for fed, char in enumerate(f"<{JOINER}fim_<{JOINER}fim_suffi<{JOINER}" * 50, 1):
        shown += len(mending.feed(char))
        assert fed - shown <= 2 * len("<fim_suffix>")
