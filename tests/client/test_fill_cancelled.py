"""A person types on: each fill is cancelled, and costs the server nothing more."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import pytest
from attrs import evolve
from rounds import rounds

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.scheduling.coordinator import Counters
from bytebuddy_provider_hf.testing.answers import completion_stream, json_reply
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.types import Text

MODEL = "bigcode/starcoder2-3b"
FILLS = rounds(30, long=100)
# How long the server thinks before its first byte: some fills are cancelled before
# it, some after.
THINKS = (0.02, 0.2)


class Slow:
    """A vLLM that writes a token every 20 ms, and sees when somebody leaves."""

    def __init__(self) -> None:
        self.asked = 0
        self.left: list[float] = []
        self.thinks = THINKS[1]

    async def __call__(self, request: FakeRequest) -> FakeReply:
        if request.path == "/v1/models":
            listed = {"id": MODEL, "owned_by": "vllm", "max_model_len": 16_384}
            return json_reply({"object": "list", "data": [listed]})
        if request.method == "GET":
            return FakeReply(404)
        self.asked += 1
        return evolve(
            completion_stream([f" word{n}" for n in range(500)]),
            delay=self.thinks,
            gap=0.02,
            on_end=lambda _whole: self.left.append(perf_counter()),
        )


async def first_token(model: HuggingFaceModel) -> float:
    """Return the seconds until the first text of a fill."""
    started = perf_counter()
    async with model.fill("def add(a, b):\n    return ", "\n") as events:
        async for event in events:
            if isinstance(event, Text):
                break
    return perf_counter() - started


async def gone(server: Slow, count: int) -> None:
    """Wait until the server has seen so many leave."""
    async with asyncio.timeout(5):
        # The server runs in this loop, but ends its answers in callbacks of its own.
        while len(server.left) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.asyncio
async def test_cancelled_fills_leave_nothing_behind(
    figure: Callable[[str], None],
) -> None:
    """The server sees each leave in 100 ms, permits are back, the next is as quick."""
    server = Slow()
    runtime = Runtime()
    async with (
        runtime,
        serve(server) as url,
        open_model(
            MODEL, api_base=url, runtime=runtime, env={}, state_dir=Path("/nonexistent")
        ) as model,
    ):
        idle = statistics.median([await first_token(model) for _ in range(5)])
        await gone(server, 5)
        server.left.clear()
        waits = []
        for number in range(FILLS):
            server.thinks = THINKS[number % 2]
            asked = server.asked
            task = asyncio.create_task(first_and_on(model))
            await asyncio.sleep(0.05)
            task.cancel()
            cancelled = perf_counter()
            with suppress(asyncio.CancelledError):
                await task
            assert server.asked == asked + 1
            await gone(server, number + 1)
            waits.append(server.left[-1] - cancelled)
        assert runtime.counters() == Counters(permits=0, queued=0, queues_active=0)
        server.thinks = THINKS[1]
        last = await first_token(model)
    figure(
        f"{FILLS} fills cancelled: the server saw the slowest leave after "
        f"{max(waits) * 1e3:.1f} ms; first token {last * 1e3:.0f} ms, "
        f"idle {idle * 1e3:.0f} ms"
    )
    assert max(waits) < 0.1
    assert last <= 1.2 * idle


async def first_and_on(model: HuggingFaceModel) -> None:
    """Read a fill to its end."""
    async with model.fill("def add(a, b):\n    return ", "\n") as events:
        async for _ in events:
            pass
