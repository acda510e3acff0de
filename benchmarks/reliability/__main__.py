"""Run every command that measures reliability, and write the pages about them.

    python -m benchmarks.reliability [--short | --nightly | --none] [--only R20,R24]
        [--seed N] [--write docs/reliability.md]

The commands run one after the other, each in a process of its own; `--short` takes
minutes and shows that they run, the full figures take hours. Progress goes to stderr,
the line of JSON that each prints and a table to stdout. With `--write` the page is made
of what was printed now; it keeps what it has of figures that were not run, and of all
with `--none`. The Chinese page is made beside it, in `zh/`. `--seed` is given to each
that takes one. Exit code 1: a bound was missed, or a command did not run.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from benchmarks.reliability.commands import COMMANDS, Command
from benchmarks.reliability.figures import parser

_ROOT: Final = Path(__file__).parents[2]
# A line whose numbers are shown stands so, with the day, and with the machine.
_PRINTED: Final = re.compile(
    r"^`(python -m .+)` \((.+)\):\n\n```json\n(.+)\n```$", re.MULTILINE
)


@frozen
class Words:
    """What the page says in a language; ``{}`` are the places of what was found."""

    head: str
    columns: str
    not_run: str
    kept: str
    missed: str
    smaller: str
    unprinted: str
    full: str
    printed: str
    joined: str
    cores: str


_ENGLISH: Final = Words(
    head="""\
# Reliability

[中文](zh/reliability.md)

What this package promises where servers, disks and programs fail, with the bound of
each promise, the command that measures it, and what it printed. Each command says with
`--help` what it does and how its bound can be missed; its exit code is 1 where it is.

- `python -m benchmarks.reliability` runs all of them, in hours; `--short` in minutes,
  `--only R20,R24` some. Every night they run with another seed.
- This page is made by `python -m benchmarks.reliability --write docs/reliability.md`.
- What costs time is a ratio to aiohttp by hand, measured in turn, because seconds tell
  of the machine. Waiting is measured in virtual time where nothing else is said.
- `X_bound` stands beside the value `X`; values without one say what was measured. Lists
  and tables that a command prints besides are left out here.
""",
    columns="| figure | what is promised | bound | |",
    not_run="not run yet",
    kept="kept",
    missed="**missed**",
    smaller="{}, smaller run",
    unprinted="{}: {}.",
    full="The full figure: {}",
    printed="{} ({}):",
    joined=", ",
    cores="cores",
)
_CHINESE: Final = Words(
    head="""\
# 可靠性

[English](../reliability.md)

服务器、磁盘和程序出故障时，本软件包保证什么：每项保证的界限、测量它的命令，以及命令打印的结果。
每个命令加上 `--help` 都会说明它做什么、怎样会不符合界限；不符合时，它的退出码是 1。

- `python -m benchmarks.reliability` 运行全部命令，要几个小时；`--short` 只要几分钟，
  `--only R20,R24` 只运行其中一些。每天夜里用另一个种子运行。
- 本页由 `python -m benchmarks.reliability --write docs/reliability.md` 生成。
- 时间上的开销，以与直接使用 aiohttp 的比值表示，两者轮流测量，因为秒数说明的是机器。
  没有另行说明时，等待以虚拟时间测量。
- 值 `X` 旁边是 `X_bound`；没有它的值说明测量了什么。
  命令另外打印的列表和表格，这里从略。
