"""Answers on a terminal are Markdown, redrawn block by block."""

from __future__ import annotations

import io
import json
import re
import time
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bytebuddy_provider_hf.cli.render import (
    Blocks,
    MarkdownPrinter,
    SafeMarkdown,
    event_object,
    last_part,
)
from bytebuddy_provider_hf.cli.screen import to_json
from bytebuddy_provider_hf.types import Done, Loading, Reasoning, Reply, Text, Usage


def drawn(text: str, *, width: int = 60) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True).print(SafeMarkdown(text))
    return out.getvalue()


def split(*pieces: str) -> tuple[str, str]:
    """Return what is finished of the pieces, and what is still open."""
    blocks = Blocks()
    finished = "".join(map(blocks.feed, pieces))
    return finished, "".join(blocks.pending)


def test_a_block_is_finished_at_an_empty_line() -> None:
    """Only what follows the last empty line can still change."""
    assert split("one\n\ntwo\n\nthr") == ("one\n\ntwo\n\n", "thr")


def test_a_fence_is_one_block() -> None:
    """Empty lines inside a code fence end nothing."""
    assert split("a\n\n```py\nx\n\ny\n") == ("a\n\n", "```py\nx\n\ny\n")
    assert split("```\nx\n\ny\n```\n\nz") == ("```\nx\n\ny\n```\n\n", "z")


def test_a_fence_ends_with_its_like() -> None:
    """As CommonMark 0.31.2, 4.5 has it: as long, of the same character, and alone."""
    for fence, inside in (("````", "```"), ("```", "~~~"), ("~~~~", "~~~")):
        block = f"{fence}md\n{inside}\n\n{inside}\n\n{fence}\n"
        assert split(f"{block}\nz") == (f"{block}\n", "z")
    assert split("```\n\n````\n\nz") == ("```\n\n````\n\n", "z")
    # Code in a line is no fence.
    assert split("```x``` is code\n\nz") == ("```x``` is code\n\n", "z")


@given(
    st.lists(
        st.sampled_from(["a", "```", "````", "~~~", "```py", "", " ", "\u2028", "- x"])
    ),
    st.lists(st.integers(1, 9)),
)
def test_blocks_are_the_same_however_they_are_cut(
    lines: list[str], sizes: list[int]
) -> None:
    """A piece may end anywhere; nothing is lost."""
    text = "\n".join(lines)
    pieces, rest = [], text
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert split(*pieces, rest) == split(text)
    assert "".join(split(text)) == text


def screens(count: int) -> float:
    """Return the CPU time of a block of so many lines, in small pieces, not drawn."""
    printer = MarkdownPrinter(Console(file=io.StringIO(), force_terminal=True))
    # The clock draws a long block as often as it takes; that is no cost of a piece.
    printer._live = Mock()
    began = time.process_time()
    for _ in range(count):
        printer.event(Text("> some "))
        printer.event(Text("words\n"))
    return time.process_time() - began


def test_a_piece_of_a_long_block_costs_no_more_than_one_of_a_short_one() -> None:
    """Of a block that grew to 20,000 lines each piece was looked through anew."""
    short = min(screens(1_000) for _ in range(3))
    assert screens(8_000) < 8 * 3 * short


def test_of_a_long_block_the_end_is_drawn() -> None:
    """As much as the screen has room for; a fence that began above is opened again."""
    lines = ["```", "python\n", *(f"line {n}\n" for n in range(10_000))]
    shown = last_part(lines, 80, 24).split("\n")
    assert shown[0] == "```python"
    assert shown[-2:] == ["line 9999", ""]
    assert len(shown) < 24
    assert last_part(["".join(lines)], 80, 24).split("\n") == shown
    assert len(last_part(["x" * 1_000_000], 80, 24)) <= 80 * 24
    assert last_part(["```python\n", "short\n"], 80, 24) == "```python\nshort\n"


