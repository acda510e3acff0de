"""Judge a changed text by the suggestion that it was made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.edits.conflicts import left_markers
from bytebuddy_provider_hf.edits.elision_markers import ElisionKind, classify_line
from bytebuddy_provider_hf.edits.explain import explain
from bytebuddy_provider_hf.edits.lines import Piece, assemble, is_distinctive, lines_of
from bytebuddy_provider_hf.edits.near_fit import words_of
from bytebuddy_provider_hf.edits.runs import Run, runs_of_code, runs_of_hunks
from bytebuddy_provider_hf.edits.suggestion import Part

# What is wrong: a marker that was left in, a suggested line that is not there, a line
# that nobody suggested, one that went unnamed; or all are there, in another order, in
# another place or with another indentation.
Fault: TypeAlias = Literal["marker", "missing", "added", "lost", "moved", "unchanged"]

_MOST_SHOWN: Final = 20


@frozen
class Verdict:
    """``text`` where a result is explained; else the ``fault``, and its ``lines``.

    In ``text`` the lines that stay are those of the original, to the last blank.
    ``restored`` tells that lines stay although the suggestion left them out.
    """

    text: str | None = None
    fault: Fault | None = None
    lines: tuple[str, ...] = ()
    restored: bool = False


def judge(original: str, parts: Sequence[Part], result: str) -> Verdict:
    """Return whether the parts of a suggestion explain what ``result`` changes."""
    before, after = lines_of(original), lines_of(result)
    olds, news = (
        [line.rstrip() for line in lines] for lines in (before.texts, after.texts)
    )
    if olds == news:
        return Verdict(fault="unchanged")
    if marks := markers_in(original, result):
        return Verdict(fault="marker", lines=marks)
    readings = _readings(parts)
    # Most wrong answers have a line too many or too few: that takes no search.
    fault = _fault(before.texts, after.texts, readings)
    if fault.fault != "moved":
        return fault
    for reading in readings:
        runs = _in_order(_changing(reading, before.texts), after.texts)
        found = explain(before.texts, after.texts, runs)
        if found is None:
            continue
        stays = {new: old for old, new in found.kept}
        pieces: list[Piece] = [
            stays.get(at, text) for at, text in enumerate(after.texts)
        ]
        return Verdict(assemble(before, pieces), restored=found.restored)
    return fault


def markers_in(original: str, result: str) -> tuple[str, ...]:
    """Return the lines of a result that stand for code or a change, and are none."""
    known = {line.strip() for line in lines_of(original).texts}
    elided = (
        line
        for line in lines_of(result).texts
        if line.strip() not in known and classify_line(line) is ElisionKind.MARKER
    )
    return (*left_markers(original, result), *elided)


def _readings(parts: Sequence[Part]) -> list[list[Run]]:
    """Return the ways to read a suggestion: its code as all of the text, or a part."""
    readings: list[list[Run]] = []
    for whole in (True, False) if len(parts) == 1 else (False,):
        runs: list[Run] = []
        for part in parts:
            if part.patch is not None:
                runs += runs_of_hunks(part.patch.hunks)
            else:
                runs += runs_of_code(lines_of(part.code).texts, whole=whole)
        if runs not in readings:
            readings.append(runs)
    return readings


def _changing(runs: Sequence[Run], before: Sequence[str]) -> list[Run]:
    """Leave out runs that the original has as they are: they ask for nothing."""
    places: dict[str, list[int]] = {}
    bare = [line.rstrip() for line in before]
    for at, line in enumerate(bare):
        places.setdefault(line, []).append(at)

    def stands(run: Run) -> bool:
        if any(line.sign in "+-" for line in run.lines):
            return False
        wanted = [line.text.rstrip() for line in run.lines]
        rarest = min(range(len(wanted)), key=lambda at: len(places.get(wanted[at], ())))
        return any(
            bare[at - rarest : at - rarest + len(wanted)] == wanted
            for at in places.get(wanted[rarest], ())[:_MOST_SHOWN]
            if at >= rarest
        )

    return [run for run in runs if not stands(run)]


def _in_order(runs: list[Run], after: Sequence[str]) -> list[Run]:
    """Sort runs by where the changed text has their rarest line."""
    if len(runs) < 2:  # noqa: PLR2004 - nothing to sort
        return runs
    counts = Counter(line.strip() for line in after)
    first: dict[str, int] = {}
    for at, line in enumerate(after):
        first.setdefault(line.strip(), at)

    def place(run: Run) -> int:
        known = [
            line.text.strip()
            for line in run.lines
            if line.sign != "-" and line.text.strip() in counts
        ]
        rarest = min(known, key=lambda text: counts[text], default="")
        return first.get(rarest, len(after)) if counts[rarest] == 1 else -1

    places = [place(run) for run in runs]
    if -1 in places:
        return runs
    return [run for _, run in sorted(zip(places, runs, strict=True), key=lambda x: x[0])]


def _fault(
    before: Sequence[str], after: Sequence[str], readings: Sequence[Sequence[Run]]
) -> Verdict:
    """Return what is wrong with the lines of a result, whatever their order."""
    old, new = _counted(before), _counted(after)
    lines = [line for run in readings[0] for line in run.lines]
    said = _counted(line.text for line in lines if line.sign != "-")
    named = _counted(line.text for line in lines if line.sign == "-")
    wanted = _counted(line.text for line in lines if line.sign == "+")
    # Code that is not signed may replace lines that it does not name.
    exact = not any(line.sign == "?" for line in lines)
    faults: tuple[tuple[Fault, Counter[str]], ...] = (
        ("missing", wanted - new),
        ("added", new - old - said),
        ("lost", old - new - named if exact else Counter[str]()),
    )
    for fault, found in faults:
        if found:
            return Verdict(fault=fault, lines=tuple(found.elements())[:_MOST_SHOWN])
    return Verdict(fault="moved")


def _counted(lines: Iterable[str]) -> Counter[str]:
    return Counter(words_of(line) for line in lines if is_distinctive(line))
