"""Reckon where a period ends if it goes on as it began: whole numbers, no clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.storage.usage_report import BudgetState, UsageReport

# Of a period, what must have passed: the calls of an hour say nothing of a month.
_LEAST_PART: Final = 32


@frozen
class Pace:
    """What a period will have come to when it ends, at the present pace.

    ``ends`` is in seconds of the Unix clock. ``estimated`` is in 10⁻⁹ USD and leaves
    out the ``unpriced`` attempts; it is ``None`` where nothing has a price.
    """

    ends: float
    calls: int
    estimated: int | None = None
    is_ceiling: bool = False
    unpriced: int = 0


def at_this_pace(used: int, *, begun: float, now: float, ends: float) -> int | None:
    """Return how much a period will have used at its end, ``None`` if it is too early.

    ``begun`` is when counting began, in seconds of the Unix clock as ``now`` and
    ``ends``. A period that is over, or still to come, has no pace.
    """
    whole, passed = int(ends) - int(begun), int(now) - int(begun)
    if not begun <= now < ends or passed * _LEAST_PART < whole or passed <= 0:
        return None
    return -(-used * whole // passed)


def report_pace(report: UsageReport, *, now: float) -> Pace | None:
    """Return the pace of the range of a report, ``None`` where there is none yet."""
    # Before the first entry nobody counted: those days are no part of the pace.
    begun = midnight(max(report.since, report.first or report.since))
    ends = midnight(report.until + timedelta(days=1))
    total = report.total
    calls = at_this_pace(total.calls, begun=begun, now=now, ends=ends)
    if calls is None or not total.attempts:
        return None
    estimated = None
    if total.estimated is not None:
        estimated = at_this_pace(total.estimated, begun=begun, now=now, ends=ends)
    unpriced = sum(total.unpriced.values())
    return Pace(ends, calls, estimated, is_ceiling=total.ceiling, unpriced=unpriced)


def budget_pace(state: BudgetState, *, first: date | None, now: float) -> int | None:
    """Return how much of a budget its period will have used at the present pace."""
    if not state.used:
        return None
    begun = state.starts if first is None else max(state.starts, midnight(first))
    return at_this_pace(state.used, begun=begun, now=now, ends=state.ends)


def midnight(day: date) -> float:
    """Return when a day begins (UTC), in seconds of the Unix clock."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