""",
    columns="| 编号 | 保证的内容 | 界限 | |",
    not_run="尚未运行",
    kept="符合",
    missed="**不符合**",
    smaller="{}，规模较小",
    unprinted="{}：{}。",
    full="完整的测量：{}",
    printed="{}（{}）：",
    joined="，",
    cores="个核心",
)


@frozen
class Printed:
    """What a command printed: its figures, when, with which arguments, and where."""

    command: str
    origin: str
    found: Mapping[str, Any]

    def verdict(self, command: Command, words: Words = _ENGLISH) -> str:
        """Return whether the bounds of a command were kept, and if not all was run."""
        said = words.kept if self.found.get("met") is True else words.missed
        sizes = map(command.written, (command.arguments, command.nightly))
        is_full = re.sub(r" --seed \d+", "", self.command) in sizes
        return said if is_full else words.smaller.format(said)


def machine() -> str:
    """Return what the figures depend on, and no name of a host or a folder."""
    return (
        f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, aiohttp {metadata.version('aiohttp')}"
    )


def run(command: Command, arguments: str) -> Printed:
    """Run a command in a process of its own."""
    written = command.written(arguments)
    print(f"{written} …", file=sys.stderr, flush=True)
    began = time.monotonic()
    ran = subprocess.run(  # noqa: S603 - of this project
        [sys.executable, "-W", "error", *shlex.split(written)[1:]],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    lines = ran.stdout.splitlines()
    try:
        found: Any = json.loads(lines[-1]) if lines else {}
    except ValueError:
        found = {}
    if not isinstance(found, dict) or "figure" not in found:
        # It broke before it had something to tell: that is no bound that was kept.
        found = {"figure": "", "met": False, "exit_code": ran.returncode}
    # A command whose exit code says something else than its line is not believed.
    found["met"] = found.get("met") is True and ran.returncode == 0
    took = time.monotonic() - began
    print(f"  {found['met']}, {took:.0f} s", file=sys.stderr, flush=True)
    return Printed(written, machine(), found)


def page(results: Mapping[Command, Printed], language: str = "en") -> str:
    """Return the text of the page in a language."""
    words = _CHINESE if language == "zh" else _ENGLISH
    rows = [words.columns, "| --- | --- | --- | --- |"]
    parts = []
    for command in COMMANDS:
        printed = results.get(command)
        verdict = words.not_run if printed is None else printed.verdict(command, words)
        for figure, promise in command.promises.items():
            said = promise.zh if language == "zh" else promise.en
            rows.append(f"| {figure} | {said.sentence} | {said.bound} | {verdict} |")
        full = f"`{command.written(command.arguments)}`"
        title = f"## {', '.join(command.promises)}: {command.module}"
        if printed is None:
            told = words.unprinted.format(full, words.not_run)
            parts.append(f"{title}\n\n{told}\n")
            continue
        # Of thousands of values only those that stand for themselves are read here.
        shown = {
            name: value
            for name, value in printed.found.items()
            if isinstance(value, str | int | float)
        }
        command_line = f"`{printed.command}`"
        told = "" if command_line == full else f"{words.full.format(full)}\n\n"
        # What was printed is kept as the English page has it.
        origin = printed.origin.replace("cores", words.cores).replace(
            ", ", words.joined
        )
        told += words.printed.format(command_line, origin)
        parts.append(f"{title}\n\n{told}\n\n```json\n{json.dumps(shown)}\n```\n")
    return "\n".join((words.head, "\n".join(rows) + "\n", *parts))


def kept_on(path: Path) -> dict[Command, Printed]:
    """Return what a page has of each command, whatever sizes it was run with."""
    text = path.read_text("utf-8") if path.exists() else ""
    kept = {}
    for written, origin, line in _PRINTED.findall(text):
        printed = Printed(written, origin, json.loads(line))
        for command in COMMANDS:
            # Two rows of one module are told apart by the figure that was printed.
            same = written.split()[2] == command.written("").split()[2]
            figures = printed.found["figure"].split(", ")
            if same and not command.promises.keys().isdisjoint(figures):
                kept[command] = printed
    return kept


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return the exit code."""
    options_of = parser(__doc__)
    size = options_of.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_true", help="small sizes")
    size.add_argument("--nightly", action="store_true", help="the sizes of the night")
    size.add_argument("--none", action="store_true", help="run none; for --write")
    options_of.add_argument("--only", default="", help="figures, with commas between")
    options_of.add_argument("--seed", type=int, help="for each that takes one")
    options_of.add_argument(
        "--write", type=Path, help="the page to make, zh/ beside it"
    )
    options = options_of.parse_args(arguments)
    wanted = {each for each in options.only.split(",") if each}
    unknown = wanted - {figure for each in COMMANDS for figure in each.promises}
    if unknown:
        options_of.error(f"no command measures {', '.join(sorted(unknown))}")
    results: dict[Command, Printed] = {}
    for command in COMMANDS:
        if options.none or (wanted and wanted.isdisjoint(command.promises)):
            continue
        given = command.arguments
        if options.short:
            given = command.short or given
        elif options.nightly:
            given = command.nightly or given
        if options.seed is not None and command.seeded:
            given = f"{given} --seed {options.seed}".strip()
        results[command] = run(command, given)
        print(json.dumps(results[command].found), flush=True)
    for command, printed in results.items():
        figures, verdict = ", ".join(command.promises), printed.verdict(command)
        print(f"{figures:10} {command.module:12} {verdict}")
    if options.write:
        kept = kept_on(options.write) | results
        chinese = options.write.parent / "zh" / options.write.name
        chinese.parent.mkdir(exist_ok=True)
        options.write.write_text(page(kept), encoding="utf-8")
        chinese.write_text(page(kept, "zh"), encoding="utf-8")
    return 0 if all(each.found["met"] for each in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
