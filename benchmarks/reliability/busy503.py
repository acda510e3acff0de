"""Crowd an endpoint that sheds load with a bare 503: it is busy, not asleep (R47).

    python -m benchmarks.reliability.busy503 [--callers N] [--capacities 1 4 16]

A dedicated endpoint's own router turns away what is too much with the same bytes that
it sends while the endpoint is asleep. A client that takes one for the other tells its
user that the model wakes up, and lets everybody wait for a probe while the endpoint
works. After one good answer many callers come at once. None of them may be told that it
is waking, loading or starting; no request may be a probe, which asks to be held until
the endpoint is up; the permits have to come down to what the endpoint takes, so that it
is hardly run against, and it has to be used as if nobody had been turned away. Time is
virtual, the transport in memory.

Prints one line of JSON; exit code 1: one of these was missed. `--asleep` sends the same
bytes from an endpoint that does sleep, for which the command has to fail.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf import Event, Loading, open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.failures import asleep
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run

_ENDPOINT: Final = "https://x.endpoints.huggingface.cloud/v1"
# Seconds that an answer takes, and for how long the endpoint of --asleep sleeps.
_ANSWER: Final = 0.5
_SLEEP: Final = 30.0
_NOT_BUSY: Final = frozenset({"waking", "loading", "starting"})
_SHED: Final = 0.1
_SLOWER: Final = 1.5


@frozen
class Crowded:
    """What callers of one endpoint were told, and what it saw of them."""

    reasons: Counter[str]
    probes: int
    failed: int
    shed: float
    slower: float
    above: float


async def crowd(callers: int, capacity: int, seed: int, *, sleeps: bool) -> Crowded:
    """Let callers come at once to an endpoint that takes ``capacity`` of them."""
    loop = asyncio.get_running_loop()
    wakes = loop.time() + (_SLEEP if sleeps else 0.0)
    in_flight = requests = shed = probes = 0
    reasons: Counter[str] = Counter()

    async def answer(request: FakeRequest) -> FakeReply:
        nonlocal in_flight, requests, shed, probes
        requests += 1
        probes += "x-scale-up-timeout" in request.headers
        if in_flight >= capacity or loop.time() < wakes:
            shed += 1
            return asleep()
        in_flight += 1
        try:
            await asyncio.sleep(_ANSWER)
        finally:
            in_flight -= 1
        return chat_reply("fine")

    told: set[tuple[int, str]] = set()

    def listen(number: int, event: Event) -> None:
        if isinstance(event, Loading):
            told.add((number, event.reason))

    # Nobody says how many it takes: who does is believed, and begins with so many.
    options = RequestOptions(timeout=10_000)
    async with (
        Runtime(
            connect=MemoryConnect(answer), jitter=random.Random(seed).random
        ) as runtime,
        open_model(
            "org/name",
            api_key="hf_x",
            api_base=_ENDPOINT,
            request_options=options,
            runtime=runtime,
            env={},
            state_dir=Path("nowhere"),
        ) as model,
    ):
        if not sleeps:
            await model.chat("a")
        began, requests, shed = loop.time(), 0, 0
        tasks = [
            asyncio.create_task(model.chat("a", on_event=partial(listen, number)))
            for number in range(callers)
        ]
        await asyncio.sleep(0)
        (limiter,) = runtime.state().coordinator._limiters.values()  # type: ignore[attr-defined]  # noqa: SLF001 - what it allows is what is measured
        # In the middle of the crowd: at its end nobody asks for more.
        await asyncio.sleep(callers * _ANSWER / capacity / 2)
        above = limiter.limit / capacity
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    reasons.update(reason for _, reason in told)
    ideal = -(-callers // capacity) * _ANSWER
    return Crowded(
        reasons=reasons,
        probes=probes,
        failed=sum(isinstance(end, BaseException) for end in ends),
        shed=shed / max(1, requests),
        slower=(loop.time() - began) / ideal,
        above=above,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--callers", type=int, default=1_000)
    options_of.add_argument("--capacities", type=int, nargs="+", default=[1, 4, 16])
    options_of.add_argument("--seed", type=int, default=1)
    options_of.add_argument("--asleep", action="store_true", help="it does sleep")
    options = options_of.parse_args(arguments)
    runs = [
        run(
            crowd(options.callers, capacity, options.seed, sleeps=options.asleep),
            limit=10 * 86_400,
        )
        for capacity in options.capacities
    ]
    reasons = sum((each.reasons for each in runs), Counter[str]())
    wrong = sum(reasons[each] for each in _NOT_BUSY)
    return tell(
        judged(
            "R47",
            Bound("told_as_not_ready", wrong, "==", 0),
            Bound("probes", sum(each.probes for each in runs), "==", 0),
            Bound("failed", sum(each.failed for each in runs), "==", 0),
            Bound("worst_shed", round(max(e.shed for e in runs), 4), "<", _SHED),
            Bound("slowest", round(max(e.slower for e in runs), 3), "<", _SLOWER),
            # One more than it takes is how a larger capacity is found.
            Bound("most_permits", round(max(e.above for e in runs), 2), "<=", 2),
            callers=options.callers,
            capacities=options.capacities,
            seed=options.seed,
            told=dict(reasons),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
