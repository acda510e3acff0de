"""A name service that hangs holds nobody longer than the call's own time."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ConnectTimeout, DeadlineExceeded
from bytebuddy_provider_hf.transport.pool import NameLookups


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the system's look-up hang; give the names that were asked for."""
    over = threading.Event()
    asked: list[str] = []

    def getaddrinfo(host: str, *_args: object, **_more: object) -> list[object]:
        asked.append(host)
        over.wait(20)
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    over.set()
    for thread in threading.enumerate():
        if thread.name == "name lookup":
            thread.join(5)


@pytest.mark.parametrize("first", ["timeout", "connect"])
def test_a_program_ends_with_its_call(hanging: list[str], first: str) -> None:
    """A loop waits at its end for the threads that it made itself."""
    options = RequestOptions(
        timeout=0.3 if first == "timeout" else 20,
        connect_timeout=0.3 if first == "connect" else 20,
        max_attempts=1,
    )

    async def ask() -> None:
        async with open_model(
            "m", api_base="https://slow.test/v1", env={}, request_options=options
        ) as model:
            await model.chat("a")

    began = time.monotonic()
    with pytest.raises(DeadlineExceeded if first == "timeout" else ConnectTimeout):
        asyncio.run(ask())
    assert time.monotonic() - began < 2
    assert hanging == ["slow.test"]


def test_calls_to_one_name_wait_for_one_look_up(hanging: list[str]) -> None:
    """However many calls come and go, there is one thread for it."""
    options = RequestOptions(connect_timeout=0.2, max_attempts=1)

    async def ask() -> None:
        async with open_model(
            "m", api_base="https://slow.test/v1", env={}, request_options=options
        ) as model:
            calls = (model.chat("a") for _ in range(8))
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(each) for each in found} == {ConnectTimeout}

    asyncio.run(ask())
    assert hanging == ["slow.test"]


def test_names_are_looked_up() -> None:
    """Found, not found, and left before the answer came."""

    async def look_up() -> None:
        lookups = NameLookups()
        found = await lookups.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        assert ("127.0.0.1", 80) in [row[4] for row in found]
        name, port = await lookups.getnameinfo(
            ("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        )
        assert (name, port) == ("127.0.0.1", "80")
        with pytest.raises(socket.gaierror):
            await lookups.getaddrinfo("127.0.0.1", 80, flags=-1)
        left = asyncio.ensure_future(lookups.getaddrinfo("127.0.0.1", 80))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0.05)

    asyncio.run(look_up())
