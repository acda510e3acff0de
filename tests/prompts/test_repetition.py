"""What an answer repeats of the text before the cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.edits.text_filter import filtered
from bytebuddy_provider_hf.prompts.repetition import RepeatedPrefix

BEGUN = "def f(total):\n    return to"


def kept(prefix: str, answer: str, *, by_chat: bool) -> str:
    return filtered(answer, RepeatedPrefix(prefix, by_chat=by_chat))


@pytest.mark.parametrize("by_chat", [True, False])
@pytest.mark.parametrize(
    ("prefix", "answer", "expected"),
    [
        (BEGUN, "return total", "tal"),
        (BEGUN, "    return total\n", "tal\n"),
        (BEGUN, "tal", "tal"),
        (BEGUN, "ret", "ret"),
        ("\tself.tot", "self.total = 1", "al = 1"),
        ("total = ", "total = 5", "5"),
        ("    print(", "    print(x)", "x)"),
        ("x = ", "x = 1", "x = 1"),
        ("10 000", "10 000 000", "10 000 000"),
    ],
)
def test_a_begun_line_is_cut(
    prefix: str, answer: str, expected: str, *, by_chat: bool
) -> None:
    """With its indentation or without, where it has three letters or digits."""
    if by_chat and prefix == "10 000":
        expected = " 000"
    assert kept(prefix, answer, by_chat=by_chat) == expected


def test_a_call_in_a_call_may_be_meant() -> None:
    """By a model that infills; one that chats repeats the line."""
    assert kept("max(", "max(a, b), c)", by_chat=False) == "max(a, b), c)"
    assert kept("max(", "max(a, b)", by_chat=True) == "a, b)"


@pytest.mark.parametrize(
    "answer",
    [
        "def f(total):\n    return total",
        "\n    return total",
        "\r\nreturn total",
    ],
)
def test_a_chat_repeats_more(answer: str) -> None:
    """The lines above, a new line before; in a file of Windows, too."""
    assert kept(BEGUN, answer, by_chat=True) == "tal"
    assert kept(BEGUN.replace("\n", "\r\n"), answer, by_chat=True) == "tal"


def test_an_outdented_block_is_the_same_block() -> None:
    """Models that chat leave the indentation out in all of the lines."""
    prefix = "class A:\n    def f(self):\n        return to"
    said = "def f(self):\n    return total"
    assert kept(prefix, said, by_chat=True) == "tal"


def test_a_line_above_may_come_again() -> None:
    """Alone and outdented it is no repetition: ``#endif`` below an inner one."""
    prefix = "#if A\n    #endif\n"
    assert kept(prefix, "#endif\n", by_chat=True) == "#endif\n"


def test_a_whole_line_may_come_again_below_itself() -> None:
    """Two equal calls; a line that is begun does not."""
    assert kept("    step()", "\n    step()\n", by_chat=True) == "\n    step()\n"
    assert kept("def f(x):", "\ndef f(x):\n    pass", by_chat=True) == "\n    pass"


@given(
    st.lists(
        st.sampled_from(
            ["return", " ", "to", "tal", "\n", "\r", "    ", "def f(total):"]
        ),
        max_size=8,
    ).map("".join),
    st.sampled_from([BEGUN, "    ", "def f(total):", "total = ", ""]),
    st.booleans(),
)
def test_pieces_do_not_matter(answer: str, prefix: str, by_chat: bool) -> None:
    """An answer that comes character by character gives what the whole one gives."""
    through = RepeatedPrefix(prefix, by_chat=by_chat)
    shown = "".join([*map(through.feed, answer), through.close()])
    assert shown == kept(prefix, answer, by_chat=by_chat)
