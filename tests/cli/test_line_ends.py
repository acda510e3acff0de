"""A file keeps its line ends, whatever a model writes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.cli.textfile import (
    ended_like,
    with_line_ends_of,
    with_line_feeds,
)

LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "b", "é", "\t"]), st.sampled_from(["\n", "\r\n"])
    )
)


def text_of(lines: list[tuple[str, str]], last: str) -> str:
    return "".join(text + end for text, end in lines) + last


@given(lines=LINES, last=st.sampled_from(["", "x"]))
def test_a_text_that_nobody_changed_comes_back(
    lines: list[tuple[str, str]], last: str
) -> None:
    """Made plain and restored, every text is itself, with whatever ends."""
    text = text_of(lines, last)
    assert with_line_ends_of(text, with_line_feeds(text)) == text


@given(lines=LINES, changed=st.text(alphabet="ab\n"))
def test_only_line_ends_are_restored(
    lines: list[tuple[str, str]], changed: str
) -> None:
    """The lines themselves are those that the model wrote."""
    assert with_line_feeds(with_line_ends_of(text_of(lines, ""), changed)) == changed


def test_new_lines_get_the_ends_of_the_file() -> None:
    """All of them where the file has only one kind."""
    assert with_line_ends_of("a\r\nb\r\n", "a\nnew\nb\n") == "a\r\nnew\r\nb\r\n"
    assert with_line_ends_of("a\nb\n", "a\nnew\nb\n") == "a\nnew\nb\n"


def test_with_both_ends_each_line_keeps_its_own() -> None:
    """Between changes too; a new line has that of the line before it."""
    original = "a\r\nb\nc\r\nd\ne\r\n"
    changed = "A\nb\nnew\nc\nd\nE\n"
    assert with_line_ends_of(original, changed) == "A\r\nb\nnew\nc\r\nd\nE\n"


@pytest.mark.measured
def test_a_large_file_with_both_ends_takes_no_time() -> None:
    """Sixty thousand lines, turned round."""
    original = "".join(f"{n}\r\n" if n % 3 else f"{n}\n" for n in range(60_000))
    changed = with_line_feeds(original)[::-1]
    began = time.process_time()
    assert with_line_feeds(with_line_ends_of(original, changed)) == changed
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("original", "changed", "ended"),
    [
        ("a\n", "b", "b\n"),
        ("a", "b\n", "b"),
        ("a\n", "b\n", "b\n"),
        ("a", "b", "b"),
        ("a", "b\n\n", "b\n"),
        ("", "b\n", "b\n"),
        ("a\n", "", ""),
    ],
)
def test_the_last_line_ends_as_it_did(original: str, changed: str, ended: str) -> None:
    """No line feed is added or lost; an empty file takes what comes."""
    assert ended_like(original, changed) == ended
