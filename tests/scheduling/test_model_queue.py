"""The way into one model: timers, order, memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from rounds import rounds

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import Closed, Overloaded
from bytebuddy_provider_hf.scheduling.coordinator import LocalCoordinator
from bytebuddy_provider_hf.scheduling.limiter import Limiter
from bytebuddy_provider_hf.scheduling.model_queue import ModelQueue
from bytebuddy_provider_hf.scheduling.waiter import Waiter, WaitList
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.virtual_time import run, virtual_time
from bytebuddy_provider_hf.transport.http_client import Destination

MODELS = rounds(12_000, long=100_000)
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


def new_waiter(timeout: float = 100.0) -> Waiter:
    now = asyncio.get_running_loop().time()
    return Waiter(since=now, timeout=timeout, cold_timeout=timeout)


def coordinator() -> LocalCoordinator:
    loop = asyncio.get_running_loop()
    return LocalCoordinator(loop=loop, jitter=random.Random(0).random)


@virtual_time
async def test_a_timer_that_comes_early_loses_no_probe() -> None:
    """Windows' clock and uvloop round: the queue sets its timer again."""
    hasty: object = Hasty()
    limiter = Limiter(loop=hasty, max_concurrency=8, max_queue=8)
    queue = ModelQueue(limiter=limiter, loop=hasty, jitter=lambda: 0.0)
    began = asyncio.get_running_loop().time()
    call = new_waiter()
    assert queue.try_acquire(call)
    queue.on_cold(call)
    while not queue.try_acquire(call):
        await queue.wait(call)
    assert asyncio.get_running_loop().time() - began == pytest.approx(1, abs=0.01)
    queue.release(call)


@virtual_time
async def test_a_rest_may_end_while_the_caller_is_busy() -> None:
    """Whoever draws a wait on a screen for longer than it lasts goes on at once."""
    loop = asyncio.get_running_loop()
    limiter = Limiter(loop=loop, max_concurrency=8, max_queue=8)
    queue = ModelQueue(limiter=limiter, loop=loop, jitter=lambda: 0.0)
    began = loop.time()
    call = new_waiter()
    assert queue.try_acquire(call)
    queue.back_off(call, began + 1)
    assert not queue.try_acquire(call)
    await asyncio.sleep(5)
    await queue.wait(call)
    assert queue.try_acquire(call)
    assert loop.time() == pytest.approx(began + 5)


@virtual_time
async def test_closing_is_heard_by_a_caller_who_was_busy() -> None:
    """A wait that begins after the end does not begin."""
    loop = asyncio.get_running_loop()
    limiter = Limiter(loop=loop, max_concurrency=8, max_queue=8)
    queue = ModelQueue(limiter=limiter, loop=loop, jitter=lambda: 0.0)
    call = new_waiter()
    assert queue.try_acquire(call)
    queue.back_off(call, loop.time() + 1)
    assert not queue.try_acquire(call)
    queue.close()
    began = loop.time()
    await queue.wait(call)
    assert loop.time() == pytest.approx(began)
    with pytest.raises(Closed):
        queue.try_acquire(call)


@virtual_time
async def test_an_ended_episode_leaves_no_timer_and_no_waiter() -> None:
    """All who waited left: nothing is queued, and the queue can be forgotten."""
    queue = coordinator().model_queue(Destination("https://a"), "org/name")
    waiters = [new_waiter() for _ in range(3)]
    for call in waiters:
        assert queue.try_acquire(call)
    for call in waiters:
        queue.on_cold(call)
    for call in waiters:
        queue.release(call)
        queue.release(call)
    assert (queue.active, queue.limiter.in_flight, queue.limiter.queued) == (0, 0, 0)
    assert not queue.is_evictable(asyncio.get_running_loop().time())
    assert queue.is_evictable(asyncio.get_running_loop().time() + 61)


