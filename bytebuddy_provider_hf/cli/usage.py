"""Command ``usage``: what was sent, what it cost, and what is left of the budgets."""

from __future__ import annotations

import os
import re
import sys
import time
from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from attrs import evolve

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import day_at, day_text, last_day, quantity
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.model_source import is_interactive_session
from bytebuddy_provider_hf.cli.options import (
    command,
    config_option,
    json_option,
    trouble_options,
)
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import user_folder
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.money import nano_usd
from bytebuddy_provider_hf.secret import redact
from bytebuddy_provider_hf.texts import text

if TYPE_CHECKING:
    from bytebuddy_provider_hf.config.values import Config
    from bytebuddy_provider_hf.storage.budgets import Unit
    from bytebuddy_provider_hf.storage.usage_report import (
        BudgetState,
        Dimension,
        UsageReport,
    )

DIMENSIONS: Final[tuple[Dimension, ...]] = (
    "model",
    "provider",
    "role",
    "day",
    "origin",
    "session",
)
# Years that are no slip of the hand, and a range whose days are worth a line each.
_YEARS: Final = range(2000, 2200)
_MOST_DAYS: Final = 3_660
_MOST: Final = 10**15
# An amount of money, or of what a budget counts; nobody means more digits.
_AMOUNT: Final = re.compile(
    r"(?P<sign>\$)?\s*(?P<number>[\d,_]{1,24}(?:\.\d{1,9})?)\s*"
    r"(?P<unit>usd|dollars?|tokens?|calls?)?",
    re.ASCII | re.IGNORECASE,
)


def parse_day(given: str) -> date:
    """Return the day that an option's text names."""
    try:
        day = date.fromisoformat(given.strip())
    except ValueError:
        day = date.min
    if day.year not in _YEARS:
        raise click.BadParameter(text("usage.wants_day", given=given))
    return day


def parse_month(given: str) -> date:
    """Return the first day of the month that an option's text names."""
    try:
        return parse_day(f"{given.strip()}-01")
    except click.BadParameter:
        raise click.BadParameter(text("usage.wants_month", given=given)) from None


@command(
    "bytebuddy-hf usage",
    "bytebuddy-hf usage --month 2026-06 --by provider",
    "bytebuddy-hf usage --since 2026-07-01 --csv > july.csv",
    "bytebuddy-hf usage --reconcile",
    "bytebuddy-hf usage --raise hf-llama=5",
    "bytebuddy-hf usage --forget --before 2026-01-01",
)
@click.option("--month", type=parse_month, metavar="YYYY-MM", help="A calendar month.")
@click.option("--since", type=parse_day, metavar="DATE", help="From this day (UTC) on.")
@click.option("--until", type=parse_day, metavar="DATE", help="Up to this day.")
@click.option(
    "--by",
    type=click.Choice(DIMENSIONS),
    default="model",
    show_default=True,
    help="What makes a row.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")
@click.option(
    "--reconcile", is_flag=True, help="Read the bill and compare it with the ledger."
)
@click.option(
    "--raise",
    "raised",
    metavar="NAME=AMOUNT",
    help='Allow a budget more for its present period: 5 (dollars), "100 calls".',
)
@click.option("--forget", is_flag=True, help="Remove what the ledger keeps.")
@click.option(
    "--before",
    type=parse_day,
    metavar="DATE",
    help="With --forget: only what is older than this day.",
)
@click.option("--yes", is_flag=True, help="With --forget: do not ask.")
@config_option
@json_option
@trouble_options
def usage(
    *,
    month: date | None,
    since: date | None,
    until: date | None,
    by: Dimension,
    as_csv: bool,
    reconcile: bool,
    raised: str | None,
    forget: bool,
    before: date | None,
    yes: bool,
    config: Path | None,
    as_json: bool,
) -> ExitCode:
    """Show what was sent and what it cost: this month, by model.

    Four amounts say what a call cost, and are never added: "estimated" by the price
    list, "reported" by the answer itself, "billed" by Hugging Face, and "pending"
    counts requests whose bill is still to come. What nobody knows is unpriced, not 0.
    """
    modes = [
        name
        for name, given in (
            ("--csv", as_csv),
            ("--reconcile", reconcile),
            ("--raise", raised is not None),
            ("--forget", forget),
        )
        if given
    ]
    if len(modes) > 1 or (as_csv and as_json):
        first, second = [*modes, "--json"][:2]
        raise click.UsageError(text("usage.not_both", first=first, second=second))
    if (before is not None or yes) and not forget:
        raise click.UsageError(text("usage.only_forget"))
    folder = user_folder(home_folder())
    now = time.time()
    if forget:
        forget_counted(folder, before, yes=yes, as_json=as_json)
        return ExitCode.OK
    since, until = chosen_range(month, since, until, now=now)
    from bytebuddy_provider_hf.storage.usage_report import read_usage

    # What cannot be read is no empty month.
    report = read_usage(folder, since=since, until=until, by=by, now=now, strict=True)
    if reconcile:
        from bytebuddy_provider_hf.cli.usage_reconcile import show_reconciliation

        return show_reconciliation(folder, since, until, as_json=as_json)
    loaded = read_config(config)
    counts = loaded.ledger
    if not counts and report.first is None:
        raise ConfigError(text("usage.off"), hint=text("usage.turn_on"))
    if counts:
        unused = unused_budgets(loaded, report.budgets, now=now)
        report = evolve(report, budgets=(*report.budgets, *unused))
    if raised is not None:
        raise_named(folder, report, raised, as_json=as_json)
    else:
        show_report(report, as_csv=as_csv, as_json=as_json, counts=counts, now=now)
    return ExitCode.OK


