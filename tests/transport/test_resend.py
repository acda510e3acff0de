"""What is sent again below the retry layer: one stale connection, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import aiohttp
import pytest
from attrs import define, field
from servers.proxies import closing

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConnectionLost,
    RateLimited,
    ServerError,
)
from bytebuddy_provider_hf.storage.ledger import open_ledger
from bytebuddy_provider_hf.storage.usage_report import UsageRow, read_usage
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.transport.http_client import Destination
from bytebuddy_provider_hf.transport.pool import AiohttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

pytestmark = pytest.mark.asyncio

_OK = chat_reply("fine").content


def http(status: str, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


FINE = http("200 OK", _OK, "content-type: application/json")
FAILED = http("500 No", b"no")
ABSENT = http("404 No", b"{}", "content-type: application/json")
Answer = Callable[[int, int], bytes]


@define
class Counted:
    """A server that counts requests; its URL."""

    url: str
    requests: list[tuple[int, int]] = field(factory=list)


@asynccontextmanager
async def counting(answer: Answer) -> AsyncIterator[Counted]:
    """Serve ``answer(connection, request)``; what is no whole answer closes."""
    served = Counted("")
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        number, asked = connections, 0
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(head.partition("content-length: ")[2].partition("\r")[0] or 0)
            await reader.readexactly(size)
            asked += 1
            served.requests.append((number, asked))
            reply = answer(number, asked)
            writer.write(reply)
            # What is no whole answer closes.
            if reply not in (FINE, FAILED, ABSENT):
                return

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with closing(writer):
            try:
                await talk(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                return

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield served


class Traced:
    """Count what aiohttp itself says it put on the wire, resends included."""

    def __init__(self, channel: AiohttpClient) -> None:
        self.sent = 0
        self._follow(channel._session)

    def _follow(self, session: aiohttp.ClientSession) -> None:
        trace = aiohttp.TraceConfig()

        async def note(*_: object) -> None:
            self.sent += 1

        trace.on_request_headers_sent.append(note)
        trace.freeze()
        session._trace_configs.append(trace)


async def ask(channel: AiohttpClient, url: str, method: str) -> int:
    body = b"{}" if method == "POST" else b""
    response = await channel.send(HttpRequest(f"{url}/v1/x", method=method, body=body))
    try:
        await response.read(10_000)
    finally:
        response.close()
    return response.status


HEADS = [b"H", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nx: y\r\n"]


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_stale_connection_costs_one_request_more(method: str) -> None:
    """Closed without a byte when it was used again: sent once more, and counted."""

    def stale(connection: int, request: int) -> bytes:
        return b"" if (connection, request) == (1, 2) else FINE

    async with counting(stale) as server:
        client = AiohttpClient(Destination(server.url))
        traced = Traced(client)
        assert await ask(client, server.url, method) == 200
        assert await ask(client, server.url, method) == 200
        await client.aclose()
    assert server.requests == [(1, 1), (1, 2), (2, 1)]
    assert client.sent == 3
    assert traced.sent == 2  # the third went by a session of its own


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_resend_is_not_sent_again(method: str) -> None:
    """One is free; where that breaks too, it is a failure like others."""

    def dying(connection: int, request: int) -> bytes:
        return FINE if (connection, request) == (1, 1) else b""

    async with counting(dying) as server:
        client = AiohttpClient(Destination(server.url))
        await ask(client, server.url, method)
        with pytest.raises(ConnectionLost):
            await ask(client, server.url, method)
        await client.aclose()
    assert len(server.requests) == client.sent == 3


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    "begun", [*HEADS, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"]
)
async def test_what_was_begun_to_be_answered_is_not_sent_again(
    method: str, begun: bytes
) -> None:
    """One byte of an answer, and it is the retry layer's to decide."""

    def breaking(_connection: int, request: int) -> bytes:
        return FINE if request == 1 else begun

    async with counting(breaking) as server:
        client = AiohttpClient(Destination(server.url))
        traced = Traced(client)
        await ask(client, server.url, method)
        with pytest.raises(ConnectionLost):
            await ask(client, server.url, method)
        await client.aclose()
    assert len(server.requests) == client.sent == traced.sent == 2


