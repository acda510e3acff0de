"""Draw what each day cost, or how many calls it had, as bars with a label each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Final, TextIO

from bytebuddy_provider_hf.cli.amounts import at_most, can_show, quantity
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.storage.usage_report import UsageRow
from bytebuddy_provider_hf.texts import text

# Eighths of a column (Unicode's block elements), and what stands for them in ASCII.
_EIGHTHS: Final = "▏▎▍▌▋▊▉█"
_PLAIN: Final = "#"
# With more days than two months have, a bar is a month.
_MOST_DAYS: Final = 62
_LEAST_ROOM: Final = 8


def chart_lines(days: Sequence[UsageRow], *, width: int, stream: TextIO) -> list[str]:
    """Return a title and a line for each day, ``width`` wide at most.

    The bars measure the estimates where there are any, else calls: no sum of both.
    Nothing is drawn where there is nothing to see, or no room.
    """
    from rich.cells import cell_len

    by_month = len(days) > _MOST_DAYS
    shown = by_months(days) if by_month else days
    by_money = any(row.estimated for row in shown)
    sizes = [(row.estimated or 0) if by_money else row.calls for row in shown]
    most = max(sizes, default=0)
    if not most:
        return []
    # The year is said in the title of the page.
    names = [
        row.key if len(row.key) < len("2026-07-01") else row.key[5:] for row in shown
    ]
    labels = [day_label(row, by_money=by_money, stream=stream) for row in shown]
    around = max(map(cell_len, names)) + max(map(cell_len, labels)) + len("  ")
    room = width - around
    if room < _LEAST_ROOM:
        return []
    title = text("usage.chart_money" if by_money else "usage.chart_calls")
    return [
        localized(title),
        *(
            " ".join(filter(None, (name, bar(size, most, room, stream=stream), label)))
            for name, size, label in zip(names, sizes, labels, strict=True)
        ),
    ]


def bar(size: int, most: int, room: int, *, stream: TextIO) -> str:
    """Return a bar whose length is to ``room`` as ``size`` is to ``most``.

    What is more than nothing is never drawn as nothing.
    """
    if size <= 0:
        return ""
    if not can_show(_EIGHTHS, stream):
        return _PLAIN * max(1, (2 * size * room + most) // (2 * most))
    eighths = max(1, size * room * 8 // most)
    whole, rest = divmod(eighths, 8)
    return _EIGHTHS[-1] * whole + (_EIGHTHS[rest - 1] if rest else "")


def day_label(row: UsageRow, *, by_money: bool, stream: TextIO) -> str:
    """Return what stands behind a bar: the amount, the calls, what is unpriced."""
    if not row.attempts:
        return "-"
    calls = localized(quantity(row.calls, "calls"))
    if not by_money:
        return calls
    unpriced = sum(row.unpriced.values())
    if row.estimated is None:
        return localized(text("usage.label_unpriced", calls=calls))
    amount = at_most(row.estimated, is_ceiling=row.ceiling, stream=stream)
    if unpriced:
        facts = {"amount": amount, "calls": calls, "count": f"{unpriced:,}"}
        return localized(text("usage.label_part", **facts))
    return localized(text("usage.label", amount=amount, calls=calls))


def by_months(days: Sequence[UsageRow]) -> list[UsageRow]:
    """Return one row for the days of each month, with what a bar and its label show."""
    months = []
    for month, group in groupby(days, key=lambda row: row.key[: len("2026-07")]):
        rows = list(group)
        priced = [row.estimated for row in rows if row.estimated is not None]
        unpriced: Counter[str] = Counter()
        for row in rows:
            unpriced.update(row.unpriced)
        months.append(
            UsageRow(
                month,
                attempts=sum(row.attempts for row in rows),
                calls=sum(row.calls for row in rows),
                estimated=sum(priced) if priced else None,
                ceiling=any(row.ceiling for row in rows),
                unpriced=unpriced,
            )
        )
    return months
