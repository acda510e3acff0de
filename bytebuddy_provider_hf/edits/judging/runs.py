"""Read a suggestion as runs of lines: what each says of the text it is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.formats.elision_markers import (
    ElisionKind,
    classify_line,
)
from bytebuddy_provider_hf.edits.formats.hunks import Hunk
from bytebuddy_provider_hf.edits.formats.suggestion import Part
from bytebuddy_provider_hf.edits.lines import lines_of
from bytebuddy_provider_hf.edits.placing.elided import has_elisions, with_sure_markers

# Places of one line at which a run is looked for.
_MOST_PLACES: Final = 20


@frozen
class RunLine:
    """One line of a run: ``sign`` is `` `` context, ``-``, ``+``, or ``?`` unsaid."""

    sign: str
    text: str


@frozen
class Run:
    """Lines that a suggestion writes one below the other.

    An edge that is not open is an edge of the whole text. ``stated`` is the place that
    a number names, counted from 0.
    """

    lines: tuple[RunLine, ...]
    open_start: bool = True
    open_end: bool = True
    stated: int | None = None


def runs_of_hunks(hunks: Iterable[Hunk]) -> list[Run]:
    """Return the runs of a patch: one a hunk, every line signed.

    Lines that are taken away and written again, but for trailing blanks, stay.
    """
    runs: list[Run] = []
    for hunk in hunks:
        old = [line.text.rstrip() for line in hunk.lines if line.old]
        new = [line.text.rstrip() for line in hunk.lines if line.new]
        lines: list[RunLine] = []
        a = b = 0
        for i, j in [*aligned(old, new), (len(old), len(new))]:
            lines += (RunLine("-", text) for text in old[a:i])
            lines += (RunLine("+", text) for text in new[b:j])
            if i < len(old):
                lines.append(RunLine(" ", old[i]))
            a, b = i + 1, j + 1
        runs.append(Run(tuple(lines), stated=hunk.stated))
    return runs


def runs_of_code(
    lines: Sequence[str], known: Container[str], *, whole: bool
) -> list[Run]:
    """Return the runs of code: split at its markers, no line signed.

    A line that may be a marker is one if it is not ``known``, a line of the text.
    ``whole`` reads an edge without a marker as the edge of the text.
    """
    pieces: list[list[str]] = [[]]
    for line in lines:
        kind = classify_line(line)
        if kind is ElisionKind.MARKER or (
            kind is ElisionKind.UNSURE and line.strip() not in known
        ):
            pieces.append([])
        else:
            pieces[-1].append(line)
    last = len(pieces) - 1
    return [
        Run(
            tuple(RunLine("?", line) for line in piece),
            open_start=at > 0 or not whole,
            open_end=at < last or not whole,
        )
        for at, piece in enumerate(pieces)
        if any(line.strip() for line in piece)
    ]


def readings_of(parts: Sequence[Part], before: Sequence[str]) -> list[list[Run]]:
    """Return the ways to read a suggestion: its code as all of the text, or a part."""
    readings: list[list[Run]] = []
    known = {line.strip() for line in before}
    # Without a marker all of the text would be the result itself.
    for whole in (
        (True, False) if len(parts) == 1 and has_elisions(parts[0].code) else (False,)
    ):
        runs: list[Run] = []
        for part in parts:
            if part.patch is not None:
                runs += runs_of_hunks(part.patch.hunks)
            else:
                lines = with_sure_markers(lines_of(part.code).texts, before)
                runs += runs_of_code(lines, known, whole=whole)
        if runs not in readings:
            readings.append(runs)
    return readings


def without_unchanged(runs: Sequence[Run], before: Sequence[str]) -> list[Run]:
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
            for at in places.get(wanted[rarest], ())[:_MOST_PLACES]
            if at >= rarest
        )

    return [run for run in runs if not stands(run)]


def in_order(runs: list[Run], after: Sequence[str]) -> list[Run]:
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
    return [
        run for _, run in sorted(zip(places, runs, strict=True), key=lambda x: x[0])
    ]
