"""Read unified diffs as models write them: counts wrong, headers and spaces missing."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.formats.elision_markers import (
    ElisionKind,
    classify_line,
)
from bytebuddy_provider_hf.edits.lines import lines_of

_NUMBERED: Final = re.compile(
    r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@"
)
# Models leave the numbers out, or write a bare @@.
_HEADER: Final = re.compile(r"@@(?:\s|$)")
# What git format-patch puts at the end: "-- " and its version, in the first column.
_SIGNATURE: Final = re.compile(r"\n-- ?\r?\n\d[\d.a-z-]*\s*$")
# A header's numbers, if it has some; what follows them is a heading.
_HEADING: Final = re.compile(r"@@(?: -[\d,]+ \+[\d,]+ @@)?")
_LONGEST_TAIL: Final = 60
# A change so close below a header belongs to it, whatever stands between.
_CLOSE: Final = 40


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
    """One place to change; an ``unended`` side's last line has no line end.

    ``heading`` is what a header says beside its numbers, as a rule the function that
    the change is in; of headers that follow each other one a line, outermost first. A
    hunk that is ``at_end`` ends with the file. ``file`` is the file's stated name.
    """

    lines: tuple[HunkLine, ...]
    numbers: Numbers | None = None
    unended_old: bool = False
    unended_new: bool = False
    text: str = field(default="", repr=False)
    heading: str = ""
    at_end: bool = False
    file: str = ""

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

    @property
    def is_cut(self) -> bool:
        """Whether it has fewer lines than its header says."""
        if self.numbers is None:
            return False
        new = sum(line.new for line in self.lines)
        return len(self.old) < self.numbers.count or new < self.numbers.new_count

    @property
    def stated(self) -> int | None:
        """Where the hunk says that it begins, counted from 0."""
        if self.numbers is None:
            return None
        # An empty range names the line before it.
        return self.numbers.start - (self.numbers.count > 0)

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

    ``mixed`` tells that some lines end in CR LF and others do not. A patch without
    hunks is one that could not be read, or that changes nothing. ``moved`` is the new
    name that it gives the file, and ``around`` are the lines in no hunk and no header.
    """

    hunks: tuple[Hunk, ...]
    files: frozenset[str]
    mixed: bool
    moved: str = ""
    around: tuple[str, ...] = ()

    def without_elisions(self, known: Container[str]) -> Patch:
        """Return the patch with its hunks split where context is left out.

        A line of context that may be a marker and is none of the ``known`` lines, those
        of the original, can only stand for lines that are left out.
        """
        hunks: list[Hunk] = []
        for hunk in self.hunks:
            runs: list[list[HunkLine]] = [[]]
            for line in hunk.lines:
                context = line.sign not in ("+", "-") and line.text not in known
                if context and classify_line(line.text) is not ElisionKind.CODE:
                    runs.append([])
                else:
                    runs[-1].append(line)
            if len(runs) == 1:
                hunks.append(hunk)
                continue
            for number, run in enumerate(runs, 1):
                if all(line.sign not in ("+", "-") for line in run):
                    continue
                # Only the part with the last line says how the file ends.
                ends = number == len(runs)
                # Lines that are put in behind a marker do not follow the heading.
                placed = number == 1 or any(line.old for line in run)
                part = evolve(
                    hunk,
                    lines=tuple(run),
                    numbers=None,
                    unended_old=ends and hunk.unended_old,
                    unended_new=ends and hunk.unended_new,
                    text="\n".join(line.sign + line.text for line in run),
                    heading=hunk.heading if placed else "",
                    at_end=ends and hunk.at_end,
                )
                hunks.append(part)
        return evolve(self, hunks=tuple(hunks))

    def of_files(self, names: Container[str]) -> Patch:
        """Return what a patch changes in files of these names, or of none."""
        hunks = tuple(h for h in self.hunks if not h.file or h.file in names)
        files = frozenset(name for name in self.files if name in names)
        return evolve(self, hunks=hunks, files=files)

    def elides(self, known: Container[str]) -> bool:
        """Return whether a new line says that code is left out: nobody knows which."""
        return any(
            line.sign == "+"
            and line.text not in known
            and classify_line(line.text) is ElisionKind.MARKER
            for hunk in self.hunks
            for line in hunk.lines
        )


