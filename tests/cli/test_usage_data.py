"""``usage`` for programs: what is written is read back, and money is whole numbers."""

from __future__ import annotations

import csv
import io
import json

import pytest
from attrs import evolve
from cli.usage_values import EMPTY, NOON, REPORT
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.cli.screen import to_json
from bytebuddy_provider_hf.cli.usage_data import (
    COLUMNS,
    no_formula,
    usage_csv,
    usage_object,
)
from bytebuddy_provider_hf.storage.usage_report import UsageRow


def parsed(row: UsageRow) -> dict[str, str]:
    """Return a row as a program reads it from the CSV."""
    written = usage_csv([row], by="model")
    (found,) = csv.DictReader(io.StringIO(written, newline=""))
    return found


counts = st.integers(0, 2**62)
amounts = st.none() | counts
rows = st.builds(
    UsageRow,
    st.text(max_size=30),
    attempts=counts,
    calls=counts,
    failed=counts,
    prompt_tokens=counts,
    cached_tokens=counts,
    completion_tokens=counts,
    reasoning_tokens=counts,
    estimated=amounts,
    ceiling=st.booleans(),
    reported=amounts,
    billed=amounts,
    pending=counts,
    unpriced=st.dictionaries(st.sampled_from(["no price", "compute time"]), counts),
)


@given(rows)
def test_csv_is_read_back(row: UsageRow) -> None:
    """Each amount to the last nano-USD; an empty cell is unknown, "0" is nothing."""
    found = parsed(row)
    assert list(found) == ["model", *COLUMNS, "unpriced_reasons"]
    for name, amount in (
        ("estimated_nano_usd", row.estimated),
        ("reported_nano_usd", row.reported),
        ("billed_nano_usd", row.billed),
    ):
        assert found[name] == ("" if amount is None else str(amount))
    assert int(found["prompt_tokens"]) == row.prompt_tokens
    assert int(found["unpriced"]) == sum(row.unpriced.values())
    assert found["estimated_is_ceiling"] == str(row.ceiling).lower()


def test_csv_has_a_head_and_ends_lines_as_rfc_4180_does() -> None:
    """A record a line, CR LF at its end, as many cells in each."""
    lines = usage_csv(REPORT.rows, by="model").split("\r\n")
    assert lines[0].startswith("model,attempts,calls,failed,")
    assert lines[-1] == ""
    assert len(lines) == len(REPORT.rows) + 2
    assert "\n" not in "".join(lines)


@pytest.mark.parametrize("key", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1", "-"])
def test_no_cell_is_a_formula(key: str) -> None:
    """A model's or a session's name comes from somebody else."""
    assert parsed(UsageRow(key))["model"][0] == "'"


def test_a_name_that_is_no_formula_stays() -> None:
    """Ids of the Hub are written as they are."""
    for name in ("org/name", "a=b", "", "你好"):
        assert no_formula(name) == name


def test_a_quoted_cell_is_one_cell() -> None:
    """Commas and quotation marks in a name separate nothing."""
    assert parsed(UsageRow('a,"b"'))["model"] == 'a,"b"'


def test_json_is_read_back() -> None:
    """Every day, every budget, and the four amounts by names that say their unit."""
    shown = json.loads(to_json(usage_object(REPORT, counts=True, now=NOON)))
    assert (shown["since"], shown["until"], shown["by"], shown["ledger"]) == (
        "2026-07-01",
        "2026-07-31",
        "model",
        "on",
    )
    assert len(shown["days"]) == 31
    row = shown["rows"][0]
    assert (row["estimated_nano_usd"], row["estimated_is_ceiling"]) == (
        10**9 * 31 // 25,
        True,
    )
    assert (row["reported_nano_usd"], row["billed_nano_usd"]) == (900_000_000, None)
    assert (row["pending"], row["unpriced"]) == (5, {"no price": 2})
    assert shown["pace"] == {
        "ends": "2026-08-01T00:00:00+00:00",
        "calls": 3_350,
        "estimated_nano_usd": 2_054_931_715,
        "estimated_is_ceiling": True,
        "unpriced": 22,
    }
    budget = shown["budgets"][0]
    assert (budget["unit"], budget["used"], budget["limit"], budget["raised"]) == (
        "nano_usd",
        4_100_000_000,
        5_000_000_000,
        1_000_000_000,
    )
    assert (budget["percent"], budget["ends"]) == (82, "2026-08-01T00:00:00+00:00")
    assert shown["bills"][0]["limit_nano_usd"] is None
    assert shown["settlement"]["pending"] == 5


def test_json_of_nothing_has_the_same_members() -> None:
    """A program need not ask whether there is a ledger yet."""
    whole = usage_object(REPORT, counts=True, now=NOON)
    empty = usage_object(EMPTY, counts=False, now=NOON)
    assert whole.keys() == empty.keys()
    assert (empty["rows"], empty["pace"], empty["ledger"]) == ([], None, "off")


@given(rows)
def test_no_number_of_money_is_a_float(row: UsageRow) -> None:
    """JSON has no other numbers than whole ones, but for seconds."""
    report = evolve(REPORT, rows=(row,), total=row)
    written = to_json(usage_object(report, counts=True, now=NOON))
    floats: list[str] = []
    shown = json.loads(written, parse_float=lambda found: floats.append(found) or 0.0)
    assert shown["total"]["estimated_nano_usd"] == row.estimated
    assert set(floats) <= {"0.0"}  # seconds and waited
