"""A server that writes the bytes a test wants, and sees its clients come and go."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from attrs import define, field

STREAM_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@define(eq=False)
class Client:
    """One connection to the server; ``gone`` is when its client closed it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    gone: float | None = None

    async def request(self) -> bytes:
        """Return the head of the next request, its body read too."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await self.reader.readexactly(int(line.split(b":")[1]))
        return head

    async def say(self, *parts: bytes) -> None:
        """Write the parts, each one a packet."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0.005)

    async def until_gone(self) -> None:
        """Wait until the client closes the connection."""
        with suppress(OSError):
            await self.reader.read()
        self.gone = time.perf_counter()

    def reset(self) -> None:
        """Close the connection rudely: RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


@define(eq=False)
class RawServer:
    """Where it listens, and everybody who came, oldest first."""

    url: str = ""
    clients: list[Client] = field(factory=list)


@asynccontextmanager
async def raw_server(
    answer: Callable[[Client], Awaitable[None]],
) -> AsyncIterator[RawServer]:
    """Let ``answer`` serve each connection; it is closed when that returns."""
    server = RawServer()
    busy: set[asyncio.Task[None]] = set()

    async def served(client: Client) -> None:
        try:
            await answer(client)
        except (OSError, asyncio.IncompleteReadError):
            return  # the client is gone, as some tests want
        finally:
            client.writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.clients.append(Client(reader, writer))
        task = asyncio.ensure_future(served(server.clients[-1]))
        busy.add(task)
        task.add_done_callback(busy.discard)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for task in tuple(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


def says(*parts: bytes, reset: bool = False) -> Callable[[Client], Awaitable[None]]:
    """Return an answer that says the same to every request, once a connection."""

    async def answer(client: Client) -> None:
        await client.request()
        await client.say(*parts)
        if reset:
            client.reset()

    return answer


def head(*headers: str) -> bytes:
    """Return the head of a stream."""
    return (STREAM_HEAD + "".join(f"{each}\r\n" for each in headers)).encode() + b"\r\n"


def chunk(data: bytes) -> bytes:
    """Return a chunk of a chunked body; of nothing, the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)
