"""Call for half an hour: memory stays flat, and all that was taken comes back (R12).

    python -m benchmarks.reliability.soak [--minutes 30] [--rate 200]

Two hundred calls a second begin, whole, streamed, left in their middle, and cancelled,
at a server with the faults of ``faultmix``. Every ten seconds garbage is collected and
the blocks of memory, the objects of each type and the resident memory are read. Their
trend after a warm-up, a third of the time, is the Theil-Sen slope with its 95 %
interval: of blocks and types it must not lie above 0, and be under 1 % an hour; of
resident memory its upper end is bounded. Below five minutes a slope and a percentile
say nothing, and are left out; what is bounded an hour needs the thirty, ten of them to
warm up, and is only told of less.

On Linux the process starts itself anew with ``MALLOC_MMAP_THRESHOLD_=131072``. asyncio
receives into 256 KiB and shrinks that to what came; glibc by default comes to take such
blocks from the heap, where each leaves a hole. In four minutes of these calls the heap
then grew from 13 to 19 MiB, and from 14.08 to 14.09 with the threshold fixed; what was
in use of it was 13 MiB in both. ``--default-malloc`` measures without.

The lag of the loop is the longest callback in each tenth of a second, by the CPU time
of this thread, the server's callbacks included: how late a timer fires would measure
the neighbours of a shared machine too. At the end every permit, task, connection and
file descriptor is back. Prints one line of JSON; exit code 1: a bound was missed, which
``missed`` names.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Final
from unittest import mock

from attrs import define, evolve, field

from benchmarks.reliability.figures import at_most, judge
from benchmarks.reliability.memory import MIB, Trend, resident, trend
from benchmarks.reliability.raw_server import (
    Answer,
    RawServer,
    Request,
    chat,
    events,
    faulty,
    models,
    serving,
    whole,
)
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.storage.ledger import open_ledger
from bytebuddy_provider_hf.types import Text

FIGURE: Final = "R12"
MOST_RSS_MIB: Final = 8.0
MOST_GROWTH: Final = 0.01
MOST_LAG_MS: Final = 20.0
# Shorter runs have no slope and no percentile.
LEAST_MINUTES: Final = 5.0
# Those have a warm-up of ten minutes, and the points that a slope an hour needs.
FULL_MINUTES: Final = 30.0
_HOUR: Final = 3_600.0
_THRESHOLD: Final = "MALLOC_MMAP_THRESHOLD_"
_EVERY: Final = 10.0
_ACCOUNTS: Final = 16
# So many calls begin together at most: after a halt of the machine those that it cost
# are left out, as to begin all at once would be a load of another kind.
_MOST_TOGETHER: Final = 10
_PATIENCE: Final = 60.0
_PIECES: Final = 20
_KINDS: Final = {"whole": 55, "stream": 25, "left": 10, "cancelled": 10}


def descriptors() -> int:
    """Return how many file descriptors are open; 0 where nobody tells."""
    folder = Path("/dev/fd")
    return len(os.listdir(folder)) if folder.is_dir() else 0  # noqa: PTH208 - no paths


def answered(request: Request, chance: random.Random, share: float) -> Answer:
    """Return the nonce many times, whole or streamed, or a fault; after some time."""
    if request.method == "GET":
        return models()
    pieces = [f"{request.asked} "] * _PIECES
    good = whole(chat("".join(pieces)))
    if request.streamed:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        head += b"transfer-encoding: chunked\r\n\r\n"
        sent = (*events(pieces), b"")
        good = Answer([head, *(b"%x\r\n%b\r\n" % (len(e), e) for e in sent)])
    _, told = faulty(good, chance, share)
    return evolve(told, delay=chance.uniform(0.001, 0.02))


@define(eq=False)
class Samples:
    """Figures of memory at times; all room is taken before, so that none grows."""

    room: int
    count: int = 0
    times: array[float] = field(init=False)
    blocks: array[float] = field(init=False)
    memory: array[float] = field(init=False)
    objects: dict[str, array[float]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.times, self.blocks, self.memory = (self._row() for _ in range(3))

    def _row(self) -> array[float]:
        return array("d", bytes(8 * self.room))

    def take(self) -> None:
        """Collect the garbage, and note what is left."""
        if self.count >= self.room:
            return
        gc.collect()
        at = self.count
        self.times[at] = time.monotonic()
        self.blocks[at], self.memory[at] = sys.getallocatedblocks(), resident()
        for name, number in Counter(type(o).__name__ for o in gc.get_objects()).items():
            if name not in self.objects:
                self.objects[name] = self._row()
            self.objects[name][at] = number
        self.count += 1

    def trend(self, row: array[float]) -> Trend:
        """Return the slope of a figure, an hour."""
        hours = [at / _HOUR for at in self.times[: self.count]]
        return trend(hours, row[: self.count])


@define(eq=False)
class Held:
    """How long a callback held the loop: the longest in each tenth of a second.

    By the CPU time of this thread, in counts by tenths of a millisecond, of which none
    grows.
    """

    row: array[int] = field(factory=lambda: array("q", bytes(8 * 10_000)))
    # Set by a callback that is this benchmark's own.
    is_own: bool = False
    _slot: int = 0
    _longest: float = 0.0

    def note(self, seconds: float) -> None:
        """Note a callback that has ended."""
        slot = int(time.monotonic() * 10)
        if slot != self._slot:
            self.row[min(len(self.row) - 1, int(self._longest * 1e4))] += 1
            self._slot, self._longest = slot, 0.0
        if not self.is_own:
            self._longest = max(self._longest, seconds)
        self.is_own = False

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure every callback of a block."""
        run = asyncio.Handle._run  # noqa: SLF001 - asyncio tells it in debug mode only

        def timed(handle: asyncio.Handle) -> None:
            began = time.thread_time()
            run(handle)
            self.note(time.thread_time() - began)

        with mock.patch.object(asyncio.Handle, "_run", timed):
            yield

    @property
    def p99_ms(self) -> float:
        """The milliseconds that no callback was longer than in 99 % of all tenths."""
        seen, wanted = 0, 0.99 * sum(self.row)
        for tenth, number in enumerate(self.row):
            seen += number
            if seen >= wanted:
                return (tenth + 1) / 10
        return float(len(self.row)) / 10


