"""Judge a changed text by the suggestion that it was made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from attrs import evolve, frozen

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.definitions import gone
from bytebuddy_provider_hf.edits.formats.conflicts import left_markers
from bytebuddy_provider_hf.edits.formats.elision_markers import (
    ElisionKind,
    classify_line,
)
from bytebuddy_provider_hf.edits.formats.suggestion import Part, read_suggestion
from bytebuddy_provider_hf.edits.judging.derivation import derive
from bytebuddy_provider_hf.edits.judging.runs import (
    Run,
    in_order,
    readings_of,
    without_unchanged,
)
from bytebuddy_provider_hf.edits.languages import language_of
from bytebuddy_provider_hf.edits.lines import Piece, assemble, is_distinctive, lines_of
from bytebuddy_provider_hf.edits.placing.near_fit import words_of
from bytebuddy_provider_hf.edits.placing.wholefile import replace_file
from bytebuddy_provider_hf.errors import Doubt

# What is wrong: a marker that was left in, a suggested line that is not there, a line
# that nobody suggested, one that went unnamed; or all are there, in another order, in
# another place or with another indentation.
Fault: TypeAlias = Literal["marker", "missing", "added", "lost", "moved", "unchanged"]

_MOST_SHOWN: Final = 20
# Names that one sentence lists.
_MOST_NAMES: Final = 8
_MESSAGES: Final[Mapping[Fault, Callable[[], str]]] = {
    "marker": partial(texts.text, "judge.marker"),
    "missing": partial(texts.text, "judge.missing"),
    "added": partial(texts.text, "judge.added"),
    "lost": partial(texts.text, "judge.lost"),
    "moved": partial(texts.text, "judge.moved"),
    "unchanged": partial(texts.text, "judge.unchanged"),
}


@frozen
class Verdict:
    """``text`` where a result is explained; else the ``fault``, and its ``lines``.

    In ``text`` the lines that stay are those of the original, to the last blank.
    ``doubts`` are reasons to look at it, and ``message`` tells the fault to a person.
    """

    text: str | None = None
    fault: Fault | None = None
    lines: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    @property
    def message(self) -> str:
        """What is wrong with the result, in a sentence."""
        return "" if self.fault is None else _MESSAGES[self.fault]()


def judge_answer(
    original: str, suggestion: str, result: str, *, path: str = "", language: str = ""
) -> Verdict:
    """Return whether a suggestion explains the text that a model made by it."""
    kind = language_of(path, language)
    parts = read_suggestion(original, suggestion, language=kind, path=path)
    # What is in no known format is read as it stands.
    verdict = judge(
        original, parts or [Part(suggestion, "code", code=suggestion)], result
    )
    if verdict.text is None or all(part.patch for part in parts):
        return verdict
    before, after = lines_of(original).texts, lines_of(verdict.text).texts
    names = gone(before, after, aligned(before, after), kind)
    return evolve(verdict, doubts=(*verdict.doubts, *doubts_of(names)))


def doubts_of(names: Sequence[str]) -> tuple[Doubt, ...]:
    """Return the doubt that definitions are gone which nobody named."""
    if not names:
        return ()
    shown = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
    return (Doubt("gone", texts.text("answer.gone", names=shown), tuple(names)),)


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
    readings = readings_of(parts, before.texts)
    # Most wrong answers have a line too many or too few: that takes no search.
    fault = _fault(before.texts, after.texts, readings)
    if fault.fault != "moved":
        return fault
    if len(parts) == 1 and _is_whole(parts[0], before.texts, after.texts):
        kept = {new: old for old, new in aligned(olds, news)}
        text = assemble(before, [kept.get(at, x) for at, x in enumerate(after.texts)])
        lost = [*(_counted(before.texts) - _counted(after.texts)).elements()]
        # Without an edge of the text it may be a part that was taken for all of it.
        if not lost or replace_file(original, parts[0].code) is not None:
            return Verdict(text)
        told = texts.text("answer.lines_gone", count=len(lost))
        return Verdict(text, doubts=(Doubt("gone", told, tuple(lost[:_MOST_SHOWN])),))
    for reading in readings:
        runs = in_order(without_unchanged(reading, before.texts), after.texts)
        found = derive(before.texts, after.texts, runs)
        if found is None:
            continue
        stays = {new: old for old, new in found.kept}
        pieces: list[Piece] = [
            stays.get(at, text) for at, text in enumerate(after.texts)
        ]
        doubts: tuple[Doubt, ...] = ()
        if found.restored:
            doubts = (Doubt("restored", texts.text("judge.restored")),)
        return Verdict(assemble(before, pieces), doubts=doubts)
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


def _is_whole(part: Part, before: Sequence[str], after: Sequence[str]) -> bool:
    """Return whether a result is the suggestion itself, blank lines aside.

    At least half of the original's telling lines are in it: else it is a part. Between
    two lines there are as many blank lines as in the suggestion; or, where both lines
    stand so in the original, as many as there.
    """
    if part.patch is not None:
        return False
    said = lines_of(part.code).texts
    lines, blanks = _filled(after)
    wanted, stated = _filled(said)
    own, there = _filled(before)
    telling = [line for line in own if is_distinctive(line)]
    if lines != wanted or 2 * len(aligned(telling, lines)) < len(telling):
        return False
    usual = dict(zip(pairwise(own), there[1:], strict=False))
    pairs = pairwise(lines)
    inner = zip(pairs, blanks[1:-1], stated[1:-1], strict=True)
    return all(
        blank == other or usual.get(pair) == blank for pair, blank, other in inner
    )


def _filled(lines: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the lines that are not blank, and how many blank ones stand round each."""
    filled: list[str] = []
    blanks = [0]
    for line in lines:
        if line.strip():
            filled.append(line.rstrip())
            blanks.append(0)
        else:
            blanks[-1] += 1
    return filled, blanks


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
    # Where it is most of the text, what stands twice in the result was put in.
    most = 2 * (old & said).total() >= old.total() and len(readings) == 1
    faults: tuple[tuple[Fault, Counter[str]], ...] = (
        ("missing", wanted - new),
        ("added", new - old - said),
        ("added", Counter() if exact or not most else new - (old | said)),
        ("lost", old - new - named if exact else Counter[str]()),
    )
    for fault, found in faults:
        if found:
            return Verdict(fault=fault, lines=tuple(found.elements())[:_MOST_SHOWN])
    return Verdict(fault="moved")


def _counted(lines: Iterable[str]) -> Counter[str]:
    return Counter(words_of(line) for line in lines if is_distinctive(line))
