"""Fit a hunk to lines that are not quite those it states."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.edits.hunks import Hunk, HunkLine
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
_BLANK: Final = 0.2
_ALONE: Final = 1.5
_NEVER: Final = float("inf")


@frozen
class NearFit:
    """A place for a hunk, which has there the context that the text really has."""

    start: int
    hunk: Hunk
    shift: Shift


def fit_nearly(texts: Sequence[str], hunk: Hunk, guess: int) -> NearFit | None:
    """Return how a hunk fits near ``guess``, with every line that it takes away.

    Of its context one line in four, at least one, may be wrong by some words, one may
    be missing or too much, and blank lines do not count. Nothing is returned where it
    is open at which of two lines something is put in.
    """
    stated = [line for line in hunk.lines if line.old]
    if len(stated) > _LONGEST_HUNK:
        return None
    low = max(0, guess - _MARGIN)
    high = min(len(texts), guess + len(stated) + _MARGIN)
    places = _aligned(stated, texts[low:high])
    if places is None:
        return None
    mapped = [None if at is None else low + at for at in places]
    known = [at for at in mapped if at is not None]
    exact = [
        (line, texts[at])
        for line, at in zip(stated, mapped, strict=True)
        if at is not None and _words(line.text) == _words(texts[at])
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
    if similar > max(1, context // 4) or alone > 1 or telling < 2 or shift is None:  # noqa: PLR2004
        return None
    lines = _rewritten(texts, hunk.lines, mapped)
    added = (line.text for line in hunk.lines if line.sign == "+")
    if lines is None or any(shift.apply(text) is None for text in added):
        return None
    return NearFit(known[0], evolve(hunk, lines=lines), shift)


def _aligned(
    stated: Sequence[HunkLine], texts: Sequence[str]
) -> list[int | None] | None:
    """Return the place of each stated line, all of them at the least cost."""
    wide = len(texts) + 1
    # ``costs[at]`` is the least for the stated lines so far, ``at`` lines being used.
    costs = [0.0] * wide
    steps: list[list[int]] = []
    for line in stated:
        blank = not line.text.strip()
        alone = _BLANK if blank else _NEVER if line.sign == "-" else _ALONE
        row = [_NEVER] * wide
        step = [0] * wide
        for at in range(wide):
            best, how = costs[at] + alone, 0
            if at:
                text = texts[at - 1]
                if (pair := costs[at - 1] + _price(line, text)) < best:
                    best, how = pair, 1
                skip = _BLANK if not text.strip() else _ALONE
                if row[at - 1] + skip < best:
                    best, how = row[at - 1] + skip, 2
            row[at], step[at] = best, how
        costs = row
        steps.append(step)
    end = min(range(wide), key=lambda at: costs[at])
    if costs[end] == _NEVER:
        return None
    places: list[int | None] = [None] * len(stated)
    number = len(stated) - 1
    while number >= 0:
        how = steps[number][end]
        if how == 1:
            places[number] = end - 1
        if how:
            end -= 1
        number -= how != 2  # noqa: PLR2004 - a line of the text was skipped
    return places


def _price(line: HunkLine, text: str) -> float:
    if _words(line.text) == _words(text):
        return 0.0
    if line.sign == "-" or not line.text.strip() or not text.strip():
        return _NEVER
    one, other = line.text.strip()[:_LONGEST_LINE], text.strip()[:_LONGEST_LINE]
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    alike = matcher.quick_ratio() >= _LIKENESS and matcher.ratio() >= _LIKENESS
    return _ALIKE if alike else _NEVER


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


def _words(text: str) -> str:
    return " ".join(text.split())
