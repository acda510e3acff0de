"""Fit a hunk to lines that are not quite those it states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.edits.formats.hunks import Hunk, HunkLine
from bytebuddy_provider_hf.edits.indentation import Shift, common_shift
from bytebuddy_provider_hf.edits.lines import is_distinctive

# Lines round the guessed place that belong to the window.
_MARGIN: Final = 4
# A longer hunk is not fitted: the table has its length times that of the window.
_LONGEST_HUNK: Final = 400
_LONGEST_LINE: Final = 300
_LIKENESS: Final = 0.5
# What a line costs that is like its own, is blank, or has none on the other side.
_ALIKE: Final = 1.0
BLANK: Final = 0.2
_ALONE: Final = 1.5
NEVER: Final = float("inf")


@frozen
class NearFit:
    """A place for a hunk, which has there the context that the text really has."""

    start: int
    hunk: Hunk
    shift: Shift


def fit_nearly(texts: Sequence[str], hunk: Hunk, guess: int) -> NearFit | None:
    """Return how a hunk fits near ``guess``, with every line that it takes away.

    Of its context one line in four, at least one, may be wrong by some words, and blank
    lines do not count. Nothing is returned where it is open at which of two lines
    something is put in.
    """
    stated = [line for line in hunk.lines if line.old]
    if len(stated) > _LONGEST_HUNK:
        return None
    low = max(0, guess - _MARGIN)
    high = min(len(texts), guess + len(stated) + _MARGIN)

    def price(number: int, text: str) -> float:
        line = stated[number]
        if words_of(line.text) == words_of(text):
            return 0.0
        return _ALIKE if line.sign != "-" and alike(line.text, text) else NEVER

    alone_costs = [
        BLANK if not line.text.strip() else NEVER if line.sign == "-" else _ALONE
        for line in stated
    ]
    aligned = cheapest_alignment(
        alone_costs,
        price,
        texts[low:high],
        skip=_ALONE,
        band=range(guess - low - _MARGIN, guess - low + _MARGIN + 1),
    )
    if aligned is None:
        return None
    places = aligned[1]
    mapped = [None if at is None else low + at for at in places]
    known = [at for at in mapped if at is not None]
    exact = [
        (line, texts[at])
        for line, at in zip(stated, mapped, strict=True)
        if at is not None and words_of(line.text) == words_of(texts[at])
    ]
    context = sum(line.sign != "-" and bool(line.text.strip()) for line in stated)
    similar = len(known) - len(exact)
    alone = sum(
        at is None and bool(line.text.strip())
        for line, at in zip(stated, mapped, strict=True)
    )
    between = set(range(known[0], known[-1])) - set(known) if known else set()
    alone += sum(bool(texts[at].strip()) for at in between)
    telling = sum(is_distinctive(text) for _, text in exact)
    shift = common_shift([(line.text, text) for line, text in exact])
    if similar > max(1, context // 4) or alone or telling < 2 or shift is None:  # noqa: PLR2004
        return None
    lines = _rewritten(texts, hunk.lines, mapped)
    added = (line.text for line in hunk.lines if line.sign == "+")
    if lines is None or any(shift.apply(text) is None for text in added):
        return None
    return NearFit(known[0], evolve(hunk, lines=lines), shift)


def cheapest_alignment(
    alone: Sequence[float],
    price: Callable[[int, str], float],
    texts: Sequence[str],
    *,
    skip: float,
    band: range,
) -> tuple[float, list[int | None]] | None:
    """Return the cost of fitting lines to ``texts``, and the place of each.

    Line ``n`` costs ``alone[n]`` without a place and ``price(n, text)`` with one; a
    text between two that are used costs ``skip``, a blank one little. Only places in
    ``band``, relative to the line's own number, are looked at.
    """
    wide = len(texts) + 1
    skips = [BLANK if not text.strip() else skip for text in texts]
    # ``costs[at]`` is the least for the lines so far, ``at`` texts being used up.
    costs = [0.0] * wide
    steps: list[list[int]] = []
    for number, left in enumerate(alone):
        row = [NEVER] * wide
        step = [0] * wide
        row[0] = costs[0] + left
        for at in range(
            max(1, number + 1 + band.start), min(wide, number + 1 + band.stop)
        ):
            best, how = costs[at] + left, 0
            pair = costs[at - 1]
            if pair < best and (pair := pair + price(number, texts[at - 1])) < best:
                best, how = pair, 1
            # Nothing is skipped before the first line that has a place.
            if number and (skipped := row[at - 1] + skips[at - 1]) < best:
                best, how = skipped, 2
            row[at], step[at] = best, how
        costs = row
        steps.append(step)
    end = min(range(wide), key=lambda at: costs[at])
    cost = costs[end]
    if cost == NEVER:
        return None
    places: list[int | None] = [None] * len(alone)
    number = len(alone) - 1
    while number >= 0:
        how = steps[number][end]
        if how == 1:
            places[number] = end - 1
        if how:
            end -= 1
        number -= how != 2  # noqa: PLR2004 - a text was skipped
    return cost, places


@lru_cache(maxsize=16_384)
def alike(one: str, other: str) -> bool:
    """Return whether two lines are the same but for a few words."""
    one, other = one.strip()[:_LONGEST_LINE], other.strip()[:_LONGEST_LINE]
    if not one or not other:
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return (
        matcher.real_quick_ratio() >= _LIKENESS
        and matcher.quick_ratio() >= _LIKENESS
        and matcher.ratio() >= _LIKENESS
    )


@lru_cache(maxsize=16_384)
def likeness(one: str, other: str) -> float:
    """Return how like two lines are, from 0 to 1."""
    one, other = one.strip()[:_LONGEST_LINE], other.strip()[:_LONGEST_LINE]
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


@lru_cache(maxsize=16_384)
def words_of(text: str) -> str:
    """Return the words of a line, one blank between two."""
    return " ".join(text.split())


def _rewritten(
    texts: Sequence[str], lines: Sequence[HunkLine], mapped: Sequence[int | None]
) -> tuple[HunkLine, ...] | None:
    """Return the lines of a hunk with the context of the text in place of its own."""
    written: list[HunkLine] = []
    known = [at for at in mapped if at is not None]
    number, done, pending = 0, known[0], False
    unplaced = False
    for line in lines:
        if not line.old:
            if unplaced:
                # The line of context before it has no place, so neither has this.
                return None
            pending = True
            written.append(line)
            continue
        at = mapped[number]
        number += 1
        if at is None:
            if pending and line.text.strip():
                return None
            unplaced = bool(line.text.strip())
            continue
        unplaced = False
        for missing in range(done, at):
            if pending and texts[missing].strip():
                return None
            written.append(HunkLine(" ", texts[missing], ""))
        written.append(HunkLine(line.sign or " ", texts[at], line.end))
        done, pending = at + 1, False
    return tuple(written)
