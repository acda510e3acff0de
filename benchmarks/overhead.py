"""What a call costs: this package against hand-written aiohttp, in one run.

A server with ready-made answers runs in a process of its own; both clients ask it in
turn. The figure is CPU time of the client and its ratio, because machines are noisy; of
streams at once also the wall clock. 256 texts are embedded in one call: by hand one
request, here batches of 64. A cache hit is compared with the request that it spares:
one from memory, and one that is looked for in the file each time. The ledger's row is
what counting adds to a call: its figure is the difference of two measurements, which
alternate.

    python benchmarks/overhead.py [--rounds 5] [--quick]
"""

from __future__ import annotations

import argparse
import array
import asyncio
import base64
import gc
import json
import multiprocessing
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
from attrs import frozen

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import CacheOptions, RequestOptions
from bytebuddy_provider_hf.storage.ledger import open_ledger
from bytebuddy_provider_hf.types import Text

EVENTS = 5_000
STREAMS, FEWER = 64, 500
TEXTS, FLOATS = 256, 384
TEXT = "Deep learning is a subset of machine learning. " * 8
MESSAGES = [{"role": "user", "content": "What is deep learning?"}]
WHOLE = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 28, "completion_tokens": 100, "total_tokens": 128},
    }
).encode()
EVENT = (
    b'data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":'
    b'[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}\n\n'
)
LAST = EVENT.replace(b"null", b'"stop"') + b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Answers(asyncio.Protocol):
    """Answer each request at once, streamed when it asks for it; list one model."""

    def __init__(self, owner: bytes) -> None:
        self.listed = _plain(_MODEL % owner)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(LENGTH.findall(head)[0]) if head.startswith(b"POST") else 0
        if len(body) < length:
            return
        self.buffer = body[length:]
        self.transport.write(_answer(head, body[:length], self.listed))  # type: ignore[attr-defined]  # a transport that writes


def _answer(head: bytes, body: bytes, listed: bytes) -> bytes:
    route = head.split(b" ", 2)[1]
    if not head.startswith(b"POST"):
        return listed if route == b"/v1/models" else ABSENT
    asked = json.loads(body)
    if route.endswith(b"/embeddings"):
        encoded = asked.get("encoding_format") == "base64"
        return _vectors(len(asked["input"]), encoded=encoded)
    if not asked.get("stream"):
        return PLAIN
    return STREAMED[asked.get("max_tokens", EVENTS)]


@cache
def _vectors(count: int, *, encoded: bool) -> bytes:
    numbers = array.array("f", (at / FLOATS - 0.5 for at in range(FLOATS)))
    text = base64.b64encode(numbers.tobytes()).decode()
    vector = text if encoded else numbers.tolist()
    return _plain(
        json.dumps(
            {
                "object": "list",
                "model": "m",
                "data": [
                    {"object": "embedding", "index": at, "embedding": vector}
                    for at in range(count)
                ],
                "usage": {"prompt_tokens": count, "total_tokens": count},
            }
        ).encode()
    )


def _chunked(blocks: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(b), b) for b in blocks) + b"0\r\n\r\n"


def _plain(body: bytes) -> bytes:
    length = b"content-length: %d\r\n\r\n" % len(body)
    return HEAD % b"application/json" + length + body


PLAIN = _plain(WHOLE)
# This package asks a bare address once what it talks to: one OpenAI-style model. Two
# more addresses are those of servers known to give vectors, one of them encoded.
_MODEL = b'{"object":"list","data":[{"id":"m","object":"model","owned_by":"%s"}]}'
OWNERS = (b"me", b"sglang", b"vllm")
ABSENT = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
STREAMED = {
    events: HEAD % b"text/event-stream"
    + b"transfer-encoding: chunked\r\n\r\n"
    + _chunked([EVENT] * (events - 1) + [LAST])
    for events in (EVENTS, FEWER)
}


def serve(pipe: Connection) -> None:
    """Serve until the process is ended; tell the port of each owner."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        servers = [
            await loop.create_server(partial(Answers, owner), "127.0.0.1", 0)
            for owner in OWNERS
        ]
        pipe.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    asyncio.run(main())


@contextmanager
def serving() -> Iterator[list[str]]:
    """Serve in a process of its own; give the base of each owner's address."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        yield [f"http://127.0.0.1:{port}" for port in mine.recv()]
    finally:
        server.terminate()
        server.join()


Begun = Callable[[], None] | None
INPUTS = [f"text number {number}" for number in range(TEXTS)]


