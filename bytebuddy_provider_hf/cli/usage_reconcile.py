"""Show what ledger and bill say of the same days, side by side, and why they differ."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import date
from pathlib import Path

from attrs import asdict

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import (
    UNKNOWN,
    alert_line,
    at_most,
    ceiling_mark,
    day_text,
    last_day,
    reason_text,
)
from bytebuddy_provider_hf.cli.exit_codes import ExitCode, exit_code
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.login import user_config
from bytebuddy_provider_hf.cli.status_line import ERASE
from bytebuddy_provider_hf.cli.tables import (
    Column,
    print_paragraph,
    print_table,
    terminal_width,
)
from bytebuddy_provider_hf.cli.usage_data import moment, safe_name
from bytebuddy_provider_hf.cli.usage_screen import amount_cells, known_dollars
from bytebuddy_provider_hf.client.bill_comparison import ComparedSession
from bytebuddy_provider_hf.client.endpoint_costs import EndpointCost
from bytebuddy_provider_hf.client.reconcile import (
    ReconciledAccount,
    Reconciliation,
    reconcile,
)
from bytebuddy_provider_hf.client.runtime import Runtime, shared_runtime
from bytebuddy_provider_hf.errors import MissingToken
from bytebuddy_provider_hf.hub.billing import Bill
from bytebuddy_provider_hf.money import dollars
from bytebuddy_provider_hf.secret import Environment
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.credentials import find_token


def show_reconciliation(
    folder: Path,
    since: date,
    until: date,
    *,
    as_json: bool,
    runtime: Runtime = shared_runtime,
) -> ExitCode:
    """Read the bill and print it beside the ledger; ask nobody but Hugging Face.

    Where no account's bill could be read, the exit code says so.
    """
    credential = find_token(Environment(os.environ), state_dir=folder)
    if credential is None:
        raise MissingToken(text("usage.bill_token"), hint=text("usage.bill_login"))
    live = screen.is_terminal(sys.stderr)
    if not as_json:
        said = localized(text("usage.reading_bill", since=since, until=until))
        sys.stderr.write(said if live else f"{said}\n")
        sys.stderr.flush()
    try:
        found = asyncio.run(
            reconcile(
                folder,
                credential=credential,
                since=since,
                until=until,
                runtime=runtime,
                options=user_config().request_options,
            )
        )
    finally:
        if live and not as_json:
            sys.stderr.write(ERASE)
            sys.stderr.flush()
    if as_json:
        screen.print_json(reconciliation_object(found))
    else:
        print_reconciliation(found, width=terminal_width())
    failures = [each.failure for each in found.accounts if each.failure is not None]
    if failures and len(failures) == len(found.accounts):
        return exit_code(type(failures[0]))
    return ExitCode.OK


def print_reconciliation(found: Reconciliation, *, width: int | None) -> None:
    """Print sessions, what differs, accounts and endpoints; failures on stderr."""
    days = {"since": found.since, "until": found.until}
    if width is not None:
        screen.emit(screen.styled(text("usage.compared", **days), bold=True))
    if not found.sessions:
        print_paragraph(text("usage.nothing_to_compare", **days), width=width)
    else:
        print_sessions(found, width=width)
    for heading, lines in (
        (text("usage.differences"), [each.said for each in found.differences]),
        (text("usage.not_compared"), list(found.unread)),
    ):
        if lines:
            screen.emit()
            screen.emit(screen.styled(heading, bold=True))
            for line in lines:
                print_paragraph(line, width=width, indent="  ")
    print_accounts(found.accounts, width=width)
    if found.endpoints:
        print_endpoints(found.endpoints, width=width)
    for account in found.accounts:
        if account.failure is not None:
            screen.warn(account.failure.message)
            if account.failure.hint is not None:
                screen.detail(account.failure.hint)
    for alert in found.alerts:
        screen.note(alert_line(alert), colour="yellow")


def print_sessions(found: Reconciliation, *, width: int | None) -> None:
    """Print each session and all together: the amounts side by side."""
    head = [
        Column(text("usage.by_session")),
        Column(text("usage.head_account")),
        Column(text("usage.by_model")),
        Column(text("usage.head_answered"), is_number=True),
        Column(text("usage.head_estimated"), is_number=True),
        Column(text("usage.head_reported"), is_number=True),
        Column(text("usage.head_billed"), is_number=True),
        Column(text("usage.head_on_bill"), is_number=True),
        Column(text("usage.head_settled"), is_number=True),
        Column(text("usage.head_pending"), is_number=True),
        Column(text("usage.head_unpriced"), is_number=True),
        Column(text("usage.head_unmatched"), is_number=True),
    ]
    rows = [
        _session_cells(each, each.session or text("usage.no_key"))
        for each in found.sessions
    ]
    rows.append(_session_cells(found.total, text("usage.total")))
    print_table(head, rows, width=width)
    total = found.total
    if total.is_ceiling or total.unpriced:
        screen.emit()
    if total.is_ceiling:
        sign = ceiling_mark(screen.stdout())
        print_paragraph(text("usage.ceiling", sign=sign), width=width)
    for reason, count in sorted(total.unpriced.items()):
        said = text(
            "usage.one_unpriced" if count == 1 else "usage.unpriced",
            count=f"{count:,}",
            reason=reason_text(reason),
        )
        print_paragraph(said, width=width)


def _session_cells(each: ComparedSession, name: str) -> list[str]:
    return [
        name,
        each.account or UNKNOWN,
        ", ".join(each.models) or UNKNOWN,
        f"{each.calls:,}",
        *amount_cells(
            each.estimated,
            is_ceiling=each.is_ceiling,
            reported=each.reported,
            billed=each.billed,
        ),
        UNKNOWN if each.billed_calls is None else f"{each.billed_calls:,}",
        f"{each.settled:,}",
        f"{each.pending:,}",
        f"{sum(each.unpriced.values()):,}",
        f"{each.unmatched:,}",
    ]


def print_accounts(
    accounts: tuple[ReconciledAccount, ...], *, width: int | None
) -> None:
    """Print what each account's bill says of the days, and of its own period."""
    readable = [each for each in accounts if each.period or each.current]
    if not readable:
        return
    head = [
        Column(text("usage.head_account")),
        Column(text("usage.head_billed_range"), is_number=True),
        Column(text("usage.head_requests"), is_number=True),
        Column(text("usage.head_billed_period"), is_number=True),
        Column(text("usage.head_included"), is_number=True),
        Column(text("usage.head_spending_limit"), is_number=True),
        Column(text("usage.head_until")),
    ]
    rows = []
    for each in readable:
        period, current = each.period or Bill(), each.current or Bill()
        ends = current.ends
        rows.append(
            [
                each.name,
                known_dollars(period.used),
                UNKNOWN if period.requests is None else f"{period.requests:,}",
                known_dollars(current.used),
                known_dollars(current.included),
                known_dollars(current.limit),
                UNKNOWN if ends is None else day_text(last_day(ends)),
            ]
        )
    screen.emit()
    print_table(head, rows, width=width)


