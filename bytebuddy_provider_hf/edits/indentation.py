"""Tell how the indentation of suggested lines differs from that of a text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.lines import is_distinctive

_USUAL: Final = 4
_WIDEST: Final = 8
# A definition of Python that stands at the margin.
_MARGIN: Final = re.compile(r"(?:async )?def |class |@\w")
# Signs at the end of a line that opens a block.
_OPENERS: Final = (":", "{", "(", "[", "=>", "do", "then")
# Widths of a tab that people use.
_WIDTHS: Final = (4, 2, 8, 3)


@frozen
class Shift:
    """A change of indentation, the same for every line of a block.

    ``cut`` goes from the front of a line and ``add`` comes there; with ``tab`` each
    leading tab becomes so many blanks, or so many blanks become a tab (negative).
    """

    cut: str = ""
    add: str = ""
    tab: int = 0

    def apply(self, line: str) -> str | None:
        """Return the line shifted; ``None`` where it lacks what would be cut."""
        if not line.strip():
            return line
        if self.tab:
            indent = indent_of(line)
            rest = line[len(indent) :]
            if self.tab > 0:
                return indent.replace("\t", " " * self.tab) + rest
            return indent.replace(" " * -self.tab, "\t") + rest
        if not line.startswith(self.cut):
            return None
        return self.add + line[len(self.cut) :]


NO_SHIFT: Final = Shift()


def indent_of(line: str) -> str:
    """Return the blanks that a line begins with."""
    return line[: len(line) - len(line.lstrip())]


def shift_between(stated: str, actual: str) -> Shift | None:
    """Return how a stated line became the actual one, which has the same words."""
    one, other = indent_of(stated), indent_of(actual)
    if one == other:
        return NO_SHIFT
    if "\t" in one and "\t" not in other:
        for width in _WIDTHS:
            if one.replace("\t", " " * width) == other:
                return Shift(tab=width)
    if "\t" in other and "\t" not in one:
        for width in _WIDTHS:
            if other.replace("\t", " " * width) == one:
                return Shift(tab=-width)
    if other.endswith(one):
        return Shift(add=other[: len(other) - len(one)])
    if one.endswith(other):
        return Shift(cut=one[: len(one) - len(other)])
    return None


def with_tabs_like(before: Sequence[str], after: Sequence[str]) -> list[str] | None:
    """Return ``after`` indented by tabs or by blanks as the same lines of ``before``.

    ``None`` where it is open how new lines are meant: the text has both.
    """
    signs = {sign for line in before for sign in indent_of(line)}
    odd = "\t" if "\t" not in signs else " " if " " not in signs else ""
    used = any(odd in indent_of(line) for line in after) if odd else True
    if not used:
        return list(after)
    words = [[" ".join(x.split()) for x in lines] for lines in (before, after)]
    pairs = aligned(*words)
    shifts = {
        shift
        for old, new in pairs
        if before[old].strip()
        and (shift := shift_between(after[new], before[old])) is not None
        and shift.tab
    }
    if not shifts:
        return list(after)
    if len(shifts) != 1 or not odd:
        return None
    shift = shifts.pop()
    # Another width is a shift of the whole block besides.
    if shift.tab > 0 and shift.tab != unit_of(before):
        return None
    return [shift.apply(line) or line for line in after]


def has_odd_tabs(before: Sequence[str], after: Sequence[str]) -> bool:
    """Return whether lines are indented by tabs in a text that had only blanks.

    A model that writes tabs for blanks does so in lines as well that show nowhere how
    the text has them.
    """
    signs = {indent_of(line)[:1] for line in before}
    if " " not in signs or "\t" in signs:
        return False
    return any(indent_of(line)[:1] == "\t" for line in after)


def common_shift(pairs: Sequence[tuple[str, str]]) -> Shift | None:
    """Return the one shift between all (stated, actual) lines; ``None`` if none is.

    Blank lines tell nothing. A shift by one blank is none: it may be the sign of a diff
    that a model left out.
    """
    found: set[Shift] = set()
    for stated, actual in pairs:
        if not stated.strip() or not actual.strip():
            continue
        shift = shift_between(stated, actual)
        if shift is None:
            return None
        found.add(shift)
    margin = any(
        stated.strip() and not stated[0].isspace() and not actual[:1].isspace()
        for stated, actual in pairs
    )
    tabs = {shift for shift in found if shift.tab}
    # At the margin tabs and blanks look alike.
    if tabs and margin:
        found.discard(NO_SHIFT)
    if len(found) != 1:
        return NO_SHIFT if not found else None
    shift = found.pop()
    return None if " " in (shift.add, shift.cut) else shift


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
        begins_alike = bare[first] == next((x.strip() for x in region if x.strip()), "")
        if told or begins_alike:
            return _with_first(lines, first, told[0] if told else lead)
        lost = not own and lead and lead == common_indent(region)
        return _with_first(lines, first, lead) if lost else list(lines)
    moves = {(there, here) for _, there, here in seen}
    begins = any(
        _MARGIN.match(line) and not lines[at - 1].strip() and not lines[at - 2].strip()
        for at, line in enumerate(lines)
        if at > first + 1
    )
    if moves:
        told_first = seen[0][1]
        # A definition at the margin below two blank lines stands where it should.
        alone = begins or _lost_its_blanks(lines, filled, region, told_first)
        if not rest and alone:
            return _with_first(lines, first, told_first)
        return _moved(lines, moves)
    if own or not lead or lead != common_indent(region):
        return list(lines)
    if _lost_its_blanks(lines, filled, region, lead):
        return _with_first(lines, first, lead)
    return [lead + line if line.strip() else line for line in lines]


def _lost_its_blanks(
    lines: Sequence[str], filled: Sequence[int], region: Sequence[str], indent: str
) -> bool:
    """Return whether the first line alone lacks ``indent``: the second is as deep."""
    first = lines[filled[0]]
    if indent_of(first) or not indent or len(filled) == 1:
        return False
    step = len(indent_of(lines[filled[1]]).expandtabs(_USUAL))
    opens = first.rstrip().endswith(_OPENERS)
    unit = max(1, unit_of(region) if " " in indent else _USUAL)
    return step >= len(indent.expandtabs(_USUAL)) + (unit if opens else 0)


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
