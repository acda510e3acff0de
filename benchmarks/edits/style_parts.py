"""Render changes as parts of the file, with comments that stand for the rest."""

from __future__ import annotations

import random
from functools import partial
from itertools import pairwise
from typing import Final, Literal

from benchmarks.edits.cases import Edit, Line, Suggestion
from benchmarks.edits.styles import (
    Group,
    Render,
    Style,
    comment,
    fenced,
    grouped,
    side,
)
from bytebuddy_provider_hf.edits.lines import is_distinctive

_USUAL: Final = "... existing code ..."


def part_lines(edit: Edit, groups: list[Group], marker: str) -> list[Line]:
    """Return groups with a marker for what is between, before and after them."""
    lines: list[Line] = []
    file = edit.file
    for at, group in enumerate(groups):
        inside = side(edit, group, at, new=True)
        first = next((n for n, line in enumerate(inside) if line.role == "new"), 0)
        # What the changes leave of the group is context; the outermost are edges.
        if inside and inside[0].role == "context" and group.start > 0:
            inside[0] = Line(inside[0].text, "edge", "", at)
        if inside and inside[-1].role == "context" and group.end < len(file.lines):
            inside[-1] = Line(inside[-1].text, "edge", "", at)
        where = inside[first].text if inside else ""
        space = where[: len(where) - len(where.lstrip())]
        if group.start > 0:
            lines.append(Line(f"{space}{marker}", "marker", "", at))
        lines += inside
    if groups[-1].end < len(file.lines):
        lines.append(Line(marker, "marker", "", len(groups) - 1))
    return lines


def part_unclear(edit: Edit, group: Group) -> bool:
    """Whether a person could not tell for sure which lines a part replaces."""
    lines = edit.file.lines
    first, last = group.ops[0], group.ops[-1]
    runs = []
    # At an edge of the file, lines that go leave nothing behind that says so.
    if first.start == 0 < first.end or last.start < last.end == len(lines):
        return True
    if group.start > 0:
        runs.append(lines[group.start : first.start])
    if group.end < len(lines):
        runs.append(lines[last.end : group.end])
    for run in runs:
        if not any(map(is_distinctive, run)) or edit.file.places(run) != 1:
            return True
    # A new line that the file has nearby could be that line, and what is between gone.
    near = {
        line.strip()
        for line in lines[max(0, group.start - 30) : group.end + 30]
        if is_distinctive(line)
    }
    return any(text.strip() in near for op in group.ops for text in op.new)


def hides(edit: Edit, group: Group) -> bool:
    """Whether a part would not show at all that lines go.

    Between them and the marker stand blank lines only: who reads the part sees lines of
    the file, blank lines and a marker, as if nothing had changed there.
    """
    lines = edit.file.lines
    first, last = group.ops[0], group.ops[-1]
    before, after = lines[group.start : first.start], lines[last.end : group.end]
    return any(
        op.end > op.start and edge and not any(line.strip() for line in run)
        for op, edge, run in (
            (first, group.start > 0, before),
            (last, group.end < len(lines), after),
        )
    )


def _part(
    edit: Edit,
    rng: random.Random,
    *,
    context: int = 2,
    said: str = _USUAL,
    bare: bool = False,
    sign: str = "",
    wrap: Literal["fence", "none", "each", "path"] = "fence",
) -> Suggestion | None:
    del rng
    # Markers stand where at least two lines are left out.
    groups = _joined(grouped(edit, context), 2)
    if any(hides(edit, group) for group in groups):
        return None
    marker = said if bare else comment(edit.file, said)
    if sign:
        marker = sign.format(said)
    ambiguous = any(part_unclear(edit, group) for group in groups)
    if edit.file.language in ("json", "markdown", "text", "") and bare:
        ambiguous = True
    if wrap == "each":
        if len(groups) < 2:  # noqa: PLR2004 - more than one block
            return None
        lines: list[Line] = []
        for at, group in enumerate(groups):
            inside = part_lines(edit, [group], marker)
            inside = [Line(x.text, x.role, x.before, at) for x in inside]
            lines += [*fenced(edit.file, inside, group=at), Line("", "talk", "", at)]
        return Suggestion(tuple(lines[:-1]), ambiguous)
    lines = part_lines(edit, groups, marker)
    if wrap == "fence":
        lines = fenced(edit.file, lines)
    elif wrap == "path":
        lines = fenced(edit.file, lines, f"{edit.file.language}:{edit.file.path}")
    return Suggestion(tuple(lines), ambiguous)


def _joined(groups: list[Group], fewest: int) -> list[Group]:
    """Return groups with those joined between which fewer lines are left out."""
    found = groups[:1]
    for earlier, later in pairwise(groups):
        if later.start - earlier.end < fewest:
            last = found.pop()
            found.append(
                Group(last.start, later.end, last.ops + later.ops, last.new_start)
            )
        else:
            found.append(later)
    return found


def _p(name: str, render: Render, *, bound: bool = False) -> Style:
    return Style(f"part {name}", "part", render, bound)


# How models spell it, most as comments of the language.
MARKERS: Final = (
    "... existing code ...",
    "...existing code...",
    "... rest of the code ...",
    "... (rest of the code remains the same) ...",
    "... rest of the file remains unchanged ...",
    "... other methods ...",
    "... (unchanged) ...",
    "... previous code ...",
    "... existing imports and functions ...",
    "[... existing code ...]",
    "… existing code …",
    "...",
    "rest of the code remains the same",
    "... keep existing code ...",
    "... 其余代码保持不变 ...",
    "... 现有代码 ...",
)

STYLES: Final = (
    *(
        _p(f"2 lines, {said!r}", partial(_part, said=said), bound=True)
        for said in MARKERS
    ),
    _p("2 lines, no fence", partial(_part, wrap="none"), bound=True),
    _p("2 lines, path in the fence", partial(_part, wrap="path"), bound=True),
    # Models take the comment of another language, too.
    *(
        _p(f"2 lines, {sign!r}", partial(_part, sign=sign))
        for sign in ("// {}", "/* {} */", "<!-- {} -->", "-- {}")
    ),
    _p("2 lines, bare dots", partial(_part, said="...", bare=True)),
    _p("2 lines, bare words", partial(_part, bare=True)),
    _p("3 lines", partial(_part, context=3)),
    _p("3 lines, no fence", partial(_part, context=3, wrap="none")),
    _p("5 lines", partial(_part, context=5)),
    _p("1 line", partial(_part, context=1)),
    _p("1 line, no fence", partial(_part, context=1, wrap="none")),
    _p("2 lines, a fence each", partial(_part, wrap="each")),
    _p("3 lines, a fence each", partial(_part, context=3, wrap="each")),
)
