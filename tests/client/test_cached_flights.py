"""The same request twice at once is sent once, and nobody hangs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from client.harness import MODEL
from client.kept import Kept, asks, plain, streamed

from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.config.values import CacheOptions, RequestOptions
from bytebuddy_provider_hf.errors import (
    BadRequest,
    ConnectionRefused,
    DeadlineExceeded,
    ModelLoading,
)
from bytebuddy_provider_hf.testing.answers import chat_reply, json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.failures import detail_error, object_error
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.stepping import cancel_at_step
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Text

ENDPOINT = "https://x.endpoints.huggingface.cloud"


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def slow(kept: Kept, **more: object) -> None:
    kept.hub.set(MODEL, Behaviour(answer=echo, delay=5, **more))  # type: ignore[arg-type]  # fields of it


@pytest.mark.parametrize("stream", [False, True])
@virtual_time
async def test_twenty_at_once_are_one_request(tmp_path: Path, stream: bool) -> None:
    """All get the same answer; the first of them paid for it."""
    kept = Kept(tmp_path)
    slow(kept)
    async with kept.model() as model:
        calls = [asks(model, "one two") for _ in range(20)]
        if stream:
            found = await asyncio.gather(*(streamed(call) for call in calls))
            dones = [events[-1] for events in found]
            assert all(isinstance(each, Done) for each in dones)
            replies = [each.reply for each in dones if isinstance(each, Done)]
            assert all(events[:-1] == found[0][:-1] for events in found)
        else:
            replies = list(await asyncio.gather(*calls))
    assert len(kept.asked) == 1
    assert {plain(each) for each in replies} == {plain(replies[0])}
    assert [each.cached is None for each in replies] == [True] + [False] * 19


@virtual_time
async def test_other_requests_are_not_waited_for(kept: Kept) -> None:
    """Each question is one, and a stream is another than a whole answer."""
    slow(kept)
    loop = asyncio.get_running_loop()
    async with kept.model() as model:
        since = loop.time()
        await asyncio.gather(
            asks(model, "a"), asks(model, "b"), streamed(asks(model, "a"))
        )
        assert loop.time() - since < 6
    assert len(kept.asked) == 3


@virtual_time
async def test_requests_that_are_not_kept_are_each_sent(kept: Kept) -> None:
    """Who asks twice for a drawn answer wants two."""
    slow(kept)
    async with kept.model() as model:
        await asyncio.gather(*(model.chat("a") for _ in range(3)))
        await asyncio.gather(*(asks(model, cache="write_only") for _ in range(3)))
    assert len(kept.asked) == 6


@virtual_time
async def test_read_only_shares_what_is_under_way(kept: Kept) -> None:
    """Nothing is written for it."""
    slow(kept)
    async with kept.model(CacheOptions("on", "read_only")) as model:
        await asyncio.gather(*(asks(model) for _ in range(3)))
        assert len(kept.asked) == 1
        await asks(model)
    assert len(kept.asked) == 2


@virtual_time
async def test_where_the_first_fails_the_others_are_sent(kept: Kept) -> None:
    """At once, and all together: none waits for the failures of the others."""
    slow(kept, replies=[object_error(400, "no")])
    loop = asyncio.get_running_loop()
    async with kept.model() as model:
        since = loop.time()
        found = await asyncio.gather(
            *(asks(model) for _ in range(5)), return_exceptions=True
        )
        assert loop.time() - since < 11
    assert isinstance(found[0], BadRequest)
    assert [getattr(each, "text", None) for each in found[1:]] == ["Hello"] * 4
    assert len(kept.asked) == 5


@virtual_time
async def test_where_the_first_is_not_kept_the_others_are_sent(kept: Kept) -> None:
    """An answer that is not whole is nobody else's."""
    slow(kept, replies=[chat_reply("odd", finish_reason="repetition")])
    async with kept.model() as model:
        found = await asyncio.gather(*(asks(model) for _ in range(3)))
    assert [each.text for each in found] == ["odd", "Hello", "Hello"]


