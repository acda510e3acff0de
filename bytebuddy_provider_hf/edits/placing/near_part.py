"""Fit a part of a text to it where the lines round a change are not quite its own."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.indentation import common_shift
from bytebuddy_provider_hf.edits.lines import is_distinctive
from bytebuddy_provider_hf.edits.placing.near_fit import (
    BLANK,
    NEVER,
    alike,
    cheapest_alignment,
    likeness,
    words_of,
)

# Lines round the guessed place that belong to the window: a part may drop some.
_MARGIN: Final = 12
_MOST_DROPPED: Final = 30
_REACH: Final = _MARGIN + _MOST_DROPPED
_LONGEST_PART: Final = 300
_MOST_PLACES: Final = 50
_MOST_GUESSES: Final = 8
# Guesses as near as this are one.
_BESIDE: Final = 2
# What a line costs that is changed, or new, or gone.
_CHANGED: Final = 1.3
_ALONE: Final = 1.0
# How much better than any other place the one that is taken has to be.
_CLEARLY: Final = 2.0
# Lines as they are that bear out a place.
_FEWEST_EXACT: Final = 2


@frozen
class PartFit:
    """Lines ``start`` to ``end`` of a text become ``lines``, by number or new.

    ``wrong`` are those that the part has with another word.
    """

    start: int
    end: int
    lines: tuple[int | str, ...]
    cost: float
    wrong: frozenset[int | str]


class NearParts:
    """Fit parts to one text."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        for at, text in enumerate(texts):
            self._places[words_of(text)].append(at)

    def fit(
        self, lines: Sequence[str], *, open_start: bool, open_end: bool
    ) -> PartFit | None:
        """Return the place of a part, if one is clear.

        Its outermost lines are context: lines of the text, or, where the next line is
        one, like them. Blank lines, one shift of indentation and a word in the
        outermost lines may differ; not so at an edge that is not open, where no code
        follows.
        """
        filled = [at for at, line in enumerate(lines) if line.strip()]
        if len(filled) < 2 or len(lines) > _LONGEST_PART:  # noqa: PLR2004
            return None
        # Brackets alone at an edge are context that may stand anywhere.
        if not all(
            is_distinctive(lines[filled[one]]) or is_distinctive(lines[filled[other]])
            for one, other in ((0, 1), (-1, -2))
        ):
            return None
        guesses: Counter[int] = Counter()
        for at, line in enumerate(lines):
            found = self._places.get(words_of(line), ())
            if is_distinctive(line) and len(found) <= _MOST_PLACES:
                guesses.update(place - at for place in found)
        fits: dict[tuple[int, int, tuple[int | str, ...]], PartFit] = {}
        tried: list[int] = []
        for guess, _ in guesses.most_common():
            if len(tried) == _MOST_GUESSES:
                break
            if any(abs(guess - other) <= _BESIDE for other in tried):
                continue
            tried.append(guess)
            fit = self._fit_at(lines, filled, guess)
            if fit is not None:
                fits[fit.start, fit.end, fit.lines] = fit
        ranked = sorted(fits.values(), key=lambda fit: fit.cost)
        if not ranked or (
            len(ranked) > 1 and ranked[1].cost < ranked[0].cost + _CLEARLY
        ):
            return None
        fit = ranked[0]
        edges = {
            *(() if open_start else (fit.lines[0],)),
            *(() if open_end else (fit.lines[-1],)),
        }
        if fit.wrong & edges:
            return None
        return fit

    def _fit_at(
        self, lines: Sequence[str], filled: Sequence[int], guess: int
    ) -> PartFit | None:
        low = max(0, guess - _MARGIN)
        high = min(len(self._texts), guess + len(lines) + _MARGIN + _MOST_DROPPED)
        window = self._texts[low:high]
        edges = {filled[0], filled[-1]}

        def price(number: int, text: str) -> float:
            line = lines[number]
            if words_of(line) == words_of(text):
                return 0.0
            return _CHANGED if alike(line, text) else NEVER

        alone = [
            NEVER if at in edges else _ALONE if line.strip() else BLANK
            for at, line in enumerate(lines)
        ]
        band = range(-_REACH, guess - low + _REACH)
        found = cheapest_alignment(alone, price, window, skip=_ALONE, band=band)
        if found is None:
            return None
        cost, places = found
        mapped = {
            number: low + at for number, at in enumerate(places) if at is not None
        }
        exact = {
            number
            for number, at in mapped.items()
            if words_of(lines[number]) == words_of(self._texts[at])
        }
        shift = common_shift([(lines[n], self._texts[mapped[n]]) for n in exact])
        telling = sum(is_distinctive(lines[number]) for number in exact)
        # A line that stands elsewhere, or is more like another, is no slip of this one.
        slips = all(
            words_of(lines[number]) not in self._places
            and likeness(lines[number], self._texts[mapped[number]])
            >= max(likeness(lines[number], text) for text in window)
            for number in edges - exact
            if number in mapped
        )
        if (
            telling < _FEWEST_EXACT
            or shift is None
            or not slips
            or not self._edges_stand(lines, filled, mapped, exact)
        ):
            return None
        written: list[int | str] = []
        for number in range(filled[0], filled[-1] + 1):
            at = mapped.get(number)
            if at is not None and (number in exact or number in edges):
                written.append(at)
                continue
            made = shift.apply(lines[number])
            if made is None:
                return None
            written.append(made)
        first, last = mapped[filled[0]], mapped[filled[-1]]
        wrong = frozenset(mapped[number] for number in edges - exact)
        return PartFit(first, last + 1, tuple(written), cost, wrong)

    def _edges_stand(
        self,
        lines: Sequence[str],
        filled: Sequence[int],
        mapped: Mapping[int, int],
        exact: Container[int],
    ) -> bool:
        """Return whether two lines of context stand at each edge, side by side.

        In the outer one a word may be wrong. Blank lines outside are context too.
        """
        for one, other in ((filled[0], filled[1]), (filled[-2], filled[-1])):
            if one not in mapped or other not in mapped:
                return False
            between = self._texts[mapped[one] + 1 : mapped[other]]
            if any(text.strip() for text in between):
                return False
        if filled[1] not in exact or filled[-2] not in exact:
            return False
        head, tail = filled[0], len(lines) - 1 - filled[-1]
        # With blank lines for its context the outermost line is what changes.
        if (head and filled[0] not in exact) or (tail and filled[-1] not in exact):
            return False
        return not (
            self._lacks_blanks(mapped[filled[0]] - 1, -1, head)
            or self._lacks_blanks(mapped[filled[-1]] + 1, 1, tail)
        )

    def _lacks_blanks(self, at: int, step: int, count: int) -> bool:
        """Return whether fewer blank lines than ``count`` stand here."""
        while count and 0 <= at < len(self._texts) and not self._texts[at].strip():
            at, count = at + step, count - 1
        return count > 0 and 0 <= at < len(self._texts)
