"""What the log is told of a call: waits and retries, and how it ended."""

from __future__ import annotations

import logging

import pytest
from client.harness import MODEL, bench
from client.scoring import at
from servers.engines_tei import FakeTei

from bytebuddy_provider_hf.errors import (
    ApplyFailed,
    ByteBuddyError,
    StreamInterrupted,
    UnsupportedRole,
)
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import (
    overloaded,
    rate_limited,
    string_error,
)
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

ROUTER = "https://router.huggingface.co"
WHO = f"{ROUTER}: a call of {MODEL}"
LOGGER = "bytebuddy_provider_hf.client.call_log"


def said(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == LOGGER and record.levelno == level
    ]


async def made(call: ReplyCall, streamed: bool) -> None:
    if not streamed:
        await call
        return
    async with call as events:
        async for _ in events:
            pass


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


@virtual_time
async def test_a_wait_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """However many looks it takes; with the estimate, where there is one."""
    stand = bench(Behaviour(cold_for=20.0))
    await stand.model.chat("a secret prompt")
    assert said(caplog) == [f"{WHO} waits: loading, about 20.0 s"]
    assert said(caplog, logging.WARNING) == []
    assert "a secret prompt" not in caplog.text


@virtual_time
async def test_a_retry_is_told_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Class, status and what the server said."""
    stand = bench(Behaviour(replies=[overloaded(), string_error(500, "went wrong")]))
    await stand.model.chat("a")
    first, second = said(caplog)
    assert first.startswith(f"{WHO} rests for ")
    assert ": ServerOverloaded, status 503: " in first
    assert second.startswith(f"{WHO} rests for ")
    assert ": InternalError, status 500: " in second or "ServerError" in second
    assert "went wrong" in second


@virtual_time
async def test_a_hold_concerns_every_call(caplog: pytest.LogCaptureFixture) -> None:
    """A limit that names a time holds back all that goes to that server."""
    stand = bench(Behaviour(replies=[rate_limited(retry_after=7)]))
    await stand.model.chat("a")
    hold, wait = said(caplog)
    assert hold.startswith(f"{ROUTER}: every call rests for 7.0 s: AnonymousLimit, ")
    assert wait == f"{WHO} waits: rate limited, about 7.0 s"


@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_the_failure_a_call_ends_with_is_one_warning(
    caplog: pytest.LogCaptureFixture, streamed: bool
) -> None:
    """Origin, model and the server's number of the request are in it."""
    failure = string_error(403, "not for you")
    headers = {**failure.headers, "x-request-id": "r-1"}
    stand = bench(Behaviour(always=FakeReply(403, headers, failure.body)))
    with pytest.raises(ByteBuddyError) as caught:
        await made(stand.model.chat("a"), streamed)
    (line,) = said(caplog, logging.WARNING)
    kind = type(caught.value).__name__
    head = f"a call failed: {kind}, status 403, {ROUTER}, model {MODEL}, request id r-1"
    assert line == f"{head}: {caught.value.message}"


@virtual_time
async def test_a_broken_answer_is_told_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The text that came is the caller's."""
    stand = bench(Behaviour(answer=lambda _: "one two three four", cut=500))
    with pytest.raises(StreamInterrupted) as caught:
        async with stand.model.chat("a") as events:
            [event async for event in events]
    assert caught.value.partial
    (line,) = said(caplog, logging.WARNING)
    assert line.startswith(f"a call failed: StreamInterrupted, {ROUTER}, model {MODEL}")
    assert "one" not in line.rpartition(": ")[2]


@virtual_time
async def test_what_is_mended_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """A batch that was too large is cut; nobody's call failed."""
    server = FakeTei(max_batch=4)
    found = at(server)
    found.model._learned.batch_size = 64
    await found.model.embed([f"t{n}" for n in range(10)])
    assert said(caplog, logging.WARNING) == []


@virtual_time
async def test_many_batches_that_fail_are_one_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """That of the call, which is what its caller is told."""

    async def refusing(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            return await FakeTei(max_batch=4)(request)
        return string_error(403, "not for you")

    found = at(refusing)
    with pytest.raises(ByteBuddyError) as caught:
        await found.model.embed([f"t{n}" for n in range(40)])
    (line,) = said(caplog, logging.WARNING)
    assert f"a call failed: {type(caught.value).__name__}, " in line


@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_a_role_s_own_failure_is_the_one_that_is_told(
    caplog: pytest.LogCaptureFixture, streamed: bool
) -> None:
    """``apply`` turns the refusal of a model's role into one with both texts."""

    async def listing(_request: FakeRequest) -> FakeReply:
        return chat_reply("fine")

    found = at(listing, model="bigcode/starcoder")
    call = found.model.apply("a = 1\n", "somewhere else entirely")
    with pytest.raises((ApplyFailed, UnsupportedRole)) as caught:
        await made(call, streamed)
    (line,) = said(caplog, logging.WARNING)
    assert f"a call failed: {type(caught.value).__name__}, " in line


@virtual_time
async def test_nothing_is_written_for_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the usual level a call that waits and retries says nothing."""
    caplog.set_level(logging.WARNING)
    stand = bench(Behaviour(cold_for=2.0, replies=[overloaded()]))
    await stand.model.chat("a")
    assert [each for each in caplog.records if each.name != "asyncio"] == []
