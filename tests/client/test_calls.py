"""The rules of a call: awaited, entered, left, repeated, closed, never above limits."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Coroutine

import pytest
from client.harness import MODEL, Bench, bench

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    Closed,
    ConnectionLost,
    InsecureEndpoint,
    Overloaded,
    RateLimited,
    StreamInterrupted,
)
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import rate_limited
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.virtual_time import run, virtual_time
from bytebuddy_provider_hf.types import (
    Done,
    Text,
)


@virtual_time
async def test_a_call_is_a_coroutine_for_everything_that_takes_one() -> None:
    """await, create_task, gather, a TaskGroup and wait_for take it."""
    stand = bench()
    model = stand.model
    replies = [await model.chat("a"), await asyncio.create_task(model.chat("a"))]
    replies += await asyncio.gather(model.chat("a"), model.chat("a"))
    replies.append(await asyncio.wait_for(model.chat("a"), 10))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(model.chat("a"))
    replies.append(task.result())
    assert {reply.text for reply in replies} == {replies[0].text}
    stand.settled()


@virtual_time
async def test_events_end_with_done_and_its_reply() -> None:
    """A streamed answer: its texts, then the reply made of them."""
    stand = bench()
    async with stand.model.chat("a") as events:
        seen = [event async for event in events]
    text = "".join(event.text for event in seen if isinstance(event, Text))
    assert isinstance(seen[-1], Done)
    assert seen[-1].reply.text == text
    assert "a" in text
    stand.settled()


@virtual_time
async def test_complete_continues_a_text() -> None:
    """complete() sends the prompt as it stands to /v1/completions."""
    stand = bench()
    reply = await stand.model.complete("def add(a, b):", max_tokens=5)
    async with stand.model.complete("def add(a, b):") as events:
        streamed = [event async for event in events]
    assert isinstance(streamed[-1], Done)
    assert streamed[-1].reply.text == reply.text
    request = stand.hub.requests[0]
    assert request.path == "/v1/completions"
    assert request.value("prompt") == "def add(a, b):"
    assert request.value("max_tokens") == 5


@virtual_time
async def test_a_call_is_made_once() -> None:
    """A second await or an await after entering is a mistake that is told."""
    stand = bench()
    call = stand.model.chat("a")
    await call
    with pytest.raises(RuntimeError, match="already"):
        await call
    call = stand.model.chat("a")
    async with call as events:
        async for _ in events:
            pass
    with pytest.raises(RuntimeError, match="already"):
        await call


@virtual_time
async def test_a_call_that_is_never_made_warns() -> None:
    """A forgotten await is silent no more than a forgotten coroutine."""
    stand = bench()
    call = stand.model.chat("a")
    with pytest.warns(RuntimeWarning, match="never awaited"):
        del call
    assert stand.hub.records == []


@virtual_time
async def test_leaving_early_closes_the_connection_before_anything_else() -> None:
    """After the block, without another turn of the loop, nothing is open."""
    stand = bench(Behaviour(gap=1))
    async with stand.model.chat("a b c d e f") as events:
        async for _ in events:
            break
        assert stand.connect.open == 1
    assert stand.connect.open == 0
    assert stand.hub.closed_early == 1
    stand.settled()


@virtual_time
async def test_an_error_in_the_block_closes_too() -> None:
    """The caller's own exception passes through and leaves nothing behind."""
    stand = bench(Behaviour(gap=1))

    async def fail() -> None:
        async with stand.model.chat("a") as events:
            async for _ in events:
                raise KeyError

    with pytest.raises(KeyError):
        await fail()
    stand.settled()


@virtual_time
async def test_at_most_the_limit_is_in_flight() -> None:
    """100 calls at once: never more in flight than permits, all answered."""
    stand = bench(Behaviour(delay=1), request_options=RequestOptions(max_concurrency=5))
    replies = await asyncio.gather(*(stand.model.chat(f"q{n}") for n in range(100)))
    assert len(replies) == 100
    assert stand.hub.in_flight_max == 5
    stand.settled()


@virtual_time
async def test_permits_grow_while_they_are_used_and_shrink_on_429() -> None:
    """From 8 upwards with success, to 0.7 of it on a 429."""
    stand = bench(Behaviour(delay=1))
    await asyncio.gather(*(stand.model.chat(f"q{n}") for n in range(200)))
    grown = stand.hub.in_flight_max
    assert 8 < grown <= 32
    stand.hub.set(MODEL, Behaviour(always=rate_limited(), delay=1))
    stand.hub.in_flight_max = 0
    await asyncio.gather(
        *(stand.model.chat("q") for _ in range(100)), return_exceptions=True
    )
    stand.hub.set(MODEL, Behaviour(delay=1))
    stand.hub.in_flight_max = 0
    await asyncio.gather(*(stand.model.chat("q") for _ in range(10)))
    assert stand.hub.in_flight_max < grown
    stand.settled()


