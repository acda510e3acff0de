"""Place unified diffs by what their hunks hold, not by the numbers they state."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from attrs import evolve, frozen

from bytebuddy_provider_hf.edits.formats.hunks import Hunk, HunkLine, Patch
from bytebuddy_provider_hf.edits.indentation import (
    NO_SHIFT,
    Shift,
    common_shift,
    indent_of,
)
from bytebuddy_provider_hf.edits.lines import (
    Lines,
    Piece,
    assemble,
    is_distinctive,
    lines_of,
)
from bytebuddy_provider_hf.edits.placed import Placed
from bytebuddy_provider_hf.edits.placing.near_fit import fit_nearly, words_of

# Comparisons for one patch, lest a file of equal lines cost the square of its length.
_MOST_WORK: Final = 1_000_000
# Places of one line, and guesses of one hunk, that are tried.
_MOST_PLACES: Final = 50
_MOST_GUESSES: Final = 20
# Lines of the text that one line of a hunk is compared with.
_WINDOW: Final = 10
_NOWHERE: Final = "/dev/null"

Key: TypeAlias = Callable[[str], str]


@frozen
class _Fit:
    """A place of a hunk as it was read; ``shift`` is the indentation of its lines."""

    start: int
    hunk: Hunk
    shift: Shift = NO_SHIFT


@frozen
class _Replacement:
    """Lines ``start`` to ``end`` of the original become ``lines``."""

    start: int
    end: int
    lines: tuple[HunkLine, ...]


def apply_patch(original: str, patch: Patch) -> Placed:
    """Return ``original`` with a patch applied, all of it or nothing.

    A hunk goes where its context and the lines it takes away stand, whatever its
    numbers; trailing spaces, and one indentation of the whole hunk, may differ, and
    where that has no place a line of context in four. Where it fits more than one
    place, its heading decides; the stated line counts only if every number in the patch
    is right and another hunk, which fits one place, bears that out. Line ends are those
    of the original; its last line ends as it did, unless the diff says otherwise.
    """
    everything = tuple(hunk.text for hunk in patch.hunks)
    if not patch.hunks or len(patch.files) > 1 or _NOWHERE in patch.files:
        return Placed(None, everything or ("",))
    before = lines_of(original)
    search = _Search(before)
    found = [search.fits(hunk) for hunk in patch.hunks]
    trusted = _line_numbers_trusted(patch.hunks, found)
    chosen: list[_Fit] = []
    unplaced: list[str] = []
    for hunk, fits in zip(patch.hunks, found, strict=True):
        only = fits
        if len(fits) > 1 and hunk.heading:
            only = _below_heading(before.texts, hunk.heading, fits)
        if len(only) != 1:
            only = [fit for fit in fits if trusted and fit.start == hunk.stated]
        if len(only) == 1:
            chosen += only
        else:
            unplaced.append(hunk.text)
    if unplaced:
        return Placed(None, tuple(unplaced))
    evened = _evened(before.texts, chosen)
    if evened is None:
        return Placed(None, everything)
    chosen = evened
    changes = sorted(
        (change for fit in chosen for change in _changes(fit)),
        key=lambda change: (change.start, change.end),
    )
    clash = any(
        later.start < earlier.end or later.start == earlier.start
        for earlier, later in pairwise(changes)
    )
    # Two hunks of the same lines, or for the same place, leave the order open.
    if clash or not changes:
        return Placed(None, everything)
    return Placed(_written(before, changes, chosen, exact=patch.mixed))


def _evened(texts: Sequence[str], fits: Sequence[_Fit]) -> list[_Fit] | None:
    """Return the fits with one indentation; ``None`` where one of them tells none.

    A model that writes tabs for blanks in one hunk does so in all.
    """
    shifts = {fit.shift for fit in fits} - {NO_SHIFT}
    if not shifts:
        return list(fits)
    evened: list[_Fit] = []
    for fit in fits:
        here = texts[fit.start : fit.start + len(fit.hunk.old)]
        adds = any(x.sign == "+" and x.text.strip() for x in fit.hunk.lines)
        if fit.shift != NO_SHIFT or not adds or any(x[:1].isspace() for x in here):
            evened.append(fit)
            continue
        shift = shifts.pop() if len(shifts) == 1 else NO_SHIFT
        if not shift.tab:
            return None
        shifts.add(shift)
        evened.append(evolve(fit, shift=shift))
    return evened


def _below_heading(
    texts: Sequence[str], heading: str, fits: Sequence[_Fit]
) -> list[_Fit]:
    """Return the places in the block that a heading names, if one line is like it."""
    # Headings may nest; the innermost is the nearest.
    wanted = heading.strip().rpartition("\n")[2].strip()
    heads = [at for at, text in enumerate(texts) if text.strip().startswith(wanted)]
    if len(heads) != 1:
        return []
    depth = len(indent_of(texts[heads[0]].expandtabs()))
    end = next(
        (
            at
            for at in range(heads[0] + 1, len(texts))
            if is_distinctive(texts[at])
            and len(indent_of(texts[at].expandtabs())) <= depth
        ),
        len(texts),
    )
    return [fit for fit in fits if heads[0] <= fit.start < end]


def _line_numbers_trusted(hunks: Sequence[Hunk], found: list[list[_Fit]]) -> bool:
    """Whether all numbers are right, and one hunk shows that this is no accident."""
    growth = 0
    for hunk, fits in zip(hunks, found, strict=True):
        numbers = hunk.numbers
        # Models count badly: one wrong number makes the others doubtful.
        if numbers is None or not hunk.counted:
            return False
        if all(fit.start != hunk.stated or fit.hunk is not hunk for fit in fits):
            return False
        both = numbers.count and numbers.new_count
        if both and numbers.new_start != numbers.start + growth:
            return False
        growth += numbers.new_count - numbers.count
    return any(
        len(fits) == 1 and hunk.stated for hunk, fits in zip(hunks, found, strict=True)
    )


class _Search:
    """Find the places of hunks in one text."""

    def __init__(self, before: Lines) -> None:
        self._before = before
        self._work = _MOST_WORK
        self._keys: dict[Key, tuple[tuple[str, ...], dict[str, list[int]]]] = {}

    def fits(self, hunk: Hunk) -> list[_Fit]:
        """Return the places of a hunk at the first level of likeness that has any."""
        texts = self._before.texts
        if not hunk.old:
            # Lines that are put in say nothing of their place.
            return [_Fit(at, hunk) for at in range(len(texts) + 1)]
        for reading in hunk.interpretations():
            for key in (str, str.rstrip):
                starts = self._starts(reading, key)
                if not starts:
                    continue
                # One line alone may be one that is indented otherwise.
                if sum(map(is_distinctive, hunk.old)) == 1 and len(
                    self._starts(reading, words_of)
                ) > len(starts):
                    return []
                return [_Fit(start, reading) for start in starts]
        starts = self._starts(hunk, words_of)
        removes = any(line.sign == "-" and line.text.strip() for line in hunk.lines)
        # One line of context alone tells nothing of how the new lines are meant.
        told = removes or sum(bool(text.strip()) for text in hunk.old) > 1
        fits: list[_Fit] = []
        for start in starts if told else ():
            here = texts[start : start + len(hunk.old)]
            shift = common_shift(list(zip(hunk.old, here, strict=True)))
            added = [line.text for line in hunk.lines if line.sign == "+"]
            if shift is not None and None not in map(shift.apply, added):
                fits.append(_Fit(start, hunk, shift))
        if starts:
            # A place that only nearly fits makes a fitting one doubtful.
            return fits if len(starts) == len(fits) else []
        return self._nearly(hunk)

    def _nearly(self, hunk: Hunk) -> list[_Fit]:
        """Return the places where all but a few lines of context stand."""
        self._keyed(words_of)
        places = self._keys[words_of][1]
        guesses: Counter[int] = Counter()
        for at, text in enumerate(hunk.old):
            found = places.get(words_of(text), ())
            if is_distinctive(text) and len(found) <= _MOST_PLACES:
                guesses.update(place - at for place in found)
        fits: dict[tuple[int, int], _Fit] = {}
        for start, _ in guesses.most_common(_MOST_GUESSES):
            self._work -= len(hunk.old) * _WINDOW
            if self._work < 0:
                return []
            fitted = fit_nearly(self._before.texts, hunk, start)
            if fitted is not None:
                fits[fitted.start, len(fitted.hunk.old)] = _Fit(
                    fitted.start, fitted.hunk, fitted.shift
                )
        return list(fits.values())

    def _keyed(self, key: Key) -> tuple[tuple[str, ...], dict[str, list[int]]]:
        """Return each line as ``key`` shows it, and its places: made once."""
        if key not in self._keys:
            keyed = tuple(map(key, self._before.texts))
            found: defaultdict[str, list[int]] = defaultdict(list)
            for at, text in enumerate(keyed):
                found[text].append(at)
            self._keys[key] = keyed, dict(found)
        return self._keys[key]

    def _starts(self, hunk: Hunk, key: Key) -> list[int]:
        texts, places = self._keyed(key)
        wanted = [key(text) for text in hunk.old]
        # The rarest line has the fewest places to look at.
        rarest = min(range(len(wanted)), key=lambda at: len(places.get(wanted[at], ())))
        starts: list[int] = []
        for place in places.get(wanted[rarest], ()):
            start = place - rarest
            if start < 0 or start + len(wanted) > len(texts):
                continue
            self._work -= len(wanted)
            if self._work < 0:
                return []
            if list(texts[start : start + len(wanted)]) == wanted:
                starts.append(start)
        if hunk.unended_old:
            starts = [at for at in starts if at + len(wanted) == len(texts)]
        return starts


def _changes(fit: _Fit) -> Iterator[_Replacement]:
    """Return what a hunk changes, its context left out."""
    at = start = fit.start
    new: list[HunkLine] = []
    for line in fit.hunk.lines:
        if line.sign == "+":
            text = line.text
            if text.strip():
                text = fit.shift.apply(text) or text
            new.append(HunkLine("+", text, line.end))
        elif line.sign == "-":
            at += 1
        else:
            if new or at > start:
                yield _Replacement(start, at, tuple(new))
            at += 1
            start, new = at, []
    if new or at > start:
        yield _Replacement(start, at, tuple(new))


def _written(
    before: Lines, changes: Sequence[_Replacement], fits: Sequence[_Fit], *, exact: bool
) -> str:
    """Return the new text; ``exact`` new lines keep the ends that the patch has."""
    # A patch of mixed ends means something only where the text has mixed ends too.
    exact = exact and not before.uniform
    pieces: list[Piece] = []
    done = 0
    for change in changes:
        pieces += range(done, change.start)
        for line in change.lines:
            pieces.append((line.text, line.end or before.usual) if exact else line.text)
        done = change.end
    pieces += range(done, len(before.texts))
    ended = before.ended
    last = max(fits, key=lambda fit: fit.start)
    # The last line ends as the last hunk says, if the hunk reaches it.
    if last.start + len(last.hunk.old) == len(before.texts):
        told = last.hunk.unended_old or last.hunk.unended_new
        if told and last.hunk.unended_old != before.ended:
            ended = not last.hunk.unended_new
    return assemble(before, pieces, ended=ended)
