"""Place suggestions that leave code out with markers into the text they are of.

A suggestion is read as the whole text: it begins where the text begins unless a marker
comes first, and ends where the text ends unless a marker comes last. Between markers
stand segments. The outermost distinctive lines of a segment next to a marker are its
anchors: lines of the original, exactly. The segment replaces all between its anchors; a
marker stands for all between two segments. A text is made only where the anchors have
exactly one place, in order.

So between a change and a marker there has to be a distinctive line, or three lines of
any kind, as people and ``diff`` write it: a blank line alone is no context.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.definitions import definitions
from bytebuddy_provider_hf.edits.formats.elision_markers import (
    ElisionKind,
    classify_line,
)
from bytebuddy_provider_hf.edits.indentation import indent_of
from bytebuddy_provider_hf.edits.lines import (
    Lines,
    assemble,
    is_distinctive,
    lines_of,
)
from bytebuddy_provider_hf.edits.placed import Placed
from bytebuddy_provider_hf.edits.placing.ambiguity import (
    may_be_insertion,
    may_be_moved,
)
from bytebuddy_provider_hf.edits.placing.near_part import NearParts

# A segment that drops more than this, and more than it says, is not believed.
_MOST_DROPPED: Final = 30
# Brackets and blank lines outside an anchor. Three could be all the context that a
# change has on that side, and the anchor beyond the change.
_MOST_OUTSIDE: Final = 2
_MOST_ALIKE: Final = 0.5
_FEWEST_NEW: Final = 2
# A part that shows so few lines and changes none shows where something went.
_FEWEST_SHOWN: Final = 4


@frozen
class Segment:
    """Lines between markers; ``open_start`` is false where the text itself begins."""

    lines: tuple[str, ...]
    open_start: bool
    open_end: bool

    @property
    def distinctive(self) -> list[int]:
        """The places of the lines that can tell a place."""
        return [at for at, line in enumerate(self.lines) if is_distinctive(line)]

    @property
    def is_context(self) -> bool:
        """Whether it is so short that what changes in it must be what it lacks."""
        return sum(bool(line.strip()) for line in self.lines) <= _FEWEST_SHOWN


@frozen
class _Anchor:
    """A line of a segment that is one of the original's, at one of ``places``."""

    segment: int
    at: int
    places: Sequence[int]


@frozen
class _Region:
    """Lines ``start`` to ``end`` of the original, which a segment replaces."""

    start: int
    end: int


class _Unplaced(Exception):
    """A segment has no place, or more than one."""

    def __init__(self, segment: Segment) -> None:
        super().__init__()
        self.segment = segment


def has_elisions(suggestion: str) -> bool:
    """Return whether a line of ``suggestion`` is a marker."""
    return any(
        classify_line(line) is ElisionKind.MARKER for line in lines_of(suggestion).texts
    )


