"""Rows are kept for 90 days and sums for ever, in a file that stays small."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from rounds import rounds
from storage.ledgers import attempt, rows_of, today, usage
from storage.test_budgets import hard
from storage.test_usage_report import MONTH, NOON, billed, reconcile, record, report

from bytebuddy_provider_hf.config.stored_files import USAGE, USAGE_DAMAGED
from bytebuddy_provider_hf.storage.budgets import Amounts
from bytebuddy_provider_hf.storage.database import DAY, open_file
from bytebuddy_provider_hf.storage.ledger import Ledger
from bytebuddy_provider_hf.storage.retention import forget, trim


def test_old_rows_go_and_sums_stay(tmp_path: Path) -> None:
    """A program that starts removes what is older than 90 days, without being asked."""
    record(tmp_path, [attempt(NOON - 91 * DAY), attempt(NOON - 89 * DAY)])
    # The next one finds it.
    record(tmp_path, [attempt(NOON)])
    assert [row["day"] for row in rows_of(tmp_path)] == ["2026-08-23", "2026-11-20"]
    old = usage(tmp_path, since=date(2026, 8, 1), until=date(2026, 8, 22), by="day")
    assert [(row.key, row.attempts) for row in old.rows] == [("2026-08-21", 1)]
    assert old.first == date(2026, 8, 21)


def test_the_file_has_a_limit(tmp_path: Path) -> None:
    """The oldest rows go first, some at a time, and no step takes long."""
    most, slowest, total = 2 * 1024**2, 0.0, rounds(20_000, long=1_000_000)
    ledger = Ledger(tmp_path)

    async def run() -> None:
        for number in range(total):
            if not ledger.try_count():
                await ledger.count()
            ledger.record(attempt(session=f"session-{number}"))
            if number % 2_000 == 0:
                await ledger.flush()
        await ledger.aclose()

    asyncio.run(run())
    assert (tmp_path / USAGE.name).stat().st_size > most
    with closing(open_file(tmp_path).connection) as connection:
        more = True
        while more:
            began = time.perf_counter()
            more = trim(connection, today=int(time.time() // DAY), most=most)
            slowest = max(slowest, time.perf_counter() - began)
    assert (tmp_path / USAGE.name).stat().st_size <= most
    assert slowest < 1
    assert usage(tmp_path).total.attempts == total
    kept = [str(row["session"]) for row in rows_of(tmp_path)]
    assert kept[-1] == f"session-{total - 1}"
    assert kept == [f"session-{n}" for n in range(total - len(kept), total)]


def test_what_was_killed_long_ago_stays_counted(tmp_path: Path) -> None:
    """Blocks that nobody gives back are summed up by day."""
    record(tmp_path, [attempt(NOON)])
    day = int(NOON // DAY) - 40
    with closing(sqlite3.connect(tmp_path / USAGE.name)) as connection, connection:
        connection.executemany(
            "INSERT INTO blocks VALUES (?, ?, ?, ?, NULL)",
            [
                ("9999998-a", day, 100, 90),
                ("9999999-b", day, 50, 0),
                ("x", day + 1, 7, 0),
            ],
        )
    record(tmp_path, [attempt(NOON)])
    with closing(sqlite3.connect(tmp_path / USAGE.name)) as connection:
        found = connection.execute("SELECT granted - recorded FROM blocks").fetchall()
    assert sorted(found) == [(7,), (60,)]
    since = date(2026, 10, 1)
    assert usage(tmp_path, since=since, until=date(2026, 11, 20)).unaccounted == 67


def test_all_can_be_forgotten(tmp_path: Path) -> None:
    """No byte of it stays in the file, and counting goes on."""
    ledger = Ledger(tmp_path)

    async def calls(count: int) -> None:
        for _ in range(count):
            await ledger.count()
            ledger.record(attempt(session="SESSION-TO-FORGET"))
        await ledger.flush()

    asyncio.run(calls(40))
    (tmp_path / USAGE_DAMAGED.name).write_bytes(b"SESSION-TO-FORGET")
    reconcile(tmp_path, [billed("SESSION-TO-FORGET", 1, 1)], NOON)
    assert forget(tmp_path) == 40
    assert usage(tmp_path).total.attempts == 0
    assert usage(tmp_path).first is None
    assert all(
        b"SESSION-TO-FORGET" not in path.read_bytes() for path in tmp_path.iterdir()
    )
    asyncio.run(calls(3))
    ledger.close()
    assert {row.key: row.attempts for row in usage(tmp_path).rows} == {"a/b": 3}


def test_what_is_older_can_be_forgotten(tmp_path: Path) -> None:
    """What was used on the day itself and later stays."""
    other = attempt(NOON - 2 * DAY)
    other.provider = "forgotten"
    record(tmp_path, [other, attempt(NOON - DAY), attempt(NOON)])
    assert forget(tmp_path, before=date(2026, 11, 19), now=NOON) == 1
    found = report(tmp_path, "provider")
    assert {row.key: row.attempts for row in found.rows} == {"groq": 2}
    assert found.first == date(2026, 11, 19)
    assert len(rows_of(tmp_path)) == 2
    assert forget(tmp_path / "none") == 0
    assert not (tmp_path / "none").exists()


@pytest.mark.asyncio
async def test_forgetting_opens_no_hard_budget(tmp_path: Path) -> None:
    """Sums of budgets stay until their period ends."""
    ledger = Ledger(tmp_path)
    one = Amounts(calls=1)
    ledger.settle(await ledger.reserve(hard(1), one), one)
    await ledger.flush()
    forget(tmp_path)
    assert [each.used for each in usage(tmp_path).budgets] == [1]
    after = datetime.combine(today() + timedelta(days=40), datetime.min.time(), UTC)
    forget(tmp_path, now=after.timestamp())
    assert usage(tmp_path).budgets == ()


def test_bills_of_old_sessions_go_too(tmp_path: Path) -> None:
    """What they cost stays in the sums."""
    record(tmp_path, [attempt(NOON)])
    reconcile(tmp_path, [billed("s", 123, 1)], NOON + 9)
    with closing(open_file(tmp_path).connection) as connection:
        trim(connection, today=int(MONTH[1] // DAY) + 91)
        assert connection.execute("SELECT count(*) FROM bills").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (0,)
    assert report(tmp_path).total.billed == 123
