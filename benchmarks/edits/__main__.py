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
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from typing import Final

from benchmarks.edits.score import (
    VERDICTS,
    Outcome,
    Plan,
    cases,
    judged,
    outcomes,
)
from benchmarks.edits.styles import all_styles

_HELP: Final = """\
Take real files (the interpreter's standard library, this project), change them by
program, write each change in every style in which models hand over changes, with the
slips that models make, and place it by rule: right, doubted, refused or wrong.

  python -m benchmarks.edits                        the figures and bounds, minutes
  python -m benchmarks.edits --count 2000           a first look, seconds
  python -m benchmarks.edits --style search --show 3 --only wrong
                                                    three wrong placements as diffs
"""


def run(plan: Plan, wanted: int, jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes of at least ``wanted`` cases, in the same order each time."""
    work = partial(outcomes, plan)
    if jobs == 1:
        results = map(work, count())
        yield from _until(results, wanted)
        return
    with multiprocessing.Pool(jobs) as pool:
        # In pieces, since a pool reads an endless argument to its end.
        step = 8 * jobs
        blocks = (
            block
            for first in count(0, step)
            for block in pool.imap(work, range(first, first + step))
        )
        yield from _until(blocks, wanted)


def _until(results: Iterator[list[Outcome]], wanted: int) -> Iterator[Outcome]:
    found = empty = 0
    for result in results:
        yield from result
        found += len(result)
        empty = 0 if result else empty + 1
        # A style that no change can be said in would be looked for without end.
        if found >= wanted or empty > 2_000:  # noqa: PLR2004
            return


def table(found: Sequence[Outcome], key: str, order: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a table of outcomes by style, slip or kind."""
    counts: dict[str, Counter[str]] = {}
    for each in found:
        row = counts.setdefault(getattr(each, key), Counter())
        row["n"] += 1
        row[each.verdict] += 1
        row["clear"] += each.clear
        row["clear right"] += each.clear and each.verdict == "right"
    width = max(map(len, counts), default=0)
    heads = ("n", *VERDICTS, "clear", "right %")
    yield f"{key:{width}} " + " ".join(f"{head:>8}" for head in heads)
    for name in sorted(counts, key=lambda name: (order.index(name), name)):
        row = counts[name]
        share = f"{100 * row['clear right'] / row['clear']:.1f}" if row["clear"] else "-"
        cells = [str(row[head]) for head in ("n", *VERDICTS, "clear")] + [share]
        yield f"{name or '(none)':{width}} " + " ".join(f"{x:>8}" for x in cells)


def show(plan: Plan, found: Sequence[Outcome], only: str, most: int) -> None:
    """Print examples: what was suggested, and how the result differs from the aim."""
    shown = 0
    for each in found:
        if each.verdict != only or shown == most:
            continue
        case = next(c for c in cases(plan, each.edit) if c.style.name == each.style)
        _, how, text = judged(case)
        shown += 1
        print("=" * 88)
        print(f"{each.verdict}: {each.style}; slip: {each.slip or 'none'}; "
              f"edit {each.edit} ({each.kind}) of {case.edit.file.path}; by: {how}; "
              f"{'clear' if each.clear else 'not clear'}")
        print("--- the intended change")
        _print_diff(case.original, case.intended)
        print("--- the suggestion")
        said = case.suggestion.text.split("\n")
        shortened = [*said[:60], f"[{len(said) - 60} more lines]"]
        print("\n".join(shortened if len(said) > 60 else said))  # noqa: PLR2004
        if text is not None:
            print("--- from the intended text to the result")
            _print_diff(case.intended, text)


def _print_diff(one: str, other: str) -> None:
    diff = difflib.unified_diff(one.split("\n"), other.split("\n"), lineterm="", n=2)
    print("\n".join([*diff][2:]))


def bounds(found: Sequence[Outcome]) -> Iterator[tuple[str, str, bool]]:
    """Yield each bound, the figure that was reached, and whether it is kept."""
    total = Counter(each.verdict for each in found)
    yield "wrong: 0", f"{total['wrong']} of {len(found):,}", total["wrong"] == 0
    yield "crashes: 0", str(total["crash"]), total["crash"] == 0
    by_style: dict[str, Counter[str]] = {}
    for each in found:
        row = by_style.setdefault(each.style, Counter())
        row["n"] += 1
        row[each.verdict] += 1
        row["clear"] += each.clear
        row["clear right"] += each.clear and each.verdict == "right"
    doubted, name = max(
        ((row["doubted"] / row["n"], name) for name, row in by_style.items()),
        default=(0.0, ""),
    )
    worst = f"{100 * doubted:.1f} % ({name})" if doubted else "0.0 %"
    yield "doubted: at most 5 % of each style", worst, doubted <= 0.05  # noqa: PLR2004
    families: dict[str, Counter[str]] = {}
    for style in all_styles():
        if style.bound and style.name in by_style:
            families.setdefault(style.family, Counter()).update(by_style[style.name])
    for family, row in families.items():
        share = row["clear right"] / max(1, row["clear"])
        title = f"right by rule, {family}: at least 90 %"
        yield title, f"{100 * share:.1f} %", share >= 0.9  # noqa: PLR2004


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.edits",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=50_000, help="placements to make")
    parser.add_argument("--files", type=int, default=240, help="files to take")
    parser.add_argument("--seed", type=int, default=1, help="decides all that varies")
    parser.add_argument("--style", default="", help="only styles with this in the name")
    parser.add_argument("--slip", default="", help="only slips with this in the name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--show", type=int, default=0, help="examples to print")
    parser.add_argument("--only", default="wrong", choices=VERDICTS,
                        help="which examples (default: wrong)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    plan = Plan(asked.seed, asked.files, asked.style, asked.slip)
    began = time.perf_counter()
    found = list(run(plan, asked.count, asked.jobs))
    took = time.perf_counter() - began
    kept = list(bounds(found))
    if asked.json:
        print(json.dumps({
            "placements": len(found),
            "seconds": round(took, 1),
            "verdicts": Counter(each.verdict for each in found),
            "bounds": [
                {"bound": a, "reached": b, "kept": c} for a, b, c in kept
            ],
        }, indent=2))
    else:
        styles = [style.name for style in all_styles()]
        print("\n".join(table(found, "style", styles)), end="\n\n")
        for key in ("slip", "kind"):
            names = sorted({getattr(each, key) for each in found})
            print("\n".join(table(found, key, names)), end="\n\n")
        show(plan, found, asked.only, asked.show)
        print(f"{len(found):,} placements in {took:.0f} s, seed {asked.seed}")
        for title, reached, ok in kept:
            print(f"{'PASS' if ok else 'FAIL'}  {title}: {reached}")
    sys.exit(not all(ok for _, _, ok in kept))


if __name__ == "__main__":
    main()
