"""A call that is broken off from outside shows no key either."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from security.provoking import CANARY, KEY
from security.sinks import shown

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve


async def never(_request: FakeRequest) -> FakeReply:
    return FakeReply(delay=60)


async def silent(_request: FakeRequest) -> FakeReply:
    reply = chat_stream(["a", "b"])
    return FakeReply(200, reply.headers, reply.content, stall=10)


@asynccontextmanager
async def model_at(
    handler: Callable[[FakeRequest], Awaitable[FakeReply]], *, proxied: bool = False
) -> AsyncIterator[HuggingFaceModel]:
    async with serve(handler) as url:
        through = url.replace("://", f"://user:{CANARY}@") if proxied else None
        options = RequestOptions(proxy=through)
        async with open_model(
            "m", api_key=KEY, api_base=f"{url}/v1", request_options=options, env={}
        ) as model:
            del through, options
            yield model


async def whole(model: HuggingFaceModel) -> object:
    return await model.chat("a")


async def streamed(model: HuggingFaceModel) -> object:
    async with model.chat("a") as events:
        return [event async for event in events]


def leaks(error: BaseException) -> list[str]:
    return [sink for sink, text in shown(error) if CANARY in text]


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
@pytest.mark.parametrize("call", [whole, streamed])
@pytest.mark.parametrize("handler", [never, silent])
@pytest.mark.asyncio
async def test_a_callers_timeout_shows_no_key(
    handler: Callable[[FakeRequest], Awaitable[FakeReply]],
    call: Callable[[HuggingFaceModel], Awaitable[object]],
    proxied: bool,
) -> None:
    """A cancellation passes frames whose local variables hold the header."""
    async with model_at(handler, proxied=proxied) as model:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await call(model)
    assert leaks(caught.value) == []


@pytest.mark.asyncio
async def test_an_error_that_nobody_expected_shows_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What aiohttp raises beside its own errors comes through without its frames."""

    async def broken(*_args: object, **_more: object) -> None:
        try:
            {}["x"]  # its frames are foreign as well
        except KeyError as error:
            raise AssertionError from error

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "sock_connect", broken)
    async with model_at(never) as model:
        with pytest.raises(AssertionError) as caught:
            await model.chat("a")
    assert isinstance(caught.value.__cause__, KeyError)
    assert leaks(caught.value) == []


@pytest.mark.asyncio
async def test_what_the_caller_was_handling_stays_whole() -> None:
    """Only what came from below loses its way; the caller's own error keeps it."""

    async def handling(model: HuggingFaceModel) -> None:
        try:
            {}["x"]
        except KeyError:
            async with asyncio.timeout(0.1):
                await model.chat("a")

    async with model_at(never) as model:
        with pytest.raises(TimeoutError) as caught:
            await handling(model)
    link: BaseException | None = caught.value
    while not isinstance(link, KeyError):
        assert link is not None
        link = link.__context__
    assert link.__traceback__ is not None


def test_ctrl_c_shows_no_key() -> None:
    """KeyboardInterrupt leaves a loop with the cancellation in its context."""

    async def interrupted() -> None:
        async with model_at(never) as model:
            loop = asyncio.get_running_loop()
            loop.call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
            await model.chat("a")

    with pytest.raises(KeyboardInterrupt) as caught:
        asyncio.run(interrupted())
    assert leaks(caught.value) == []


def test_debug_mode_logs_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """The debug mode of asyncio logs every step; aiohttp and we log at DEBUG."""

    async def debugged() -> None:
        asyncio.get_running_loop().slow_callback_duration = 0
        async with model_at(silent) as model:
            async with asyncio.timeout(0.2):
                await streamed(model)

    caplog.set_level(logging.DEBUG)
    with pytest.raises(TimeoutError):
        asyncio.run(debugged(), debug=True)
    assert "Executing" in caplog.text
    assert CANARY not in caplog.text