def chosen_range(
    month: date | None, since: date | None, until: date | None, *, now: float
) -> tuple[date, date]:
    """Return the first and last day to show; the month that runs by default."""
    today = day_at(now)
    if month is not None and (since or until):
        other = "--since" if since else "--until"
        raise click.UsageError(text("usage.not_both", first="--month", second=other))
    if since is None and until is None:
        first = month or today.replace(day=1)
        return first, first.replace(day=monthrange(first.year, first.month)[1])
    until = until or max(today, since or today)
    since = since or until.replace(day=1)
    if since > until:
        raise click.UsageError(text("usage.wrong_order", since=since, until=until))
    if (until - since).days >= _MOST_DAYS:
        raise click.UsageError(text("usage.too_long"))
    return since, until


def read_config(path: Path | None) -> Config:
    """Return the configuration; one without entries where it cannot be read.

    What was counted is shown all the same.
    """
    from bytebuddy_provider_hf.config.load import load
    from bytebuddy_provider_hf.config.values import Config

    try:
        return load(path, cwd=Path.cwd(), home=home_folder(), env=os.environ)
    except ConfigError as error:
        # Whoever named the file wants to hear of it first.
        if path is not None:
            raise
        screen.warn(error.message)
        screen.show_problems(error)
        return Config()


def unused_budgets(
    config: Config, used: Sequence[BudgetState], *, now: float
) -> tuple[BudgetState, ...]:
    """Return the configuration's budgets of which nothing was used in their period."""
    from bytebuddy_provider_hf.storage.budgets import period_at
    from bytebuddy_provider_hf.storage.usage_report import BudgetState

    known = {(state.name, state.unit, state.period) for state in used}
    periods = (
        (state.starts, state.ends)
        for state in used
        if state.period in {"account", "bill"} and not state.is_assumed
    )
    account = next(periods, None)
    unused = []
    budgets = dict.fromkeys(it for entry in config.entries for it in entry.budgets)
    for name, options in ((each.name, each.options) for each in budgets):
        starts, ends, is_assumed = period_at(options.period, now, account)
        bounds: tuple[tuple[Unit, int | None], ...] = (
            ("dollars", options.dollars),
            ("tokens", options.tokens),
            ("calls", options.calls),
        )
        unused += [
            BudgetState(
                name=name,
                unit=unit,
                used=0,
                reserved=0,
                limit=limit,
                hard=options.hard,
                starts=starts,
                ends=ends,
                period=options.period,
                raised=0,
                is_assumed=is_assumed,
            )
            for unit, limit in bounds
            if limit is not None and (name, unit, options.period) not in known
        ]
    return tuple(unused)


def show_report(
    report: UsageReport, *, as_csv: bool, as_json: bool, counts: bool, now: float
) -> None:
    """Print a report for a program, or for a person as wide as the terminal is."""
    if as_json:
        from bytebuddy_provider_hf.cli.usage_data import usage_object

        screen.print_json(usage_object(report, counts=counts, now=now))
        return
    if not counts:
        screen.warn(text("usage.is_off"))
    if as_csv:
        from bytebuddy_provider_hf.cli.usage_data import usage_csv

        screen.emit_raw(usage_csv(report.rows, by=report.by))
        return
    if report.first is None:
        screen.note(text("usage.nothing_yet"))
    from bytebuddy_provider_hf.cli.tables import terminal_width
    from bytebuddy_provider_hf.cli.usage_screen import report_lines

    for line in report_lines(report, width=terminal_width(), now=now):
        screen.emit(line)


