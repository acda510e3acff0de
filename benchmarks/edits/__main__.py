"""Run the benchmark of edits: `python -m benchmarks.edits --help` tells how."""

from __future__ import annotations

import argparse
import difflib
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, count, islice
from typing import Final

from benchmarks.edits.corpus import MOST, corpus
from benchmarks.edits.score import (
    VERDICTS,
    Outcome,
    Row,
    act_and_judge,
    bounds,
    counted,
    outcomes,
    table,
)
from benchmarks.edits.styles import all_styles
from benchmarks.edits.trials import PARTS, Plan, trials

_HELP: Final = """\
Take real files (the interpreter's standard library, this project) and change them by
program. Then
  rule   write each change in every style in which models hand over changes, half of
         them with a slip that models make, and place it by rule;
  apply  judge answers of a model that was asked to work a suggestion in: right ones,
         and ones that are damaged;
  edit   read answers to `edit`: right ones in every style, and such as are no code;
  lines  the same for `edit --lines`;
  fill   the same for a chat model at a cursor.
Each trial ends right, doubted (a person is asked), refused, or wrong; of what is
damaged or no code, "wrong" is what was written all the same. "right %" is of the clear
ones: a careful reader knows for sure what they mean. Exit code 1: a bound was missed.

  python -m benchmarks.edits                        all figures and bounds, minutes
  python -m benchmarks.edits --count 3000           a first look, seconds
  python -m benchmarks.edits --part rule --style search --show 3 --only wrong
                                                    three wrong placements as diffs
  python -m benchmarks.edits --part edit --style non-code --show 5
"""
_MOST_SHOWN: Final = 70
# A style that no change can be said in would be looked for without end.
_MOST_EMPTY: Final = 2_000


def run(plan: Plan, wanted: int, jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes of at least ``wanted`` trials, in the same order each time.

    Where suggestions are placed by rule, only these are counted.
    """
    # Read before the processes part, so that each has the same files to the end.
    corpus(plan.seed, plan.files, plan.longest, own=plan.own)
    work = partial(outcomes, plan)
    if jobs == 1:
        yield from _until(map(work, count()), wanted)
        return
    with multiprocessing.Pool(jobs) as pool:
        # In pieces, since a pool reads an endless argument to its end.
        step = 8 * jobs
        results = (
            result
            for first in count(0, step)
            for result in pool.imap(work, range(first, first + step))
        )
        yield from _until(results, wanted)


def _until(results: Iterator[list[Outcome]], wanted: int) -> Iterator[Outcome]:
    found = empty = 0
    for result in results:
        yield from result
        placed = sum(each.part == "rule" for each in result)
        found += placed or len(result)
        empty = 0 if result else empty + 1
        if found >= wanted or empty > _MOST_EMPTY:
            return


def show(plan: Plan, found: Sequence[Outcome], only: str, most: int) -> None:
    """Print examples: what was handed over, and how the result differs from the aim."""
    chosen = (each for each in found if each.verdict == only)
    for each in islice(chosen, most):
        trial = next(islice(trials(plan, each.number), each.at, None))
        _, written = act_and_judge(trial)
        print("=" * 88)
        print(
            f"{each.verdict}: {each.part}, {each.name}; style: {trial.style or '-'}; "
            f"slip: {each.slip or '-'}; change {each.number} ({each.kind}) of "
            f"{trial.edit.file.path}; {'clear' if each.clear else 'not clear'}; "
            f"said: {written.why or '-'}"
        )
        print("--- the intended change")
        _print_diff(trial.edit.original, trial.intended)
        print("--- what was handed over")
        _print_cut(trial.said)
        if trial.answer:
            print("--- what the model answered")
            _print_cut(trial.answer)
        if written.text is not None:
            print("--- from the intended text to the result")
            _print_diff(trial.intended, written.text)


def _print_cut(text: str) -> None:
    lines = text.split("\n")
    print("\n".join(lines[:_MOST_SHOWN]))
    if len(lines) > _MOST_SHOWN:
        print(f"[{len(lines) - _MOST_SHOWN} more lines]")


def _print_diff(one: str, other: str) -> None:
    diff = difflib.unified_diff(one.split("\n"), other.split("\n"), lineterm="", n=2)
    print("\n".join([*diff][2 : _MOST_SHOWN + 2]))


def _tables(found: Sequence[Outcome]) -> Iterator[str]:
    order = [style.name for style in all_styles()]
    for part in PARTS:
        of_part = [each for each in found if each.part == part]
        if not of_part:
            continue
        rows = counted(of_part, lambda each: each.name)
        names = [name for name in order if name in rows]
        names += sorted(set(rows) - set(names))
        yield from table(f"{part}: each", {name: rows[name] for name in names})
        yield ""
        if part == "rule":
            yield from _sorted("rule: slip", counted(of_part, lambda each: each.slip))
            yield from _sorted("rule: kind", counted(of_part, lambda each: each.kind))


def _sorted(title: str, rows: Mapping[str, Row]) -> Iterator[str]:
    named = {name or "(none)": rows[name] for name in sorted(rows)}
    return chain(table(title, named), [""])


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.edits",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--count", type=int, default=50_000, help="placements by rule (default 50,000)")
    add("--files", type=int, default=300, help="files to take (default 300)")
    add("--longest", type=int, default=MOST, help="lines of a file (default 1,500)")
    add("--seed", type=int, default=1, help="decides all that varies (default 1)")
    add("--part", choices=PARTS, action="append", help="only this part; repeatable")
    add("--style", default="", help="only styles or rows with this in the name")
    add("--slip", default="", help="no slips but those with this in the name")
    add("--jobs", type=int, default=os.cpu_count(), help="processes (default: CPUs)")
    add("--show", type=int, default=0, help="print so many examples")
    add("--only", default="wrong", choices=VERDICTS, help="of these (default: wrong)")
    add("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    parts = tuple(asked.part or PARTS)
    plan = Plan(asked.seed, asked.files, asked.longest, parts, asked.style, asked.slip)
    began = time.perf_counter()
    found = list(run(plan, asked.count, asked.jobs))
    took = time.perf_counter() - began
    kept = list(bounds(found))
    if asked.json:
        _print_json(found, asked.seed, took)
    else:
        print("\n".join(_tables(found)))
        show(plan, found, asked.only, asked.show)
        totals = Counter(each.part for each in found)
        said = ", ".join(f"{part} {totals[part]:,}" for part in PARTS if totals[part])
        files = len({each.number % asked.files for each in found})
        print(f"{said}; {files} files, seed {asked.seed}, {took:.0f} s")
        vague = [each for each in found if not each.clear and each.aim == "intended"]
        placed = sum(each.verdict == "right" for each in vague)
        print(
            f"of {len(vague):,} that are not clear, {placed:,} were placed as intended"
        )
        for bound in kept:
            print(f"{'PASS' if bound.kept else 'FAIL'}  {bound.title}: {bound.reached}")
    sys.exit(not all(bound.kept for bound in kept))


def _print_json(found: Sequence[Outcome], seed: int, took: float) -> None:
    rows = counted(found, lambda each: f"{each.part}: {each.name}")
    told = {
        "seed": seed,
        "seconds": round(took, 1),
        "trials": Counter(each.part for each in found),
        "rows": rows,
        "bounds": [
            {"bound": each.title, "reached": each.reached, "kept": each.kept}
            for each in bounds(found)
        ],
    }
    print(json.dumps(told, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
