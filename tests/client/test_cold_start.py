"""A herd before a model that is not ready: one probe at a time, nobody lost."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable

import pytest
from attrs import evolve
from client.harness import Bench, bench
from rounds import rounds

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ColdStartTimeout, ModelLoading
from bytebuddy_provider_hf.testing.behaviour import (
    Behaviour,
    last_words,
    loads,
    sleeps,
)
from bytebuddy_provider_hf.testing.failures import constant, countdown, loading, omitted
from bytebuddy_provider_hf.testing.hub import Record
from bytebuddy_provider_hf.testing.script import FakeReply
from bytebuddy_provider_hf.testing.virtual_time import run, virtual_time
from bytebuddy_provider_hf.types import Done, Loading, Text

CALLERS = 1_000
LIMIT = 8
CANCELLING = rounds(CALLERS // 5, long=CALLERS)
HERDS = rounds(20, long=200)
AT_A_TIME = 20


async def ask(stand: Bench, number: int) -> str:
    reply = await stand.model.chat(f"question {number}")
    return reply.text


@pytest.mark.parametrize(
    "estimate", [constant(), countdown], ids=["constant", "counting down"]
)
@virtual_time
async def test_a_thousand_callers_of_a_cold_model_all_get_their_reply(
    estimate: object, figure: Callable[[str], None]
) -> None:
    """20 s cold: 1,000 replies for at most 1,000 + limit + 6 requests."""
    stand = bench(Behaviour(cold_for=20, cold_reply=loads(estimate)))
    texts = await asyncio.gather(*(ask(stand, n) for n in range(CALLERS)))
    assert all(f"question {n}" in text for n, text in enumerate(texts))
    requests = len(stand.hub.records)
    figure(f"{requests} requests for {CALLERS} replies, at most {CALLERS + LIMIT + 6}")
    assert requests <= CALLERS + LIMIT + 6
    stand.settled()


@pytest.mark.parametrize(
    "estimate", [constant(), countdown], ids=["constant", "counting down"]
)
@virtual_time
async def test_when_the_first_hundred_leave_the_others_finish(
    estimate: object, figure: Callable[[str], None]
) -> None:
    """The probes are nobody's own: 100 cancelled callers take nothing with them."""
    stand = bench(Behaviour(cold_for=20, cold_reply=loads(estimate)))
    tasks = [asyncio.create_task(ask(stand, n)) for n in range(CALLERS)]
    await asyncio.sleep(5)
    for task in tasks[:100]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(r, asyncio.CancelledError) for r in results[:100])
    assert all(isinstance(r, str) for r in results[100:])
    requests = len(stand.hub.records)
    figure(f"{requests} requests for 900 replies after 100 left")
    assert requests <= CALLERS - 100 + LIMIT + 6
    stand.settled()


@pytest.mark.parametrize(("seconds", "looks"), [(20, 6), (120, 17), (300, 34)])
@virtual_time
async def test_probes_of_a_cold_model_are_few(
    seconds: int, looks: int, figure: Callable[[str], None]
) -> None:
    """1,000 waiters, limit 8: while it is cold at most limit + 6, + 17, + 34."""
    options = RequestOptions(cold_start_timeout=400)
    stand = bench(
        Behaviour(cold_for=seconds, cold_reply=loads(constant())),
        request_options=options,
    )
    texts = await asyncio.gather(*(ask(stand, n) for n in range(CALLERS)))
    cold = stand.statuses.count(503)
    figure(f"{cold} requests while cold for {seconds} s, at most {LIMIT + looks}")
    assert len(texts) == CALLERS
    assert cold <= LIMIT + looks
    stand.settled()


@pytest.mark.parametrize("start", range(0, HERDS, AT_A_TIME))
def test_no_caller_is_stuck_whoever_is_cancelled_when(
    start: int, figure: Callable[[str], None]
) -> None:
    """A tenth cancelled at random, and whoever probes: one probe for each."""
    seeds = range(start, start + AT_A_TIME)
    looked = sum(run(_with_cancels(seed)) for seed in seeds)
    figure(
        f"{AT_A_TIME} herds of {CANCELLING}, {looked} cancelled while they looked, "
        "none stuck"
    )


