"""Edits are placed right or not at all, by the benchmark that measures it."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from rounds import LONG

from benchmarks.edits.answers import DAMAGES
from benchmarks.edits.cases import Edit, File, Op
from benchmarks.edits.corpus import corpus
from benchmarks.edits.doors import Written
from benchmarks.edits.right_answer import Answer, is_distinctive
from benchmarks.edits.score import Outcome, bounds, outcomes, same, verdict_of
from benchmarks.edits.slips import SLIPS
from benchmarks.edits.styles import all_styles
from benchmarks.edits.trials import Aim, Plan, Trial, edit_number, trials

ROOT = Path(__file__).parents[2]
# The whole run is of 50,000 placements; this is of every style and every part.
CHANGES = 5
PLAN = Plan(seed=3, files=24, longest=200, own=False)


@cache
def short_run() -> tuple[Outcome, ...]:
    return tuple(chain(*(outcomes(PLAN, number) for number in range(CHANGES))))


def some_edits(count: int = 24) -> list[Edit]:
    made = (edit_number(PLAN, number) for number in range(count))
    return [edit for edit in made if edit is not None]


def trial_of(intended: str, *, aim: Aim = "intended") -> Trial:
    file = File("a.py", "one = 1\ntwo = 2\n", "python")
    edit = Edit("replace", file, (Op(1, 2, ("two = 3",)),))
    done = Written(None)
    return Trial("rule", "x", edit, aim, "", intended, lambda: done)


@pytest.mark.parametrize("part", ["rule", "apply", "edit", "lines", "fill"])
def test_every_part_has_trials(part: str) -> None:
    """A part without trials would keep its bounds whatever the package does."""
    assert sum(each.part == part for each in short_run()) >= 20


def test_nothing_is_placed_wrong_by_rule() -> None:
    """A suggestion that has no certain place is refused, or a person is asked."""
    wrong = [x for x in short_run() if x.part == "rule" and x.verdict == "wrong"]
    assert not wrong


def test_nothing_crashes() -> None:
    """Whatever is handed over, the answer is a text or a refusal."""
    assert not [x for x in short_run() if x.verdict == "crash"]


@pytest.mark.parametrize("part", ["edit", "lines", "fill"])
def test_no_answer_that_is_no_code_is_written(part: str) -> None:
    """Talk, tool calls, errors and shortened files never become the file."""
    of_part = [x for x in short_run() if x.part == part and x.aim == "nothing"]
    assert not [x for x in of_part if x.verdict == "wrong"]


def test_no_damaged_answer_is_accepted() -> None:
    """Where a line with a word of its own changed, nobody suggested that."""
    damaged = [x for x in short_run() if x.part == "apply" and x.distinctive]
    assert not [x for x in damaged if x.verdict == "wrong"]


@pytest.mark.skipif(not LONG, reason="BYTEBUDDY_LONG=1 runs it")
@pytest.mark.timeout(7200)
def test_the_whole_run_keeps_every_bound() -> None:
    """The figures of the project are printed by one command, which must not rot."""
    seed = str(random.SystemRandom().randrange(10_000))
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.edits", "--seed", seed, "--show", "5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr


def test_the_command_prints_a_row_for_each_style_and_each_bound() -> None:
    """A first look takes seconds: few placements, in one process."""
    run = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "benchmarks.edits"),
            *("--count", "60", "--part", "rule", "--jobs", "1", "--files", "6"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not run.stderr
    assert "\ndiff context 3 " in run.stdout
    assert "placed wrong by rule: 0" in run.stdout


def test_there_are_ninety_styles_and_each_name_stands_once() -> None:
    """A row of the figures is one style."""
    names = Counter(style.name for style in all_styles())
    assert len(names) >= 90
    assert set(names.values()) == {1}


def test_two_hundred_files_are_taken() -> None:
    """Not only Python: the project's own Markdown and TOML are among them."""
    files = corpus(1, 300)
    library = [file for file in files if file.path.startswith(("lib/", "include/"))]
    assert len(library) >= 200
    assert {"python", "markdown", "toml"} <= {file.language for file in files}


def test_a_run_is_the_same_each_time() -> None:
    """An example that somebody saw can be seen again by its seed."""
    one, other = (list(trials(PLAN, 1)) for _ in range(2))
    assert [each.said for each in one] == [each.said for each in other]


