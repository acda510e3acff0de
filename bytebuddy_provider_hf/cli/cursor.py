"""A place in a file, and a range of its lines, as the command line writes them."""

from __future__ import annotations

import re
from typing import Final

import click
from attrs import frozen

from bytebuddy_provider_hf.errors import InvalidOption

# The last numbers count: C:\a.py and a file called a:1 have colons of their own.
_PLACE: Final = re.compile(r"(.+?):([0-9]{1,9})(?::([0-9]{1,9}))?", re.DOTALL)
_LINES: Final = re.compile(r"([0-9]{0,9})(:?)([0-9]{0,9})")


@frozen
class Cursor:
    """A cursor in a file: line and column count from 1; no column is a line's end."""

    file: str
    line: int
    column: int | None = None

    def split(self, text: str) -> tuple[str, str]:
        """Return what stands before and after the cursor.

        A column counts characters. Raises ``InvalidOption`` where there is no such
        place.
        """
        start, end = _line(text, self.line, self.file)
        size = end - start
        column = size + 1 if self.column is None else self.column
        if column > size + 1:
            raise InvalidOption(
                f"Line {self.line} of {self.file} has {size} characters; there is no "
                f"column {column}.",
                hint=f"The column at its end is {size + 1}.",
            )
        at = start + column - 1
        return text[:at], text[at:]


def cursor_of(text: str) -> Cursor:
    """Return the place that ``FILE:LINE:COL`` or ``FILE:LINE`` writes."""
    match = _PLACE.fullmatch(text)
    numbers = [int(each) for each in match.groups()[1:] if each] if match else []
    if match is None or 0 in numbers:
        raise click.BadParameter(
            f"{text!r} is no place: write FILE:LINE:COL, both from 1, or FILE:LINE for "
            "the end of a line."
        )
    return Cursor(match[1], *numbers)


@frozen
class LineRange:
    """The lines from ``first`` to ``last``, both counted from 1 and both in."""

    first: int = 1
    last: int | None = None

    def split(self, text: str, name: str) -> tuple[str, str, str]:
        """Return what stands before, in and after the lines.

        Raises ``InvalidOption`` where there are no such lines.
        """
        start, _ = _line(text, self.first, name)
        if self.last is None:
            return text[:start], text[start:], ""
        _, end = _line(text, self.last, name)
        end = text.find("\n", end) + 1 or len(text)
        return text[:start], text[start:end], text[end:]


def line_range_of(text: str) -> LineRange:
    """Return what ``A:B``, ``A:`` (to the end), ``:B`` or one line ``A`` writes."""
    match = _LINES.fullmatch(text)
    if match is None or not (match[1] or match[3]):
        raise click.BadParameter(f"{text!r}: write A:B, both from 1, or one number.")
    first = int(match[1] or 1)
    last = int(match[3]) if match[3] else None if match[2] else first
    if first < 1 or (last is not None and last < first):
        raise click.BadParameter(f"{text!r}: lines count from 1, and forward.")
    return LineRange(first, last)


def _line(text: str, number: int, name: str) -> tuple[int, int]:
    """Return where line ``number`` starts and ends; its line end is not in it."""
    start = 0
    for passed in range(1, number):
        found = text.find("\n", start)
        if found < 0:
            raise InvalidOption(
                f"{name} ends in line {passed}; there is no line {number}."
            )
        start = found + 1
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    return start, end - 1 if text[start:end].endswith("\r") else end
