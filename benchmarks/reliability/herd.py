"""Let a thousand callers meet a model that is loading: few probes, all served (R6, R7).

    python -m benchmarks.reliability.herd [--waiters 1000] [--cold 20]
    python -m benchmarks.reliability.herd --cancel 0.1 [--seeds 200]

All call at once, by default a model that loads for 20, 120 and 300 s, and that says
"20.0" all the time or counts down. Eight calls find out that it loads; then one at a
time probes for all, which costs 6, 17 and 34 requests more. Time is virtual and the
connections are in memory, as nobody would wait for 300 s.

With ``--cancel`` that share of the callers is cancelled at random times of a load of
20 s, and whoever probes always, while its request is under way (R7): the next one
takes over, for one request more each. Prints one line of JSON; exit code 1: a bound
was missed, which ``missed`` names.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import define, field

from benchmarks.reliability.figures import Measured, at_least, at_most, judge
from benchmarks.reliability.raw_server import chat
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.scheduling.cold_start import UNKNOWN
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run

FIGURE: Final = "R6"
CANCEL_FIGURE: Final = "R7"
# Of a model that loads for so many seconds: the probes beside the first eight calls.
PROBES: Final = {20: 6, 120: 17, 300: 34}
_ESTIMATES: Final = ("constant", "counting down")
_JSON: Final = {"content-type": "application/json"}
# Longer than the longest load, which is as long as a call waits by default.
_OPTIONS: Final = RequestOptions(cold_start_timeout=400)
_ANSWER_SECONDS: Final = 0.1
# A cancelled caller's request is under way for so long, and is left in its middle.
_PROBE_SECONDS: Final = 0.5
_LEFT_AFTER: Final = 0.2
# Virtual seconds after which who has no answer is stuck: 1,000 answers, 32 at once,
# take 4 s.
_SOON: Final = 60.0


@define(eq=False)
class Cold:
    """A model that loads until a time; ``leaders`` are cancelled while they probe."""

    ready: float
    estimate: str
    slow: bool = False
    refused: int = 0
    served: int = 0
    takeovers: int = 0
    leaders: list[asyncio.Task[str]] = field(factory=list)

    async def __call__(self, request: FakeRequest) -> FakeReply:
        loop = asyncio.get_running_loop()
        asked = str(json.loads(request.body)["messages"][-1]["content"])
        left = self.ready - loop.time()
        if left <= 0:
            self.served += 1
            await asyncio.sleep(_ANSWER_SECONDS)
            return FakeReply(200, _JSON, json.dumps(chat(f"to {asked}")).encode())
        self.refused += 1
        if self.slow and self.refused > UNKNOWN:
            loop.call_later(_LEFT_AFTER, self._cancel, int(asked))
        if self.slow:
            await asyncio.sleep(_PROBE_SECONDS)
        told = 20.0 if self.estimate == "constant" else left
        said = {"error": "Model org/name is currently loading", "estimated_time": told}
        return FakeReply(503, _JSON, json.dumps(said).encode())

    def _cancel(self, number: int) -> None:
        self.takeovers += self.leaders[number].cancel()


@define
class Herd:
    """What became of a herd: requests while it was loading, answers, and the rest."""

    refused: int
    served: int
    answered: int
    wrong: int
    cancelled: int
    takeovers: int
    stuck: int
    held: int


async def herd(
    *, waiters: int, seconds: int, estimate: str, cancel: float, seed: int
) -> Herd:
    """Let all callers wait for a model that loads for so many seconds."""
    loop, chance = asyncio.get_running_loop(), random.Random(seed)
    cold = Cold(loop.time() + seconds, estimate, slow=cancel > 0)
    connect = MemoryConnect(cold)
    async with Runtime(connect=connect, jitter=random.Random(seed).random) as runtime:
        model = open_model(
            "org/name",
            api_key="hf_test",
            runtime=runtime,
            env={},
            state_dir=Path("/nonexistent"),
            request_options=_OPTIONS,
        )

        async def ask(number: int) -> str:
            return (await model.chat(str(number))).text

        tasks = [asyncio.create_task(ask(number)) for number in range(waiters)]
        cold.leaders = tasks
        for task in chance.sample(tasks, int(waiters * cancel)):
            loop.call_later(chance.uniform(0, seconds * 1.2), task.cancel)
        _, stuck = await asyncio.wait(tasks, timeout=seconds + _SOON)
        for task in stuck:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        in_use = runtime.counters()
        await model.aclose()
    gone = sum(isinstance(end, asyncio.CancelledError) for end in ends)
    good = sum(end == f"to {number}" for number, end in enumerate(ends))
    return Herd(
        refused=cold.refused,
        served=cold.served,
        answered=good,
        wrong=waiters - good - gone,
        cancelled=gone - len(stuck),
        takeovers=cold.takeovers,
        stuck=len(stuck),
        held=in_use.permits + in_use.queued + connect.open,
    )


def patient(waiters: int, seconds: Sequence[int], seed: int) -> int:
    """Measure herds of which nobody leaves; print the figures (R6)."""
    measured: dict[str, Measured] = {}
    facts: dict[str, object] = {"waiters": waiters, "seed": seed}
    for loads in seconds:
        herds = [
            run(
                herd(
                    waiters=waiters,
                    seconds=loads,
                    estimate=estimate,
                    cancel=0.0,
                    seed=seed,
                )
            )
            for estimate in _ESTIMATES
        ]
        most = UNKNOWN + PROBES[loads]
        facts[f"each_{loads}"] = [found.refused for found in herds]
        measured |= {
            f"cold_{loads}": at_most(max(h.refused for h in herds), most),
            f"results_{loads}": at_least(min(h.answered for h in herds), waiters),
            # A probe that is answered is somebody's result: none is wasted.
            f"useful_{loads}": at_most(max(h.served for h in herds), waiters),
            f"held_{loads}": at_most(sum(h.held + h.stuck for h in herds), 0),
        }
    return judge(FIGURE, measured, facts)


def cancelling(waiters: int, cancel: float, seeds: Sequence[int]) -> int:
    """Measure herds of which some leave, whoever probes among them (R7)."""
    totals: Counter[str] = Counter()
    over, began = 0, time.perf_counter()
    for seed in seeds:
        found = run(
            herd(
                waiters=waiters,
                seconds=20,
                estimate=_ESTIMATES[seed % 2],
                cancel=cancel,
                seed=seed,
            )
        )
        over = max(over, found.refused - UNKNOWN - PROBES[20] - found.takeovers)
        totals.update(
            stuck=found.stuck,
            wrong=found.wrong,
            held=found.held,
            cancelled=found.cancelled,
            takeovers=found.takeovers,
            unaccounted=waiters - found.answered - found.cancelled,
        )
    bad = ("stuck", "wrong", "held", "unaccounted")
    return judge(
        CANCEL_FIGURE,
        {
            **{name: at_most(totals[name], 0) for name in bad},
            "cold_calls_above_the_bound": at_most(over, 0),
            # Without them nothing was measured.
            "takeovers": at_least(totals["takeovers"], len(seeds)),
        },
        {
            "waiters": waiters,
            "seeds": len(seeds),
            "cancelled": totals["cancelled"],
            "seconds": round(time.perf_counter() - began, 1),
        },
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--waiters", type=int, default=1_000)
    parser.add_argument(
        "--cold", type=int, choices=PROBES, help="seconds of loading; else all of these"
    )
    parser.add_argument(
        "--cancel", type=float, default=0.0, help="the share of callers that leave"
    )
    parser.add_argument("--seeds", type=int, default=200, help="herds with --cancel")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.cancel:
        seeds = range(options.seed, options.seed + options.seeds)
        return cancelling(options.waiters, options.cancel, seeds)
    seconds = tuple(PROBES) if options.cold is None else (options.cold,)
    return patient(options.waiters, seconds, options.seed)


if __name__ == "__main__":
    sys.exit(main())
