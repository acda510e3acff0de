"""Keep what a bill says beside the attempts that it is for.

A bill names sessions, not requests: the attempts of a session become billed as a group.
Its amount is added to the sums of the day of the first of them, under what they have
in common: no part of it is guessed.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from bytebuddy_provider_hf.storage.attempt_rows import (
    AttemptKey,
    add_bill,
    put_key,
    read_rows,
)
from bytebuddy_provider_hf.storage.database import DAY, changing

# Hugging Face charges nothing for what it could not price within half an hour.
SETTLED_AFTER: Final = 1_800.0
# Sessions of one bill that are kept, and the most that one of them may cost.
_MOST_SESSIONS: Final = 100_000
_MOST: Final = 10**15


@frozen
class BilledSession:
    """What the bill says of one session in one of its periods; cost in 10⁻⁹ USD."""

    session: str
    cost: int
    requests: int
    starts: float
    ends: float


@frozen
class BilledPeriod:
    """What the bill says of a whole period; amounts in 10⁻⁹ USD."""

    starts: float
    ends: float
    used: int
    included: int
    limit: int | None
    requests: int


@frozen
class BillMatch:
    """Which sessions of a bill the ledger knows; cost in 10⁻⁹ USD, requests as billed.

    Those it does not know are other programs', or older than its rows.
    """

    sessions: int
    cost: int
    requests: int
    unknown_sessions: int
    unknown_cost: int


@define
class _Found:
    """The attempts of one session in one period of the bill."""

    attempts: int = 0
    day: int | None = None
    keys: set[int] = field(factory=set)


def put_bill(
    folder: Path,
    *,
    identity: str,
    bill_to: str,
    sessions: Sequence[BilledSession],
    periods: Sequence[BilledPeriod],
    read_at: float,
) -> BillMatch:
    """Keep a bill, read at ``read_at`` with the token of ``identity``.

    Each session's attempts become billed as a group; a session or period that was
    kept before is replaced. ``bill_to`` is the organization, "" for the token's owner.
    Blocks. Raises ``ConfigError``.
    """
    known = [
        each
        for each in sessions[:_MOST_SESSIONS]
        if 0 <= each.cost <= _MOST and 0 <= each.starts < each.ends
    ]
    with changing(folder) as connection:
        found = _attempts_of(connection, known, read_at)
        keys = {
            number: AttemptKey(*fields)
            for number, *fields in connection.execute("SELECT * FROM keys")
        }
        matched = [
            each
            for each in known
            if _put_session(
                connection,
                each,
                found[each.session, each.starts],
                keys,
                bill_to=bill_to,
                read_at=read_at,
            )
        ]
        connection.executemany(
            "INSERT OR REPLACE INTO bill_periods VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    bill_to,
                    identity,
                    each.starts,
                    each.ends,
                    min(each.used, _MOST),
                    min(each.included, _MOST),
                    None if each.limit is None else min(each.limit, _MOST),
                    each.requests,
                    read_at,
                )
                for each in periods
                if 0 <= each.starts < each.ends
            ],
        )
    return BillMatch(
        sessions=len(matched),
        cost=sum(each.cost for each in matched),
        requests=sum(each.requests for each in matched),
        unknown_sessions=len(known) - len(matched),
        unknown_cost=sum(each.cost for each in known)
        - sum(each.cost for each in matched),
    )


def _attempts_of(
    connection: sqlite3.Connection, sessions: Iterable[BilledSession], read_at: float
) -> defaultdict[tuple[str, float], _Found]:
    """Return what is kept of each session and period of a bill."""
    wanted = defaultdict(list)
    for each in sessions:
        wanted[each.session].append(each)
    first = min((each.starts for each in sessions), default=0.0)
    found: defaultdict[tuple[str, float], _Found] = defaultdict(_Found)
    batches = connection.execute(
        "SELECT day, key, rows FROM attempts WHERE day >= ?", (int(first // DAY),)
    )
    for day, key, rows in batches:
        try:
            attempts = read_rows(rows)
        except ValueError:  # damaged: the report says so
            continue
        for row in attempts:
            if not row.is_pending or row.at > read_at:
                continue
            for each in wanted.get(row.session, ()):
                if each.starts <= row.at < each.ends:
                    mine = found[each.session, each.starts]
                    mine.attempts += 1
                    mine.day = day if mine.day is None else min(day, mine.day)
                    mine.keys.add(key)
    return found


def _put_session(
    connection: sqlite3.Connection,
    billed: BilledSession,
    found: _Found,
    keys: dict[int, AttemptKey],
    *,
    bill_to: str,
    read_at: float,
) -> bool:
    """Keep what a session cost, and return whether attempts of it are known."""
    day, number = found.day, None
    before = connection.execute(
        "SELECT cost, day, key FROM bills"
        " WHERE session = ? AND bill_to = ? AND starts = ?",
        (billed.session, bill_to, billed.starts),
    ).fetchone()
    if before is not None and before[1] is not None:
        cost, old_day, old_key = before
        add_bill(connection, old_day, old_key, billed=-cost, bills=-1)
        # Its attempts may be too old to be kept.
        day, number = old_day, old_key
    if found.keys:
        # What they have not in common is left open.
        shared = [
            values[0] if len(set(values)) == 1 else ""
            for values in zip(*(keys[each] for each in found.keys), strict=True)
        ]
        number = put_key(connection, AttemptKey(*shared), set())
    connection.execute(
        "INSERT OR REPLACE INTO bills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            billed.session,
            bill_to,
            billed.starts,
            billed.ends,
            billed.cost,
            billed.requests,
            read_at,
            billed.requests >= found.attempts,
            day,
            number,
        ),
    )
    if day is None or number is None:
        return False
    add_bill(connection, day, number, billed=billed.cost, bills=1)
    return True
