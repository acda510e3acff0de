"""Tell how the indentation of suggested lines differs from that of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import aligned

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
    return [shift.apply(line) or line for line in after]


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
