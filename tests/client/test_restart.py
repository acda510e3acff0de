"""A local server that is not up yet, still loads, or was killed and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from servers.llama import TINY_CHAT, need_xllamacpp

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ConnectionRefused
from bytebuddy_provider_hf.testing.llama_server import (
    LocalServer,
    find_gemma,
    gemma_installed,
)
from bytebuddy_provider_hf.types import Done, Event, Loading

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


@pytest.fixture(scope="session", params=["tiny", "gemma"])
def weights(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the tiny model, or Gemma 3 270M where the extra ``local`` is installed."""
    need_xllamacpp()
    if request.param == "tiny":
        return TINY_CHAT
    if not gemma_installed():
        pytest.skip("Gemma 3 270M comes with the extra 'local'")
    return find_gemma(tmp_path_factory.mktemp("gemma"))


@pytest_asyncio.fixture
async def patient(unused_tcp_port: int) -> AsyncIterator[HuggingFaceModel]:
    """Open a model at a port where somebody will start a server."""
    async with open_model(
        "local",
        api_base=f"http://127.0.0.1:{unused_tcp_port}/v1",
        env={},
        request_options=RequestOptions(wait_for_server=True),
    ) as model:
        yield model


async def ask(model: HuggingFaceModel) -> list[Event]:
    async with model.complete("Once upon a time", max_tokens=8) as events:
        return [event async for event in events]


def answered_after_waiting(events: list[Event]) -> None:
    assert isinstance(events[0], Loading)
    assert isinstance(events[-1], Done)
    assert events[-1].reply.text


async def test_requests_that_come_at_every_wrong_time_are_answered(
    patient: HuggingFaceModel, weights: Path, unused_tcp_port: int
) -> None:
    """Before it listens, while it loads, and after kill -9 and a restart."""
    early = asyncio.create_task(ask(patient))
    await asyncio.sleep(0.2)
    async with LocalServer(weights, threads=1, port=unused_tcp_port) as server:
        loading = asyncio.create_task(ask(patient))
        answered_after_waiting(await early)
        answered_after_waiting(await loading)
        server.kill()
        await server.wait()
    orphan = asyncio.create_task(ask(patient))
    await asyncio.sleep(0.2)
    async with LocalServer(weights, threads=1, port=unused_tcp_port):
        answered_after_waiting(await orphan)


async def test_a_server_that_was_there_a_moment_ago_may_come_back(
    weights: Path, unused_tcp_port: int
) -> None:
    """Without being told to wait: a restart is waited for, a typing error is not."""
    base = f"http://127.0.0.1:{unused_tcp_port}/v1"
    async with open_model("local", api_base=base, env={}) as model:
        with pytest.raises(ConnectionRefused):
            await ask(model)
        async with LocalServer(weights, threads=1, port=unused_tcp_port) as server:
            await server.wait_ready()
            assert isinstance((await ask(model))[-1], Done)
            server.kill()
            await server.wait()
        again = asyncio.create_task(ask(model))
        await asyncio.sleep(0.2)
        async with LocalServer(weights, threads=1, port=unused_tcp_port):
            answered_after_waiting(await again)
