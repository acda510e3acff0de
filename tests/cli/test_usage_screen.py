"""What ``usage`` shows a person: it fits, and no amount is what it is not."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import pytest
from attrs import evolve
from cli.usage_values import EMPTY, JULY, NOON, REPORT, TOTAL
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bytebuddy_provider_hf.cli.usage_chart import bar, chart_lines
from bytebuddy_provider_hf.cli.usage_screen import report_lines
from bytebuddy_provider_hf.money import dollars
from bytebuddy_provider_hf.storage.usage_report import UsageReport, UsageRow

GOLDEN = Path(__file__).parent / "golden"
AMOUNT = re.compile(r"\$[\d,]+(?:\.\d+)?")
LANGUAGES = ("en", "zh")


def lines_of(report: UsageReport, width: int | None, now: float = NOON) -> list[str]:
    return report_lines(report, width=width, now=now)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_page_is_as_it_was(
    monkeypatch: pytest.MonkeyPatch, lang: str, width: int
) -> None:
    """Every letter; BYTEBUDDY_GOLDEN=1 writes the files anew after a change."""
    monkeypatch.setenv("BYTEBUDDY_LANG", lang)
    shown = "".join(f"{line}\n" for line in lines_of(REPORT, width))
    file = GOLDEN / f"usage.{lang}.{width}.txt"
    if os.environ.get("BYTEBUDDY_GOLDEN"):
        file.write_text(shown, "utf-8")
    assert shown == file.read_text("utf-8")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_width_has_room(monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """No line is wider than the terminal, no id is cut, no word is broken."""
    monkeypatch.setenv("BYTEBUDDY_LANG", lang)
    # In a pipe nothing is wrapped: there stand the whole words.
    whole = {word for line in lines_of(REPORT, None) for word in line.split()}
    for width in range(50, 240, 5):
        lines = lines_of(REPORT, width)
        assert max(map(cell_len, lines)) <= width
        words = {word for line in lines for word in line.split()}
        assert {row.key for row in REPORT.rows} <= words
        if lang == "en":
            # But for the chart and the labels of blocks, which a pipe does not have.
            broken = {word for word in words if not word.isascii() or ":" in word}
            assert {"catalogue", "reckoned", "unpriced"} <= words - broken
            assert "https://huggingface.co/settings/billing" in words & whole


def test_a_pipe_gets_a_table_that_programs_can_cut() -> None:
    """A tab between cells, the head first, no chart."""
    head, *rows = lines_of(REPORT, None)
    assert head.split("\t")[:3] == ["model", "requests", "calls"]
    cells = rows[0].split("\t")
    assert cells[0] == "meta-llama/Llama-3.3-70B-Instruct"
    assert cells[8:] == ["≤$1.24", "$0.90", "-", "5", "2"]
    assert rows[4].split("\t")[:3] == ["total", "2,141", "2,021"]
    assert not any("█" in line for line in rows)


def test_what_costs_nothing_and_what_nobody_knows_differ() -> None:
    """A price of 0 is $0.00; no price is no number, and its reason is told."""
    lines = lines_of(REPORT, None)
    free = next(line for line in lines if line.startswith("google/"))
    unknown = next(line for line in lines if line.startswith("sentence-"))
    assert free.split("\t")[8:] == ["$0.00", "-", "-", "0", "0"]
    assert unknown.split("\t")[8:] == ["-", "-", "-", "0", "20"]
    said = "20 requests are unpriced and in no estimate: it costs compute time"
    assert any(line.startswith(said) for line in lines)


def test_a_month_without_calls_says_so() -> None:
    """No table of nothing, no pace; the link to the bill stays."""
    assert lines_of(EMPTY, 80) == [
        "Nothing was sent from 2026-07-01 to 2026-07-31.",
        "",
        "The bill: https://huggingface.co/settings/billing",
    ]


amounts = st.none() | st.integers(0, 10**12)


@given(
    st.lists(st.tuples(amounts, amounts, amounts, st.integers(0, 9)), max_size=4),
    st.sampled_from([None, 60, 160]),
    st.booleans(),
)
def test_no_amount_is_a_sum_of_two(
    rows: list[tuple[int | None, int | None, int | None, int]],
    width: int | None,
    is_ceiling: bool,
) -> None:
    """Estimated, reported and billed say the same thing: each stands for itself.

    Every amount on the page is one of the report's; nothing unknown is $0.
    """

    def made(key: str, row: tuple[int | None, int | None, int | None, int]) -> UsageRow:
        estimated, reported, billed, pending = row
        return UsageRow(
            key,
            attempts=10,
            calls=10,
            estimated=estimated,
            ceiling=is_ceiling,
            reported=reported,
            billed=billed,
            pending=pending,
            unpriced={} if estimated is not None else {"no price": 10},
        )

    def summed(place: int) -> int | None:
        known = [row[place] for row in rows if row[place] is not None]
        return sum(known) if known else None  # type: ignore[arg-type]

    total = made("", (summed(0), summed(1), summed(2), sum(row[3] for row in rows)))
    report = evolve(
        EMPTY,
        rows=tuple(made(f"org/m{at}", row) for at, row in enumerate(rows)),
        total=total,
        days=(evolve(total, key="2026-07-01"),),
    )
    every = (*report.rows, total)
    known = {
        dollars(amount)
        for row in every
        for amount in (row.estimated, row.reported, row.billed)
        if amount is not None
    }
    # The month is over: a pace would be an amount of its own.
    shown = "\n".join(lines_of(report, width, now=JULY[1]))
    assert set(AMOUNT.findall(shown)) <= known


def test_the_pace_is_told_of_money_calls_and_budgets() -> None:
    """The example: by 31 July, from the first day that was counted."""
    lines = lines_of(REPORT, 200)
    assert (
        "At this pace: ≤$2.05 estimated and 3,350 calls by 31 July, without what is "
        "unpriced."
    ) in lines
    budget = next(line for line in lines if line.startswith("hf-llama"))
    assert tuple(budget.split()[1:4]) == ("$4.10", "$5.00", "82")
    assert "$6.79" in budget.split()


def test_bars_measure_calls_where_nothing_has_a_price() -> None:
    """A chart of calls, never of both."""
    days = [
        UsageRow("2026-07-01", attempts=2, calls=2, unpriced={"no price": 2}),
        UsageRow("2026-07-02", attempts=4, calls=4, unpriced={"no price": 4}),
        UsageRow("2026-07-03"),
    ]
    assert chart_lines(days, width=30, stream=sys.stdout) == [
        "Calls by day",
        "07-01 ████████ 2 calls",
        "07-02 ████████████████ 4 calls",
        "07-03 -",
    ]


def test_more_than_two_months_are_drawn_by_month() -> None:
    """A bar for each month; what is unpriced stays counted."""
    days = [
        UsageRow(
            f"2026-{month:02}-{number:02}",
            attempts=1,
            calls=1,
            estimated=None if number == 1 else 10_000_000 * month,
            unpriced={"no price": 1} if number == 1 else {},
        )
        for month in (4, 5, 6)
        for number in range(1, 31)
    ]
    assert chart_lines(days, width=60, stream=sys.stdout)[1:] == [
        "2026-04 " + "█" * 16 + " $1.16, 30 calls, 1 unpriced",
        "2026-05 " + "█" * 20 + " $1.45, 30 calls, 1 unpriced",
        "2026-06 " + "█" * 24 + " $1.74, 30 calls, 1 unpriced",
    ]


def test_an_encoding_without_blocks_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `LC_ALL=C` has it: the whole page is ASCII, and as wide."""
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", plain)
    lines = lines_of(REPORT, 80)
    assert all(line.isascii() and len(line) <= 80 for line in lines)
    assert any("####" in line for line in lines)
    assert "<= marks a ceiling" in "\n".join(lines)


@given(st.integers(0, 10**15), st.integers(1, 10**15), st.integers(8, 200))
def test_a_bar_is_as_long_as_its_amount(size: int, most: int, room: int) -> None:
    """Never longer than its room, never nothing for something; to an eighth."""
    size = min(size, most)
    drawn = bar(size, most, room, stream=sys.stdout)
    assert len(drawn) <= room
    assert bool(drawn) is bool(size)
    eighths = sum("▏▎▍▌▋▊▉█".index(each) + 1 for each in drawn)
    assert abs(eighths - size * room * 8 / most) <= 1


def test_a_terminal_too_narrow_for_bars_has_none() -> None:
    """The table and the rest are there all the same."""
    assert chart_lines(REPORT.days, width=20, stream=sys.stdout) == []


def test_a_token_in_a_name_is_masked() -> None:
    """A model or a session may be called as a key looks."""
    key = "hf_" + "CanaryCanary" * 3
    row = evolve(TOTAL, key=key)
    for width in (None, 60, 200):
        shown = "\n".join(lines_of(evolve(REPORT, rows=(row,)), width))
        assert key not in shown
