"""Permits where nothing is refused, and after one refusal: nobody waits in vain."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from attrs import define, evolve, field
from client.harness import Bench, bench
from rounds import LONG, rounds

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ConnectionRefused,
    ServerOverloaded,
)
from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import asleep, loading, rate_limited
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run, virtual_time
from bytebuddy_provider_hf.types import Event, Loading, Text

LOCAL = "http://127.0.0.1:8080/v1"
ENDPOINT = "https://x.endpoints.huggingface.cloud/v1"
ROUND_TRIP = 0.05
SEEDS = rounds(10, long=200)
HERD = 200


async def first_token(stand: Bench) -> tuple[float, float]:
    """Return when the first text came, and when the stream ended."""
    loop = asyncio.get_running_loop()
    first = 0.0
    async with stand.model.chat("a") as events:
        async for event in events:
            if isinstance(event, Text) and not first:
                first = loop.time()
    return first, loop.time()


def streams(seconds: float) -> Behaviour:
    """Answer after one round trip with a text that takes ``seconds``."""
    pieces = [f"{n} " for n in range(10)]

    async def stream(_request: FakeRequest) -> FakeReply:
        return evolve(chat_stream(pieces), delay=ROUND_TRIP, gap=seconds / 10)

    return Behaviour(always=stream)


@pytest.mark.parametrize("seconds", [3.0, 10.0])
@pytest.mark.parametrize(("callers", "limit"), [(32, None), (64, 64)])
@pytest.mark.parametrize("base", [None, LOCAL])
@virtual_time
async def test_long_streams_do_not_wait_for_each_other(
    seconds: float,
    callers: int,
    limit: int | None,
    base: str | None,
    figure: Callable[[str], None],
) -> None:
    """A server that refuses nothing: the last first token within 3 round trips.

    On this machine within one and a tenth of a second.
    """
    allowed = 3 * ROUND_TRIP if base is None else ROUND_TRIP + 0.1
    options = RequestOptions(max_concurrency=limit)
    stand = bench(streams(seconds), base=base, request_options=options)
    loop = asyncio.get_running_loop()
    began = loop.time()
    _, end = await first_token(stand)
    alone = end - began
    stand = bench(streams(seconds), base=base, request_options=options)
    began = loop.time()
    times = await asyncio.gather(*(first_token(stand) for _ in range(callers)))
    last = max(first for first, _ in times) - began - seconds / 10
    total = max(end for _, end in times) - began
    figure(f"last first token after {last:.2f} s, all of it in {total / alone:.2f}")
    assert last <= allowed + 1e-6
    assert total <= 1.05 * alone
    stand.settled()


@virtual_time
async def test_beyond_the_limit_they_go_in_waves() -> None:
    """64 callers of streams of 3 s with a limit of 32: exactly two waves."""
    stand = bench(streams(3.0))
    began = asyncio.get_running_loop().time()
    times = await asyncio.gather(*(first_token(stand) for _ in range(64)))
    assert stand.hub.in_flight_max == 32
    firsts = sorted(first - began for first, _ in times)
    ends = sorted(end - began for _, end in times)
    assert firsts[31] < ends[0] < firsts[32]
    assert ends[-1] <= 2 * ends[0] + 4 * ROUND_TRIP
    stand.settled()


@define
class Refusing:
    """Answer after ``seconds``, but refuse one answer and name a time."""

    refused_answer: int
    seconds: float
    hint: float = 1.0
    answers: int = field(default=0)
    starts: list[float] = field(factory=list)

    async def __call__(self, _request: FakeRequest) -> FakeReply:
        self.starts.append(asyncio.get_running_loop().time())
        self.answers += 1
        await asyncio.sleep(self.seconds)
        if self.answers >= self.refused_answer > 0:
            self.refused_answer = 0
            return rate_limited(retry_after=int(self.hint))
        return chat_reply("fine")


async def _throughput(server: Refusing, limit: int | None, calls: int) -> float:
    options = RequestOptions(max_concurrency=limit)
    stand = bench(Behaviour(always=server), request_options=options)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(stand.model.chat("a") for _ in range(calls)))
    stand.settled()
    return loop.time() - began


@pytest.mark.parametrize("limit", [None, 32])
@pytest.mark.parametrize(
    "seconds", [0.002, 0.02, 0.05, 0.15] if LONG else [0.002, 0.15]
)
@virtual_time
async def test_one_429_with_a_time_costs_no_more_than_that_time(
    seconds: float, limit: int | None, figure: Callable[[str], None]
) -> None:
    """Calls with one refusal: 90 % of the throughput without, the hint aside."""
    calls = rounds(600, long=1_000)
    undisturbed = await _throughput(Refusing(0, seconds), limit, calls)
    for refused in (1, 5, 20, 100, 500) if LONG else (1, 20, 500):
        disturbed = await _throughput(Refusing(refused, seconds), limit, calls)
        share = undisturbed / (disturbed - 1.0)
        figure(f"{share:.0%} of {calls / undisturbed:,.0f} a second, the {refused}th")
        assert share >= 0.9


@virtual_time
async def test_sleepers_of_a_short_hint_wake_in_steps() -> None:
    """Those who were refused themselves, at most the limit of them in any 100 ms."""
    woken: list[float] = []
    refused: set[str] = set()

    async def server(request: FakeRequest) -> FakeReply:
        asked = str(request.value("messages"))
        if asked in refused:
            woken.append(asyncio.get_running_loop().time())
            return chat_reply("fine")
        if len(refused) < 64:
            refused.add(asked)
            await asyncio.sleep(0.01)
            return rate_limited(retry_after=2)
        return chat_reply("fine")

    options = RequestOptions(max_concurrency=64)
    stand = bench(Behaviour(always=server), base=LOCAL, request_options=options)
    tasks = [asyncio.create_task(stand.model.chat(f"q{n}")) for n in range(200)]
    await asyncio.sleep(1)
    limiter = next(iter(stand.runtime.state().coordinator._limiters.values()))
    limiter._slow_start, limiter._limit = None, 10  # as after a later refusal
    await asyncio.gather(*tasks)
    assert len(woken) == 64
    woken.sort()
    for n, start in enumerate(woken):
        assert sum(1 for other in woken[n:] if other - start < 0.1) <= limiter.limit
    stand.settled()


@virtual_time
async def test_a_hint_of_a_tenth_quiets_for_a_tenth() -> None:
    """One call is told 0.1 s: the others go on after that, not after a second."""
    refusal = rate_limited().with_headers({"retry-after-ms": "100"})
    stand = bench(Behaviour(replies=[refusal], delay=0.01))
    loop = asyncio.get_running_loop()
    first = asyncio.create_task(stand.model.chat("a"))
    await asyncio.sleep(0.05)
    began = loop.time()
    await stand.model.chat("b")
    assert loop.time() - began < 0.15
    assert (await first).text
    stand.settled()


@pytest.mark.parametrize("status", [429, 500, 503])
@virtual_time
async def test_after_a_storm_the_limit_is_back_within_seconds(
    status: int, figure: Callable[[str], None]
) -> None:
    """20 calls told to wait 2 s, then 400 with 20 % faults: a second more, at most."""
    took = []
    for storm in (0, 20):
        count = 0

        async def server(_request: FakeRequest) -> FakeReply:
            nonlocal count
            count += 1
            await asyncio.sleep(0.05)
            return FakeReply(status) if count % 5 == 0 else chat_reply("fine")

        told = [rate_limited(retry_after=2)] * min(8, storm)
        options = RequestOptions(max_attempts=10)
        stand = bench(Behaviour(replies=told, always=server), request_options=options)
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(stand.model.chat("a") for _ in range(storm)))
        began, count = loop.time(), 0
        # Some fail: the budget for retries is smaller than so many faults.
        ends = await asyncio.gather(
            *(stand.model.chat("a") for _ in range(400)), return_exceptions=True
        )
        took.append(loop.time() - began)
        assert sum(isinstance(end, Exception) for end in ends) < 0.1 * len(ends)
        stand.settled()
    figure(f"400 calls: {took[0]:.1f} s, after the storm {took[1]:.1f} s")
    assert took[1] <= took[0] + 1


def a_busy_endpoint(capacity: int) -> Behaviour:
    return Behaviour(capacity=capacity, busy_reply=asleep(), delay=0.5)


@virtual_time
async def test_a_busy_endpoint_is_not_told_as_asleep(
    figure: Callable[[str], None],
) -> None:
    """Its own router sheds load with the 503 that also means asleep."""
    stand = bench(a_busy_endpoint(4), base=ENDPOINT)
    reasons: set[str] = set()

    def told(event: Event) -> None:
        if isinstance(event, Loading):
            reasons.add(event.reason)

    await stand.model.chat("a")
    began = asyncio.get_running_loop().time()
    replies = await asyncio.gather(
        *(stand.model.chat("a", on_event=told) for _ in range(300))
    )
    took = asyncio.get_running_loop().time() - began
    assert len(replies) == 300
    assert reasons <= {"queued", "retrying"}
    shed = stand.statuses.count(503)
    figure(f"{shed} of {len(stand.statuses)} shed, {took / (300 * 0.5 / 4):.2f} times")
    assert shed < 0.1 * len(stand.statuses)
    assert took < 1.5 * 300 * 0.5 / 4
    stand.settled()


@virtual_time
async def test_a_busy_endpoint_is_an_overload_for_who_does_not_wait() -> None:
    """wait=False, and a deadline: the error says busy, with its exit code."""
    stand = bench(a_busy_endpoint(1), base=ENDPOINT)
    await stand.model.chat("a")
    slow = asyncio.create_task(stand.model.chat("long"))
    await asyncio.sleep(0)
    with pytest.raises(ServerOverloaded) as caught:
        await stand.model.chat("b", wait=False)
    assert "busy" in str(caught.value)
    assert (await slow).text
    stand.settled()


@virtual_time
async def test_an_endpoint_whose_last_answer_is_a_minute_old_is_asleep() -> None:
    """It backs off as for an overload, loses no retry, and is then waited for."""
    stand = bench(Behaviour(delay=0.1), base=ENDPOINT)
    await stand.model.chat("a")
    loop = asyncio.get_running_loop()
    began = loop.time()
    stand.hub.set(
        "org/name",
        Behaviour(cold_for=150, cold_reply=lambda _model, _left: asleep()),
    )
    seen: list[tuple[float, str]] = []

    def told(event: Event) -> None:
        if isinstance(event, Loading):
            seen.append((loop.time() - began, event.reason))

    assert (await stand.model.chat("b", on_event=told)).text
    waking = [at for at, reason in seen if reason == "waking"]
    assert min(waking) >= 59.0
    assert {reason for at, reason in seen if at < 59} <= {"retrying", "queued"}
    stand.settled()


@virtual_time
async def test_a_local_server_that_died_is_waited_for_once() -> None:
    """30 s from its first refusal for all; whoever asks later fails as usual."""
    dead = False

    async def server(_request: FakeRequest) -> FakeReply:
        if dead:
            message = "Nothing listens at 127.0.0.1:8080."
            raise ConnectionRefused(message)
        return chat_reply("fine")

    stand = bench(Behaviour(always=server), base=LOCAL)
    loop = asyncio.get_running_loop()
    await stand.model.chat("a")
    dead = True
    reasons: list[str] = []

    def told(event: Event) -> None:
        if isinstance(event, Loading):
            reasons.append(event.reason)

    began = loop.time()
    first = asyncio.create_task(stand.model.chat("b", on_event=told))
    await asyncio.sleep(20)
    late = asyncio.create_task(stand.model.chat("c"))
    with pytest.raises(ConnectionRefused) as caught:
        await first
    assert 30 <= loop.time() - began <= 33
    assert reasons[0] == "starting"
    assert "perhaps it is restarting" in str(caught.value)
    with pytest.raises(ConnectionRefused):
        await late
    assert loop.time() - began <= 33
    for _ in range(3):
        began = loop.time()
        with pytest.raises(ConnectionRefused):
            await stand.model.chat("d")
        assert loop.time() - began <= 4
    dead = False
    assert (await stand.model.chat("e")).text
    stand.settled()


def test_a_herd_has_one_cold_start(figure: Callable[[str], None]) -> None:
    """Whatever a model's capacity, and with any lengths of answers: no second one."""
    refused = requests = 0
    for seed in range(SEEDS):
        ended = run(_cold_herd(seed))
        refused += ended[0]
        requests += ended[1]
    figure(f"{SEEDS} herds: {refused} of {requests} refused after it was ready")
    assert refused < 0.03 * requests


