"""Leaving a stream on a real socket: closed at once, whoever reads, however it ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
from client.harness import IDLE, bench
from servers.raw import Client, RawServer, chunk, head, raw_server

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ByteBuddyError, Closed, StreamInterrupted
from bytebuddy_provider_hf.testing.answers import chat_stream, event
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import empty_error
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.http_client import Destination
from bytebuddy_provider_hf.transport.pool import AiohttpClient
from bytebuddy_provider_hf.types import Event
from bytebuddy_provider_hf.wire.http_request import HttpRequest

WORD = chunk(event({"choices": [{"index": 0, "delta": {"content": "word "}}]}))
CHUNKED = head("transfer-encoding: chunked")
WHOLE = chat_stream(["a", "b"]).content
LAST = chunk(b"")


async def endless(client: Client) -> None:
    """Answer with words for ever, until the client goes."""
    await client.request()
    await client.say(CHUNKED)
    leaving = asyncio.ensure_future(client.until_gone())
    try:
        # Where the connection broke, a further write fails without a pause: trying
        # again would keep the loop from ever seeing that the client has gone.
        with suppress(OSError):
            while not leaving.done():
                await client.say(WORD)
        await leaving
    finally:
        leaving.cancel()


def local(url: str, runtime: Runtime, **options: int) -> HuggingFaceModel:
    return open_model(
        "m",
        api_base=f"{url}/v1",
        env={},
        runtime=runtime,
        request_options=RequestOptions(**options),  # type: ignore[arg-type]  # numbers
    )


async def until_seen(server: RawServer) -> float:
    """Return when the server saw its client go."""
    async with asyncio.timeout(5):
        while (gone := server.clients[-1].gone) is None:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.001)
    return gone


async def broken_off(model: HuggingFaceModel) -> None:
    async with model.chat("a") as events:
        async for _ in events:
            break


async def failing(model: HuggingFaceModel) -> None:
    async with model.chat("a") as events:
        async for _ in events:
            raise KeyError


async def failed(model: HuggingFaceModel) -> None:
    with pytest.raises(KeyError):
        await failing(model)


async def read_on(model: HuggingFaceModel) -> None:
    async with model.chat("a") as events:
        async for _ in events:
            pass


async def cancelled(model: HuggingFaceModel) -> None:
    task = asyncio.create_task(read_on(model))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def timed_out(model: HuggingFaceModel) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await read_on(model)


async def waited_for(model: HuggingFaceModel) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read_on(model), 0.05)


async def read_beside_a_failure(model: HuggingFaceModel) -> None:
    async def fail() -> None:
        await asyncio.sleep(0.05)
        raise KeyError

    async with asyncio.TaskGroup() as group:
        group.create_task(read_on(model))
        group.create_task(fail())


async def sibling_failed(model: HuggingFaceModel) -> None:
    with pytest.raises(ExceptionGroup):
        await read_beside_a_failure(model)


async def closed_by_hand(model: HuggingFaceModel) -> None:
    async with model.chat("a") as events:
        await anext(events)
        await events.aclose()  # type: ignore[attr-defined]  # a generator's own


async def read_elsewhere(model: HuggingFaceModel) -> None:
    async def read(events: AsyncIterator[Event]) -> None:
        async for _ in events:
            pass

    async with model.chat("a") as events:
        task = asyncio.create_task(read(events))
        await asyncio.sleep(0.05)
    with pytest.raises(Closed, match="another task"):
        await task


WAYS = [
    broken_off,
    failed,
    cancelled,
    timed_out,
    waited_for,
    sibling_failed,
    closed_by_hand,
    read_elsewhere,
]


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_the_server_sees_it_at_once(
    way: Callable[[HuggingFaceModel], object], figure: Callable[[str], None]
) -> None:
    """Nothing is held when the block is left, and the server knows within moments."""
    async with raw_server(endless) as server, Runtime() as runtime:
        model = local(server.url, runtime)
        await broken_off(model)  # so that what follows finds everything imported
        await way(model)  # type: ignore[misc]  # coroutine functions
        left = time.perf_counter()
        assert runtime.counters() == IDLE
        gone = await until_seen(server)
    figure(f"the server saw it after {max(0.0, gone - left) * 1e3:.1f} ms")
    assert gone - left < 0.5


@virtual_time
async def test_leaving_while_another_task_waits_for_the_model() -> None:
    """Cold or queued, no connection yet: the reader is told, nothing is held."""
    for behaviour in (Behaviour(cold_for=50), Behaviour(delay=50), Behaviour(stall=0)):
        stand = bench(behaviour)
        async with stand.model.chat("a") as events:

            async def read(events: AsyncIterator[Event] = events) -> None:
                async for _ in events:
                    pass

            task = asyncio.create_task(read())
            await asyncio.sleep(5)
        with pytest.raises(Closed):
            await task
        assert task.cancelling() == 0
        stand.settled()


@virtual_time
async def test_leaving_does_not_swallow_the_readers_own_cancellation() -> None:
    """Cancelled by somebody and left at the same moment: it is cancelled."""
    stand = bench(Behaviour(gap=10))
    async with stand.model.chat("a b c") as events:

        async def read() -> None:
            async for _ in events:
                pass

        task = asyncio.create_task(read())
        await asyncio.sleep(5)
        asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    stand.settled()


async def asked(model: HuggingFaceModel, times: int) -> None:
    for _ in range(times):
        try:
            await read_on(model)
        except ByteBuddyError:
            continue


FAILED = event({"error": {"code": 500, "message": "x"}})
KEPT = {
    "chunked": (CHUNKED, chunk(WHOLE), LAST),
    "the last chunk comes late": (CHUNKED, chunk(WHOLE), b"", b"", LAST),
    "of a length": (head(f"content-length: {len(WHOLE)}"), WHOLE),
}
NOT_KEPT = {
    "no last chunk": (CHUNKED, chunk(WHOLE[:300])),
    "an error event": (CHUNKED, chunk(FAILED), b"", b""),
    "too long": (head(f"content-length: {len(WHOLE)}"), WHOLE + WHOLE),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("case", KEPT)
async def test_a_connection_is_used_again_after_a_whole_stream(case: str) -> None:
    """Five answers, one connection, as the server counts them."""

    async def answer(client: Client) -> None:
        while True:
            await client.request()
            await client.say(*KEPT[case])

    async with raw_server(answer) as server, Runtime() as runtime:
        await asked(local(server.url, runtime), 5)
    assert len(server.clients) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("case", NOT_KEPT)
async def test_a_connection_is_never_used_again_after_a_broken_stream(
    case: str,
) -> None:
    """Three answers, three connections."""

    async def answer(client: Client) -> None:
        await client.request()
        await client.say(*NOT_KEPT[case])
        if case == "no last chunk":
            return
        # If it came again, this server would tell its request from the first.
        await client.request()
        server.clients.append(client)

    async with raw_server(answer) as server, Runtime() as runtime:
        await asked(local(server.url, runtime, max_attempts=1), 3)
    assert len(server.clients) == 3


@pytest.mark.asyncio
async def test_closing_the_runtime_ends_what_is_under_way_at_once() -> None:
    """A stream, a call in the queue and one whose answer is awaited: told, not hung."""

    async def answer(client: Client) -> None:
        await client.request()
        if len(server.clients) == 1:
            await client.say(CHUNKED, WORD)
        await asyncio.sleep(60)

    async with raw_server(answer) as server, Runtime() as runtime:
        model = local(server.url, runtime, max_concurrency=2, max_attempts=1)
        reading = asyncio.create_task(read_on(model))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(model.chat("a")) for _ in range(3)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(2):
            await runtime.aclose()
            ends = await asyncio.gather(reading, *others, return_exceptions=True)
    assert isinstance(ends[0], StreamInterrupted)
    assert ends[0].partial == "word "
    assert [type(end) for end in ends[1:]] == [Closed] * 3


@pytest.mark.asyncio
async def test_a_channel_that_was_closed_sends_nothing() -> None:
    """Closed, and no error of aiohttp's, as in memory."""
    async with raw_server(endless) as server:
        client = AiohttpClient(Destination(server.url))
        await client.aclose()
        with pytest.raises(Closed):
            await client.send(HttpRequest(server.url))
    assert server.clients == []