def raise_named(
    folder: Path, report: UsageReport, given: str, *, as_json: bool
) -> None:
    """Allow a budget more until its period ends, and say how much that makes."""
    from bytebuddy_provider_hf.storage.budgets import raise_budget

    name, sign, amount = given.rpartition("=")
    if not sign:
        raise click.UsageError(text("usage.wants_amount", given=given))
    # What an account includes is no budget of the user's.
    budgets = [state for state in report.budgets if state.period != "bill"]
    known = list(dict.fromkeys(state.name for state in budgets))
    # A file's budget is called by its path, which no shell completes behind the name.
    if name not in known and str(Path(name).expanduser()) in known:
        name = str(Path(name).expanduser())
    if name not in known:
        near = get_close_matches(name, known, n=1)
        if not known:
            said = text("usage.no_budgets")
        elif near:
            said = text("usage.near_budget", name=name, near=near[0])
        else:
            said = text("usage.no_budget", name=name, known=", ".join(known))
        raise click.UsageError(said)
    states = [state for state in budgets if state.name == name]
    state, more = parse_amount(amount, states)
    if not raise_budget(folder, name, state.unit, more):
        raise click.UsageError(text("usage.unused_budget", name=name))
    limit = state.limit + state.raised + more
    if as_json:
        unit = "nano_usd" if state.unit == "dollars" else state.unit
        facts = {
            "budget": redact(name),
            "unit": unit,
            "raised_by": more,
            "limit": limit,
        }
        screen.print_json(facts)
        return
    said = text(
        "usage.raised",
        budget=sanitize_line(name),
        limit=quantity(limit, state.unit),
        more=quantity(more, state.unit),
        day=day_text(last_day(state.ends)),
    )
    screen.note(said, colour="green")


def parse_amount(given: str, states: Sequence[BudgetState]) -> tuple[BudgetState, int]:
    """Return which of a budget's bounds ``given`` raises, and by how much.

    A number alone is dollars where the budget has a bound in dollars, else what its
    only bound counts.
    """
    match = _AMOUNT.fullmatch(given.strip())
    units = {state.unit: state for state in states}
    if match is None:
        raise click.UsageError(text("usage.wants_amount", given=given))
    number = match["number"].replace(",", "").replace("_", "")
    unit = (match["unit"] or ("usd" if match["sign"] else "")).lower()
    if not unit:
        unit = "usd" if "dollars" in units or len(units) > 1 else next(iter(units))
    named = "dollars" if unit == "usd" else f"{unit.removesuffix('s')}s"
    state = next((each for each in states if each.unit == named), None)
    if state is None:
        counted = ", ".join(units)
        raise click.UsageError(text("usage.other_unit", unit=named, counted=counted))
    if named == "dollars":
        more = nano_usd(number)
    else:
        more = int(number) if number.isdigit() else None
    if not more or more > _MOST:
        raise click.UsageError(text("usage.wants_amount", given=given))
    return state, more


def forget_counted(
    folder: Path, before: date | None, *, yes: bool, as_json: bool
) -> None:
    """Remove what was counted, after asking; budgets of the present period stay."""
    from bytebuddy_provider_hf.storage.retention import forget as forget_usage

    question = text("usage.ask_forget")
    if before is not None:
        question = text("usage.ask_forget_before", day=before)
    # A program that pipes "y" is not a person who read the question.
    if not yes and not is_interactive_session():
        raise click.UsageError(text("usage.add_yes"))
    asked = f"{localized(question)} [y/N]: "
    if not yes and not screen.agreed(asked, stream=sys.stderr):
        screen.note(text("usage.kept"))
        return
    count = forget_usage(folder, before=before)
    if as_json:
        day = None if before is None else before.isoformat()
        screen.print_json({"forgotten": count, "before": day})
    elif not count:
        screen.note(text("usage.forgot_none"))
    elif before is None:
        screen.note(text("usage.forgot", count=f"{count:,}"), colour="green")
    else:
        facts = {"count": f"{count:,}", "day": before}
        screen.note(text("usage.forgot_before", **facts), colour="green")
