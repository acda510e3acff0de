"""Where a period ends at the present pace, at its edges too."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from attrs import evolve
from cli.usage_values import EMPTY, REPORT, TOTAL
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.cli.usage_pace import (
    at_this_pace,
    budget_pace,
    midnight,
    report_pace,
)

HOUR = 3_600.0
DAY = 24 * HOUR
START = datetime(2026, 7, 1, tzinfo=UTC).timestamp()
END = datetime(2026, 8, 1, tzinfo=UTC).timestamp()


def pace(used: int, now: float) -> int | None:
    return at_this_pace(used, begun=START, now=now, ends=END)


def test_half_a_month_is_half_of_it() -> None:
    """And a part of a nano-USD is rounded up."""
    assert pace(100, START + 15.5 * DAY) == 200
    assert pace(1, START + 30 * DAY) == 2


@pytest.mark.parametrize("passed", [-1.0, 0.0, 1.0, HOUR, 20 * HOUR])
def test_the_first_hours_say_nothing_of_a_month(passed: float) -> None:
    """One call in the first second would be millions."""
    assert pace(1_000, START + passed) is None


def test_the_first_day_is_enough() -> None:
    """A whole day of 31."""
    assert pace(1_000, START + DAY) == 31_000


def test_the_last_second_is_what_was_used() -> None:
    """Within what one second more may bring; after it there is no pace."""
    assert pace(1_000_000, END - 1) == 1_000_001
    assert pace(1_000_000, END) is None


@given(st.integers(0, 10**15), st.floats(START, END))
def test_a_month_never_ends_below_what_was_used(used: int, now: float) -> None:
    """Whenever it is asked."""
    found = pace(used, now)
    assert found is None or found >= used


def test_an_empty_month_has_no_pace() -> None:
    """Nothing was sent: no $0 by its end."""
    assert report_pace(EMPTY, now=START + 20 * DAY) is None
    assert report_pace(evolve(EMPTY, first=date(2026, 6, 1)), now=END - 1) is None


def test_a_month_that_is_over_or_to_come_has_no_pace() -> None:
    """Only the one that runs goes on."""
    assert report_pace(REPORT, now=END) is None
    assert report_pace(REPORT, now=START - 1) is None


def test_days_before_the_first_count_are_no_part_of_it() -> None:
    """Who began on the 17th has used all of it in the days since."""
    report = evolve(REPORT, first=date(2026, 7, 17))
    found = report_pace(report, now=START + 20 * DAY)
    assert found is not None
    # 4 days of 15 have passed.
    assert found.calls == -(-TOTAL.calls * 15 // 4)
    assert found.ends == END


def test_what_has_no_price_is_in_no_pace() -> None:
    """Calls have one; money has none, or says what it leaves out."""
    unpriced = evolve(TOTAL, estimated=None)
    found = report_pace(evolve(REPORT, total=unpriced), now=START + 20 * DAY)
    assert found is not None
    assert (found.estimated, found.unpriced) == (None, 22)
    assert found.calls > TOTAL.calls


def test_a_budget_has_its_own_period() -> None:
    """A day's budget from its midnight on, an account's from its own day."""
    state = evolve(
        REPORT.budgets[0], starts=START + DAY, ends=START + 2 * DAY, period="day"
    )
    half = START + 1.5 * DAY
    assert budget_pace(state, first=None, now=half) == state.used * 2
    assert budget_pace(state, first=date(2026, 7, 1), now=half) == state.used * 2
    assert budget_pace(evolve(state, used=0), first=None, now=half) is None


@pytest.mark.parametrize(
    ("day", "length"), [(date(2024, 2, 1), 29), (date(2026, 2, 1), 28)]
)
def test_a_day_begins_at_midnight_in_utc(day: date, length: int) -> None:
    """Leap years included; no summer time moves it."""
    assert midnight(day.replace(month=3)) - midnight(day) == length * DAY