def test_one_style_alone_makes_what_it_makes_among_the_others() -> None:
    """So that an example of a long run is found again in a short one."""
    alone = trials(Plan(3, 24, 200, ("rule",), "diff context 3", own=False), 1)
    among = (t for t in trials(PLAN, 1) if t.name == "diff context 3")
    assert [t.said for t in alone] == [t.said for t in among if t.part == "rule"]


def test_every_edit_changes_its_file() -> None:
    """A change that changes nothing would be right whatever is done with it."""
    edits = some_edits()
    assert len(edits) >= 20
    assert all(edit.changed != edit.file.text for edit in edits)


def test_every_slip_changes_a_suggestion() -> None:
    """A slip that never shows would measure nothing."""
    seen: set[str] = set()
    for number, edit in enumerate(some_edits()):
        for style in all_styles():
            rng = random.Random(number)
            suggestion = style.render(edit, rng)
            for slip in SLIPS if suggestion else ():
                made = slip.make(edit, style, suggestion, rng)
                assert made is None or made.text != suggestion.text, slip.name
                seen |= {slip.name} if made else set()
        if len(seen) == len(SLIPS):
            return
    assert seen == {slip.name for slip in SLIPS}


def test_every_damage_changes_the_answer() -> None:
    """A damage that changes nothing would count a right answer as accepted."""
    seen: set[str] = set()
    for number, edit in enumerate(some_edits()):
        answer = Answer(edit)
        for damage in DAMAGES:
            made = damage.make(answer, random.Random(number))
            if made is not None and tuple(made) != answer.lines:
                seen.add(damage.name)
    assert seen == {damage.name for damage in DAMAGES}


@pytest.mark.parametrize(
    ("written", "verdict"),
    [
        ("one = 1\ntwo = 3\n", "right"),
        ("two = 3\none = 1\n", "wrong"),
        ("one = 1\ntwo = 3", "wrong"),
        ("one = 1\n\ntwo = 3\n", "wrong"),
        (None, "refused"),
    ],
)
def test_any_difference_from_the_intended_text_is_wrong(
    written: str | None, verdict: str
) -> None:
    """The benchmark can fail: one line in another place is enough."""
    assert verdict_of(trial_of("one = 1\ntwo = 3\n"), Written(written)) == verdict


def test_what_a_person_is_asked_about_is_doubted() -> None:
    """Right or wrong, nothing was written."""
    written = Written("anything\n", doubted=True)
    assert verdict_of(trial_of("one = 1\n"), written) == "doubted"


def test_a_text_written_for_no_code_is_wrong() -> None:
    """Only the file as it was is none."""
    trial = trial_of("one = 1\ntwo = 2\n", aim="nothing")
    assert verdict_of(trial, Written("I'm sorry.\n")) == "wrong"
    assert verdict_of(trial, Written("one = 1\ntwo = 2\n")) == "refused"


def test_only_what_the_slip_touched_may_differ() -> None:
    """A blank line more is no fault where the suggestion had one more."""
    assert same("a\n\nb\n", "a\nb\n", frozenset(["blank lines"]))
    assert not same("a\n\nb\n", "a\nb\n", frozenset(["trailing blanks"]))
    assert same("a  \nb\n", "a\nb\n", frozenset(["trailing blanks"]))
    assert not same("b\na\n", "a\nb\n", frozenset(["blank lines"]))


def test_a_line_of_keywords_is_not_distinctive() -> None:
    """The bound of nothing accepted is of lines that have a word of their own."""
    assert not is_distinctive(["return 1", "}"], ["return 1"])
    assert not is_distinctive(["a", "else:"], ["a"])
    assert is_distinctive(["total = 1", "}"], ["}"])


def test_a_missed_bound_is_told() -> None:
    """One wrong placement in the run, and the command fails."""
    right = Outcome(
        0,
        0,
        "rule",
        "diff context 3",
        "",
        "insert",
        "intended",
        "right",
        clear=True,
        distinctive=False,
    )
    wrong = Outcome(
        0,
        1,
        "rule",
        "diff context 3",
        "",
        "insert",
        "intended",
        "wrong",
        clear=True,
        distinctive=False,
    )
    assert all(bound.kept for bound in bounds([right]))
    assert not all(bound.kept for bound in bounds([right, wrong]))
