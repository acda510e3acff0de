"""Read a suggestion as runs of lines: what each says of the text it is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from bytebuddy_provider_hf.edits.elision_markers import ElisionKind, classify_line
from bytebuddy_provider_hf.edits.hunks import Hunk


@frozen
class RunLine:
    """One line of a run: ``sign`` is `` `` context, ``-``, ``+``, or ``?`` unsaid."""

    sign: str
    text: str


@frozen
class Run:
    """Lines that a suggestion writes one below the other.

    An edge that is not open is an edge of the whole text.
    """

    lines: tuple[RunLine, ...]
    open_start: bool = True
    open_end: bool = True


def runs_of_hunks(hunks: Iterable[Hunk]) -> list[Run]:
    """Return the runs of a patch: one a hunk, every line signed."""
    return [
        Run(tuple(RunLine(line.sign or " ", line.text) for line in hunk.lines))
        for hunk in hunks
    ]


def runs_of_code(lines: Sequence[str], *, whole: bool) -> list[Run]:
    """Return the runs of code: split at its markers, no line signed.

    ``whole`` reads an edge without a marker as the edge of the text.
    """
    pieces: list[list[str]] = [[]]
    for line in lines:
        if classify_line(line) is ElisionKind.MARKER:
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
