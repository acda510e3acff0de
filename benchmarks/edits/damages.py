"""Damage a right answer of a model in the ways in which models damage files."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from typing import Final

from attrs import frozen

from benchmarks.edits.cases import Edit, Op, replaced
from benchmarks.edits.changes import KEYWORDS, altered
from benchmarks.edits.slips import tabbed
from benchmarks.edits.styles import comment

_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_NAME: Final = re.compile(r"\b[^\W\d]\w{2,}")
_CLOSERS: Final = ")]}"
_BLOCK: Final = 8


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
            if origin is not None and _NAME.search(self.lines[at])
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


def _without(lines: Sequence[str], start: int, end: int) -> Lines:
    return [*lines[:start], *lines[end:]]


def _line_lost(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.kept:
        return None
    at = rng.choice(answer.kept)
    return _without(answer.lines, at, at + 1)


def _new_line_lost(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.new:
        return None
    at = rng.choice(answer.new)
    return _without(answer.lines, at, at + 1)


def _bracket_lost(answer: Answer, rng: random.Random) -> Lines | None:
    places = [
        at
        for at, line in enumerate(answer.lines)
        if line.strip() and line.strip()[0] in _CLOSERS
    ]
    if places and rng.randrange(2):
        at = rng.choice(places)
        return _without(answer.lines, at, at + 1)
    places = [
        at for at, line in enumerate(answer.lines) if line[-1:] in tuple(_CLOSERS)
    ]
    if not places:
        return None
    at = rng.choice(places)
    return [*answer.lines[:at], answer.lines[at][:-1], *answer.lines[at + 1 :]]


def _last_lost(answer: Answer, rng: random.Random) -> Lines | None:
    del rng
    lines = list(answer.lines)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines[:-1]


def _last_lines_lost(answer: Answer, rng: random.Random) -> Lines | None:
    return list(answer.lines[: -rng.randrange(3, 11)])


def _block(answer: Answer, rng: random.Random) -> tuple[int, int]:
    """Return where some lines begin and end: a paragraph of the file."""
    start = rng.choice(answer.kept) if answer.kept else 0
    end = start + 1
    while (
        end < len(answer.lines) and end - start < _BLOCK and answer.lines[end].strip()
    ):
        end += 1
    return start, end


def _block_twice(answer: Answer, rng: random.Random) -> Lines | None:
    start, end = _block(answer, rng)
    return [*answer.lines, "", *answer.lines[start:end]]


def _block_again(answer: Answer, rng: random.Random) -> Lines | None:
    start, end = _block(answer, rng)
    return [*answer.lines[:end], *answer.lines[start:end], *answer.lines[end:]]


def _line_twice(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.kept:
        return None
    at = rng.choice(answer.kept)
    return [*answer.lines[: at + 1], *answer.lines[at:]]


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


def _swapped(answer: Answer, rng: random.Random) -> Lines | None:
    pairs = [
        at
        for at in answer.kept
        if at + 1 in set(answer.kept) and answer.lines[at] != answer.lines[at + 1]
    ]
    if not pairs:
        return None
    at = rng.choice(pairs)
    lines = list(answer.lines)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return lines


def _new_swapped(answer: Answer, rng: random.Random) -> Lines | None:
    pairs = [at for at in answer.new if at + 1 in answer.new]
    if not pairs:
        return None
    at = rng.choice(pairs)
    lines = list(answer.lines)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return lines


def _tabs(answer: Answer, rng: random.Random) -> Lines | None:
    del rng
    return [tabbed(line) for line in answer.lines]


def _line_indented(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.kept:
        return None
    at = rng.choice(answer.kept)
    line = answer.lines[at]
    deep = line.startswith("    ") and rng.randrange(2)
    return [
        *answer.lines[:at],
        line[4:] if deep else f"    {line}",
        *answer.lines[at + 1 :],
    ]


def _new_indented(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.new:
        return None
    lines = list(answer.lines)
    outdent = rng.randrange(2)
    for at in answer.new:
        line = lines[at]
        lines[at] = line[4:] if outdent and line.startswith("    ") else f"    {line}"
    return lines


def _added(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.kept:
        return None
    at = rng.choice(answer.kept)
    new = altered(answer.lines[at], rng)
    return [*answer.lines[: at + 1], new, *answer.lines[at + 1 :]]


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


def _word_changed(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.kept:
        return None
    at = rng.choice(answer.kept)
    return [
        *answer.lines[:at],
        altered(answer.lines[at], rng),
        *answer.lines[at + 1 :],
    ]


def _sign_changed(answer: Answer, rng: random.Random) -> Lines | None:
    """Change a number, a quote or an operator of a line that should stay."""
    swaps = {
        "0": "1",
        "1": "2",
        "'": '"',
        "==": "!=",
        "<": ">",
        "+": "-",
        "True": "False",
    }
    places = [
        (at, sign) for at in answer.kept for sign in swaps if sign in answer.lines[at]
    ]
    if not places:
        return None
    at, sign = rng.choice(places)
    line = answer.lines[at].replace(sign, swaps[sign])
    return [*answer.lines[:at], line, *answer.lines[at + 1 :]]


def _comments(answer: Answer) -> list[int]:
    signs = ("#", "//", "/*", "<!--", "*")
    return [at for at in answer.kept if answer.lines[at].strip().startswith(signs)]


def _comment_dropped(answer: Answer, rng: random.Random) -> Lines | None:
    places = _comments(answer)
    if not places:
        return None
    at = rng.choice(places)
    return _without(answer.lines, at, at + 1)


def _comment_translated(answer: Answer, rng: random.Random) -> Lines | None:
    places = _comments(answer)
    if not places:
        return None
    at = rng.choice(places)
    line = answer.lines[at]
    sign = line[: len(line) - len(line.lstrip(" #/*<!-"))]
    return [*answer.lines[:at], f"{sign}返回处理后的结果", *answer.lines[at + 1 :]]


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


def _tail_cut(answer: Answer, rng: random.Random) -> Lines | None:
    return list(
        answer.lines[: rng.randrange(len(answer.lines) // 2, len(answer.lines))]
    )


def _tail_cut_inside(answer: Answer, rng: random.Random) -> Lines | None:
    lines = list(
        answer.lines[: rng.randrange(len(answer.lines) // 2, len(answer.lines))]
    )
    return [*lines[:-1], lines[-1][: len(lines[-1]) // 2]] if lines else None


def _head_cut(answer: Answer, rng: random.Random) -> Lines | None:
    return list(answer.lines[rng.randrange(1, max(2, len(answer.lines) // 2)) :])


def _block_moved(answer: Answer, rng: random.Random) -> Lines | None:
    start, end = _block(answer, rng)
    rest = _without(answer.lines, start, end)
    at = rng.randrange(len(rest) + 1)
    return [*rest[:at], *answer.lines[start:end], *rest[at:]]


def _import_dropped(answer: Answer, rng: random.Random) -> Lines | None:
    heads = ("import ", "from ", "#include ", "source ", "export ")
    places = [at for at in answer.kept if answer.lines[at].startswith(heads)]
    if not places:
        return None
    at = rng.choice(places)
    return _without(answer.lines, at, at + 1)


def _blank_lost(answer: Answer, rng: random.Random) -> Lines | None:
    places = [at for at, line in enumerate(answer.lines) if not line.strip()]
    if not places:
        return None
    at = rng.choice(places)
    return _without(answer.lines, at, at + 1)


def _blank_added(answer: Answer, rng: random.Random) -> Lines | None:
    at = rng.randrange(1, len(answer.lines))
    return [*answer.lines[:at], "", *answer.lines[at:]]


def _middle_elided(answer: Answer, rng: random.Random) -> Lines | None:
    start = rng.randrange(len(answer.lines) // 2)
    end = min(len(answer.lines), start + rng.randrange(5, 60))
    said = comment(answer.edit.file, "... rest of the code remains unchanged ...")
    middle = [said] if rng.randrange(2) else []
    return [*answer.lines[:start], *middle, *answer.lines[end:]]


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


DAMAGES: Final = (
    Damage("line lost", _line_lost),
    Damage("new line lost", _new_line_lost),
    Damage("closing bracket lost", _bracket_lost),
    Damage("last line lost", _last_lost),
    Damage("last lines lost", _last_lines_lost),
    Damage("block twice, at the end", _block_twice),
    Damage("block twice, in place", _block_again),
    Damage("line twice", _line_twice),
    Damage("old and new both there", _old_and_new),
    Damage("new lines elsewhere", _elsewhere),
    Damage("lines swapped", _swapped),
    Damage("new lines swapped", _new_swapped),
    Damage("blanks became tabs", _tabs),
    Damage("line indented otherwise", _line_indented),
    Damage("new lines indented otherwise", _new_indented),
    Damage("line added", _added),
    Damage("part of the change missing", _part_missing),
    Damage("change applied twice", _applied_twice),
    Damage("old text brought back", _brought_back),
    Damage("word changed", _word_changed),
    Damage("number or sign changed", _sign_changed),
    Damage("comment dropped", _comment_dropped),
    Damage("comment translated", _comment_translated),
    Damage("comment added", _comment_added),
    Damage("marker left in", _marker_left),
    Damage("conflict markers left in", _conflict_left),
    Damage("one sign left in", _one_mark_left),
    Damage("tail cut off", _tail_cut),
    Damage("tail cut off in a line", _tail_cut_inside),
    Damage("head cut off", _head_cut),
    Damage("block moved", _block_moved),
    Damage("import dropped", _import_dropped),
    Damage("blank line lost", _blank_lost),
    Damage("blank line added", _blank_added),
    Damage("middle left out", _middle_elided),
    Damage("talk left in", _talk_left),
    Damage("only the change", _only_the_change),
    Damage("something else changed", _not_applied),
)