class ByHand:
    """What most people write with aiohttp and json."""

    def __init__(self, bases: Sequence[str]) -> None:
        self.base = bases[0]
        self.url = f"{self.base}/v1/chat/completions"
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=120),
            headers={"authorization": "Bearer x", "content-type": "application/json"},
        )

    async def whole(self) -> int:
        body = json.dumps({"model": "m", "messages": MESSAGES}).encode()
        async with self.session.post(self.url, data=body) as response:
            answer = json.loads(await response.read())
        return len(answer["choices"][0]["message"]["content"])

    async def streamed(self, events: int = EVENTS, begun: Begun = None) -> int:
        asked = {"model": "m", "messages": MESSAGES, "stream": True}
        asked["max_tokens"] = events
        count = 0
        body = json.dumps(asked).encode()
        async with self.session.post(self.url, data=body) as response:
            async for line in response.content:
                if line.startswith(b"data:"):
                    data = line[5:].strip()
                    if data == b"[DONE]":
                        break
                    if json.loads(data)["choices"][0]["delta"]["content"]:
                        count += 1
                        if count == 1 and begun:
                            begun()
        return count

    async def lists(self) -> int:
        return len(await self._vectors({"model": "m", "input": INPUTS}))

    async def base64(self) -> int:
        asked = {"model": "m", "input": INPUTS, "encoding_format": "base64"}
        vectors = []
        for text in await self._vectors(asked):
            numbers = array.array("f")
            numbers.frombytes(base64.b64decode(text))
            vectors.append(numbers.tolist())
        return len(vectors)

    async def _vectors(self, asked: Mapping[str, object]) -> list[str]:
        body = json.dumps(asked).encode()
        url = f"{self.base}/v1/embeddings"
        async with self.session.post(url, data=body) as response:
            answer = json.loads(await response.read())
        return [each["embedding"] for each in answer["data"]]

    # What a call costs that is never sent is compared with one that is.
    hit = file_hit = off = counted = whole

    async def aclose(self) -> None:
        await self.session.close()


class ByThisPackage:
    """The same through ``model.chat`` and ``model.embed``."""

    def __init__(self, bases: Sequence[str]) -> None:
        self.model, self._lists, self._base64 = map(_opened, bases)
        self._folder = tempfile.TemporaryDirectory()
        self._cached, self._uncached = (
            _opened(bases[0], CacheOptions(mode), Path(self._folder.name))
            for mode in ("all", "off")
        )
        self._counted = _opened(bases[0], ledger=Path(self._folder.name))

    async def whole(self) -> int:
        return len((await self.model.chat(MESSAGES)).text)

    async def streamed(self, events: int = EVENTS, begun: Begun = None) -> int:
        count = 0
        async with self.model.chat(MESSAGES, max_tokens=events) as told:
            async for event in told:
                if type(event) is Text:
                    count += 1
                    if count == 1 and begun:
                        begun()
        return count

    async def lists(self) -> int:
        return len((await self._lists.embed(INPUTS)).vectors)

    async def base64(self) -> int:
        return len((await self._base64.embed(INPUTS)).vectors)

    async def hit(self) -> int:
        return len((await self._cached.chat(MESSAGES)).text)

    async def file_hit(self) -> int:
        # As a second after the last look into the file.
        self._cached._cache.store._trusted_until = 0.0  # noqa: SLF001 - as above
        return await self.hit()

    async def off(self) -> int:
        return len((await self._uncached.chat(MESSAGES)).text)

    async def counted(self) -> int:
        return len((await self._counted.chat(MESSAGES)).text)

    async def aclose(self) -> None:
        every = (self.model, self._lists, self._base64, self._cached, self._uncached)
        for model in (*every, self._counted):
            await model.aclose()
        await open_ledger(Path(self._folder.name)).aclose()
        self._folder.cleanup()


def _opened(
    base: str,
    cache: CacheOptions | None = None,
    folder: Path | None = None,
    ledger: Path | None = None,
) -> HuggingFaceModel:
    return open_model(
        "m",
        api_key="x",
        api_base=base,
        request_options=RequestOptions(max_concurrency=1024),
        cache=cache,
        cache_dir=folder,
        ledger=ledger is not None,
        state_dir=ledger,
    )


Client = ByHand | ByThisPackage


