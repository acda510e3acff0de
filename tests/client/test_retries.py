"""Failures that pass: tried again within bounds, never after something arrived."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from attrs import evolve
from client.harness import Bench, bench

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConnectionLost,
    DeadlineExceeded,
    FirstByteTimeout,
    ModelLoading,
    NoDataTimeout,
    QuotaExhausted,
    RateLimited,
    ServerError,
    StreamInterrupted,
)
from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream, event
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import (
    overloaded,
    quota_exhausted,
    rate_limited,
    string_error,
)
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Event, Loading, Text

FAILED = string_error(500, "went wrong")
DROPPED = FakeReply(dropped=True)


async def collect(stand: Bench, seen: list[Event]) -> None:
    async with stand.model.chat("a b c") as events:
        async for item in events:
            seen.append(item)  # noqa: PERF401 - what came must be kept on failure


@pytest.mark.parametrize("failure", [FAILED, DROPPED, overloaded(), rate_limited()])
@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_two_failures_and_then_an_answer(
    failure: FakeReply, streamed: bool
) -> None:
    """The third attempt answers; the caller sees one answer."""
    stand = bench(Behaviour(replies=[failure, failure]))
    if streamed:
        seen: list[Event] = []
        await collect(stand, seen)
        assert isinstance(seen[-1], Done)
    else:
        assert (await stand.model.chat("a")).text
    assert len(stand.hub.records) == 3
    stand.settled()


@virtual_time
async def test_the_attempts_are_counted_at_the_server() -> None:
    """Always 500: three requests, or as many as maxAttempts says."""
    for attempts in (None, 1, 5):
        options = RequestOptions(max_attempts=attempts)
        stand = bench(Behaviour(always=FAILED), request_options=options)
        with pytest.raises(ServerError):
            await stand.model.chat("a")
        assert len(stand.hub.records) == (attempts or 3)
        stand.settled()


@pytest.mark.measured
@virtual_time
async def test_an_outage_costs_35_requests_more_and_then_fails_at_once(
    figure: Callable[[str], None],
) -> None:
    """1,000 callers of a dead server: at most 1,035 requests; then 5 ms a failure."""
    stand = bench(Behaviour(always=FAILED))
    results = await asyncio.gather(
        *(stand.model.chat("a") for _ in range(1_000)), return_exceptions=True
    )
    assert all(isinstance(result, ServerError) for result in results)
    requests = len(stand.hub.records)
    assert requests <= 1_035
    # Its own work, as the machine may be busy with others; nothing is slept any more.
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(200):
        began, at = time.process_time(), loop.time()
        with pytest.raises(ServerError):
            await stand.model.chat("a")
        took.append(time.process_time() - began)
        assert loop.time() == at
    slowest = sorted(took)[-3]  # a collection of garbage is no failure's own
    assert slowest < 0.005
    figure(f"{requests} requests for 1,000 callers, then {slowest * 1e3:.1f} ms each")
    stand.settled()


@virtual_time
async def test_nothing_is_sent_again_after_the_first_event() -> None:
    """Cut after some text: the text, the error, and one request."""
    whole = len(chat_stream(["a", " b", " c"]).content)
    for cut in range(400, whole - 250, 101):
        stand = bench(Behaviour(cut=cut))
        seen: list[Event] = []
        with pytest.raises(StreamInterrupted) as caught:
            await collect(stand, seen)
        text = "".join(item.text for item in seen if isinstance(item, Text))
        assert caught.value.partial == text
        assert len(stand.hub.records) == (1 if text else 3)
        stand.settled()


@virtual_time
async def test_a_stream_cut_before_its_first_event_is_asked_again() -> None:
    """Nothing was delivered, so nothing can be repeated."""
    short = chat_stream(["x"]).cut_after(10)
    stand = bench(Behaviour(replies=[short]))
    seen: list[Event] = []
    await collect(stand, seen)
    assert isinstance(seen[-1], Done)
    assert len(stand.hub.records) == 2


@virtual_time
async def test_a_sleeping_call_holds_no_permit() -> None:
    """With one permit, the second call is answered while the first one rests."""
    options = RequestOptions(max_concurrency=1)
    stand = bench(Behaviour(replies=[FAILED]), request_options=options, seed=5)
    loop = asyncio.get_running_loop()
    first = asyncio.create_task(stand.model.chat("first"))
    await asyncio.sleep(0.01)
    began = loop.time()
    assert (await stand.model.chat("second")).text
    assert loop.time() == began
    assert (await first).text
    stand.settled()


@virtual_time
async def test_a_429_with_a_time_quiets_the_whole_origin() -> None:
    """One refusal with Retry-After: 10 holds the siblings, which spend no attempts."""
    stand = bench(Behaviour(replies=[rate_limited(retry_after=10)], delay=0.01))
    loop = asyncio.get_running_loop()
    began = loop.time()
    first = asyncio.create_task(stand.model.chat("a"))
    await asyncio.sleep(0.1)
    await asyncio.gather(first, *(stand.model.chat("b") for _ in range(50)))
    assert stand.statuses.count(429) == 1
    later = [record.started - began for record in stand.hub.records[1:]]
    assert min(later) >= 10
    stand.settled()


@pytest.mark.parametrize("limit", [2, 8, 32])
@virtual_time
async def test_a_thousand_sleepers_wake_in_steps(
    limit: int, figure: Callable[[str], None]
) -> None:
    """At most the limit wake in any 100 ms after one reset."""
    options = RequestOptions(max_concurrency=limit)
    held = Behaviour(replies=[rate_limited(retry_after=30)])
    stand = bench(held, request_options=options)
    calls = [asyncio.create_task(stand.model.chat("a")) for _ in range(1_000)]
    await asyncio.gather(*calls)
    starts = sorted(record.started for record in stand.hub.records[limit:])
    busiest = max(
        sum(1 for other in starts[n : n + 200] if other - start < 0.1)
        for n, start in enumerate(starts)
    )
    figure(f"at most {busiest} of 1,000 woke in any 100 ms")
    assert busiest <= limit
    stand.settled()


@virtual_time
async def test_a_long_hint_is_the_callers_to_wait() -> None:
    """Beyond 120 s: raised at once, with the time."""
    stand = bench(Behaviour(always=rate_limited(retry_after=3_600)))
    with pytest.raises(RateLimited) as caught:
        await stand.model.chat("a")
    assert caught.value.retry_after == 3_600
    assert len(stand.hub.records) == 1


@virtual_time
async def test_used_up_credits_are_not_asked_for_again() -> None:
    """One 402; for a minute every further call fails without a request."""
    stand = bench(Behaviour(replies=[quota_exhausted()]))
    for _ in range(100):
        with pytest.raises(QuotaExhausted):
            await stand.model.chat("a")
    assert len(stand.hub.records) == 1
    await asyncio.sleep(61)
    assert (await stand.model.chat("a")).text
    stand.settled()


@virtual_time
async def test_a_call_that_may_not_wait_says_what_it_would_wait_for() -> None:
    """wait=False: loading and rate limits are errors at once, also for followers."""
    stand = bench(Behaviour(cold_for=20))
    with pytest.raises(ModelLoading) as caught:
        await stand.model.chat("a", wait=False)
    assert caught.value.estimate == pytest.approx(20)
    with pytest.raises(ModelLoading):
        await stand.model.chat("a", wait=False)
    stand = bench(Behaviour(always=rate_limited(retry_after=5)))
    with pytest.raises(RateLimited):
        await stand.model.chat("a", wait=False)
    assert len(stand.hub.records) == 1
    stand = bench(Behaviour(replies=[rate_limited(retry_after=5)]))
    held = asyncio.create_task(stand.model.chat("a"))
    await asyncio.sleep(0.1)
    with pytest.raises(RateLimited) as limited:
        await stand.model.chat("b", wait=False)
    assert 0 < (limited.value.retry_after or 0) < 6
    assert (await held).text
    stand.settled()


@virtual_time
async def test_a_call_that_tries_again_is_not_refused_its_place() -> None:
    """A queue that filled up meanwhile turns new calls away, not this one."""
    options = RequestOptions(max_concurrency=1, max_queue=1)
    stand = bench(
        Behaviour(replies=[FAILED], delay=30), request_options=options, seed=5
    )
    first = asyncio.create_task(stand.model.chat("first"))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(stand.model.chat("b")) for _ in range(2)]
    assert (await first).text
    await asyncio.gather(*others)
    stand.settled()


@virtual_time
async def test_each_kind_of_waiting_is_told_apart() -> None:
    """queued, rate limited, retrying, loading, waking: the reason of Loading."""
    reasons: list[str] = []

    def told(item: Event) -> None:
        if isinstance(item, Loading):
            reasons.append(item.reason)

    options = RequestOptions(max_concurrency=1)
    stand = bench(Behaviour(delay=1), request_options=options)
    await asyncio.gather(stand.model.chat("a"), stand.model.chat("b", on_event=told))
    stand = bench(Behaviour(replies=[rate_limited(retry_after=5)]))
    await stand.model.chat("a", on_event=told)
    stand = bench(Behaviour(replies=[FAILED]), seed=3)
    await stand.model.chat("a", on_event=told)
    stand = bench(Behaviour(cold_for=2))
    await stand.model.chat("a", on_event=told)
    stand = bench(Behaviour(cold_for=2), base="https://x.endpoints.huggingface.cloud")
    await stand.model.chat("a", on_event=told)
    known = [reason for reason, _ in itertools.groupby(reasons)]
    assert known == ["queued", "rate limited", "retrying", "loading", "waking"]


def pings(_request: FakeRequest) -> FakeReply:
    pieces = [event({"choices": [{"index": 0, "delta": {"content": "a"}}]})]
    return FakeReply(
        200,
        {"content-type": "text/event-stream"},
        [*pieces, *[b": ping\n\n"] * 100],
        gap=15,
        ending="chunked",
    )


async def ping(request: FakeRequest) -> FakeReply:
    return pings(request)


@virtual_time
async def test_pings_alone_are_no_answer() -> None:
    """Keep-alives every 15 s reset the idle time and not the no-data time: 300 s."""
    stand = bench(Behaviour(always=ping))
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen: list[Event] = []
    with pytest.raises(NoDataTimeout) as caught:
        await collect(stand, seen)
    assert loop.time() - began == pytest.approx(300, abs=16)
    assert caught.value.partial == "a"
    stand.settled()


@virtual_time
async def test_an_answer_that_does_not_begin_has_a_time_of_its_own() -> None:
    """firstByteTimeout, where it is set, is an error of its own."""
    options = RequestOptions(first_byte_timeout=5)
    stand = bench(Behaviour(delay=30), request_options=options)
    with pytest.raises(FirstByteTimeout):
        await stand.model.chat("a")
    stand.settled()


@virtual_time
async def test_a_wait_that_ends_after_the_call_is_not_begun() -> None:
    """Retry-After: 50 with 20 s left: the refusal, at once."""
    stand = bench(Behaviour(always=rate_limited(retry_after=50)))
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(RateLimited):
        await stand.model.chat("a", timeout=20)
    assert loop.time() - began < 0.1
    stand.settled()


@pytest.mark.parametrize("seed", range(20))
@virtual_time
async def test_no_call_outlives_its_deadline(seed: int) -> None:
    """500 random schedules of failures, waits and silence: never late."""
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()

    def schedule() -> Sequence[FakeReply]:
        kinds = [
            FAILED,
            DROPPED,
            rate_limited(retry_after=chance.choice([1, 5, 60])),
            overloaded(),
            evolve(chat_reply("fine"), delay=chance.uniform(0, 40)),
        ]
        return [chance.choice(kinds) for _ in range(4)]

    for _ in range(25):
        behaviour = Behaviour(
            replies=schedule(),
            cold_for=chance.choice([0, 0, 15, 90]),
            delay=chance.uniform(0, 3),
        )
        stand = bench(behaviour, seed=seed)
        timeout = chance.uniform(1, 60)
        began = loop.time()
        with suppress(ByteBuddyError):
            await stand.model.chat("a", timeout=timeout)
        assert loop.time() - began <= timeout + 1e-6
        stand.settled()


@pytest.mark.parametrize("capacity", [2, 8, 32])
@virtual_time
async def test_the_limit_finds_the_servers_capacity(
    capacity: int, figure: Callable[[str], None]
) -> None:
    """Within a fifth of it after 60 round trips, under 3 % refused after that."""
    behaviour = Behaviour(capacity=capacity, busy_reply=rate_limited(), delay=1)
    options = RequestOptions(max_concurrency=64, max_attempts=50, timeout=100_000)
    stand = bench(behaviour, request_options=options)
    tasks = [
        asyncio.create_task(stand.model.chat("a")) for _ in range(160 * capacity + 100)
    ]
    await asyncio.sleep(60)
    before = len(stand.hub.records)
    samples = []
    for _ in range(100):
        await asyncio.sleep(1)
        samples.append(stand.hub.in_flight)
    mean = sum(samples) / len(samples)
    after = stand.statuses[before:]
    refused = after.count(429) / len(after)
    figure(f"capacity {capacity}: {mean:.1f} in flight, {refused:.1%} refused")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert mean == pytest.approx(capacity, rel=0.2)
    assert refused < 0.03
    stand.settled()


@virtual_time
async def test_a_broken_connection_while_nothing_was_delivered() -> None:
    """The last of three broken connections is what the caller gets."""
    stand = bench(Behaviour(always=DROPPED))
    with pytest.raises(ConnectionLost):
        await stand.model.chat("a")
    assert len(stand.hub.records) == 3


@virtual_time
async def test_the_deadline_counts_across_attempts() -> None:
    """Three slow failures do not get three times the time."""
    slow = evolve(FAILED, delay=4)
    stand = bench(Behaviour(always=slow))
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises((DeadlineExceeded, ServerError)):
        await stand.model.chat("a", timeout=6)
    assert loop.time() - began <= 6
    stand.settled()
