"""The ledger counts each request once, whoever sends it, and never waits for a disk."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from attrs import evolve
from blockbuster import BlockBuster
from storage.ledgers import attempt, rows_of, today, usage

from bytebuddy_provider_hf.config.stored_files import USAGE, USAGE_KEY
from bytebuddy_provider_hf.money import Cost
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.counter import BLOCK
from bytebuddy_provider_hf.storage.ledger import Ledger, open_ledger


def test_one_ledger_for_a_folder(tmp_path: Path) -> None:
    """All models of a process share it, and before its first use nothing is there."""
    folder = tmp_path / "state"
    ledger = open_ledger(folder)
    threads = threading.active_count()
    assert open_ledger(folder) is ledger
    assert ledger.identity(None) == ""
    assert not ledger.try_count()
    assert not folder.exists()
    assert threading.active_count() == threads


@pytest.mark.asyncio
async def test_what_is_recorded_is_reported(tmp_path: Path) -> None:
    """Every field that is summed up arrives, in a file that only its owner reads."""
    ledger = Ledger(tmp_path)
    for _ in range(3):
        await ledger.count()
        ledger.record(attempt())
    await ledger.flush()
    total = usage(tmp_path).total
    assert (total.attempts, total.calls, total.prompt_tokens) == (3, 3, 84)
    assert (total.completion_tokens, total.estimated) == (300, 3 * 32_800)
    assert total.seconds == pytest.approx(0.75)
    assert (tmp_path / USAGE.name).stat().st_mode & 0o777 == 0o600
    await ledger.aclose()
    assert usage(tmp_path).unaccounted == 0


@pytest.mark.asyncio
async def test_a_block_is_at_most_counted_too_much(tmp_path: Path) -> None:
    """While a program runs, no more than a block besides what it sent is counted."""
    ledger = Ledger(tmp_path)
    for _ in range(200):
        await ledger.count()
    assert 200 <= usage(tmp_path).unaccounted <= 200 + BLOCK
    for _ in range(50):
        ledger.give_back()
    for _ in range(150):
        ledger.record(attempt())
    await ledger.aclose()
    report = usage(tmp_path)
    assert (report.total.attempts, report.unaccounted) == (150, 0)


@pytest.mark.asyncio
async def test_requests_under_way_stay_counted(tmp_path: Path) -> None:
    """Closing gives back what was not sent; what ends later is counted once."""
    ledger = Ledger(tmp_path)
    for _ in range(5):
        await ledger.count()
    await ledger.aclose()
    assert usage(tmp_path).unaccounted == 5
    for _ in range(5):
        ledger.record(attempt())
    await ledger.aclose()
    report = usage(tmp_path)
    assert (report.total.attempts, report.unaccounted) == (5, 0)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux lists its files")
@pytest.mark.asyncio
async def test_a_ledger_that_was_closed_holds_no_file(tmp_path: Path) -> None:
    """Not the file of counts either; what was under way stays counted, and goes on."""

    def held() -> list[str]:
        files = Path("/proc/self/fd").iterdir()
        places = [file.readlink() for file in files if file.is_symlink()]
        return [str(place) for place in places if place.is_relative_to(tmp_path)]

    ledger = Ledger(tmp_path)
    for _ in range(3):
        await ledger.count()
    ledger.record(attempt())
    assert held()
    await ledger.aclose()
    assert held() == []
    assert usage(tmp_path).unaccounted == 2
    # One of those under way ends, and another is sent.
    ledger.record(attempt())
    await ledger.count()
    ledger.record(attempt())
    await ledger.aclose()
    assert held() == []
    assert (usage(tmp_path).total.attempts, usage(tmp_path).unaccounted) == (3, 1)


@pytest.mark.asyncio
async def test_several_at_once_are_counted_all_or_none(tmp_path: Path) -> None:
    """A batch of requests takes as many counts as it sends."""
    ledger = Ledger(tmp_path)
    assert not ledger.try_count(3)
    await ledger.count()
    assert ledger.try_count(100)
    for _ in range(101):
        ledger.record(attempt())
    await ledger.aclose()
    report = usage(tmp_path)
    assert (report.total.attempts, report.unaccounted) == (101, 0)


@pytest.mark.asyncio
async def test_a_cancelled_caller_counts_nothing(tmp_path: Path) -> None:
    """Whoever leaves before it was counted has not sent anything."""
    ledger = Ledger(tmp_path)
    waiting = [asyncio.create_task(ledger.count()) for _ in range(20)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await ledger.aclose()
    assert usage(tmp_path).unaccounted == 10


def test_two_loops_share_a_ledger(tmp_path: Path) -> None:
    """Each loop of each thread gets its own answers, and all are counted."""
    ledger = Ledger(tmp_path)

    async def calls() -> None:
        async def call() -> None:
            for _ in range(50):
                if not ledger.try_count():
                    await ledger.count()
                await asyncio.sleep(0)
                ledger.record(attempt())

        await asyncio.gather(*(call() for _ in range(8)))
        await ledger.flush()

    threads = [threading.Thread(target=asyncio.run, args=(calls(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()
    report = usage(tmp_path)
    assert (report.total.attempts, report.unaccounted) == (800, 0)


def test_a_loop_that_ends_leaves_nothing_behind(tmp_path: Path) -> None:
    """Who waited for a count in a loop that was closed has sent nothing."""
    ledger = Ledger(tmp_path)

    async def leave() -> None:
        asyncio.create_task(ledger.count())  # noqa: RUF006 - left on purpose
        await asyncio.sleep(0)

    asyncio.run(leave())
    ledger.close()
    assert usage(tmp_path).unaccounted == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_begins_anew(tmp_path: Path) -> None:
    """Parent and child each count what they send, and share no connection."""
    ledger = open_ledger(tmp_path)

    async def calls(count: int) -> None:
        for _ in range(count):
            await ledger.count()
            ledger.record(attempt())

    asyncio.run(calls(10))
    with warnings.catch_warnings():
        # Python warns of forks beside threads: this is one.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        asyncio.run(calls(7))
        ledger.close()
        os._exit(0)
    asyncio.run(calls(5))
    assert os.waitpid(child, 0)[1] == 0
    ledger.close()
    report = usage(tmp_path)
    assert (report.total.attempts, report.unaccounted) == (22, 0)


@pytest.mark.asyncio
async def test_nothing_blocks_the_loop(tmp_path: Path) -> None:
    """No file is touched in the thread of the event loop."""
    ledger = Ledger(tmp_path)
    blockbuster = BlockBuster()
    blockbuster.activate()
    try:
        for _ in range(300):
            if not ledger.try_count():
                await ledger.count()
            ledger.record(attempt())
        await ledger.flush()
        await ledger.aclose()
    finally:
        blockbuster.deactivate()
    assert usage(tmp_path).total.attempts == 300


MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC).timestamp()


class SetClock:
    """A clock that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def recorded_days(folder: Path) -> dict[str, int]:
    report = usage(folder, since=date(2026, 10, 1), until=date(2026, 11, 30), by="day")
    return {row.key: row.attempts for row in report.rows}