@pytest.mark.parametrize("most", [0, 1, 5])
@virtual_time
async def test_a_full_queue_says_how_full_and_what_to_do(most: int) -> None:
    """The text stands for none, one and many."""
    options = RequestOptions(max_concurrency=1, max_queue=most)
    queue = coordinator().model_queue(
        Destination("https://a", options=options), "org/name"
    )
    first, *waiting = (new_waiter() for _ in range(1 + most))
    assert queue.try_acquire(first)
    assert not any(queue.try_acquire(call) for call in waiting)
    with pytest.raises(Overloaded, match=f"{most} .* max_queue is {most}") as caught:
        queue.try_acquire(new_waiter())
    assert "request_options.max_queue" in str(caught.value)


def test_models_and_accounts_without_end_are_forgotten() -> None:
    """Models and accounts without number, each asked once: a thousand are kept."""
    run(_many())


async def _many() -> None:
    shared = coordinator()
    for n in range(MODELS):
        _ask(shared, Destination("https://a"), f"org/n{n}")
        assert len(shared._queues) <= 1_024
    for n in range(MODELS // 10):
        _ask(shared, Destination("https://a", Secret(f"hf_{n}")), "org/name")
        assert len(shared._limiters) <= 1_025
    assert shared.counters().permits == 0


def _ask(shared: LocalCoordinator, destination: Destination, model: str) -> None:
    queue, call = shared.model_queue(destination, model), new_waiter()
    assert queue.try_acquire(call)
    queue.on_response(call)
    queue.release(call)


@virtual_time
async def test_what_is_in_use_is_not_forgotten() -> None:
    """5,000 models at once: each keeps its queue until its call is over."""
    shared = coordinator()
    calls = []
    for at in _origins(5_000):
        queue, call = shared.model_queue(at, "org/name"), new_waiter()
        assert queue.try_acquire(call)
        calls.append((queue, call))
    again = [shared.model_queue(at, "org/name") for at in _origins(5_000)]
    assert all(queue is kept for (queue, _), kept in zip(calls, again, strict=True))
    assert shared.counters().permits == 5_000
    for queue, call in calls:
        queue.release(call)
    assert shared.counters().permits == 0


def _origins(many: int) -> Iterator[Destination]:
    return (Destination(f"https://{n}") for n in range(many))


@pytest.mark.parametrize("seed", range(20))
def test_a_line_keeps_the_order_of_arrival(seed: int) -> None:
    """Whoever comes back gets its old place; who is not here is passed over."""
    chance = random.Random(seed)
    line, inside = WaitList(), set[Waiter]()
    everyone = [Waiter(since=0, timeout=1, cold_timeout=1) for _ in range(40)]
    for _ in range(500):
        call = chance.choice(everyone)
        call.is_waiting = chance.random() < 0.7
        if call in inside:
            line.remove(call)
            inside.discard(call)
        else:
            line.add(call)
            inside.add(call)
        here = [call.number for call in inside if call.is_waiting]
        first = line.first_waiting()
        assert (None if first is None else first.number) == min(here, default=None)
        assert set(line) == inside
        assert line.size == len(inside)


@virtual_time
async def test_an_account_has_one_set_of_permits_while_a_model_of_it_is_known() -> None:
    """However many accounts came after it: two sets would be twice the limit."""
    shared = coordinator()
    account = Destination("https://a", Secret("hf_a"))
    queue, call = shared.model_queue(account, "org/one"), new_waiter()
    assert queue.try_acquire(call)
    for number in range(2_000):
        _ask(shared, Destination("https://a", Secret(f"hf_{number}")), "org/name")
    assert shared.model_queue(account, "org/two").limiter is queue.limiter
    queue.release(call)
    assert shared.counters().permits == 0


@virtual_time
async def test_an_idle_model_and_a_new_one_of_its_account_share_permits() -> None:
    """As long as the idle one's queue is kept, so are the permits of the account."""
    shared = coordinator()
    account = Destination("https://a", Secret("hf_a"))
    _ask(shared, account, "org/one")
    for number in range(1_000):
        _ask(shared, Destination("https://a", Secret(f"hf_{number}")), "org/name")
    first = shared.model_queue(account, "org/one")
    for number in range(100):
        _ask(shared, Destination("https://b", Secret(f"hf_{number}")), "org/name")
    assert shared.model_queue(account, "org/two").limiter is first.limiter
