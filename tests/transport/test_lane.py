"""The way into one model: timers, order, memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from rounds import rounds

from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.errors import Closed, Overloaded
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.virtual_time import run, virtual_time
from bytebuddy_provider_hf.transport.coordinator import LocalCoordinator
from bytebuddy_provider_hf.transport.lane import Lane
from bytebuddy_provider_hf.transport.limiter import Limiter
from bytebuddy_provider_hf.transport.line import Line
from bytebuddy_provider_hf.transport.port import Destination
from bytebuddy_provider_hf.transport.ticket import Ticket

MODELS = rounds(20_000, long=100_000)
EARLY = 0.0005


class Hasty:
    """The running loop, its timers half a millisecond early, as uvloop's may be."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time
        self.create_future = self._loop.create_future

    def call_at(self, when: float, *call: object) -> asyncio.TimerHandle:
        """Come early; once it is nearly time, as soon as can be."""
        return self._loop.call_at(max(when - EARLY, self.time() + EARLY / 10), *call)


def ticket(timeout: float = 100.0) -> Ticket:
    now = asyncio.get_running_loop().time()
    return Ticket(now=now, timeout=timeout, cold_timeout=timeout)


def coordinator() -> LocalCoordinator:
    loop = asyncio.get_running_loop()
    return LocalCoordinator(loop=loop, jitter=random.Random(0).random)


@virtual_time
async def test_a_timer_that_comes_early_loses_no_look() -> None:
    """Windows' clock and uvloop round: the lane sets its timer again."""
    hasty: object = Hasty()
    limiter = Limiter(loop=hasty, max_concurrency=8, max_queue=8)
    lane = Lane(limiter=limiter, loop=hasty, jitter=lambda: 0.0)
    began = asyncio.get_running_loop().time()
    call = ticket()
    assert lane.enter(call)
    lane.cold(call)
    while not lane.enter(call):
        await lane.wait(call)
    assert asyncio.get_running_loop().time() - began == pytest.approx(1, abs=0.01)
    lane.leave(call)


@virtual_time
async def test_a_rest_may_end_while_the_caller_is_busy() -> None:
    """Whoever draws a wait on a screen for longer than it lasts goes on at once."""
    loop = asyncio.get_running_loop()
    limiter = Limiter(loop=loop, max_concurrency=8, max_queue=8)
    lane = Lane(limiter=limiter, loop=loop, jitter=lambda: 0.0)
    began = loop.time()
    call = ticket()
    assert lane.enter(call)
    lane.pause(call, began + 1)
    assert not lane.enter(call)
    await asyncio.sleep(5)
    await lane.wait(call)
    assert lane.enter(call)
    assert loop.time() == pytest.approx(began + 5)


@virtual_time
async def test_closing_is_heard_by_a_caller_who_was_busy() -> None:
    """A wait that begins after the end does not begin."""
    loop = asyncio.get_running_loop()
    limiter = Limiter(loop=loop, max_concurrency=8, max_queue=8)
    lane = Lane(limiter=limiter, loop=loop, jitter=lambda: 0.0)
    call = ticket()
    assert lane.enter(call)
    lane.pause(call, loop.time() + 1)
    assert not lane.enter(call)
    lane.close()
    began = loop.time()
    await lane.wait(call)
    assert loop.time() == pytest.approx(began)
    with pytest.raises(Closed):
        lane.enter(call)


@virtual_time
async def test_an_ended_episode_leaves_no_timer_and_no_ticket() -> None:
    """All who waited left: nothing is queued, and the lane can be forgotten."""
    lane = coordinator().lane(Destination("https://a"), "org/name")
    tickets = [ticket() for _ in range(3)]
    for call in tickets:
        assert lane.enter(call)
    for call in tickets:
        lane.cold(call)
    for call in tickets:
        lane.leave(call)
        lane.leave(call)
    assert (lane.active, lane.limiter.in_flight, lane.limiter.queued) == (0, 0, 0)
    assert not lane.idle(asyncio.get_running_loop().time())
    assert lane.idle(asyncio.get_running_loop().time() + 61)


@pytest.mark.parametrize("most", [0, 1, 5])
@virtual_time
async def test_a_full_queue_says_how_full_and_what_to_do(most: int) -> None:
    """The text stands for none, one and many."""
    options = RequestOptions(max_concurrency=1, max_queue=most)
    lane = coordinator().lane(Destination("https://a", options=options), "org/name")
    first, *waiting = (ticket() for _ in range(1 + most))
    assert lane.enter(first)
    assert not any(lane.enter(call) for call in waiting)
    with pytest.raises(Overloaded, match=f"{most} .* maxQueue is {most}") as caught:
        lane.enter(ticket())
    assert "requestOptions.maxQueue" in str(caught.value)


def test_models_and_accounts_without_end_are_forgotten() -> None:
    """Models and accounts without number, each asked once: a thousand are kept."""
    run(_many())


async def _many() -> None:
    shared = coordinator()
    for n in range(MODELS):
        _ask(shared, Destination("https://a"), f"org/n{n}")
        assert len(shared._lanes) <= 1_024
    for n in range(MODELS // 10):
        _ask(shared, Destination("https://a", Secret(f"hf_{n}")), "org/name")
        assert len(shared._limiters) <= 1_025
    assert shared.counters().permits == 0


def _ask(shared: LocalCoordinator, destination: Destination, model: str) -> None:
    lane, call = shared.lane(destination, model), ticket()
    assert lane.enter(call)
    lane.answered_by(call)
    lane.leave(call)


@virtual_time
async def test_what_is_in_use_is_not_forgotten() -> None:
    """5,000 models at once: each keeps its lane until its call is over."""
    shared = coordinator()
    calls = []
    for at in _origins(5_000):
        lane, call = shared.lane(at, "org/name"), ticket()
        assert lane.enter(call)
        calls.append((lane, call))
    again = [shared.lane(at, "org/name") for at in _origins(5_000)]
    assert all(lane is kept for (lane, _), kept in zip(calls, again, strict=True))
    assert shared.counters().permits == 5_000
    for lane, call in calls:
        lane.leave(call)
    assert shared.counters().permits == 0


def _origins(many: int) -> Iterator[Destination]:
    return (Destination(f"https://{n}") for n in range(many))


@pytest.mark.parametrize("seed", range(20))
def test_a_line_keeps_the_order_of_arrival(seed: int) -> None:
    """Whoever comes back gets its old place; who is not here is passed over."""
    chance = random.Random(seed)
    line, inside = Line(), set[Ticket]()
    everyone = [Ticket(now=0, timeout=1, cold_timeout=1) for _ in range(40)]
    for _ in range(500):
        call = chance.choice(everyone)
        call.here = chance.random() < 0.7
        if call in inside:
            line.part(call)
            inside.discard(call)
        else:
            line.join(call)
            inside.add(call)
        here = [call.number for call in inside if call.here]
        first = line.first_here()
        assert (None if first is None else first.number) == min(here, default=None)
        assert set(line) == inside
        assert (len(line), bool(line)) == (len(inside), bool(inside))
