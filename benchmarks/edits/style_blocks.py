"""Render changes as pairs of old and new: SEARCH/REPLACE, conflict markers, labels."""

from __future__ import annotations

import random
from functools import partial
from typing import Final, Literal

from benchmarks.edits.cases import Edit, Line, Suggestion, code
from benchmarks.edits.styles import (
    Group,
    Render,
    Style,
    comment,
    fenced,
    grouped,
    side,
    unclear,
)
from benchmarks.edits.syntax import Function, functions

_Wrap = Literal["none", "fence", "name above", "name inside", "each"]


def _search(
    edit: Edit,
    rng: random.Random,
    *,
    context: int = 2,
    opening: str = "<<<<<<< SEARCH",
    middle: str = "=======",
    closing: str = ">>>>>>> REPLACE",
    wrap: _Wrap = "fence",
    line_number: bool = False,
    title: str = "",
) -> Suggestion | None:
    del rng
    groups = grouped(edit, context)
    if any(group.start == group.end for group in groups):
        return None
    lines: list[Line] = []
    for at, group in enumerate(groups):
        block = [Line(opening, "sign", "", at)]
        if line_number:
            block.append(Line(f":start_line:{group.start + 1}", "header", "", at))
            block.append(Line("-------", "sign", "", at))
        block += side(edit, group, at, new=False)
        block.append(Line(middle, "sign", "", at))
        block += side(edit, group, at, new=True)
        block.append(Line(closing, "sign", "", at))
        if any(_looks_like_sign(line.text) for line in block if line.role != "sign"):
            return None
        if title:
            lines.append(Line(title.format(at + 1), "talk", "", at))
        if wrap == "each":
            lines += [*fenced(edit.file, block, group=at), Line("", "talk", "", at)]
        else:
            lines += block
            if at + 1 < len(groups):
                lines.append(Line("", "talk", "", at))
    if wrap == "each":
        lines.pop()
    elif wrap == "name inside":
        lines = fenced(edit.file, [Line(edit.file.path, "sign"), *lines])
    elif wrap != "none":
        lines = fenced(edit.file, lines)
        if wrap == "name above":
            lines = [Line(edit.file.path, "sign"), *lines]
    ambiguous = any(unclear(edit, group) for group in groups)
    return Suggestion(tuple(lines), ambiguous, numbered=line_number)


def _looks_like_sign(line: str) -> bool:
    return line.startswith(("<<<<<", "=====", ">>>>>", "|||||", "-----", "+++++"))


def innermost(edit: Edit) -> Function | None:
    """Return the smallest function that has all of an edit inside of it."""
    start, end = edit.ops[0].start, edit.ops[-1].end
    around = [
        each
        for each in functions(edit.file)
        if each.defined <= start
        and end <= each.end
        # What is put in at its edges could stand outside of it.
        and each.defined < start + (edit.ops[0].end > start)
        and edit.ops[-1].start < each.end
    ]
    return max(around, key=lambda each: each.start, default=None)


def _conflict(
    edit: Edit,
    rng: random.Random,
    *,
    scope: Literal["file", "function", "context"] = "file",
    base: bool = False,
    names: tuple[str, str] = ("HEAD", "suggested"),
    wrap: Literal["none", "fence"] = "fence",
) -> Suggestion | None:
    del rng
    lines = edit.file.lines
    start, end, ambiguous = 0, len(lines), False
    if scope == "function":
        around = innermost(edit)
        if around is None or around.is_class:
            return None
        start, end = around.start, around.end
        head = (lines[around.defined],)
        ambiguous = edit.file.places(head) != 1
    elif scope == "context":
        groups = grouped(edit, 3)
        if len(groups) > 1:
            return None
        start, end = groups[0].start, groups[0].end
        ambiguous = unclear(edit, groups[0])
    if any(_looks_like_sign(line) for line in lines[start:end]):
        return None
    found, done = [], start
    for op in edit.ops:
        found += code(lines[done : op.start], "context")
        old = code(lines[op.start : op.end], "old")
        found += [Line(f"<<<<<<< {names[0]}", "sign"), *old]
        if base:
            found += [Line("||||||| base", "sign"), *old]
        found += [Line("=======", "sign"), *code(op.new, "new")]
        found.append(Line(f">>>>>>> {names[1]}", "sign"))
        done = op.end
    found += code(lines[done:end], "context")
    if wrap == "fence":
        found = fenced(edit.file, found)
    return Suggestion(tuple(found), ambiguous)


