"""A hard budget lets no call too many through, and each threshold is told once."""

from __future__ import annotations

import asyncio
import logging
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds
from storage.ledgers import usage

from bytebuddy_provider_hf.config.values import Budget, BudgetOptions
from bytebuddy_provider_hf.errors import BudgetExceeded
from bytebuddy_provider_hf.money import NANO
from bytebuddy_provider_hf.storage.budgets import (
    Amounts,
    Reservation,
    credit_alerts,
    period_at,
    put_period,
    raise_budget,
)
from bytebuddy_provider_hf.storage.ledger import Ledger
from bytebuddy_provider_hf.storage.usage_report import BudgetState
from bytebuddy_provider_hf.types import BudgetAlert

CALL = Amounts(calls=1)
NOTHING = Amounts()


def hard(calls: int, name: str = "mine") -> list[Budget]:
    return [Budget(name, BudgetOptions(calls=calls, hard=True))]


def state(folder: Path, **at: float) -> BudgetState:
    (found,) = usage(folder, **at).budgets  # type: ignore[arg-type]  # only "now"
    return found


async def outcomes(
    ledger: Ledger, budgets: list[Budget], wanted: Amounts, callers: int
) -> list[Reservation]:
    found = await asyncio.gather(
        *(ledger.reserve(budgets, wanted) for _ in range(callers)),
        return_exceptions=True,
    )
    assert all(isinstance(each, Reservation | BudgetExceeded) for each in found)
    return [each for each in found if isinstance(each, Reservation)]


@pytest.mark.asyncio
async def test_room_for_ten_is_for_ten(tmp_path: Path) -> None:
    """64 callers at once, by calls as by money: what a call may use is reserved."""
    ledger = Ledger(tmp_path)
    assert len(await outcomes(ledger, hard(10), CALL, 64)) == 10
    dear = [Budget("dear", BudgetOptions(dollars=10 * NANO, hard=True))]
    assert len(await outcomes(ledger, dear, Amounts(nano_usd=NANO), 64)) == 10


