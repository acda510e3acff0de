"""Change files by program, as somebody could have wanted them changed."""

from __future__ import annotations

import keyword
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final, TypeAlias

from attrs import frozen

from benchmarks.edits.cases import Edit, File, Op
from benchmarks.edits.syntax import Statement, functions, parsed, statements

_WORD: Final = re.compile(r"[A-Za-z_]\w{2,}")
_NEW_WORDS: Final = (
    *("limit", "cached", "strict", "total", "retries", "owner", "default", "pending"),
    *("verbose", "offset", "result", "timeout", "source", "marker", "budget", "chunk"),
)
_MODULES: Final = (
    *("import logging", "import textwrap", "from pathlib import Path", "import shutil"),
    *(
        "from typing import Any",
        "import contextlib",
        "import dataclasses",
        "import uuid",
    ),
)
_PARAMETERS: Final = ("verbose=False", "*, strict=True", "timeout=None", "retries=3")
# No names: words of the languages, which nobody renames.
KEYWORDS: Final = frozenset(
    (
        *(*keyword.kwlist, *keyword.softkwlist, "self", "cls"),
        *("ifndef", "ifdef", "endif", "define", "include", "elif", "undef", "error"),
        *(
            "int",
            "char",
            "void",
            "const",
            "static",
            "struct",
            "enum",
            "typedef",
            "long",
        ),
        *(
            "unsigned",
            "extern",
            "switch",
            "default",
            "double",
            "float",
            "union",
            "short",
        ),
        *("case", "goto", "sizeof", "inline", "then", "esac", "done", "echo", "local"),
        *("export", "function", "true", "false", "null", "var", "let", "public", "end"),
    )
)
_ATTEMPTS: Final = 12
# One change in so many need not parse: code is handed over before it is finished.
_UNFINISHED: Final = 12


def make_edit(file: File, rng: random.Random) -> Edit | None:
    """Return one change of a file; ``None`` where the attempts led to none."""
    python = file.language == "python" and functions(file)
    kinds = [*_ANY, *_PYTHON] if python else list(_ANY)
    may_break = rng.randrange(_UNFINISHED) == 0
    for _ in range(_ATTEMPTS):
        kind = rng.choice(kinds)
        made = kind.make(file, rng)
        if made is None:
            continue
        ops = normalised(file.lines, made)
        edit = Edit(kind.name, file, ops)
        if not ops or _blank_edges(edit.changed_lines) > _blank_edges(file.lines):
            continue
        if may_break or not python or parsed(edit.changed):
            return edit
    return None


def _blank_edges(lines: Sequence[str]) -> int:
    """Return how many edges of a text are blank lines: nobody leaves one behind."""
    return sum(not line.strip() for line in (*lines[:1], *lines[-1:])) if lines else 2


def normalised(lines: Sequence[str], ops: Sequence[Op]) -> tuple[Op, ...]:
    """Return changes without the lines that stay; none where two overlap."""
    found: list[Op] = []
    for op in sorted(ops, key=lambda op: (op.start, op.end)):
        old = lines[op.start : op.end]
        matcher = SequenceMatcher(None, old, op.new, autojunk=False)
        found += [
            Op(op.start + a, op.start + b, tuple(op.new[c:d]))
            for tag, a, b, c, d in matcher.get_opcodes()
            if tag != "equal"
        ]
    if any(later.start <= earlier.end for earlier, later in pairwise(found)):
        return ()
    return tuple(found)


def altered(line: str, rng: random.Random, words: Sequence[str] = _NEW_WORDS) -> str:
    """Return a line with one or two of its names changed."""
    found = [m for m in _WORD.finditer(line) if m[0] not in KEYWORDS]
    rng.shuffle(found)
    chosen = sorted(found[: rng.choice((1, 1, 2))], key=lambda m: -m.start())
    for match in chosen:
        word = rng.choice(words)
        name = rng.choice((f"{match[0]}_{word}", f"{word}_{match[0]}", word))
        line = line[: match.start()] + name + line[match.end() :]
    return line


def _new_lines(file: File, at: Statement, rng: random.Random) -> tuple[str, ...]:
    """Return lines like those of the file, made for a place."""
    simple = [each for each in statements(file) if each.simple]
    if not simple:
        return ()
    new: list[str] = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        like = rng.choice(simple)
        same = rng.randrange(8) == 0
        for line in file.lines[like.start : like.end]:
            text = line.removeprefix(like.indent)
            if text.strip():
                text = at.indent + (text if same else altered(text, rng))
            new.append(text)
    return tuple(new)


def _insert(file: File, rng: random.Random) -> list[Op] | None:
    found = statements(file)
    if not found:
        return None
    at = rng.choice(found)
    place = rng.choice((at.start, at.end))
    new = _new_lines(file, at, rng)
    if rng.randrange(4) == 0:
        new = ("", *new) if place == at.end else (*new, "")
    return [Op(place, place, new)] if any(new) else None