def _pair(
    edit: Edit,
    rng: random.Random,
    *,
    labels: tuple[str, str],
    context: int = 2,
    comments: bool = False,
) -> Suggestion | None:
    del rng
    groups = grouped(edit, context)
    if any(group.start == group.end for group in groups):
        return None
    lines: list[Line] = []
    for at, group in enumerate(groups):
        for label, new in zip(labels, (False, True), strict=True):
            block = side(edit, group, at, new=new)
            if comments:
                said = comment(edit.file, label)
                block = [Line(said, "sign", "", at), *block]
            else:
                lines += [Line(label, "sign", "", at), Line("", "talk", "", at)]
            lines += [*fenced(edit.file, block, group=at), Line("", "talk", "", at)]
    lines.pop()
    return Suggestion(tuple(lines), _pair_unclear(edit, groups))


def _pair_unclear(edit: Edit, groups: list[Group]) -> bool:
    return any(unclear(edit, group) for group in groups)


def _s(name: str, render: Render) -> Style:
    return Style(f"search {name}", "search", render, bound=True)


def _x(name: str, render: Render) -> Style:
    return Style(f"conflict {name}", "conflict", render)


def _b(name: str, render: Render) -> Style:
    return Style(f"pair {name}", "pair", render)


_cline: Final = partial(_search, opening="------- SEARCH", closing="+++++++ REPLACE")
_six: Final = partial(
    _search, opening="<<<<<< SEARCH", middle="======", closing=">>>>>> REPLACE"
)
STYLES: Final = (
    _s("aider, name above the fence", partial(_search, wrap="name above")),
    _s("aider, name in the fence", partial(_search, wrap="name inside")),
    _s("fenced", _search),
    _s("bare", partial(_search, wrap="none")),
    _s("a fence each", partial(_search, wrap="each")),
    _s("no context", partial(_search, context=0)),
    _s("context 1", partial(_search, context=1)),
    _s("context 4", partial(_search, context=4)),
    _s("cline dashes", partial(_cline, wrap="none")),
    _s("cline dashes, fenced", _cline),
    _s("roo", partial(_search, wrap="none", line_number=True)),
    _s("roo, fenced", partial(_search, line_number=True)),
    _s("6 signs", _six),
    _s("6 signs, roo", partial(_six, line_number=True)),
    _s(
        "no blank in signs",
        partial(_search, opening="<<<<<<<SEARCH", closing=">>>>>>>REPLACE"),
    ),
    _s(
        "original/updated",
        partial(_search, opening="<<<<<<< ORIGINAL", closing=">>>>>>> UPDATED"),
    ),
    _s("numbered blocks", partial(_search, wrap="each", title="Change {}:")),
    _s("numbered blocks, bare", partial(_search, wrap="none", title="### Block {}")),
    _x("file, fenced", _conflict),
    _x("file, bare", partial(_conflict, wrap="none")),
    _x("file, other names", partial(_conflict, names=("current", "incoming"))),
    _x("file, diff3", partial(_conflict, base=True)),
    _x("function, fenced", partial(_conflict, scope="function")),
    _x("function, bare", partial(_conflict, scope="function", wrap="none")),
    _x("function, diff3", partial(_conflict, scope="function", base=True)),
    _x("3 lines of context", partial(_conflict, scope="context")),
    _b("before/after", partial(_pair, labels=("Before:", "After:"))),
    _b("**before**", partial(_pair, labels=("**Before:**", "**After:**"))),
    _b("old/new", partial(_pair, labels=("Old code:", "New code:"))),
    _b("headings", partial(_pair, labels=("### Original", "### Updated"))),
    _b("replace/with", partial(_pair, labels=("Replace this:", "with this:"))),
    _b("find", partial(_pair, labels=("Find this code:", "Replace it with:"))),
    _b("修改前/修改后", partial(_pair, labels=("修改前:", "修改后:"))),
    _b("原代码/新代码", partial(_pair, labels=("原代码:", "新代码:"))),
    _b("将/改为", partial(_pair, labels=("将以下代码:", "改为:"))),
    _b("comments", partial(_pair, labels=("Before", "After"), comments=True)),
)