@virtual_time
async def test_closing_the_runtime_ends_every_kind_of_waiting() -> None:
    """Cold, resting before a retry, silent: over in the same moment of virtual time."""
    for behaviour in (
        Behaviour(cold_for=50),
        Behaviour(rate=0),
        Behaviour(always=empty_error(500)),
        Behaviour(stall=600),
        Behaviour(delay=100),
        Behaviour(gap=10),
    ):
        stand = bench(behaviour, request_options=RequestOptions(max_concurrency=1))
        calls = [read_on(stand.model), stand.model.chat("a"), read_on(stand.model)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0.1)
        before = asyncio.get_running_loop().time()
        await stand.runtime.aclose()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert asyncio.get_running_loop().time() == before
        assert {type(end) for end in ends} <= {Closed, StreamInterrupted}
        assert stand.connect.open == stand.hub.in_flight == 0


ENDS_INSIDE = """
import asyncio, sys
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.errors import StreamInterrupted

async def main():
    async with open_model("m", api_base=sys.argv[1] + "/v1", env={}) as model:
        async def read():
            try:
                async with model.chat("a") as events:
                    async for event in events:
                        begun.set()
            except StreamInterrupted as error:
                print(len(error.partial) > 0)
        begun = asyncio.Event()
        task = asyncio.create_task(read())
        await begun.wait()

asyncio.run(main())
print("ended")
"""


@pytest.mark.asyncio
async def test_a_loop_that_ends_in_the_middle_of_a_stream_ends_quietly() -> None:
    """The stream is told, no warning, no unclosed socket; the server sees the end."""
    async with raw_server(endless) as server:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-W", "error", "-c", ENDS_INSIDE),
            server.url,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            out, err = await child.communicate()
        await until_seen(server)
    assert out == b"True\nended\n"
    told = [line for line in err.splitlines() if not line.startswith(b"Executing ")]
    assert told == []
