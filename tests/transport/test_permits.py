"""The rules by which permits grow and shrink, one answer at a time."""

from __future__ import annotations

import asyncio

from bytebuddy_provider_hf.scheduling.limiter import Limiter
from bytebuddy_provider_hf.testing.virtual_time import virtual_time


def limiter(most: int = 64, first: int = 8) -> Limiter:
    loop = asyncio.get_running_loop()
    return Limiter(loop=loop, max_concurrency=most, max_queue=8, first=first)


def fill(permits: Limiter) -> None:
    """Send as many requests as may be sent."""
    while permits.free:
        permits.take()


def answer(permits: Limiter, count: int) -> None:
    """Have so many whole answers come and as many requests follow."""
    for _ in range(count):
        permits.answered += 1
        permits.on_success()
        permits.give_back(answered=True)
        fill(permits)


def refuse(permits: Limiter, count: int, *, now: float, sent_at: float) -> None:
    """Have so many requests of one burst refused."""
    for _ in range(count):
        permits.on_overload(now=now, sent_at=sent_at)
        permits.give_back(answered=False)


@virtual_time
async def test_each_answer_lets_two_follow() -> None:
    """8, 16, 32, 64 a round trip, and no more than the most."""
    permits = limiter()
    limits = []
    for _ in range(4):
        fill(permits)
        limits.append(permits.limit)
        answer(permits, permits.in_flight)
    assert limits == [8, 16, 32, 64]
    assert permits.limit == 64


@virtual_time
async def test_streams_that_go_on_are_not_counted_as_unanswered() -> None:
    """8 streams began: 16 more requests may leave, though no permit came back."""
    permits = limiter()
    fill(permits)
    for _ in range(8):
        permits.answered += 1
        permits.on_success()
    fill(permits)
    assert permits.in_flight == 8 + 16


@virtual_time
async def test_without_a_crowd_nothing_grows() -> None:
    """Three calls at a time say nothing of a fourth."""
    permits = limiter()
    for _ in range(100):
        permits.take()
        permits.on_success()
        permits.give_back(answered=False)
    assert permits.limit == 8


@virtual_time
async def test_an_entry_s_own_figure_is_believed() -> None:
    """It is where the limit begins, until a server refuses."""
    permits = limiter()
    permits.configure(max_concurrency=40, max_queue=None)
    assert permits.limit == 40
    fill(permits)
    refuse(permits, 1, now=1, sent_at=0)
    permits.configure(max_concurrency=50, max_queue=None)
    assert permits.limit == 28


@virtual_time
async def test_a_burst_tells_how_many_the_server_took() -> None:
    """32 sent, 16 refused: 17 were too many, and 16 may be in flight."""
    permits = limiter(first=32)
    for _ in range(32):
        permits.take()
    refuse(permits, 16, now=1, sent_at=0)
    assert permits.limit == 16
    assert permits.in_flight == 16


@virtual_time
async def test_a_burst_that_was_refused_whole_says_nothing_of_a_capacity() -> None:
    """0.7 of it, once; growth begins anew with the next answer."""
    permits = limiter(first=32)
    for _ in range(32):
        permits.take()
    refuse(permits, 32, now=1, sent_at=0)
    assert permits.limit == 22
    fill(permits)
    answer(permits, 22)
    assert permits.limit == 44


@virtual_time
async def test_it_doubles_back_to_just_below_what_was_refused() -> None:
    """Then one more after a round trip, and then, as that held, on as before."""
    permits = limiter(first=20)
    fill(permits)
    refuse(permits, 1, now=1, sent_at=0)
    assert permits.limit == 14
    fill(permits)
    answer(permits, 5)
    assert permits.limit == 19
    answer(permits, 18)
    assert permits.limit == 19
    answer(permits, 1)
    assert permits.limit == 20
    answer(permits, 20)
    assert permits.limit == 21
    answer(permits, 21)
    assert permits.limit == 42


@virtual_time
async def test_a_capacity_is_tried_ever_less_often() -> None:
    """After 1, 24, 48, 96 and again 96 round trips just below it."""
    permits = limiter(first=10)
    fill(permits)
    refuse(permits, 1, now=0, sent_at=0)
    now, rounds = 0.0, []
    for _ in range(5):
        fill(permits)
        answers = 0
        while permits.limit < 10:
            answer(permits, 1)
            answers += 1
        rounds.append(answers // 9)
        now += 1
        permits.on_overload(now=now, sent_at=now)
        permits.give_back(answered=False)
        assert permits.limit == 9
    assert rounds == [1, 24, 48, 96, 96]


@virtual_time
async def test_a_server_that_refuses_one_at_a_time_has_an_outage() -> None:
    """The limit is 1 and no ceiling is kept: it doubles from there."""
    permits = limiter(first=1)
    fill(permits)
    refuse(permits, 1, now=1, sent_at=0)
    assert permits.limit == 1
    fill(permits)
    answer(permits, 1 + 2 + 4)
    assert permits.limit == 8


@virtual_time
async def test_a_refusal_that_names_a_time_takes_no_permit() -> None:
    """A second one within ten round trips does; later it is the first again."""
    permits = limiter(first=8, most=8)
    fill(permits)
    for sent_at in (0, 0, 0):
        permits.on_rate(now=1, sent_at=sent_at)
    assert permits.limit == 8
    answer(permits, 10 * 8 + 1)
    permits.on_rate(now=2, sent_at=2)
    assert permits.limit == 8
    answer(permits, 10 * 8)
    permits.on_rate(now=3, sent_at=3)
    assert permits.limit == 5


@virtual_time
async def test_a_rate_met_by_fewer_requests_is_no_ceiling() -> None:
    """Refused with 8 in flight and again with 4: it does not depend on how many."""
    permits = limiter(first=8, most=8)
    fill(permits)
    permits.on_rate(now=1, sent_at=0)
    for _ in range(4):
        permits.in_flight -= 1
    permits.on_rate(now=2, sent_at=2)
    assert permits.limit == 8


@virtual_time
async def test_a_pause_ends_when_it_was_said_to() -> None:
    """Nobody goes before; a shorter pause does not shorten a longer one."""
    loop = asyncio.get_running_loop()
    permits = limiter()
    permits.pause_until(loop.time() + 5)
    permits.pause_until(loop.time() + 2)
    await asyncio.sleep(4.9)
    assert not permits.free
    await asyncio.sleep(0.2)
    assert permits.free
    assert permits.is_evictable(loop.time())
