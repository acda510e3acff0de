"""Say usage for programs: JSON and CSV, money in whole numbers of 10⁻⁹ USD."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.cli.usage_pace import budget_pace, report_pace
from bytebuddy_provider_hf.secret import redact
from bytebuddy_provider_hf.storage.usage_report import (
    COUNTS,
    BudgetState,
    UsageReport,
    UsageRow,
)

BILL_PAGE: Final = "https://huggingface.co/settings/billing"

# The columns of --csv behind the first, and the members of a row of --json.
COLUMNS: Final = (
    *COUNTS,
    "estimated_nano_usd",
    "estimated_is_ceiling",
    "reported_nano_usd",
    "billed_nano_usd",
    "pending",
    "unpriced",
)
# What makes a formula of a cell in a spreadsheet, full width as well
# (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA: Final = "=+-@\t\r\n＝＋－＠"


def usage_object(report: UsageReport, *, counts: bool, now: float) -> dict[str, object]:
    """Return a report as ``--json`` prints it; docs/usage.md names the members.

    ``counts`` is false where the configuration says ``ledger: off``.
    """
    pace = report_pace(report, now=now)
    return {
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "first": None if report.first is None else report.first.isoformat(),
        "by": report.by,
        "ledger": "on" if counts else "off",
        "rows": [row_object(row) for row in report.rows],
        "total": row_object(report.total),
        "days": [row_object(row) for row in report.days],
        "unaccounted": report.unaccounted,
        "settlement": dict(report.settlement),
        "pace": None
        if pace is None
        else {
            "ends": moment(pace.ends),
            "calls": pace.calls,
            "estimated_nano_usd": pace.estimated,
            "estimated_is_ceiling": pace.is_ceiling,
            "unpriced": pace.unpriced,
        },
        "budgets": [
            budget_object(state, first=report.first, now=now)
            for state in report.budgets
        ],
        "bills": [
            {
                "bill_to": safe_name(bill.bill_to) or None,
                "starts": moment(bill.starts),
                "ends": moment(bill.ends),
                "used_nano_usd": bill.used,
                "included_nano_usd": bill.included,
                "limit_nano_usd": bill.limit,
                "requests": bill.requests,
                "read_at": moment(bill.read_at),
            }
            for bill in report.bills
        ],
        "bill_page": BILL_PAGE,
    }


def usage_csv(rows: Sequence[UsageRow], *, by: str) -> str:
    """Return rows as CSV (RFC 4180); an empty cell is unknown, never 0.

    There is no row of sums: whoever adds up a column would count everything twice.
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow((by, *COLUMNS, "unpriced_reasons"))
    for row in rows:
        facts = row_object(row)
        reasons = "; ".join(f"{why}: {n}" for why, n in sorted(row.unpriced.items()))
        facts["unpriced"] = sum(row.unpriced.values())
        cells = (
            "" if value is None else str(value).lower()
            for value in map(facts.get, COLUMNS)
        )
        writer.writerow(
            (
                no_formula(safe_name(row.key)),
                *cells,
                no_formula(reasons),
            )
        )
    return written.getvalue()


def no_formula(cell: str) -> str:
    """Return a cell that no spreadsheet runs: a quotation mark before a formula."""
    return f"'{cell}" if cell.lstrip(" ")[:1] in tuple(_FORMULA) else cell


def safe_name(said: str) -> str:
    """Return a name from elsewhere as one line, what looks like a token masked."""
    return redact(sanitize_line(said))


def row_object(row: UsageRow) -> dict[str, object]:
    """Return a row as ``--json`` prints it."""
    return {
        "key": safe_name(row.key),
        **{name: getattr(row, name) for name in COUNTS},
        "seconds": round(row.seconds, 3),
        "waited": round(row.waited, 3),
        "estimated_nano_usd": row.estimated,
        "estimated_is_ceiling": row.ceiling,
        "reported_nano_usd": row.reported,
        "billed_nano_usd": row.billed,
        "pending": row.pending,
        "unpriced": dict(row.unpriced),
    }


def budget_object(
    state: BudgetState, *, first: date | None, now: float
) -> dict[str, object]:
    """Return a budget as ``--json`` prints it."""
    return {
        "name": safe_name(state.name),
        # Dollars are counted in 10⁻⁹ USD, here as everywhere.
        "unit": "nano_usd" if state.unit == "dollars" else state.unit,
        "used": state.used,
        "reserved": state.reserved,
        "limit": state.limit + state.raised,
        "raised": state.raised,
        "percent": percent(state),
        "hard": state.hard,
        "period": state.period,
        "period_is_assumed": state.is_assumed,
        "starts": moment(state.starts),
        "ends": moment(state.ends),
        "at_this_pace": budget_pace(state, first=first, now=now),
    }


def percent(state: BudgetState) -> int | None:
    """Return how much of a budget is used, rounded down: 100 is used up."""
    limit = state.limit + state.raised
    return state.used * 100 // limit if limit else None


def moment(seconds: float) -> str:
    """Return a time of the Unix clock as RFC 3339 writes it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
