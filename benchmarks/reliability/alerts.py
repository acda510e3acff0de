"""Use up budgets from many processes: no call too many, each alert once (budgets).

    python -m benchmarks.reliability.alerts

- 64 callers of one process, and 4 processes of 16, with room for 10: 10 are sent.
- 4 processes use up a budget of calls, of tokens and of dollars: each of the
  thresholds is told once for each, whichever process it is.

Prints one line of JSON; the exit code is 1 if a figure is another.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.reliability.attempts import worker
from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf.config.values import Budget, BudgetOptions
from bytebuddy_provider_hf.errors import BudgetExceeded
from bytebuddy_provider_hf.storage.budgets import THRESHOLDS, Amounts
from bytebuddy_provider_hf.storage.ledger import open_ledger

ROOM: Final = 10
CALLERS: Final = 64
PROCESSES: Final = 4
CALLS: Final = 400
ONE: Final = Amounts(nano_usd=3_000, tokens=7, calls=1)
# What all callers together use up.
LIMITS: Final = BudgetOptions(
    dollars=ONE.nano_usd * CALLS, tokens=ONE.tokens * CALLS, calls=CALLS
)
SMALL: Final = Budget("small", BudgetOptions(calls=ROOM, hard=True))
LARGE: Final = Budget("large", LIMITS)


def run() -> dict[str, Any]:
    """Return how many calls were sent, and how often each threshold was told."""
    sent = [told["sent"] for told in (_together("small", 1, CALLERS))]
    shared = [
        told["sent"] for told in _together("small", PROCESSES, CALLERS // PROCESSES)
    ]
    alerts: Counter[tuple[str, int]] = Counter()
    used = 0
    for told in _together("large", PROCESSES, CALLS // PROCESSES):
        used += told["sent"]
        alerts.update((unit, percent) for unit, percent in told["alerts"])
    wanted = {
        (unit, percent)
        for unit in ("dollars", "tokens", "calls")
        for percent in THRESHOLDS
    }
    return judged(
        "budgets",
        Bound("sent_by_one_process", sum(sent), "==", ROOM),
        Bound("sent_by_four", sum(shared), "==", ROOM),
        Bound("calls", used, "==", CALLS),
        Bound("alerts", sum(alerts.values()), "==", len(wanted)),
        Bound("different_alerts", len(alerts.keys() & wanted), "==", len(wanted)),
    )


def _together(budget: str, processes: int, callers: int) -> list[dict[str, Any]]:
    """Start processes, let them begin at once, and return what each told."""
    with tempfile.TemporaryDirectory() as name:
        started = [
            worker("alerts", "--worker", name, budget, callers)
            for _ in range(processes)
        ]
        for each in started:
            if each.stdout is not None:
                each.stdout.readline()
        told = []
        for each in started:
            if each.stdin is not None:
                print(file=each.stdin, flush=True)
        for each in started:
            out, _ = each.communicate()
            told.append(json.loads(out))
    return told


async def work(folder: Path, name: str, callers: int) -> dict[str, Any]:
    """Let callers reserve and settle, all at once, and return what was sent."""
    ledger = open_ledger(folder)
    alerts: list[tuple[str, int]] = []
    ledger.listen(lambda alert: alerts.append((alert.unit, alert.percent)))
    budgets = [SMALL if name == "small" else LARGE]
    sent = 0

    async def caller() -> None:
        nonlocal sent
        try:
            reservation = await ledger.reserve(budgets, ONE)
        except BudgetExceeded:
            return
        sent += 1
        await asyncio.sleep(0)
        ledger.settle(reservation, ONE)

    await asyncio.gather(*(caller() for _ in range(callers)))
    await ledger.aclose()
    return {"sent": sent, "alerts": alerts}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = options_of.parse_args(arguments)
    if options.worker:
        folder, name, callers = options.worker
        print(flush=True)
        sys.stdin.readline()
        print(json.dumps(asyncio.run(work(Path(folder), name, int(callers)))))
        return 0
    return tell(run())


if __name__ == "__main__":
    sys.exit(main())
