"""Unified diffs read as models write them: counts wrong, headers and spaces missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import define, evolve, field, frozen

from bytebuddy_provider_hf.edits.lines import Lines, lines_of

_NUMBERED: Final = re.compile(
    r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@"
)
_HEADER: Final = re.compile(r"@@(?:\s|$)")
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
        """Give the hunk, then as it may have been meant.

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
    """Whether a text is a unified diff: it has headers of hunks or of files."""
    lines = lines_of(text).texts
    for at, line in enumerate(lines):
        if _HEADER.match(line) and _body_follows(lines[at + 1 : at + 40]):
            return True
        if _names_files(lines, at) and _body_follows(lines[at + 2 : at + 40]):
            return True
    return False


def read_patch(text: str) -> Patch:
    """Return the hunks of a diff; all of it is one hunk where it has no header."""
    tail = text[-_LONGEST_TAIL:]
    text = text[: len(text) - len(tail)] + _SIGNATURE.sub("\n", tail)
    lines = lines_of(text)
    reader = _Reader(lines)
    reader.read()
    return Patch(tuple(reader.hunks), frozenset(reader.files), not lines.uniform)


@define
class _Reader:
    """Reads the lines of a patch into hunks."""

    lines: Lines
    hunks: list[Hunk] = field(factory=list)
    files: set[str] = field(factory=set)
    _body: list[HunkLine] = field(factory=list)
    _source: list[str] = field(factory=list)
    _numbers: Numbers | None = None
    _inside: bool = False
    _unended_old: bool = False
    _unended_new: bool = False
    _old: int = 0
    _new: int = 0

    def read(self) -> None:
        texts = self.lines.texts
        bare = not any(
            _HEADER.match(line) or _names_files(texts, at)
            for at, line in enumerate(texts)
        )
        self._inside = bare
        at = 0
        while at < len(texts):
            at += self._take(at)
        self._end()

    def _take(self, at: int) -> int:
        """Read what begins at a line; return how many lines it has."""
        texts = self.lines.texts
        line = texts[at]
        if _HEADER.match(line):
            self._begin(line)
            return 1
        if _names_files(texts, at) and self._between(at):
            self._end()
            self.files.add(texts[at + 1][4:].partition("\t")[0].strip())
            # Without a header all that follows is one hunk.
            self._inside = at + 2 < len(texts) and not _HEADER.match(texts[at + 2])
            return 2
        if line.startswith("diff --git "):
            self._end()
            self._inside = False
            return 1
        if self._inside:
            self._add(line, self.lines.ends[at])
        return 1

    def _between(self, at: int) -> bool:
        """Whether lines that look like names of files are no lines of a hunk."""
        if not self._inside or not self._source or self._is_complete:
            return True
        after = self.lines.texts[at + 2 : at + 3]
        return bool(after) and _HEADER.match(after[0]) is not None

    def _begin(self, line: str) -> None:
        self._end()
        self._inside = True
        self._source.append(line)
        if match := _NUMBERED.match(line):
            count, new_count = (
                1 if each is None else int(each) for each in (match[2], match[4])
            )
            start, new_start = int(match[1]), int(match[3])
            self._numbers = Numbers(start, count, new_start, new_count)

    def _add(self, line: str, end: str) -> None:
        self._source.append(line)
        if line.startswith("\\"):
            self._unended()
            return
        sign = line[:1] if line[:1] in (" ", "-", "+") else ""
        if line and not sign and self._is_complete:
            # What follows a hunk that is complete is not part of it.
            self._inside = False
            return
        read = HunkLine(sign, line[len(sign) :], end)
        self._body.append(read)
        self._old += read.old
        self._new += read.new

    @property
    def _is_complete(self) -> bool:
        numbers = self._numbers
        return numbers is not None and (self._old, self._new) == (
            numbers.count,
            numbers.new_count,
        )

    def _unended(self) -> None:
        last = self._body[-1] if self._body else None
        if last is not None:
            self._unended_old = self._unended_old or last.old
            self._unended_new = self._unended_new or last.new

    def _end(self) -> None:
        body = self._body
        numbers = self._numbers
        while (
            body
            and body[-1].is_empty
            and (numbers is None or self._old > numbers.count)
        ):
            body.pop()
            self._old -= 1
        if body and any(line.sign in {"+", "-"} for line in body):
            hunk = Hunk(
                tuple(body),
                self._numbers,
                self._unended_old,
                self._unended_new,
                "\n".join(self._source),
            )
            self.hunks.append(hunk)
        self._body, self._source, self._numbers = [], [], None
        self._unended_old = self._unended_new = False
        self._old = self._new = 0
        self._inside = False


def _names_files(lines: Sequence[str], at: int) -> bool:
    return (
        lines[at].startswith("--- ")
        and at + 1 < len(lines)
        and lines[at + 1].startswith("+++ ")
    )


def _body_follows(lines: Sequence[str]) -> bool:
    return any(line[:1] in ("+", "-") for line in lines)
