"""An HTTP proxy for tests: tunnels (CONNECT) and absolute-form requests."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from attrs import define, field
from servers.proxies import closing

_BLOCK = 65_536


@define
class HttpProxy:
    """What a proxy does and what it saw.

    ``names`` maps "host:port" to the local port that stands for it; ``refusal`` is
    answered to everything; ``heads`` are the request heads, as they came.
    """

    names: Mapping[str, int] = field(factory=dict)
    user: str | None = None
    password: str = ""
    refusal: bytes | None = None
    tls: ssl.SSLContext | None = None
    heads: list[str] = field(factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Its address, without a user's name."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def url_for(self, user: str, password: str) -> str:
        """Return its address with a user's name and password in it."""
        return self.url.replace("://", f"://{user}:{password}@")

    @property
    def seen(self) -> str:
        """Every head that came, as one text."""
        return "\n".join(self.heads)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[HttpProxy]:
        """Listen on 127.0.0.1 until the block ends."""
        busy: set[asyncio.Task[None]] = set()

        async def connected(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            task = asyncio.current_task()
            assert task is not None
            busy.add(task)
            task.add_done_callback(busy.discard)
            # Python 3.11 reports a connection whose task ends cancelled.
            with suppress(asyncio.CancelledError):
                async with closing(writer):
                    with suppress(OSError, asyncio.IncompleteReadError):
                        await self._answer(reader, writer)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(busy):
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        refusal = self.refusal if self._welcome(head) else _WHO
        if refusal is not None:
            writer.write(refusal)
            await writer.drain()
            return
        method, url, _ = head.split(" ", 2)
        place = url if method == "CONNECT" else urlsplit(url).netloc
        try:
            upstream, up = await self._open(place)
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return
        async with closing(up):
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                up.write(_origin_form(head).encode("latin-1"))
            await _both_ways(reader, writer, upstream, up)

    def _welcome(self, head: str) -> bool:
        if self.user is None:
            return True
        pair = f"{self.user}:{self.password}".encode()
        expected = f"Basic {base64.b64encode(pair).decode()}"
        return f"proxy-authorization: {expected}".lower() in head.lower()

    async def _open(
        self, place: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = place.rpartition(":")
        if place in self.names:
            return await asyncio.open_connection("127.0.0.1", self.names[place])
        return await asyncio.open_connection(host.strip("[]"), int(port))


_WHO = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
    b'proxy-authenticate: Basic realm="tests"\r\ncontent-length: 0\r\n\r\n'
)


def _origin_form(head: str) -> str:
    """Return a head as the origin gets it: one request for each connection."""
    method, url, rest = head.split(" ", 2)
    path = urlsplit(url)._replace(scheme="", netloc="").geturl()
    lines = rest.split("\r\n")
    hops = ("proxy-authorization:", "connection:")
    kept = [line for line in lines[1:-2] if not line.lower().startswith(hops)]
    return "\r\n".join(
        [f"{method} {path} {lines[0]}", *kept, "connection: close", "", ""]
    )


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    upstream: asyncio.StreamReader,
    up: asyncio.StreamWriter,
) -> None:
    async with asyncio.TaskGroup() as both:
        asking = both.create_task(_pass(reader, up))
        answering = both.create_task(_pass(upstream, writer))
        # The end of the answer, or of the asker, is the end of both.
        answering.add_done_callback(lambda _: asking.cancel())
        asking.add_done_callback(lambda _: answering.cancel())


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
