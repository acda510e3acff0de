"""Place each suggestion by rule and tell right from wrong, as a careful reader would."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from typing import Final, Literal, TypeAlias

from attrs import frozen

from benchmarks.edits.cases import Edit, File, Suggestion
from benchmarks.edits.changes import make_edit
from benchmarks.edits.corpus import corpus
from benchmarks.edits.slips import SLIPS, Lenient, Slip
from benchmarks.edits.styles import Style, all_styles
from bytebuddy_provider_hf.edits.merge import merge

Verdict: TypeAlias = Literal["right", "doubted", "refused", "wrong", "crash"]
VERDICTS: Final[tuple[Verdict, ...]] = (
    "right",
    "doubted",
    "refused",
    "wrong",
    "crash",
)
# Whether a suggestion that a person can place surely is in the bounds of its style.
_SLIPPED: Final = 0.5


@frozen
class Plan:
    """Which cases to make: all that follows from it is the same on each machine."""

    seed: int
    files: int
    style: str = ""
    slip: str = ""


@frozen
class Case:
    """One suggestion for one file, and what it is meant to make of it."""

    edit: Edit
    style: Style
    slip: Slip | None
    suggestion: Suggestion
    original: str
    intended: str

    @property
    def clear(self) -> bool:
        """Whether a careful reader knows for sure what is meant."""
        said = not self.suggestion.ambiguous or self.suggestion.numbered
        return said and (self.slip is None or self.slip.harmless)


@frozen
class Outcome:
    """What became of a case, in few words, so that it goes from process to process."""

    edit: int
    style: str
    slip: str
    kind: str
    verdict: Verdict
    clear: bool
    how: str = ""


@cache
def edit_number(plan: Plan, number: int) -> Edit | None:
    """Return one change of the run: the files in turn, each time another change."""
    files = corpus(plan.seed, plan.files)
    file = files[number % len(files)]
    return make_edit(file, random.Random(f"{plan.seed} edit {number}"))


def cases(plan: Plan, number: int) -> Iterator[Case]:
    """Yield the suggestions for one change, in each style that can say it."""
    edit = edit_number(plan, number)
    if edit is None:
        return
    for style in all_styles():
        if plan.style and plan.style not in style.name:
            continue
        rng = random.Random(f"{plan.seed} {number} {style.name}")
        suggestion = style.render(edit, rng)
        if suggestion is not None:
            yield _case(plan, edit, style, suggestion, rng)


def _case(
    plan: Plan, edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> Case:
    original, intended = edit.file.text, edit.changed
    slipped = rng.random() < _SLIPPED
    # Each slip in turn as often as it has a place, in an order by chance.
    for slip in rng.sample(SLIPS, len(SLIPS)) if slipped else ():
        if plan.slip and plan.slip not in slip.name:
            continue
        made = slip.make(edit, style, suggestion, rng)
        if made is not None:
            return Case(edit, style, slip, made, original, intended)
    return Case(edit, style, None, suggestion, original, intended)


def judged(case: Case) -> tuple[Verdict, str, str | None]:
    """Return what became of a case, by which rule, and the text that was made."""
    try:
        merged = merge(
            case.original, case.suggestion.text, path=case.edit.file.path
        )
    except Exception as exc:  # noqa: BLE001 - a crash is one of the things counted
        return "crash", f"{type(exc).__name__}: {exc}", None
    if merged.text is None:
        return "refused", "", None
    how = merged.how or ""
    lenient = case.slip.lenient if case.slip else frozenset()
    if merged.doubts:
        return "doubted", how, merged.text
    right = same(merged.text, case.intended, lenient)
    return "right" if right else "wrong", how, merged.text


def same(result: str, intended: str, lenient: frozenset[Lenient] = frozenset()) -> bool:
    """Whether a result is the intended text, but for what the slip itself touched."""
    if result == intended:
        return True
    if "line ends" in lenient:
        result = result.replace("\r\n", "\n")
    one, other = result.split("\n"), intended.split("\n")
    if "trailing blanks" in lenient:
        one, other = [x.rstrip() for x in one], [x.rstrip() for x in other]
    if "blank lines" in lenient:
        full, wanted = _filled(one), _filled(other)
        # One line at each end of each block is all that a slip adds or loses.
        return full == wanted and abs(len(one) - len(other)) <= _BLANKS
    return one == other


_BLANKS: Final = 12


def _filled(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip()]


def outcomes(plan: Plan, number: int) -> list[Outcome]:
    """Place every suggestion for one change and return what became of each."""
    found = []
    for case in cases(plan, number):
        verdict, how, _ = judged(case)
        found.append(
            Outcome(
                number,
                case.style.name,
                case.slip.name if case.slip else "",
                case.edit.kind,
                verdict,
                case.clear,
                how,
            )
        )
    return found


def files_of(plan: Plan) -> tuple[File, ...]:
    """Return the files of a run."""
    return corpus(plan.seed, plan.files)
