"""Render changes as code: the whole file, numbered lines, one function, several."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

from benchmarks.edits.cases import Edit, Line, Suggestion, code
from benchmarks.edits.style_blocks import innermost
from benchmarks.edits.style_parts import part_lines, part_unclear
from benchmarks.edits.styles import (
    Render,
    Style,
    comment,
    fenced,
    grouped,
    signed,
    unclear,
)
from benchmarks.edits.syntax import Function, functions

_FEWEST_ELIDED: Final = 12


def _whole(
    edit: Edit,
    rng: random.Random,
    *,
    wrap: Literal[
        "fence", "none", "path", "name", "tilde", "four", "no info"
    ] = "fence",
) -> Suggestion | None:
    del rng
    lines = _changed(edit, 0, len(edit.file.lines), 0)
    file = edit.file
    if wrap == "tilde":
        if any(line.text.startswith("~~~") for line in lines):
            return None
        lines = [Line(f"~~~{file.language}", "open"), *lines, Line("~~~", "close")]
    elif wrap == "four":
        fence = fenced(file, lines)[-1].text + "`"
        lines = [Line(fence + file.language, "open"), *lines, Line(fence, "close")]
    elif wrap == "no info":
        lines = fenced(file, lines, "")
    elif wrap == "path":
        lines = fenced(file, lines, f"{file.language or 'text'} {file.path}")
    elif wrap != "none":
        lines = fenced(file, lines)
        if wrap == "name":
            lines = [Line(file.path, "sign"), *lines]
    return Suggestion(tuple(lines))


def _changed(edit: Edit, start: int, end: int, group: int) -> list[Line]:
    """Return lines of the file as they become, each with its role."""
    lines, done, found = edit.file.lines, start, []
    for op in edit.ops:
        if op.start < start or op.end > end:
            continue
        found += code(lines[done : op.start], "context", "", group)
        found += code(op.new, "new", "", group)
        done = op.end
    return [*found, *code(lines[done:end], "context", "", group)]


def _function(
    edit: Edit,
    rng: random.Random,
    *,
    outdented: bool = False,
    fence: bool = True,
    elided: bool = False,
    in_class: bool = False,
) -> Suggestion | None:
    del rng
    around = innermost(edit)
    if around is None or around.is_class or (outdented and not around.indent):
        return None
    lines = _changed(edit, around.start, around.end, 0)
    if elided:
        shortened = _elided(edit, around)
        if shortened is None:
            return None
        lines = shortened
    ambiguous = _function_unclear(edit, around)
    if in_class:
        owner = _owner(edit, around)
        if owner is None:
            return None
        marker = comment(edit.file, "... existing code ...")
        mark = Line(around.indent + marker, "marker")
        lines = [Line(edit.file.lines[owner.defined], "edge"), mark, *lines, mark]
        ambiguous = edit.file.places([edit.file.lines[owner.defined]]) != 1
    if outdented:
        cut = len(around.indent)
        if any(x.text[:cut].strip() for x in lines):
            return None
        lines = [Line(x.text[cut:], x.role, x.before, x.group) for x in lines]
    return Suggestion(tuple(fenced(edit.file, lines) if fence else lines), ambiguous)


def _function_unclear(edit: Edit, around: Function) -> bool:
    named = [each for each in functions(edit.file) if each.name == around.name]
    head = edit.changed_lines
    # With another name it could be a function beside the old one.
    kept = any(line.split("(")[0].endswith(f" {around.name}") for line in head)
    return len(named) != 1 or not kept


def _owner(edit: Edit, around: Function) -> Function | None:
    owners = [
        each
        for each in functions(edit.file)
        if each.is_class and each.start < around.start and around.end <= each.end
    ]
    found = max(owners, key=lambda each: each.start, default=None)
    direct = found is not None and len(found.indent) + 4 == len(around.indent)
    return found if direct else None


def _elided(edit: Edit, around: Function) -> list[Line] | None:
    """Return a function with its head, its change, its last line; the rest elided."""
    if around.end - around.start < _FEWEST_ELIDED:
        return None
    groups = grouped(edit, 2)
    first, last = groups[0].start, groups[-1].end
    head = range(around.start, around.defined + 1)
    if first <= head.stop + 1 or last >= around.end - 2:
        return None
    if any(part_unclear(edit, group) for group in groups):
        return None
    body = edit.file.lines[around.body]
    space = body[: len(body) - len(body.lstrip())]
    marker = space + comment(edit.file, "... existing code ...")
    lines = code([edit.file.lines[at] for at in head], "context")
    inside = part_lines(edit, groups, marker.strip())
    lines += [
        Line(marker, x.role, x.before) if x.role == "marker" else x for x in inside
    ]
    return [*lines, Line(edit.file.lines[around.end - 1], "edge")]


def _numbered(
    edit: Edit,
    rng: random.Random,
    *,
    form: str = "{}: ",
    scope: Literal["file", "function", "context"] = "file",
    fence: bool = True,
) -> Suggestion | None:
    del rng
    start, end, ambiguous = 0, len(edit.file.lines), False
    if scope == "function":
        around = innermost(edit)
        if around is None or around.is_class:
            return None
        start, end = around.start, around.end
        ambiguous = _function_unclear(edit, around)
    elif scope == "context":
        groups = grouped(edit, 3)
        if len(groups) != 1:
            return None
        start, end = groups[0].start, groups[0].end
        ambiguous = part_unclear(edit, groups[0])
    lines = [
        Line(line.text, line.role, form.format(at), line.group)
        for at, line in enumerate(_changed(edit, start, end, 0), start + 1)
    ]
    shown = fenced(edit.file, lines) if fence else lines
    # Numbers tell where a part begins, not how much of the file it is for.
    return Suggestion(tuple(shown), ambiguous, numbered=scope != "context")


def _several(
    edit: Edit,
    rng: random.Random,
    *,
    what: Literal["functions", "one fence", "diffs", "talk"] = "functions",
) -> Suggestion | None:
    del rng
    if what in ("diffs", "talk"):
        return _diff_blocks(edit, talk=what == "talk")
    if len(edit.ops) < 2:  # noqa: PLR2004 - more than one block
        return None
    blocks: dict[int, Function] = {}
    for op in edit.ops:
        around = innermost(Edit(edit.kind, edit.file, (op,)))
        if around is None or around.is_class or _function_unclear(edit, around):
            return None
        blocks[around.start] = around
    found = [blocks[start] for start in sorted(blocks)]
    if len(found) < 2 or _nested(found):  # noqa: PLR2004 - as above
        return None
    lines: list[Line] = []
    for at, each in enumerate(found):
        block = _changed(edit, each.start, each.end, at)
        if what == "functions":
            lines += [*fenced(edit.file, block, group=at), Line("", "talk", "", at)]
        else:
            lines += [*block, Line("", "talk", "", at)]
    lines.pop()
    if what == "one fence":
        lines = fenced(edit.file, lines)
    return Suggestion(tuple(lines))


def _nested(found: Sequence[Function]) -> bool:
    ends = 0
    for each in found:
        if each.start < ends:
            return True
        ends = each.end
    return False


def _diff_blocks(edit: Edit, *, talk: bool) -> Suggestion | None:
    groups = grouped(edit, 3)
    if len(groups) < 2:  # noqa: PLR2004 - more than one block
        return None
    lines: list[Line] = []
    for at, group in enumerate(groups):
        if talk:
            lines += [Line(f"{at + 1}. Update this part:", "talk"), Line("", "talk")]
        block = [Line("@@", "header", "", at), *signed(edit, group, at)]
        lines += [*fenced(edit.file, block, "diff", at), Line("", "talk", "", at)]
    lines.pop()
    return Suggestion(tuple(lines), any(unclear(edit, group) for group in groups))


def _w(name: str, render: Render) -> Style:
    return Style(f"whole {name}", "whole", render, bound=True)


def _f(name: str, render: Render) -> Style:
    return Style(f"function {name}", "function", render)


def _n(name: str, render: Render) -> Style:
    return Style(f"numbered {name}", "numbered", render)


def _m(name: str, render: Render) -> Style:
    return Style(f"several {name}", "several", render)


STYLES: Final = (
    _w("fenced", _whole),
    _w("bare", partial(_whole, wrap="none")),
    _w("path in the fence", partial(_whole, wrap="path")),
    _w("name above the fence", partial(_whole, wrap="name")),
    _w("tildes", partial(_whole, wrap="tilde")),
    _w("longer fence", partial(_whole, wrap="four")),
    _w("fence without language", partial(_whole, wrap="no info")),
    _f("fenced", _function),
    _f("bare", partial(_function, fence=False)),
    _f("outdented", partial(_function, outdented=True)),
    _f("outdented, bare", partial(_function, outdented=True, fence=False)),
    _f("middle elided", partial(_function, elided=True)),
    _f("middle elided, outdented", partial(_function, elided=True, outdented=True)),
    _f("in its class", partial(_function, in_class=True)),
    _n("12: file", _numbered),
    _n("12 | file", partial(_numbered, form="{} | ")),
    _n("cat -n file", partial(_numbered, form="{:6}\t")),
    _n("arrow file", partial(_numbered, form="{:6}→")),
    _n("12: function", partial(_numbered, scope="function")),
    _n("12 | function", partial(_numbered, form="{:4} | ", scope="function")),
    _n("cat -n function", partial(_numbered, form="{:6}\t", scope="function")),
    _n("12: context", partial(_numbered, scope="context")),
    _n("12 | context", partial(_numbered, form="{} | ", scope="context")),
    _n(
        "cat -n context, bare",
        partial(_numbered, form="{:6}\t", scope="context", fence=False),
    ),
    _m("functions, a fence each", _several),
    _m("functions, one fence", partial(_several, what="one fence")),
    _m("hunks, a fence each", partial(_several, what="diffs")),
    _m("hunks, a fence each and talk", partial(_several, what="talk")),
)
