"""Cancelling at every step."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from contextlib import suppress

import pytest

from bytebuddy_provider_hf.testing.stepping import cancel_at_every_step, cancel_at_step
from bytebuddy_provider_hf.testing.virtual_time import virtual_time


@virtual_time
async def test_it_is_cancelled_at_the_very_suspension() -> None:
    """Step k ends the coroutine at its k-th suspension, not one earlier or later."""
    reached: list[int] = []

    async def work() -> None:
        reached.append(0)
        await asyncio.sleep(0)
        reached.append(1)
        await asyncio.sleep(5)
        reached.append(2)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.get_loop().call_soon(done.set_result, None)
        await done
        reached.append(3)

    for step, expected in enumerate(([], [0], [0, 1], [0, 1, 2])):
        reached.clear()
        assert not await cancel_at_step(work, step)
        assert reached == expected
    reached.clear()
    assert await cancel_at_step(work, 4)
    assert reached == [0, 1, 2, 3]


@virtual_time
async def test_every_step_is_visited_and_checked() -> None:
    """The number of steps is told, and the check runs after each."""
    held = 0
    checked: list[int] = []

    async def work() -> None:
        nonlocal held
        held += 1
        try:
            for _ in range(3):
                await asyncio.sleep(1)
        finally:
            held -= 1

    def check(step: int) -> None:
        checked.append(step)
        assert held == 0

    assert await cancel_at_every_step(work, check=check) == 4
    assert checked == [0, 1, 2, 3, 4]


@virtual_time
async def test_a_leak_is_found() -> None:
    """A coroutine that does not give back what it took fails the check."""
    held = 0

    async def leaky() -> None:
        nonlocal held
        held += 1
        await asyncio.sleep(1)
        held -= 1

    def check(_step: int) -> None:
        assert held == 0

    with pytest.raises(AssertionError):
        await cancel_at_every_step(leaky, check=check)


@virtual_time
async def test_swallowing_the_cancellation_is_an_error() -> None:
    """A coroutine that goes on after its cancellation is found."""

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1)

    with pytest.raises(AssertionError, match="step 1 was swallowed"):
        await cancel_at_step(stubborn, 1)


@virtual_time
async def test_an_error_of_the_coroutine_comes_through() -> None:
    """What the coroutine raises is not hidden."""

    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await cancel_at_step(failing, 9)


@virtual_time
async def test_the_steps_of_its_own_tasks_count_too() -> None:
    """A gather suspends once; what it gathered is cancelled at each of its steps."""
    held = 0
    reached: set[int] = set()

    async def child(number: int) -> None:
        nonlocal held
        held += 1
        try:
            await asyncio.sleep(number)
            await asyncio.sleep(number)
            reached.add(number)
        finally:
            held -= 1

    async def work() -> None:
        await asyncio.gather(child(1), child(3))

    def check(_step: int) -> None:
        assert held == 0

    assert await cancel_at_every_step(work, check=check) == 6
    assert reached == {1, 3}


@virtual_time
async def test_the_coroutine_itself_is_cancelled_before_its_first_line() -> None:
    """At step 0 the very object is cancelled, so that it can be found to warn."""
    made: list[Coroutine[object, object, None]] = []

    async def work() -> None:
        raise AssertionError

    def make() -> Coroutine[object, object, None]:
        made.append(work())
        return made[0]

    assert not await cancel_at_step(make, 0)
    assert inspect.getcoroutinestate(made[0]) == inspect.CORO_CLOSED
