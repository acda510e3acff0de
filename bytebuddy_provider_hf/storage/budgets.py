"""Reserve what a call may use of its budgets before it is sent, and settle it after."""

from __future__ import annotations

import logging
import shlex
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import define, field, frozen

from bytebuddy_provider_hf.config.values import Budget
from bytebuddy_provider_hf.errors import BudgetExceeded
from bytebuddy_provider_hf.money import dollars
from bytebuddy_provider_hf.storage.database import DAY, changing
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.types import BudgetAlert

Unit: TypeAlias = Literal["dollars", "tokens", "calls"]
PeriodKind: TypeAlias = Literal["day", "month", "account", "bill"]

_log: Final = logging.getLogger(__name__)

# The parts of a budget whose use is told, each once in a period.
THRESHOLDS: Final = (50, 80, 95, 100)
# A process may hold this part of what is left, while more than a fifth of all is.
_BLOCK: Final = 100
_PLENTY: Final = 5
# The budgets of an account's bill, and the facts that keep its period.
CREDITS: Final = "credits"
SPENDING_LIMIT: Final = "spending limit"
_STARTS: Final = "account_starts"
_ENDS: Final = "account_ends"
# An account's period that was read years ago says nothing of today's.
_MOST_MONTHS: Final = 24
# More than any budget has: sums stay within SQLite's 64 bits.
_MOST: Final = 10**18
_MOST_WANTED: Final = 10**15


@frozen
class Amounts:
    """How much of each unit a call wants or has used; money in 10⁻⁹ USD."""

    nano_usd: int = 0
    tokens: int = 0
    calls: int = 0

    def of(self, unit: Unit) -> int:
        """Return the amount in one unit, within what can be summed up."""
        match unit:
            case "dollars":
                amount = self.nano_usd
            case "tokens":
                amount = self.tokens
            case "calls":
                amount = self.calls
        return min(amount, _MOST_WANTED)


@frozen
class BudgetPeriod:
    """One budget in one unit and one period: what sums are kept by.

    ``starts`` and ``ends`` count seconds of the Unix clock. ``is_assumed`` marks a
    calendar month that stands for an account's own period, which is not known.
    """

    name: str
    unit: Unit
    period: PeriodKind
    starts: int
    ends: int = field(eq=False)
    is_assumed: bool = field(default=False, eq=False)

    @property
    def key(self) -> tuple[str, str, str, int]:
        """The columns by which its row is found."""
        return self.name, self.unit, self.period, self.starts


@frozen
class BudgetPart:
    """What one call wants of one budget; ``limit`` is the configuration's."""

    period: BudgetPeriod
    limit: int
    is_hard: bool
    wanted: int


@define(eq=False)
class Reservation:
    """What a call has reserved; ``Ledger.settle`` corrects it to what was used.

    ``alerts`` are the thresholds that were passed and that this process has to tell.
    """

    periods: tuple[BudgetPeriod, ...] = ()
    wanted: Amounts = field(factory=Amounts)
    alerts: tuple[BudgetAlert, ...] = ()
    is_settled: bool = False


@frozen
class Refusal:
    """Why a call was not let through: ``used`` counts what others have reserved.

    ``unheld`` is the file that could not be used, where nobody knows what others have.
    """

    period: BudgetPeriod
    used: int
    limit: int
    unheld: Path | None = None

    def error(self) -> BudgetExceeded:
        """Return the error that the caller gets."""
        unit = self.period.unit
        if self.unheld is not None:
            return BudgetExceeded(
                text(
                    "storage.budget_unheld",
                    budget=self.period.name,
                    path=self.unheld,
                ),
                budget=self.period.name,
                unit=unit,
                used=self.used,
                limit=self.limit,
                ends=None,
                hint=text("storage.budget_unheld_hint"),
            )
        argument = shlex.quote(f"{self.period.name}=AMOUNT")
        return BudgetExceeded(
            text(
                "storage.budget_exceeded",
                budget=self.period.name,
                used=amount_text(self.used, unit),
                limit=amount_text(self.limit, unit),
                ends=_moment(self.period.ends),
            ),
            budget=self.period.name,
            unit=unit,
            used=self.used,
            limit=self.limit,
            ends=self.period.ends,
            hint=text("storage.budget_hint", argument=argument),
        )


def unpriced_error(budget: Budget, model: str) -> BudgetExceeded:
    """Return the error for a call whose price nobody knows, of a hard budget in USD."""
    return BudgetExceeded(
        text("storage.budget_without_price", model=model, budget=budget.name),
        budget=budget.name,
        unit="dollars",
        used=0,
        limit=budget.options.dollars or 0,
        ends=None,
        hint=text("storage.budget_without_price_hint"),
    )


