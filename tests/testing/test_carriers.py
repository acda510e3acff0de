"""A reply travels the same over a real socket as in memory."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import suppress

import aiohttp
import pytest
from attrs import evolve

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    Closed,
    ConnectionLost,
    ConnectionRefused,
    ResponseTooLarge,
)
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import every_shape
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect, MemoryResponse
from bytebuddy_provider_hf.testing.script import Ending, FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.http_client import Destination, Response
from bytebuddy_provider_hf.wire.http_request import HttpRequest

ASK = b'{"model": "a/b", "stream": true, "messages": []}'
ENDINGS: tuple[Ending, ...] = ("length", "chunked", "close")
STREAM = chat_stream(["Ça", " va", " 你好", " 🤗"])


def hub_of(reply: FakeReply) -> FakeHub:
    return FakeHub(default=Behaviour(always=reply))


def call_to(url: str) -> HttpRequest:
    return HttpRequest(f"{url}/v1/chat/completions", ASK)


async def over_socket(hub: FakeHub) -> tuple[int, bytes, bool]:
    """Return status, the bytes that came, and whether the body was whole."""
    got = bytearray()
    async with hub.serve() as url, aiohttp.ClientSession() as session:
        try:
            async with session.post(call_to(url).url, data=ASK) as answer:
                try:
                    async for piece in answer.content.iter_any():
                        got += piece
                except aiohttp.ClientError:
                    return answer.status, bytes(got), False
                return answer.status, bytes(got), True
        except aiohttp.ClientError:
            return 0, b"", False


async def in_memory(hub: FakeHub) -> tuple[int, bytes, bool]:
    got = bytearray()
    connect = MemoryConnect(hub)
    try:
        response = await connect(Destination("http://hub")).send(call_to("http://hub"))
    except ConnectionLost:
        return 0, b"", False
    try:
        async for piece in response.chunks():
            got += piece
    except ConnectionLost:
        return response.status, bytes(got), False
    return response.status, bytes(got), True


CASES = {
    **every_shape(422, "wrong"),
    **{f"stream, {ending}": evolve(STREAM, ending=ending) for ending in ENDINGS},
    **{
        f"cut at {cut}, {ending}": evolve(STREAM, ending=ending, cut=cut)
        for ending in ENDINGS
        for cut in (0, 1, 300)
    },
    **{
        f"reset at {cut}, {ending}": evolve(
            STREAM, ending=ending, cut=cut, reset=True, gap=0.01
        )
        for ending in ENDINGS
        for cut in (0, 300)
    },
    "byte-split": STREAM.split(1),
    "dropped": FakeReply(dropped=True),
    "a status without a name": FakeReply(status=599, body=b"x", ending="close"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("case", CASES)
async def test_memory_is_like_a_socket(case: str) -> None:
    """Status, bytes and end are the same on both ways, and the hub sees the same."""
    hubs = hub_of(CASES[case]), hub_of(CASES[case])
    real, memory = await over_socket(hubs[0]), await in_memory(hubs[1])
    assert real == memory
    assert hubs[0].closed_early == hubs[1].closed_early
    assert hubs[0].in_flight == hubs[1].in_flight == 0
    assert memory[1] == CASES[case].content[: CASES[case].cut]


@pytest.mark.asyncio
async def test_a_socket_is_kept_alive() -> None:
    """Two requests of one session use one connection."""
    hub = FakeHub()
    opened: list[object] = []
    trace = aiohttp.TraceConfig()

    async def note(*_: object) -> None:
        opened.append(1)

    trace.on_connection_create_end.append(note)
    async with (
        hub.serve() as url,
        aiohttp.ClientSession(trace_configs=[trace]) as session,
    ):
        for _ in range(2):
            async with session.post(call_to(url).url, data=ASK) as answer:
                await answer.read()
    assert (len(hub.records), len(opened)) == (2, 1)


@pytest.mark.asyncio
async def test_leaving_a_stream_early_is_seen_by_the_hub() -> None:
    """On a real socket the hub notices at once that its caller has gone."""
    hub = FakeHub(default=Behaviour(gap=30))
    async with hub.serve() as url, aiohttp.ClientSession() as session:
        answer = await session.post(call_to(url).url, data=ASK)
        await answer.content.readany()
        assert hub.in_flight == 1
        answer.close()
        began = time.monotonic()
        while hub.in_flight:  # noqa: ASYNC110  # the hub has no event for it
            await asyncio.sleep(0.005)
        assert time.monotonic() - began < 2
    assert hub.closed_early == 1


@pytest.mark.asyncio
async def test_a_caller_that_left_is_no_error_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A handler that answers all the same writes to nobody, and nobody complains."""
    ended: list[bool] = []

    async def stubborn(_request: FakeRequest) -> FakeReply:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(30)
        return FakeReply(body=b"too late", on_end=ended.append)

    async with serve(stubborn) as url, aiohttp.ClientSession() as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.post(url, data=ASK)
        async with asyncio.timeout(2):
            while not ended:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.005)
    assert ended == [False]
    assert caplog.messages == []


@pytest.mark.asyncio
async def test_a_stalled_stream_does_not_hold_up_the_end() -> None:
    """Leaving ``serve`` ends replies that would never end by themselves."""
    hub = FakeHub(default=Behaviour(stall=5))
    async with aiohttp.ClientSession() as session:
        async with hub.serve() as url:
            answer = await session.post(call_to(url).url, data=ASK)
            assert await answer.content.readexactly(5) == STREAM.content[:5]
        answer.close()
    assert (hub.in_flight, hub.closed_early) == (0, 1)


