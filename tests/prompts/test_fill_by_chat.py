"""Filling over chat: the question, and what is taken off the answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.edits.text_filter import filtered
from bytebuddy_provider_hf.prompts.fill_by_chat import choose_markers, fill_messages
from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.prompts.filters import FillFilter

BLOCK = FillContext(
    "def f(x):\n    ", "\n\ndef g():\n    pass\n", path="f.py", language="python"
)
INLINE = FillContext("print(", ")\n")
AFTER = FillContext("def f(x):", "\n")


def filled(context: FillContext, answer: str, *, multiline: bool = True) -> str:
    return filtered(answer, FillFilter(context, multiline=multiline, by_chat=True))


def test_the_question_shows_the_hole_between_the_code() -> None:
    """The file is whole but for a marker at the cursor, other files before it."""
    context = FillContext(
        "a(", ")", path="m.py", language="python", files=(("n.py", "b = 1\n"),)
    )
    system, user = fill_messages(context)
    assert (system.role, user.role) == ("system", "user")
    assert user.content == (
        "For reference, n.py:\nb = 1\n\nThe file m.py (python):\na(<FILL_HERE>)"
    )
    assert "<FILL>" in str(system.content)
    assert "</FILL>" in str(system.content)


def test_markers_that_the_code_holds_are_not_used() -> None:
    """The first markers that stand nowhere in the code are taken."""
    assert choose_markers(FillContext("<FILL>", "</FILL1>")).begin == "<FILL2>"


@pytest.mark.parametrize(
    "answer",
    [
        "<FILL>return x</FILL>",
        "<FILL>\nreturn x</FILL>",
        "<FILL>    return x</FILL>",
        "<FILL>\n    return x\n</FILL>",
        "Sure! Here is what is missing:\n\n<FILL>return x</FILL>\nIt returns x.",
        "```python\n<FILL>\nreturn x\n</FILL>\n```",
        "<FILL>\n```python\nreturn x\n```\n</FILL>",
        "<FILL>```\nreturn x\n```</FILL>",
        "```python\nreturn x\n```\nThis returns x.",
        "Here you are:\n```\nreturn x\n```",
        "return x",
        "return x</FILL>",
        "<FILL>def f(x):\n    return x</FILL>",
        "```python\ndef f(x):\n    return x\n\ndef g():\n    pass\n```",
        "<FILL>return x\n\ndef g():\n    pass\n</FILL>",
        "<FILL>return x",
        "```\r\nreturn x\r\n```",
    ],
)
def test_what_is_around_the_text_goes(answer: str) -> None:
    """Marks, fences, chatter, and repeated code before and after are taken off."""
    assert filled(BLOCK, answer) == "return x"


@pytest.mark.parametrize(
    ("context", "answer", "expected"),
    [
        (INLINE, "<FILL>\nx\n</FILL>", "x"),
        (INLINE, "<FILL>print(x)</FILL>", "x"),
        (INLINE, "<FILL>f(x)</FILL>", "f(x)"),
        (INLINE, "<FILL></FILL>", ""),
        (AFTER, "<FILL>\n    pass</FILL>", "\n    pass"),
        (AFTER, "<FILL>\n    pass\n</FILL>", "\n    pass"),
        (FillContext("", "x = 1\n"), "<FILL>\ny = 2\n</FILL>", "y = 2\n"),
        (FillContext("a = ", "\n"), "<FILL>abc</FILL>", "abc"),
        (BLOCK, "```\n```", ""),
    ],
)
def test_line_ends_that_are_layout_go(
    context: FillContext, answer: str, expected: str
) -> None:
    """Line ends by the marks are layout where the cursor's line says so."""
    assert filled(context, answer) == expected


def test_a_fence_inside_markdown_is_text() -> None:
    """Code that holds fences is not searched for them."""
    context = FillContext("# Use\n\n```sh\nmake\n```\n\nThen:\n\n", "")
    assert filled(context, "<FILL>```sh\nmake test\n```\n</FILL>") == (
        "```sh\nmake test\n```\n"
    )


def test_one_line_of_a_hole() -> None:
    """One-line mode counts lines of the text, not of what is around it."""
    answer = "Here:\n<FILL>\nreturn x\nmore\n</FILL>"
    assert filled(BLOCK, answer, multiline=False) == "return x"


def test_the_end_marker_is_the_end() -> None:
    """After it the stream need not be read on."""
    through = FillFilter(BLOCK, multiline=True, by_chat=True)
    assert through.feed("<FILL>return x</FILL>\nThis") == "return x"
    assert through.done


def test_text_is_shown_while_it_streams() -> None:
    """After the begin marker at most a line end and part of an end wait."""
    through = FillFilter(BLOCK, multiline=True, by_chat=True)
    assert through.feed("<FILL>") == ""
    assert through.feed("total = 1\ntotal = 2") == "total = 1\ntotal = 2"


def test_an_answer_without_marks_is_shown_after_a_while() -> None:
    """Four hundred characters without a mark or fence are the text itself."""
    through = FillFilter(FillContext("", ""), multiline=True, by_chat=True)
    assert through.feed("x" * 500) == "x" * 500


parts = st.lists(
    st.sampled_from(
        [
            "<FILL>",
            "</FILL>",
            "```",
            "```py\n",
            "\n",
            "\r\n",
            "    ",
            "def f(x):",
            "return x",
            "pass",
            "def g():\n",
            "<FI",
            "``",
            "y",
            "\r",
            "z" * 150,
        ]
    ),
    max_size=14,
).map("".join)


@given(
    parts,
    st.lists(st.integers(0, 9), max_size=30),
    st.sampled_from([BLOCK, INLINE, AFTER]),
    st.booleans(),
)
def test_pieces_do_not_matter(
    answer: str, sizes: list[int], gap: FillContext, multiline: bool
) -> None:
    """An answer cut anywhere gives what the whole answer gives, a stretch of it."""
    expected = filled(gap, answer, multiline=multiline)
    assert expected in answer
    cut = FillFilter(gap, multiline=multiline, by_chat=True)
    shown = []
    for size in sizes:
        shown.append(cut.feed(answer[:size]))
        answer = answer[size:]
    shown.extend(map(cut.feed, answer))
    assert "".join([*shown, cut.close()]) == expected
