"""Call a server that fails in every usual way: no answer is wrong, none is lost (R1).

    python -m benchmarks.reliability.faultmix [--n 100000] [--p 0.05] [--seed 1]
    python -m benchmarks.reliability.faultmix --stream [--n 20000] [--seed 1]

Of its answers a share ``p`` each is a reset, a 500, a 429 with a Retry-After of 0.05 to
0.2 s, and a body that is cut at any byte; twice the model is loading for a while. Every
call sends a nonce and every answer carries it, with a number that no other has: so an
answer that is wrong, another caller's, or given twice is seen. Many accounts call, as a
429 stops all calls of its own. What the server counted is compared with the ledger.

R23 is measured in the same run: how many requests of an account the server ever had at
once, and how many permits were in use when calls waited for one (a pause that the
server asked for, and a cold start, hold calls back on purpose and are left out).

With ``--stream`` streams of 20 events are cut at any byte (R2): what was delivered is
the beginning of what was sent, and who got no whole answer is told so. Prints one line
of JSON; exit code 1: a bound was missed, which ``missed`` names.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from attrs import define, evolve, field

from benchmarks.reliability.cut_streams import cut_streams
from benchmarks.reliability.doors import attempts
from benchmarks.reliability.figures import at_least, at_most, judge
from benchmarks.reliability.raw_server import (
    FAULTS,
    Answer,
    RawServer,
    Request,
    chat,
    faulty,
    loading,
    models,
    serving,
    whole,
)
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.scheduling.model_queue import ModelQueue
from bytebuddy_provider_hf.storage.ledger import open_ledger

FIGURE: Final = "R1, R23"
STREAM_FIGURE: Final = "R2"
# Permits in use where calls wait for one, of those that there are.
LEAST_USED: Final = 0.95
# Many, as each is told to rest again and again. Two descriptors a connection, whose
# both ends are here, must be fewer than the usual 1,024.
_ACCOUNTS: Final = 96
# What a call may take, and when one that has not ended by then is taken for hung.
_PATIENCE: Final = 120.0
_HUNG: Final = _PATIENCE + 30.0
# So long an answer takes, in seconds: then some are under way at once.
_DELAYS: Final = (0.005, 0.02)
_FILLING: Final = "word " * 40


@define(eq=False)
class FaultyServer:
    """Answer with the nonce that was sent, or fail; sample the permits at each call."""

    chance: random.Random
    share: float
    # The numbers of the requests at which the model begins to load, and how long.
    colds: list[int]
    cold_for: float
    met: Counter[str] = field(factory=Counter)
    queues: dict[str, ModelQueue] = field(factory=dict)
    held: int = 0
    room: int = 0
    _number: int = 0
    _cold_until: float = 0.0

    def __call__(self, request: Request) -> Answer:
        if request.method == "GET":
            return models()
        now = asyncio.get_running_loop().time()
        self._sample(self.queues[request.account], now)
        self._number += 1
        if self.colds and self._number >= self.colds[0]:
            del self.colds[0]
            self._cold_until = now + self.cold_for
            self.met["episodes"] += 1
        if now < self._cold_until:
            self.met["cold"] += 1
            return loading(self._cold_until - now)
        good = whole(chat(f"{request.asked} {self._number} {_FILLING}"))
        kind, answer = faulty(good, self.chance, self.share)
        self.met[kind] += 1
        return evolve(answer, delay=self.chance.uniform(*_DELAYS))

    def _sample(self, queue: ModelQueue, now: float) -> None:
        """Note how many permits are in use, where somebody waits for one."""
        limiter = queue.limiter
        if not limiter.queued or now < limiter.paused_until:
            return
        if not queue._cold_start.settled:  # noqa: SLF001 - nobody outside asks for it
            return
        self.held += min(limiter.in_flight, limiter.limit)
        self.room += limiter.limit


@define(eq=False)
class Calls:
    """What became of the calls, as their callers saw it."""

    chance: random.Random
    ends: Counter[str] = field(factory=Counter)
    failures: Counter[str] = field(factory=Counter)
    asked: set[str] = field(factory=set)
    numbers: set[str] = field(factory=set)

    async def make(self, model: HuggingFaceModel, left: Iterator[int]) -> None:
        """Make one call after the other as long as there are some left."""
        for _ in left:
            nonce = f"{self.chance.getrandbits(64):016x}"
            self.asked.add(nonce)
            try:
                async with asyncio.timeout(_HUNG):
                    reply = await model.chat(nonce, timeout=_PATIENCE)
            except ByteBuddyError as error:
                self.ends["failed"] += 1
                self.failures[type(error).__name__] += 1
                continue
            except TimeoutError:
                self.ends["hung"] += 1
                continue
            except Exception as error:  # noqa: BLE001 - counted, whatever it is
                self.ends["untyped"] += 1
                self.failures[repr(error)] += 1
                continue
            self._judge(nonce, reply.text)

    def _judge(self, nonce: str, said: str) -> None:
        """Compare an answer with what was asked, and with all other answers."""
        answered, number, *filling = [*said.split(" "), "", ""][:-2]
        if answered != nonce:
            self.ends["cross_wired" if answered in self.asked else "wrong"] += 1
        elif " ".join(filling) != _FILLING:
            self.ends["wrong"] += 1
        elif number in self.numbers:
            self.ends["duplicated"] += 1
        else:
            self.ends["succeeded"] += 1
        self.numbers.add(number)


async def faultmix(options: argparse.Namespace, folder: Path) -> int:
    """Make all calls; print the figures and return the exit code."""
    # The first third, and the second: neither at the start nor at the end.
    colds = [
        options.n * at // (options.colds + 1) for at in range(1, options.colds + 1)
    ]
    chance = random.Random(options.seed)
    failing = FaultyServer(chance, options.p, colds, options.cold)
    calls = Calls(random.Random(options.seed + 1))
    began = time.perf_counter()
    server: RawServer
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(failing))
        jitter = random.Random(options.seed + 2).random
        runtime = await stack.enter_async_context(Runtime(jitter=jitter))
        left = iter(range(options.n))
        callers = []
        for number in range(min(_ACCOUNTS, max(1, options.n // 10))):
            account = f"hf_account{number}"
            model = open_model(
                "org/name",
                api_key=account,
                api_base=server.url,
                env={},
                runtime=runtime,
                request_options=RequestOptions(
                    max_concurrency=options.limit, max_attempts=options.attempts
                ),
                state_dir=folder,
                ledger=True,
            )
            await stack.enter_async_context(model)
            coordinator = runtime.state().coordinator
            way = model._endpoint.destination  # noqa: SLF001 - nobody outside asks for it
            failing.queues[account] = coordinator.model_queue(way, model.model)
            # Half as many again as there are permits, so that some always wait.
            at_once = options.limit + (options.limit + 1) // 2
            callers += [calls.make(model, left) for _ in range(at_once)]
        await asyncio.gather(*callers)
        in_use = runtime.counters()
    await open_ledger(folder).aclose()
    counted = sum(await asyncio.to_thread(attempts, folder))
    fails = (len(FAULTS) * options.p) ** options.attempts
    sigma = math.sqrt(fails * (1 - fails) / options.n)
    ends = calls.ends
    return judge(
        FIGURE,
        {
            **{
                kind: at_most(ends[kind], 0)
                for kind in ("wrong", "cross_wired", "duplicated", "untyped", "hung")
            },
            "success": at_least(ends["succeeded"] / options.n, 1 - fails - 3 * sigma),
            "ledger_less_server": at_most(abs(counted - server.hits), 0),
            "left_in_use": at_most(in_use.permits + in_use.queued, 0),
            "most_in_flight": at_most(max(server.most.values()), options.limit),
            "permits_used": at_least(failing.held / max(1, failing.room), LEAST_USED),
        },
        {
            "n": options.n,
            "p": options.p,
            "attempts": options.attempts,
            "seed": options.seed,
            "server_hits": server.hits,
            "ledger": counted,
            "faults": dict(sorted(failing.met.items())),
            "failures": dict(calls.failures.most_common()),
            "seconds": round(time.perf_counter() - began, 1),
        },
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--n", type=int, help="how many calls: 100000, or 20000 streams"
    )
    parser.add_argument("--p", type=float, default=0.05, help="the share of each fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--attempts", type=int, default=3, help="what a call may use")
    parser.add_argument(
        "--limit", type=int, default=4, help="requests of an account at once"
    )
    parser.add_argument(
        "--colds", type=int, default=2, help="how often the model is loading"
    )
    parser.add_argument("--cold", type=float, default=2.0, help="for how many seconds")
    parser.add_argument("--stream", action="store_true", help="streams that are cut")
    options = parser.parse_args(arguments)
    if options.stream:
        return asyncio.run(
            cut_streams(STREAM_FIGURE, count=options.n or 20_000, seed=options.seed)
        )
    options.n = options.n or 100_000
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(faultmix(options, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
