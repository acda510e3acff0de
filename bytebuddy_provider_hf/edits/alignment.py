"""Which lines of two texts are the same, in order: patience first, then difflib."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, TypeAlias

from attrs import frozen

# difflib is cubic at worst: above so many pairs only unique lines align a gap.
_MOST_PAIRS: Final = 10_000
_MOST_ROUNDS: Final = 24

Pair: TypeAlias = tuple[int, int]


@frozen
class _Gap:
    """Lines ``a`` to ``a_end`` of one text, ``b`` to ``b_end`` of the other."""

    a: int
    a_end: int
    b: int
    b_end: int


def aligned(before: Sequence[str], after: Sequence[str]) -> list[Pair]:
    """Return pairs of places of equal lines, rising in both texts.

    In nearly linear time, whatever the texts; so the list need not be the longest.
    """
    found: list[Pair] = []
    gaps = [_Gap(0, len(before), 0, len(after))]
    for _ in range(_MOST_ROUNDS):
        wider: list[_Gap] = []
        for gap in gaps:
            wider += _narrowed(before, after, gap, found)
        gaps = wider
        if not gaps:
            break
    return sorted(found)


def _narrowed(
    before: Sequence[str], after: Sequence[str], gap: _Gap, found: list[Pair]
) -> list[_Gap]:
    """Add the pairs that are certain in a gap; return the gaps between them."""
    a, a_end, b, b_end = gap.a, gap.a_end, gap.b, gap.b_end
    while a < a_end and b < b_end and before[a] == after[b]:
        found.append((a, b))
        a, b = a + 1, b + 1
    while a < a_end and b < b_end and before[a_end - 1] == after[b_end - 1]:
        a_end, b_end = a_end - 1, b_end - 1
        found.append((a_end, b_end))
    if a == a_end or b == b_end:
        return []
    if (a_end - a) * (b_end - b) <= _MOST_PAIRS:
        found += _by_difflib(before, after, _Gap(a, a_end, b, b_end))
        return []
    anchors = _rising(_unique(before, after, _Gap(a, a_end, b, b_end)))
    if not anchors:
        return []
    found += anchors
    starts = [(a, b), *((i + 1, j + 1) for i, j in anchors)]
    return [
        _Gap(start[0], end[0], start[1], end[1])
        for start, end in zip(starts, [*anchors, (a_end, b_end)], strict=True)
    ]


def _by_difflib(
    before: Sequence[str], after: Sequence[str], gap: _Gap
) -> Iterator[Pair]:
    matcher = SequenceMatcher(
        None, before[gap.a : gap.a_end], after[gap.b : gap.b_end], autojunk=False
    )
    for block in matcher.get_matching_blocks():
        for at in range(block.size):
            yield gap.a + block.a + at, gap.b + block.b + at


def _unique(before: Sequence[str], after: Sequence[str], gap: _Gap) -> list[Pair]:
    """Return the places of lines that stand once on either side, in order of one."""
    here = Counter(before[gap.a : gap.a_end])
    there = Counter(after[gap.b : gap.b_end])
    places = {after[at]: at for at in range(gap.b, gap.b_end) if there[after[at]] == 1}
    return [
        (at, places[before[at]])
        for at in range(gap.a, gap.a_end)
        if here[before[at]] == 1 and before[at] in places
    ]


def _rising(pairs: list[Pair]) -> list[Pair]:
    """Return the longest part of ``pairs`` that rises in the second text too."""
    ends: list[int] = []
    last: list[int] = []
    back: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        back.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [number]
    chosen: list[Pair] = []
    at = last[-1] if last else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = back[at]
    return chosen[::-1]