@pytest.mark.asyncio
async def test_a_request_counts_on_the_day_it_was_sent(tmp_path: Path) -> None:
    """What ends after midnight (UTC) belongs to the month in which it was sent."""
    clock = SetClock(MIDNIGHT + 5)
    ledger = Ledger(tmp_path, clock=clock)
    await ledger.count()
    ledger.record(attempt(MIDNIGHT - 0.001))
    ledger.record(attempt(MIDNIGHT))
    await ledger.aclose()
    assert recorded_days(tmp_path) == {"2026-10-31": 1, "2026-11-01": 1}


@pytest.mark.asyncio
async def test_a_month_never_goes_back(tmp_path: Path) -> None:
    """A clock that is set back within a run opens no earlier month again."""
    clock = SetClock(MIDNIGHT + 5)
    ledger = Ledger(tmp_path, clock=clock)
    await ledger.count()
    ledger.record(attempt(MIDNIGHT + 5))
    await ledger.flush()
    clock.now = MIDNIGHT - 3_600
    ledger.record(attempt(clock.now))
    await ledger.aclose()
    assert recorded_days(tmp_path) == {"2026-11-01": 2}


def test_a_token_is_never_kept(tmp_path: Path) -> None:
    """It is told from others by what cannot be turned back into it."""
    ledger = Ledger(tmp_path)
    mine, other = (ledger.identity(Secret(f"hf_{name}")) for name in ("mine", "other"))
    assert mine != other
    assert len(mine) == 16
    assert Ledger(tmp_path).identity(Secret("hf_mine")) == mine
    assert Ledger(tmp_path / "b").identity(Secret("hf_mine")) != mine
    assert (tmp_path / USAGE_KEY.name).stat().st_mode & 0o777 == 0o600


