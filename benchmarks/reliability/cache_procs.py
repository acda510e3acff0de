"""Share the cache of answers between processes: no lock is told, no hit wrong (R26).

Each process keeps and finds answers at random, and one of them clears the cache
meanwhile. A hit is wrong if it is another key's, or not what was kept; it is stale if
it was kept before a ``clear`` that had returned when it was asked for.

    python -m benchmarks.reliability.cache_procs [--processes 8] [--operations 1000]

Prints one line of JSON; the exit code is 1 if there is a failure of any of these kinds.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf.storage.answers_file import (
    KeptValue,
    clear_answers,
    read_stats,
)
from bytebuddy_provider_hf.storage.result_cache import ResultCache

KEYS = 300
# So little that values are dropped all the time.
LIMIT = 300_000
FINDS = 0.6
BAD = ("wrong", "stale", "locked", "raised")


class Passed(logging.Handler):
    """Count what the cache logs: in a test of this, all of it is a failure."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self.counts = counts

    def emit(self, record: logging.LogRecord) -> None:
        self.counts["locked"] += 1
        print(record.getMessage(), file=sys.stderr)


def value_of(key: bytes, salt: int) -> bytes:
    """Return a value that tells its key, and whether it is whole."""
    text = b"%s %d " % (key.hex().encode(), salt)
    body = text + b"x" * (salt % 5_000)
    return hashlib.sha256(body).digest() + body


def is_of(key: bytes, value: bytes) -> bool:
    """Return whether a value is one that was kept under this key."""
    digest, body = value[:32], value[32:]
    whole = hashlib.sha256(body).digest() == digest
    return whole and body.startswith(key.hex().encode())


async def work(
    folder: Path, seed: int, operations: int, cleared: Synchronized[float]
) -> Counter[str]:
    """Keep and find at random; return what was counted."""
    counts: Counter[str] = Counter()
    logger = logging.getLogger("bytebuddy_provider_hf.storage.result_cache")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(Passed(counts))
    chance = random.Random(seed)
    cache = ResultCache(folder)
    clears = {operations // 3, 2 * operations // 3} if seed == 0 else set()
    for number in range(operations):
        key = hashlib.sha256(b"%d" % chance.randrange(KEYS)).digest()
        if number in clears:
            before = time.time()
            await asyncio.to_thread(clear_answers, folder)
            cleared.value = before
            counts["clears"] += 1
        elif chance.random() < FINDS:
            since = cleared.value
            found = cache.recall(key) or await cache.find(key)
            counts["finds"] += 1
            if found is not None:
                counts["hits"] += 1
                counts["wrong"] += not is_of(key, found.value)
                counts["stale"] += found.at < since
        else:
            value = value_of(key, chance.randrange(10**6))
            cache.keep(key, KeptValue(value, time.time()), limit=LIMIT)
            counts["kept"] += 1
    await cache.aclose()
    return counts


def one(
    folder: Path,
    seed: int,
    operations: int,
    cleared: Synchronized[float],
    told: Queue[Counter[str]],
) -> None:
    """Run one process to its end."""
    try:
        told.put(asyncio.run(work(folder, seed, operations, cleared)))
    except Exception as error:  # noqa: BLE001 - counted, whatever it is
        print(repr(error), file=sys.stderr)
        told.put(Counter(raised=1))


def measure(processes: int, operations: int) -> dict[str, Any]:
    """Run all processes; return what was counted."""
    context = multiprocessing.get_context("spawn")
    cleared, told = context.Value("d", 0.0), context.Queue()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "cache"
        running = [
            context.Process(target=one, args=(folder, seed, operations, cleared, told))
            for seed in range(processes)
        ]
        for each in running:
            each.start()
        counts: Counter[str] = Counter()
        for _ in running:
            counts.update(told.get())
        for each in running:
            each.join()
        stats = read_stats(folder)
    return judged(
        "R26",
        *(Bound(name, counts[name], "==", 0) for name in BAD),
        Bound("hits", counts["hits"], ">", 0),
        Bound("bytes", stats.size, "<=", LIMIT),
        processes=processes,
        operations=operations,
        **{name: counts[name] for name in ("finds", "kept", "clears")},
        entries=stats.entries,
        limit=LIMIT,
        seconds=round(time.monotonic() - began, 1),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--processes", type=int, default=8)
    options_of.add_argument("--operations", type=int, default=1_000)
    options = options_of.parse_args(arguments)
    return tell(measure(options.processes, options.operations))


if __name__ == "__main__":
    sys.exit(main())
