"""Tell right from wrong, count it, and hold the counts against the bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from attrs import frozen

from benchmarks.edits.doors import Written
from benchmarks.edits.slips import Lenient
from benchmarks.edits.styles import all_styles
from benchmarks.edits.trials import Aim, Part, Plan, Trial, trials

Verdict: TypeAlias = Literal["right", "doubted", "refused", "wrong", "crash"]
VERDICTS: Final[tuple[Verdict, ...]] = (
    "right",
    "doubted",
    "refused",
    "wrong",
    "crash",
)
# A slip puts in or takes out one blank line, or one at each end of each block.
_MOST_BLANKS: Final = 12
_FIGURES: Final = ("n", *VERDICTS)


@frozen
class Outcome:
    """What became of a trial, in few words, so that it goes from process to process."""

    number: int
    at: int
    part: Part
    name: str
    slip: str
    kind: str
    aim: Aim
    verdict: Verdict
    clear: bool
    distinctive: bool


def act_and_judge(trial: Trial) -> tuple[Verdict, Written]:
    """Hand a trial over and return what became of it."""
    try:
        written = trial.act()
    except Exception as exc:  # noqa: BLE001 - a crash is one of the things counted
        return "crash", Written(None, why=f"{type(exc).__name__}: {exc}")
    return verdict_of(trial, written), written


def verdict_of(trial: Trial, written: Written) -> Verdict:
    """Return whether what was written is what should be."""
    if written.text is None:
        return "refused"
    if written.doubted:
        return "doubted"
    right = same(written.text, trial.intended, trial.lenient)
    if trial.aim == "intended":
        return "right" if right else "wrong"
    # An answer that was damaged may be mended; of no code nothing may be left.
    mended = right or written.text == trial.edit.original
    return "refused" if mended else "wrong"


def same(result: str, intended: str, lenient: frozenset[Lenient] = frozenset()) -> bool:
    """Whether a result is the intended text, but for what the slip itself touched."""
    if result == intended:
        return True
    if "line ends" in lenient:
        result, intended = (x.replace("\r\n", "\n") for x in (result, intended))
    one, other = result.split("\n"), intended.split("\n")
    if "trailing blanks" in lenient:
        one, other = [x.rstrip() for x in one], [x.rstrip() for x in other]
    if "blank lines" in lenient and abs(len(one) - len(other)) <= _MOST_BLANKS:
        one = [line for line in one if line.strip()]
        other = [line for line in other if line.strip()]
    return one == other


def outcomes(plan: Plan, number: int) -> list[Outcome]:
    """Return what became of every trial of one change."""
    return [
        Outcome(
            number,
            at,
            trial.part,
            trial.name,
            trial.slip,
            trial.edit.kind,
            trial.aim,
            act_and_judge(trial)[0],
            trial.clear,
            trial.distinctive,
        )
        for at, trial in enumerate(trials(plan, number))
    ]


Row: TypeAlias = Counter[str]


def counted(found: Iterable[Outcome], key: Callable[[Outcome], str]) -> dict[str, Row]:
    """Return the counts of outcomes by ``key``, in the order in which they came."""
    counts: dict[str, Row] = {}
    for each in found:
        row = counts.setdefault(key(each), Counter())
        row["n"] += 1
        row[each.verdict] += 1
        row["clear"] += each.clear
        row["clear right"] += each.clear and each.verdict == "right"
    return counts


def table(title: str, counts: Mapping[str, Row]) -> Iterator[str]:
    """Yield the lines of a table of counts."""
    width = max((_width(name) for name in (*counts, title)), default=0)
    heads = " ".join(f"{head:>7}" for head in (*_FIGURES, "clear", "right %"))
    yield f"{title}{' ' * (width - _width(title))} {heads}"
    for name, row in counts.items():
        share = "-"
        if row["clear"]:
            share = f"{100 * row['clear right'] / row['clear']:.1f}"
        cells = [*(str(row[head]) for head in (*_FIGURES, "clear")), share]
        space = " " * (width - _width(name))
        yield f"{name}{space} " + " ".join(f"{cell:>7}" for cell in cells)


def _width(text: str) -> int:
    """Return how many columns a text takes: two for a sign of Chinese."""
    return sum(
        2 if "\u1100" < char < "\uffff" and char not in "…→" else 1 for char in text
    )


@frozen
class Bound:
    """A bound of the issue, the figure that was reached, and whether it is kept."""

    title: str
    reached: str
    kept: bool


def bounds(found: Sequence[Outcome]) -> Iterator[Bound]:
    """Yield each bound that the run says something of."""
    crashes = sum(each.verdict == "crash" for each in found)
    yield Bound("crashes: 0", str(crashes), crashes == 0)
    rule = [each for each in found if each.part == "rule"]
    if rule:
        yield from _rule_bounds(rule)
    answers = [each for each in found if each.part == "apply"]
    if answers:
        yield from _answer_bounds(answers)
    for part in ("edit", "lines", "fill"):
        of_part = [each for each in found if each.part == part]
        if not of_part:
            continue
        talk = [each for each in of_part if each.aim == "nothing"]
        written = sum(each.verdict == "wrong" for each in talk)
        title = f"{part}: non-code written: 0"
        yield Bound(title, f"{written} of {len(talk):,}", written == 0)
        code = [each for each in of_part if each.aim == "intended"]
        wrong = sum(each.verdict == "wrong" for each in code)
        title = f"{part}: right answers written wrong: 0"
        yield Bound(title, f"{wrong} of {len(code):,}", wrong == 0)


def _rule_bounds(found: Sequence[Outcome]) -> Iterator[Bound]:
    wrong = sum(each.verdict == "wrong" for each in found)
    yield Bound("placed wrong by rule: 0", f"{wrong} of {len(found):,}", wrong == 0)
    styles = counted(found, lambda each: each.name)
    doubted, name = max((row["doubted"] / row["n"], key) for key, row in styles.items())
    reached = f"{100 * doubted:.1f} % ({name})" if doubted else "0.0 %"
    title = "doubted: at most 5 % of each style"
    yield Bound(title, reached, doubted <= 0.05)  # noqa: PLR2004 - the bound
    families: dict[str, Row] = {}
    for style in all_styles():
        if style.bound and style.name in styles:
            families.setdefault(style.family, Counter()).update(styles[style.name])
    for family, row in families.items():
        share = row["clear right"] / max(1, row["clear"])
        title = f"placed right by rule, {family}: at least 90 %"
        yield Bound(title, f"{100 * share:.1f} %", share >= 0.9)  # noqa: PLR2004


def _answer_bounds(found: Sequence[Outcome]) -> Iterator[Bound]:
    # What fits two places equally may be refused, whatever the model made of it.
    right = [each for each in found if each.aim == "intended" and each.clear]
    refused = sum(each.verdict not in ("right", "doubted") for each in right)
    share = refused / max(1, len(right))
    title = "right answers of a model refused: at most 2 %"
    reached = f"{100 * share:.2f} % of {len(right):,}"
    yield Bound(title, reached, share <= 0.02)  # noqa: PLR2004 - the bound
    damaged = [each for each in found if each.aim == "not damaged"]
    telling = [each for each in damaged if each.distinctive]
    taken = sum(each.verdict == "wrong" for each in telling)
    title = "damaged answers accepted, a distinctive line changed: 0"
    yield Bound(title, f"{taken} of {len(telling):,}", taken == 0)
    taken = sum(each.verdict == "wrong" for each in damaged)
    share = taken / max(1, len(damaged))
    title = "damaged answers accepted: at most 1 %"
    reached = f"{100 * share:.2f} % of {len(damaged):,}"
    yield Bound(title, reached, share <= 0.01)  # noqa: PLR2004 - the bound
