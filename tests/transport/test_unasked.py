"""Bytes that nobody asked for never become the answer to the next call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from servers.raw import Client, chunk, raw_server

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.transport.http_client import Destination
from bytebuddy_provider_hf.transport.pool import AiohttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

pytestmark = pytest.mark.asyncio

JSON = "content-type: application/json"


def answer_of(text: str, *headers: str) -> bytes:
    """Return a whole HTTP answer that says ``text``."""
    body = chat_reply(text).content
    head = ["HTTP/1.1 200 OK", JSON, f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


# What a server may write behind its answer, unasked.
UNASKED = {
    "a whole answer": answer_of("FORGED"),
    "two answers": answer_of("FORGED") * 2,
    "half an answer": answer_of("FORGED")[:60],
    "the start of a chunked one": b"HTTP/1.1 200 OK\r\n"
    b"transfer-encoding: chunked\r\n\r\n" + chunk(b"FORGED"),
    "the head of one": b"HTTP/1.1 200 OK\r\n",
    "no HTTP": b"FORGED\r\n\r\n",
    "line ends": b"\r\n\r\n",
}


def forging(
    unasked: bytes, wrote: asyncio.Event
) -> Callable[[Client], Awaitable[None]]:
    """Answer each request; write ``unasked`` when the first answer was taken."""

    async def answer(client: Client) -> None:
        for number in range(9):
            await client.request()
            await client.say(answer_of("asked for"))
            if not (number or wrote.is_set()):
                await asyncio.sleep(0.02)
                await client.say(unasked)
                wrote.set()

    return answer


@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_what_came_unasked_is_not_the_next_answer(unasked: bytes) -> None:
    """A connection on which a server wrote while nobody asked is closed."""
    wrote = asyncio.Event()
    async with raw_server(forging(unasked, wrote)) as server:
        model = open_model("m", api_base=f"{server.url}/v1", env={})
        async with asyncio.timeout(2), model:
            assert (await model.chat("a")).text == "asked for"
            await wrote.wait()
            await asyncio.sleep(0.02)
            assert (await model.chat("b")).text == "asked for"
            assert (await model.chat("c")).text == "asked for"
        # The new connection is a good one, and kept. Blanks and half a head, which
        # aiohttp drops before it reads the next answer, need none.
        assert len(server.clients) <= 2


async def test_what_the_loop_has_not_read_yet_counts_too() -> None:
    """Bytes may wait in the socket where the program was busy meanwhile."""
    wrote = asyncio.Event()
    async with raw_server(forging(answer_of("FORGED"), wrote)) as server:
        client = AiohttpClient(Destination(server.url))
        call = HttpRequest(f"{server.url}/v1/chat/completions", b"{}")
        first = await client.send(call)
        await first.read(9_999)
        first.close()
        (kept,) = client._session.connector._conns.values()  # type: ignore[union-attr]
        # As a loop that is busy: nothing is read from the socket.
        kept[0][0].transport.pause_reading()
        await wrote.wait()
        async with asyncio.timeout(2):
            second = await client.send(call)
            assert b"FORGED" not in await second.read(9_999)
        second.close()
        await client.aclose()
        assert len(server.clients) == 2


async def test_of_many_kept_connections_each_is_looked_at() -> None:
    """Behind a good connection there may be a bad one."""
    asked = 0
    every = asyncio.Event()
    forge = asyncio.Event()

    async def answer(client: Client) -> None:
        nonlocal asked
        await client.request()
        asked += 1
        if asked == 3:
            every.set()
        await every.wait()
        await client.say(answer_of("asked for"))
        await forge.wait()
        await client.say(answer_of("FORGED"))
        await client.until_gone()

    async with raw_server(answer) as server, AsyncExitStack() as stack:
        model = open_model("m", api_base=f"{server.url}/v1", env={})
        await stack.enter_async_context(asyncio.timeout(2))
        await stack.enter_async_context(model)
        await asyncio.gather(*(model.chat("a") for _ in range(3)))
        forge.set()
        await asyncio.sleep(0.05)
        replies = await asyncio.gather(*(model.chat("b") for _ in range(3)))
        assert {reply.text for reply in replies} == {"asked for"}
        assert len(server.clients) == 6
