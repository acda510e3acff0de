"""Cancelled at each step over real sockets: connections and the server's work end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from client.harness import IDLE

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.stepping import cancel_at_every_step
from bytebuddy_provider_hf.types import Done


async def read(model: HuggingFaceModel) -> None:
    async with model.chat("a b") as events:
        seen = [event async for event in events]
    assert isinstance(seen[-1], Done)


def in_use(runtime: Runtime) -> int:
    """Return how many connections are not back in the pool."""
    channels = runtime.state().clients
    return sum(channel.connections for channel in channels)  # type: ignore[attr-defined]  # the pool's


async def until(settled: Callable[[], bool]) -> None:
    # The server learns of it through the kernel, in a moment of its own.
    async with asyncio.timeout(2):
        while not settled():  # noqa: ASYNC110  # the hub has no event for it
            await asyncio.sleep(0.001)


CALLS: dict[str, Callable[[HuggingFaceModel], Awaitable[object]]] = {
    "chat": lambda model: model.chat("a"),
    "chat, streamed": read,
    "complete": lambda model: model.complete("a"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("call", CALLS)
async def test_over_sockets_nothing_is_held(
    call: str, figure: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Permits and connections at once, tasks and the hub's own work in a moment."""
    caplog.set_level(logging.WARNING)
    hub = FakeHub(default=Behaviour(delay=0.001, gap=0.001))
    async with hub.serve() as url, Runtime() as runtime:
        base = f"{url}/v1"
        model = open_model("a/b", api_base=base, env={}, runtime=runtime)
        await model.chat("so that every run finds the same connection kept")

        def check(_step: int) -> None:
            assert runtime.counters() == IDLE
            assert in_use(runtime) == 0

        steps = await cancel_at_every_step(lambda: CALLS[call](model), check=check)
        await until(lambda: hub.in_flight == 0)
        assert hub.closed_early > 0
        assert (await model.chat("a")).text
    assert caplog.messages == []  # a server does not complain of callers that leave
    figure(f"cancelled at each of {steps} steps")
    assert steps > 0
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
