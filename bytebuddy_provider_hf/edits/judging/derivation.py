"""Derive a changed text from the runs of a suggestion, line by line.

A search over places in three texts at once: the original, the changed text, and the
suggestion. Outside the runs every line has to be the original's. Inside a run each
line of the changed text is one of the original's that stays or one that the run writes,
and a line of the original goes only where the run names it, or where it stands between
two lines that the run writes one below the other. The cheapest way through, counted in
lines of context that are not as stated, is the derivation; without one there is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.edits.indentation import (
    NO_SHIFT,
    Shift,
    common_shift,
    shift_between,
)
from bytebuddy_provider_hf.edits.judging.runs import Run, RunLine
from bytebuddy_provider_hf.edits.lines import is_distinctive
from bytebuddy_provider_hf.edits.placing.near_fit import alike, words_of

# States that are looked at for each line of the three texts, lest a text of equal lines
# cost more than its length.
_WORK: Final = 16
_LEAST: Final = 100
# A run may drop so many lines between two that it writes, or as many as it has.
_MOST_DROPPED: Final = 30
# Lines round a change at which a run may begin: blank lines and a line too few.
_MARGIN: Final = 3

# What a way costs: the more a suggestion was wrong about the text, the more.
_SIMILAR: Final = 1.0
_GAP: Final = 1.5
_BLANK: Final = 0.2
_DROPPED: Final = 0.01
_ADDED: Final = 0.001
_KEPT_ANYWAY: Final = 3.0
_MOST: Final = 8.0

# What is known of a run's indentation before a line shows it: nothing; or that lines
# at the margin are at the margin, so that tabs may still stand for blanks.
_UNKNOWN: Final = "unknown"
_AT_MARGIN: Final = "margin"
_Indentation: TypeAlias = Shift | str


@frozen
class Derivation:
    """Which lines of the changed text stay, as (original, changed), rising.

    ``restored`` tells that lines stay although the suggestion leaves them out.
    """

    kept: tuple[tuple[int, int], ...]
    restored: bool = False


class _State(NamedTuple):
    """A place in the original, the changed text and a run; what the run still may do.

    ``at`` is -1 outside the runs. ``similar`` and ``gaps`` count lines of context that
    were not as stated, ``borne`` tells that one was. Lines were ``dropped`` or
    ``added`` since the line ``last`` of the original, which the run has too; a line was
    ``restored`` that the run leaves out.
    """

    old: int
    new: int
    run: int
    at: int = -1
    shift: _Indentation = _UNKNOWN
    similar: int = 0
    gaps: int = 0
    borne: bool = False
    dropped: bool = False
    added: bool = False
    last: int = -1
    restored: bool = False


_Step: TypeAlias = tuple[float, _State]


def derive(
    before: Sequence[str], after: Sequence[str], runs: Sequence[Run]
) -> Derivation | None:
    """Return how ``runs`` made ``after`` of ``before``; ``None`` if they did not.

    All three are lines without their ends; trailing blanks are not looked at.
    """
    return _Walk(before, after, runs).derivation()


class _Walk:
    """Search the cheapest way through the three texts."""

    def __init__(
        self, before: Sequence[str], after: Sequence[str], runs: Sequence[Run]
    ) -> None:
        self._old = [line.rstrip() for line in before]
        self._new = [line.rstrip() for line in after]
        self._runs = runs
        words = [words_of(line) for line in self._old]
        self._known = Counter(words)
        single = {
            said: line
            for said, line in zip(words, self._old, strict=True)
            if self._known[said] == 1
        }
        self._bare = [
            not any(words_of(line.text) in self._known for line in run.lines)
            for run in runs
        ]
        self._shifts = [_shift_of(run, single) for run in runs]
        self._similar = [max(1, _context(run) // 4) for run in runs]
        self._size = len(before) + len(after) + sum(len(run.lines) for run in runs)

    def derivation(self) -> Derivation | None:
        start = _State(0, 0, 0)
        costs: dict[_State, float] = {start: 0.0}
        came: dict[_State, _State] = {}
        # The farthest of equal cost first: a right answer is walked straight through.
        queue: list[tuple[float, int, int, _State]] = [(0.0, 0, 0, start)]
        number = 0
        while queue:
            cost, _, _, state = heappop(queue)
            if cost > costs[state]:
                continue
            ended = state.at < 0 and state.run == len(self._runs)
            if ended and self._old[state.old :] == self._new[state.new :]:
                break
            if number > _WORK * (self._size + _LEAST):
                return None
            for price, after in self._steps(state):
                total = cost + price
                if total <= _MOST and total < costs.get(after, float("inf")):
                    costs[after], came[after] = total, state
                    number += 1
                    place = -(after.old + after.new + after.at)
                    heappush(queue, (total, place, number, after))
        else:
            return None
        # Walked back: lines that both texts have on the way are those that stay.
        rest = len(self._old) - state.old
        kept = [(state.old + at, state.new + at) for at in reversed(range(rest))]
        restored = False
        while (before := came.get(state)) is not None:
            olds, news = state.old - before.old, state.new - before.new
            if olds == news:
                pairs = ((before.old + at, before.new + at) for at in range(olds))
                kept += (
                    (old, new)
                    for old, new in reversed([*pairs])
                    if self._old[old] == self._new[new]
                )
            restored = restored or state.restored
            state = before
        return Derivation(tuple(reversed(kept)), restored)

    def _steps(self, state: _State) -> Iterator[_Step]:
        if state.at < 0:
            if state.run < len(self._runs):
                yield from self._entries(state)
            return
        run = self._runs[state.run]
        if state.at == len(run.lines):
            yield from self._exits(state, run)
            return
        line = run.lines[state.at]
        yield from self._blanks(state, line)
        if line.sign in {"+", "-"}:
            yield from self._changed(state, line, run)
        elif line.sign == "?":
            yield from self._unsaid(state, line, run)
        else:
            yield from self._context(state, line)

    def _entries(self, state: _State) -> Iterator[_Step]:
        """Begin the next run, near the next place where the texts differ."""
        run = self._runs[state.run]
        old, new = state.old, state.new
        if not run.open_start:
            if old == new == 0:
                yield 0.0, state._replace(at=0, shift=self._shifts[state.run])
            return
        shift = self._shifts[state.run]
        most = min(len(self._old) - old, len(self._new) - new)
        equal = 0
        while equal < most and self._old[old + equal] == self._new[new + equal]:
            equal += 1
        lead = 0
        while lead < len(run.lines) and (
            run.lines[lead].sign in " ?" or not run.lines[lead].text
        ):
            lead += 1
        # New lines may begin like those that follow: only the number tells where.
        if run.stated is not None and not _context(run):
            by = run.stated - old
            if 0 <= by < equal - 1:
                yield 0.0, _State(run.stated, new + by, state.run, 0, shift, borne=True)
        for by in range(max(equal - lead - _MARGIN, -min(lead, old)), equal + 1):
            if by >= 0:
                if by >= equal - 1 or self._begins(run, old + by, new + by):
                    # A number alone bears out a place where nothing else can.
                    named = run.stated == old + by and not _context(run)
                    yield (
                        0.0,
                        _State(old + by, new + by, state.run, 0, shift, borne=named),
                    )
            # The run before this one ended with the context that this one begins with.
            elif all(
                words_of(run.lines[at].text) == words_of(self._old[old + by + at])
                for at in range(-by)
            ):
                yield 0.0, _State(old, new, state.run, -by, shift, borne=True)

    def _begins(self, run: Run, old: int, new: int) -> bool:
        """Return whether the first or second line of a run stands here."""
        line = run.lines[0]
        here = self._new[new] if line.sign == "+" else self._old[old]
        if words_of(line.text) == words_of(here):
            return True
        return (
            len(run.lines) > 1
            and old + 1 < len(self._old)
            and words_of(run.lines[1].text) == words_of(self._old[old + 1])
        )

    def _exits(self, state: _State, run: Run) -> Iterator[_Step]:
        """End a run whose place is borne out by a line that the original has."""
        if not run.open_end:
            # The text ends with the run.
            if state.old < len(self._old):
                yield _DROPPED, state._replace(old=state.old + 1)
            if (state.old, state.new) == (len(self._old), len(self._new)):
                yield (
                    0.0,
                    _State(
                        state.old, state.new, state.run + 1, restored=state.restored
                    ),
                )
            return
        # What went at the edge has to have another line in its place.
        unsaid = run.lines[-1].sign == "?"
        if state.borne and not (unsaid and state.dropped):
            yield (
                0.0,
                _State(state.old, state.new, state.run + 1, restored=state.restored),
            )

    def _blanks(self, state: _State, line: RunLine) -> Iterator[_Step]:
        """Pass over blank lines that only one of the texts has, inside a run."""
        old, new = self._line(self._old, state.old), self._line(self._new, state.new)
        # One that the text has and the answer lost is no blank line too many.
        if not line.text.strip() and not (old == "" and new):
            yield _BLANK, state._replace(at=state.at + 1)
        if old == "" and new == "":
            yield _BLANK, state._replace(old=state.old + 1, new=state.new + 1)
        # Beside a change a blank line may come or go with it.
        if state.added or state.dropped:
            if new == "":
                yield _BLANK, state._replace(new=state.new + 1)
            if old == "":
                yield _BLANK, state._replace(old=state.old + 1)

    def _changed(self, state: _State, line: RunLine, run: Run) -> Iterator[_Step]:
        """Take a line that the suggestion adds, or drop one that it names."""
        if line.sign == "+":
            new = self._line(self._new, state.new)
            shift = None if new is None else _fits(state.shift, line.text, new)
            # A run that says nothing of the original does not tell its indentation.
            told = shift in {NO_SHIFT, _AT_MARGIN} or _context(run) > 0
            if shift is not None and told:
                taken = state._replace(new=state.new + 1, at=state.at + 1, added=True)
                yield 0.0, taken._replace(shift=shift)
            return
        old = self._line(self._old, state.old)
        if old is None:
            return
        after = state._replace(old=state.old + 1, at=state.at + 1, dropped=True)
        shift = _fits(state.shift, line.text, old)
        if shift is not None:
            borne = state.borne or is_distinctive(old)
            yield 0.0, after._replace(shift=shift, borne=borne)
        elif state.similar < self._similar[state.run] and alike(line.text, old):
            yield _SIMILAR, after._replace(similar=state.similar + 1)

    def _context(self, state: _State, line: RunLine) -> Iterator[_Step]:
        """Keep a line that the suggestion has as context, or one in its place."""
        old, new = self._line(self._old, state.old), self._line(self._new, state.new)
        same = old is not None and old == new
        after = state._replace(
            old=state.old + 1,
            new=state.new + 1,
            at=state.at + 1,
            added=False,
            dropped=False,
        )
        if same and old is not None:
            shift = _fits(state.shift, line.text, old)
            if shift is not None:
                yield (
                    0.0,
                    after._replace(
                        shift=shift, borne=state.borne or is_distinctive(old)
                    ),
                )
                return
            if state.similar < self._similar[state.run] and alike(line.text, old):
                yield _SIMILAR, after._replace(similar=state.similar + 1)
        if not state.gaps and line.text.strip():
            # One line too many, or one too few.
            yield _GAP, state._replace(at=state.at + 1, gaps=1)
            if same:
                yield _GAP, after._replace(at=state.at, gaps=1)

    def _unsaid(self, state: _State, line: RunLine, run: Run) -> Iterator[_Step]:
        """Keep a line, write one, or drop lines between two that are kept."""
        old, new = self._line(self._old, state.old), self._line(self._new, state.new)
        same = old is not None and old == new
        fits = None if new is None else _fits(state.shift, line.text, new)
        if same and old is not None and fits is not None:
            if self._may_drop(state, run):
                yield (
                    0.0,
                    state._replace(
                        old=state.old + 1,
                        new=state.new + 1,
                        at=state.at + 1,
                        shift=fits,
                        borne=state.borne or is_distinctive(old),
                        dropped=False,
                        added=False,
                        last=state.old,
                    ),
                )
            return
        # A new first line that is like the line above it was meant in its place.
        above = self._line(self._old, state.old - 1) if state.old else None
        beside = (
            state.last < 0
            and not state.dropped
            and run.open_start
            and above is not None
            and words_of(above) not in map(words_of, (each.text for each in run.lines))
            and alike(line.text, above)
        )
        if fits is not None and not beside:
            yield (
                _ADDED,
                state._replace(
                    new=state.new + 1, at=state.at + 1, shift=fits, added=True
                ),
            )
        if fits is not None and old is not None and alike(line.text, old):
            # A line changed in place.
            yield (
                _DROPPED,
                state._replace(
                    old=state.old + 1,
                    new=state.new + 1,
                    at=state.at + 1,
                    shift=fits,
                    added=True,
                    # Without a line of the text's own nothing else tells the place.
                    borne=state.borne or self._bare[state.run],
                ),
            )
        reach = state.old - state.last if state.last >= 0 else 0
        if old is not None and reach <= max(_MOST_DROPPED, len(run.lines)):
            yield _DROPPED, state._replace(old=state.old + 1, dropped=True)
        if not same or old is None:
            return
        after = state._replace(old=state.old + 1, new=state.new + 1)
        # Beside a marker stands context, by what a marker is.
        if (
            _is_edge(run, state.at)
            and not state.dropped
            and words_of(line.text) not in self._known
            and state.similar < self._similar[state.run]
            and alike(line.text, old)
        ):
            yield (
                _SIMILAR,
                after._replace(
                    at=state.at + 1,
                    similar=state.similar + 1,
                    dropped=False,
                    added=False,
                ),
            )
        if old and state.last >= 0:
            price = _DROPPED if state.restored else _KEPT_ANYWAY
            yield price, after._replace(restored=True)

    def _may_drop(self, state: _State, run: Run) -> bool:
        """Return whether what was dropped before the next line may be gone."""
        if not state.dropped:
            return True
        if not run.open_start and not run.open_end:
            return True
        if state.last < 0:
            # Nothing that stays stands before it.
            return not run.open_start
        one, other = self._old[state.last], self._old[state.old]
        if not is_distinctive(one) and not is_distinctive(other) and not state.added:
            return False
        # Where a line at the edge of what goes stands twice, in the run or in the text,
        # it may as well be a new one beside it, or less may be meant to go.
        gone = {words_of(line) for line in self._old[state.last + 1 : state.old]}
        edges = {words_of(line) for line in (one, other) if is_distinctive(line)}
        if edges & gone:
            return False
        said = (line.text for line in run.lines[: state.at])
        return not is_distinctive(other) or all(
            words_of(line) != words_of(other) for line in said
        )

    @staticmethod
    def _line(lines: Sequence[str], at: int) -> str | None:
        return lines[at] if at < len(lines) else None


def _shift_of(run: Run, single: Mapping[str, str]) -> _Indentation:
    """Return how a run is indented by the lines that it shares with the original.

    Only lines that stand once in both tell; ``single`` has those of the original.
    """
    stated = [line.text for line in run.lines if line.sign != "+"]
    counts = Counter(map(words_of, stated))
    pairs = [
        (line, single[words_of(line)])
        for line in stated
        if counts[words_of(line)] == 1 and words_of(line) in single
    ]
    shift = common_shift(pairs) if pairs else None
    if shift == NO_SHIFT and not any(one[:1].isspace() for one, _ in pairs):
        return _AT_MARGIN
    return _UNKNOWN if shift is None else shift


def _context(run: Run) -> int:
    return sum(line.sign != "+" for line in run.lines)


def _is_edge(run: Run, at: int) -> bool:
    """Return whether a line is the outermost of a run, where a marker may follow."""
    lines = run.lines
    outside = lines[:at] if run.open_start else None
    after = lines[at + 1 :] if run.open_end else None
    return any(
        side is not None and not any(line.text.strip() for line in side)
        for side in (outside, after)
    )


def _fits(shift: _Indentation, stated: str, actual: str) -> _Indentation | None:
    """Return the shift by which a stated line is the actual one; else ``None``."""
    if words_of(stated) != words_of(actual):
        return None
    if not actual:
        return shift
    if isinstance(shift, Shift):
        made = shift.apply(stated)
        return shift if made is not None and made.rstrip() == actual else None
    found = shift_between(stated, actual)
    if found == NO_SHIFT:
        # At the margin tabs and blanks look alike.
        return NO_SHIFT if actual[0].isspace() else _AT_MARGIN
    if found is None or (shift == _AT_MARGIN and not found.tab):
        return None
    return found