def _delete(file: File, rng: random.Random) -> list[Op] | None:
    found = statements(file)
    if not found:
        return None
    at = rng.choice(found)
    end = at.end
    if end < len(file.lines) and not file.lines[end].strip() and rng.randrange(3) == 0:
        end += 1
    return [Op(at.start, end, ())]


def _replace(file: File, rng: random.Random) -> list[Op] | None:
    found = statements(file)
    if not found:
        return None
    at = rng.choice(found)
    if rng.randrange(3) == 0:
        return [Op(at.start, at.end, _new_lines(file, at, rng))]
    new = list(file.lines[at.start : at.end])
    which = rng.randrange(len(new))
    new[which] = altered(new[which], rng)
    if rng.randrange(4) == 0:
        new += _new_lines(file, at, rng)
    return [Op(at.start, at.end, tuple(new))]


def _move(file: File, rng: random.Random) -> list[Op] | None:
    found = statements(file)
    if len(found) < 3:  # noqa: PLR2004 - one to move, one to move it to, one between
        return None
    one = rng.choice(found)
    near = [
        each
        for each in found
        if each.indent == one.indent and 1 < abs(each.start - one.start) < 60  # noqa: PLR2004
    ]
    if not near:
        return None
    other = rng.choice(near)
    if one.start <= other.start <= one.end or other.start <= one.start <= other.end:
        return None
    lines = file.lines[one.start : one.end]
    return [Op(one.start, one.end, ()), Op(other.start, other.start, lines)]


def _rename(file: File, rng: random.Random) -> list[Op] | None:
    counts = Counter(word for word in _WORD.findall(file.text) if word not in KEYWORDS)
    few = sorted(word for word, count in counts.items() if 2 <= count <= 8)  # noqa: PLR2004
    if not few:
        return None
    name = rng.choice(few)
    pattern = re.compile(rf"\b{name}\b")
    new = f"{name}_{rng.choice(_NEW_WORDS)}"
    return [
        Op(at, at + 1, (pattern.sub(new, line),))
        for at, line in enumerate(file.lines)
        if pattern.search(line)
    ]


def _several(file: File, rng: random.Random) -> list[Op] | None:
    ops: list[Op] = []
    for _ in range(rng.choice((2, 2, 3, 4))):
        ops += rng.choice((_insert, _delete, _replace))(file, rng) or ()
    return ops


def _signature(file: File, rng: random.Random) -> list[Op] | None:
    found = [each for each in functions(file) if not each.is_class]
    if not found:
        return None
    at = rng.choice(found)
    line = file.lines[at.defined]
    if not line.endswith("):"):
        return None
    head = line[:-2]
    if rng.randrange(3) == 0:
        changed = f"{line[:-1]} -> None:"
    elif "*" in head:
        changed = f"{head}):" if head.endswith(",") else f"{head}, **options):"
    else:
        sep = "" if head.endswith("(") else ", "
        changed = f"{head}{sep}{rng.choice(_PARAMETERS)}):"
    ops = [Op(at.defined, at.defined + 1, (changed,))]
    if rng.randrange(2):
        inside = [s for s in statements(file) if at.body <= s.start < at.end]
        if inside:
            place = rng.choice(inside)
            new = list(file.lines[place.start : place.end])
            new[-1] = altered(new[-1], rng)
            ops.append(Op(place.start, place.end, tuple(new)))
    return ops


def _import(file: File, rng: random.Random) -> list[Op] | None:
    found = [
        at
        for at, line in enumerate(file.lines)
        if line.startswith(("import ", "from "))
        and "(" not in line
        and "\\" not in line
    ]
    new = rng.choice(_MODULES)
    if not found or new in file.lines:
        return None
    at = rng.choice(found) + rng.choice((0, 1))
    return [Op(at, at, (new,))]


def _function(file: File, rng: random.Random) -> list[Op] | None:
    found = [e for e in functions(file) if not e.is_class and e.end - e.start < 25]  # noqa: PLR2004
    if not found:
        return None
    like, after = rng.choice(found), rng.choice(found)
    new = list(file.lines[like.start : like.end])
    at = like.defined - like.start
    new[at] = re.sub(
        rf"\b{like.name}\b", f"{like.name}_{rng.choice(_NEW_WORDS)}", new[at]
    )
    new = [
        after.indent + line.removeprefix(like.indent) if line.strip() else line
        for line in new
    ]
    which = rng.randrange(len(new))
    if which != at:
        new[which] = altered(new[which], rng)
    space = [""] if after.indent else ["", ""]
    return [Op(after.end, after.end, tuple(space + new))]


_Make: TypeAlias = Callable[[File, random.Random], list[Op] | None]


@frozen
class _Kind:
    """A kind of change and what makes one."""

    name: str
    make: _Make


_ANY: Final = (
    _Kind("insert", _insert),
    _Kind("delete", _delete),
    _Kind("replace", _replace),
    _Kind("move", _move),
    _Kind("rename", _rename),
    _Kind("several", _several),
)
_PYTHON: Final = (
    _Kind("signature", _signature),
    _Kind("import", _import),
    _Kind("function", _function),
)
