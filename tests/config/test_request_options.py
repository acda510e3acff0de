"""Every time and limit of ``requestOptions``, from the file to what it does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from attrs import frozen
from config_world import ENTRY, World

from bytebuddy_provider_hf import ModelRegistry
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ColdStartTimeout,
    ConnectionRefused,
    DeadlineExceeded,
    FirstByteTimeout,
    IdleTimeout,
    NoDataTimeout,
    Overloaded,
    ServerError,
)
from bytebuddy_provider_hf.plugins.protocols import Chat
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour, loads
from bytebuddy_provider_hf.testing.failures import omitted, string_error
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Loading

MODEL = "org/name"
LOCAL = 'apiBase: "http://127.0.0.1:8080/v1"'
PINGS = FakeReply(
    200,
    {"content-type": "text/event-stream"},
    [b": ping\n\n"] * 100,
    gap=1,
    ending="chunked",
)


@frozen
class Stand:
    """A model opened from a file, and the hub behind it."""

    model: Chat
    hub: FakeHub

    async def streamed(self) -> None:
        async with self.model.chat("a b c") as events:
            async for _ in events:
                pass

    async def took(self, error: type[ByteBuddyError], *, streamed: bool) -> float:
        """Return how long a call took that fails with ``error``."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(error):
            await (self.streamed() if streamed else self.model.chat("a"))
        return loop.time() - began


@asynccontextmanager
async def opened(
    world: World, option: str, behaviour: Behaviour, *, top: bool = False
) -> AsyncIterator[Stand]:
    """Open the model of a file with ``option``, in its entry or at its top level."""
    where = "requestOptions" if top else "    requestOptions"
    path = world.write(
        world.machine / "chosen.yaml",
        f"models:\n{ENTRY}    {LOCAL}\n{where}: {{{option}}}\n",
    )
    hub = FakeHub({MODEL: behaviour})
    runtime = Runtime(connect=MemoryConnect(hub), jitter=random.Random(0).random)
    async with (
        runtime,
        ModelRegistry.load(
            path, cwd=world.project, home=world.home, env={}, runtime=runtime
        ) as registry,
    ):
        assert registry.warnings == ()
        yield Stand(registry.chat("m"), hub)


# What the key is set to, how the server behaves, whether the call is streamed, and
# the failure that comes after so many seconds.
TIMES = {
    "timeout": (7, Behaviour(delay=1_000), False, DeadlineExceeded),
    "firstByteTimeout": (6, Behaviour(delay=1_000), True, FirstByteTimeout),
    "idleTimeout": (5, Behaviour(stall=400), True, IdleTimeout),
    "noDataTimeout": (8, Behaviour(always=PINGS), True, NoDataTimeout),
    "coldStartTimeout": (
        4,
        Behaviour(cold_for=1_000, cold_reply=loads(omitted)),
        False,
        ColdStartTimeout,
    ),
}


@pytest.mark.parametrize("key", TIMES)
@pytest.mark.parametrize("top", [True, False])
@virtual_time
async def test_a_time_is_obeyed_wherever_it_stands(
    world: World, key: str, top: bool
) -> None:
    """The call ends after the time of the file, with the error of its own."""
    seconds, behaviour, streamed, error = TIMES[key]
    async with opened(world, f"{key}: {seconds}", behaviour, top=top) as stand:
        took = await stand.took(error, streamed=streamed)
    assert took == pytest.approx(seconds, abs=1.1)


@virtual_time
async def test_without_a_first_byte_timeout_the_call_s_own_counts(
    world: World,
) -> None:
    """An answer may begin as late as the call may end."""
    async with opened(world, "timeout: 300", Behaviour(delay=299)) as stand:
        await stand.streamed()
    async with opened(world, "timeout: 300", Behaviour(delay=301)) as stand:
        took = await stand.took(DeadlineExceeded, streamed=True)
    assert took == pytest.approx(300)


@pytest.mark.parametrize("attempts", [1, 2, 5])
@virtual_time
async def test_attempts_are_counted_at_the_server(world: World, attempts: int) -> None:
    """A server that always fails sees ``maxAttempts`` requests."""
    always = Behaviour(always=string_error(500, "no"))
    async with opened(world, f"maxAttempts: {attempts}", always) as stand:
        await stand.took(ServerError, streamed=False)
        assert len(stand.hub.records) == attempts


