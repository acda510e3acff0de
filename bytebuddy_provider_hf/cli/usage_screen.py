"""Show usage to a person: a table, what it leaves out, a chart, budgets, the pace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import (
    UNKNOWN,
    at_most,
    ceiling_mark,
    day_at,
    day_text,
    last_day,
    quantity,
    reason_text,
)
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.tables import Column, fact_lines, table_lines
from bytebuddy_provider_hf.cli.usage_chart import chart_lines
from bytebuddy_provider_hf.cli.usage_data import BILL_PAGE, percent, safe_name
from bytebuddy_provider_hf.cli.usage_pace import budget_pace, report_pace
from bytebuddy_provider_hf.cli.wrapping import wrap
from bytebuddy_provider_hf.money import dollars
from bytebuddy_provider_hf.storage.usage_report import (
    BudgetState,
    UsageReport,
    UsageRow,
)
from bytebuddy_provider_hf.texts import LocalizedText, text

# What a report is by -> the title of its first column.
_HEADS: Final[dict[str, Callable[[], LocalizedText]]] = {
    "model": partial(text, "usage.by_model"),
    "provider": partial(text, "usage.by_provider"),
    "role": partial(text, "usage.by_role"),
    "day": partial(text, "usage.by_day"),
    "origin": partial(text, "usage.by_origin"),
    "session": partial(text, "usage.by_session"),
}


def report_lines(report: UsageReport, *, width: int | None, now: float) -> list[str]:
    """Return what a person sees of a report; ``width`` is ``None`` in a pipe."""
    if not report.total.attempts:
        days = {"since": report.since, "until": report.until}
        parts = [wrap(localized(text("usage.nothing_sent", **days)), width)]
    else:
        parts = [
            usage_rows(report, width=width),
            [line for said in left_out(report) for line in _wrapped(said, width)],
        ]
        if width is not None:
            parts.append(day_chart(report, width=width, now=now))
    parts.append(budget_rows(report, width=width, now=now))
    parts.append(bill_rows(report, width=width))
    last = []
    if (pace := report_pace(report, now=now)) is not None:
        facts = {
            "calls": quantity(pace.calls, "calls"),
            "day": day_text(last_day(pace.ends)),
        }
        said = text("usage.pace_calls", **facts)
        if pace.estimated is not None:
            facts["amount"] = at_most(
                pace.estimated, is_ceiling=pace.is_ceiling, stream=screen.stdout()
            )
            said = text("usage.pace_part" if pace.unpriced else "usage.pace", **facts)
        last += _wrapped(said, width)
    last += _wrapped(text("usage.bill", page=BILL_PAGE), width)
    parts.append(last)
    lines: list[str] = []
    for part in filter(None, parts):
        lines += ["", *part] if lines else part
    return lines


def _wrapped(said: str, width: int | None) -> list[str]:
    return wrap(localized(said), width)


def usage_rows(report: UsageReport, *, width: int | None) -> list[str]:
    """Return the rows and their total: a table where it fits, else blocks."""
    head = [
        Column(_HEADS[report.by]()),
        *(
            Column(title, is_number=True)
            for title in (
                text("usage.head_requests"),
                text("usage.head_calls"),
                text("usage.head_failed"),
                text("usage.head_prompt"),
                text("usage.head_cached"),
                text("usage.head_completion"),
                text("usage.head_reasoning"),
                text("usage.head_estimated"),
                text("usage.head_reported"),
                text("usage.head_billed"),
                text("usage.head_pending"),
                text("usage.head_unpriced"),
            )
        ),
    ]
    named = [(row.key or text("usage.no_key"), row) for row in report.rows]
    named.append((text("usage.total"), report.total))
    rows = [(name, *_cells(row)) for name, row in named]
    if width is None:
        return table_lines(head, rows, width=None)
    since, until = report.since, report.until
    title = _wrapped(text("usage.title", since=since, until=until), width)
    lines = [screen.styled(line, bold=True) for line in title]
    from rich.cells import cell_len

    # The longest words of all columns must have room side by side.
    longest = [
        max(cell_len(word) for cell in column for word in clean(cell).split() or [""])
        for column in zip([each.title for each in head], *rows, strict=True)
    ]
    if sum(longest) + 2 * (len(longest) - 1) <= width:
        return [*lines, *table_lines(head, rows, width=width)]
    for name, row in named:
        lines += ["", *_wrapped(clean(name), width), *block_lines(row, width=width)]
    return lines


def _cells(row: UsageRow) -> tuple[str, ...]:
    return (
        f"{row.attempts:,}",
        f"{row.calls:,}",
        # What another attempt or entry made good gave no answer either.
        f"{row.failed + row.absorbed + row.cut:,}",
        f"{row.prompt_tokens:,}",
        f"{row.cached_tokens:,}",
        f"{row.completion_tokens:,}",
        f"{row.reasoning_tokens:,}",
        *amount_cells(
            row.estimated,
            is_ceiling=row.ceiling,
            reported=row.reported,
            billed=row.billed,
        ),
        f"{row.pending:,}",
        f"{sum(row.unpriced.values()):,}",
    )


def amount_cells(
    estimated: int | None,
    *,
    is_ceiling: bool,
    reported: int | None,
    billed: int | None,
) -> tuple[str, str, str]:
    """Return three amounts for people, each for itself."""
    known = UNKNOWN
    if estimated is not None:
        known = at_most(estimated, is_ceiling=is_ceiling, stream=screen.stdout())
    return known, known_dollars(reported), known_dollars(billed)


def known_dollars(amount: int | None) -> str:
    """Return an amount of money; one that nobody knows is no number."""
    return UNKNOWN if amount is None else dollars(amount)


def block_lines(row: UsageRow, *, width: int) -> list[str]:
    """Return what a row of the table says where the terminal is too narrow for it."""
    requests, calls, failed, *tokens, estimated, reported, billed, pending, unpriced = (
        _cells(row)
    )
    prompt, cached, completion, reasoning = tokens
    facts = [
        (
            text("usage.head_requests"),
            text("usage.block_requests", count=requests, calls=calls, failed=failed),
        ),
        (
            text("usage.block_head_tokens"),
            text(
                "usage.block_tokens",
                prompt=prompt,
                cached=cached,
                completion=completion,
                reasoning=reasoning,
            ),
        ),
        (text("usage.head_estimated"), estimated),
        (text("usage.head_reported"), reported),
        (text("usage.head_billed"), billed),
        (text("usage.head_pending"), pending),
    ]
    if row.unpriced:
        facts.append((text("usage.head_unpriced"), unpriced))
    return fact_lines(facts, width=width, indent="  ")


def left_out(report: UsageReport) -> Iterator[LocalizedText]:
    """Yield what a reader of the table must know: nothing unknown counts as 0."""
    total = report.total
    if total.ceiling:
        yield text("usage.ceiling", sign=ceiling_mark(screen.stdout()))
    ranked = sorted(total.unpriced.items(), key=lambda item: (-item[1], item[0]))
    for reason, count in ranked:
        yield text(
            "usage.one_unpriced" if count == 1 else "usage.unpriced",
            count=f"{count:,}",
            reason=reason_text(reason),
        )
    if total.tokens_unknown:
        yield text("usage.without_tokens", count=f"{total.tokens_unknown:,}")
    if total.pending:
        yield text("usage.are_pending", count=f"{total.pending:,}")
    if report.unaccounted:
        yield text("usage.unaccounted", count=f"{report.unaccounted:,}")


def day_chart(report: UsageReport, *, width: int, now: float) -> list[str]:
    """Return the chart of the days that have been, from the first that was counted."""
    first = max(report.since, report.first or report.since).isoformat()
    today = day_at(now).isoformat()
    days = [row for row in report.days if first <= row.key <= today]
    title, *bars = chart_lines(days, width=width, stream=screen.stdout()) or [""]
    if not bars:
        return []
    return [*(screen.styled(line, bold=True) for line in wrap(title, width)), *bars]


def budget_rows(report: UsageReport, *, width: int | None, now: float) -> list[str]:
    """Return what is used of each budget, until when, and where it ends."""
    if not report.budgets:
        return []
    held = width is None or any(state.reserved for state in report.budgets)
    head = [
        Column(text("usage.head_budget")),
        Column(text("usage.head_used"), is_number=True),
        Column(text("usage.head_limit"), is_number=True),
        Column(text("usage.head_percent"), is_number=True),
        *([Column(text("usage.head_held"), is_number=True)] if held else []),
        Column(text("usage.head_period")),
        Column(text("usage.head_until")),
        Column(text("usage.head_pace"), is_number=True),
        Column(text("usage.head_kind")),
    ]
    rows = []
    for state in report.budgets:
        pace = budget_pace(state, first=report.first, now=now)
        part = percent(state)
        cells = [
            state.name,
            quantity(state.used, state.unit),
            quantity(state.limit + state.raised, state.unit),
            UNKNOWN if part is None else f"{part} %",
            *([quantity(state.reserved, state.unit)] if held else []),
            period_text(state),
            day_text(last_day(state.ends)),
            UNKNOWN if pace is None else quantity(pace, state.unit),
            text("usage.hard" if state.hard else "usage.soft"),
        ]
        rows.append(cells)
    return table_lines(head, rows, width=width)


def bill_rows(report: UsageReport, *, width: int | None) -> list[str]:
    """Return what was last read of the bills: of all programs, not only of this one."""
    if not report.bills:
        return []
    head = [
        Column(text("usage.head_account")),
        Column(text("usage.head_billed"), is_number=True),
        Column(text("usage.head_included"), is_number=True),
        Column(text("usage.head_spending_limit"), is_number=True),
        Column(text("usage.head_requests"), is_number=True),
        Column(text("usage.head_until")),
        Column(text("usage.head_read")),
    ]
    rows = [
        (
            bill.bill_to or text("usage.own_account"),
            dollars(bill.used),
            dollars(bill.included),
            known_dollars(bill.limit),
            f"{bill.requests:,}",
            day_text(last_day(bill.ends)),
            day_text(day_at(bill.read_at)),
        )
        for bill in report.bills
    ]
    title = [] if width is None else _wrapped(text("usage.bills_title"), width)
    return [*title, *table_lines(head, rows, width=width)]


def period_text(state: BudgetState) -> str:
    """Return what a budget is for: a calendar's day or month, or the account's own."""
    if state.period == "day":
        return text("usage.period_day")
    if state.period == "month":
        return text("usage.period_month")
    # An account's month begins on a day of its own, which only its bill tells.
    assumed = state.is_assumed
    return text("usage.period_assumed" if assumed else "usage.period_account")


def clean(said: str) -> str:
    """Return a cell as one safe line in this process's language, tokens masked."""
    return safe_name(localized(said))
