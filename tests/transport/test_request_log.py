"""The line that each request leaves in the log at DEBUG."""

from __future__ import annotations

import logging
import re

import pytest
from transport.test_resend import FINE, ask, counting

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ByteBuddyError, DeadlineExceeded
from bytebuddy_provider_hf.secret import MASK, Secret
from bytebuddy_provider_hf.testing.answers import chat_reply, json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import overloaded
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.transport.http_client import Destination
from bytebuddy_provider_hf.transport.pool import AiohttpClient

pytestmark = pytest.mark.asyncio

LOGGER = "bytebuddy_provider_hf.transport.pool"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the lines that will be logged, without their times."""
    caplog.set_level(logging.DEBUG, LOGGER)
    said: list[str] = []
    caplog.handler.addFilter(
        lambda record: (
            record.name != LOGGER
            or said.append(re.sub(r" \d+ ms", " N ms", record.getMessage())) is None
        )
    )
    return said


async def test_a_request_is_one_line(lines: list[str]) -> None:
    """Method, origin, path, status, time, attempt, the server's number."""

    async def handler(_request: FakeRequest) -> FakeReply:
        reply = chat_reply("fine")
        headers = {**reply.headers, "x-request-id": "r-1"}
        return FakeReply(200, headers, reply.body)

    async with (
        serve(handler) as url,
        open_model("m", api_base=f"{url}/v1", env={}) as model,
    ):
        await model.chat("hello")
    assert lines == [
        f"POST {url}/v1/chat/completions: 200 after N ms, attempt 1, request id r-1"
    ]


async def test_probes_and_each_attempt_have_lines(lines: list[str]) -> None:
    """What is asked to find out what stands there, then one, two, three."""
    hub = FakeHub(default=Behaviour(replies=[overloaded()], cold_looks=1))
    async with hub.serve() as url, open_model("m", api_base=url, env={}) as model:
        await model.chat("hello")
    asked = [f"{r.request.method} {url}{r.request.path}" for r in hub.records]
    assert [line.partition(": ")[0] for line in lines] == asked
    assert asked[0].startswith("GET ")
    sent = [re.sub(r".*: (\d+) .* attempt (\d)", r"\1 \2", line) for line in lines]
    assert sent[-3:] == ["503 1", "503 2", "200 3"]


async def test_a_hidden_resend_is_two_lines(lines: list[str]) -> None:
    """The connection that proved stale, and the request that took its place."""

    def stale(connection: int, request: int) -> bytes:
        # What is seen to be closed before it is used is no resend.
        return b"" if (connection, request) == (1, 2) else FINE

    async with counting(stale) as server:
        client = AiohttpClient(Destination(server.url))
        for _ in range(2):
            await ask(client, server.url, "POST")
        await client.aclose()
    said = [line.partition("/v1/x: ")[2] for line in lines]
    assert said == [
        "200 after N ms, attempt 1",
        "no answer, ConnectionLost after N ms, attempt 1",
        "200 after N ms, attempt 1 (sent again on a new connection)",
    ]


async def test_a_request_without_an_answer_says_why(
    lines: list[str], unused_tcp_port: int
) -> None:
    """By the error's class: nobody listens, or the caller's time ran out."""
    url = f"http://127.0.0.1:{unused_tcp_port}"
    options = RequestOptions(max_attempts=1)
    async with open_model(
        "m", api_base=f"{url}/v1", env={}, request_options=options
    ) as model:
        with pytest.raises(ByteBuddyError):
            await model.chat("hello")

    async def silent(_request: FakeRequest) -> FakeReply:
        return FakeReply(delay=60)

    async with (
        serve(silent) as slow,
        open_model("m", api_base=f"{slow}/v1", env={}) as model,
    ):
        with pytest.raises(DeadlineExceeded):
            await model.chat("hello", timeout=0.05)
    route = "/v1/chat/completions: no answer"
    assert lines == [
        f"POST {url}{route}, ConnectionRefused after N ms, attempt 1",
        f"POST {slow}{route}, CancelledError after N ms, attempt 1",
    ]


async def test_no_line_has_a_key(
    lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not one in a query, in a path that repeats a header, or echoed as a number."""
    key, other = "Canary4711OfTheKey", "AnotherCanary4712"

    async def handler(request: FakeRequest) -> FakeReply:
        echoed = request.headers["authorization"]
        reply = json_reply({"object": "list", "data": []})
        return FakeReply(200, {**reply.headers, "x-request-id": echoed}, reply.body)

    options = RequestOptions(headers={"X-Org": Secret(other)}, max_attempts=1)
    async with (
        serve(handler) as url,
        open_model(
            "m",
            api_key=key,
            api_base=f"{url}/{other}/v1?api-key=QuerySecret1",
            request_options=options,
        ) as model,
    ):
        with pytest.raises(ByteBuddyError):
            await model.chat("hello")
    assert lines
    assert MASK in lines[0]
    for secret in (key, other, "QuerySecret1", "hello"):
        assert secret not in caplog.text


async def test_nothing_is_made_where_nobody_reads(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without DEBUG neither the clock nor a path is looked at."""
    monkeypatch.setattr(AiohttpClient, "_log_request", None)
    monkeypatch.setattr("bytebuddy_provider_hf.transport.pool.time", None)
    async with (
        FakeHub().serve() as url,
        open_model("m", api_base=f"{url}/v1", env={}) as model,
    ):
        assert (await model.chat("hello")).text
    assert caplog.records == []