@pytest.mark.parametrize("limit", [1, 3])
@virtual_time
async def test_the_server_never_has_more_in_flight_than_the_file_says(
    world: World, limit: int
) -> None:
    """40 calls at once, ``maxConcurrency`` of them at the server."""
    behaviour = Behaviour(delay=1)
    async with opened(world, f"maxConcurrency: {limit}", behaviour) as stand:
        await asyncio.gather(*(stand.model.chat("a") for _ in range(40)))
        assert stand.hub.in_flight_max == limit


@virtual_time
async def test_the_limit_grows_up_to_the_file_s_and_not_beyond(world: World) -> None:
    """It begins at 8; under load it reaches 12 and stays there."""
    async with opened(world, "maxConcurrency: 12", Behaviour(delay=1)) as stand:
        await asyncio.gather(*(stand.model.chat("a") for _ in range(300)))
        assert stand.hub.in_flight_max == 12


@pytest.mark.parametrize("queue", [0, 1, 5])
@virtual_time
async def test_a_full_queue_refuses_at_once(world: World, queue: int) -> None:
    """One call at the server, ``maxQueue`` waiting, the others refused."""
    options = f"maxConcurrency: 1, maxQueue: {queue}"
    async with opened(world, options, Behaviour(delay=1)) as stand:
        results = await asyncio.gather(
            *(stand.model.chat("a") for _ in range(10)), return_exceptions=True
        )
    refused = [result for result in results if isinstance(result, Overloaded)]
    assert len(refused) == 10 - 1 - queue
    assert len(stand.hub.records) == 1 + queue


@virtual_time
async def test_a_server_that_is_being_started_is_waited_for(world: World) -> None:
    """With ``waitForServer`` a refused connection on this machine is waited for."""
    loop = asyncio.get_running_loop()
    up_at = loop.time() + 30

    async def start(_: FakeRequest) -> FakeReply:
        if loop.time() < up_at:
            message = "Nothing listens there."
            raise ConnectionRefused(message)
        return chat_stream(["up"])

    starting = Behaviour(always=start)
    reasons: set[str] = set()
    async with opened(world, "waitForServer: true", starting) as stand:
        async with stand.model.chat("a") as events:
            async for event in events:
                if isinstance(event, Loading):
                    reasons.add(event.reason)
        assert reasons == {"starting"}
        assert len(stand.hub.records) < 10
    up_at = loop.time() + 30
    async with opened(world, "waitForServer: false", starting) as stand:
        assert await stand.took(ConnectionRefused, streamed=True) < 5


@virtual_time
async def test_the_entry_s_value_wins_over_the_file_s(world: World) -> None:
    """Key by key: the entry's ``timeout``, the file's ``maxAttempts``."""
    path = world.write(
        world.machine / "chosen.yaml",
        "requestOptions: {timeout: 100, maxAttempts: 2}\n"
        f"models:\n{ENTRY}    {LOCAL}\n    requestOptions: {{timeout: 9}}\n",
    )
    hub = FakeHub({MODEL: Behaviour(replies=[string_error(500, "no")] * 2, delay=50)})
    runtime = Runtime(connect=MemoryConnect(hub))
    async with (
        runtime,
        ModelRegistry.load(
            path, cwd=world.project, home=world.home, env={}, runtime=runtime
        ) as registry,
    ):
        stand = Stand(registry.chat("m"), hub)
        await stand.took(ServerError, streamed=False)
        assert len(hub.records) == 2
        assert await stand.took(DeadlineExceeded, streamed=False) == pytest.approx(9)


@virtual_time
async def test_a_call_s_own_timeout_wins_over_the_file_s(world: World) -> None:
    """``chat(timeout=...)`` is the nearest word."""
    async with opened(world, "timeout: 100", Behaviour(delay=1_000)) as stand:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(DeadlineExceeded):
            await stand.model.chat("a", timeout=3)
        assert loop.time() - began == pytest.approx(3)
