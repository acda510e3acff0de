"""The times that end a call: its deadline, and silence in a stream."""

from __future__ import annotations

import asyncio

import pytest
from client.harness import bench

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    DeadlineExceeded,
    IdleTimeout,
)
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import (
    Done,
    Text,
)


@virtual_time
async def test_the_deadline_covers_the_wait_for_a_permit() -> None:
    """A call that never gets its turn fails at its own timeout."""
    options = RequestOptions(max_concurrency=1)
    stand = bench(Behaviour(delay=100), request_options=options)
    first = asyncio.create_task(stand.model.chat("a"))
    await asyncio.sleep(0)
    started = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineExceeded):
        await stand.model.chat("b", timeout=5)
    assert asyncio.get_running_loop().time() - started == pytest.approx(5)
    assert (await first).text
    stand.settled()


@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_the_deadline_covers_the_wait_for_an_answer(streamed: bool) -> None:
    """No headers within the timeout: a typed error, and the connection closed."""
    stand = bench(Behaviour(delay=100))
    started = asyncio.get_running_loop().time()

    async def ask() -> None:
        if streamed:
            async with stand.model.chat("b", timeout=5) as events:
                await anext(events)
        else:
            await stand.model.chat("b", timeout=5)

    with pytest.raises(DeadlineExceeded):
        await ask()
    assert asyncio.get_running_loop().time() - started == pytest.approx(5)
    stand.settled()


@virtual_time
async def test_a_first_byte_after_four_minutes_passes() -> None:
    """The whole of a long answer comes late and in one piece."""
    stand = bench(Behaviour(delay=240))
    assert (await stand.model.chat("a")).text
    stand.settled()


@virtual_time
async def test_a_healthy_stream_lives_for_hours() -> None:
    """A piece every 30 s, far beyond the timeout of a call: no limit on the whole."""
    stand = bench(Behaviour(gap=30))
    async with stand.model.chat("a " * 30) as events:
        seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    stand.settled()


@virtual_time
async def test_a_silent_stream_ends_after_the_idle_time() -> None:
    """60 s without a byte: IdleTimeout with the text so far."""
    stand = bench(Behaviour(stall=600))
    started = asyncio.get_running_loop().time()
    got: list[str] = []
    with pytest.raises(IdleTimeout) as caught:
        async with stand.model.chat("a b c d e f g") as events:
            got.extend([e.text async for e in events if isinstance(e, Text)])
    assert asyncio.get_running_loop().time() - started == pytest.approx(60, abs=0.1)
    assert caught.value.partial
    stand.settled()


@virtual_time
async def test_a_slow_caller_is_not_a_silent_stream() -> None:
    """Time that the caller spends between events is its own."""
    stand = bench()
    async with stand.model.chat("a b c d e f g") as events:
        async for _ in events:
            await asyncio.sleep(600)
    stand.settled()
