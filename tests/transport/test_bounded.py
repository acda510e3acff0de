"""What is kept for each address is bounded, and nothing in use is let go."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.bounded import MOST_KEPT, BoundedCache
from bytebuddy_provider_hf.transport.http_client import (
    Destination,
    HttpClients,
    OnResend,
    Response,
)
from bytebuddy_provider_hf.wire.http_request import HttpRequest


def test_the_values_used_last_are_kept() -> None:
    """Reading a value is using it; what went is told of."""
    gone: list[tuple[str, int]] = []
    cache: BoundedCache[str, int] = BoundedCache(
        2, dropped=lambda *dropped: gone.append(dropped)
    )
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert gone == [("b", 2)]
    assert list(cache.values()) == [1, 3]


def test_what_is_in_use_stays_and_goes_afterwards() -> None:
    """The bound holds for the others; who is done is dropped if there are too many."""
    used = {0, 1, 2}
    cache: BoundedCache[int, int] = BoundedCache(2, in_use=used.__contains__)
    for number in range(5):
        cache.put(number, number)
    assert used <= set(cache.values())
    used.clear()
    for number in list(cache.values()):
        cache.trim(number)
    assert len(cache) == 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "use", "free", "get", "pop"]), st.integers(0, 9)
        )
    )
)
def test_nothing_in_use_is_ever_dropped(steps: list[tuple[str, int]]) -> None:
    """Whatever the order; with nothing in use the bound holds at the next one."""
    used: set[int] = set()
    cache: BoundedCache[int, int] = BoundedCache(3, in_use=used.__contains__)
    for step, key in steps:
        if step == "put":
            cache.put(key, key)
        elif step == "use" and cache.get(key) is not None:
            used.add(key)
        elif step == "free":
            used.discard(key)
            cache.trim(key)
        elif step == "pop" and key not in used:
            cache.pop(key)
        assert used <= set(cache.values())
        if not used:
            cache.put(key, key)
            assert len(cache) <= 3


def test_many_in_use_cost_no_more_each_than_few() -> None:
    """Values are searched when there are twice as many, not at every new one."""
    asked = 0

    def in_use(_value: int) -> bool:
        nonlocal asked
        asked += 1
        return True

    cache: BoundedCache[int, int] = BoundedCache(100, in_use=in_use)
    for number in range(10_000):
        cache.put(number, number)
    assert asked < 4 * 10_000


class Connection:
    """A channel that only knows whether it was closed."""

    def __init__(self, destination: Destination) -> None:
        self.origin = destination.origin
        self.closed = False

    async def send(
        self, call: HttpRequest, *, on_resend: OnResend | None = None
    ) -> Response:
        raise NotImplementedError(call.method)

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed = True


def destination(number: int) -> Destination:
    return Destination(f"https://h{number}.example")


@virtual_time
async def test_a_channel_that_nobody_holds_is_closed_when_there_are_too_many() -> None:
    """The ones held stay open, and can be given back after all is closed."""
    made: list[Connection] = []

    def connect(to: Destination) -> Connection:
        made.append(Connection(to))
        return made[-1]

    channels = HttpClients(connect, asyncio.get_running_loop())
    held = channels.take(destination(0))
    for number in range(1, 3_000):
        with channels.lend(destination(number)):
            pass
    await asyncio.sleep(1)
    assert len(channels) <= MOST_KEPT
    assert not made[0].closed
    assert sum(not each.closed for each in made) == len(channels)
    assert channels.take(destination(0)) is held
    channels.give_back(held)
    await channels.aclose()
    assert all(each.closed for each in made)
    channels.give_back(held)


@virtual_time
async def test_the_end_closes_what_was_being_closed() -> None:
    """A loop that ends cancels its tasks; no connection stays open for that."""
    made: list[Connection] = []

    def connect(to: Destination) -> Connection:
        made.append(Connection(to))
        return made[-1]

    channels = HttpClients(connect, asyncio.get_running_loop())
    for number in range(MOST_KEPT + 1):
        with channels.lend(destination(number)):
            pass
    current = asyncio.current_task()
    for task in asyncio.all_tasks() - {current}:
        task.cancel()
    await asyncio.sleep(0)
    assert not made[0].closed
    await channels.aclose()
    assert all(each.closed for each in made)