@pytest.mark.parametrize("stream", [False, True])
@virtual_time
async def test_where_the_first_leaves_one_other_is_sent(
    tmp_path: Path, stream: bool
) -> None:
    """The rest goes on to wait, now for that one."""
    kept = Kept(tmp_path)
    slow(kept)

    async def ask() -> object:
        return await (streamed(asks(model)) if stream else asks(model))

    async with kept.model() as model:
        tasks = [asyncio.create_task(ask()) for _ in range(6)]
        await asyncio.sleep(1)
        tasks[0].cancel()
        await asyncio.sleep(1)
        assert len(kept.asked) == 2
        tasks[3].cancel()
        tasks[1].cancel()
        await asyncio.sleep(1)
        assert len(kept.asked) == 3
        done = await asyncio.gather(*tasks, return_exceptions=True)
    cancelled = [isinstance(each, asyncio.CancelledError) for each in done]
    assert cancelled == [True, True, False, True, False, False]
    assert len(kept.asked) == 3


@virtual_time
async def test_a_stream_asked_for_inside_of_itself_ends(kept: Kept) -> None:
    """Its reader waits for a call that waits for its reader."""
    kept.hub.set(MODEL, Behaviour(answer=echo, gap=0.1))
    inner = None
    async with kept.model() as model, asks(model, "one two three") as events:
        async for event in events:
            if isinstance(event, Text) and inner is None:
                inner = await asyncio.wait_for(
                    streamed(asks(model, "one two three")), 10
                )
    assert inner is not None
    assert isinstance(inner[-1], Done)
    assert inner[-1].reply.text == "one two three"
    assert len(kept.asked) == 2


@virtual_time
async def test_a_slow_server_is_waited_for(kept: Kept) -> None:
    """A stream that comes slowly is no reader who has stopped."""
    kept.hub.set(MODEL, Behaviour(answer=lambda _: "word " * 30, gap=0.9))
    async with kept.model() as model:
        found = await asyncio.gather(*(streamed(asks(model)) for _ in range(3)))
    assert len({len(events) for events in found}) == 1
    assert len(kept.asked) == 1


@virtual_time
async def test_who_may_not_wait_does_not(kept: Kept) -> None:
    """It is sent at once, and hears what is in the way."""
    kept.hub.set(MODEL, Behaviour(answer=echo, cold_for=20))
    async with kept.model() as model:
        first = asyncio.create_task(_await(asks(model)))
        await asyncio.sleep(2)
        with pytest.raises(ModelLoading):
            await asks(model, wait=False)
        assert (await first).cached is None  # type: ignore[attr-defined]  # a reply


async def _await(call: object) -> object:
    return await call  # type: ignore[misc]  # a call


@virtual_time
async def test_who_waits_for_another_has_a_deadline(kept: Kept) -> None:
    """Its own."""
    slow(kept)
    loop = asyncio.get_running_loop()
    async with kept.model() as model:
        first = asyncio.create_task(_await(asks(model)))
        await asyncio.sleep(1)
        since = loop.time()
        with pytest.raises(DeadlineExceeded):
            await asks(model, timeout=2)
        assert loop.time() - since == pytest.approx(2, abs=0.1)
        await first


@virtual_time
async def test_a_hit_waits_for_nothing(kept: Kept) -> None:
    """Neither for a cold model, nor for a permit, nor for a limit."""
    one = RequestOptions(max_concurrency=1)
    loop = asyncio.get_running_loop()
    async with kept.model(requests=one) as model:
        await asks(model)
        kept.hub.set(MODEL, Behaviour(answer=echo, cold_for=100))
        waiting = asyncio.create_task(_await(asks(model, "another")))
        await asyncio.sleep(5)
        since = loop.time()
        assert (await asks(model)).cached is not None
        assert (await asks(model, wait=False)).cached is not None
        assert loop.time() == since
        await waiting
        kept.hub.set(MODEL, Behaviour(answer=echo, rate=1))
        await asks(model, "b")
        limited = asyncio.create_task(_await(asks(model, "c")))
        await asyncio.sleep(1)
        since = loop.time()
        assert (await asks(model)).cached is not None
        assert loop.time() == since
        await limited


@virtual_time
async def test_a_hit_needs_no_server(kept: Kept) -> None:
    """Where it is known what stands there, nothing is asked."""

    async def gone(_request: FakeRequest) -> FakeReply:
        raise ConnectionRefused("nobody is there")

    async with kept.model(base=f"{ENDPOINT}/v1") as model:
        await asks(model)
        kept.handler = gone
        assert (await asks(model)).text == "Hello"
    async with kept.model(base=f"{ENDPOINT}/v1") as model:
        assert (await asks(model)).cached is not None