class BudgetBlocks:
    """What this process has reserved of its budgets beyond its calls.

    A call takes from it without asking the file. Safe in every thread.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[BudgetPeriod, int] = {}
        # The present periods, by name, unit and kind.
        self._periods: dict[tuple[str, str, str], BudgetPeriod] = {}
        self._account: tuple[float, float] | None = None

    def __bool__(self) -> bool:
        return bool(self._left)

    def parts(self, budgets: Iterable[Budget], wanted: Amounts) -> list[BudgetPart]:
        """Return what a call wants of each of its budgets, in each of their units."""
        now = self._clock()
        parts = []
        for budget in budgets:
            options = budget.options
            limits: tuple[tuple[Unit, int | None], ...] = (
                ("dollars", options.dollars),
                ("tokens", options.tokens),
                ("calls", options.calls),
            )
            for unit, limit in limits:
                if limit is None:
                    continue
                key = (budget.name, unit, options.period)
                period = self._periods.get(key)
                # A clock that was set back begins no earlier period anew.
                if period is None or now >= period.ends:
                    found = period_at(options.period, now, self._account)
                    period = BudgetPeriod(budget.name, unit, options.period, *found)
                    self._periods[key] = period
                amount = wanted.of(unit)
                parts.append(BudgetPart(period, limit, options.hard, amount))
        return parts

    def take(self, parts: Sequence[BudgetPart]) -> bool:
        """Take all that a call wants, or nothing."""
        with self._lock:
            left = self._left
            if any(left.get(part.period, -1) < part.wanted for part in parts):
                return False
            for part in parts:
                left[part.period] -= part.wanted
            return True

    def withdraw(self) -> dict[BudgetPeriod, int]:
        """Return all that is held, and hold nothing."""
        with self._lock:
            held, self._left = self._left, {}
            return held

    def deposit(self, held: Mapping[BudgetPeriod, int]) -> None:
        """Hold so much more."""
        with self._lock:
            for period, amount in held.items():
                self._left[period] = self._left.get(period, 0) + amount

    def follow_account(self, connection: sqlite3.Connection) -> None:
        """Learn when the account's own period begins and ends."""
        found = dict(connection.execute("SELECT name, value FROM facts").fetchall())
        account = None
        if _STARTS in found and _ENDS in found:
            account = (found[_STARTS], found[_ENDS])
        if account != self._account:
            self._account = account
            for key in [key for key in self._periods if key[2] == "account"]:
                del self._periods[key]


