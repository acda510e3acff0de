"""Give the lines of an answer the indentation of the code that they replace."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.lines import is_distinctive

_MARGIN: Final = re.compile(r"(?:async )?def |class |@\w")
_USUAL: Final = 4
_WIDEST: Final = 8
_WIDTHS: Final = (4, 2, 8, 3)
# Signs at the end of a line that opens a block.
_OPENERS: Final = (":", "{", "(", "[", "=>", "do", "then")


def indent_of(line: str) -> str:
    """Return the blanks and tabs that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def common_indent(lines: Sequence[str]) -> str:
    """Return what all lines that are not blank begin with."""
    indents = [indent_of(line) for line in lines if line.strip()]
    if not indents:
        return ""
    low, high = min(indents), max(indents)
    same = next((at for at, sign in enumerate(low) if high[at] != sign), len(low))
    return low[:same]


def unit_of(lines: Sequence[str]) -> int:
    """Return by how many blanks these lines are mostly indented."""
    depths = [len(indent_of(line)) for line in lines if line.strip()]
    steps = Counter(
        later - earlier for earlier, later in pairwise(depths) if later > earlier
    )
    likely = [step for step, _ in steps.most_common(1) if 1 < step <= _WIDEST]
    return likely[0] if likely else _USUAL


def with_tabs_of(lines: Sequence[str], model: Sequence[str]) -> list[str]:
    """Return ``lines`` indented by tabs where all of ``model`` is, or by blanks.

    Nothing is changed where ``model`` has both, or nothing indented. The width of a tab
    is the one by which most lines are found in ``model``.
    """
    wanted = {indent_of(line)[:1] for line in model if line.strip()} - {""}
    signs = {sign for line in model if line.strip() for sign in indent_of(line)}
    sign = next(iter(wanted), "")
    other = "\t" if sign == " " else " "
    begun = {indent_of(line)[:1] for line in lines if line.strip()}
    if len(wanted) != 1 or (sign == " " and len(signs) > 1) or other not in begun:
        return list(lines)
    known = set(model)
    best: list[str] = []
    most = -1
    for width in dict.fromkeys((unit_of(model if sign == " " else lines), *_WIDTHS)):
        unit = " " * width
        made = [
            _respaced(line, "\t", unit) if sign == " " else _respaced(line, unit, "\t")
            for line in lines
        ]
        found = sum(line in known for line in made)
        if found > most:
            best, most = made, found
    return best


def _respaced(line: str, old: str, new: str) -> str:
    indent = indent_of(line)
    return indent.replace(old, new) + line[len(indent) :]


def shifted(lines: Sequence[str], region: Sequence[str]) -> list[str]:
    """Return ``lines`` moved as a block to where they stand in ``region``.

    What both have shows by how much: all lines are moved, or the first alone, which
    models write without its indentation. Where they share no line, the first line of
    the region and the least indented one tell.
    """
    filled = [at for at, line in enumerate(lines) if line.strip()]
    if not filled:
        return list(lines)
    first = filled[0]
    bare = [line.strip() for line in lines]
    seen: list[tuple[int, str, str]] = []
    stays = False
    for place, at in aligned([line.strip() for line in region], bare):
        there, here = indent_of(region[place]), indent_of(lines[at])
        # One line that stays tells as much as a thousand.
        if stays and there == here and at != first:
            continue
        if is_distinctive(lines[at]):
            seen.append((at, there, here))
            stays = stays or (there == here and at != first)
    rest = [(there, here) for at, there, here in seen if at != first]
    own = indent_of(lines[first])
    lead = indent_of(next((line for line in region if line.strip()), ""))
    if rest and all(there == here for there, here in rest):
        # The first line may have lost its blanks, and be changed besides.
        told = [there for at, there, _ in seen if at == first]
        if told:
            return _with_first(lines, first, told[0])
        lost = not own and lead and lead == common_indent(region)
        return _with_first(lines, first, lead) if lost else list(lines)
    moves = {(there, here) for _, there, here in seen}
    begins = any(
        _MARGIN.match(line) and not lines[at - 1].strip() and not lines[at - 2].strip()
        for at, line in enumerate(lines)
        if at > first + 1
    )
    # A definition at the margin below two blank lines stands where it should.
    if not rest and begins and moves:
        return _with_first(lines, first, seen[0][1])
    if moves:
        return _moved(lines, moves)
    if own or not lead or lead != common_indent(region):
        return list(lines)
    below = next((lines[at] for at in filled[1:]), None)
    step = 0 if below is None else len(indent_of(below).expandtabs(_USUAL))
    depth = len(lead.expandtabs(_USUAL))
    opens = lines[first].rstrip().endswith(_OPENERS)
    # Deeper than one step below a first line at the margin: that lost its blanks.
    unit = max(1, unit_of(region) if " " in lead else _USUAL)
    if below is not None and step >= depth + (unit if opens else 0):
        return _with_first(lines, first, lead)
    return [lead + line if line.strip() else line for line in lines]


def _with_first(lines: Sequence[str], first: int, indent: str) -> list[str]:
    changed = list(lines)
    changed[first] = indent + changed[first].lstrip(" \t")
    return changed


def _moved(lines: Sequence[str], moves: set[tuple[str, str]]) -> list[str]:
    """Return lines shifted by the one amount that all ``moves`` have, if they do."""
    put = {
        there[: len(there) - len(here)] if there.endswith(here) else None
        for there, here in moves
    }
    if len(put) == 1 and (added := next(iter(put))) is not None:
        return [added + line if line.strip() else line for line in lines]
    cut = {
        here[: len(here) - len(there)] if here.endswith(there) else None
        for there, here in moves
    }
    taken = next(iter(cut)) if len(cut) == 1 else None
    if taken is None or any(
        line.strip() and not line.startswith(taken) for line in lines
    ):
        return list(lines)
    return [line.removeprefix(taken) if line.strip() else line for line in lines]
