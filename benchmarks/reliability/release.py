"""Let a herd go on to a server that takes 16 at once, just after it was loading (R9).

    python -m benchmarks.reliability.release [--callers 1000]

The model loads, and then refuses whatever is above its capacity, in one of four ways
that all look like a model that loads: "loading" without an estimate, "overloaded", and
a 503 and a 502 without a body. Each is tried over sockets of this machine in real time,
and elsewhere, which is in memory and in virtual time: of a stranger's server the first
eight calls find out whether it is loading, of one here all that fit. It may see 32 at
once, one time. Once the answers of that burst are read it may see 17, the one of which
tells whether its capacity grew. Prints one line of JSON; exit code 1: a bound was
missed, which ``missed`` names.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import define, evolve, field

from benchmarks.reliability.figures import Measured, at_least, at_most, judge
from benchmarks.reliability.raw_server import (
    Answer,
    RawServer,
    Request,
    chat,
    loading,
    message,
    serving,
    whole,
)
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run
from bytebuddy_provider_hf.types import Event, Loading

FIGURE: Final = "R9"
CAPACITY: Final = 16
MOST_ONCE: Final = 32
MOST_AFTERWARDS: Final = CAPACITY + 1
MOST_REFUSED: Final = 0.03
_PLACES: Final = ("here", "elsewhere")
_LOADS: Final = 1.5
_EMPTY: Final = "content-length: 0\r\n\r\n"
_BUSY: Final[dict[str, tuple[int, bytes]]] = {
    "loading": (503, json.dumps({"error": "Model org/name is loading"}).encode()),
    "overloaded": (503, json.dumps({"error": "Model is overloaded"}).encode()),
    "bare 503": (503, b""),
    "bare 502": (502, b""),
}


@define(eq=False)
class Crowd:
    """A model of limited capacity, and what it saw before and after its refusals."""

    busy: str
    ready: float
    service: float
    good: int = 0
    refused: int = 0
    refused_at: float | None = None
    most: int = 0
    most_afterwards: int = 0
    # Whether a caller has its answer.
    warm: bool = False
    again: set[str] = field(factory=set)

    def admit(self, in_flight: int, now: float) -> str:
        """Return what becomes of a request that makes so many in flight."""
        if now < self.ready:
            return "cold"
        self.most = max(self.most, in_flight)
        # By then every answer of the burst that was refused has been read.
        if self.refused_at is not None and now > self.refused_at + 2 * self.service:
            self.most_afterwards = max(self.most_afterwards, in_flight)
        if in_flight > CAPACITY:
            self.refused += 1
            if self.refused_at is None:
                self.refused_at = now
            return "busy"
        self.good += 1
        return "good"

    def told(self, event: Event) -> None:
        """Note what a caller is told to wait for after somebody was served."""
        if self.warm and isinstance(event, Loading):
            self.again.add(event.reason)


async def release(
    crowd: Crowd, runtime: Runtime, callers: int, base: str | None
) -> int:
    """Let all callers call at once; return how many were served."""
    model = open_model(
        "org/name",
        api_key="hf_test",
        api_base=base,
        runtime=runtime,
        env={},
        state_dir=Path("/nonexistent"),
    )

    async def call() -> None:
        await model.chat("Hello", on_event=crowd.told)
        crowd.warm = True

    async with model:
        calls = (call() for _ in range(callers))
        ends = await asyncio.gather(*calls, return_exceptions=True)
    failures = [end for end in ends if isinstance(end, BaseException)]
    if unknown := [end for end in failures if not isinstance(end, ByteBuddyError)]:
        raise unknown[0]
    return len(ends) - len(failures)


async def over_sockets(busy: str, callers: int, seed: int) -> tuple[Crowd, int]:
    """Measure a server of this machine, in real time."""
    loop = asyncio.get_running_loop()
    crowd = Crowd(busy, loop.time() + _LOADS, service=0.1)
    server: RawServer

    def answer(request: Request) -> Answer:
        now = loop.time()
        match crowd.admit(server.now[request.account], now):
            case "cold":
                return loading(20.0)
            case "busy":
                status, body = _BUSY[busy]
                if body:
                    return whole(json.loads(body), status=f"{status} Busy")
                return Answer([f"HTTP/1.1 {status} Busy\r\n{_EMPTY}".encode()])
        return evolve(whole(chat("Hello")), delay=crowd.service)

    async with (
        serving(answer) as server,
        Runtime(jitter=random.Random(seed).random) as runtime,
    ):
        return crowd, await release(crowd, runtime, callers, f"{server.url}/v1")


async def elsewhere(busy: str, callers: int, seed: int) -> tuple[Crowd, int]:
    """Measure a server that is a stranger's, in virtual time."""
    loop = asyncio.get_running_loop()
    crowd = Crowd(busy, loop.time() + 20.0, service=0.5)
    in_flight = 0

    async def answer(_request: FakeRequest) -> FakeReply:
        nonlocal in_flight
        in_flight += 1
        try:
            kind = crowd.admit(in_flight, loop.time())
            if kind == "good":
                await asyncio.sleep(crowd.service)
        finally:
            in_flight -= 1
        if kind == "busy":
            status, body = _BUSY[busy]
            return FakeReply(status, {"content-type": "application/json"}, body)
        sent = message(chat("Hello")) if kind == "good" else loading(20.0).parts[0]
        body = sent.partition(b"\r\n\r\n")[2]
        status = 200 if kind == "good" else 503
        return FakeReply(status, {"content-type": "application/json"}, body)

    jitter = random.Random(seed).random
    async with Runtime(connect=MemoryConnect(answer), jitter=jitter) as runtime:
        return crowd, await release(crowd, runtime, callers, None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--callers", type=int, default=1_000)
    parser.add_argument("--busy", choices=_BUSY, help="one way to refuse; else all")
    parser.add_argument("--place", choices=_PLACES, help="one place; else both")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    kinds = tuple(_BUSY) if options.busy is None else (options.busy,)
    callers, seed = options.callers, options.seed
    measured: dict[str, Measured] = {}
    facts: dict[str, object] = {"callers": callers, "busy": kinds, "seed": seed}
    for place in _PLACES if options.place is None else (options.place,):
        found = [
            asyncio.run(over_sockets(kind, callers, seed))
            if place == "here"
            else run(elsewhere(kind, callers, seed))
            for kind in kinds
        ]
        crowds = [crowd for crowd, _ in found]
        shares = [c.refused / (c.refused + c.good) for c in crowds]
        facts[f"refused_{place}"] = [crowd.refused for crowd in crowds]
        measured |= {
            f"served_{place}": at_least(min(served for _, served in found), callers),
            f"most_{place}": at_most(max(c.most for c in crowds), MOST_ONCE),
            f"most_afterwards_{place}": at_most(
                max(c.most_afterwards for c in crowds), MOST_AFTERWARDS
            ),
            f"refused_share_{place}": at_most(max(shares), MOST_REFUSED),
            f"cold_again_{place}": at_most(
                sum("loading" in c.again for c in crowds), 0
            ),
        }
    return judge(FIGURE, measured, facts)


if __name__ == "__main__":
    sys.exit(main())
