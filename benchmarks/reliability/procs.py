"""Record from many processes at once: the sums of the ledger are exact (R26).

    python -m benchmarks.reliability.procs --procs 8 --calls 10000

Prints one line of JSON; the exit code is 1 if a sum is wrong, or a caller had an error.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.reliability.attempts import EACH, USAGE, attempt, count, worker
from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf.storage.ledger import open_ledger
from bytebuddy_provider_hf.storage.usage_report import read_usage

AT_ONCE: Final = 16
BOUND: Final = timedelta(days=1)


def run(procs: int, calls: int) -> dict[str, Any]:
    """Return what the ledger says after ``procs`` processes of ``calls`` each."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = [worker("procs", "--worker", folder, calls) for _ in range(procs)]
        failed = sum(each.wait() != 0 for each in started)
        for each in started:
            each.communicate()
        today = datetime.now(UTC).date()
        report = read_usage(folder, since=today - BOUND, until=today, by="model")
    total, wanted = report.total, procs * calls
    tokens = (USAGE.prompt_tokens or 0) + (USAGE.completion_tokens or 0)
    counted = (total.prompt_tokens or 0) + (total.completion_tokens or 0)
    return judged(
        "R26",
        Bound("recorded", total.attempts, "==", wanted),
        Bound("recorded_calls", total.calls, "==", wanted),
        Bound("unaccounted", report.unaccounted, "==", 0),
        Bound("failed", failed, "==", 0),
        Bound("tokens", counted, "==", wanted * tokens),
        Bound("nano_usd", total.estimated, "==", wanted * EACH),
        procs=procs,
        calls=wanted,
        seconds=round(time.perf_counter() - began, 2),
    )


async def work(folder: Path, calls: int) -> None:
    """Make calls, some at once."""
    ledger = open_ledger(folder)

    async def caller() -> None:
        for _ in range(calls // AT_ONCE):
            await count(ledger)
            await asyncio.sleep(0)
            ledger.record(attempt(time.time()))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(caller())
    for _ in range(calls % AT_ONCE):
        await count(ledger)
        ledger.record(attempt(time.time()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--procs", type=int, default=8)
    options_of.add_argument("--calls", type=int, default=10_000)
    options_of.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = options_of.parse_args(arguments)
    if options.worker:
        folder, calls = options.worker
        asyncio.run(work(Path(folder), int(calls)))
        return 0
    return tell(run(options.procs, options.calls))


if __name__ == "__main__":
    sys.exit(main())
