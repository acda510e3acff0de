"""Read many long answers at once: nobody waits behind a limit nobody asked for (R46).

    python -m benchmarks.reliability.longstreams [--seconds 3 10] [--callers 32]

A server that refuses nothing streams answers that take seconds. A client that starts
with eight permits and adds one for each answer that has ended lets the last of 32
callers wait for minutes. 32 callers with the defaults, and 64 with `maxConcurrency` 64,
begin at once:

- on this machine, with real sockets: the last first token comes within one round trip
  and 100 ms. A round trip is how long one stream alone takes to its first token. How
  long the program stood ready meanwhile while others had the processors is not counted,
  where the system tells it (Linux), and is printed;
- elsewhere, in virtual time, with round trips of 50 ms: within three of them;
- all of it takes at most 1.05 times as long as one stream alone;
- 64 callers with the defaults go in exactly two waves.

Prints one line of JSON; exit code 1: one of these was missed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf import Text, open_model
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run

_PIECES: Final = 20
_ROUND_TRIP: Final = 0.05
_TRIPS: Final = 3
_PATIENCE_MS: Final = 100
_LONGER: Final = 1.05
# What maxConcurrency is unless somebody says otherwise.
_DEFAULT: Final = 32
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_MODELS: Final = (
    b'{"object":"list","data":[{"id":"m","object":"model","owned_by":"x"}]}'
)
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def _ordered(
    times: Iterable[tuple[float, float]],
) -> tuple[tuple[float, float], ...]:
    return tuple(sorted(times))


@frozen
class Streams:
    """Seconds of streams that began at once, each to its first text and its end.

    ``alone`` is how long one of them took by itself, ``trip`` to its first text;
    ``kept_waiting`` until the last first text by others who had the processors.
    """

    alone: float
    trip: float
    times: tuple[tuple[float, float], ...] = field(converter=_ordered)
    kept_waiting: float

    @property
    def last(self) -> float:
        """When the last of them had its first text."""
        return self.times[-1][0] - self.kept_waiting

    @property
    def longer(self) -> float:
        """How many times as long as one stream all of them took."""
        return (max(end for _, end in self.times) - self.kept_waiting) / self.alone

    @property
    def waves(self) -> int:
        """In how many waves they came: one ends when its first stream does."""
        count, until = 0, 0.0
        for first, end in self.times:
            if not count or first > until:
                count, until = count + 1, end
        return count


def run_delay() -> float:
    """Return how long this thread has stood ready for a processor, in seconds."""
    try:
        told = Path("/proc/thread-self/schedstat").read_text("ascii")
    except OSError:
        return 0.0  # another system than Linux
    return int(told.split()[1]) / 1e9


async def read(
    model: HuggingFaceModel, begun: Callable[[], None]
) -> tuple[float, float]:
    """Return after how long the first text of a stream came, and its end."""
    loop = asyncio.get_running_loop()
    began, first = loop.time(), 0.0
    async with model.chat("a") as events:
        async for event in events:
            if isinstance(event, Text) and not first:
                first = loop.time() - began
                begun()
    return first, loop.time() - began


async def measure(
    callers: int,
    limit: int | None,
    *,
    base: str | None = None,
    connect: MemoryConnect | None = None,
) -> Streams:
    """Read one stream alone, then many at once; each time the client is new."""
    times: list[list[tuple[float, float]]] = []
    delays: list[float] = []

    def begun() -> None:
        # In virtual time nobody is kept waiting by others.
        delays.append(0.0 if base is None else run_delay())

    for count in (1, callers):
        async with (
            Runtime(connect=connect) as runtime,
            open_model(
                "org/name",
                api_key="hf_x",
                api_base=base,
                request_options=RequestOptions(max_concurrency=limit),
                runtime=runtime,
                env={},
                state_dir=Path("nowhere"),
            ) as model,
        ):
            if base is not None:
                # What stands there is found out by the first call.
                await model.chat("a")
            delays.clear()
            begun()
            each = (read(model, begun) for _ in range(count))
            times.append(await asyncio.gather(*each))
    ((trip, alone),), many = times
    # The streams of a wave are read together: those of a second one would come later.
    last = delays[min(callers, limit or _DEFAULT)]
    return Streams(alone, trip, many, last - delays[0])


async def elsewhere(callers: int, seconds: float, limit: int | None) -> Streams:
    """Measure in virtual time, over the memory transport."""
    reply = chat_stream([f"{number} " for number in range(_PIECES)])
    # The first text comes with the head of the answer, as it does from real servers.
    pieces = (b"".join(reply.body[:2]), *reply.body[2:])
    gap = seconds / (len(pieces) - 1)

    async def answer(_request: FakeRequest) -> FakeReply:
        return evolve(reply, body=pieces, delay=_ROUND_TRIP, gap=gap)

    return await measure(callers, limit, connect=MemoryConnect(answer))


def here(callers: int, seconds: float, limit: int | None) -> Streams:
    """Measure against a real server, in a process of its own on this machine."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    server = context.Process(target=listen, args=(theirs, seconds), daemon=True)
    server.start()
    try:
        base = f"http://127.0.0.1:{mine.recv()}"
        return asyncio.run(measure(callers, limit, base=base))
    finally:
        server.terminate()
        server.join()