@pytest.mark.asyncio
async def test_figures_no_server_can_mean_are_unknown(tmp_path: Path) -> None:
    """A sum stays right whatever a server says, and no text of its breaks a row."""
    ledger = Ledger(tmp_path)
    wild = attempt()
    assert wild.usage is not None
    wild.usage = evolve(wild.usage, cached_tokens=2**52, reasoning_tokens=-5)
    wild.cost = Cost(estimated=10**17, reported=2**70)
    wild.provider = "caf\udce9" * 500
    wild.session = "\udcff"
    for each in (wild, attempt()):
        await ledger.count()
        ledger.record(each)
    await ledger.aclose()
    total = usage(tmp_path).total
    assert (total.attempts, total.cached_tokens, total.reasoning_tokens) == (2, 0, 0)
    assert (total.estimated, total.reported) == (32_800, None)
    assert total.unpriced == {"no price": 1}


@pytest.mark.asyncio
async def test_endless_providers_are_one(tmp_path: Path) -> None:
    """Who served is what a server says: it cannot fill the file with names."""
    ledger = Ledger(tmp_path)
    for number in range(5_100):
        each = attempt()
        each.provider = f"p{number}"
        ledger.record(each)
    await ledger.aclose()
    report = usage(tmp_path, by="provider")
    assert report.total.attempts == 5_100
    assert len(report.rows) == 5_001
    assert {row.key: row.attempts for row in report.rows}["other"] == 100


@pytest.mark.asyncio
async def test_no_prompt_and_no_answer_is_kept(tmp_path: Path) -> None:
    """A row has only what is said here."""
    ledger = Ledger(tmp_path)
    each = attempt(time.time(), session="talk-1")
    each.failure = "RateLimited"
    ledger.record(each)
    await ledger.aclose()
    (row,) = rows_of(tmp_path)
    assert row == {
        "day": today().isoformat(),
        "identity": "0123456789abcdef",
        "bill_to": "",
        "origin": "https://router.huggingface.co",
        "model": "a/b",
        "provider": "groq",
        "role": "chat",
        "at": each.at,
        "session": "talk-1",
        "number": 1,
        "waited": 0.0,
        "seconds": 0.25,
        "outcome": "complete",
        "status": 200,
        "failure": "RateLimited",
        "prompt_tokens": 28,
        "cached_tokens": None,
        "completion_tokens": 100,
        "reasoning_tokens": None,
        "estimated": 32_800,
        "priced_on": "2026-11-30",
        "reported": None,
        "is_ceiling": 0,
        "is_pending": 1,
        "unpriced": "",
    }


@pytest.mark.measured
@pytest.mark.asyncio
async def test_what_a_request_costs_its_caller(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """To count and record one takes a few microseconds of the loop's thread."""
    ledger = Ledger(tmp_path)
    await ledger.count()
    made = [attempt() for _ in range(20_000)]
    best = float("inf")
    for start in range(0, len(made), 2_000):
        began = time.thread_time()
        for each in made[start : start + 2_000]:
            if not ledger.try_count():
                await ledger.count()
            ledger.record(each)
        best = min(best, (time.thread_time() - began) / 2_000)
    await ledger.aclose()
    figure(f"{best * 1e6:.2f} µs a request")
    assert best < 10e-6
