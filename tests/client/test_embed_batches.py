"""Many texts: batches as large as everybody allows, as many at once as permits."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine

import pytest
from client.scoring import ENDPOINT, Open, at
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds
from servers.engines import FakeVllm
from servers.engines_tei import FakeTei

from bytebuddy_provider_hf.client.roles.batch import Batches
from bytebuddy_provider_hf.config.values import EmbedOptions, RequestOptions
from bytebuddy_provider_hf.errors import (
    BatchTooLarge,
    DeadlineExceeded,
    RequestTooLarge,
)
from bytebuddy_provider_hf.testing.answers import simulated_vector
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.stepping import cancel_at_every_step
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Event, Loading


def texts(count: int) -> list[str]:
    return [f"t{n}" for n in range(count)]


@pytest.mark.parametrize(
    ("server", "configured", "largest"),
    [(100, None, 64), (32, None, 32), (8, None, 8), (32, 5, 5), (4, 5, 4)],
)
@virtual_time
async def test_a_batch_is_as_large_as_everybody_allows(
    server: int, configured: int | None, largest: int
) -> None:
    """The smallest of ``maxBatchSize``, what the server lists, and 64."""
    options = EmbedOptions(max_batch_size=configured)
    stand = at(FakeTei(max_batch=server), embed=options)
    found = await stand.model.embed(texts(130))
    assert max(stand.stand.sizes("inputs")) == largest
    assert sum(stand.stand.sizes("inputs")) == 130
    assert found.vectors == tuple(tuple(simulated_vector(t)) for t in texts(130))


@virtual_time
async def test_10_000_texts_are_in_order_and_never_above_the_limit(
    figure: Callable[[str], None],
) -> None:
    """At most 32 texts a request and as many requests at once as permits, all used."""
    options = RequestOptions(max_concurrency=4)
    stand = at(FakeTei(), delay=0.1, requests=options)
    loop = asyncio.get_running_loop()
    began, tasks = loop.time(), set[int]()

    async def count_tasks() -> None:
        while True:
            tasks.add(len(asyncio.all_tasks()))
            await asyncio.sleep(0.05)

    counting = asyncio.create_task(count_tasks())
    found = await stand.model.embed(texts(10_000))
    counting.cancel()
    took = loop.time() - began
    sizes = stand.stand.sizes("inputs")
    figure(f"{len(sizes)} requests, at most {stand.stand.most_in_flight} in flight")
    assert found.vectors == tuple(tuple(simulated_vector(t)) for t in texts(10_000))
    assert len(sizes) == 313
    assert max(sizes) == 32
    assert stand.stand.most_in_flight == 4
    # 313 batches, four at a time, 0.1 s each; and no task for each batch.
    assert took < 0.1 * 313 / 4 * 1.1
    assert max(tasks) <= 4 + 3


@virtual_time
async def test_usage_is_summed() -> None:
    """Of all batches; the simulated server counts a word as a token."""
    found = await at(FakeVllm()).model.embed(texts(200))
    assert found.usage is not None
    assert found.usage.prompt_tokens == found.usage.total_tokens == 200


@virtual_time
async def test_a_server_that_refuses_a_batch_gets_what_it_says_it_takes() -> None:
    """An address with /v1 is not asked what it is, so 64 go there first, then 32."""
    stand = at(FakeTei(), base=f"{ENDPOINT}/v1")
    found = await stand.model.embed(texts(64))
    assert stand.stand.sizes("input") == [64, 32, 32]
    assert found.vectors == tuple(tuple(simulated_vector(t)) for t in texts(64))
    await stand.model.embed(texts(64))
    assert stand.stand.sizes("input")[3:] == [32, 32]
    stand.settled()


@virtual_time
async def test_a_refusal_without_a_number_halves() -> None:
    """A gateway only says that the body is too large."""

    async def answer(request: FakeRequest) -> FakeReply:
        inputs = request.value("input")
        if isinstance(inputs, list) and len(inputs) > 10:
            return FakeReply(status=413, body=b"Payload too large")
        return await FakeVllm()(request)

    stand = at(answer)
    assert len((await stand.model.embed(texts(40))).vectors) == 40
    assert stand.stand.sizes("input") == [40, 20, 10, 10, 10, 10]


@virtual_time
async def test_one_text_that_is_too_large_is_an_error() -> None:
    """There is an end to halving."""

    async def answer(request: FakeRequest) -> FakeReply:
        if request.method == "POST":
            return FakeReply(status=413, body=b"Payload too large")
        return await FakeVllm()(request)

    stand = at(answer)
    with pytest.raises(RequestTooLarge):
        await stand.model.embed(texts(64))
    assert stand.stand.sizes("input") == [64, 32, 16, 8, 4, 2, 1]
    stand.settled()


@virtual_time
async def test_a_server_that_always_wants_less_is_asked_a_few_times_only() -> None:
    """Its number is believed once; then each piece is half of the one before."""
    sizes: list[int] = []

    async def send(batch: range, _tells: bool) -> None:
        sizes.append(len(batch))
        refusal = BatchTooLarge("no")
        refusal.limit = len(batch) - 1
        raise refusal

    batches = Batches(1_000, most=1_000, permits=lambda: 8, send=send)
    with pytest.raises(BatchTooLarge):
        await batches.run()
    assert len(sizes) < 15


@virtual_time
async def test_the_first_failure_cancels_the_rest_and_leaves_nothing_behind() -> None:
    """It is raised as itself, not in a group."""

    async def answer(request: FakeRequest) -> FakeReply:
        inputs = request.value("inputs")
        if isinstance(inputs, list) and "t70" in inputs:
            return string_error(422, "no")
        if request.method == "POST":
            await asyncio.sleep(100)
        return await FakeTei()(request)

    stand = at(answer)
    began = asyncio.get_running_loop().time()
    with pytest.raises(Exception, match="422") as caught:
        await stand.model.embed(texts(1_000))
    assert type(caught.value).__name__ == "UnprocessableRequest"
    assert asyncio.get_running_loop().time() - began < 1
    assert caught.value.__notes__ == ["It concerns texts 65 to 96 of 1,000."]
    stand.settled()


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.15, 0.35, 1.0])
@virtual_time
async def test_cancelled_amid_many_batches_nothing_is_held(after: float) -> None:
    """Permits, connections and tasks are back at zero."""
    stand = at(FakeTei(), delay=0.1)
    task = asyncio.create_task(stand.model.embed(texts(20_000)))
    await asyncio.sleep(after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    stand.settled()


@pytest.mark.parametrize("count", [1, 100])
@virtual_time
async def test_cancelled_at_every_step_of_a_server_nobody_knew(
    count: int, figure: Callable[[str], None]
) -> None:
    """Also while it is asked what it is, before anything is embedded."""
    made: list[Open] = []

    def make() -> Coroutine[object, object, object]:
        made.append(at(FakeTei(), delay=0.1))
        return made[-1].model.embed(texts(count))

    def check(_step: int) -> None:
        for each in made:
            each.settled()

    steps = await cancel_at_every_step(make, check=check)
    figure(f"cancelled at each of {steps} steps")
    assert steps > 1


@virtual_time
async def test_the_timeout_is_for_all_batches_together() -> None:
    """Ten rounds of 1 s do not fit in 3 s."""
    options = RequestOptions(max_concurrency=1)
    stand = at(FakeTei(), delay=1.0, requests=options)
    with pytest.raises(DeadlineExceeded):
        await stand.model.embed(texts(320), timeout=3.5)
    assert len(stand.stand.asked) <= 4
    stand.settled()


@virtual_time
async def test_waiting_is_told_once_not_once_a_batch() -> None:
    """Many batches wait for the same model; one of them tells."""
    events: list[Event] = []
    loop = asyncio.get_running_loop()

    async def answer(request: FakeRequest) -> FakeReply:
        if loop.time() - began < 5 and request.method == "POST":
            return FakeReply(
                status=503, body=b'{"error": "loading", "estimated_time": 5}'
            )
        return await FakeTei()(request)

    began = loop.time()
    stand = at(answer)
    found = await stand.model.embed(texts(1_000), on_event=events.append)
    assert len(found.vectors) == 1_000
    assert events
    assert all(isinstance(event, Loading) for event in events)
    # A batch that has to take its turn afterwards counts its own time.
    loading = [event for event in events if getattr(event, "reason", "") == "waking"]
    elapsed = [event.elapsed for event in loading if isinstance(event, Loading)]
    assert elapsed == sorted(elapsed)
    assert len(events) < 20


@settings(max_examples=rounds(100, long=2_000), deadline=None)
@given(
    count=st.integers(1, 300),
    most=st.integers(1, 100),
    limit=st.integers(1, 100),
    honest=st.booleans(),
    permits=st.lists(st.integers(1, 10), min_size=1),
)
def test_whatever_a_server_takes_every_input_is_sent_once(
    count: int, most: int, limit: int, honest: bool, permits: list[int]
) -> None:
    """In order, in batches it takes, whatever becomes of the permits meanwhile."""
    running, seen = 0, 0
    given_now = itertools.cycle(permits)

    async def send(batch: range, _tells: bool) -> list[int]:
        nonlocal running, seen
        running += 1
        seen = max(seen, running)
        await asyncio.sleep(0)
        running -= 1
        if len(batch) > limit:
            refusal = BatchTooLarge("too many")
            refusal.limit = limit if honest else None
            raise refusal
        return list(batch)

    batches = Batches(count, most=most, permits=lambda: next(given_now), send=send)
    parts = asyncio.run(batches.run())
    assert [place for part in parts for place in part] == list(range(count))
    assert seen <= max(permits)
