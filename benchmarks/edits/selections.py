"""Write answers to `edit --lines` and `fill`: right ones, as models wrap them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from benchmarks.edits.answers import wrapped
from benchmarks.edits.cases import Edit, replaced
from benchmarks.edits.non_code import ERRORS, LIKE_PROSE, TALK
from benchmarks.edits.styles import PROSE, comment, grouped
from bytebuddy_provider_hf.prompts.fill_by_chat import choose_markers
from bytebuddy_provider_hf.prompts.fill_context import FillContext


@frozen
class Selection:
    """Lines of a file that were asked to be changed, and what they become."""

    edit: Edit
    start: int
    end: int

    @property
    def code(self) -> str:
        """The selected lines."""
        return _text(self.edit.file.lines[self.start : self.end])

    @property
    def prefix(self) -> str:
        """The file before them."""
        return _text(self.edit.file.lines[: self.start])

    @property
    def suffix(self) -> str:
        """The file after them."""
        return _text(self.edit.file.lines[self.end :])

    @property
    def intended(self) -> list[str]:
        """The lines as they should become."""
        return replaced(self.edit.file.lines, self.edit.ops, self.start, self.end)


def _text(lines: list[str] | tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


def selection_of(edit: Edit, rng: random.Random) -> Selection | None:
    """Return a selection that has all of a change in it, as a person would make it."""
    groups = grouped(edit, rng.choice((1, 2, 3, 5)))
    if len(groups) != 1 or groups[0].end - groups[0].start > 60:  # noqa: PLR2004
        return None
    start, end = groups[0].start, groups[0].end
    lines = edit.file.lines
    while start < edit.ops[0].start and not lines[start].strip():
        start += 1
    while end > edit.ops[-1].end and not lines[end - 1].strip():
        end -= 1
    if start == end or (start == 0 and end == len(lines)):
        return None
    return Selection(edit, start, end)


_Answer = Callable[[Selection, random.Random], str | None]


def _fence(selection: Selection, lines: list[str], how: str = "fence") -> str:
    return wrapped(_text(lines), selection.edit.file.language, how)


def _plain(how: str) -> _Answer:
    return lambda selection, _rng: _fence(selection, selection.intended, how)


def _outdented(selection: Selection, rng: random.Random) -> str | None:
    del rng
    lines = selection.intended
    old = selection.code.split("\n")
    filled = [line for line in (*lines, *old) if line.strip()]
    cut = min((len(x) - len(x.lstrip(" ")) for x in filled), default=0)
    if not cut:
        return None
    return _fence(selection, [line[cut:] for line in lines])


def _first_outdented(selection: Selection, rng: random.Random) -> str | None:
    del rng
    lines = selection.intended
    if not lines or not lines[0].startswith(" "):
        return None
    return _fence(selection, [lines[0].lstrip(" "), *lines[1:]])


def _around(before: int, after: int) -> _Answer:
    def answer(selection: Selection, rng: random.Random) -> str | None:
        del rng
        lines = selection.edit.file.lines
        first = lines[max(0, selection.start - before) : selection.start]
        last = lines[selection.end : selection.end + after]
        if not any(line.strip() for line in (*first, *last)):
            return None
        return _fence(selection, [*first, *selection.intended, *last])

    return answer


def _blank_edges(selection: Selection, rng: random.Random) -> str | None:
    del rng
    return _fence(selection, ["", *selection.intended, ""])


def _whole_file(selection: Selection, rng: random.Random) -> str | None:
    del rng
    return _fence(selection, list(selection.edit.changed_lines))


def _marked(selection: Selection, rng: random.Random) -> str | None:
    del rng
    said = comment(selection.edit.file, "... existing code ...")
    return _fence(selection, [said, *selection.intended, said])


LINES: Final[dict[str, _Answer]] = {
    "fenced": _plain("fence"),
    "prose": _plain("prose"),
    "bare": _plain("bare"),
    "no language": _plain("no language"),
    "CR LF": _plain("crlf"),
    "outdented": _outdented,
    "first line outdented": _first_outdented,
    "line before, too": _around(1, 0),
    "line after, too": _around(0, 1),
    "3 lines around, too": _around(3, 3),
    "blank lines at its edges": _blank_edges,
    "whole file": _whole_file,
    "with markers": _marked,
}


@frozen
class Hole:
    """A cursor in a file: what stands before and after it, and what belongs there."""

    prefix: str
    suffix: str
    middle: str


def hole_of(edit: Edit) -> Hole | None:
    """Return the first new lines of a change as what is missing at a cursor."""
    op = next((op for op in edit.ops if any(x.strip() for x in op.new)), None)
    if op is None or not op.new[0].strip() or not op.new[-1].strip():
        return None
    lines = edit.file.lines
    first = op.new[0]
    space = first[: len(first) - len(first.lstrip())]
    rest = [first.lstrip(), *op.new[1:]]
    suffix = "\n" + _text(lines[op.end :])
    return Hole(_text(lines[: op.start]) + space, suffix, "\n".join(rest))


def fill_answers(edit: Edit, hole: Hole) -> Iterator[tuple[str, str, bool]]:
    """Yield answers at a cursor by name, and whether they are code."""
    middle, language = hole.middle, edit.file.language
    marks = choose_markers(FillContext(hole.prefix, hole.suffix))
    marked = f"{marks.begin}{middle}{marks.end}"
    block = wrapped(f"{middle}\n", language, "fence")
    line = hole.prefix.rpartition("\n")[2]
    yield "bare", middle, True
    yield "marks", marked, True
    yield "prose, marks", f"Sure! Here it is:\n{marked}\nDone.", True
    yield "fenced", block, True
    yield "fenced, Here is", f"Here is the code:\n\n{block}", True
    if line:
        yield "line repeated", f"{marks.begin}{line}{middle}{marks.end}", True
    yield "think, marks", f"<think>\nLet me see.\n</think>\n\n{marked}", True
    # A page may well tell of an error, or of what some code does.
    prose = language in PROSE
    data = language in ("json", "yaml")
    for name, said in TALK.items() if prose else (TALK | ERRORS).items():
        if not (prose and name in LIKE_PROSE) and not (data and said[0] == "{"):
            yield name, said, False
    for name in ("refusal", "question", "nothing to do 中文"):
        yield f"{name}, fenced", wrapped(f"{TALK[name]}\n", language, "fence"), False
    yield "nothing, in marks", f"{marks.begin}{marks.end}", False