async def _with_cancels(seed: int) -> int:
    stand = bench(Behaviour(cold_for=20, cold_reply=slowly_cold), seed=seed)
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(ask(stand, n)) for n in range(CANCELLING)]
    for task in chance.sample(tasks, CANCELLING // 10):
        loop.call_later(chance.uniform(0, 25), task.cancel)
    took_over = 0
    await asyncio.sleep(0.7)  # the first eight have their 503
    for _ in range(50):
        await asyncio.sleep(0.4)
        for record in stand.hub.records[LIMIT:]:
            if record.status == 503 and record.ended is None:
                took_over += tasks[asked(record)].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert took_over > 10
    assert {type(result) for result in results} <= {str, asyncio.CancelledError}
    assert stand.statuses.count(503) <= LIMIT + 6 + took_over
    stand.settled()
    return took_over


def slowly_cold(model: str, left: float) -> FakeReply:
    return evolve(loads(constant())(model, left), delay=0.5)


def asked(record: Record) -> int:
    return int(last_words(record.request).split()[-1])


@virtual_time
async def test_waiting_is_told_to_streams_and_to_callbacks() -> None:
    """Loading events come with elapsed time, estimate, and how many wait."""
    stand = bench(Behaviour(cold_for=20))
    told: list[object] = []
    reply, events = await asyncio.gather(
        stand.model.chat("a", on_event=told.append), collect(stand)
    )
    assert reply.text
    loading = [event for event in events if isinstance(event, Loading)]
    assert len(loading) >= 2
    assert loading[-1].elapsed > loading[0].elapsed
    assert loading[0].waiters == 2
    assert 15 < (loading[0].estimate or 0) <= 20
    assert isinstance(events[-1], Done)
    assert any(isinstance(event, Text) for event in events)
    assert any(isinstance(event, Loading) for event in told)
    stand.settled()


async def collect(stand: Bench) -> list[object]:
    async with stand.model.chat("b") as events:
        return [event async for event in events]


@virtual_time
async def test_a_callback_that_raises_does_not_end_the_call() -> None:
    """A host's callback is its own affair."""

    def broken(_event: object) -> None:
        raise RuntimeError

    stand = bench(Behaviour(cold_for=3))
    assert (await stand.model.chat("a", on_event=broken)).text
    stand.settled()


@virtual_time
async def test_an_estimate_beyond_the_patience_fails_at_once() -> None:
    """1,809 s to load and 300 s to wait: one request, and an error that says so."""
    stand = bench(Behaviour(cold_for=1_809))
    started = asyncio.get_running_loop().time()
    with pytest.raises(ColdStartTimeout, match=r"1,809 s.* 300 s") as caught:
        await stand.model.chat("a")
    assert caught.value.retry_after == pytest.approx(1_809, abs=1)
    assert len(stand.hub.records) == 1
    assert asyncio.get_running_loop().time() - started < 0.1
    stand.settled()


@virtual_time
async def test_a_model_that_never_loads_ends_at_the_patience() -> None:
    """The constant 20.0 for ever: 300 s, at most 41 probes, then a typed error."""
    stand = bench(Behaviour(cold_for=10_000, cold_reply=loads(constant())))
    started = asyncio.get_running_loop().time()
    with pytest.raises(ColdStartTimeout):
        await stand.model.chat("a")
    # The last 20 s are not waited: the estimate exceeds what is left of the wait.
    assert 275 < asyncio.get_running_loop().time() - started <= 301
    assert len(stand.hub.records) <= 41
    stand.settled()


@virtual_time
async def test_the_patience_can_be_set() -> None:
    """requestOptions.coldStartTimeout is the patience."""
    options = RequestOptions(cold_start_timeout=5)
    stand = bench(Behaviour(cold_for=1_000, cold_reply=sleeps), request_options=options)
    stand.hub.set("org/name", Behaviour(cold_for=1_000, cold_reply=loads(omitted)))
    started = asyncio.get_running_loop().time()
    with pytest.raises(ColdStartTimeout):
        await stand.model.chat("a")
    assert asyncio.get_running_loop().time() - started == pytest.approx(5, abs=0.5)
    stand.settled()


@virtual_time
async def test_a_sleeping_endpoint_is_waited_for() -> None:
    """A dedicated endpoint that scaled to zero answers 503 without any estimate."""
    stand = bench(
        Behaviour(cold_for=42, cold_reply=sleeps),
        base="https://x.endpoints.huggingface.cloud",
    )
    assert (await stand.model.chat("a")).text
    assert len(stand.hub.records) <= 12
    stand.settled()


@virtual_time
async def test_a_model_that_falls_asleep_again_is_waited_for_again() -> None:
    """The cold start begins again: cold, warm, cold, each waited out."""
    stand = bench(Behaviour(cold_for=20, sleeps_after=600))
    for _ in range(3):
        await asyncio.gather(*(ask(stand, n) for n in range(50)))
        await asyncio.sleep(1_000)
    cold = [status for status in stand.statuses if status == 503]
    assert 3 <= len(cold) <= 3 * (LIMIT + 6)
    stand.settled()


@virtual_time
async def test_probes_grow_apart_and_stay_within_their_bounds() -> None:
    """First after 1 s, then 1.5 times as long each time, at most 11 s apart."""
    stand = bench(Behaviour(cold_for=120, cold_reply=loads(constant())))
    await stand.model.chat("a")
    times = [record.started for record in stand.hub.records]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] == pytest.approx(1, abs=0.01)
    assert all(later >= earlier * 0.9 for earlier, later in itertools.pairwise(gaps))
    assert max(gaps) <= 11.01
    assert len(times) <= 18


@virtual_time
async def test_a_true_estimate_is_believed() -> None:
    """Counting down from 200 s: the third probe comes when it is over."""
    stand = bench(Behaviour(cold_for=200, cold_reply=loads(countdown)))
    await stand.model.chat("a")
    assert len(stand.hub.records) == 3


@virtual_time
async def test_a_crowd_is_let_go_in_steps() -> None:
    """A server that answers 503 above 16 in flight sees no second cold episode."""
    stand = bench(
        Behaviour(
            cold_for=20,
            capacity=16,
            busy_reply=loading(None, model="org/name"),
            delay=0.5,
        ),
        request_options=RequestOptions(max_concurrency=16),
    )
    await asyncio.gather(*(ask(stand, n) for n in range(CALLERS)))
    first_good = stand.statuses.index(200)
    assert 503 not in stand.statuses[first_good:]
    assert stand.hub.in_flight_max <= 16
    stand.settled()


@virtual_time
async def test_a_caller_that_does_not_want_to_wait_leaves_at_once() -> None:
    """Leaving the block while the model loads gives everything back."""
    stand = bench(Behaviour(cold_for=20))
    async with stand.model.chat("a") as events:
        async for event in events:
            assert isinstance(event, Loading)
            break
    stand.settled()


def test_the_class_of_a_loading_model_carries_its_estimate() -> None:
    """ModelLoading has ``estimate`` and ``asleep`` of its own."""
    error = ModelLoading("x")
    assert (error.estimate, error.asleep) == (None, False)
