"""Write what a process used into the usage file, or into memory while it cannot."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.config.values import Budget
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.storage.attempt_rows import (
    ADD_TO_DAY,
    ADD_UNPRICED,
    Recorded,
    reprice,
    write_attempts,
)
from bytebuddy_provider_hf.storage.budgets import (
    Amounts,
    BudgetBlocks,
    BudgetPeriod,
    Refusal,
    Reservation,
    reserve_in,
    settle_in,
)
from bytebuddy_provider_hf.storage.counter import BlockRow, RequestCounter
from bytebuddy_provider_hf.storage.database import (
    DAY,
    FILE_ERRORS,
    open_file,
    open_memory,
    reason_of,
    set_damaged_aside,
    transaction,
    warn_once,
)
from bytebuddy_provider_hf.storage.retention import trim
from bytebuddy_provider_hf.storage.shared_database import (
    NewerDatabase,
    is_busy,
    is_damage,
    stamp_of,
)
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import BudgetAlert

_log: Final = logging.getLogger(__name__)

# Another process may hold the file for so many times the five seconds of SQLite.
_BUSY_TRIES: Final = 3
# Files that are set aside in a run: more is no damage of the file.
_MOST_DAMAGED: Final = 2
# Seconds until a file that could not be written is tried again.
_RETRY: Final = 30.0
# Transactions after which the size of the file is looked at.
_TRIM_EVERY: Final = 1_000
# What is kept while there is no file.
_MOST_IN_MEMORY: Final = 8 * 1024**2


@frozen
class PriceFound:
    """A price that was asked for after calls of that model were written."""

    origin: str
    model: str
    provider: str
    price: Price
    priced_on: str


@frozen
class Work:
    """What one transaction is to write.

    ``asked`` is the number of callers that wait to be counted. ``least_day`` is the
    first day that attempts may count as. With ``is_last`` no more is granted, and a
    file that could not be written is tried once more.
    """

    now: float
    asked: int = 0
    is_last: bool = False
    least_day: int = 0
    attempts: Sequence[Recorded] = ()
    prices: Sequence[PriceFound] = ()
    settled: Sequence[tuple[Reservation, Amounts]] = ()
    wanted: Sequence[tuple[Sequence[Budget], Amounts]] = ()
    held: Mapping[BudgetPeriod, int] = field(factory=dict)

    @property
    def today(self) -> int:
        """The day it is written on, numbered from 1970."""
        return max(int(self.now // DAY), self.least_day)


@frozen
class Written:
    """What came of it: why calls were refused, what may be held, what is to be told.

    ``granted`` and ``recorded`` are what the row of this process says now.
    """

    granted: int
    recorded: int
    reserved: Sequence[Refusal | tuple[BudgetPeriod, ...]]
    held: Mapping[BudgetPeriod, int]
    alerts: Sequence[BudgetAlert]


class UsageWriter:
    """Own the connection of one process to the usage file, in one thread.

    A file that cannot be written is told once; then what is used is kept in memory,
    budgets included, and joins the file as soon as it can be written again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        process: str,
        counter: RequestCounter,
        blocks: BudgetBlocks,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._path = folder / USAGE.name
        self._counter = counter
        self._row = BlockRow(folder, process, counter)
        self._blocks = blocks
        self._monotonic = monotonic
        self._connection: sqlite3.Connection | None = None
        # Which file it is of; None for one in memory.
        self._stamp: tuple[int, int] | None = None
        # When the file is tried again; None is never.
        self._retry_at: float | None = None
        # What was written in memory, and is to join the file with the next transaction.
        self._memory: sqlite3.Connection | None = None
        # The sums of budgets in memory before anything was added to them.
        self._base: dict[tuple[object, ...], tuple[int, int]] = {}
        self._known: set[int] = set()
        # The kind of disk of a file that is new to this process, or "memory".
        self._disk: str | None = None
        self._damaged = 0
        self._until_trim = 0

    def write(self, work: Work) -> Written:
        """Write all of ``work`` in one transaction. Blocks, at most some seconds."""
        busy = 0
        # A file that fails now is not tried once more for this.
        tries_again = work.is_last or (
            self._retry_at is not None and self._monotonic() >= self._retry_at
        )
        while True:
            connection = self._ready(tries_again=tries_again)
            try:
                with transaction(connection):
                    written = self._fill(connection, work)
            except FILE_ERRORS as error:
                if is_busy(error) and busy < _BUSY_TRIES:
                    busy += 1
                    continue
                self._give_up(error)
                tries_again = False
            else:
                self._disk = None
                self._until_trim -= 1
                if self._memory is not None:
                    self._memory.close()
                    self._memory = None
                return written

    def grant(self, today: int, asked: int) -> int | None:
        """Grant more counts, no more; ``None`` where that cannot be done now."""
        if self._connection is None or self._stamp != stamp_of(
            self._folder / USAGE.name
        ):
            return None
        granted = self._counter.next_grant(asked)
        try:
            # One statement is a transaction, and takes a third of the time.
            self._row.put(
                self._connection,
                day=today,
                granted=granted,
                recorded=self._counter.recorded,
            )
        except sqlite3.Error:
            return None
        return granted

    def trim(self, today: int) -> bool:
        """Remove some of what is too old or too much, now and then.

        Returns whether there is more to remove.
        """
        if self._until_trim > 0 or self._connection is None:
            return False
        most = USAGE.most if self._stamp else _MOST_IN_MEMORY
        try:
            if trim(self._connection, today=today, most=most):
                return True
        except FILE_ERRORS as error:
            # Whoever writes next will find out the same.
            _log.debug("the usage file could not be trimmed: %s", error)
        self._until_trim = _TRIM_EVERY
        return False

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()

    def _fill(self, connection: sqlite3.Connection, work: Work) -> Written:
        counter = self._counter
        if self._disk is not None:
            self._row.claim(connection, self._disk)
        if self._memory is not None:
            self._merge(self._memory, connection)
        if work.attempts:
            write_attempts(
                connection,
                work.attempts,
                least_day=work.least_day,
                known=self._known,
            )
        for found in work.prices:
            reprice(
                connection,
                origin=found.origin,
                model=found.model,
                provider=found.provider,
                price=found.price,
                priced_on=found.priced_on,
                today=work.today,
            )
        alerts = settle_in(connection, work.settled)
        reserved: list[Refusal | tuple[BudgetPeriod, ...]] = []
        held: Mapping[BudgetPeriod, int] = {}
        if work.wanted or work.held:
            self._blocks.follow_account(connection)
            parts = [self._blocks.parts(*each) for each in work.wanted]
            refusals, held = reserve_in(
                connection,
                parts,
                work.held,
                unheld=self._path if self._stamp is None else None,
            )
            reserved = [
                refusal or tuple(part.period for part in wanted)
                for refusal, wanted in zip(refusals, parts, strict=True)
            ]
        recorded = counter.next_recorded(len(work.attempts))
        granted = (
            counter.granted + work.asked
            if work.is_last
            else counter.next_grant(work.asked)
        )
        self._row.put(connection, day=work.today, granted=granted, recorded=recorded)
        return Written(granted, recorded, reserved, held, alerts)

    def _ready(self, *, tries_again: bool) -> sqlite3.Connection:
        """Return the connection to write to now."""
        if self._connection is not None:
            if self._stamp is not None:
                if self._stamp == stamp_of(self._path):
                    return self._connection
                # Somebody has removed the file, or set it aside.
                self._connection.close()
                self._connection = None
            elif self._retry_at is None or not tries_again:
                return self._connection
        try:
            opened = open_file(self._folder)
        except NewerDatabase:
            warn_once(text("storage.newer", path=self._folder / USAGE.name))
            return self._in_memory(retry=False)
        except (OSError, *FILE_ERRORS) as error:
            self._warn(error)
            return self._in_memory(retry=True)
        self._memory = self._connection
        self._connection, self._stamp, self._disk = opened
        self._until_trim = 0
        return self._connection

    def _give_up(self, error: Exception) -> None:
        """Leave a file that cannot be written; the next one is another, or memory."""
        if self._stamp is None:
            raise error
        if is_damage(error) and self._damaged < _MOST_DAMAGED:
            self._damaged += 1
            self.close()
            self._connection = None
            try:
                set_damaged_aside(self._folder, stamp=self._stamp)
            except OSError as failure:
                self._warn(failure)
                self._in_memory(retry=False)
            return
        self._warn(error)
        self._in_memory(retry=True)

    def _in_memory(self, *, retry: bool) -> sqlite3.Connection:
        """Go on in memory, with the budgets of the file as far as they can be read."""
        self._retry_at = self._monotonic() + _RETRY if retry else None
        if self._connection is not None and self._stamp is None:
            return self._connection
        if self._memory is not None:
            # It has not joined the file: it goes on as it was.
            self.close()
            self._connection, self._memory = self._memory, None
            self._stamp, self._disk = None, "memory"
            return self._connection
        memory = open_memory()
        self._base = {}
        if self._connection is not None:
            with contextlib.suppress(*FILE_ERRORS):
                budgets = self._connection.execute("SELECT * FROM budgets").fetchall()
                facts = self._connection.execute("SELECT * FROM facts").fetchall()
                memory.executemany(
                    "INSERT INTO budgets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    budgets,
                )
                memory.executemany("INSERT INTO facts VALUES (?, ?)", facts)
                self._base = {each[:4]: (each[9], each[10]) for each in budgets}
            self._connection.close()
        self._connection, self._stamp, self._disk = memory, None, "memory"
        return memory

    def _merge(self, memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
        """Add to the file what was written in memory."""
        file.executemany(
            "INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            memory.execute("SELECT * FROM keys"),
        )
        file.executemany(
            "INSERT INTO attempts (day, key, attempts, rows) VALUES (?, ?, ?, ?)",
            memory.execute("SELECT day, key, attempts, rows FROM attempts ORDER BY id"),
        )
        # Of bills, which are the last columns, nothing is known in memory.
        file.executemany(
            ADD_TO_DAY, (row[:-2] for row in memory.execute("SELECT * FROM days"))
        )
        file.executemany(ADD_UNPRICED, memory.execute("SELECT * FROM unpriced"))
        for row in memory.execute("SELECT * FROM budgets"):
            used, reserved = row[9:11]
            before = self._base.get(row[:4], (0, 0))
            file.execute(
                "INSERT INTO budgets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (name, unit, period, starts) DO UPDATE SET"
                " used = max(used + ?, 0), reserved = max(reserved + ?, 0),"
                " told = max(told, excluded.told)",
                (*row, used - before[0], reserved - before[1]),
            )

    def _warn(self, error: Exception) -> None:
        path = self._folder / USAGE.name
        warn_once(text("storage.unwritable", path=path, reason=reason_of(error)))