@virtual_time
async def test_a_queue_that_is_full_refuses_at_once() -> None:
    """MaxQueue bounds what waits; the next caller gets a typed error."""
    options = RequestOptions(max_concurrency=1, max_queue=2)
    stand = bench(Behaviour(delay=1), request_options=options)
    results = await asyncio.gather(
        *(stand.model.chat("q") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, Overloaded) for result in results) == 2
    stand.settled()


@virtual_time
async def test_a_stream_cut_at_every_byte_never_ends_silently() -> None:
    """Each cut, however the body's end is told: an interruption, or the whole text."""
    whole_stand = bench()
    expected = (await whole_stand.model.chat("a b")).text
    cuts = 0
    for cut in range(0, 4_000, 7):
        stand = bench(Behaviour(cut=cut))
        try:
            async with stand.model.chat("a b") as events:
                seen = [event async for event in events]
        except (StreamInterrupted, ConnectionLost) as error:
            cuts += 1
            assert expected.startswith(getattr(error, "partial", ""))  # noqa: PT017
        else:
            assert isinstance(seen[-1], Done)
            assert seen[-1].reply.text == expected
        stand.settled()
    assert cuts > 50


@virtual_time
async def test_a_whole_answer_to_a_streamed_request_is_taken() -> None:
    """Some servers ignore stream: JSON comes back, and becomes text and done."""
    stand = bench(Behaviour(always=chat_reply("whole")))
    async with stand.model.chat("a") as events:
        seen = [event async for event in events]
    assert seen[0] == Text("whole")
    assert isinstance(seen[-1], Done)
    stand.settled()


@virtual_time
async def test_a_refusal_is_raised_and_leaves_nothing() -> None:
    """A 429 to the last attempt, as an error of its class, streamed or not."""
    stand = bench(Behaviour(always=rate_limited(retry_after=7)))
    with pytest.raises(RateLimited) as caught:
        await stand.model.chat("a")
    assert caught.value.retry_after == 7
    with pytest.raises(RateLimited):
        await collect(stand)
    assert len(stand.hub.records) == 6
    stand.settled()


async def collect(stand: Bench) -> list[object]:
    async with stand.model.chat("a") as events:
        return [event async for event in events]


@virtual_time
async def test_a_closed_model_says_so() -> None:
    """After aclose a call raises Closed; closing twice is fine."""
    stand = bench()
    await stand.model.chat("a")
    await stand.model.aclose()
    await stand.model.aclose()
    with pytest.raises(Closed):
        await stand.model.chat("a")


@virtual_time
async def test_the_last_model_out_closes_the_connections() -> None:
    """Two models share a runtime; the first to leave takes nothing away."""
    hub = FakeHub()
    runtime = Runtime(connect=MemoryConnect(hub))
    options = {"api_key": "hf_x", "runtime": runtime, "env": {}}
    first, second = open_model("a/b", **options), open_model("a/c", **options)
    await first.chat("a")
    await second.chat("a")
    await first.aclose()
    assert (await second.chat("a")).text
    await second.aclose()


def test_a_model_can_be_used_on_one_loop_after_another() -> None:
    """Connections belong to a loop; each loop gets its own."""
    stand = bench()

    async def once() -> str:
        return (await stand.model.chat("a")).text

    assert run(once()) == run(once())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_the_child_of_a_fork_gets_connections_of_its_own() -> None:
    """The parent's sockets are not used and not closed in the child."""
    stand = bench()

    async def once() -> str:
        return (await stand.model.chat("a")).text

    expected = run(once())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            status = int(run(once()) != expected)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run(once()) == expected


def test_a_call_is_a_coroutine_object() -> None:
    """Isinstance tells, as asyncio does."""
    call = bench().model.chat("a")
    assert isinstance(call, Coroutine)
    call.close()


def test_configured_headers_never_travel_in_clear() -> None:
    """They may be secrets too: over plain http to another machine they are refused."""
    options = RequestOptions(headers={"X-Api-Key": Secret("k")})
    with pytest.raises(InsecureEndpoint):
        bench(base="http://192.0.2.1", request_options=options)
    assert bench(base="http://127.0.0.1", request_options=options)