def reserve_in(
    connection: sqlite3.Connection,
    wanted: Sequence[Sequence[BudgetPart]],
    held: Mapping[BudgetPeriod, int],
    *,
    unheld: Path | None = None,
) -> tuple[list[Refusal | None], dict[BudgetPeriod, int]]:
    """Reserve for several calls within a transaction: for each all it wants, or none.

    ``held`` is given back before. ``unheld`` is the file in place of which memory is
    used: other programs are not seen then, and no hard budget holds. Returns for each
    call why it was refused, and what this process may hold from now on.
    """
    for period, amount in held.items():
        _add(connection, period, used=0, reserved=-amount)
    sums: dict[BudgetPeriod, _Sums] = {}
    refusals: list[Refusal | None] = []
    for parts in wanted:
        refusal = None
        for part in parts:
            if part.period not in sums:
                sums[part.period] = _sums(connection, part)
            known = sums[part.period]
            lacks = known.left < part.wanted or unheld is not None
            if part.is_hard and part.wanted > 0 and lacks:
                taken = known.used + known.reserved
                refusal = refusal or Refusal(part.period, taken, known.limit, unheld)
        refusals.append(refusal)
        if refusal is None:
            for part in parts:
                sums[part.period].reserved += part.wanted
    blocks = {}
    for period, known in sums.items():
        if known.left * _PLENTY > known.limit and (block := known.left // _BLOCK):
            blocks[period] = block
            known.reserved += block
        connection.execute(
            "UPDATE budgets SET reserved = ?"
            " WHERE (name, unit, period, starts) = (?, ?, ?, ?)",
            (known.reserved, *period.key),
        )
    return refusals, blocks


def settle_in(
    connection: sqlite3.Connection, settled: Iterable[tuple[Reservation, Amounts]]
) -> list[BudgetAlert]:
    """Add what calls used, and return the thresholds that were passed by it."""
    changes: dict[BudgetPeriod, tuple[int, int]] = {}
    for reservation, amounts in settled:
        for period in reservation.periods:
            used, reserved = changes.get(period, (0, 0))
            changes[period] = (
                used + amounts.of(period.unit),
                reserved - reservation.wanted.of(period.unit),
            )
    alerts = []
    for period, (used, reserved) in changes.items():
        _add(connection, period, used=used, reserved=reserved)
        if used:
            alerts += _passed(connection, period)
    return alerts


def raise_budget(folder: Path, name: str, unit: Unit, amount: int) -> bool:
    """Allow ``amount`` more of a budget until its present period ends.

    Money is in 10⁻⁹ USD. Returns whether the ledger knows such a budget. Thresholds
    above what is used of the new sum are told again. Raises ``ConfigError``.
    """
    with changing(folder) as connection:
        found = connection.execute(
            "SELECT period, starts, used, amount + raised FROM budgets"
            " WHERE name = ? AND unit = ? AND ends > ? AND period != 'bill'",
            (name, unit, time.time()),
        ).fetchall()
        for period, starts, used, limit in found:
            percent = _percent(used, limit + amount)
            told = max((t for t in THRESHOLDS if t <= percent), default=0)
            connection.execute(
                "UPDATE budgets SET raised = min(raised + ?, ?), told = min(told, ?)"
                " WHERE (name, unit, period, starts) = (?, ?, ?, ?)",
                (amount, _MOST, told, name, unit, period, starts),
            )
    return bool(found)


def put_period(folder: Path, start: float, end: float) -> None:
    """Keep when the account's own period begins and ends, in seconds of the Unix clock.

    Budgets of ``period: account`` follow it; the calendar month where none is known.
    Raises ``ConfigError``.
    """
    if not 0 <= start < end:
        return
    with changing(folder) as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO facts VALUES (?, ?)",
            [(_STARTS, int(start)), (_ENDS, int(end))],
        )


def credit_alerts(
    folder: Path,
    *,
    used: int,
    included: int,
    limit: int | None,
    period: tuple[float, float],
) -> tuple[BudgetAlert, ...]:
    """Return the thresholds of an account's credits that were passed, each told once.

    Amounts are in 10⁻⁹ USD: ``used`` of what is ``included`` (the budget "credits"),
    and of the spending ``limit`` where there is one ("spending limit"). They are
    logged as well. Raises ``ConfigError``.
    """
    alerts: list[BudgetAlert] = []
    starts, ends = map(int, period)
    with changing(folder) as connection:
        for name, amount in ((CREDITS, included), (SPENDING_LIMIT, limit)):
            if not amount or amount > _MOST:
                continue
            known = BudgetPeriod(name, "dollars", "bill", starts, ends)
            connection.execute(
                "INSERT INTO budgets (name, unit, period, starts, ends, assumed, hard,"
                " amount, used) VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?)"
                " ON CONFLICT (name, unit, period, starts) DO UPDATE SET"
                " ends = excluded.ends, amount = excluded.amount, used = excluded.used",
                (*known.key, ends, amount, min(used, _MOST)),
            )
            alerts += _passed(connection, known)
    log_alerts(alerts)
    return tuple(alerts)


def log_alerts(alerts: Iterable[BudgetAlert]) -> None:
    """Log a warning for each threshold that was passed."""
    for alert in alerts:
        _log.warning("%s", alert_text(alert))


def alert_text(alert: BudgetAlert) -> LocalizedText:
    """Return the sentence that tells a threshold was passed."""
    return text(
        "storage.budget_alert",
        percent=alert.percent,
        budget=alert.budget,
        used=amount_text(alert.used, alert.unit),
        limit=amount_text(alert.limit, alert.unit),
        ends=_moment(alert.ends),
    )


def amount_text(amount: int, unit: Unit) -> str:
    """Return an amount for people: "$12.34", "30,000 calls"."""
    match unit:
        case "dollars":
            return dollars(amount)
        case "tokens":
            return text("storage.tokens", count=f"{amount:,}")
        case "calls":
            count, one = f"{amount:,}", amount == 1
            return text("storage.call" if one else "storage.calls", count=count)