async def cpu(make: Callable[[], Awaitable[int]], *, calls: int, at_once: int) -> float:
    """Return CPU seconds per call."""
    left = iter(range(calls))

    async def loop() -> None:
        for _ in left:
            assert await make() in (len(TEXT), EVENTS, TEXTS)  # noqa: S101 - no client may skip work

    gc.collect()
    started = time.process_time()
    await asyncio.gather(*(loop() for _ in range(at_once)))
    return (time.process_time() - started) / calls


async def crowd(kind: type[Client], bases: Sequence[str]) -> tuple[float, float, float]:
    """Return seconds of 64 streams: all of them, the last one's first token, CPU.

    The client is new and has made one call: what it learns of a server under load it
    learns here.
    """
    client = kind(bases)
    await client.whole()
    firsts: list[float] = []
    gc.collect()
    began, started = time.perf_counter(), time.process_time()
    counts = await asyncio.gather(
        *(
            client.streamed(FEWER, lambda: firsts.append(time.perf_counter()))
            for _ in range(STREAMS)
        )
    )
    ended, used = time.perf_counter(), time.process_time() - started
    await client.aclose()
    assert counts == [FEWER] * STREAMS  # noqa: S101 - as above
    return ended - began, max(firsts) - began, used / STREAMS / FEWER


def show(title: str, pairs: Sequence[Sequence[float]], scale: float) -> None:
    """Print the medians of both clients, and the median of the rounds' ratios."""
    hand, here = (statistics.median(p[i] for p in pairs) * scale for i in (0, 1))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{title:41} {hand:9.2f} {here:9.2f} {ratio:7.2f}")


@frozen
class Workload:
    """Calls of one kind: ``scale`` makes the row's unit of seconds per call."""

    title: str
    method: str
    calls: int
    at_once: int
    scale: float = 1e6


async def compare(bases: Sequence[str], rounds: int, share: int) -> None:
    """Print what each workload costs with both clients, in interleaved rounds."""
    clients: tuple[Client, Client] = ByHand(bases), ByThisPackage(bases)
    many, few = 1_600 // share, max(1, 4 // share)
    embeds = max(1, 20 // share)
    workloads = (
        Workload("whole, 1 at once, CPU µs", "whole", 600 // share, 1),
        Workload("whole, 32 at once, CPU µs", "whole", many, 32),
        Workload("whole, 256 at once, CPU µs", "whole", many, 256),
        Workload("cache hit, 1 at once, CPU µs", "hit", 600 // share, 1),
        Workload("cache hit, 32 at once, CPU µs", "hit", many, 32),
        Workload("cache hit in the file, CPU µs", "file_hit", 600 // share, 1),
        Workload("cache off, 1 at once, CPU µs", "off", 600 // share, 1),
        Workload("stream, CPU µs an event", "streamed", few, 1, 1e6 / EVENTS),
        Workload("256 texts embedded, lists, CPU ms", "lists", embeds, 1, 1e3),
        Workload("256 texts embedded, base64, CPU ms", "base64", embeds, 1, 1e3),
    )
    print(f"{'':41} {'by hand':>9} {'here':>9} {'ratio':>7}")
    for each in workloads:
        at_once = each.at_once
        pairs = [
            [
                await cpu(getattr(c, each.method), calls=each.calls, at_once=at_once)
                for c in clients
            ]
            for _ in range(rounds + 1)
        ]
        show(each.title, pairs[1:], each.scale)  # the first warms both
    for at_once, calls in ((1, 600 // share), (32, many)):
        rows = [
            [
                await cpu(make, calls=calls, at_once=at_once)
                for make in (clients[0].whole, clients[1].whole, clients[1].counted)
            ]
            for _ in range(2 * rounds + 1)
        ][1:]
        title = f"the ledger adds, {at_once} at once, CPU µs"
        show(title, [[hand, most - least] for hand, least, most in rows], 1e6)
    for client in clients:
        await client.aclose()
    crowds = [
        [await crowd(kind, bases) for kind in (ByHand, ByThisPackage)]
        for _ in range(rounds + 1)
    ][1:]
    for at, (what, scale) in enumerate(
        (("wall ms", 1e3), ("last first token ms", 1e3), ("CPU µs an event", 1e6))
    ):
        figures = [[seconds[at] for seconds in pair] for pair in crowds]
        show(f"{STREAMS} streams at once, {what}", figures, scale)


def main() -> None:
    """Start the server, compare, end the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a twentieth of the calls: shows that it runs",
    )
    asked = parser.parse_args()
    with serving() as bases:
        asyncio.run(compare(bases, asked.rounds, 20 if asked.quick else 1))


if __name__ == "__main__":
    main()
