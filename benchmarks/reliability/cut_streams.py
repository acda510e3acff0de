"""Cut streams at any byte, and compare what was delivered with what was sent.

What ``python -m benchmarks.reliability.faultmix --stream`` measures.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from attrs import define, field

from benchmarks.reliability.figures import at_least, at_most, judge
from benchmarks.reliability.raw_server import (
    Answer,
    Ending,
    Request,
    events,
    models,
    serving,
)
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import ByteBuddyError, StreamInterrupted
from bytebuddy_provider_hf.types import Done, Text

EVENTS: Final = 20
# A byte is drawn of so many times the length: beyond the end nothing is cut.
_REACH: Final = 1.25
_AT_ONCE: Final = 32
_PATIENCE: Final = 120.0
_FRAMINGS: Final = ("chunked", "length", "close")


def pieces(nonce: str) -> list[str]:
    """Return the texts of a stream's events: no two are the same."""
    return [f"{nonce}-{at} " for at in range(EVENTS)]


@define(eq=False)
class CuttingServer:
    """Stream an answer in one of three framings, and cut it by FIN or RST."""

    chance: random.Random
    cuts: Counter[str] = field(factory=Counter)

    def __call__(self, request: Request) -> Answer:
        if request.method == "GET":
            return models()
        framing = self.chance.choice(_FRAMINGS)
        written = events(pieces(request.asked))
        lines = ["HTTP/1.1 200 OK", "content-type: text/event-stream"]
        if framing == "chunked":
            lines.append("transfer-encoding: chunked")
            written = [b"%x\r\n%b\r\n" % (len(each), each) for each in (*written, b"")]
        elif framing == "length":
            lines.append(f"content-length: {sum(map(len, written))}")
        else:
            lines.append("connection: close")
        head = "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
        body = b"".join(written)
        cut = self.chance.randrange(int(len(body) * _REACH))
        if cut >= len(body):
            self.cuts[f"{framing}, whole"] += 1
            return Answer([head, body], then="close" if framing == "close" else "keep")
        self.cuts[framing] += 1
        then: Ending = self.chance.choice(("close", "reset"))
        return Answer([head, body[:cut]] if cut else [head], then=then)


@define(eq=False)
class Streams:
    """What became of the streams, as their readers saw it."""

    chance: random.Random
    ends: Counter[str] = field(factory=Counter)

    async def read(self, model: HuggingFaceModel, left: Iterator[int]) -> None:
        """Read one stream after the other as long as there are some left."""
        for _ in left:
            nonce = f"{self.chance.getrandbits(64):016x}"
            sent, seen, ended = "".join(pieces(nonce)), "", False
            failure: BaseException | None = None
            try:
                async with asyncio.timeout(_PATIENCE), model.chat(nonce) as events_:
                    async for event in events_:
                        if isinstance(event, Text):
                            seen += event.text
                        elif isinstance(event, Done):
                            ended = True
            except (ByteBuddyError, TimeoutError) as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - counted, whatever it is
                failure = error
            self._judge(sent, seen, failure, ended=ended)

    def _judge(
        self, sent: str, seen: str, failure: BaseException | None, *, ended: bool
    ) -> None:
        """Compare what was delivered with what was sent, and with what was told."""
        if not sent.startswith(seen):
            self.ends["no_prefix"] += 1
        if ended and failure is None:
            self.ends["whole" if seen == sent else "silently_cut"] += 1
        elif isinstance(failure, StreamInterrupted):
            self.ends["interrupted"] += 1
            self.ends["wrong_partial"] += failure.partial != seen
        elif isinstance(failure, ByteBuddyError):
            # Cut before its first event: sent again, as often as is allowed.
            self.ends["no_event" if not seen else "not_interrupted"] += 1
        elif isinstance(failure, TimeoutError):
            self.ends["hung"] += 1
        else:
            self.ends["untyped"] += 1


async def cut_streams(figure: str, *, count: int, seed: int) -> int:
    """Read ``count`` streams; print the figures and return the exit code."""
    cutting = CuttingServer(random.Random(seed))
    streams = Streams(random.Random(seed + 1))
    began = time.perf_counter()
    jitter = random.Random(seed + 2).random
    async with serving(cutting) as server, Runtime(jitter=jitter) as runtime:
        model = open_model(
            "org/name", api_base=f"{server.url}/v1", env={}, runtime=runtime
        )
        left = iter(range(count))
        async with model:
            await asyncio.gather(*(streams.read(model, left) for _ in range(_AT_ONCE)))
        in_use = runtime.counters()
    ends = streams.ends
    bad = ("no_prefix", "silently_cut", "wrong_partial", "not_interrupted")
    told = ends["whole"] + ends["interrupted"] + ends["no_event"]
    return judge(
        figure,
        {
            **{kind: at_most(ends[kind], 0) for kind in (*bad, "untyped", "hung")},
            "accounted_for": at_least(told, count),
            "left_in_use": at_most(in_use.permits + in_use.queued, 0),
        },
        {
            "n": count,
            "events": EVENTS,
            "seed": seed,
            "ends": dict(sorted(ends.items())),
            "sent": dict(sorted(cutting.cuts.items())),
            "seconds": round(time.perf_counter() - began, 1),
        },
    )
