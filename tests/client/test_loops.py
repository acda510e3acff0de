"""What a loop leaves behind when it ends before the models do."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Iterator

import pytest

from bytebuddy_provider_hf import open_model
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.transport.http_client import Destination
from bytebuddy_provider_hf.transport.pool import AiohttpClient


@pytest.fixture
def address() -> Iterator[str]:
    """Give a hub's address; its loop runs in a thread and outlives the test's."""
    places: list[str] = []
    started, ended = threading.Event(), threading.Event()

    async def main() -> None:
        async with FakeHub().serve() as url:
            places.append(url)
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert started.wait(10)
    yield places[0]
    ended.set()
    thread.join(10)


@pytest.fixture
def channels() -> list[AiohttpClient]:
    return []


@pytest.fixture
def model(address: str, channels: list[AiohttpClient]) -> HuggingFaceModel:
    def connect(destination: Destination) -> AiohttpClient:
        channels.append(AiohttpClient(destination))
        return channels[-1]

    runtime = Runtime(connect=connect)
    return open_model("a/b", api_base=address, runtime=runtime, env={})


async def ask(model: HuggingFaceModel) -> str:
    return (await model.chat("a")).text


def test_the_end_of_a_loop_closes_its_connections(
    model: HuggingFaceModel,
    channels: list[AiohttpClient],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A host that runs loop after loop keeps no socket of those that ended."""
    with caplog.at_level(logging.DEBUG, "asyncio"):
        for _ in range(3):
            assert asyncio.run(ask(model))
            assert all(channel._session.closed for channel in channels)
        asyncio.run(model.aclose())
        gc.collect()
    assert len(channels) == 3
    assert "Unclosed" not in caplog.text


def test_loops_that_ended_are_forgotten(model: HuggingFaceModel) -> None:
    """What is kept for a loop does not add up over the life of a host."""
    runtime = model._lease._runtime
    assert runtime is not None
    for _ in range(5):
        asyncio.run(ask(model))
        assert len(runtime._states) == 1
    asyncio.run(model.aclose())
