"""A server in a job of Hugging Face: it loads for minutes, and ends for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from client.engines import Asking, Stand, at, counting
from servers.engines import FakeVllm
from servers.engines_infinity import EMBEDDER, FakeInfinity
from servers.engines_tei import FakeTei
from servers.jobs import OVER, STARTS, FakeJob

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ColdStartTimeout,
    JobEnded,
    ModelLoading,
    RouteNotFound,
    TokenInvalid,
    WrongServedModel,
)
from bytebuddy_provider_hf.outcomes import Embeddings
from bytebuddy_provider_hf.testing.answers import MODEL
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, Handler
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions

JOB = "https://6a2b137a59bbdade52d4a58c--8000.hf.jobs"
VLLM = FakeVllm(answer=counting)
OPTIONS = CompletionOptions(max_tokens=50)
OVER_AT = 1_800.0

each_start = pytest.mark.parametrize("starts", STARTS.values(), ids=STARTS)
each_end = pytest.mark.parametrize("ends", OVER.values(), ids=OVER)
each_base = pytest.mark.parametrize("base", [JOB, f"{JOB}/v1"])


def in_job(
    *,
    server: Handler = VLLM,
    starts: FakeReply = OVER["404 text"],
    ends: FakeReply = OVER["404 text"],
    ready: float = 0.0,
    over: float = 10**9,
    base: str = JOB,
    name: str = MODEL,
) -> Stand:
    now = asyncio.get_running_loop().time()
    job = FakeJob(server, starts, ends, now + ready, now + over)
    return at(job, base=base, name=name)


def says_how_to_start_one(said: str) -> None:
    assert "hf jobs run --detach --expose PORT" in said
    assert "30 minutes" in said
    assert "api_base" not in said


@each_start
@each_base
@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_a_job_that_starts_is_waited_for(
    starts: FakeReply, base: str, streamed: bool
) -> None:
    """For minutes, whatever its proxy says meanwhile."""
    stand = in_job(starts=starts, ready=240, base=base)
    reply = await Asking("chat", streamed, options=OPTIONS)(stand.model)
    assert reply.text == counting(stand.asked)


@each_start
@each_base
@virtual_time
async def test_the_wait_for_a_job_is_bounded(starts: FakeReply, base: str) -> None:
    """Nobody can tell one that loads from one that is over: the error says both."""
    loop = asyncio.get_running_loop()
    stand, began = in_job(starts=starts, ready=10**6, base=base), loop.time()
    with pytest.raises(ColdStartTimeout) as caught:
        await Asking()(stand.model)
    assert loop.time() - began == pytest.approx(300, abs=1)
    says_how_to_start_one(str(caught.value))
    fresh = in_job(starts=starts, ready=10**6, base=base)
    with pytest.raises(ModelLoading) as at_once:
        await fresh.model.chat("hi", wait=False)
    assert "hf jobs ps" in str(at_once.value)


@each_end
@each_base
@virtual_time
async def test_a_job_that_answered_and_is_gone_is_over(
    ends: FakeReply, base: str
) -> None:
    """For ever: it is not waited for, and the error says how to start another."""
    loop = asyncio.get_running_loop()
    stand = in_job(ends=ends, over=OVER_AT, base=base)
    await Asking(options=OPTIONS)(stand.model)
    await asyncio.sleep(OVER_AT)
    for streamed in (False, True):
        began = loop.time()
        with pytest.raises(JobEnded) as caught:
            await Asking("chat", streamed)(stand.model)
        assert loop.time() - began < 1
        says_how_to_start_one(str(caught.value))


@pytest.mark.parametrize("name", [name for name in OVER if name != "404 text"])
@virtual_time
async def test_a_proxy_that_says_so_is_believed_at_once(name: str) -> None:
    """Also by who never saw the job run."""
    with pytest.raises(JobEnded) as caught:
        await Asking()(in_job(ends=OVER[name], over=0).model)
    says_how_to_start_one(str(caught.value))


@virtual_time
async def test_a_404_of_the_server_itself_is_no_cold_start() -> None:
    """Its forms are another's than the proxy's: a wrong name, a missing route."""
    with pytest.raises(WrongServedModel):
        await Asking()(in_job(base=f"{JOB}/v1", name="other").model)
    with pytest.raises(RouteNotFound):
        await Asking()(in_job(server=FakeInfinity(), base=f"{JOB}/v1").model)


@pytest.mark.parametrize("server", [FakeTei(), FakeInfinity({EMBEDDER: ["embed"]})])
@virtual_time
async def test_a_server_in_a_job_is_asked_what_it_is(server: Handler) -> None:
    """One without /v1/models answers the next question, if it is there at all."""
    stand = in_job(server=server, starts=STARTS["404 text"], ready=100)
    found = await stand.model.embed(["a"])
    assert isinstance(found, Embeddings)


@virtual_time
async def test_a_job_wants_a_token_of_who_may_read_it() -> None:
    """The proxy's 401 says so."""
    now = asyncio.get_running_loop().time()
    job = FakeJob(VLLM, STARTS["404 text"], OVER["410"], now, key="another")
    with pytest.raises(TokenInvalid, match="read access to its owner") as caught:
        await Asking()(at(job, base=JOB).model)
    assert "api_key" in (caught.value.hint or "")


@virtual_time
async def test_patience_with_a_job_can_be_set(tmp_path: Path) -> None:
    """By coldStartTimeout, as for any model."""
    loop = asyncio.get_running_loop()
    job = FakeJob(VLLM, STARTS["404 text"], OVER["410"], loop.time() + 900)

    async def ask(patience: float) -> str:
        async with open_model(
            MODEL,
            api_key="hf_x",
            api_base=JOB,
            request_options=RequestOptions(cold_start_timeout=patience, timeout=2_000),
            runtime=Runtime(connect=MemoryConnect(job)),
            env={},
            state_dir=tmp_path,
        ) as model:
            return (await model.chat("hi", max_tokens=50)).text

    with pytest.raises(ColdStartTimeout):
        await ask(10)
    assert await ask(1_000)
