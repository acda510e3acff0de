"""Virtual time: jumps when nothing can happen, stands still while work is pending."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from bytebuddy_provider_hf.testing import virtual_time as module
from bytebuddy_provider_hf.testing.virtual_time import Stuck, run, virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_long_sleep_takes_no_real_time() -> None:
    """Ten virtual hours pass at once."""

    async def sleeper() -> float:
        before = now()
        await asyncio.sleep(36_000)
        return now() - before

    began = time.monotonic()
    assert run(sleeper()) == pytest.approx(36_000)
    assert time.monotonic() - began < 2


def test_timers_fire_in_their_order() -> None:
    """Sleepers wake by their time, not by the order they were started in."""
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await asyncio.sleep(seconds)
        woken.append(seconds)

    async def main() -> None:
        await asyncio.gather(*(sleeper(n) for n in (5, 1, 90_000 // 3, 3)))

    run(main())
    assert woken == [1, 3, 5, 30_000]


def test_a_timeout_fires_at_its_time() -> None:
    """``asyncio.timeout`` obeys the virtual clock."""

    async def main() -> float:
        before = now()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await asyncio.get_running_loop().create_future()
        return now() - before

    assert run(main()) == pytest.approx(600)


def test_the_clock_stands_still_while_a_thread_works() -> None:
    """No timeout fires because of work in an executor that takes real time."""

    async def main() -> float:
        before = now()
        async with asyncio.timeout(0.001):
            await asyncio.to_thread(time.sleep, 0.05)
        return now() - before

    assert run(main()) == 0


def test_the_clock_jumps_again_after_a_thread_has_worked() -> None:
    """Work of an executor that ended, or failed, holds nothing up."""

    def fail() -> None:
        raise OSError("disk")

    async def main() -> float:
        with pytest.raises(OSError, match="disk"):
            await asyncio.to_thread(fail)
        before = now()
        await asyncio.sleep(1_000)
        return now() - before

    assert run(main()) == pytest.approx(1_000)


def test_time_is_real_while_a_socket_is_awaited() -> None:
    """A timer does not overtake bytes that are on their way."""

    async def main() -> tuple[bytes, float]:
        mine, theirs = socket.socketpair()
        mine.setblocking(False)
        timer = threading.Timer(0.05, theirs.send, (b"x",))
        timer.start()
        before = now()
        async with asyncio.timeout(5):
            got = await asyncio.get_running_loop().sock_recv(mine, 1)
        passed = now() - before
        timer.join()
        mine.close()
        theirs.close()
        return got, passed

    got, passed = run(main())
    assert got == b"x"
    assert 0.02 < passed < 4


def test_waiting_for_nothing_is_an_error() -> None:
    """Where a real loop would hang for ever, an error says so and where."""

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck, match="nothing is ready") as caught:
        run(main())
    assert "test_virtual_time.py" in "".join(caught.value.__notes__)


def test_another_thread_may_still_call_in() -> None:
    """A thread that calls soon is waited for before anything is called stuck."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        late = (loop.call_soon_threadsafe, (future.set_result, "here"))
        timer = threading.Timer(0.05, *late)
        timer.start()
        said = await future
        timer.join()
        return said

    assert run(main()) == "here"


def test_work_that_never_ends_is_stopped() -> None:
    """A poll without an end does not spin for ever."""

    async def main() -> None:
        while True:  # noqa: ASYNC110  # the poll is the point
            await asyncio.sleep(60)

    with pytest.raises(Stuck, match="3600 virtual seconds"):
        run(main(), limit=3_600)


def test_a_thread_that_waits_for_a_timer_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thread that needs the clock to go on would hang; it is told instead."""
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    release = threading.Event()

    async def main() -> None:
        asyncio.get_running_loop().call_later(1, release.set)
        await asyncio.to_thread(release.wait, 5)

    try:
        with pytest.raises(Stuck, match="executor"):
            run(main())
    finally:
        release.set()


@virtual_time
async def test_a_test_can_be_run_in_virtual_time(tmp_path: object) -> None:
    """The decorator runs an async test, with its fixtures, in virtual time."""
    assert tmp_path
    before = now()
    await asyncio.sleep(86_000)
    assert now() - before == pytest.approx(86_000)
