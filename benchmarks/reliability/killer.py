"""Kill programs at random moments: the ledger never counts less than was sent (R25).

    python -m benchmarks.reliability.killer --n 1000

Each program sends requests to a server that counts them, until SIGKILL ends it. Then
the ledger's attempts, and what it says may have been sent besides, are at least as many
as the server saw, and at most one block more for each program that was killed.

Prints one line of JSON; the exit code is 1 beyond these bounds, if the file is damaged,
or if the first count of a program took more than a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock

from benchmarks.reliability.attempts import attempt, count, worker
from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.storage import counter
from bytebuddy_provider_hf.storage.counter import BLOCK
from bytebuddy_provider_hf.storage.ledger import open_ledger
from bytebuddy_provider_hf.storage.usage_report import read_usage

AT_ONCE: Final = 8
# Seconds after which a program is killed, at the latest; many before it has counted.
LONGEST: Final = 0.25
SLOWEST: Final = 1.0


class CountingServer:
    """Count the lines that were sent, and answer each."""

    def __init__(self) -> None:
        self.requests = 0
        self._open: set[asyncio.Task[None]] = set()

    async def handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one connection until its end."""
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        try:
            while await reader.readline():
                self.requests += 1
                writer.write(b"ok\n")
        except ConnectionError:
            pass  # the client was killed
        finally:
            writer.close()

    async def drained(self) -> None:
        """Wait until all has been read that was sent by programs that ended."""
        while self._open:
            await asyncio.wait(self._open)


async def run(kills: int, seed: int, *, by_row: bool = False) -> dict[str, Any]:
    """Return what the server and the ledger counted over so many kills.

    ``by_row`` is as on disks where no file of counts is used.
    """
    chance = random.Random(seed)
    counting = CountingServer()
    server = await asyncio.start_server(counting.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    least, most, slowest, damaged = 0, 0, 0.0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Forks are made by a process that has done nothing: starting Python takes
        # longer than all that is tried here.
        more = ["--by-row"] if by_row else []
        programs = worker("killer", *more, "--nursery", folder, port)
        orders, told = programs.stdin, programs.stdout
        if orders is None or told is None:
            raise RuntimeError
        before = 0
        for _ in range(kills):
            print(file=orders, flush=True)
            pid = int(await asyncio.to_thread(told.readline))
            await asyncio.sleep(chance.uniform(0, LONGEST))
            os.kill(pid, signal.SIGKILL)
            took = await asyncio.to_thread(told.readline)
            slowest = max(slowest, float(took))
            await counting.drained()
            over = _meter(folder) - counting.requests
            # What this one program has left.
            least, most = min(least, over - before), max(most, over - before)
            before = over
            damaged += _is_damaged(folder)
        programs.communicate()
        meter = _meter(folder)
    server.close()
    await server.wait_closed()
    return judged(
        "R25",
        Bound("server", counting.requests, ">", 0),
        Bound("ledger", meter, ">=", counting.requests),
        Bound("least_over_server", least, ">=", 0),
        Bound("most_over_server_by_one", most, "<=", BLOCK),
        Bound("damaged", damaged, "==", 0),
        Bound("slowest_first_count_seconds", round(slowest, 3), "<=", SLOWEST),
        kills=kills,
        seed=seed,
    )


def _meter(folder: Path) -> int:
    today = datetime.now(UTC).date()
    since = today - timedelta(days=1)
    report = read_usage(folder, since=since, until=today, by="model")
    return report.total.attempts + report.unaccounted


def _is_damaged(folder: Path) -> bool:
    path = folder / USAGE.name
    if not path.exists():
        return False
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() != ("ok",))


def nursery(folder: Path, port: int) -> None:
    """Fork a program for each line, and print its number, then its first count."""
    for _ in sys.stdin:
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            asyncio.run(work(folder, port, writing))
        print(pid, flush=True)
        os.close(writing)
        os.waitpid(pid, 0)
        with os.fdopen(reading, encoding="ascii") as took:
            print(took.read() or 0, flush=True)


async def work(folder: Path, port: int, told: int) -> None:
    """Send requests until this process is killed."""
    began = time.perf_counter()
    ledger = open_ledger(folder)
    await count(ledger)
    ledger.give_back()
    os.write(told, str(time.perf_counter() - began).encode())

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            await count(ledger)
            writer.write(b"request\n")
            await reader.readline()
            ledger.record(attempt(time.time()))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(caller())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--n", type=int, default=1_000)
    options_of.add_argument("--seed", type=int, default=13)
    options_of.add_argument("--by-row", action="store_true", help="no file of counts")
    options_of.add_argument("--nursery", nargs=2, help=argparse.SUPPRESS)
    options = options_of.parse_args(arguments)
    if options.nursery:
        folder, port = options.nursery
        with contextlib.ExitStack() as stack:
            if options.by_row:
                none = re.compile("none")
                stack.enter_context(mock.patch.object(counter, "_SAFE_DISKS", none))
            nursery(Path(folder), int(port))
        return 0
    return tell(asyncio.run(run(options.n, options.seed, by_row=options.by_row)))


if __name__ == "__main__":
    sys.exit(main())