def test_an_endless_block_costs_no_more_than_a_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Drawn anew with every piece, it would keep the machine busy for minutes."""
    sizes: list[int] = []

    class Measured(SafeMarkdown):  # type: ignore[misc]  # final, and this is a test
        def __init__(self, text: str, *, apart: bool = False) -> None:
            sizes.append(len(text))
            super().__init__(text, apart=apart)

    monkeypatch.setattr("bytebuddy_provider_hf.cli.render.SafeMarkdown", Measured)
    console = Console(file=io.StringIO(), width=40, height=24, force_terminal=True)
    printer = MarkdownPrinter(console)
    for piece in ["```py\n", *["a = 1\n"] * 2_000]:
        printer.event(Text(piece))
    until = time.monotonic() + 10
    while not sizes and time.monotonic() < until:
        time.sleep(0.01)
    printer.close()
    *drawings, whole = sizes
    assert whole > 12_000
    assert max(drawings) <= 24 * 40
    # By the clock, and not by the piece.
    assert len(drawings) < 500


def test_links_are_not_made_clickable() -> None:
    """A link shows where it leads; no terminal hyperlink is written."""
    shown = drawn("[click](http://evil.example/x)")
    assert "\x1b]8" not in shown
    assert "http://evil.example/x" in shown


@pytest.mark.parametrize("entity", ["&#x202e;", "&#27;[31m", "&#x9b;31m", "&#13;"])
def test_an_entity_cannot_bring_a_control_character(entity: str) -> None:
    """What Markdown decodes is sanitized as well."""
    shown = drawn(f"a{entity}b")
    for control in ("\u202e", "\x9b", "\r", "\x1b[31m"):
        assert control not in shown


def screen_text(pieces: list[str], *, height: int) -> str:
    """Return what stays on the screen, the drawn-over parts left out."""
    out = io.StringIO()
    console = Console(file=out, width=40, height=height, force_terminal=True)
    printer = MarkdownPrinter(console)
    for piece in pieces:
        printer.event(Text(piece))
    printer.close()
    return out.getvalue()


def visible(written: str) -> list[str]:
    """Return the lines that stay, as a terminal has them after all erasures."""
    lines = [""]
    for part in re.split(r"(\x1b\[2K|\x1b\[1A|\x1b\[[?0-9;]*[a-zA-Z]|\r|\n)", written):
        if part == "\x1b[2K":
            lines[-1] = ""
        elif part == "\x1b[1A":
            lines.pop()
        elif part == "\n":
            lines.append("")
        elif not part.startswith(("\x1b", "\r")):
            lines[-1] += part
    return lines if lines[-1] else lines[:-1]


def test_a_long_answer_is_printed_once() -> None:
    """Each finished paragraph is printed one last time and never drawn again."""
    pieces = [f"word{number} stands here\n\n" for number in range(30)]
    shown = screen_text(pieces, height=5)
    for number in range(30):
        assert shown.count(f"word{number} stands") == 1


def test_between_blocks_stands_one_empty_line() -> None:
    """Whether an answer comes at once or in pieces."""
    text = "one\n\ntwo\n\n```\ncode\n```\n\nthree"
    for pieces in ([text], list(text), text.splitlines(keepends=True)):
        shown = [line.rstrip() for line in visible(screen_text(pieces, height=24))]
        assert shown == ["one", "", "two", "", "code", "", "three"]


CODE = """\
def find(items):
  \tfor each in items:

\t    if each == "a text that goes far beyond the width of such a terminal":
            return each  # with two blanks behind:  \