async def _cold_herd(seed: int) -> tuple[int, int]:
    chance = random.Random(seed)
    capacity = chance.choice([4, 8, 16, 24])
    busy = loading(None, model="org/name")
    in_flight = 0

    async def server(_request: FakeRequest) -> FakeReply:
        nonlocal in_flight
        if in_flight >= capacity:
            return busy
        in_flight += 1
        await asyncio.sleep(chance.uniform(0.05, 3))
        in_flight -= 1
        return chat_reply("fine")

    stand = bench(Behaviour(cold_for=20, always=server), seed=seed)
    again: list[float] = []
    loop = asyncio.get_running_loop()

    def told(event: Event) -> None:
        if 200 in stand.statuses and getattr(event, "reason", "") == "loading":
            again.append(loop.time())

    await asyncio.gather(*(stand.model.chat("a", on_event=told) for _ in range(HERD)))
    stand.settled()
    assert not again, seed
    later = stand.statuses[stand.statuses.index(200) :]
    return later.count(503), len(later)


@virtual_time
async def test_a_faulty_server_is_no_reason_to_shrink() -> None:
    """A 500 tells of a fault and not of too much."""
    stand = bench(Behaviour(replies=[FakeReply(500)] * 3))
    await asyncio.gather(*(stand.model.chat("a") for _ in range(8)))
    limiter = next(iter(stand.runtime.state().coordinator._limiters.values()))
    assert limiter.limit > 8
    stand.settled()