@define(eq=False)
class Load:
    """Begin calls at a rate, of every kind, and count how they end."""

    chance: random.Random
    models: list[HuggingFaceModel]
    ends: Counter[str] = field(factory=Counter)
    active: set[asyncio.Task[None]] = field(factory=set)

    async def run(self, *, rate: float, seconds: float) -> None:
        """Begin calls for so many seconds; wait until all have ended."""
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        while (passed := loop.time() - began) < seconds:
            due = int(passed * rate)
            for _ in range(min(_MOST_TOGETHER, due - number)):
                self.ends["begun"] += 1
                task = loop.create_task(self._call())
                self.active.add(task)
                task.add_done_callback(self.active.discard)
            number = due
            await asyncio.sleep(0.005)
        if self.active:
            _, late = await asyncio.wait(self.active, timeout=2 * _PATIENCE)
            self.ends["hung"] += len(late)

    async def _call(self) -> None:
        """Make a call of some kind, and count its end."""
        (kind,) = self.chance.choices(tuple(_KINDS), tuple(_KINDS.values()))
        model = self.chance.choice(self.models)
        nonce = f"{self.chance.getrandbits(64):016x}"
        patience = self.chance.uniform(0.001, 0.05) if kind == "cancelled" else None
        said = ""
        try:
            async with asyncio.timeout(patience):
                if kind in ("whole", "cancelled"):
                    said = (await model.chat(nonce, timeout=_PATIENCE)).text
                else:
                    async with model.chat(nonce, timeout=_PATIENCE) as stream:
                        async for event in stream:
                            if isinstance(event, Text):
                                said += event.text
                                if kind == "left":
                                    break
        except TimeoutError:
            self.ends["cancelled"] += 1
        except ByteBuddyError:
            self.ends["failed"] += 1
        except Exception as error:  # noqa: BLE001 - counted, whatever it is
            self.ends["untyped"] += 1
            sys.stderr.write(f"{error!r}\n")
        else:
            right = " ".join([nonce] * _PIECES) + " "
            good = right.startswith(said) if kind == "left" else said == right
            self.ends[kind if good else "wrong"] += 1


