"""Find what new code lacks that the old one had, and nobody wanted to go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import aligned, changes
from bytebuddy_provider_hf.edits.answers.answer_task import AnswerTask
from bytebuddy_provider_hf.edits.answers.wellformed import breaks_form
from bytebuddy_provider_hf.edits.definitions import gone
from bytebuddy_provider_hf.edits.formats.elision_markers import (
    ElisionKind,
    classify_line,
)
from bytebuddy_provider_hf.edits.lines import is_distinctive, lines_of
from bytebuddy_provider_hf.errors import Doubt
from bytebuddy_provider_hf.texts import text

# From so many lines on, fewer than this share of the telling ones kept is a doubt.
_FEWEST_LINES: Final = 20
_FEWEST_KEPT: Final = 0.1
# Telling lines that go with too little in their place are a doubt from these numbers
# on: at the end, at the start, in between; and where something is wanted to go.
_TAIL: Final = 1
_HEAD: Final = 3
_BETWEEN: Final = 12
_WANTED: Final = 4
# One line in the place of so many is too little.
_THIN: Final = 4
_SHOWN_NAMES: Final = 6


@frozen
class Losses:
    """What is missing: definitions by name, or lines.

    ``stood_for`` is a line like "..." that came in the place of others. ``ended`` says
    whether the last line of the old code is the last of the new.
    """

    names: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    stood_for: str = ""
    ended: bool = True

    def __bool__(self) -> bool:
        return bool(self.names or self.lines)


def losses(task: AnswerTask, made: str) -> Losses:
    """Return what ``made`` lacks of the code and the instruction does not name.

    In linear time, as lines are aligned.
    """
    before = [line.rstrip() for line in lines_of(task.code).texts]
    after = [line.rstrip() for line in lines_of(made).texts]
    pairs = aligned(before, after)
    missing = gone(before, after, pairs, task.language)
    names = tuple(name for name in missing if not task.lets_go(name))
    had, has = (Counter(line.strip() for line in each) for each in (before, after))
    lines: tuple[str, ...] = ()
    stood_for = ""
    for start, end, b, b_end in changes(before, after, pairs):
        went = [
            line
            for line in before[start:end]
            if is_distinctive(line) and had[line.strip()] > has[line.strip()]
        ]
        new = [line for line in after[b:b_end] if line.strip() not in had]
        doubtful = (x for x in new if classify_line(x) is not ElisionKind.CODE)
        if len(went) > sum(map(is_distinctive, new)):
            stood_for = stood_for or next(doubtful, "")
        went = [line for line in went if not task.lets_line_go(line)]
        instead = sum(map(is_distinctive, after[b:b_end]))
        if lines or (instead and instead * _THIN >= len(went)):
            continue
        # At an edge, but for brackets and blank lines.
        if not any(map(is_distinctive, before[end:])):
            most = _TAIL if task.selection.is_file else _HEAD
        else:
            most = _BETWEEN if any(map(is_distinctive, before[:start])) else _HEAD
        if len(went) >= (max(most, _WANTED) if task.removes else most):
            lines = tuple(went)
    last = next(filter(None, reversed(before)), "")
    ended = last == next(filter(None, reversed(after)), "")
    return Losses(names, lines, stood_for, ended)


def doubts_of(task: AnswerTask, made: str, lost: Losses) -> Iterator[Doubt]:
    """Yield why new code should be looked at before it is written."""
    if lost.names:
        names = ", ".join(lost.names[:_SHOWN_NAMES])
        if len(lost.names) > _SHOWN_NAMES:
            names += ", …"
        yield Doubt("gone", text("answer.gone", names=names), lost.names)
    elif lost.lines:
        count = len(lost.lines)
        yield Doubt("gone", text("answer.lines_gone", count=count), lost.lines)
    lines = lines_of(task.code).texts
    old, new = ({x.strip() for x in each} for each in (lines, lines_of(made).texts))
    # Told by all lines first: those that tell nothing are in every file.
    if len(lines) < _FEWEST_LINES or len(old & new) * 2 >= len(old):
        return
    telling = set(filter(is_distinctive, old))
    if telling and len(telling & new) < _FEWEST_KEPT * len(telling):
        yield Doubt("rewritten", text("answer.rewritten"))


def is_malformed(task: AnswerTask, made: str) -> bool:
    """Return whether the file was well formed and is no longer, with the new code."""
    return breaks_form(task.in_file(made), task.file, task.language)