def listen(pipe: Connection, seconds: float) -> None:
    """Serve until the process is ended; tell the port."""

    async def main() -> None:
        server = await asyncio.start_server(partial(serve, seconds), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def serve(
    seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer the requests of one connection, bytes by hand."""
    event = (
        b'data: {"object":"chat.completion.chunk","choices":[{"index":0,'
        b'"delta":{"content":"word "},"finish_reason":null}]}\n\n'
    )
    last = event.replace(b"null", b'"stop"') + b"data: [DONE]\n\n"
    whole = (
        b'{"object":"chat.completion","choices":[{"index":0,"finish_reason":"stop",'
        b'"message":{"role":"assistant","content":"word"}}]}'
    )
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            asked = await reader.readexactly(int(length[1]) if length else 0)
            if b'"stream":true' not in asked:
                known = head.startswith((b"GET /v1/models ", b"POST"))
                body = whole if asked else _MODELS if known else b""
                status = b"200 OK" if known else b"404 Not Found"
                writer.write(
                    b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n%s" % (status, len(body), body)
                )
                continue
            writer.write(_HEAD)
            for number in range(_PIECES):
                if number:
                    await asyncio.sleep(seconds / (_PIECES - 1))
                sent = last if number == _PIECES - 1 else event
                writer.write(b"%x\r\n%s\r\n" % (len(sent), sent))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client is done
    finally:
        writer.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--seconds", type=float, nargs="+", default=[3.0, 10.0])
    options_of.add_argument("--callers", type=int, default=_DEFAULT)
    options_of.add_argument(
        "--limit",
        type=int,
        help="the maxConcurrency of the callers, if not the default",
    )
    only = options_of.add_mutually_exclusive_group()
    only.add_argument("--here", action="store_true", help="only on this machine")
    only.add_argument("--elsewhere", action="store_true", help="only in virtual time")
    options = options_of.parse_args(arguments)
    both = ((options.callers, options.limit), (2 * _DEFAULT, 2 * _DEFAULT))
    asked = [(n, length, limit) for length in options.seconds for n, limit in both]
    bounds: list[Bound] = []
    every: list[Streams] = []
    told: dict[str, object] = {}
    if not options.elsewhere:
        every = [here(*each) for each in asked]
        late = round(max(each.last - each.trip for each in every) * 1e3, 1)
        told["kept_waiting_ms"] = round(max(e.kept_waiting for e in every) * 1e3, 1)
        bounds = [Bound("local_ms_over_a_round_trip", late, "<=", _PATIENCE_MS)]
    if not options.here:
        remote = [run(elsewhere(*each)) for each in asked]
        every += remote
        trips = round(max(each.last for each in remote) / _ROUND_TRIP, 2)
        waves = [
            run(elsewhere(2 * _DEFAULT, length, None)).waves
            for length in options.seconds
        ]
        bounds += [
            Bound("remote_round_trips", trips, "<=", _TRIPS),
            Bound("fewest_waves", min(waves), "==", 2),
            Bound("most_waves", max(waves), "==", 2),
        ]
    longer = round(max(each.longer for each in every), 3)
    return tell(
        judged(
            "R46",
            *bounds,
            Bound("longer_than_one", longer, "<=", _LONGER),
            callers=[options.callers, 2 * _DEFAULT],
            seconds=options.seconds,
            **told,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
