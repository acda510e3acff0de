"""A place in a file is found as a person counts."""

from __future__ import annotations

import click
import pytest

from bytebuddy_provider_hf.cli.arguments import (
    Cursor,
    LineRange,
    parse_cursor,
    parse_line_range,
)
from bytebuddy_provider_hf.errors import InvalidOption

TEXT = "ab\ncé🤗d\n\nlast"


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("a.py:3:4", Cursor("a.py", 3, 4)),
        ("a.py:3", Cursor("a.py", 3)),
        (r"C:\a.py:3:4", Cursor(r"C:\a.py", 3, 4)),
        ("a:1:2:3", Cursor("a:1", 2, 3)),
        ("with blank.py:10", Cursor("with blank.py", 10)),
    ],
)
def test_the_last_numbers_are_line_and_column(written: str, place: Cursor) -> None:
    """Colons before them belong to the file's name."""
    assert parse_cursor(written) == place


@pytest.mark.parametrize("written", ["", "a.py", "a.py:", ":3", "a:0", "a:1:0", "a:-1"])
def test_what_is_no_place_is_wrong_usage(written: str) -> None:
    """Without a line, or with numbers that nobody counts from."""
    with pytest.raises(click.BadParameter):
        parse_cursor(written)


@pytest.mark.parametrize(
    ("line", "column", "before"),
    [
        (1, 1, ""),
        (1, 3, "ab"),
        (2, 3, "ab\ncé"),
        (2, 4, "ab\ncé🤗"),
        (2, None, "ab\ncé🤗d"),
        (3, 1, "ab\ncé🤗d\n"),
        (4, None, TEXT),
    ],
)
def test_a_column_counts_characters(line: int, column: int | None, before: str) -> None:
    """The cursor stands before the character; without a column, at the line's end."""
    assert Cursor("f", line, column).split(TEXT) == (before, TEXT[len(before) :])


def test_the_line_after_the_last_line_feed_is_a_place() -> None:
    """Where an editor lets a cursor stand."""
    assert Cursor("f", 2, 1).split("a\n") == ("a\n", "")
    assert Cursor("f", 1).split("") == ("", "")


def test_a_carriage_return_is_no_character_of_its_line() -> None:
    """The end of a line is before both characters of its line end."""
    assert Cursor("f", 1).split("ab\r\nc") == ("ab", "\r\nc")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Cursor("f", 5), "f ends in line 4; there is no line 5"),
        (Cursor("f", 1, 4), "Line 1 of f has 2 characters; there is no column 4"),
    ],
)
def test_a_place_that_is_not_there_is_told(place: Cursor, said: str) -> None:
    """The error says where the file, or the line, ends."""
    with pytest.raises(InvalidOption, match=said):
        place.split(TEXT)


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("2:3", ("ab\n", "cé🤗d\n\n", "last")),
        ("2", ("ab\n", "cé🤗d\n", "\nlast")),
        ("3:", ("ab\ncé🤗d\n", "\nlast", "")),
        (":1", ("", "ab\n", "cé🤗d\n\nlast")),
        ("4:4", ("ab\ncé🤗d\n\n", "last", "")),
    ],
)
def test_lines_are_whole(written: str, parts: tuple[str, str, str]) -> None:
    """Both ends are in, each with its line end."""
    assert parse_line_range(written).split(TEXT, "f") == parts


def test_no_lines_are_all_lines() -> None:
    """The whole file, also an empty one."""
    assert LineRange().split(TEXT, "f") == ("", TEXT, "")
    assert LineRange().split("", "f") == ("", "", "")


@pytest.mark.parametrize("written", ["", ":", "0:1", "3:2", "a", "1:2:3", "-1:2"])
def test_what_are_no_lines_is_wrong_usage(written: str) -> None:
    """A range that runs backwards, counts from 0 or is no number."""
    with pytest.raises(click.BadParameter):
        parse_line_range(written)


def test_lines_that_are_not_there_are_told() -> None:
    """A range beyond the end of the file is not cut silently."""
    with pytest.raises(InvalidOption, match="there is no line 9"):
        LineRange(1, 9).split(TEXT, "f")
