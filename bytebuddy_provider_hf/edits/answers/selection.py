"""CutAnswer an answer down to the lines of a file that were to be changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import aligned, changes
from bytebuddy_provider_hf.edits.indentation import shifted, with_tabs_of
from bytebuddy_provider_hf.edits.lines import is_distinctive, lines_of

# Of the telling lines round a selection, so many stand in an answer that is all of it.
_SHARE: Final = 0.5
# How far from a selection what an answer repeats may begin: a large class.
_MOST_ROUND: Final = 2_000
_MOST_TRIED: Final = 4


@frozen
class Selection:
    """Lines ``start`` to ``end`` of a file; ``lines`` are all that the file has.

    They are ``whole`` lines, or begin or end within one: then only the code counts.
    """

    lines: tuple[str, ...]
    start: int
    end: int
    whole: bool

    @property
    def code(self) -> tuple[str, ...]:
        """The selected lines."""
        return self.lines[self.start : self.end]

    @property
    def is_file(self) -> bool:
        """Whether nothing stands round the selection."""
        return self.end - self.start == len(self.lines)


@frozen
class CutAnswer:
    """The new lines of a selection; of the answer ``left_out`` changes are elsewhere.

    ``repeats`` tells that more than the selection came back.
    """

    lines: tuple[str, ...]
    left_out: int = 0
    repeats: bool = False


def selection_of(code: str, prefix: str, suffix: str) -> Selection:
    """Return where ``code`` stands between what is before and after it."""
    within = bool(prefix) and not prefix.endswith("\n")
    rest = suffix
    if suffix and not code.endswith("\n") and (code or within):
        # Editors may leave the end of the last line outside.
        end = next((end for end in ("\r\n", "\n") if suffix.startswith(end)), None)
        within = within or end is None
        rest = suffix.removeprefix(end or "")
    if within:
        own = lines_of(code).texts
        return Selection(own, 0, len(own), whole=False)
    before, own, after = (lines_of(each).texts for each in (prefix, code, rest))
    start = len(before)
    return Selection((*before, *own, *after), start, start + len(own), whole=True)


def fitted(
    answer: Sequence[str], selection: Selection, *, as_is: bool = False
) -> CutAnswer | None:
    """Return what an answer makes of a selection; ``None`` where that is not certain.

    The answer may be the selection alone, repeat lines round it, or be the whole file;
    its indentation may be lost. Blank lines at the edges are those of the selection.
    Blanks that were to be changed stay ``as_is``.
    """
    if as_is and selection.is_file:
        return CutAnswer(tuple(answer))
    if not as_is:
        answer = with_tabs_of(answer, selection.lines)
    answer = stripped(answer)
    start, end = selection.start, selection.end
    if answer and not selection.is_file:
        code = selection.code
        before, after = selection.lines[:start], selection.lines[end:]
        above = _reach(answer, code, before[-_MOST_ROUND:][::-1])
        back = _reach(answer[::-1], code[::-1], after[:_MOST_ROUND])
        # A whole file may begin or end with something new.
        if not above and _has_most(answer, before, code):
            above = start
        if not back and _has_most(answer, after, code):
            back = len(after)
        start, end = start - above, end + back
    # What the answer stands for: the selection, or more of the file.
    region = selection.lines[start:end]
    lines = shifted(answer, region)
    if (start, end) == (selection.start, selection.end):
        return CutAnswer(tuple(with_edges_of(lines, region)))
    lead, tail = _edges(region)
    inside = (*region[:lead], *lines, *region[len(region) - tail :])
    new = (*selection.lines[:start], *inside, *selection.lines[end:])
    return cut_down(new, selection)


def cut_down(new: Sequence[str], selection: Selection) -> CutAnswer | None:
    """Return the changes of a whole file that are in the selection.

    ``None`` where one change is partly inside, and cannot be divided.
    """
    lines, start, end = selection.lines, selection.start, selection.end
    made: list[str] = []
    done, left_out = start, 0
    for change in changes(lines, new, aligned(lines, new)):
        a, a_end, b, b_end = change
        if a == a_end:
            # What is put in near the selection is slid to its edge.
            while end < a and b and lines[a - 1] == new[b_end - 1]:
                a, b, b_end = a - 1, b - 1, b_end - 1
            while a < start and b_end < len(new) and lines[a] == new[b]:
                a, b, b_end = a + 1, b + 1, b_end + 1
            a_end = a
        if a_end < start or a > end or (a < a_end and (a_end == start or a == end)):
            left_out += 1
            continue
        low, high = max(a, start), min(a_end, end)
        if (a, a_end) != (low, high):
            # Line for line it can be divided where both sides are as long.
            if a_end - a != b_end - b:
                return None
            left_out += 1
        made += lines[done:low]
        made += new[b + low - a : b_end + high - a_end]
        done = high
    made += lines[done:end]
    return CutAnswer(tuple(made), left_out, repeats=True)


def stripped(lines: Sequence[str]) -> Sequence[str]:
    """Return lines without the blank ones at both edges."""
    lead, tail = _edges(lines)
    return lines[lead : len(lines) - tail]


def with_edges_of(lines: Sequence[str], region: Sequence[str]) -> list[str]:
    """Return lines with the blank ones at both edges that ``region`` has."""
    lead, tail = _edges(region)
    return [*region[:lead], *lines, *region[len(region) - tail :]]


def _edges(lines: Sequence[str]) -> tuple[int, int]:
    """Return how many blank lines stand at the start and at the end."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    if not filled:
        return 0, len(lines)
    return filled[0], len(lines) - 1 - filled[-1]


def _reach(answer: Sequence[str], code: Sequence[str], near: Sequence[str]) -> int:
    """Return how many lines before the selection an answer begins.

    ``near`` are those lines, the nearest first. For its end all three are turned round.
    """
    said = [line.strip() for line in answer]
    filled = [line for line in said if line]
    kept = [line.strip() for line in code if line.strip()]
    tried = 0
    for at, line in enumerate(near):
        if line.strip() != said[0]:
            continue
        own = [each.strip() for each in near[: at + 1][::-1] if each.strip()]
        telling = [each for each in own if is_distinctive(each)]
        if filled[: len(own)] == own:
            same = kept[: len(own)] == own
            # What the selection itself begins with is not cut, unless it comes twice.
            again = not same or said.count(own[0]) > kept.count(own[0])
            # A bracket alone tells nothing; with the first selected line below it does.
            follows = filled[len(own) : len(own) + 1] == kept[:1] and line == answer[0]
            if again and (telling or follows):
                return at + 1
        elif len(own) > 1 and is_distinctive(line) and line.strip() not in kept:
            both = set(telling).intersection(said)
            if len(both) >= max(2, _SHARE * len(telling)):
                return at + 1
        tried += 1
        if tried == _MOST_TRIED:
            break
    return 0


def _has_most(answer: Sequence[str], lines: Sequence[str], code: Sequence[str]) -> bool:
    """Whether most of the telling lines round a selection, two at least, were said."""
    telling = {line.strip() for line in lines if is_distinctive(line)}
    telling -= {line.strip() for line in code}
    both = telling.intersection(line.strip() for line in answer)
    return len(both) >= max(2, _SHARE * len(telling))