def print_endpoints(endpoints: tuple[EndpointCost, ...], *, width: int | None) -> None:
    """Print the state and the price of each dedicated endpoint."""
    head = [
        Column(text("usage.head_endpoint")),
        Column(text("usage.head_state")),
        Column(text("usage.head_hourly"), is_number=True),
        Column(text("usage.head_range_cost"), is_number=True),
    ]
    rows = []
    for each in endpoints:
        cost: str = text("usage.not_metered_endpoint")
        if each.most is not None:
            least, most = each.least or 0, each.most
            cost = at_most(most, is_ceiling=least < most, stream=screen.stdout())
            if 0 < least < most:
                # One amount, said as the two ends that it lies between.
                ends = {"least": dollars(least), "most": dollars(most)}
                cost = text("usage.between", **ends)
        name = f"{each.endpoint.namespace}/{each.endpoint.name}".strip("/")
        rows.append(
            [name, each.endpoint.state or UNKNOWN, known_dollars(each.per_hour), cost]
        )
    screen.emit()
    print_table(head, rows, width=width)
    for each in endpoints:
        if each.said is not None:
            print_paragraph(each.said, width=width)


def reconciliation_object(found: Reconciliation) -> dict[str, object]:
    """Return a comparison as ``--json`` prints it; docs/usage.md names the members."""
    ends = found.period_ends
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "owner": found.owner,
        "period_ends": None if ends is None else moment(ends),
        "sessions": [session_object(each) for each in found.sessions],
        "total": session_object(found.total),
        "differences": [
            {
                "cause": each.cause,
                "account": safe_name(each.account),
                "session": safe_name(each.session),
                "models": [safe_name(model) for model in each.models],
                "calls": each.calls,
                "billed_less_estimated_nano_usd": each.amount,
                "said": each.said,
            }
            for each in found.differences
        ],
        "accounts": [
            {
                "name": each.name,
                "is_organization": each.is_organization,
                "period": bill_object(each.period),
                "current": bill_object(each.current),
                **(
                    {"error": None}
                    if each.failure is None
                    else screen.error_object(each.failure)
                ),
            }
            for each in found.accounts
        ],
        "endpoints": [
            {
                **asdict(each.endpoint),
                "per_hour_nano_usd": each.per_hour,
                "least_nano_usd": each.least,
                "most_nano_usd": each.most,
                "said": each.said,
            }
            for each in found.endpoints
        ],
        "not_compared": list(found.unread),
        "alerts": [asdict(alert) for alert in found.alerts],
    }


def session_object(each: ComparedSession) -> dict[str, object]:
    """Return a session as ``--json`` prints it."""
    return {
        "account": safe_name(each.account),
        "session": safe_name(each.session),
        "models": [safe_name(model) for model in each.models],
        "calls": each.calls,
        "estimated_nano_usd": each.estimated,
        "estimated_is_ceiling": each.is_ceiling,
        "reported_nano_usd": each.reported,
        "billed_nano_usd": each.billed,
        "billed_calls": each.billed_calls,
        "settled": each.settled,
        "pending": each.pending,
        "unpriced": dict(each.unpriced),
        "unmatched": each.unmatched,
    }


def bill_object(bill: Bill | None) -> dict[str, object] | None:
    """Return a bill as ``--json`` prints it."""
    if bill is None:
        return None
    return {
        "used_nano_usd": bill.used,
        "included_nano_usd": bill.included,
        "limit_nano_usd": bill.limit,
        "requests": bill.requests,
        "starts": None if bill.starts is None else moment(bill.starts),
        "ends": None if bill.ends is None else moment(bill.ends),
    }
