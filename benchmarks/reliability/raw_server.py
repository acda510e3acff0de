"""Serve bytes over HTTP/1.1 as a benchmark wants them, and count what arrives.

Nothing of the package is used here: what it sends is read, and what it gets is
written, byte by byte, by code that shares no mistake with it.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeAlias

from attrs import define, field, frozen

FAULTS: Final = ("reset", "500", "429", "truncated")
Ending: TypeAlias = Literal["keep", "close", "reset"]

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BEARER: Final = re.compile(rb"\r\nauthorization: *bearer ([^\r]*)", re.IGNORECASE)


@frozen
class Request:
    """A request as it came; ``account`` is the token that it carried."""

    method: str
    path: str
    account: str
    body: bytes

    @property
    def asked(self) -> str:
        """The last message of a chat."""
        return str(json.loads(self.body)["messages"][-1]["content"])

    @property
    def streamed(self) -> bool:
        """Whether a stream is asked for."""
        return bool(json.loads(self.body).get("stream"))


@frozen
class Answer:
    """The bytes of an answer: after ``delay`` seconds, ``gap`` seconds between parts.

    ``then`` is what becomes of the connection: it is kept, closed, or reset.
    """

    parts: Sequence[bytes] = ()
    delay: float = 0.0
    gap: float = 0.0
    then: Ending = "keep"


@define(eq=False)
class RawServer:
    """Where it listens, and what it counted, by account where that matters.

    ``now`` are the requests in flight: read, and their last byte not written yet;
    ``most`` is how many these ever were.
    """

    answer: Callable[[Request], Answer]
    url: str = ""
    hits: int = 0
    connections: int = 0
    now: Counter[str] = field(factory=Counter)
    most: Counter[str] = field(factory=Counter)

    async def connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve a connection until it ends."""
        self.connections += 1
        try:
            while await self._serve(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            return  # the client left, which is its right
        finally:
            self.connections -= 1
            writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; return whether the connection is kept."""
        head = await reader.readuntil(b"\r\n\r\n")
        length, bearer = _LENGTH.search(head), _BEARER.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        method, path, _ = head.decode("latin-1").split(" ", 2)
        account = bearer[1].decode("latin-1") if bearer else ""
        self.hits += 1
        self.now[account] += 1
        self.most[account] = max(self.most[account], self.now[account])
        told = self.answer(Request(method, path, account, body))
        last = len(told.parts) - 1
        counted = True
        try:
            if told.delay:
                await asyncio.sleep(told.delay)
            for at, part in enumerate(told.parts):
                if at == last:
                    # Before its last byte: whoever has that may send again at once.
                    self.now[account] -= 1
                    counted = False
                writer.write(part)
                await writer.drain()
                if told.gap and at < last:
                    await asyncio.sleep(told.gap)
        finally:
            if counted:
                self.now[account] -= 1
        if told.then == "reset":
            linger = struct.pack("ii", 1, 0)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        return told.then == "keep"


@asynccontextmanager
async def serving(answer: Callable[[Request], Answer]) -> AsyncIterator[RawServer]:
    """Listen on a free port of this machine for as long as the block lasts."""
    server = RawServer(answer)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.connected(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=4_096)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def whole(value: object, *headers: str, status: str = "200 OK") -> Answer:
    """Return an answer of JSON; the connection is kept."""
    return Answer([message(value, *headers, status=status)])


def message(value: object, *headers: str, status: str = "200 OK") -> bytes:
    """Return head and body of an answer of JSON."""
    body = json.dumps(value).encode()
    lines = ("content-type: application/json", f"content-length: {len(body)}", *headers)
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *lines))
    return head.encode() + b"\r\n" + body


def chat(text: str) -> dict[str, Any]:
    """Return the JSON of an answer to a chat."""
    said = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "org/name",
        "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }


def events(pieces: Sequence[str]) -> list[bytes]:
    """Return the events of a streamed chat; the last two are its end and its mark."""
    written = []
    for piece in (*pieces, None):
        delta = {} if piece is None else {"content": piece}
        ended = "stop" if piece is None else None
        choice = {"index": 0, "delta": delta, "finish_reason": ended}
        chunk = {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}
        written.append(b"data: %b\n\n" % json.dumps(chunk).encode())
    return [*written, b"data: [DONE]\n\n"]


def loading(left: float) -> Answer:
    """Return the 503 of a model that is being loaded."""
    said = {"error": "Model org/name is currently loading", "estimated_time": left}
    return whole(said, status="503 Service Unavailable")


def failing() -> Answer:
    """Return a 500."""
    return whole({"error": "it broke"}, status="500 Internal Server Error")


def models() -> Answer:
    """Return the list of models that tells a server of the common kind."""
    listed = {"id": "org/name", "object": "model", "owned_by": "somebody"}
    return whole({"object": "list", "data": [listed]})


def faulty(good: Answer, chance: random.Random, share: float) -> tuple[str, Answer]:
    """Return an answer, or with the chance of ``share`` each one of four faults.

    A 429 says when to come back, in 0.05 to 0.2 s; a body is cut at any of its bytes.
    """
    found = int(chance.random() / share) if share else len(FAULTS)
    kind = FAULTS[found] if found < len(FAULTS) else "whole"
    match kind:
        case "reset":
            return kind, Answer(then="reset")
        case "500":
            return kind, failing()
        case "429":
            rest = f"retry-after: {chance.uniform(0.05, 0.2):.3f}"
            said = {"error": "Too many requests"}
            return kind, whole(said, rest, status="429 Too Many Requests")
        case "truncated":
            sent = b"".join(good.parts)
            cut = chance.randrange(sent.index(b"\r\n\r\n") + 4, len(sent))
            return kind, Answer([sent[:cut]], then="close")
    return kind, good
