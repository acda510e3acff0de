"""Permits against servers whose capacity changes, and what moves the limit."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from attrs import define, evolve, field
from client.harness import Bench, bench

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ByteBuddyError, ConnectTimeout
from bytebuddy_provider_hf.scheduling.limiter import Limiter
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import overloaded, rate_limited
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

PATIENT = RequestOptions(
    max_concurrency=64, max_attempts=50, timeout=100_000, max_queue=100_000
)


@define
class Server:
    """Answer in a second, or refuse above a capacity that can be changed."""

    capacity: int
    in_flight: int = 0
    seen: Counter[int] = field(factory=Counter)

    async def __call__(self, _request: FakeRequest) -> FakeReply:
        refused = self.in_flight >= self.capacity
        self.seen[429 if refused else 200] += 1
        if refused:
            return rate_limited()
        self.in_flight += 1
        try:
            await asyncio.sleep(1)
        finally:
            self.in_flight -= 1
        return chat_reply("fine")


def limiter_of(stand: Bench) -> Limiter:
    (limiter,) = stand.runtime.state().coordinator._limiters.values()
    return limiter


async def hang_up(tasks: list[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@virtual_time
async def test_the_limit_follows_a_capacity_that_changes(
    figure: Callable[[str], None],
) -> None:
    """2 for a long time, then 32, then 2: found again each time, few refused."""
    server = Server(2)
    stand = bench(Behaviour(always=server), request_options=PATIENT)
    tasks = [asyncio.create_task(stand.model.chat("a")) for _ in range(12_000)]
    for capacity, within in ((2, 300), (32, 200), (2, 60)):
        server.capacity = capacity
        await asyncio.sleep(within)
        server.seen.clear()
        samples = []
        for _ in range(100):
            await asyncio.sleep(1)
            samples.append(server.in_flight)
        mean = sum(samples) / len(samples)
        refused = server.seen[429] / server.seen.total()
        figure(f"capacity {capacity}: {mean:.1f} in flight, {refused:.2%} refused")
        assert mean == pytest.approx(capacity, rel=0.2)
        assert refused < 0.03
    await hang_up(tasks)
    stand.settled()


@virtual_time
async def test_after_an_outage_the_limit_recovers() -> None:
    """Ten minutes of 429 for everybody; thirty answers later eight may go again."""
    server = Server(0)
    stand = bench(Behaviour(always=server), request_options=PATIENT)
    for _ in range(200):
        with pytest.raises(ByteBuddyError):
            await stand.model.chat("a", timeout=3)
    assert limiter_of(stand).limit == 1
    server.capacity = 64
    tasks = [asyncio.create_task(stand.model.chat("a")) for _ in range(200)]
    await asyncio.sleep(12)
    assert limiter_of(stand).limit >= 8
    await asyncio.gather(*tasks)
    stand.settled()


SLOW = evolve(chat_reply("late"), delay=30)


@pytest.mark.parametrize(
    "reply",
    [rate_limited(), overloaded(), FakeReply(503), FakeReply(502), FakeReply(504)],
    ids=["429", "overloaded", "503", "502", "504"],
)
@virtual_time
async def test_what_tells_of_too_much_lowers_the_limit(reply: FakeReply) -> None:
    """0.7 of eight, once for one round trip."""
    limits: list[int] = []

    async def then(_request: FakeRequest) -> FakeReply:
        limits.append(limiter_of(stand).limit)
        return chat_reply("fine")

    stand = bench(Behaviour(replies=[evolve(reply, delay=0.1)] * 8, always=then))
    await asyncio.gather(*(stand.model.chat("a") for _ in range(8)))
    assert limits[0] == 5
    stand.settled()


@virtual_time
async def test_timeouts_lower_the_limit() -> None:
    """No connection in time, or no first byte: too much for that server."""
    options = RequestOptions(first_byte_timeout=5, max_attempts=2)
    stand = bench(Behaviour(replies=[SLOW] * 8), request_options=options)
    tasks = [stand.model.chat("a") for _ in range(8)]
    await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter_of(stand).limit == 5

    async def unreachable(_request: FakeRequest) -> FakeReply:
        message = "No connection within 10 s."
        raise ConnectTimeout(message)

    stand = bench(Behaviour(replies=[unreachable]))
    assert (await stand.model.chat("a")).text
    assert limiter_of(stand).limit == 5
    stand.settled()


@virtual_time
async def test_a_caller_s_own_deadline_does_not_lower_the_limit() -> None:
    """It tells of the caller's patience and not of the server."""
    stand = bench(Behaviour(replies=[SLOW] * 8))
    tasks = [stand.model.chat("a", timeout=2) for _ in range(8)]
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, ByteBuddyError) for end in ends)
    assert limiter_of(stand).limit == 8
    stand.settled()


@virtual_time
async def test_latency_never_lowers_the_limit() -> None:
    """Answers of very different length, up to minutes: it only grows."""
    chance = random.Random(1)

    async def of_any_length(_request: FakeRequest) -> FakeReply:
        return evolve(chat_reply("long"), delay=chance.lognormvariate(1, 2))

    stand = bench(Behaviour(always=of_any_length), request_options=PATIENT)
    tasks = [asyncio.create_task(stand.model.chat("a")) for _ in range(1_500)]
    limits = []
    while not all(task.done() for task in tasks):
        await asyncio.sleep(1)
        limits.append(limiter_of(stand).limit)
    assert limits == sorted(limits)
    assert limits[-1] == 64
    stand.settled()


@pytest.mark.parametrize("status", [400, 404, 422, 500])
@virtual_time
async def test_a_failure_is_no_success(status: int) -> None:
    """A server that fails at once is not asked by more and more."""
    options = evolve(PATIENT, max_attempts=1, max_concurrency=None)
    stand = bench(Behaviour(always=FakeReply(status)), request_options=options)
    tasks = [stand.model.chat("a") for _ in range(500)]
    await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter_of(stand).limit == 8
    stand.settled()


@pytest.mark.parametrize("limit", [1, 3, 8, 17])
@virtual_time
async def test_in_flight_is_never_above_the_limit(limit: int) -> None:
    """Counted at the server, at each of its answers, against the limit then."""
    options = evolve(PATIENT, max_concurrency=limit)
    stand = bench(request_options=options)
    server = Server(limit)
    above: list[int] = []

    async def watch(request: FakeRequest) -> FakeReply:
        if server.in_flight + 1 > limiter_of(stand).limit:
            above.append(server.in_flight)
        return await server(request)

    stand.hub.set("org/name", Behaviour(always=watch))
    await asyncio.gather(*(stand.model.chat("a") for _ in range(1_000)))
    assert above == []
    assert server.seen[429] == 0
    stand.settled()


@virtual_time
async def test_no_two_steps_of_waking_lie_within_one() -> None:
    """Any 100 ms have at most the limit, wherever they begin."""
    loop = asyncio.get_running_loop()
    limiter = Limiter(loop=loop, max_concurrency=8, max_queue=10)
    woken: list[float] = []
    # A few at the beginning of a step, the others at its end.
    for pause, asked in ((0.0, 4), (0.09, 8), (0.02, 8), (0.09, 8), (0.02, 8)):
        await asyncio.sleep(pause)
        woken += [loop.time() for _ in range(asked) if limiter.may_wake()]
    for at in woken:
        assert sum(at <= other < at + 0.1 for other in woken) <= 8
    assert len(woken) > 16
    limiter.close()
