"""What could hold up a herd: a lost probe, a slow reader, a break at the wrong time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from attrs import evolve
from client.harness import Bench, bench

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import DeadlineExceeded
from bytebuddy_provider_hf.scheduling.model_queue import ModelQueue
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour, last_words, loads
from bytebuddy_provider_hf.testing.failures import (
    constant,
    loading,
    omitted,
    overloaded,
)
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Event, Loading

CALLERS = 1_000
LIMIT = 8
LOADING = loading(20.0, model="org/name", estimate=constant())
FOREVER = 100_000.0


def herd(stand: Bench, callers: int = CALLERS) -> list[asyncio.Task[object]]:
    return [
        asyncio.create_task(stand.model.chat(f"question {n}")) for n in range(callers)
    ]


@virtual_time
async def test_a_probe_that_gets_lost_holds_up_nobody() -> None:
    """A balancer swallowed it: the next leaves after 15 s and serves the others."""
    swallowed = evolve(chat_reply("late"), delay=FOREVER)
    stand = bench(Behaviour(replies=[LOADING] * LIMIT + [swallowed]))
    loop = asyncio.get_running_loop()
    began = loop.time()
    tasks = herd(stand)
    done, (unlucky,) = await asyncio.wait(tasks, timeout=60)
    assert len(done) == CALLERS - 1
    assert all(task.exception() is None for task in done)
    with pytest.raises(DeadlineExceeded):
        await unlucky
    assert loop.time() - began == pytest.approx(600)
    stand.settled()


@virtual_time
async def test_a_probe_that_is_a_long_answer_holds_up_nobody() -> None:
    """The whole reply takes four minutes; the others do not wait for its end."""
    long = evolve(chat_reply("long"), delay=240)
    stand = bench(Behaviour(replies=[LOADING] * LIMIT + [long]))
    tasks = herd(stand)
    done, (patient,) = await asyncio.wait(tasks, timeout=60)
    assert len(done) == CALLERS - 1
    assert await patient
    stand.settled()


@virtual_time
async def test_a_reader_that_is_busy_gets_no_permit_and_no_probe() -> None:
    """It was told of the loading and does something else; the others go on."""
    stand = bench(Behaviour(cold_for=5))
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def slow() -> str:
        told = ""
        async with stand.model.chat("slow") as events:
            async for event in events:
                told += type(event).__name__
                if isinstance(event, Loading):
                    await asyncio.sleep(100)
        return told

    reader = asyncio.create_task(slow())
    await asyncio.sleep(0.01)
    await asyncio.gather(*herd(stand))
    assert loop.time() - began < 7
    assert (await reader).endswith("Done")
    stand.settled()


@virtual_time
async def test_a_permit_that_a_busy_reader_left_is_taken_when_it_is_back() -> None:
    """Nobody else waited; it goes on without another event to wake it."""
    stand = bench(Behaviour(delay=1), request_options=RequestOptions(max_concurrency=1))
    first = asyncio.create_task(stand.model.chat("first"))
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    async with stand.model.chat("slow") as events:
        async for event in events:
            if isinstance(event, Loading):
                await asyncio.sleep(10)
                assert first.done()
                resumed = loop.time()
    assert loop.time() - resumed < 1.5
    stand.settled()


@virtual_time
async def test_who_leaves_while_resting_from_a_broken_probe_takes_nothing() -> None:
    """The probe broke, its caller rests and is cancelled: the next still leaves."""
    broken = FakeReply(200, dropped=True)
    stand = bench(Behaviour(replies=[LOADING] * LIMIT + [broken]), seed=3)
    loop = asyncio.get_running_loop()
    began = loop.time()
    tasks = herd(stand)
    await asyncio.sleep(1.001)  # the first probe left after 1 s, and broke at once
    assert len(stand.hub.records) == LIMIT + 1
    tasks[int(last_words(stand.hub.records[LIMIT].request).split()[-1])].cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(end, asyncio.CancelledError) for end in ends].count(True) == 1
    assert not any(isinstance(end, Exception) for end in ends)
    assert loop.time() - began < 5
    stand.settled()


@virtual_time
async def test_when_the_first_who_were_let_go_leave_the_next_go() -> None:
    """The two of the first step are cancelled together, before any answer."""
    stand = bench(Behaviour(replies=[LOADING] * LIMIT, delay=1))
    tasks = herd(stand, 20)
    await asyncio.sleep(2.5)  # the probe left after 1 s and took 1 s
    assert stand.statuses.count(200) == 3
    let_go = [record for record in stand.hub.records if record.status == 200][1:]
    for record in let_go:
        tasks[int(last_words(record.request).split()[-1])].cancel()
    loop = asyncio.get_running_loop()
    began = loop.time()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert loop.time() - began < 15
    assert sum(isinstance(end, asyncio.CancelledError) for end in ends) == len(let_go)
    assert not any(isinstance(end, Exception) for end in ends)
    stand.settled()


@virtual_time
async def test_a_second_episode_has_the_whole_patience() -> None:
    """Who sleeps through it all, told of nothing, waits 300 s for each of two."""
    stand = bench(
        Behaviour(cold_for=200, cold_reply=loads(omitted), delay=5),
        request_options=RequestOptions(max_concurrency=1),
    )
    tasks = [
        asyncio.create_task(stand.model.chat(f"question {n}", timeout=2_000))
        for n in range(30)
    ]
    await asyncio.sleep(230)
    assert stand.statuses.count(200) > 1
    stand.hub.set("org/name", Behaviour(cold_for=200, cold_reply=loads(omitted)))
    replies = await asyncio.gather(*tasks)
    assert len(replies) == 30
    stand.settled()


@pytest.mark.parametrize(
    "busy",
    [loading(None, model="org/name"), overloaded(), FakeReply(503), FakeReply(502)],
    ids=["loading", "overloaded", "bare 503", "bare 502"],
)
@virtual_time
async def test_a_model_that_is_only_busy_is_not_taken_for_asleep(
    busy: FakeReply, figure: Callable[[str], None]
) -> None:
    """Above 16 in flight it refuses, limit 32: permits shrink, nobody is told to wait.

    Every caller gets a reply, and the model is loading once in all. The server sees at
    most 32 once, and 17 after its first refusal was read; it refuses under 3 %.
    """
    behaviour = Behaviour(cold_for=20, capacity=16, busy_reply=busy, delay=0.5)
    stand = bench(behaviour)
    again: list[str] = []
    seen: list[int] = []

    async def watch() -> None:
        # Ready after 20 s; the doubling steps pass 16 within the next five.
        await asyncio.sleep(25)
        first = stand.hub.in_flight_max
        await asyncio.sleep(0.1)
        stand.hub.in_flight_max = 0
        await asyncio.sleep(20)
        seen.extend((first, stand.hub.in_flight_max))

    def told(event: Event) -> None:
        if 200 in stand.statuses and isinstance(event, Loading):
            again.append(event.reason)

    watching = asyncio.create_task(watch())
    replies = await asyncio.gather(
        *(stand.model.chat("a", on_event=told) for _ in range(CALLERS))
    )
    await watching
    assert len(replies) == CALLERS
    refused = stand.statuses[stand.statuses.index(200) :]
    count = refused.count(busy.status)
    figure(f"{count} of {len(refused)} refused after it was ready")
    assert count < 0.03 * len(refused)
    assert seen[0] <= 32
    assert seen[1] <= 17
    assert "loading" not in again
    stand.settled()


@virtual_time
async def test_calls_go_in_the_order_in_which_they_came() -> None:
    """Also those that were sent back: after loading, 0 goes first, then 1, then 2."""
    stand = bench(Behaviour(cold_for=20, delay=0.5))
    await asyncio.gather(*herd(stand))
    good = [record for record in stand.hub.records if record.status == 200]
    order = [int(last_words(record.request).split()[-1]) for record in good]
    assert order == sorted(order)
    stand.settled()


@virtual_time
async def test_one_model_s_herd_does_not_starve_the_others() -> None:
    """5,000 calls of one model wait; one of each of 20 others is served at once."""
    hub = FakeHub(default=Behaviour(delay=1))
    runtime = Runtime(connect=MemoryConnect(hub), jitter=random.Random(0).random)
    crowd = of(runtime, "org/busy")
    tasks = [
        asyncio.create_task(crowd.chat("a", timeout=FOREVER)) for _ in range(5_000)
    ]
    await asyncio.sleep(5)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(of(runtime, f"org/n{n}").chat("b") for n in range(20)))
    # At least four of eight permits go to others: 20 calls are five rounds at most.
    assert loop.time() - began <= 6
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert runtime.counters().permits == 0
    await runtime.aclose()


def of(runtime: Runtime, name: str, *, limit: int | None = None) -> HuggingFaceModel:
    return open_model(
        name,
        api_key="hf_test_key",
        runtime=runtime,
        env={},
        request_options=RequestOptions(max_concurrency=limit),
    )


@virtual_time
async def test_many_models_that_load_at_once_cost_no_more_each(
    monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """A model is asked a few times whether it can use a permit, however many load."""
    asked = 0
    grant_one = ModelQueue.grant_one

    def counted(queue: ModelQueue) -> bool:
        nonlocal asked
        asked += 1
        return grant_one(queue)

    monkeypatch.setattr(ModelQueue, "grant_one", counted)
    models = 300
    hub = FakeHub(default=Behaviour(cold_for=20))
    runtime = Runtime(connect=MemoryConnect(hub), jitter=random.Random(0).random)
    await asyncio.gather(*(of(runtime, f"org/n{n}").chat("a") for n in range(models)))
    figure(f"{asked / models:.1f} questions a model")
    assert asked < 20 * models
    await runtime.aclose()


@pytest.mark.parametrize("order", [(None, 2), (2, None), (2, 5), (5, 2)])
@virtual_time
async def test_an_entry_s_own_limit_holds_whoever_is_asked_first(
    order: tuple[int | None, int | None],
) -> None:
    """Entries that share permits: what one says counts, of several the smallest."""
    hub = FakeHub(default=Behaviour(delay=1))
    runtime = Runtime(connect=MemoryConnect(hub), jitter=random.Random(0).random)
    models = [of(runtime, f"org/n{n}", limit=limit) for n, limit in enumerate(order)]
    await asyncio.gather(*(model.chat("first") for model in models))
    hub.in_flight_max = 0
    await asyncio.gather(*(model.chat("a") for model in models for _ in range(20)))
    assert hub.in_flight_max == 2
    await runtime.aclose()
