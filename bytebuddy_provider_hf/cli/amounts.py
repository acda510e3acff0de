"""Say amounts, days and costs: money, tokens and calls, and why a cost is unknown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, TextIO

from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.money import NO_COST, Cost, dollars
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.types import BudgetAlert, ServedAnswer, Usage

if TYPE_CHECKING:
    from datetime import date

    from bytebuddy_provider_hf.storage.budgets import Unit

# What nobody told. It is no number, so that nobody takes it for nothing.
UNKNOWN: Final = "-"

_MONTHS: Final[tuple[Callable[[], LocalizedText], ...]] = (
    partial(text, "usage.january"),
    partial(text, "usage.february"),
    partial(text, "usage.march"),
    partial(text, "usage.april"),
    partial(text, "usage.may"),
    partial(text, "usage.june"),
    partial(text, "usage.july"),
    partial(text, "usage.august"),
    partial(text, "usage.september"),
    partial(text, "usage.october"),
    partial(text, "usage.november"),
    partial(text, "usage.december"),
)
_REASONS: Final[dict[str, Callable[[], LocalizedText]]] = {
    "not metered": partial(text, "usage.not_metered"),
    "no price": partial(text, "usage.no_price"),
    "provider unknown": partial(text, "usage.provider_unknown"),
    "tokens unknown": partial(text, "usage.tokens_unknown"),
    "answer cut": partial(text, "usage.answer_cut"),
    "compute time": partial(text, "usage.compute_time"),
    "not asked yet": partial(text, "usage.not_asked_yet"),
}


def quantity(count: int, unit: Unit) -> str:
    """Return so much of a budget's unit, such as ``$4.00`` or ``24,000 calls``."""
    if unit == "dollars":
        return dollars(count)
    if unit == "tokens":
        return text("usage.tokens", count=f"{count:,}")
    return text("usage.call" if count == 1 else "usage.calls", count=f"{count:,}")


def day_text(day: date) -> LocalizedText:
    """Return a day of the year, such as "31 July"."""
    return text("usage.day", day=day.day, month=_MONTHS[day.month - 1]())


def day_at(moment: float) -> date:
    """Return the day (UTC) of a time of the Unix clock."""
    from datetime import UTC, datetime  # --help reaches this module

    return datetime.fromtimestamp(max(0.0, moment), UTC).date()


def last_day(ends: float) -> date:
    """Return the last day (UTC) of a period that ends at a time of the Unix clock."""
    # A month ends with the first moment of the next one.
    return day_at(ends - 1)


def reason_text(reason: str) -> str:
    """Return why there is no price; one that a later version wrote stays as it is."""
    said = _REASONS.get(reason)
    return sanitize_line(reason) if said is None else said()


def at_most(amount: int, *, is_ceiling: bool, stream: TextIO) -> str:
    """Return an amount of money, marked where it may have been less."""
    # Less than nothing is nothing.
    if not is_ceiling or not amount:
        return dollars(amount)
    return f"{ceiling_mark(stream)}{dollars(amount)}"


def ceiling_mark(stream: TextIO) -> str:
    """Return the sign of "or less", in letters that ``stream`` has."""
    return "≤" if can_show("≤", stream) else "<="


def can_show(letters: str, stream: TextIO) -> bool:
    """Tell whether the encoding of ``stream`` has these letters."""
    try:
        letters.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def alert_line(alert: BudgetAlert) -> LocalizedText:
    """Return one line about a budget of which so much is used up."""
    return text(
        "usage.alert",
        budget=sanitize_line(alert.budget),
        percent=alert.percent,
        used=quantity(alert.used, alert.unit),
        limit=quantity(alert.limit, alert.unit),
        day=day_text(last_day(alert.ends)),
    )


def served_facts(
    answer: ServedAnswer, *, cost: Cost | None = None
) -> dict[str, object]:
    """Return what ``--json`` prints of how an answer was served and what it cost.

    ``cost`` is that of several answers together, of which ``answer`` is the last.
    """
    return {
        "provider": answer.provider,
        "served_by": answer.served_by,
        "cached": answer.cached,
        "cost": cost_object(answer.cost if cost is None else cost),
    }


def cost_object(cost: Cost) -> dict[str, object] | None:
    """Return a cost as ``--json`` prints it; ``None`` where nobody counted."""
    if cost == NO_COST:
        return None
    return {
        "estimated_nano_usd": cost.estimated,
        "estimated_is_ceiling": cost.is_ceiling,
        "priced_on": cost.priced_on or None,
        "reported_nano_usd": cost.reported,
        "billed_nano_usd": cost.billed,
        "is_pending": cost.is_pending,
        "unpriced": cost.unpriced or None,
    }


def used_text(
    answer: ServedAnswer,
    model: str,
    seconds: float,
    usage: Usage | None,
    cost: Cost,
) -> str:
    """Return what a call used, in this process's language: what is unknown says so."""
    if answer.cached is not None:
        tokens = text("usage.used_kept")
    elif usage is None:
        tokens = text("usage.used_untold")
    else:
        counts = (usage.prompt_tokens, usage.completion_tokens)
        shown = [UNKNOWN if count is None else f"{count:,}" for count in counts]
        tokens = text("usage.used_tokens", prompt=shown[0], completion=shown[1])
    who = sanitize_line(model)
    if answer.provider:
        provider = sanitize_line(answer.provider)
        who = text("usage.used_at", model=who, provider=provider)
    if answer.served_by:
        # In place of the entry that was asked.
        entry = sanitize_line(answer.served_by)
        who = text("usage.used_entry", model=who, entry=entry)
    parts: list[str] = [tokens]
    if cost != NO_COST:
        parts.append(cost_text(cost, sys.stderr))
    parts += [who, text("time.seconds", count=f"{seconds:.1f}")]
    return _joined(part for part in parts if part)


def cost_text(cost: Cost, stream: TextIO) -> str:
    """Return what is known of a call's cost, in this process's language."""
    parts: list[str] = []
    if cost.estimated is not None:
        amount = at_most(cost.estimated, is_ceiling=cost.is_ceiling, stream=stream)
        if cost.priced_on:
            parts.append(text("usage.cost_priced", amount=amount, day=cost.priced_on))
        else:
            parts.append(text("usage.cost_estimated", amount=amount))
    elif cost.unpriced:
        reason = reason_text(cost.unpriced)
        parts.append(text("usage.cost_unpriced", reason=reason))
    if cost.reported is not None:
        parts.append(text("usage.cost_reported", amount=dollars(cost.reported)))
    if cost.billed is not None:
        parts.append(text("usage.cost_billed", amount=dollars(cost.billed)))
    if cost.is_pending:
        parts.append(text("usage.cost_pending"))
    return _joined(parts)


def _joined(parts: Iterable[str]) -> str:
    """Return facts in one line, in this process's language."""
    return localized(text("usage.semicolon")).join(map(localized, parts))
