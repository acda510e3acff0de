"""Keep the usage file small: rows for 90 days, sums of days for ever; and forget."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from datetime import date
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.config.stored_files import USAGE, USAGE_DAMAGED
from bytebuddy_provider_hf.storage.counter import read_counts, unaccounted
from bytebuddy_provider_hf.storage.database import (
    DAY,
    day_number,
    transaction,
    using,
)

ROW_DAYS: Final = 90
# Trimming begins below the limit, for it takes away little at once.
_FULL: Final = 0.9
_BATCHES: Final = 500
_ATTEMPTS: Final = 5_000
_PAGES: Final = 500
# A program that runs writes its block more often than this.
_BLOCK_DAYS: Final = 30
_ENDED: Final = "ended"


def trim(connection: sqlite3.Connection, *, today: int, most: int = USAGE.most) -> bool:
    """Remove some of what is too old or too much, in a transaction of its own.

    Returns whether there is more: one call takes no longer than some milliseconds.
    """
    with transaction(connection):
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        is_full = (pages - free) * size > _FULL * most
        gone, attempts = [], 0
        for number, day, count in connection.execute(
            "SELECT id, day, attempts FROM attempts ORDER BY id LIMIT ?", (_BATCHES,)
        ):
            if attempts < _ATTEMPTS and (is_full or day < today - ROW_DAYS):
                attempts += count
                gone.append((number,))
        connection.executemany("DELETE FROM attempts WHERE id = ?", gone)
        connection.execute(
            "DELETE FROM bills WHERE ends < ?", ((today - ROW_DAYS) * DAY,)
        )
        _sum_up_blocks(connection, today - _BLOCK_DAYS)
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return bool(gone or free)


def forget(
    folder: Path, *, before: date | None = None, now: float | None = None
) -> int:
    """Forget what was used ``before`` a day (UTC), or all, and return the attempts.

    Sums of budgets stay until their period ends: forgetting opens no hard budget.
    Raises ``ConfigError``.
    """
    for end in ("", "-wal"):
        (folder / f"{USAGE_DAMAGED.name}{end}").unlink(missing_ok=True)
    if not (folder / USAGE.name).is_file():
        return 0
    now = time.time() if now is None else now
    today = int(now // DAY)
    until = today + 1 if before is None else day_number(before)
    with using(folder) as connection:
        # Else the bytes stay in the file, though nothing refers to them.
        connection.execute("PRAGMA secure_delete=ON")
        with transaction(connection):
            gone = _remove(connection, until, min(now, until * DAY))
            if before is None:
                connection.execute("DELETE FROM bills")
                connection.execute("DELETE FROM bill_periods")
        connection.execute("PRAGMA incremental_vacuum").fetchall()
        # What is forgotten is not to stay in the journal. A reader may hold it.
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return gone


def _remove(connection: sqlite3.Connection, until: int, ended: float) -> int:
    """Remove the days before ``until`` and the budgets that ``ended`` by then."""
    gone: int = connection.execute(
        "SELECT coalesce(sum(attempts), 0) FROM days WHERE day < ?", (until,)
    ).fetchone()[0]
    connection.execute("DELETE FROM attempts WHERE day < ?", (until,))
    connection.execute("DELETE FROM days WHERE day < ?", (until,))
    connection.execute("DELETE FROM unpriced WHERE day < ?", (until,))
    connection.execute("DELETE FROM bills WHERE ends <= ?", (until * DAY,))
    connection.execute("DELETE FROM bill_periods WHERE ends <= ?", (until * DAY,))
    connection.execute("DELETE FROM budgets WHERE ends <= ?", (ended,))
    connection.execute("DELETE FROM keys WHERE id NOT IN (SELECT key FROM days)")
    blocks = connection.execute(
        "SELECT process FROM blocks WHERE day < ?", (until,)
    ).fetchall()
    connection.executemany(
        "DELETE FROM blocks WHERE process = ?",
        [each for each in blocks if not _is_running(each[0])],
    )
    return gone


def _sum_up_blocks(connection: sqlite3.Connection, before: int) -> None:
    """Keep one row for each day of what programs left that were killed long ago."""
    rows = connection.execute(
        "SELECT process, day, granted, recorded, place FROM blocks"
        " WHERE day < ? AND process NOT LIKE ?",
        (before, f"{_ENDED}%"),
    ).fetchall()
    if not rows:
        return
    folder = Path(connection.execute("PRAGMA database_list").fetchone()[2]).parent
    sent = unaccounted([row[2:] for row in rows], read_counts(folder))
    for (process, day, *_), requests in zip(rows, sent, strict=True):
        if _is_running(process):
            continue
        connection.execute("DELETE FROM blocks WHERE process = ?", (process,))
        connection.execute(
            "INSERT INTO blocks VALUES (?, ?, ?, 0, NULL)"
            " ON CONFLICT (process) DO UPDATE SET granted = granted + excluded.granted",
            (f"{_ENDED}{day}", day, requests),
        )


def _is_running(process: str) -> bool:
    """Whether the program of a block may still run, on this machine."""
    pid = process.partition("-")[0]
    # On Windows this signal is Ctrl-C.
    if not pid.isdecimal() or sys.platform == "win32":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
