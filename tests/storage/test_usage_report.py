"""A report says what was used, names what it does not know, and adds no amounts up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from attrs import evolve, fields_dict
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds
from storage.ledgers import EACH, PAYER, attempt, usage

from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.money import NO_COST, Cost, Price
from bytebuddy_provider_hf.storage.attempt import Attempt, Payer
from bytebuddy_provider_hf.storage.bills import (
    BilledPeriod,
    BilledSession,
    BillMatch,
    put_bill,
)
from bytebuddy_provider_hf.storage.ledger import Ledger
from bytebuddy_provider_hf.storage.usage_report import (
    Dimension,
    UsageReport,
    UsageRow,
    read_usage,
)
from bytebuddy_provider_hf.types import Usage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0
MONTH = (datetime(2026, 11, 1, tzinfo=UTC).timestamp(), NOON + 11 * DAY)
SINCE, UNTIL = date(2026, 11, 1), date(2026, 11, 30)


def record(folder: Path, attempts: Iterable[Attempt], now: float = NOON) -> None:
    ledger = Ledger(folder, clock=lambda: now)

    async def run() -> None:
        for each in attempts:
            if not ledger.try_count():
                await ledger.count()
            ledger.record(each)
        await ledger.aclose()

    asyncio.run(run())


def report(
    folder: Path, by: Dimension = "model", *, now: float = NOON + 10
) -> UsageReport:
    return read_usage(folder, since=SINCE, until=UNTIL, by=by, now=now)


def by_key(rows: Iterable[UsageRow]) -> dict[str, int]:
    return {row.key: row.attempts for row in rows}


def made(at: float = NOON, session: str = "s", **changes: object) -> Attempt:
    return evolve(attempt(at, session=session), **changes)  # type: ignore[arg-type]  # its fields


def test_without_a_file_nothing_was_used(tmp_path: Path) -> None:
    """An empty report has every day, and no file is made for it."""
    found = report(tmp_path)
    assert (found.rows, found.total, found.first) == ((), UsageRow(""), None)
    assert [row.key for row in found.days] == [f"2026-11-{d:02}" for d in range(1, 31)]
    assert found.total.estimated is None
    assert list(tmp_path.iterdir()) == []


def test_every_dimension(tmp_path: Path) -> None:
    """The same attempts are summed up by whatever was asked."""
    other = evolve(PAYER, model="c/d", bill_to="org", identity="f" * 16)
    record(
        tmp_path,
        [
            made(),
            made(NOON + 1, "t", payer=other, provider="together"),
            made(NOON - DAY, "t", role="fill"),
            made(NOON - 40 * DAY, "old"),
        ],
    )
    shown: dict[Dimension, dict[str, int]] = {
        "model": {"a/b": 2, "c/d": 1},
        "provider": {"groq": 2, "together": 1},
        "role": {"chat": 2, "fill": 1},
        "day": {"2026-11-19": 1, "2026-11-20": 2},
        "origin": {PAYER.origin: 3},
        "session": {"s": 1, "t": 2},
        "identity": {"0123456789abcdef": 2, "f" * 16: 1},
        "bill_to": {"": 2, "org": 1},
    }
    for by, expected in shown.items():
        found = report(tmp_path, by)
        assert by_key(found.rows) == expected, by
        assert found.total.attempts == 3
        assert sum(row.estimated or 0 for row in found.rows) == 3 * EACH
        assert {row.key: row.attempts for row in found.days if row.attempts} == {
            "2026-11-19": 1,
            "2026-11-20": 2,
        }
        assert found.first == date(2026, 10, 11)


def test_what_became_of_attempts(tmp_path: Path) -> None:
    """Probes are no calls; failed, absorbed and cut ones are counted apart."""
    record(
        tmp_path,
        [
            made(),
            made(role="probe", usage=None, cost=NO_COST),
            made(number=2, waited=1.5),
            made(outcome="failed", status=429, usage=None, cost=NO_COST),
            made(outcome="absorbed", status=503, usage=None, cost=NO_COST),
            made(outcome="cut", usage=None, cost=Cost(unpriced="answer cut")),
        ],
    )
    total = report(tmp_path).total
    assert (total.attempts, total.calls) == (6, 4)
    assert (total.failed, total.absorbed, total.cut) == (1, 1, 1)
    assert (total.tokens_unknown, total.waited) == (1, 1.5)
    # What an error answered needs no price; whoever says no reason has found no price.
    assert total.unpriced == {"answer cut": 1, "no price": 1}
    assert report(tmp_path).settlement == {"pending": 2, "refused": 2, "unpriced": 2}


def test_unknown_is_not_nothing(tmp_path: Path) -> None:
    """An amount that nobody knows is ``None``; nothing that is known to cost is 0."""
    record(tmp_path, [made(usage=None, cost=Cost(unpriced="not metered"))])
    total = report(tmp_path).total
    assert (total.estimated, total.reported, total.billed) == (None, None, None)
    assert total.unpriced == {"not metered": 1}
    record(tmp_path, [made(cost=Cost(estimated=0, reported=7, is_ceiling=True))])
    total = report(tmp_path).total
    assert (total.estimated, total.reported, total.ceiling) == (0, 7, True)


def test_a_price_that_comes_late(tmp_path: Path) -> None:
    """Attempts of today get the estimate that they were written without."""
    waiting = Cost(unpriced="not asked yet", is_pending=True)
    ledger = Ledger(tmp_path, clock=lambda: NOON)
    cached = Usage(28, 100, 128, cached_tokens=8)

    async def run() -> None:
        await ledger.count()
        for each in (
            made(cost=waiting),
            made(cost=waiting, usage=cached),
            made(cost=waiting, usage=None),
            made(cost=waiting, outcome="cut"),
            made(cost=waiting, provider="together"),
            made(NOON - DAY, cost=waiting),
            made(),
        ):
            ledger.record(each)
        await ledger.flush()
        assert report(tmp_path).total.unpriced == {"not asked yet": 6}
        ledger.record(made(cost=waiting))
        price = Price(100_000_000, 300_000_000)
        ledger.reprice(PAYER.origin, "a/b", "groq", price, "2026-11-20")
        await ledger.aclose()

    asyncio.run(run())
    total = report(tmp_path).total
    assert total.estimated == 4 * EACH
    assert total.ceiling
    assert total.unpriced == {
        "answer cut": 1,
        "not asked yet": 2,
        "tokens unknown": 1,
    }
    by_session = report(tmp_path, "session").rows[0]
    assert (by_session.estimated, by_session.unpriced) == (4 * EACH, total.unpriced)


def billed(session: str, cost: int, requests: int) -> BilledSession:
    return BilledSession(session, cost, requests, *MONTH)


def reconcile(
    folder: Path,
    sessions: Sequence[BilledSession],
    read_at: float,
    *,
    periods: Sequence[BilledPeriod] = (),
) -> BillMatch:
    return put_bill(
        folder,
        identity=PAYER.identity,
        bill_to="",
        sessions=sessions,
        periods=periods,
        read_at=read_at,
    )


def test_a_sessions_attempts_are_billed_together(tmp_path: Path) -> None:
    """A bill is shown where all its attempts are; where they differ, under no key."""
    record(
        tmp_path,
        [
            made(NOON, "one"),
            made(NOON + 1, "one"),
            made(NOON + 2, "both"),
            made(NOON + 3, "both", payer=evolve(PAYER, model="c/d")),
        ],
    )
    match = reconcile(
        tmp_path,
        [billed("one", 70_000, 2), billed("both", 5, 2), billed("theirs", 9, 1)],
        NOON + 5,
    )
    assert match == BillMatch(2, 70_005, 4, 1, 9)
    found = report(tmp_path)
    assert {row.key: (row.attempts, row.billed) for row in found.rows} == {
        "a/b": (3, 70_000),
        "c/d": (1, None),
        "": (0, 5),
    }
    assert (found.total.billed, found.total.estimated) == (70_005, 4 * EACH)
    assert found.settlement == {"billed": 4}
    assert {row.key: row.billed for row in report(tmp_path, "session").rows} == {
        "one": 70_000,
        "both": 5,
    }
    # Read again: replaced, not added.
    reconcile(tmp_path, [billed("one", 80_000, 2), billed("both", 6, 2)], NOON + 60)
    assert report(tmp_path).total.billed == 80_006
    assert report(tmp_path, "provider").rows[0].billed == 80_006


def test_pending_until_a_bill_covers_it(tmp_path: Path) -> None:
    """Until then, or for half an hour, after which nothing more is charged for."""
    record(tmp_path, [made(NOON), made(NOON + 1)])
    assert report(tmp_path).total.pending == 2
    late = NOON + 1_801
    assert report(tmp_path, now=late).total.pending == 0
    assert report(tmp_path, now=late).settlement == {"estimated": 2}
    # The bill counts one of them so far.
    reconcile(tmp_path, [billed("s", 1, 1)], NOON + 5)
    assert report(tmp_path).settlement == {"pending": 2}
    reconcile(tmp_path, [billed("s", 2, 2)], NOON + 6)
    assert report(tmp_path).settlement == {"billed": 2}
    record(tmp_path, [made(NOON + 7)])
    assert report(tmp_path).settlement == {"billed": 2, "pending": 1}


def test_a_periods_bill_covers_what_has_no_session(tmp_path: Path) -> None:
    """Of its own account, half an hour after; sums of it stand apart."""
    record(
        tmp_path,
        [
            made(NOON, ""),
            made(NOON, "", payer=Payer("e" * 16, "", PAYER.origin, "a/b")),
            made(NOON, "", payer=evolve(PAYER, bill_to="org")),
        ],
    )
    period = BilledPeriod(*MONTH, 5_000, 2_000, None, 77)
    late = NOON + 2_000
    reconcile(tmp_path, [], NOON + 100, periods=[period])
    assert report(tmp_path, now=late).settlement == {"estimated": 3}
    reconcile(tmp_path, [], late, periods=[period])
    found = report(tmp_path, now=late)
    assert found.settlement == {"billed": 1, "estimated": 2}
    (bill,) = found.bills
    assert (bill.used, bill.included, bill.limit, bill.requests) == (
        *(5_000, 2_000, None, 77),
    )
    assert found.total.billed is None


def test_after_reconciling_each_call_is_in_one_state(tmp_path: Path) -> None:
    """Of what went through the router: billed, pending, or unpriced."""
    calls = [
        made(NOON, f"s{number // 5}", cost=cost, outcome=outcome)
        for number, (cost, outcome) in enumerate(
            [
                (Cost(estimated=EACH, is_pending=True), "complete"),
                (Cost(unpriced="answer cut", is_pending=True), "cut"),
                (Cost(unpriced="compute time", is_pending=True), "complete"),
                (Cost(estimated=0, is_pending=True), "complete"),
                (Cost(unpriced="not metered"), "complete"),
            ]
            * 10
        )
    ]
    record(tmp_path, calls)
    reconcile(tmp_path, [billed(f"s{n}", 0, 4) for n in range(7)], NOON + 1)
    found = report(tmp_path)
    assert found.settlement == {"billed": 28, "pending": 12, "unpriced": 10}
    assert sum(found.settlement.values()) == found.total.attempts
    assert found.total.billed == 0
    assert found.total.unpriced == {
        "answer cut": 10,
        "compute time": 10,
        "not metered": 10,
    }


def test_a_damaged_batch_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Sums of days stay; a warning says what is missing."""
    record(tmp_path, [made()])
    with closing(sqlite3.connect(tmp_path / USAGE.name)) as connection, connection:
        connection.execute("UPDATE attempts SET rows = '[[1,2' || rows")
    for _ in range(2):
        assert report(tmp_path).total.attempts == 1
    assert reconcile(tmp_path, [billed("s", 1, 1)], NOON + 9).sessions == 0
    (record_,) = caplog.records
    assert "Some entries of" in record_.getMessage()


