"""Record from many processes at once: the sums of the ledger are exact.

    python -m benchmarks.reliability.procs --procs 8 --calls 10000

Prints one line of JSON; the exit code is 1 if a sum is wrong, or a caller had an error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.reliability.attempts import EACH, USAGE, attempt, count, worker
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
    return {
        "procs": procs,
        "calls": wanted,
        "recorded": total.attempts,
        "unaccounted": report.unaccounted,
        "failed": failed,
        "seconds": round(time.perf_counter() - began, 2),
        "ok": not failed
        and report.unaccounted == 0
        and (total.attempts, total.calls) == (wanted, wanted)
        and total.prompt_tokens == wanted * (USAGE.prompt_tokens or 0)
        and total.completion_tokens == wanted * (USAGE.completion_tokens or 0)
        and total.estimated == wanted * EACH,
    }


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


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--procs", type=int, default=8)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        folder, calls = arguments.worker
        asyncio.run(work(Path(folder), int(calls)))
        return
    found = run(arguments.procs, arguments.calls)
    print(json.dumps(found))
    sys.exit(not found["ok"])


if __name__ == "__main__":
    main()
