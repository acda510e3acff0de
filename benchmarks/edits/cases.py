"""Define what a case of the benchmark is made of: files, changes, suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

# What a line of a suggestion is by the rules of its style. "edge" is the outermost
# line of context, "talk" is prose round the code.
Role: TypeAlias = Literal[
    "context", "edge", "old", "new", "sign", "header", "marker", "open", "close", "talk"
]
CODE: Final = ("context", "edge", "old", "new")


@frozen
class File:
    """A text as the benchmark found it; ``path`` is what its language is told by."""

    path: str
    text: str
    language: str

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends; each file ends with a line end."""
        return tuple(self.text.split("\n")[:-1])

    @cached_property
    def counts(self) -> dict[str, list[int]]:
        """The places of each line, blanks at its ends left out."""
        found: dict[str, list[int]] = {}
        for at, line in enumerate(self.lines):
            found.setdefault(line.strip(), []).append(at)
        return found

    def places(self, wanted: Sequence[str]) -> int:
        """Return how often lines stand one after the other, indentation left out."""
        if not wanted:
            return len(self.lines) + 1
        stripped = [line.strip() for line in wanted]
        rarest = min(
            range(len(stripped)), key=lambda at: len(self.counts.get(stripped[at], ()))
        )
        found = 0
        for place in self.counts.get(stripped[rarest], ()):
            start = place - rarest
            here = self.lines[max(start, 0) : start + len(stripped)]
            found += start >= 0 and [line.strip() for line in here] == stripped
        return found


@frozen
class Op:
    """Lines ``start`` to ``end`` of the original become ``new``."""

    start: int
    end: int
    new: tuple[str, ...]

    @property
    def growth(self) -> int:
        """How many lines more there are after it."""
        return len(self.new) - (self.end - self.start)


@frozen
class Edit:
    """A change of a file that somebody could have wanted, as sorted, apart ``ops``.

    The file that it is made in ends its lines by ``eol``, the last one if ``ended``;
    what a model hands over has line feeds all the same.
    """

    kind: str
    file: File
    ops: tuple[Op, ...]
    eol: str = "\n"
    ended: bool = True

    @cached_property
    def changed_lines(self) -> tuple[str, ...]:
        """The lines of the file after the change."""
        return tuple(replaced(self.file.lines, self.ops))

    @cached_property
    def original(self) -> str:
        """The file before the change."""
        return self._written(self.file.lines)

    @cached_property
    def changed(self) -> str:
        """The file after the change."""
        return self._written(self.changed_lines)

    def _written(self, lines: Sequence[str]) -> str:
        return self.eol.join(lines) + self.eol * self.ended


def replaced(
    lines: Sequence[str], ops: Iterable[Op], start: int = 0, end: int | None = None
) -> list[str]:
    """Return lines ``start`` to ``end`` with the changes among them made."""
    done, found = start, []
    for op in ops:
        found += [*lines[done : op.start], *op.new]
        done = op.end
    return [*found, *lines[done : len(lines) if end is None else end]]


@frozen
class Line:
    """A line of a suggestion: ``before`` is the sign or number in front of the code.

    ``group`` numbers the hunk, block or part that it is in.
    """

    text: str
    role: Role
    before: str = ""
    group: int = 0

    @property
    def written(self) -> str:
        """The line as the suggestion has it."""
        return self.before + self.text


@frozen
class Suggestion:
    """A change as a model hands it over.

    ``ambiguous`` says that its words fit several places; ``numbered`` that right line
    numbers tell which of them is meant.
    """

    lines: tuple[Line, ...]
    ambiguous: bool = False
    numbered: bool = False
    ended: bool = True
    eol: str = "\n"
    text: str = field(init=False)

    @text.default
    def _joined(self) -> str:
        text = self.eol.join(line.written for line in self.lines)
        return text + self.eol if self.ended else text


def code(
    lines: Iterable[str], role: Role, before: str = "", group: int = 0
) -> list[Line]:
    """Return lines of code of one role."""
    return [Line(line, role, before, group) for line in lines]
