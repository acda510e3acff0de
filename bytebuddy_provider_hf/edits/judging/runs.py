"""Read a suggestion as runs of lines: what each says of the text it is for."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.formats.elision_markers import (
    ElisionKind,
    classify_line,
)
from bytebuddy_provider_hf.edits.formats.hunks import Hunk


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
    return [Run(_signed(hunk), stated=hunk.stated) for hunk in hunks]


def _signed(hunk: Hunk) -> tuple[RunLine, ...]:
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
    return tuple(lines)


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