def period_at(
    kind: PeriodKind, now: float, account: tuple[float, float] | None
) -> tuple[int, int, bool]:
    """Return when the period of ``now`` starts and ends, and whether it is assumed.

    Days and months are of the calendar, in UTC. ``account`` is a period of the
    account's own, and its next ones begin on the same day of their months.
    """
    at = datetime.fromtimestamp(now, UTC)
    if kind == "day":
        start = at.replace(hour=0, minute=0, second=0, microsecond=0)
        return int(start.timestamp()), int((start + _ONE_DAY).timestamp()), False
    if kind == "account" and account is not None:
        starts, ends = map(int, account)
        for _ in range(_MOST_MONTHS):
            if now < ends:
                return starts, ends, False
            starts, ends = ends, _month_after(ends, int(account[1]))
    start = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    starts = int(start.timestamp())
    return starts, _month_after(starts, starts), kind == "account"


_ONE_DAY: Final = timedelta(days=1)
_FOUR_DAYS: Final = timedelta(days=4)


@define
class _Sums:
    limit: int
    used: int
    reserved: int

    @property
    def left(self) -> int:
        return self.limit - self.used - self.reserved


def _sums(connection: sqlite3.Connection, part: BudgetPart) -> _Sums:
    """Return the sums of a budget's period, begun if it is new."""
    period, limit = part.period, min(part.limit, _MOST)
    found = connection.execute(
        "SELECT raised, used, reserved FROM budgets"
        " WHERE (name, unit, period, starts) = (?, ?, ?, ?)",
        period.key,
    ).fetchone()
    if found is not None:
        connection.execute(
            "UPDATE budgets SET ends = ?, assumed = ?, hard = ?, amount = ?"
            " WHERE (name, unit, period, starts) = (?, ?, ?, ?)",
            (period.ends, period.is_assumed, part.is_hard, limit, *period.key),
        )
        raised, used, reserved = found
        return _Sums(limit + raised, used, reserved)
    used = reserved = told = 0
    if period.period == "account":
        # Where the account's own period was not known, or is another than was thought,
        # what was used in the one that stood for it is used in this one.
        before = connection.execute(
            "SELECT used, reserved, told FROM budgets WHERE name = ? AND unit = ?"
            " AND period = ? AND starts < ? AND ends > ? ORDER BY starts DESC LIMIT 1",
            (*period.key[:3], period.ends - DAY, period.starts + DAY),
        ).fetchone()
        used, reserved, told = before or (0, 0, 0)
    connection.execute(
        "INSERT INTO budgets (name, unit, period, starts, ends, assumed, hard, amount,"
        " used, reserved, told) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *period.key,
            period.ends,
            period.is_assumed,
            part.is_hard,
            limit,
            used,
            reserved,
            told,
        ),
    )
    return _Sums(limit, used, reserved)


def _add(
    connection: sqlite3.Connection, period: BudgetPeriod, *, used: int, reserved: int
) -> None:
    connection.execute(
        "UPDATE budgets SET used = min(max(used + ?, 0), ?),"
        " reserved = max(reserved + ?, 0)"
        " WHERE (name, unit, period, starts) = (?, ?, ?, ?)",
        (used, _MOST, reserved, *period.key),
    )


def _passed(connection: sqlite3.Connection, period: BudgetPeriod) -> list[BudgetAlert]:
    """Return the thresholds that nobody has told yet, and note that they are told."""
    found = connection.execute(
        "SELECT used, amount + raised, told FROM budgets"
        " WHERE (name, unit, period, starts) = (?, ?, ?, ?)",
        period.key,
    ).fetchone()
    if found is None:
        return []
    used, limit, told = found
    percent = _percent(used, limit)
    passed = [each for each in THRESHOLDS if told < each <= percent]
    if passed:
        connection.execute(
            "UPDATE budgets SET told = ?"
            " WHERE (name, unit, period, starts) = (?, ?, ?, ?)",
            (passed[-1], *period.key),
        )
    return [
        BudgetAlert(period.name, each, used, limit, period.unit, period.ends)
        for each in passed
    ]


def _percent(used: int, limit: int) -> int:
    if limit <= 0:
        return THRESHOLDS[-1] if used else 0
    return used * 100 // limit


def _month_after(start: int, first: int) -> int:
    """Return the moment a month after ``start``, on the day of ``first`` if it can."""
    at = datetime.fromtimestamp(start, UTC)
    day = datetime.fromtimestamp(first, UTC).day
    # The 28th is in every month, and four days on from it in the next.
    next_month = at.replace(day=28) + _FOUR_DAYS
    last = (next_month.replace(day=28) + _FOUR_DAYS).replace(day=1) - _ONE_DAY
    return int(next_month.replace(day=min(day, last.day)).timestamp())


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
