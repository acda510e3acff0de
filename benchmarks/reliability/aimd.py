"""Find out how many requests at once a server takes, and stay there (R24).

    python -m benchmarks.reliability.aimd [--capacities 2 8 32] [--seeds N] [--seed N]

A server answers in about one round trip and refuses with a plain 429 what is above its
capacity, which nobody tells the client; callers always wait. A client that keeps away
from refusals uses too little of it, one that forgets them is refused all the time. The
client may have 64 in flight. After 60 round trips the mean that is in flight has to be
within 20 % of the capacity, and less than 3 % of the answers may be refusals, counted
over the 300 round trips that follow. Time is virtual, the transport in memory. Prints
one line of JSON; exit code 1: one of the two was missed with one capacity and seed.
"""

from __future__ import annotations

import asyncio
import random
import sys
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

OFF: Final = 0.2
REFUSED: Final = 0.03
WITHIN: Final = 60
# Round trips that are measured afterwards, and over which the beginning is averaged.
MEASURED: Final = 300
_STEP: Final = 10
# More than any capacity here: nobody tells the client what the server takes.
_MOST: Final = 64


@frozen
class Held:
    """How near to a capacity a client came, in how many round trips, and then was."""

    capacity: int
    found_after: int | None
    mean: float
    refused: float

    @property
    def off(self) -> float:
        """How far from the capacity the mean was, as a share of it."""
        return abs(self.mean - self.capacity) / self.capacity


async def hold(capacity: int, seed: int, measured: int = MEASURED) -> Held:
    """Load a server of a capacity for ever; return what it saw."""
    chance = random.Random(seed)
    in_flight = 0
    counts = {True: 0, False: 0}
    held = since = 0.0
    loop = asyncio.get_running_loop()

    def count(change: int) -> None:
        nonlocal in_flight, held, since
        now = loop.time()
        held += in_flight * (now - since)
        since = now
        in_flight += change

    async def answer(_request: FakeRequest) -> FakeReply:
        refused = in_flight >= capacity
        counts[refused] += 1
        if refused:
            # It takes a round trip all the same, but a short one.
            await asyncio.sleep(chance.uniform(0.05, 0.15))
            return rate_limited()
        count(1)
        try:
            # About a round trip: answers that all end at once are no server's.
            await asyncio.sleep(chance.uniform(0.5, 1.5))
        finally:
            count(-1)
        return chat_reply("fine")

    async def mean_of(seconds: float) -> float:
        nonlocal held
        count(0)
        held = 0.0
        await asyncio.sleep(seconds)
        count(0)
        return held / seconds

    async def load() -> None:
        # Whoever is refused for good asks anew, as a program with much to do does.
        while True:
            try:
                await model.chat("a")
            except ByteBuddyError:
                await asyncio.sleep(1)

    since = loop.time()
    options = RequestOptions(max_concurrency=_MOST, max_attempts=50, timeout=100_000)
    async with (
        Runtime(connect=MemoryConnect(answer), jitter=chance.random) as runtime,
        open_model(
            "org/name",
            api_key="hf_x",
            request_options=options,
            runtime=runtime,
            env={},
            state_dir=Path("nowhere"),
        ) as model,
    ):
        callers = [asyncio.create_task(load()) for _ in range(4 * _MOST)]
        found_after = None
        for past in range(0, WITHIN, _STEP):
            mean = await mean_of(_STEP)
            near = abs(mean - capacity) <= OFF * capacity
            found_after = (found_after or past + _STEP) if near else None
        counts.update({True: 0, False: 0})
        mean = await mean_of(measured)
        refused = counts[True] / max(1, sum(counts.values()))
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    return Held(capacity, found_after, mean, refused)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--capacities", type=int, nargs="+", default=[2, 8, 32])
    options_of.add_argument("--seeds", type=int, default=5)
    options_of.add_argument(
        "--round-trips", type=int, default=MEASURED, help="how many are measured"
    )
    options_of.add_argument("--seed", type=int, default=1)
    options = options_of.parse_args(arguments)
    runs = [
        run(hold(capacity, seed, options.round_trips))
        for capacity in options.capacities
        for seed in range(options.seed, options.seed + options.seeds)
    ]
    return tell(
        judged(
            "R24",
            Bound("worst_off", round(max(r.off for r in runs), 4), "<=", OFF),
            Bound("worst_429", round(max(r.refused for r in runs), 4), "<", REFUSED),
            Bound(
                "round_trips",
                None
                if any(r.found_after is None for r in runs)
                else max(r.found_after or 0 for r in runs),
                "<=",
                WITHIN,
            ),
            capacities=options.capacities,
            seeds=options.seeds,
            seed=options.seed,
            mean_in_flight={
                str(capacity): [
                    round(r.mean, 2) for r in runs if r.capacity == capacity
                ]
                for capacity in options.capacities
            },
        )
    )


if __name__ == "__main__":
    sys.exit(main())