async def soak(options: argparse.Namespace, folder: Path) -> int:
    """Call for so many minutes; print the figures and return the exit code."""
    chance = random.Random(options.seed)
    held, is_long = Held(), options.minutes >= LEAST_MINUTES
    warm_up = options.minutes * 20.0
    left = options.minutes * 60.0 - warm_up
    samples = Samples(1 + int(left / _EVERY))
    beside: list[asyncio.Task[None]] = []

    def answer(request: Request) -> Answer:
        return answered(request, chance, options.p)

    async def sample() -> None:
        await asyncio.sleep(warm_up)
        gc.collect()
        # What lives by now is left out of each collection, which so takes little.
        gc.freeze()
        while True:
            samples.take()
            held.is_own = True
            await asyncio.sleep(_EVERY)

    async def scope(server: RawServer, *, rate: float, seconds: float) -> Counter[str]:
        """Open the models, call, close all; return how the calls ended."""
        load = Load(random.Random(options.seed + 1), [])
        async with AsyncExitStack() as stack:
            jitter = random.Random(options.seed + 2).random
            runtime = await stack.enter_async_context(Runtime(jitter=jitter))
            for number in range(_ACCOUNTS):
                model = open_model(
                    "org/name",
                    api_key=f"hf_account{number}",
                    api_base=server.url,
                    env={},
                    runtime=runtime,
                    state_dir=folder,
                    ledger=True,
                )
                load.models.append(await stack.enter_async_context(model))
            await load.run(rate=rate, seconds=seconds)
            used = runtime.counters()
            load.ends["permits"] = used.permits + used.queued
        await open_ledger(folder).aclose()
        # The server learns of the ends through the kernel.
        await asyncio.sleep(0.2)
        load.ends["connections"] = server.connections
        return load.ends

    async with serving(answer) as server:
        # What is opened once and for all is open before it is counted.
        await scope(server, rate=50, seconds=0.2)
        before = descriptors()
        if is_long:
            beside.append(asyncio.create_task(sample()))
        seconds = options.minutes * 60.0
        with held.measuring() if is_long else nullcontext():
            ends = await scope(server, rate=options.rate, seconds=seconds)
        for task in beside:
            task.cancel()
        if is_long:
            gc.unfreeze()
        await asyncio.gather(*beside, return_exceptions=True)
        descriptors_left = descriptors() - before
        tasks_left = len(asyncio.all_tasks()) - 1
    measured = {
        **{kind: at_most(ends[kind], 0) for kind in ("wrong", "untyped", "hung")},
        "permits_left": at_most(ends["permits"], 0),
        "connections_left": at_most(ends["connections"], 0),
        "descriptors_left": at_most(descriptors_left, 0),
        "tasks_left": at_most(tasks_left, 0),
    }
    facts: dict[str, object] = {
        "minutes": options.minutes,
        "rate": options.rate,
        "seed": options.seed,
        "ends": {kind: ends[kind] for kind in (*_KINDS, "failed")},
        "begun_a_second": round(ends["begun"] / seconds, 1),
        "server_hits": server.hits,
    }
    if is_long:
        last = samples.count - 1
        blocks, memory = samples.trend(samples.blocks), samples.trend(samples.memory)
        objects = {name: samples.trend(row) for name, row in samples.objects.items()}
        most = samples.blocks[last]
        # A type that grows by less than this is no leak of calls, which are 720,000.
        growing = {
            name: round(found.slope)
            for name, found in objects.items()
            if found.low > 0 and found.slope > MOST_GROWTH * most
        }
        measured |= {
            "held_p99_ms": at_most(held.p99_ms, MOST_LAG_MS),
            # The lower end: memory that shrinks is no leak.
            "blocks_grow_at_least": at_most(blocks.low, 0),
            "growing_types": at_most(len(growing), 0),
        }
        hourly = {
            "blocks_share_an_hour": at_most(blocks.slope / most, MOST_GROWTH),
            "rss_mib_an_hour": at_most(memory.high / MIB, MOST_RSS_MIB),
        }
        if options.minutes >= FULL_MINUTES:
            measured |= hourly
        else:
            facts |= {name: round(each.value, 4) for name, each in hourly.items()}
        facts |= {
            "samples": samples.count,
            "blocks": most,
            "blocks_an_hour": [
                round(x) for x in (blocks.low, blocks.slope, blocks.high)
            ],
            "rss_mib": round(samples.memory[last] / MIB, 1),
            "types": growing,
        }
    return judge(FIGURE, measured, facts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second")
    parser.add_argument("--p", type=float, default=0.05, help="the share of each fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--default-malloc", action="store_true")
    options = parser.parse_args(arguments)
    fixed = options.default_malloc or _THRESHOLD in os.environ
    if sys.platform == "linux" and options.minutes >= LEAST_MINUTES and not fixed:
        given = sys.argv[1:] if arguments is None else arguments
        command = [sys.executable, "-m", "benchmarks.reliability.soak", *given]
        env = {**os.environ, _THRESHOLD: "131072"}
        os.execve(sys.executable, command, env)  # noqa: S606 - this file
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(soak(options, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
