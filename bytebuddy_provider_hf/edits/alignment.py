"""Align the equal lines of two texts, in order: patience first, then difflib."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, TypeAlias

# difflib is cubic at worst: above so many pairs only unique lines align a gap.
_MOST_PAIRS: Final = 10_000
# Each round aligns the unique lines of the gaps that the one before it left.
_MOST_ROUNDS: Final = 24

Pair: TypeAlias = tuple[int, int]
# Lines ``a`` to ``a_end`` of one text, ``b`` to ``b_end`` of the other.
_Gap: TypeAlias = tuple[int, int, int, int]


def aligned(before: Sequence[str], after: Sequence[str]) -> list[Pair]:
    """Return pairs of places of equal lines, rising in both texts.

    In nearly linear time, whatever the texts; so the list need not be the longest.
    """
    found: list[Pair] = []
    gaps: list[_Gap] = [(0, len(before), 0, len(after))]
    for _ in range(_MOST_ROUNDS):
        inner: list[_Gap] = []
        for gap in gaps:
            a, a_end, b, b_end = gap
            # Equal lines at both edges are certain, and most edits touch few lines.
            while a < a_end and b < b_end and before[a] == after[b]:
                found.append((a, b))
                a, b = a + 1, b + 1
            while a < a_end and b < b_end and before[a_end - 1] == after[b_end - 1]:
                a_end, b_end = a_end - 1, b_end - 1
                found.append((a_end, b_end))
            if a == a_end or b == b_end:
                continue
            if (a_end - a) * (b_end - b) <= _MOST_PAIRS:
                # Its junk heuristic would leave out lines that stand in many places.
                matcher = SequenceMatcher(
                    None, before[a:a_end], after[b:b_end], autojunk=False
                )
                for i, j, size in matcher.get_matching_blocks():
                    found += ((a + i + at, b + j + at) for at in range(size))
                continue
            anchors = _anchors(before, after, (a, a_end, b, b_end))
            if anchors:
                found += anchors
                starts = [(a, b), *((i + 1, j + 1) for i, j in anchors)]
                ends = [*anchors, (a_end, b_end)]
                inner += (
                    (i, i_end, j, j_end)
                    for (i, j), (i_end, j_end) in zip(starts, ends, strict=True)
                )
        gaps = inner
        if not gaps:
            break
    return sorted(found)


def changes(
    before: Sequence[str], after: Sequence[str], pairs: Sequence[Pair]
) -> Iterator[_Gap]:
    """Yield what differs between aligned lines: ``before[a:a_end]`` and its new lines.

    Each is (a, a_end, b, b_end); with ``a == a_end`` lines were put in.
    """
    a = b = 0
    for i, j in [*pairs, (len(before), len(after))]:
        if i > a or j > b:
            yield a, i, b, j
        a, b = i + 1, j + 1


def _anchors(before: Sequence[str], after: Sequence[str], gap: _Gap) -> list[Pair]:
    """Return lines that stand once on either side, the most that rise in both.

    (Bram Cohen's patience diff; the longest rising part by patience sorting.)
    """
    a, a_end, b, b_end = gap
    here, there = Counter(before[a:a_end]), Counter(after[b:b_end])
    places = {after[at]: at for at in range(b, b_end) if there[after[at]] == 1}
    pairs = [
        (at, places[before[at]])
        for at in range(a, a_end)
        if here[before[at]] == 1 and before[at] in places
    ]
    # ``ends[n]`` is the lowest place where n + 1 rising pairs can end, ``last[n]`` is
    # the pair that ends there, ``back`` has the pair before each.
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
