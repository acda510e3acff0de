"""Hold the right answer of a model, and tell what a damage of it is."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from typing import Final

from attrs import frozen

from benchmarks.edits.cases import Edit
from benchmarks.edits.changes import KEYWORDS

_WORD: Final = re.compile(r"[^\W\d_]{3,}")
NAME: Final = re.compile(r"\b[^\W\d]\w{2,}")


@frozen
class Answer:
    """The right answer: its lines, and of which line of the original each is."""

    edit: Edit

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines of the file as they should be."""
        return self.edit.changed_lines

    @cached_property
    def origins(self) -> tuple[int | None, ...]:
        """The line of the original that each line is; none for a new one."""
        found: list[int | None] = []
        done = 0
        for op in self.edit.ops:
            found += [*range(done, op.start), *([None] * len(op.new))]
            done = op.end
        return (*found, *range(done, len(self.edit.file.lines)))

    @cached_property
    def new(self) -> tuple[int, ...]:
        """The places of the new lines that are not blank."""
        return tuple(
            at
            for at, origin in enumerate(self.origins)
            if origin is None and self.lines[at].strip()
        )

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """The places of the lines that stay and have a name in them."""
        return tuple(
            at
            for at, origin in enumerate(self.origins)
            if origin is not None and NAME.search(self.lines[at])
        )


Lines = list[str]
_Make = Callable[[Answer, random.Random], Lines | None]


@frozen
class Damage:
    """A way to damage an answer; ``make`` returns nothing where it has no place."""

    name: str
    make: _Make


def is_distinctive(right: Sequence[str], damaged: Sequence[str]) -> bool:
    """Whether a line differs that has a word which is no keyword of a language."""
    # Only what lies between equal ends is compared: files are long, damages small.
    start = end = 0
    shorter = min(len(right), len(damaged))
    while start < shorter and right[start] == damaged[start]:
        start += 1
    while end < shorter - start and right[-1 - end] == damaged[-1 - end]:
        end += 1
    right = right[start : len(right) - end]
    damaged = damaged[start : len(damaged) - end]
    if 0 in (len(right), len(damaged)):
        ranges = [("replace", 0, len(right), 0, len(damaged))]
    else:
        matcher = SequenceMatcher(None, right, damaged, autojunk=False)
        ranges = list(matcher.get_opcodes())
    return any(
        word.lower() not in KEYWORDS
        for tag, a, b, c, d in ranges
        if tag != "equal"
        for line in (*right[a:b], *damaged[c:d])
        for word in _WORD.findall(line)
    )


def without(lines: Sequence[str], start: int, end: int) -> Lines:
    """Return lines but for some of them."""
    return [*lines[:start], *lines[end:]]
