"""Let a thousand callers wait for one reset: they do not come back all at once (R20).

    python -m benchmarks.reliability.desync [--sleepers N] [--reset SECONDS] [--seed N]

A server has used up its window and says when the next one begins, once in a
`Retry-After` and once in a `RateLimit` header. All callers wait for the same moment; a
client that lets each of them sleep for that time sends a thousand requests in one tick
and uses up the new window as well. Here they are let go in steps: in any 100 ms at most
as many as may be in flight at that moment. Time is virtual, the transport in memory,
and answers take from nothing to a second. Prints one line of JSON; exit code 1: more
were sent in some 100 ms, one came before the reset, or one got no answer.
"""

from __future__ import annotations

import asyncio
import random
import sys
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf import ByteBuddyError, open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.failures import rate_limited
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run

WINDOW: Final = 0.1
_MODEL: Final = "org/name"
# Answers at once, answers that end within a step of the release, and slow ones.
_LATENCIES: Final = ((0.0, 0.0), (0.01, 0.2), (0.0, 1.0))


@frozen
class Woken:
    """When requests came after a reset, and how many might be in flight and when."""

    arrivals: tuple[float, ...]
    limits: tuple[tuple[float, int], ...]
    early: int
    failed: int

    @property
    def worst(self) -> tuple[int, int]:
        """The most that came in one window, and the limit then, by their ratio."""
        found, end = (0, 1), 0
        times = [at for at, _ in self.limits]
        for begin, at in enumerate(self.arrivals):
            while end < len(self.arrivals) and self.arrivals[end] < at + WINDOW:
                end += 1
            # The limit grows with each answer: the highest one of the window counts.
            first, last = bisect_left(times, at), bisect_left(times, at + WINDOW)
            limit = max((each for _, each in self.limits[first:last]), default=1)
            if (end - begin) * found[1] > found[0] * limit:
                found = (end - begin, limit)
        return found


async def wake(
    sleepers: int, *, reset: int, header: str, latency: tuple[float, float], seed: int
) -> Woken:
    """Let callers wait for the reset of a window, and note when they come back."""
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    opens = loop.time() + reset
    arrivals: list[float] = []
    limits: list[tuple[float, int]] = []
    early = 0
    refused = False

    async def answer(_request: FakeRequest) -> FakeReply:
        nonlocal early, refused
        now = loop.time()
        if now < opens:
            # Those of the first burst are refused; nobody should come after them.
            early += refused and now > opens - reset + 1
            refused = True
            left = max(1, round(opens - now))
            if header == "RateLimit":
                return rate_limited(reset=left)
            return rate_limited(retry_after=left)
        arrivals.append(now)
        await asyncio.sleep(chance.uniform(*latency))
        return chat_reply("fine")

    options = RequestOptions(timeout=10_000, max_queue=2 * sleepers, max_attempts=5)
    async with (
        Runtime(connect=MemoryConnect(answer), jitter=chance.random) as runtime,
        open_model(
            _MODEL,
            api_key="hf_x",
            request_options=options,
            runtime=runtime,
            env={},
            state_dir=Path("nowhere"),
        ) as model,
    ):
        tasks = [asyncio.create_task(model.chat("a")) for _ in range(sleepers)]
        # The limiter of the account is there as soon as somebody has asked.
        await asyncio.sleep(0)
        (limiter,) = runtime.state().coordinator._limiters.values()  # type: ignore[attr-defined]  # noqa: SLF001 - what it allows is what is measured
        may_wake = limiter.may_wake

        def noted() -> bool:
            limits.append((loop.time(), limiter.limit))
            return bool(may_wake())

        limiter.may_wake = noted
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    failed = sum(isinstance(end, ByteBuddyError) for end in ends)
    others = [e for e in ends if isinstance(e, BaseException)]
    if len(others) > failed:
        raise ExceptionGroup("a call failed with no error of ours", others)  # type: ignore[type-var]  # what gather returns
    return Woken(tuple(arrivals), tuple(limits), early, failed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--sleepers", type=int, default=1_000)
    options_of.add_argument("--reset", type=int, default=30)
    options_of.add_argument("--seed", type=int, default=1)
    options = options_of.parse_args(arguments)
    runs = [
        run(
            wake(
                options.sleepers,
                reset=options.reset,
                header=header,
                latency=latency,
                seed=options.seed + number,
            )
        )
        for header in ("Retry-After", "RateLimit")
        for number, latency in enumerate(_LATENCIES)
    ]
    most, limit = max((each.worst for each in runs), key=lambda pair: pair[0] / pair[1])
    return tell(
        judged(
            "R20",
            Bound("most_in_100_ms", most, "<=", limit),
            Bound("before_the_reset", sum(each.early for each in runs), "==", 0),
            Bound("failed", sum(each.failed for each in runs), "==", 0),
            sleepers=options.sleepers,
            reset_seconds=options.reset,
            seed=options.seed,
            runs=len(runs),
            woken=sum(len(each.arrivals) for each in runs),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
