"""Make the trials of a run: what is handed over, and what it is meant to become."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from benchmarks.edits import doors
from benchmarks.edits.answers import replies
from benchmarks.edits.cases import Edit, Suggestion
from benchmarks.edits.changes import make_edit
from benchmarks.edits.corpus import MOST, corpus
from benchmarks.edits.doors import Written
from benchmarks.edits.non_code import KINDS, instruction_of
from benchmarks.edits.selections import (
    LINES,
    Selection,
    fill_answers,
    hole_of,
    selection_of,
)
from benchmarks.edits.slips import SLIPS, Lenient, Slip
from benchmarks.edits.styles import Style, all_styles

Part: TypeAlias = Literal["rule", "apply", "edit", "lines", "fill"]
# What has to come of a trial: the intended text; or no text, since what was handed over
# is damaged or is no code.
Aim: TypeAlias = Literal["intended", "not damaged", "nothing"]
PARTS: Final[tuple[Part, ...]] = ("rule", "apply", "edit", "lines", "fill")
_SLIPPED: Final = 0.5
# One file of so many ends its lines as Windows does, or does not end the last one.
_CRLF: Final = 10
_UNENDED: Final = 12
# For one change: suggestions that a model answers, and answers of each kind to edit.
_ASKED: Final = 5
_EDITS: Final = 16
_NON_CODE: Final = 16
_LINES: Final = 8
_FILLS: Final = 12


@frozen
class Plan:
    """Which trials to make: all that follows from it is the same on each machine."""

    seed: int
    files: int
    longest: int = MOST
    parts: tuple[Part, ...] = PARTS
    style: str = ""
    slip: str = ""
    # Without the project's own files each commit of it tries the same.
    own: bool = True


@frozen
class Trial:
    """One thing handed over, the text it is for, and what should come of it.

    ``clear`` says whether a careful reader knows for sure what is meant. ``name`` is
    the row of the figures that it counts in; ``act`` hands it over. Where a model is
    asked, ``said`` is what it was shown, and ``answer`` what it answered.
    """

    part: Part
    name: str
    edit: Edit
    aim: Aim
    said: str
    intended: str
    act: Callable[[], Written]
    style: str = ""
    slip: str = ""
    clear: bool = True
    distinctive: bool = False
    answer: str = ""
    lenient: frozenset[Lenient] = field(default=frozenset())


@lru_cache(maxsize=16)
def edit_number(plan: Plan, number: int) -> Edit | None:
    """Return one change of the run: the files in turn, each time another change."""
    files = corpus(plan.seed, plan.files, plan.longest, own=plan.own)
    rng = random.Random(f"{plan.seed} edit {number}")
    edit = make_edit(files[number % len(files)], rng)
    if edit is None or edit.changed_lines[-1:] == ("",):
        return edit
    crlf = rng.randrange(_CRLF) == 0
    return evolve(edit, eol="\r\n" if crlf else "\n", ended=rng.randrange(_UNENDED) > 0)


def trials(plan: Plan, number: int) -> Iterator[Trial]:
    """Yield the trials of one change, in an order that is always the same."""
    edit = edit_number(plan, number)
    if edit is None:
        return
    for part in plan.parts:
        rng = random.Random(f"{plan.seed} {number} {part}")
        for trial in _MAKERS[part](plan, edit, rng):
            if plan.style in trial.style or plan.style in trial.name:
                yield trial


def suggestions(
    plan: Plan, edit: Edit, rng: random.Random
) -> Iterator[tuple[Style, Slip | None, Suggestion]]:
    """Yield a change in each style that can say it, half of them with a slip."""
    # Each style has chance of its own: alone it makes the same as among the others.
    base = rng.random()
    named = any(plan.style in style.name for style in all_styles())
    for style in all_styles():
        own = random.Random(f"{base} {style.name}")
        # What names no style names a row, as "(right)" does, or "non-code".
        if named and plan.style not in style.name:
            continue
        made = style.render(edit, own)
        if made is not None and made.text.strip():
            slip, slipped = _slipped(plan, edit, style, made, own)
            yield style, slip, slipped


def _slipped(
    plan: Plan, edit: Edit, style: Style, suggestion: Suggestion, rng: random.Random
) -> tuple[Slip | None, Suggestion]:
    if rng.random() >= _SLIPPED:
        return None, suggestion
    for slip in rng.sample(SLIPS, len(SLIPS)):
        if plan.slip and plan.slip not in slip.name:
            continue
        made = slip.make(edit, style, suggestion, rng)
        if made is not None:
            return slip, made
    return None, suggestion


def is_clear(suggestion: Suggestion, slip: Slip | None) -> bool:
    """Whether a careful reader knows for sure what a suggestion means."""
    told = not suggestion.ambiguous or suggestion.numbered
    return told and (slip is None or slip.harmless)


def _rule(plan: Plan, edit: Edit, rng: random.Random) -> Iterator[Trial]:
    for style, slip, suggestion in suggestions(plan, edit, rng):
        yield _suggested("rule", edit, style, slip, suggestion)


def _suggested(
    part: Part, edit: Edit, style: Style, slip: Slip | None, suggestion: Suggestion
) -> Trial:
    """Return the trial of a suggestion, placed by rule or as an answer of edit."""

    def act() -> Written:
        if part == "rule":
            return doors.place(edit.original, suggestion.text, edit.file.path)
        return _edited(edit, suggestion.text)

    return Trial(
        part,
        style.name,
        edit,
        "intended",
        suggestion.text,
        edit.changed,
        act,
        style.name,
        slip.name if slip else "",
        is_clear(suggestion, slip),
        lenient=slip.lenient if slip else frozenset(),
    )


def _edited(edit: Edit, answer: str) -> Written:
    return doors.edit_answer(
        edit.original,
        answer,
        prefix="",
        suffix="",
        path=edit.file.path,
        instruction=instruction_of(edit),
    )


def _apply(plan: Plan, edit: Edit, rng: random.Random) -> Iterator[Trial]:
    found = list(suggestions(plan, edit, rng))
    for style, slip, suggestion in rng.sample(found, min(_ASKED, len(found))):
        clear = not suggestion.ambiguous or suggestion.numbered
        for reply in replies(edit, rng):
            # What fits two places explains an answer in either of them.
            if reply.damage and not clear:
                continue

            def act(said: str = suggestion.text, answer: str = reply.text) -> Written:
                return doors.apply_answer(edit.original, said, answer, edit.file.path)

            yield Trial(
                "apply",
                reply.damage or "(right)",
                edit,
                "not damaged" if reply.damage else "intended",
                suggestion.text,
                edit.changed,
                act,
                style.name,
                slip.name if slip else "",
                clear,
                reply.distinctive,
                reply.text,
                slip.lenient if slip else frozenset(),
            )


def _edit(plan: Plan, edit: Edit, rng: random.Random) -> Iterator[Trial]:
    found = list(suggestions(plan, edit, rng))
    for style, slip, suggestion in rng.sample(found, min(_EDITS, len(found))):
        yield _suggested("edit", edit, style, slip, suggestion)
    for kind in rng.sample(KINDS, _NON_CODE):
        answer = kind.make(edit, rng)
        if answer is None or answer.strip() == edit.file.text.strip():
            continue

        def act(answer: str = answer) -> Written:
            return _edited(edit, answer)

        name = f"non-code: {kind.name}"
        # What is left of the file may be worked into it, if that is done rightly.
        aim = edit.changed if kind.alike else edit.original
        yield Trial("edit", name, edit, "nothing", answer, aim, act)


def _lines(plan: Plan, edit: Edit, rng: random.Random) -> Iterator[Trial]:
    del plan
    selection = selection_of(evolve(edit, eol="\n", ended=True), rng)
    if selection is None:
        return
    for name in rng.sample(sorted(LINES), _LINES):
        answer = LINES[name](selection, rng)
        if answer is not None:
            yield _selected(selection, name, "intended", answer)
    for kind in rng.sample(KINDS, _LINES):
        answer = kind.make(edit, rng)
        # A part of the file is no answer for a few of its lines, but not non-code.
        if answer is not None and not kind.alike:
            yield _selected(selection, f"non-code: {kind.name}", "nothing", answer)


def _selected(selection: Selection, name: str, aim: Aim, answer: str) -> Trial:
    edit = selection.edit

    def act() -> Written:
        written = doors.edit_answer(
            selection.code,
            answer,
            prefix=selection.prefix,
            suffix=selection.suffix,
            path=edit.file.path,
            instruction=instruction_of(edit),
        )
        if written.text is None:
            return written
        text = selection.prefix + written.text + selection.suffix
        return Written(text, written.doubted, written.why)

    intended = edit.changed if aim == "intended" else edit.original
    return Trial("lines", name, edit, aim, selection.code, intended, act, answer=answer)


def _fill(plan: Plan, edit: Edit, rng: random.Random) -> Iterator[Trial]:
    del plan
    hole = hole_of(edit)
    if hole is None:
        return
    every = list(fill_answers(edit, hole))
    for name, answer, is_code in rng.sample(every, min(_FILLS, len(every))):

        def act(answer: str = answer) -> Written:
            written = doors.fill_answer(
                hole.prefix, hole.suffix, answer, edit.file.path
            )
            return Written(hole.prefix + (written.text or "") + hole.suffix)

        text = hole.middle if is_code else ""
        yield Trial(
            "fill",
            name if is_code else f"non-code: {name}",
            edit,
            "intended" if is_code else "nothing",
            answer,
            hole.prefix + text + hole.suffix,
            act,
        )


_MAKERS: Final = {
    "rule": _rule,
    "apply": _apply,
    "edit": _edit,
    "lines": _lines,
    "fill": _fill,
}