async def send(connect: MemoryConnect, **options: Secret) -> MemoryResponse:
    destination = Destination(
        "http://hub",
        credential=Secret("hf_memory"),
        options=RequestOptions(headers=options),
    )
    return await connect(destination).send(call_to("http://hub"))


@virtual_time
async def test_the_hub_sees_what_a_socket_would_carry() -> None:
    """Body, media type, the credential and headers of the configuration arrive."""
    hub = FakeHub(api_key="hf_memory")
    response: Response = await send(MemoryConnect(hub), **{"X-Own": Secret("1")})
    assert response.status == 200
    assert response.headers["content-type"] == "text/event-stream"
    (request,) = hub.requests
    assert request.body == ASK
    assert request.headers["x-own"] == "1"
    assert request.headers["content-type"] == "application/json"


@virtual_time
async def test_open_answers_are_counted() -> None:
    """An answer is open until it was read to its end or closed."""
    connect = MemoryConnect(FakeHub())
    first, second = await send(connect), await send(connect)
    assert (connect.sent, connect.open) == (2, 2)
    assert (await first.read(10_000)).endswith(b"[DONE]\n\n")
    assert connect.open == 1
    second.close()
    second.close()
    assert connect.open == 0


@virtual_time
async def test_closing_mid_stream_is_told_to_the_hub() -> None:
    """An answer closed before its end is one that was closed early."""
    hub = FakeHub(default=Behaviour(gap=1))
    connect = MemoryConnect(hub)
    response = await send(connect)
    async for _piece in response.chunks():
        break
    response.close()
    assert (hub.closed_early, hub.in_flight, connect.open) == (1, 0, 0)
    with pytest.raises(ConnectionLost):
        await response.read(10_000)


@virtual_time
async def test_delays_pass_in_virtual_time() -> None:
    """Delay and gaps take their seconds of the loop's clock."""
    now = asyncio.get_running_loop().time
    reply = FakeReply(body=[b"a", b"b", b"c"], delay=10, gap=2, ending="chunked")
    began = now()
    response = await send(MemoryConnect(hub_of(reply)))
    assert now() - began == 10
    assert await response.read(10) == b"abc"
    assert now() - began == 14


@virtual_time
async def test_a_cancelled_send_holds_nothing() -> None:
    """Cancelling before the headers came closes the connection."""
    hub = FakeHub(default=Behaviour(delay=60))
    connect = MemoryConnect(hub)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await send(connect)
    assert (connect.open, hub.in_flight, hub.closed_early) == (0, 0, 1)


@virtual_time
async def test_a_body_above_the_limit_is_refused() -> None:
    """Reading stops above the limit and the connection is closed."""
    connect = MemoryConnect(FakeHub())
    response = await send(connect)
    with pytest.raises(ResponseTooLarge):
        await response.read(20)
    assert connect.open == 0


@virtual_time
async def test_closing_the_channel_closes_its_answers() -> None:
    """After ``aclose`` nothing is open and nothing more is sent."""
    connect = MemoryConnect(FakeHub())
    client = connect(Destination("http://hub"))
    await client.send(call_to("http://hub"))
    await client.aclose()
    assert connect.open == 0
    with pytest.raises(Closed):
        await client.send(call_to("http://hub"))


@virtual_time
async def test_a_handler_can_refuse_the_connection() -> None:
    """An error that a handler raises is what the caller of ``send`` gets."""

    async def nobody(_request: FakeRequest) -> FakeReply:
        raise ConnectionRefused("Nothing listens there.")

    connect = MemoryConnect(nobody)
    with pytest.raises(ConnectionRefused):
        await send(connect)
    assert (connect.sent, connect.open) == (1, 0)


@virtual_time
async def test_an_answer_left_in_the_middle_leaves_no_task() -> None:
    """Nothing is closed later, by a task that a test would find."""
    connect = MemoryConnect(FakeHub(default=Behaviour(gap=1)))
    response = await send(connect)
    async for _piece in response.chunks():
        break
    response.close()
    del response
    gc.collect()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual_time
async def test_an_answer_read_to_its_end_stays_at_its_end() -> None:
    """Reading on gives nothing, as on a socket, and no error."""
    for ending in ENDINGS:
        reply = FakeReply(body=b"abc", ending=ending)
        response = await send(MemoryConnect(hub_of(reply)))
        assert await response.read(10) == b"abc"
        assert await response.read(10) == b""


@pytest.mark.parametrize("reply", [FakeReply(delay=100), FakeReply(stall=0)])
@virtual_time
async def test_closing_the_channel_ends_what_is_awaited(reply: FakeReply) -> None:
    """At once and by ``Closed``, as the real pool does, whatever the script says."""
    channel = MemoryConnect(hub_of(reply))(Destination("http://hub"))

    async def ask() -> bytes:
        response = await channel.send(call_to("http://hub"))
        return await response.read(10)

    task = asyncio.create_task(ask())
    await asyncio.sleep(5)
    before = asyncio.get_running_loop().time()
    await channel.aclose()
    with pytest.raises(Closed):
        await task
    assert asyncio.get_running_loop().time() == before