def with_sure_markers(lines: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return lines with dots alone in one marked as the marker that they must be.

    In Python three dots may be all the body of a function: below its colon they are
    left as they are, and so are those that the text, ``known``, has itself.
    """
    own = {line.strip() for line in known}
    made: list[str] = []
    opens = False
    for line in lines:
        said = line.strip()
        alone = bool(said) and not said.strip(".…") and len(said.strip("…")) in (0, 3)
        if alone and said not in own and not opens:
            made.append(f"{indent_of(line)}# ...")
        else:
            made.append(line)
        if said:
            opens = said.endswith(":")
    return made


def possible_elisions(original: str, suggestion: str) -> tuple[str, ...]:
    """Return lines that may be markers or not; those of the original are none."""
    known = {line.strip() for line in lines_of(original).texts}
    return tuple(
        line
        for line in lines_of(suggestion).texts
        if classify_line(line) is ElisionKind.UNSURE and line.strip() not in known
    )


def apply_elided(
    original: str,
    suggestion: str,
    *,
    open_start: bool = False,
    open_end: bool = False,
) -> Placed:
    """Return ``original`` with a suggestion that has markers worked in.

    Nothing is placed where a line may or may not be a marker, or where the original
    holds the same markers itself; nor where nothing would change. Every line of the
    suggestion but its markers is in the result. With ``open_start`` or ``open_end`` it
    goes on at
    that edge without a marker.
    """
    before, said = lines_of(original), lines_of(suggestion)
    # Trailing blanks come and go: lines that stay have the original's.
    bare = evolve(before, texts=tuple(line.rstrip() for line in before.texts))
    doubtful = possible_elisions(original, suggestion)
    if doubtful:
        return Placed(None, doubtful)
    # Of a marker that the text has itself nobody knows which is meant.
    own = {line.strip() for line in before.texts}
    if any(
        classify_line(line) is ElisionKind.MARKER and line.strip() in own
        for line in said.texts
    ):
        return Placed(None, (suggestion,))
    runs: list[list[str]] = [[]]
    for line in said.texts:
        if classify_line(line) is ElisionKind.MARKER:
            runs.append([])
        else:
            runs[-1].append(line.rstrip())
    last = len(runs) - 1
    # Blank lines between two markers are layout, and no segment.
    segments = [
        Segment(tuple(run), open_start or number > 0, open_end or number < last)
        for number, run in enumerate(runs)
        if any(line.strip() for line in run)
    ]
    # More blank lines than layout has are the context of what went between them.
    bare_runs = [run for run in runs[1:-1] if not any(line.strip() for line in run)]
    if not segments or any(len(run) > 1 for run in bare_runs):
        return Placed(None, (suggestion,))
    appended: list[str] = []
    if before.texts and _appends(segments[-1], bare):
        appended = list(segments.pop().lines)
        # One blank line before it is enough.
        while not before.texts[-1].strip() and not appended[0].strip():
            del appended[0]
    # Without a marker an edge may be what changes.
    marked = not open_start and not open_end
    try:
        pieces = _pieces(segments, _regions(segments, bare), bare)
    except _Unplaced as unplaced:
        nearly = _nearly(segments, bare) if marked else None
        if nearly is None:
            return Placed(None, ("\n".join(unplaced.segment.lines),))
        pieces = nearly
    if may_be_moved(pieces, bare.texts):
        return Placed(None, (suggestion,))
    # New lines have the trailing blanks that they were written with.
    written = {line.rstrip(): line for line in said.texts}
    text = assemble(
        before,
        [
            piece if isinstance(piece, int) else written.get(piece, piece)
            for piece in (*pieces, *appended)
        ],
    )
    return Placed(None, (suggestion,)) if text == original else Placed(text)


def _nearly(segments: list[Segment], before: Lines) -> list[int | str] | None:
    """Return the new text where each segment has one place that is clearly its own.

    An edge of the text has to be as it is.
    """
    parts = NearParts(before.texts)
    pieces: list[int | str] = []
    done = 0
    for segment in segments:
        fit = parts.fit(
            segment.lines, open_start=segment.open_start, open_end=segment.open_end
        )
        if fit is None or fit.start < done:
            return None
        start, end = fit.start, fit.end
        if may_be_insertion(before.texts, start, end, fit.lines):
            return None
        if list(fit.lines) == [*range(start, end)] and segment.is_context:
            return None
        if not segment.open_start and any(x.strip() for x in before.texts[:start]):
            return None
        if not segment.open_end and any(x.strip() for x in before.texts[end:]):
            return None
        pieces += [*range(done, start), *fit.lines]
        done = end
    return [*pieces, *range(done, len(before.texts))]


def _regions(segments: list[Segment], before: Lines) -> list[_Region]:
    """Return what each segment replaces, by its first and its last anchor."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, line in enumerate(before.texts):
        places[line].append(at)
    anchors: list[_Anchor] = []
    for number, segment in enumerate(segments):
        own = segment.distinctive
        # At an edge of the text lines outside those that the original has are new.
        known = [at for at in own if segment.lines[at] in places]
        outer = own if segment.open_start else known
        inner = own if segment.open_end else known
        if not outer or not inner or outer[0] > inner[-1]:
            raise _Unplaced(segment)
        for at in sorted({outer[0], inner[-1]}):
            if segment.lines[at] not in places:
                raise _Unplaced(segment)
            anchors.append(_Anchor(number, at, places[segment.lines[at]]))
    own_places: list[list[tuple[int, int]]] = [[] for _ in segments]
    found = _only_places(anchors, segments)
    for anchor, place in zip(anchors, found, strict=True):
        own_places[anchor.segment].append((anchor.at, place))
    regions: list[_Region] = []
    for segment, fixed in zip(segments, own_places, strict=True):
        region = _region(segment, fixed, before)
        # Two segments that replace the same lines contradict each other.
        if regions and region.start < regions[-1].end:
            raise _Unplaced(segment)
        regions.append(region)
    return regions


def _only_places(anchors: list[_Anchor], segments: list[Segment]) -> list[int]:
    """Return the places of all anchors, which rise; there must be one way only."""
    # Each as far up as it can be, in order; then each as far down: if both agree, there
    # is no other way.
    earliest: list[int] = []
    last = -1
    for anchor in anchors:
        at = bisect_left(anchor.places, last + 1)
        if at == len(anchor.places):
            raise _Unplaced(segments[anchor.segment])
        last = anchor.places[at]
        earliest.append(last)
    limit: int | None = None
    for anchor, place in zip(reversed(anchors), reversed(earliest), strict=True):
        at = len(anchor.places) if limit is None else bisect_left(anchor.places, limit)
        limit = anchor.places[at - 1]
        if limit != place:
            raise _Unplaced(segments[anchor.segment])
    return earliest


def _region(segment: Segment, own: list[tuple[int, int]], before: Lines) -> _Region:
    """Return what a segment replaces: its anchors, and the brackets outside them.

    At an edge of the text no line may be outside them but brackets that the segment
    has too: nobody knows whether others were meant to go.
    """
    (at, start), (at_end, end) = own[0], own[-1]
    total = len(before.texts)
    if segment.open_start:
        start -= at
        if (
            at > _MOST_OUTSIDE
            or start < 0
            or before.texts[start : start + at] != segment.lines[:at]
        ):
            raise _Unplaced(segment)
    else:
        outside = before.texts[:start]
        if outside not in (segment.lines[:start], segment.lines[at - start : at]):
            raise _Unplaced(segment)
        start = 0
    tail = segment.lines[at_end + 1 :]
    if segment.open_end:
        if len(tail) > _MOST_OUTSIDE:
            raise _Unplaced(segment)
        if before.texts[end + 1 : end + 1 + len(tail)] != tail:
            raise _Unplaced(segment)
        return _Region(start, end + 1 + len(tail))
    outside = before.texts[end + 1 :]
    if outside not in (tail[len(tail) - len(outside) :], tail[: len(outside)]):
        raise _Unplaced(segment)
    return _Region(start, total)


def _pieces(
    segments: list[Segment], regions: list[_Region], before: Lines
) -> list[int | str]:
    """Return the new text, as lines of the original by number and new ones."""
    pieces: list[int | str] = []
    done = 0
    for segment, region in zip(segments, regions, strict=True):
        pieces += range(done, region.start)
        old_lines = before.texts[region.start : region.end]
        kept = {
            new: old + region.start for old, new in aligned(old_lines, segment.lines)
        }
        # Lines between two anchors that a segment does not have: the model may have
        # left them out without a marker.
        dropped = region.end - region.start - len(kept)
        if dropped > max(_MOST_DROPPED, len(segment.lines)):
            raise _Unplaced(segment)
        new = [kept.get(at, line) for at, line in enumerate(segment.lines)]
        if may_be_insertion(before.texts, region.start, region.end, new):
            raise _Unplaced(segment)
        if new == [*range(region.start, region.end)] and segment.is_context:
            raise _Unplaced(segment)
        pieces += new
        done = region.end
    pieces += range(done, len(before.texts))
    return pieces


def _appends(segment: Segment, before: Lines) -> bool:
    """Return whether the last segment is new throughout and stands for itself.

    It begins at the margin, its brackets are balanced, none of its distinctive lines
    is in the original, and nothing there is like its first line: code that is like it
    would be what it replaces.
    """
    own = [segment.lines[at] for at in segment.distinctive]
    if segment.open_end or not segment.open_start or len(own) < _FEWEST_NEW:
        return False
    first = next(line for line in segment.lines if line.strip())
    # A piece of a block belongs into the block, wherever that is.
    signs = Counter("".join(segment.lines))
    balanced = all(signs[left] == signs[right] for left, right in ("()", "[]", "{}"))
    if first != own[0] or first[0].isspace() or not balanced:
        return False
    # What has no name may be what comes in the place of the last lines.
    if not definitions([first], None):
        return False
    known = {line.strip() for line in before.texts}
    if any(line.strip() in known for line in own):
        return False
    words = _words(first)
    for line in before.texts:
        others = _words(line)
        both, either = len(words & others), len(words | others)
        if both and both / either >= _MOST_ALIKE:
            return False
    return True


def _words(line: str) -> set[str]:
    spaced = "".join(char if char.isalnum() or char == "_" else " " for char in line)
    return set(spaced.split())