"""
IN_MARKDOWN = {
    "alone": "Here:\n\n```python\n{0}\n```\n\nThat is all.",
    "no language": "```\n{0}\n```",
    "unknown language": "~~~~ xyzzy\n{0}\n~~~~\n",
    "not closed": "Here:\n\n```sh\n{0}",
    "in a list": "1. Write:\n   ```python\n   {3}\n   ```\n2. Run it.",
    "first in a list": "- ```python\n  {2}\n  ```\n- Run it.",
    "below a list": "10. Write:\n\n    ```python\n    {4}\n    ```\n\n11. Run it.",
    "in a list in a list": "- a\n  - b:\n\n    ```python\n    {4}\n    ```\n",
    "in a quotation": "> He wrote:\n> ```python\n> {q}\n> ```",
}


@pytest.mark.parametrize("place", IN_MARKDOWN)
@pytest.mark.parametrize("at_once", [True, False])
def test_code_can_be_copied_as_it_was(place: str, at_once: bool) -> None:
    """Its lines and nothing else: no margin, no indent, no blank at an end, no break.

    Tabs stay tabs, and a line that is wider than the terminal stays one line.
    """
    lines = CODE.split("\n")
    text = IN_MARKDOWN[place].format(
        CODE,
        None,
        *(("\n" + " " * indent).join(lines) for indent in (2, 3, 4)),
        q="\n> ".join(lines),
    )
    shown = visible(screen_text([text] if at_once else list(text), height=24))
    begin = shown.index(lines[0])
    assert shown[begin : begin + len(lines)] == lines
    above, below = shown[:begin], shown[begin + len(lines) :]
    assert not any("`" in line or "~" in line for line in (*above, *below))


def test_a_number_stands_above_code_that_begins_an_item() -> None:
    """And no line of prose is lost beside code."""
    text = "1. ```\n   a = 1\n   ```\n2. Run:\n   ```\n   b = 2\n   ```\n   It ends."
    lines = [line.rstrip() for line in visible(screen_text([text], height=24))]
    assert list(filter(None, lines)) == [
        " 1",
        "a = 1",
        " 2 Run:",
        "b = 2",
        "   It ends.",
    ]


def test_code_that_is_still_written_fits_the_screen() -> None:
    """It is drawn over, so that the terminal may break none of its lines."""
    console = Console(file=io.StringIO(), width=40, height=24, force_terminal=True)
    printer = MarkdownPrinter(console)
    printer.event(Text("```make\n\tall: " + "word " * 30))
    with console.capture() as drawn_now:
        console.print(printer._unfinished())
    printer.close()
    plain = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", drawn_now.get())
    assert max(map(len, re.split(r"[\r\n]", plain))) <= 40
    assert "\t" not in plain


def test_the_text_of_a_stopped_answer_is_printed() -> None:
    """Closing in the middle of a block prints what came of it."""
    assert screen_text(["half a sent"], height=5).rstrip().endswith("half a sent")


def test_closing_twice_prints_once() -> None:
    """A printer can be closed again."""
    out = io.StringIO()
    printer = MarkdownPrinter(Console(file=out, force_terminal=True, width=40))
    printer.event(Reasoning("hm"))
    printer.event(Text("yes"))
    printer.close()
    before = out.getvalue()
    printer.close()
    assert out.getvalue() == before


def test_json_holds_no_raw_control_character() -> None:
    """JSON on a terminal is ASCII, control characters escaped."""
    line = to_json({"text": "\x1b[31m\x9b\x7f\u202e你"})
    assert line.isascii()
    assert "\x7f" not in line
    assert json.loads(line) == {"text": "\x1b[31m\x9b\x7f\u202e你"}


def test_events_are_told_apart_by_their_type() -> None:
    """Each event becomes one object with a type."""
    reply = Reply(text="hi", usage=Usage(1, 2, 3))
    assert event_object(Loading(1.0, 20.0, 3, "waking")) == {
        "type": "loading",
        "reason": "waking",
        "elapsed": 1.0,
        "estimate": 20.0,
        "waiters": 3,
        "entry": None,
    }
    done = event_object(Done(reply))
    assert done["type"] == "done"
    assert json.loads(to_json(done))["reply"]["usage"]["total_tokens"] == 3
