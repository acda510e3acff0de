"""Damage the lines of a file that a change leaves alone."""

from __future__ import annotations

import random
from typing import Final

from benchmarks.edits.changes import altered
from benchmarks.edits.right_answer import Answer, Damage, Lines, without
from benchmarks.edits.slips import tabbed
from benchmarks.edits.styles import comment

_CLOSERS: Final = ")]}"
_BLOCK: Final = 8


def _line_lost(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.kept:
        return None
    at = rng.choice(answer.kept)
    return without(answer.lines, at, at + 1)


def _bracket_lost(answer: Answer, rng: random.Random) -> Lines | None:
    places = [
        at
        for at, line in enumerate(answer.lines)
        if line.strip() and line.strip()[0] in _CLOSERS
    ]
    if places and rng.randrange(2):
        at = rng.choice(places)
        return without(answer.lines, at, at + 1)
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


def _added(answer: Answer, rng: random.Random) -> Lines | None:
    if not answer.kept:
        return None
    at = rng.choice(answer.kept)
    new = altered(answer.lines[at], rng)
    return [*answer.lines[: at + 1], new, *answer.lines[at + 1 :]]


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
    return without(answer.lines, at, at + 1)


def _comment_translated(answer: Answer, rng: random.Random) -> Lines | None:
    places = _comments(answer)
    if not places:
        return None
    at = rng.choice(places)
    line = answer.lines[at]
    sign = line[: len(line) - len(line.lstrip(" #/*<!-"))]
    return [*answer.lines[:at], f"{sign}返回处理后的结果", *answer.lines[at + 1 :]]


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
    rest = without(answer.lines, start, end)
    at = rng.randrange(len(rest) + 1)
    return [*rest[:at], *answer.lines[start:end], *rest[at:]]


def _import_dropped(answer: Answer, rng: random.Random) -> Lines | None:
    heads = ("import ", "from ", "#include ", "source ", "export ")
    places = [at for at in answer.kept if answer.lines[at].startswith(heads)]
    if not places:
        return None
    at = rng.choice(places)
    return without(answer.lines, at, at + 1)


def _blank_lost(answer: Answer, rng: random.Random) -> Lines | None:
    places = [at for at, line in enumerate(answer.lines) if not line.strip()]
    if not places:
        return None
    at = rng.choice(places)
    return without(answer.lines, at, at + 1)


def _blank_added(answer: Answer, rng: random.Random) -> Lines | None:
    at = rng.randrange(1, len(answer.lines))
    return [*answer.lines[:at], "", *answer.lines[at:]]


def _middle_elided(answer: Answer, rng: random.Random) -> Lines | None:
    start = rng.randrange(len(answer.lines) // 2)
    end = min(len(answer.lines), start + rng.randrange(5, 60))
    said = comment(answer.edit.file, "... rest of the code remains unchanged ...")
    middle = [said] if rng.randrange(2) else []
    return [*answer.lines[:start], *middle, *answer.lines[end:]]


FILE_DAMAGES: Final = (
    Damage("line lost", _line_lost),
    Damage("closing bracket lost", _bracket_lost),
    Damage("last line lost", _last_lost),
    Damage("last lines lost", _last_lines_lost),
    Damage("block twice, at the end", _block_twice),
    Damage("block twice, in place", _block_again),
    Damage("line twice", _line_twice),
    Damage("lines swapped", _swapped),
    Damage("blanks became tabs", _tabs),
    Damage("line indented otherwise", _line_indented),
    Damage("line added", _added),
    Damage("word changed", _word_changed),
    Damage("number or sign changed", _sign_changed),
    Damage("comment dropped", _comment_dropped),
    Damage("comment translated", _comment_translated),
    Damage("tail cut off", _tail_cut),
    Damage("tail cut off in a line", _tail_cut_inside),
    Damage("head cut off", _head_cut),
    Damage("block moved", _block_moved),
    Damage("import dropped", _import_dropped),
    Damage("blank line lost", _blank_lost),
    Damage("blank line added", _blank_added),
    Damage("middle left out", _middle_elided),
)