@pytest.mark.asyncio
async def test_the_error_says_what_and_how_to_go_on(tmp_path: Path) -> None:
    """It names the budget, its sum, its end, and the command that raises it."""
    ledger = Ledger(tmp_path)
    budgets = [Budget("my model", BudgetOptions(dollars=2 * NANO, hard=True))]
    await ledger.reserve(budgets, Amounts(nano_usd=NANO + NANO // 2))
    with pytest.raises(BudgetExceeded) as caught:
        await ledger.reserve(budgets, Amounts(nano_usd=NANO))
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made here
    ends = datetime.fromtimestamp(error.ends, UTC)
    assert (error.budget, error.unit, error.limit) == ("my model", "dollars", 2 * NANO)
    assert error.used == NANO + NANO // 2
    assert (ends.day, ends.hour) == (1, 0)
    assert str(error) == (
        "The budget my model has no room for this call: its limit is $2.00; used or"
        f" reserved until {ends:%Y-%m-%d} 00:00 UTC: $1.50. Run `bytebuddy-hf usage"
        " --raise"
        " 'my model=AMOUNT'` to allow more until then."
    )


@pytest.mark.asyncio
async def test_all_budgets_of_a_call_or_none(tmp_path: Path) -> None:
    """A call that one budget refuses takes nothing from another."""
    ledger = Ledger(tmp_path)
    both = [*hard(100, "large"), *hard(1, "small")]
    await ledger.reserve(both, CALL)
    with pytest.raises(BudgetExceeded, match="small"):
        await ledger.reserve(both, CALL)
    assert len(await outcomes(ledger, hard(100, "large"), CALL, 150)) == 99


@pytest.mark.asyncio
async def test_what_was_not_used_is_given_back(tmp_path: Path) -> None:
    """Settling corrects the estimate; a call that was not sent has used nothing."""
    ledger = Ledger(tmp_path)
    budgets = [Budget("mine", BudgetOptions(tokens=1_000, hard=True))]
    first = await ledger.reserve(budgets, Amounts(tokens=900))
    assert not await outcomes(ledger, budgets, Amounts(tokens=200), 1)
    ledger.settle(first, Amounts(tokens=300))
    ledger.settle(first, Amounts(tokens=300))
    second = await ledger.reserve(budgets, Amounts(tokens=700))
    ledger.settle(second, NOTHING)
    await ledger.aclose()
    found = state(tmp_path)
    assert (found.used, found.reserved, found.limit, found.hard) == (
        300,
        0,
        1_000,
        True,
    )


@pytest.mark.asyncio
async def test_a_program_that_is_killed_leaves_its_reservation(tmp_path: Path) -> None:
    """What may have been sent stays used until the period ends."""
    ledger = Ledger(tmp_path)
    await ledger.reserve(hard(10), CALL)
    await ledger.flush()
    assert (state(tmp_path).used, state(tmp_path).reserved) == (0, 1)
    assert len(await outcomes(Ledger(tmp_path), hard(10), CALL, 20)) == 9


@pytest.mark.asyncio
async def test_a_soft_budget_refuses_nobody(tmp_path: Path) -> None:
    """It tells, and goes on counting."""
    ledger = Ledger(tmp_path)
    budgets = [Budget("soft", BudgetOptions(calls=5))]
    for each in await outcomes(ledger, budgets, CALL, 12):
        ledger.settle(each, CALL)
    await ledger.aclose()
    assert (state(tmp_path).used, state(tmp_path).reserved) == (12, 0)


@pytest.mark.asyncio
async def test_blocks_only_while_plenty_is_left(tmp_path: Path) -> None:
    """A process holds at most a hundredth of what is left, and none of the last fifth.

    Most calls then wait for no file; what is held is given back when it is idle.
    """
    ledger = Ledger(tmp_path)
    budgets = hard(10_000)
    await ledger.reserve(budgets, CALL)
    assert state(tmp_path).reserved == 1 + 99
    # No turn of the loop is needed for these.
    for _ in range(99):
        with pytest.raises(StopIteration):
            ledger.reserve(budgets, CALL).send(None)
    await asyncio.sleep(1.4)
    assert state(tmp_path).reserved == 100
    ledger.settle(
        await ledger.reserve(budgets, Amounts(calls=7_900)), Amounts(calls=7_900)
    )
    await ledger.reserve(budgets, CALL)
    assert state(tmp_path).reserved == 101


@pytest.mark.asyncio
async def test_nothing_is_left_over_by_blocks(tmp_path: Path) -> None:
    """Of a large budget exactly all is sent, whoever held a part of it for a while."""
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    sent = 0
    for round_ in range(30):
        ledger = (first, second)[round_ % 2]
        sent += len(await outcomes(ledger, hard(1_000), CALL, 50))
    await first.aclose()
    await second.aclose()
    third = Ledger(tmp_path)
    sent += len(await outcomes(third, hard(1_000), CALL, 50))
    assert sent == 1_000


@pytest.mark.asyncio
async def test_each_threshold_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At 50, 80, 95 and 100 percent: in the log, to a listener, with a reservation."""
    ledgers = [Ledger(tmp_path) for _ in range(3)]
    heard: list[BudgetAlert] = []
    told: list[BudgetAlert] = []
    for ledger in ledgers:
        ledger.listen(heard.append)
    budgets = [Budget("mine", BudgetOptions(calls=20))]
    with caplog.at_level(logging.WARNING):
        for number in range(24):
            ledger = ledgers[number % 3]
            reservation = await ledger.reserve(budgets, CALL)
            told += reservation.alerts
            ledger.settle(reservation, CALL)
            await ledger.flush()
        for ledger in ledgers:
            told += (await ledger.reserve(budgets, CALL)).alerts
    assert [(each.percent, each.used) for each in heard] == [
        *((50, 10), (80, 16), (95, 19), (100, 20)),
    ]
    assert sorted(told, key=lambda each: each.percent) == heard
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        f"{percent} % of the budget mine is used: {used} calls of 20 calls"
        for percent, used in ((50, 10), (80, 16), (95, 19), (100, 20))
    ]


@pytest.mark.asyncio
async def test_a_listener_that_fails_stops_nothing(tmp_path: Path) -> None:
    """A host's own code cannot end the counting."""
    ledger = Ledger(tmp_path)

    def fail(_alert: BudgetAlert) -> None:
        raise OSError

    ledger.listen(fail)
    budgets = [Budget("mine", BudgetOptions(calls=1))]
    ledger.settle(await ledger.reserve(budgets, CALL), CALL)
    await ledger.flush()
    alerts = (await ledger.reserve(budgets, CALL)).alerts
    assert [each.percent for each in alerts] == [50, 80, 95, 100]


@pytest.mark.asyncio
async def test_a_raised_budget_has_room_again(tmp_path: Path) -> None:
    """Until its period ends; thresholds of the new sum are told anew."""
    ledger = Ledger(tmp_path)
    for each in await outcomes(ledger, hard(10), CALL, 20):
        ledger.settle(each, CALL)
    await ledger.flush()
    assert not raise_budget(tmp_path, "mine", "tokens", 10)
    assert not raise_budget(tmp_path, "other", "calls", 10)
    assert raise_budget(tmp_path, "mine", "calls", 10)
    found = await outcomes(ledger, hard(10), CALL, 20)
    assert len(found) == 10
    assert [alert.percent for each in found for alert in each.alerts] == [
        *(50, 80, 95, 100),
    ]
    for each in found:
        ledger.settle(each, CALL)
    await ledger.flush()
    (error,) = await asyncio.gather(
        ledger.reserve(hard(10), CALL), return_exceptions=True
    )
    assert isinstance(error, BudgetExceeded)
    assert (error.used, error.limit) == (20, 20)
    assert state(tmp_path).raised == 10


NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
DAY = 86_400


@pytest.mark.asyncio
async def test_a_new_period_begins_empty(tmp_path: Path) -> None:
    """And a clock that is set back does not open the old one again."""
    now = [DECEMBER - 1]
    ledger = Ledger(tmp_path, clock=lambda: now[0])
    assert len(await outcomes(ledger, hard(10), CALL, 20)) == 10
    now[0] = DECEMBER
    assert len(await outcomes(ledger, hard(10), CALL, 6)) == 6
    now[0] = DECEMBER - 100
    assert len(await outcomes(ledger, hard(10), CALL, 20)) == 4


@pytest.mark.parametrize(
    ("kind", "now", "account", "expected"),
    [
        ("day", NOVEMBER + 5.5, None, (NOVEMBER, NOVEMBER + DAY, False)),
        ("month", NOVEMBER, None, (NOVEMBER, DECEMBER, False)),
        ("month", DECEMBER - 0.001, None, (NOVEMBER, DECEMBER, False)),
        ("account", NOVEMBER + 5, None, (NOVEMBER, DECEMBER, True)),
        (
            "account",
            NOVEMBER + 14 * DAY,
            (NOVEMBER + 9 * DAY, DECEMBER + 9 * DAY),
            (NOVEMBER + 9 * DAY, DECEMBER + 9 * DAY, False),
        ),
        # What was read is over: the next one begins on the same day of its month.
        (
            "account",
            DECEMBER + 9 * DAY,
            (NOVEMBER + 9 * DAY, DECEMBER + 9 * DAY),
            (DECEMBER + 9 * DAY, DECEMBER + 40 * DAY, False),
        ),
        # Read five years ago.
        ("account", NOVEMBER, (1.6e9, 1.602e9), (NOVEMBER, DECEMBER, True)),
    ],
)
def test_periods(
    kind: Literal["day", "month", "account"],
    now: float,
    account: tuple[float, float] | None,
    expected: tuple[float, float, bool],
) -> None:
    """Days and months of the calendar in UTC; the account's own where it is known."""
    assert period_at(kind, now, account) == expected


@given(st.integers(0, 4 * 10**9), st.integers(28 * DAY, 31 * DAY), st.integers(0, 700))
def test_an_accounts_periods_follow_each_other(
    starts: int, length: int, days: int
) -> None:
    """No moment is in two of them, and none in none."""
    account = (float(starts), float(starts + length))
    now = starts + days * DAY
    first, last, is_assumed = period_at("account", now, account)
    assert first <= now < last
    assert not is_assumed
    assert 27 * DAY < last - first < 32 * DAY
    assert period_at("account", last - 1, account) == (first, last, False)


@pytest.mark.asyncio
async def test_an_accounts_own_period_takes_over(tmp_path: Path) -> None:
    """What was used while a calendar month stood for it is used in it, too."""
    now = NOVEMBER + 20 * DAY
    ledger = Ledger(tmp_path, clock=lambda: now)
    budgets = [Budget("mine", BudgetOptions(calls=10, period="account", hard=True))]
    for each in await outcomes(ledger, budgets, CALL, 6):
        ledger.settle(each, CALL)
    await ledger.flush()
    assert state(tmp_path, now=now).is_assumed
    put_period(tmp_path, NOVEMBER + 9 * DAY, DECEMBER + 9 * DAY)
    # What tells the process is the next transaction.
    found = await outcomes(Ledger(tmp_path, clock=lambda: now), budgets, CALL, 20)
    assert len(found) == 4
    after = state(tmp_path, now=now)
    assert (after.starts, after.ends) == (NOVEMBER + 9 * DAY, DECEMBER + 9 * DAY)
    assert not after.is_assumed


def test_credits_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Used ÷ included, and ÷ the spending limit, each threshold once a period."""

    def told(used: int, start: float = NOVEMBER) -> list[tuple[str, int]]:
        alerts = credit_alerts(
            tmp_path,
            used=used,
            included=2 * NANO,
            limit=10 * NANO,
            period=(start, start + 30 * DAY),
        )
        return [(alert.budget, alert.percent) for alert in alerts]

    with caplog.at_level(logging.WARNING):
        assert told(NANO // 2) == []
        assert told(NANO) == [("credits", 50)]
        assert told(NANO) == []
        assert told(5 * NANO) == [
            *(("credits", 80), ("credits", 95), ("credits", 100)),
            ("spending limit", 50),
        ]
        assert told(NANO, DECEMBER) == [("credits", 50)]
    assert len(caplog.records) == 6


@settings(max_examples=rounds(15, long=1_000), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),  # which process
            st.integers(0, 12),  # wanted
            st.integers(0, 20),  # used
            st.booleans(),  # settled at once, or when all have been asked
        ),
        max_size=60,
    ),
    st.integers(1, 300),
)
def test_no_order_of_calls_passes_a_hard_budget(
    tmp_path_factory: pytest.TempPathFactory,
    calls: list[tuple[int, int, int, bool]],
    limit: int,
) -> None:
    """Of three processes: what is used and reserved is the sum, and within the limit.

    A call that used more than it reserved may pass it, by that much.
    """
    folder = tmp_path_factory.mktemp("budget")
    ledgers = [Ledger(folder) for _ in range(3)]
    budgets = [Budget("mine", BudgetOptions(tokens=limit, hard=True))]

    async def run() -> int:
        used = reserved = 0
        later = []
        for process, wanted, real, at_once in calls:
            ledger = ledgers[process]
            (answer,) = await asyncio.gather(
                ledger.reserve(budgets, Amounts(tokens=wanted)), return_exceptions=True
            )
            if isinstance(answer, BudgetExceeded):
                # Others may hold a hundredth of it each, no more.
                assert wanted > 0
                assert answer.used + wanted > limit
                assert used + reserved + wanted + 2 * (limit // 100) > limit
                continue
            assert isinstance(answer, Reservation)
            assert wanted == 0 or used + reserved + wanted <= limit
            reserved += wanted
            if at_once:
                ledger.settle(answer, Amounts(tokens=real))
                await ledger.flush()
                used, reserved = used + real, reserved - wanted
            else:
                later.append((ledger, answer, real))
        for ledger, reservation, real in later:
            ledger.settle(reservation, Amounts(tokens=real))
            used += real
        return used

    used = asyncio.run(run())
    for ledger in ledgers:
        ledger.close()
    if calls:
        found = usage(folder).budgets
        assert [(each.used, each.reserved) for each in found] in ([(used, 0)], [])