@pytest.mark.parametrize("attempts", [1, 3, 5])
async def test_one_layer_tries_again(attempts: int) -> None:
    """Always 500, from first byte to last: what aiohttp sent is what was allowed."""
    traces: list[Traced] = []
    clients: list[AiohttpClient] = []

    def connect(destination: Destination) -> AiohttpClient:
        clients.append(AiohttpClient(destination))
        traces.append(Traced(clients[-1]))
        return clients[-1]

    def failing(_connection: int, _request: int) -> bytes:
        return FAILED

    async with (
        counting(failing) as server,
        Runtime(connect=connect, jitter=lambda: 0.0) as runtime,
    ):
        model = open_model(
            "m",
            api_base=f"{server.url}/v1",
            env={},
            runtime=runtime,
            request_options=RequestOptions(max_attempts=attempts),
        )
        async with model:
            with pytest.raises(ServerError):
                await model.chat("a")
        assert len(server.requests) == attempts
    assert [traced.sent for traced in traces] == [attempts]
    assert [channel.sent for channel in clients] == [attempts]


async def refusal(*headers: str) -> ByteBuddyError:
    """Return the error of a 429 with such headers, over a socket."""
    reply = http("429 No", b"{}", *headers)
    options = RequestOptions(max_attempts=1)
    async with counting(lambda *_: reply) as server:
        model = open_model(
            "m", api_base=f"{server.url}/v1", env={}, request_options=options
        )
        async with model:
            with pytest.raises(RateLimited) as caught:
                await model.chat("a")
    return caught.value


async def test_a_date_without_a_date_counts_from_when_it_came() -> None:
    """RFC 9110 6.6.1: whoever gets no Date takes the time of receipt for it."""
    now = 1_900_000_000.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("email.utils.time.time", lambda: now)
        then = formatdate(now + 45, usegmt=True)
        error = await refusal(f"retry-after: {then}")
        assert error.retry_after == 45
        date = formatdate(now + 40, usegmt=True)
        error = await refusal(f"retry-after: {then}", f"date: {date}")
        assert error.retry_after == 5


async def test_the_first_hint_of_two_lines_counts() -> None:
    """A header given twice is no accident of one proxy more."""
    assert (await refusal("retry-after: x", "retry-after: 7")).retry_after == 7


def counted_in(folder: Path) -> UsageRow:
    today = datetime.now(UTC).date()
    since = today - timedelta(days=1)
    return read_usage(folder, since=since, until=today, by="model").total


async def test_a_resend_is_counted_where_requests_are(tmp_path: Path) -> None:
    """The ledger, and the reply, have every request that the server may have seen."""

    def stale(connection: int, request: int) -> bytes:
        return b"" if (connection, request) == (1, 2) else FINE

    async with counting(stale) as server:
        model = open_model(
            "m", api_base=f"{server.url}/v1", env={}, ledger=True, state_dir=tmp_path
        )
        async with model:
            replies = [await model.chat("a") for _ in range(2)]
        await open_ledger(tmp_path).aclose()
    assert server.requests == [(1, 1), (1, 2), (2, 1)]
    assert [reply.served.attempts for reply in replies] == [1, 2]
    total = counted_in(tmp_path)
    assert (total.attempts, total.calls, total.absorbed) == (3, 2, 1)


async def test_a_probe_that_is_sent_again_is_counted_again(tmp_path: Path) -> None:
    """A question about the server is a request as well."""

    def stale(connection: int, request: int) -> bytes:
        if (connection, request) == (1, 1):
            return ABSENT
        return b"" if connection == 1 else FINE

    async with counting(stale) as server:
        model = open_model(
            "m", api_base=server.url, env={}, ledger=True, state_dir=tmp_path
        )
        async with model:
            await model.chat("a")
        await open_ledger(tmp_path).aclose()
    total = counted_in(tmp_path)
    assert server.requests[:3] == [(1, 1), (1, 2), (2, 1)]
    assert total.attempts == len(server.requests)
