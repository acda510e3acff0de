"""What a call costs: this package against hand-written aiohttp, in one run.

A server with ready-made answers runs in a process of its own; both clients ask it in
turn. The figure is CPU time of the client and its ratio, because machines are noisy.

    python benchmarks/overhead.py [--rounds 5] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import re
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

import aiohttp

from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.engine.model import HuggingFaceModel, open_model
from bytebuddy_provider_hf.types import Text

EVENTS = 5_000
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
        asked = body[:length].replace(b" ", b"")
        self.transport.write(_answer(head, asked))  # type: ignore[attr-defined]  # a transport that writes


def _answer(head: bytes, asked: bytes) -> bytes:
    if not head.startswith(b"POST"):
        return LISTED if b" /v1/models " in head else ABSENT
    return STREAMED if b'"stream":true' in asked else PLAIN


def _chunked(blocks: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(b), b) for b in blocks) + b"0\r\n\r\n"


def _plain(body: bytes) -> bytes:
    length = b"content-length: %d\r\n\r\n" % len(body)
    return HEAD % b"application/json" + length + body


PLAIN = _plain(WHOLE)
# This package asks once what it talks to; the answer is one OpenAI-style model.
LISTED = _plain(b'{"object":"list","data":[{"id":"m","object":"model"}]}')
ABSENT = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
STREAMED = (
    HEAD % b"text/event-stream"
    + b"transfer-encoding: chunked\r\n\r\n"
    + _chunked([EVENT] * (EVENTS - 1) + [LAST])
)


def serve(pipe: Connection) -> None:
    """Serve until the process is ended; tell the port."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Answers, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(main())


class ByHand:
    """What most people write with aiohttp and json."""

    def __init__(self, base: str) -> None:
        self.url = f"{base}/v1/chat/completions"
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

    async def streamed(self) -> int:
        asked = {"model": "m", "messages": MESSAGES, "stream": True}
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
        return count

    async def aclose(self) -> None:
        await self.session.close()


class ByThisPackage:
    """The same through ``model.chat``."""

    def __init__(self, base: str) -> None:
        self.model: HuggingFaceModel = open_model(
            "m",
            api_key="x",
            api_base=base,
            request_options=RequestOptions(max_concurrency=1024),
        )

    async def whole(self) -> int:
        return len((await self.model.chat(MESSAGES)).text)

    async def streamed(self) -> int:
        count = 0
        async with self.model.chat(MESSAGES) as events:
            async for event in events:
                if type(event) is Text:
                    count += 1
        return count

    async def aclose(self) -> None:
        await self.model.aclose()


Client = ByHand | ByThisPackage


async def cpu(make: Callable[[], Awaitable[int]], *, calls: int, at_once: int) -> float:
    """Return CPU seconds per call."""
    left = iter(range(calls))

    async def loop() -> None:
        for _ in left:
            assert await make() in (len(TEXT), EVENTS)  # noqa: S101 - no client may skip work

    gc.collect()
    started = time.process_time()
    await asyncio.gather(*(loop() for _ in range(at_once)))
    return (time.process_time() - started) / calls


async def compare(base: str, rounds: int, share: int) -> None:
    """Print each workload's cost for both clients, and the median of the ratios."""
    clients: tuple[Client, Client] = ByHand(base), ByThisPackage(base)
    workloads: list[tuple[str, str, int, int, float]] = [
        ("whole, 1 at once", "whole", 600 // share, 1, 1e6),
        ("whole, 32 at once", "whole", 1_600 // share, 32, 1e6),
        ("whole, 256 at once", "whole", 1_600 // share, 256, 1e6),
        ("stream, per event", "streamed", max(1, 4 // share), 1, 1e6 / EVENTS),
    ]
    print(f"{'CPU µs':20} {'by hand':>9} {'here':>9} {'ratio':>7}")
    for title, method, calls, at_once, scale in workloads:
        pairs = []
        for _ in range(rounds + 1):
            costs = [
                await cpu(getattr(c, method), calls=calls, at_once=at_once)
                for c in clients
            ]
            pairs.append(costs)
        pairs = pairs[1:]  # the first warms both
        hand, here = (statistics.median(p[i] for p in pairs) * scale for i in (0, 1))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{title:20} {hand:9.2f} {here:9.2f} {ratio:7.2f}")
    for client in clients:
        await client.aclose()


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
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        base = f"http://127.0.0.1:{mine.recv()}"
        asyncio.run(compare(base, asked.rounds, 20 if asked.quick else 1))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
