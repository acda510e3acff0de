"""A probe reads of an answer what it needs, however much a server sends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from servers.raw import Client, RawServer, raw_server

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.wire.probe import MAX_INFO, MAX_LIST

pytestmark = pytest.mark.asyncio

HUGE = 1024**3
# What lies in the buffers of two sockets besides what was read.
BUFFERS = 12 * 1024**2


def flooding(
    asked: str, status: str, sent: list[int]
) -> Callable[[Client], Awaitable[None]]:
    """Answer ``asked`` with 1 GiB, a chat well, and anything else with 404."""

    async def answer(client: Client) -> None:
        while True:
            path = (await client.request()).split()[1].decode()
            if path == asked:
                head = f"HTTP/1.1 {status}\r\ncontent-length: {HUGE}\r\n\r\n"
                await client.say(head.encode())
                while True:
                    client.writer.write(b'{"data":[' + b" " * 65_536)
                    await client.writer.drain()
                    sent[0] += 65_536
            chat = path.endswith("/chat/completions")
            body = chat_reply("fine").content if chat else b"{}"
            told = "200 OK" if chat else "404 Not Found"
            head = f"HTTP/1.1 {told}\r\ncontent-length: {len(body)}\r\n\r\n"
            await client.say(head.encode() + body)

    return answer


async def ask(server: RawServer) -> str:
    options = RequestOptions(max_attempts=1, timeout=20)
    url = server.url
    async with open_model("m", api_base=url, env={}, request_options=options) as model:
        return (await model.chat("a")).text


@pytest.mark.parametrize(
    ("asked", "most"),
    [("/v1/models", MAX_LIST), ("/info", MAX_INFO), ("/models", MAX_LIST)],
)
async def test_an_answer_without_end_is_cut_off(asked: str, most: int) -> None:
    """With an error of its own that says the bound, after little more than that."""
    sent = [0]
    async with raw_server(flooding(asked, "200 OK", sent)) as server:
        with pytest.raises(ResponseTooLarge) as caught:
            await ask(server)
    assert f"{most:,}" in str(caught.value)
    assert sent[0] < most + BUFFERS


@pytest.mark.parametrize("asked", ["/v1/models", "/info", "/health"])
async def test_of_an_error_the_start_is_read(asked: str) -> None:
    """A page without end that says 404 is a 404: the next question is asked."""
    sent = [0]
    async with raw_server(flooding(asked, "404 Not Found", sent)) as server:
        async with asyncio.timeout(20):
            assert await ask(server) == "fine"
    assert sent[0] < MAX_INFO + BUFFERS
