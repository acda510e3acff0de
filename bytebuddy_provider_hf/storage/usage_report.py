"""Read what was used: sums of the ledger by model, provider, role, day and more."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from attrs import define, evolve, field, frozen

from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.storage.attempt import Payer
from bytebuddy_provider_hf.storage.attempt_rows import (
    NO_REASON,
    PROBE,
    AttemptKey,
    AttemptRow,
    read_rows,
)
from bytebuddy_provider_hf.storage.bills import SETTLED_AFTER
from bytebuddy_provider_hf.storage.budgets import PeriodKind, Unit
from bytebuddy_provider_hf.storage.counter import read_counts, unaccounted
from bytebuddy_provider_hf.storage.database import (
    DAY,
    FILE_ERRORS,
    day_number,
    day_of,
    open_to_read,
    reason_of,
    warn_once,
)
from bytebuddy_provider_hf.storage.shared_database import NewerDatabase
from bytebuddy_provider_hf.texts import text

Dimension: TypeAlias = Literal[
    "model", "provider", "role", "day", "origin", "session", "identity", "bill_to"
]
# What is known of an attempt's cost: each is in exactly one of these. "refused" was
# answered by an error, which nobody is charged for; "estimated" was not reconciled yet.
Settlement: TypeAlias = Literal["billed", "pending", "unpriced", "estimated", "refused"]


@frozen
class UsageRow:
    """What was used under one ``key`` of the dimension asked for.

    ``calls`` are first attempts that were no probe. Amounts are in 10⁻⁹ USD and never
    added to each other; ``None`` is unknown. ``estimated`` is the sum of what has a
    price, with ``ceiling`` it cost that or less. ``pending`` attempts are younger than
    30 minutes and on no bill yet. ``unpriced`` counts attempts without an estimate by
    reason. ``tokens_unknown`` counts answers that did not tell their tokens.

    A session's bill is one amount: where its attempts differ in the dimension, it
    stands under the key "".
    """

    key: str
    attempts: int = 0
    calls: int = 0
    failed: int = 0
    absorbed: int = 0
    cut: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    tokens_unknown: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    estimated: int | None = None
    ceiling: bool = False
    reported: int | None = None
    billed: int | None = None
    pending: int = 0
    unpriced: Mapping[str, int] = field(factory=dict)


@frozen
class BudgetState:
    """How much of a budget is used in its present period.

    ``reserved`` is for calls under way, and for those of programs that were killed.
    ``limit`` is what the configuration says, ``raised`` what was allowed beyond it.
    ``is_assumed`` marks a calendar month that stands for the account's own period.
    """

    name: str
    unit: Unit
    used: int
    reserved: int
    limit: int
    hard: bool
    starts: float
    ends: float
    period: PeriodKind
    raised: int
    is_assumed: bool = False


@frozen
class BillTotal:
    """What an account's bill says of a period, all its programs together.

    ``bill_to`` is the organization, "" for the account of the token that ``identity``
    stands for; ``limit`` is ``None`` where there is none. Amounts are in 10⁻⁹ USD.
    """

    bill_to: str
    identity: str
    starts: float
    ends: float
    used: int
    included: int
    limit: int | None
    requests: int
    read_at: float


@frozen
class UsageReport:
    """What the ledger knows of the days ``since`` to ``until``, both included (UTC).

    ``days`` has every day of them; ``unaccounted`` are requests that programs which
    were killed, or still run, may have sent; ``first`` is the first day of all.
    ``settlement`` counts the attempts that are kept one by one, for 90 days.
    """

    since: date
    until: date
    by: Dimension
    rows: tuple[UsageRow, ...]
    total: UsageRow
    days: tuple[UsageRow, ...]
    budgets: tuple[BudgetState, ...] = ()
    unaccounted: int = 0
    first: date | None = None
    settlement: Mapping[Settlement, int] = field(factory=dict)
    bills: tuple[BillTotal, ...] = ()


# The columns of the table "days" that are counts, in its order and that of a row.
COUNTS: Final = (
    "attempts",
    "calls",
    "failed",
    "absorbed",
    "cut",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "tokens_unknown",
)
_NO_KEY: Final = AttemptKey("", "", "", "", "", "")


def read_usage(
    folder: Path,
    *,
    since: date,
    until: date,
    by: Dimension,
    payer: Payer | None = None,
    now: float | None = None,
    strict: bool = False,
) -> UsageReport:
    """Return the usage of the days ``since`` to ``until``, both included, in UTC.

    Where ``payer`` is given, the report is of that model and account alone. Blocks;
    works while others write. Without a file the report is empty, and with one that
    cannot be read as well, which a warning says; ``strict`` raises ``ConfigError``
    instead.
    """
    now = time.time() if now is None else now
    path = folder / USAGE.name
    try:
        connection = open_to_read(folder)
        if connection is not None:
            with contextlib.closing(connection):
                # All of it as it is at one moment.
                connection.execute("BEGIN")
                reading = _Reading(
                    folder,
                    connection,
                    since=since,
                    until=until,
                    by=by,
                    payer=payer,
                    now=now,
                )
                return reading.report()
    except (NewerDatabase, PermissionError, *FILE_ERRORS) as error:
        if isinstance(error, NewerDatabase):
            said, hint = text("storage.newer", path=path), None
        else:
            said = text("storage.unreadable", path=path, reason=reason_of(error))
            hint = text("storage.readable_again")
        if strict:
            raise ConfigError(said, hint=hint) from error
        warn_once(said)
    days = range(day_number(since), day_number(until) + 1)
    return UsageReport(
        since=since,
        until=until,
        by=by,
        rows=(),
        total=UsageRow(""),
        days=tuple(UsageRow(day_of(day).isoformat()) for day in days),
    )


@define
class _Totals:
    """Sums that become a row."""

    counts: list[int] = field(factory=lambda: [0] * len(COUNTS))
    seconds: float = 0.0
    waited: float = 0.0
    estimated: int = 0
    priced: int = 0
    ceilings: int = 0
    reported: int = 0
    reports: int = 0
    billed: int = 0
    bills: int = 0
    pending: int = 0
    unpriced: Counter[str] = field(factory=Counter)

    def add_day(self, row: Sequence[Any]) -> None:
        """Add a row of the table ``days``, without its first two columns."""
        counts, money = row[: len(COUNTS)], row[len(COUNTS) :]
        self.counts = [a + b for a, b in zip(self.counts, counts, strict=True)]
        seconds, waited, estimated, priced, ceilings, *rest = money
        reported, reports, billed, bills = rest
        self.seconds += seconds
        self.waited += waited
        self.estimated += estimated
        self.priced += priced
        self.ceilings += ceilings
        self.reported += reported
        self.reports += reports
        self.billed += billed
        self.bills += bills

    def row(self, key: str) -> UsageRow:
        """Return the sums as a row of a report; what is unknown is ``None``."""
        counts: dict[str, Any] = dict(zip(COUNTS, self.counts, strict=True))
        return UsageRow(
            key,
            **counts,
            seconds=self.seconds,
            waited=self.waited,
            estimated=self.estimated if self.priced else None,
            ceiling=bool(self.ceilings),
            reported=self.reported if self.reports else None,
            billed=self.billed if self.bills else None,
            pending=self.pending,
            unpriced={reason: n for reason, n in sorted(self.unpriced.items()) if n},
        )

    def add_attempt(self, row: AttemptRow, role: str) -> None:
        """Add an attempt that is kept by itself."""
        is_probe = role == PROBE
        tokens = (
            row.prompt_tokens,
            row.cached_tokens,
            row.completion_tokens,
            row.reasoning_tokens,
        )
        is_unknown = (
            not is_probe
            and row.is_charged
            and (row.prompt_tokens is None or row.completion_tokens is None)
        )
        known = row.estimated is not None
        self.add_day(
            (
                1,
                row.number == 1 and not is_probe,
                row.outcome == "failed",
                row.outcome == "absorbed",
                row.outcome == "cut",
                *(each or 0 for each in tokens),
                is_unknown,
                row.seconds,
                row.waited,
                row.estimated or 0,
                known,
                row.is_ceiling,
                row.reported or 0,
                row.reported is not None,
                0,
                0,
            )
        )
        if not known and (row.status is None or row.is_charged):
            self.unpriced[row.unpriced or NO_REASON] += 1


class _Reading:
    """The tables of one report, read once."""

    def __init__(
        self,
        folder: Path,
        connection: sqlite3.Connection,
        *,
        since: date,
        until: date,
        by: Dimension,
        payer: Payer | None,
        now: float,
    ) -> None:
        self.folder = folder
        self.connection = connection
        self.since, self.until, self.now = since, until, now
        self.by: Dimension = by
        self.days = (day_number(since), day_number(until))
        self.keys = {
            number: AttemptKey(*fields)
            for number, *fields in connection.execute("SELECT * FROM keys")
        }
        self.others: set[int] = set()
        if payer is not None:
            wanted = (payer.identity, payer.bill_to, payer.origin, payer.model)
            self.others = {n for n, key in self.keys.items() if key[:4] != wanted}
        self.groups: defaultdict[str, _Totals] = defaultdict(_Totals)
        self.by_day: defaultdict[int, _Totals] = defaultdict(_Totals)
        self.total = _Totals()
        self.settlement: Counter[Settlement] = Counter()

    def report(self) -> UsageReport:
        """Return the whole report."""
        self.add_days()
        self.add_attempts()
        rows = [totals.row(key) for key, totals in self.groups.items()]
        rows.sort(key=lambda row: (0 if self.by == "day" else -row.attempts, row.key))
        first = self.connection.execute("SELECT min(day) FROM days").fetchone()[0]
        blocks = self.connection.execute(
            "SELECT granted, recorded, place FROM blocks WHERE day BETWEEN ? AND ?",
            self.days,
        )
        bills = self.connection.execute(
            "SELECT bill_to, identity, starts, ends, used, included, most, requests,"
            " read_at FROM bill_periods WHERE ends > ? AND starts < ? ORDER BY starts",
            (self.days[0] * DAY, (self.days[1] + 1) * DAY),
        )
        return UsageReport(
            since=self.since,
            until=self.until,
            by=self.by,
            rows=tuple(rows),
            total=self.total.row(""),
            days=tuple(
                self.by_day[day].row(day_of(day).isoformat())
                for day in range(self.days[0], self.days[1] + 1)
            ),
            budgets=self.budgets(),
            unaccounted=sum(unaccounted(blocks, read_counts(self.folder))),
            first=None if first is None else day_of(first),
            settlement=dict(self.settlement),
            bills=tuple(BillTotal(*bill) for bill in bills),
        )

    def _totals(self, day: int, key: int) -> list[_Totals]:
        """Return the sums that an entry of a day and key belongs to."""
        if key in self.others:
            return []
        found = [self.total, self.by_day[day]]
        if self.by == "day":
            found.append(self.groups[day_of(day).isoformat()])
        elif self.by != "session":
            found.append(self.groups[getattr(self.keys.get(key, _NO_KEY), self.by)])
        return found

    def add_days(self) -> None:
        """Add the sums of the days."""
        for day, key, *row in self.connection.execute(
            "SELECT * FROM days WHERE day BETWEEN ? AND ?", self.days
        ):
            for totals in self._totals(day, key):
                totals.add_day(row)
        for day, key, reason, attempts in self.connection.execute(
            "SELECT * FROM unpriced WHERE day BETWEEN ? AND ?", self.days
        ):
            for totals in self._totals(day, key):
                totals.unpriced[reason] += attempts

    def add_attempts(self) -> None:
        """Add what only the attempts themselves tell: sessions, and what is pending."""
        bills = defaultdict(list)
        for session, *bill in self.connection.execute(
            "SELECT session, starts, ends, read_at, is_whole FROM bills"
        ):
            bills[session].append(bill)
        periods = self.connection.execute(
            "SELECT bill_to, identity, starts, ends, read_at FROM bill_periods"
        ).fetchall()
        for day, number, rows in self.connection.execute(
            "SELECT day, key, rows FROM attempts WHERE day BETWEEN ? AND ?", self.days
        ):
            if number in self.others:
                continue
            key = self.keys.get(number, _NO_KEY)
            mine = [
                bill[2:]
                for bill in periods
                if bill[0] == key.bill_to and (bill[0] or bill[1] in ("", key.identity))
            ]
            groups = self._totals(day, number)
            try:
                attempts = read_rows(rows)
            except ValueError:
                # The sums of its day are kept apart, and are right.
                path = self.folder / USAGE.name
                warn_once(text("storage.attempts_damaged", path=path))
                continue
            for row in attempts:
                state = _settlement(row, bills.get(row.session, ()), mine, self.now)
                self.settlement[state] += 1
                if self.by == "session":
                    self.groups[row.session].add_attempt(row, key.role)
                    self.groups[row.session].pending += state == "pending"
                if state == "pending":
                    for totals in groups:
                        totals.pending += 1
        if self.by == "session":
            for session, cost in self.connection.execute(
                "SELECT session, cost FROM bills WHERE day BETWEEN ? AND ?", self.days
            ):
                self.groups[session].billed += cost
                self.groups[session].bills += 1

    def budgets(self) -> tuple[BudgetState, ...]:
        """Return the budgets of the present periods, one for each kind of period."""
        found: dict[tuple[str, str, str], BudgetState] = {}
        for row in self.connection.execute(
            "SELECT name, unit, used, reserved, amount, hard, starts, ends, period,"
            " raised, assumed FROM budgets WHERE ends > ?"
            " ORDER BY name, unit, period, assumed DESC, starts",
            (self.now,),
        ):
            state = BudgetState(*row)
            state = evolve(
                state, hard=bool(state.hard), is_assumed=bool(state.is_assumed)
            )
            # The last is known, and the latest.
            found[state.name, state.unit, state.period] = state
        return tuple(found.values())


def _settlement(
    row: AttemptRow,
    bills: Sequence[Sequence[Any]],
    periods: Sequence[Sequence[Any]],
    now: float,
) -> Settlement:
    """Return what is known of an attempt's cost.

    A bill of its session covers it if it counts as many requests as were sent, else as
    any bill of its time does: half an hour later, when nothing more is charged for.
    """
    at = row.at
    if row.is_pending:
        for starts, ends, read_at, is_whole in bills:
            if starts <= at < ends and at <= read_at - (
                0 if is_whole else SETTLED_AFTER
            ):
                return "billed"
        for starts, ends, read_at in periods:
            if starts <= at < ends and at <= read_at - SETTLED_AFTER:
                return "billed"
        if at > now - SETTLED_AFTER:
            return "pending"
    if row.status is not None and not row.is_charged:
        return "refused"
    return "unpriced" if row.estimated is None else "estimated"
