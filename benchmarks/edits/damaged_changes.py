"""Damage a change: half of it, twice, elsewhere, or with what was round it."""

from __future__ import annotations

import random
from typing import Final

from benchmarks.edits.cases import Op, replaced
from benchmarks.edits.changes import altered
from benchmarks.edits.right_answer import Answer, Damage, Lines, without
from benchmarks.edits.styles import comment

_CLOSERS: Final = ")]}"
_BLOCK: Final = 8


def _new_line_lost(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.new:
        return None
    at = rng.choice(answer.new)
    return without(answer.lines, at, at + 1)


def _old_and_new(answer: Answer, rng: random.Random) -> Lines | None:
    ops = [op for op in answer.edit.ops if op.end > op.start and op.new]
    if not ops:
        return None
    chosen = rng.choice(ops)
    old = answer.edit.file.lines[chosen.start : chosen.end]
    new = (*old, *chosen.new) if rng.randrange(2) else (*chosen.new, *old)
    return _made(answer, {chosen: Op(chosen.start, chosen.end, new)})


def _made(answer: Answer, instead: dict[Op, Op | None]) -> Lines:
    """Return the file with some changes made otherwise, or not at all."""
    ops = [instead.get(op, op) for op in answer.edit.ops]
    return replaced(answer.edit.file.lines, [op for op in ops if op is not None])


def _elsewhere(answer: Answer, rng: random.Random) -> Lines | None:
    op = rng.choice(answer.edit.ops)
    if not any(line.strip() for line in op.new):
        return None
    far = [at for at in answer.kept if abs(at - op.start) > 10]  # noqa: PLR2004
    if not far:
        return None
    lines = _made(answer, {op: None})
    at = min(rng.choice(far), len(lines))
    return [*lines[:at], *op.new, *lines[at:]]


def _new_swapped(answer: Answer, rng: random.Random) -> Lines | None:
    pairs = [at for at in answer.new if at + 1 in answer.new]
    if not pairs:
        return None
    at = rng.choice(pairs)
    lines = list(answer.lines)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return lines


def _new_indented(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.new:
        return None
    lines = list(answer.lines)
    outdent = rng.randrange(2)
    for at in answer.new:
        line = lines[at]
        lines[at] = line[4:] if outdent and line.startswith("    ") else f"    {line}"
    return lines


def _part_missing(answer: Answer, rng: random.Random) -> Lines | None:
    if len(answer.edit.ops) < 2:  # noqa: PLR2004 - one of them stays
        return None
    return _made(answer, {rng.choice(answer.edit.ops): None})


def _applied_twice(answer: Answer, rng: random.Random) -> Lines | None:
    op = rng.choice(answer.edit.ops)
    if not any(line.strip() for line in op.new):
        return None
    return _made(answer, {op: Op(op.start, op.end, op.new * 2)})


def _brought_back(answer: Answer, rng: random.Random) -> Lines | None:
    gone = [op for op in answer.edit.ops if op.end > op.start]
    if not gone:
        return None
    op = rng.choice(gone)
    old = answer.edit.file.lines[op.start : op.end]
    end = len(answer.lines)
    at = rng.choice([at for at in (*answer.kept, end) if at != op.start] or [end])
    return [*answer.lines[:at], *old, *answer.lines[at:]]


def _comment_added(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.kept:
        return None
    at = answer.new[0] if answer.new else rng.choice(answer.kept)
    line = answer.lines[at]
    space = line[: len(line) - len(line.lstrip())]
    said = comment(answer.edit.file, "changed as asked")
    return [*answer.lines[:at], space + said, *answer.lines[at:]]


def _marker_left(answer: Answer, rng: random.Random) -> Lines | None:
    at = rng.choice((0, len(answer.lines), answer.new[0] if answer.new else 0))
    said = comment(answer.edit.file, "... existing code ...")
    return [*answer.lines[:at], said, *answer.lines[at:]]


def _conflict_left(answer: Answer, rng: random.Random) -> Lines | None:
    op = rng.choice(answer.edit.ops)
    old = answer.edit.file.lines[op.start : op.end]
    new = ("<<<<<<< HEAD", *old, "=======", *op.new, ">>>>>>> suggested")
    return _made(answer, {op: Op(op.start, op.end, new)})


def _one_mark_left(answer: Answer, rng: random.Random) -> Lines | None:
    at = answer.new[-1] + 1 if answer.new else len(answer.lines)
    mark = rng.choice((">>>>>>> REPLACE", "=======", "```", "<<<<<<< SEARCH", "@@"))
    return [*answer.lines[:at], mark, *answer.lines[at:]]


def _talk_left(answer: Answer, rng: random.Random) -> Lines | None:
    said = rng.choice(
        ("Here is the updated file:", "I applied the change.", "好的，已修改：")
    )
    return [said, "", *answer.lines]


def _only_the_change(answer: Answer, rng: random.Random) -> Lines | None:
    del rng
    first, last = answer.edit.ops[0], answer.edit.ops[-1]
    growth = sum(op.growth for op in answer.edit.ops)
    start, end = max(0, first.start - 3), last.end + growth + 3
    return list(answer.lines[start:end]) or None


def _not_applied(answer: Answer, rng: random.Random) -> Lines | None:
    """Leave the change out and change something else in its place."""
    lines = list(answer.edit.file.lines)
    at = answer.edit.ops[0].start
    if at >= len(lines) or not lines[at].strip():
        return None
    lines[at] = altered(lines[at], rng)
    return lines


CHANGE_DAMAGES: Final = (
    Damage("new line lost", _new_line_lost),
    Damage("old and new both there", _old_and_new),
    Damage("new lines elsewhere", _elsewhere),
    Damage("new lines swapped", _new_swapped),
    Damage("new lines indented otherwise", _new_indented),
    Damage("part of the change missing", _part_missing),
    Damage("change applied twice", _applied_twice),
    Damage("old text brought back", _brought_back),
    Damage("comment added", _comment_added),
    Damage("marker left in", _marker_left),
    Damage("conflict markers left in", _conflict_left),
    Damage("one sign left in", _one_mark_left),
    Damage("talk left in", _talk_left),
    Damage("only the change", _only_the_change),
    Damage("something else changed", _not_applied),
)