COSTS = st.builds(
    Cost,
    estimated=st.none() | st.integers(0, 10**12),
    is_ceiling=st.booleans(),
    priced_on=st.just("2026-11-20"),
    reported=st.none() | st.integers(0, 10**12),
    is_pending=st.booleans(),
    unpriced=st.sampled_from(["", "no price", "tokens unknown", "answer cut"]),
)
COUNT = st.none() | st.integers(0, 10**6)
ATTEMPTS = st.builds(
    Attempt,
    payer=st.sampled_from([PAYER, evolve(PAYER, model="c/d")]),
    role=st.sampled_from(["chat", "probe", "embed"]),
    at=st.floats(NOON - 3 * DAY, NOON + DAY),
    session=st.sampled_from(["", "s", "t"]),
    number=st.integers(1, 3),
    waited=st.floats(0, 10),
    seconds=st.floats(0, 10),
    outcome=st.sampled_from(
        ["sent", "complete", "cut", "failed", "absorbed", "cancelled"]
    ),
    status=st.none() | st.sampled_from([200, 302, 404, 429, 500]),
    provider=st.sampled_from(["", "groq", "together"]),
    usage=st.none() | st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT),
    cost=COSTS,
)


@settings(max_examples=rounds(15, long=1_000), deadline=None)
@given(st.lists(ATTEMPTS, min_size=1, max_size=40))
def test_sums_are_those_of_the_attempts(
    tmp_path_factory: pytest.TempPathFactory, attempts: list[Attempt]
) -> None:
    """By day as by session, which are summed up apart: figure by figure."""
    folder = tmp_path_factory.mktemp("usage")
    record(folder, attempts)
    by_day, by_session = report(folder, "day"), report(folder, "session")
    for name in fields_dict(UsageRow):
        figures = [
            [getattr(row, name) for row in found.rows] for found in (by_day, by_session)
        ]
        whole = getattr(by_day.total, name)
        if name in ("key", "ceiling"):
            continue
        for values in figures:
            known = [value for value in values if value is not None]
            if name == "unpriced":
                added: Counter[str] = Counter()
                for each in known:
                    added.update(each)
                assert added == whole
            elif name in ("seconds", "waited"):
                assert sum(known) == pytest.approx(whole)
            else:
                assert (sum(known) if known else None) == whole, name
    tokens = [each.usage.prompt_tokens for each in attempts if each.usage]
    assert by_day.total.prompt_tokens == sum(filter(None, tokens))
    priced = [each.cost.estimated for each in attempts]
    expected = [cost for cost in priced if cost is not None]
    assert by_day.total.estimated == (sum(expected) if expected else None)
    assert sum(by_day.settlement.values()) == len(attempts)
    assert by_day.settlement == by_session.settlement
    assert usage(folder, since=date(2026, 10, 1), until=date(2026, 10, 2)).rows == ()
