"""Reserve what a call may use of its budgets before it is sent, and settle it after."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import define, field, frozen

from bytebuddy_provider_hf.types import BudgetAlert

Unit: TypeAlias = Literal["dollars", "tokens", "calls"]

# The parts of a budget whose use is told, each once in a period.
THRESHOLDS: Final = (50, 80, 95, 100)


@frozen
class Amounts:
    """How much of each unit a call wants or has used; money in 10⁻⁹ USD."""

    nano_usd: int = 0
    tokens: int = 0
    calls: int = 0


@frozen
class BudgetPeriod:
    """One budget in one unit and one period: what sums are kept by.

    ``starts`` and ``ends`` count seconds of the Unix clock. ``is_assumed`` marks a
    calendar month that stands for an account's own period, which is not known.
    """

    name: str
    unit: Unit
    period: Literal["day", "month", "account"]
    starts: int
    ends: int
    is_assumed: bool = False


@define(eq=False)
class Reservation:
    """What a call has reserved; ``Ledger.settle`` corrects it to what was used.

    ``alerts`` are the thresholds that were passed and that this process has to tell.
    """

    wanted: Amounts = field(factory=Amounts)
    periods: tuple[BudgetPeriod, ...] = ()
    alerts: tuple[BudgetAlert, ...] = ()
    is_settled: bool = False


def raise_budget(folder: Path, name: str, unit: Unit, amount: int) -> bool:
    """Allow ``amount`` more of a budget until its present period ends.

    Money is in 10⁻⁹ USD. Returns whether the ledger knows such a budget.
    """
    raise NotImplementedError


def put_period(folder: Path, start: float, end: float) -> None:
    """Keep when the account's own period begins and ends, in seconds of the Unix clock.

    Budgets of ``period: account`` follow it; the calendar month where none is known.
    """
    raise NotImplementedError


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
    and of the spending ``limit`` where there is one ("spending limit").
    """
    raise NotImplementedError
