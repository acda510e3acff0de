"""Read unified diffs as models write them: counts wrong, headers and spaces missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.edits.lines import lines_of

_NUMBERED: Final = re.compile(
    r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@"
)
# Models leave the numbers out, or write a bare @@.
_HEADER: Final = re.compile(r"@@(?:\s|$)")
# What git format-patch puts at the end: "-- " and its version, in the first column.
_SIGNATURE: Final = re.compile(r"\n-- ?\r?\n\d[\d.a-z-]*\s*$")
_LONGEST_TAIL: Final = 60


@frozen
class Numbers:
    """What a header says: the first line and how many, before and after."""

    start: int
    count: int
    new_start: int
    new_count: int


@frozen
class HunkLine:
    """One line of a hunk: ``sign`` is `` ``, ``-``, ``+``, or empty where it lacked."""

    sign: str
    text: str
    end: str

    @property
    def old(self) -> bool:
        """Whether the original has the line."""
        return self.sign != "+"

    @property
    def is_empty(self) -> bool:
        """Whether the line is empty: blank context without its space, or nothing."""
        return not self.sign and not self.text

    @property
    def new(self) -> bool:
        """Whether the result has the line."""
        return self.sign != "-"


@frozen
class Hunk:
    """One place to change; an ``unended`` side's last line has no line end."""

    lines: tuple[HunkLine, ...]
    numbers: Numbers | None = None
    unended_old: bool = False
    unended_new: bool = False
    text: str = field(default="", repr=False)
    heading: str = ""
    at_end: bool = False

    @property
    def old(self) -> tuple[str, ...]:
        """The lines that the original should have."""
        return tuple(line.text for line in self.lines if line.old)

    @property
    def counted(self) -> bool:
        """Whether the header's counts are those of the lines."""
        if self.numbers is None:
            return False
        new = sum(line.new for line in self.lines)
        return (self.numbers.count, self.numbers.new_count) == (len(self.old), new)

    def interpretations(self) -> Iterator[Hunk]:
        """Yield the hunk, then as it may have been meant.

        Empty lines round it may be the model's, not the file's. A model that leaves out
        the space before lines at the margin leaves it out before all context.
        """
        yield self
        lines = list(self.lines)
        while lines and lines[-1].is_empty:
            lines.pop()
        while lines and lines[0].is_empty:
            lines.pop(0)
        if len(lines) < len(self.lines):
            yield evolve(self, lines=tuple(lines))
        if any(line.text and not line.sign for line in lines):
            raw = (
                evolve(line, text=" " + line.text) if line.sign == " " else line
                for line in lines
            )
            yield evolve(self, lines=tuple(raw))


@frozen
class Patch:
    """The hunks of a diff; ``files`` are the names that the changed files have.

    ``mixed`` tells that some lines end in CR LF and others do not.
    """

    hunks: tuple[Hunk, ...]
    files: frozenset[str]
    mixed: bool


def is_patch(text: str) -> bool:
    """Return whether a text is a unified diff: it has headers of hunks or of files."""
    lines = lines_of(text).texts
    for at, line in enumerate(lines):
        # Without a change close by it is a text that quotes a header.
        if _HEADER.match(line) and _body_follows(lines[at + 1 : at + 40]):
            return True
        if _names_files(lines, at) and _body_follows(lines[at + 2 : at + 40]):
            return True
    return False


def read_patch(text: str) -> Patch:
    """Return the hunks of a diff; all of it is one hunk where it has no header."""
    tail = text[-_LONGEST_TAIL:]
    lines = lines_of(text[: len(text) - len(tail)] + _SIGNATURE.sub("\n", tail))
    texts = lines.texts
    hunks: list[Hunk] = []
    files: set[str] = set()
    current = _OpenHunk()
    inside = not any(
        _HEADER.match(line) or _names_files(texts, at) for at, line in enumerate(texts)
    )
    at = 0
    while at < len(texts):
        line = texts[at]
        if _HEADER.match(line):
            hunks += current.closed()
            current, inside = _OpenHunk(line), True
        elif _names_files(texts, at) and (
            # Inside a hunk such lines may be of it: "--" opens comments in SQL and Lua.
            not inside or current.is_complete or _is_header(texts[at + 2 : at + 3])
        ):
            hunks += current.closed()
            files.add(texts[at + 1][4:].partition("\t")[0].strip())
            at += 1
            # Without a header all that follows is one hunk.
            after = texts[at + 1 : at + 2]
            current, inside = _OpenHunk(), bool(after) and not _is_header(after)
        elif line.startswith("diff --git "):
            hunks += current.closed()
            current, inside = _OpenHunk(), False
        elif inside:
            inside = current.add(line, lines.ends[at])
        at += 1
    hunks += current.closed()
    return Patch(tuple(hunks), frozenset(files), not lines.uniform)


class _OpenHunk:
    """A hunk whose lines are being read."""

    def __init__(self, header: str | None = None) -> None:
        self._source = [] if header is None else [header]
        self._body: list[HunkLine] = []
        self._numbers: Numbers | None = None
        self._unended_old = self._unended_new = False
        # How many lines it has so far, before and after.
        self._old = self._new = 0
        if match := _NUMBERED.match(header or ""):
            # A count that is left out is one.
            self._numbers = Numbers(*(int(each or 1) for each in match.groups()))

    @property
    def is_complete(self) -> bool:
        """Whether it has as many lines as its header says, or none was begun."""
        if not self._source:
            return True
        counts = (self._old, self._new)
        numbers = self._numbers
        return numbers is not None and counts == (numbers.count, numbers.new_count)

    def add(self, line: str, end: str) -> bool:
        """Take a line; return false for one that comes after the hunk."""
        self._source.append(line)
        if line.startswith("\\"):
            # "\ No newline at end of file" is of the line before it.
            if self._body:
                self._unended_old = self._unended_old or self._body[-1].old
                self._unended_new = self._unended_new or self._body[-1].new
            return True
        sign = line[:1] if line[:1] in (" ", "-", "+") else ""
        if line and not sign and self.is_complete:
            return False
        read = HunkLine(sign, line[len(sign) :], end)
        self._body.append(read)
        self._old += read.old
        self._new += read.new
        return True

    def closed(self) -> list[Hunk]:
        """Return the hunk, or nothing where it changes nothing."""
        body, numbers = self._body, self._numbers
        # Empty lines before the next header are the model's, unless they are counted.
        while (
            body
            and body[-1].is_empty
            and (numbers is None or self._old > numbers.count)
        ):
            body.pop()
            self._old -= 1
        if not any(line.sign in {"+", "-"} for line in body):
            return []
        text = "\n".join(self._source)
        return [Hunk(tuple(body), numbers, self._unended_old, self._unended_new, text)]


def _is_header(lines: Sequence[str]) -> bool:
    return bool(lines) and _HEADER.match(lines[0]) is not None


def _names_files(lines: Sequence[str], at: int) -> bool:
    return (
        lines[at].startswith("--- ")
        and at + 1 < len(lines)
        and lines[at + 1].startswith("+++ ")
    )


def _body_follows(lines: Sequence[str]) -> bool:
    return any(line[:1] in ("+", "-") for line in lines)