def hunk_of(
    search: Sequence[tuple[str, str]], replace: Sequence[tuple[str, str]]
) -> tuple[HunkLine, ...]:
    """Return the lines of a hunk that turns one part of a text into another.

    Lines come with their ends. Those that both parts have are context.
    """
    pairs = aligned([text for text, _ in search], [text for text, _ in replace])
    lines: list[HunkLine] = []
    a = b = 0
    for i, j in [*pairs, (len(search), len(replace))]:
        lines += (HunkLine("-", text, end) for text, end in search[a:i])
        lines += (HunkLine("+", text, end) for text, end in replace[b:j])
        if i < len(search):
            # A blank line at the edge may be the model's: it is none of the file's.
            lines.append(HunkLine(" " if search[i][0] else "", *search[i]))
        a, b = i + 1, j + 1
    return tuple(lines)


def is_patch(text: str) -> bool:
    """Return whether a text is a unified diff: it has headers of hunks or of files."""
    lines = lines_of(text).texts
    # Without a change below it in its hunk it is a text that quotes a header.
    last, context, opened = -1, False, False
    for at, line in enumerate(lines):
        if opened and line[:1] in ("+", "-") and (context or at < last):
            return True
        if _HEADER.match(line):
            numbered = _NUMBERED.match(line)
            counted = int(numbered[2] or 1) if numbered else 0
            last, context, opened = at + max(_CLOSE, counted + 1), True, True
        elif _names_files(lines, at) and any(
            below[:1] in ("+", "-") for below in lines[at + 2 : at + _CLOSE]
        ):
            return True
        elif line[:1] not in ("", " ", "\\"):
            context = False
    return False


def read_patch(text: str) -> Patch:
    """Return the hunks of a diff; all of it is one hunk where it has no header."""
    tail = text[-_LONGEST_TAIL:]
    lines = lines_of(text[: len(text) - len(tail)] + _SIGNATURE.sub("\n", tail))
    texts = lines.texts
    hunks: list[Hunk] = []
    files: set[str] = set()
    current = OpenHunk()
    inside = not any(
        _HEADER.match(line) or _names_files(texts, at) for at, line in enumerate(texts)
    )
    around: list[str] = []
    at, file = 0, ""
    while at < len(texts):
        line = texts[at]
        if _HEADER.match(line):
            hunks += current.closed()
            outer = current.heading if current.is_empty else ""
            current, inside = OpenHunk(line, file=file, outer=outer), True
        elif _names_files(texts, at) and (
            # Inside a hunk such lines may be of it: "--" opens comments in SQL and Lua.
            not inside or current.is_complete or _is_header(texts[at + 2 : at + 3])
        ):
            hunks += current.closed()
            file = texts[at + 1][4:].partition("\t")[0].strip()
            files.add(file)
            at += 1
            # Without a header all that follows is one hunk.
            after = texts[at + 1 : at + 2]
            current = OpenHunk(file=file)
            inside = bool(after) and not _is_header(after)
        elif line.startswith("diff --git "):
            hunks += current.closed()
            current, inside = OpenHunk(), False
        elif inside:
            inside = current.add(line, lines.ends[at])
            around += [] if inside else [line]
        else:
            around.append(line)
        at += 1
    hunks += current.closed()
    return Patch(
        tuple(hunks), frozenset(files), not lines.uniform, around=tuple(around)
    )


class OpenHunk:
    """A hunk whose lines are being read."""

    def __init__(
        self, header: str | None = None, *, file: str = "", outer: str = ""
    ) -> None:
        self._source = [] if header is None else [header]
        self._file = file
        self._body: list[HunkLine] = []
        self._numbers: Numbers | None = None
        self._unended_old = self._unended_new = False
        # How many lines it has so far, before and after.
        self._old = self._new = 0
        if match := _NUMBERED.match(header or ""):
            # A count that is left out is one.
            self._numbers = Numbers(*(int(each or 1) for each in match.groups()))
        said = _HEADING.sub("", header or "").removesuffix("@@").strip()
        told = said if any(char.isalpha() for char in said) else ""
        self.heading = f"{outer}\n{told}".strip("\n")
        self.at_end = False

    @property
    def is_empty(self) -> bool:
        """Whether no line of it has come yet."""
        return not self._body

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
        return [
            Hunk(
                tuple(body),
                numbers,
                self._unended_old,
                self._unended_new,
                text="\n".join(self._source),
                heading=self.heading,
                at_end=self.at_end,
                file=self._file,
            )
        ]


def _is_header(lines: Sequence[str]) -> bool:
    return bool(lines) and _HEADER.match(lines[0]) is not None


def _names_files(lines: Sequence[str], at: int) -> bool:
    return (
        lines[at].startswith("--- ")
        and at + 1 < len(lines)
        and lines[at + 1].startswith("+++ ")
    )
