"""The rules of the one timer that watches every deadline."""

from __future__ import annotations

import asyncio
import random

import pytest

from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.deadlines import Deadlines, Timeout


async def bounded(deadlines: Deadlines, seconds: float, work: float) -> bool:
    """Return whether ``work`` seconds were cut at ``seconds``."""
    until = asyncio.get_running_loop().time() + seconds
    with Timeout(deadlines, until):
        await asyncio.sleep(work)
        return False
    return True


@virtual_time
async def test_what_is_late_is_ended_at_its_time() -> None:
    """Each at its own deadline, to the moment; what is in time is left alone."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    chance = random.Random(3)
    started = loop.time()

    async def one(seconds: float, work: float) -> None:
        assert await bounded(deadlines, seconds, work) is (work > seconds)
        assert loop.time() - started == pytest.approx(min(seconds, work), abs=1e-6)

    await asyncio.gather(
        *(one(chance.uniform(0, 100), chance.uniform(0, 100)) for _ in range(1_000))
    )
    deadlines.close()


@virtual_time
async def test_a_cancellation_from_outside_passes_through() -> None:
    """Only what the deadline itself cancelled is swallowed."""
    deadlines = Deadlines(asyncio.get_running_loop())
    task = asyncio.create_task(bounded(deadlines, 10, 100))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadlines.close()


@virtual_time
async def test_cancelled_and_late_at_once_is_cancelled() -> None:
    """When both come together, the caller's cancellation wins."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    task = asyncio.create_task(bounded(deadlines, 10, 100))
    await asyncio.sleep(0)
    loop.call_at(loop.time() + 10, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    deadlines.close()


@virtual_time
async def test_blocks_nest() -> None:
    """The inner deadline ends the inner block, the outer goes on."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    with Timeout(deadlines, loop.time() + 50):
        assert await bounded(deadlines, 10, 100)
        await asyncio.sleep(10)
    deadlines.close()


def test_a_block_needs_a_task() -> None:
    """As with asyncio.timeout, there must be something to cancel."""
    loop = asyncio.new_event_loop()
    deadlines = Deadlines(loop)
    seen: list[Exception] = []

    def enter() -> None:
        try:
            Timeout(deadlines, 1).__enter__()
        except RuntimeError as error:
            seen.append(error)

    loop.call_soon(enter)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert len(seen) == 1