@virtual_time
async def test_an_unknown_address_is_asked_once_what_it_is(kept: Kept) -> None:
    """However many ask at once; then the request is sent once, or not at all."""
    probes = []

    async def answer(request: FakeRequest) -> FakeReply:
        await asyncio.sleep(1)
        if request.method == "GET":
            probes.append(request.path)
            return json_reply({"data": [{"id": MODEL, "owned_by": "vllm"}]})
        return chat_reply("fine")

    kept.handler = answer
    for requests in (1, 1):
        async with kept.model(base=ENDPOINT) as model:
            found = await asyncio.gather(*(asks(model) for _ in range(5)))
            assert {each.text for each in found} == {"fine"}
        assert len(kept.asked) == requests
    assert probes == ["/v1/models"] * 2


@virtual_time
async def test_a_known_server_of_an_earlier_program_is_not_asked(
    tmp_path: Path,
) -> None:
    """What it is stands in another file, for a day."""
    kept = Kept(tmp_path)
    probes = []

    async def answer(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            probes.append(request.path)
            return json_reply({"data": [{"id": MODEL, "owned_by": "sglang"}]})
        return chat_reply("fine")

    kept.handler = answer
    for _ in range(2):
        async with kept.model(base=ENDPOINT) as model:
            model._lease._runtime._server_cache = ServerCache(tmp_path / "servers.json")  # type: ignore[union-attr]  # leased
            await asks(model)
    assert (len(kept.asked), len(probes)) == (1, 1)


@virtual_time
async def test_a_cold_address_is_waited_for_as_without_a_cache(kept: Kept) -> None:
    """Its questions are refused while it wakes."""
    loop = asyncio.get_running_loop()
    woken = loop.time() + 20

    async def answer(request: FakeRequest) -> FakeReply:
        if loop.time() < woken:
            return FakeReply(status=503)
        if request.method == "GET":
            return json_reply({"data": [{"id": MODEL, "owned_by": "vllm"}]})
        return chat_reply("fine")

    kept.handler = answer
    async with kept.model(base=ENDPOINT) as model:
        assert (await asks(model)).text == "fine"
        assert (await asks(model)).cached is not None
    assert loop.time() >= woken


@virtual_time
async def test_what_had_to_be_changed_is_kept_as_it_was_sent(kept: Kept) -> None:
    """A program that does not know it yet is refused once, and finds the answer."""

    async def answer(request: FakeRequest) -> FakeReply:
        if request.value("top_k") is not None:
            return detail_error(400, "top_k: extra fields not permitted")
        return chat_reply("fine")

    kept.handler = answer
    replies = []
    for _ in range(2):
        async with kept.model(base=f"{ENDPOINT}/v1") as model:
            replies += [await asks(model, top_k=5) for _ in range(2)]
    ages = [each.cached is None for each in replies]
    assert ages == [True, False, False, False]
    assert [request.value("top_k") for request in kept.asked] == [5, None, 5]
    assert all(each.notes == replies[0].notes for each in replies)
    assert replies[0].notes


@virtual_time
async def test_whoever_of_the_providers_answers_it_is_kept(kept: Kept) -> None:
    """Where the router picks one, or a session keeps one."""
    kept.hub.set(MODEL, Behaviour(answer=echo))
    async with kept.model() as model:
        await asks(model, session="talk one")
        assert (await asks(model, session="talk two")).cached is not None
        assert (await asks(model)).cached is not None
    assert len(kept.asked) == 1


@pytest.mark.parametrize("stream", [False, True])
@virtual_time
async def test_a_call_that_is_cancelled_anywhere_holds_nobody_back(
    tmp_path: Path, stream: bool
) -> None:
    """The next one with the same request is answered."""
    kept = Kept(tmp_path)
    kept.hub.set(MODEL, Behaviour(answer=echo, gap=0.01))
    async with kept.model() as model:
        steps = completed = 0
        while not completed:
            prompt = f"question {steps}"

            async def ask(prompt: str = prompt) -> None:
                call = asks(model, prompt)
                await (streamed(call) if stream else call)

            completed = await cancel_at_step(ask, steps)
            reply = await asyncio.wait_for(_await(asks(model, prompt)), 5)
            assert reply.text == prompt  # type: ignore[attr-defined]  # a reply
            steps += 1
    assert steps > 3
