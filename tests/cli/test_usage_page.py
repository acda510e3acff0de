"""``docs/usage.md`` says what the command and the configuration do."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from cli.process import CANARY
from cli.usage_values import NOON, REPORT

from bytebuddy_provider_hf.cli.amounts import cost_object, reason_text, served_facts
from bytebuddy_provider_hf.cli.root import COMMANDS
from bytebuddy_provider_hf.cli.usage import usage
from bytebuddy_provider_hf.cli.usage_data import COLUMNS, usage_object
from bytebuddy_provider_hf.client.bill_comparison import Cause
from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.config.values import BudgetOptions
from bytebuddy_provider_hf.money import Cost, Unpriced
from bytebuddy_provider_hf.storage.alerts import alert_variables
from bytebuddy_provider_hf.types import BudgetAlert, Reply

PAGE = Path(__file__).parents[2] / "docs" / "usage.md"
TEXT = PAGE.read_text("utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
(PYTHON,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
LINES = [
    line.partition(" #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]


def table(head: str) -> list[tuple[str, str]]:
    """Return the rows of the table whose first column is called ``head``."""
    found = re.findall(
        rf"^(?:A row:\n\n)?\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE
    )
    rows = [line.split(" | ", 1) for block in found for line in block.splitlines()]
    return [(first.removeprefix("| "), said) for first, said in rows]


def members(rows: list[tuple[str, str]]) -> set[str]:
    return {name for first, _ in rows for name in re.findall(r"`(\w+)`", first)}


def test_json_has_the_members_of_the_page() -> None:
    """Neither more nor less, in the object and in its rows."""
    shown = usage_object(REPORT, counts=True, now=NOON)
    (row, *_) = shown["rows"]  # type: ignore[misc]  # a list
    assert members(table("member")) == {*shown, *row}


def test_what_is_named_inside_of_a_member_is_there() -> None:
    """Of the pace, the budgets, the bills and the settlement."""
    shown = usage_object(REPORT, counts=True, now=NOON)
    said = dict(table("member"))
    assert isinstance(shown["pace"], dict)
    assert set(shown["pace"]) <= set(re.findall(r"`(\w+)`", said["`pace`"]))
    for name in ("budgets", "bills"):
        (first, *_) = shown[name]  # type: ignore[misc]  # a list
        assert set(first) == set(re.findall(r"`(\w+)`", said[f"`{name}`"]))


def test_csv_has_the_columns_of_the_page() -> None:
    """Those of a row but two."""
    columns = members(table("member")) - {"seconds", "waited", "key"}
    assert set(COLUMNS) <= columns
    assert "unpriced_reasons" in TEXT


def test_every_reason_is_explained() -> None:
    """Of no price and of a difference, in the words that a program reads.

    A person is told each in a sentence.
    """
    reasons = set(get_args(Unpriced)) - {""}
    assert {first for first, _ in table("reason")} == reasons | set(get_args(Cause))
    assert all(reason_text(reason) != reason for reason in reasons)


def test_a_reply_tells_what_the_page_names() -> None:
    """The cost and what stands beside it."""
    section = TEXT.partition("The answers of the other commands")[2]
    named = set(re.findall(r"`(\w+)`", section.partition("In Python")[0]))
    assert set(cost_object(Cost(estimated=1)) or ()) <= named
    assert set(served_facts(Reply(""))) <= named


@pytest.mark.parametrize("line", LINES)
def test_the_command_takes_every_line_of_the_page(line: str) -> None:
    """The options are there, with such values."""
    program, name, *arguments = shlex.split(line)
    assert program == "bytebuddy-hf"
    assert name in COMMANDS
    with usage.make_context(name, arguments) as context:
        assert context.params


def test_the_configurations_of_the_page_load(tmp_path: Path) -> None:
    """With the bounds that the page tells of."""
    loaded = []
    for at, block in enumerate(YAML):
        path = tmp_path / f"{at}.yaml"
        path.write_text(block)
        loaded.append(load(path, cwd=tmp_path, home=tmp_path, env={"HF_API_KEY": "x"}))
    budgets, alerts = loaded
    (entry,) = budgets.entries
    assert [budget.options for budget in entry.budgets] == [
        BudgetOptions(calls=30_000, hard=True),
        BudgetOptions(dollars=20 * 10**9, period="account"),
    ]
    assert alerts.alerts is not None
    assert alerts.alerts.command == ("notify-send", "ByteBuddy")
    assert all(each.warnings == () for each in loaded)


def test_an_alerts_command_gets_the_variables_of_the_page() -> None:
    """Neither more nor less."""
    alert = BudgetAlert("x", 80, 1, 2, "calls", NOON)
    assert set(re.findall(r"`(BYTEBUDDY_\w+)`", TEXT)) == set(alert_variables(alert))


def test_the_program_of_the_page_runs(
    base: str, home: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """As it is pasted: what is known of a call's cost, and all that was sent."""
    (home / ".bytebuddy").mkdir()
    config = YAML[1].partition("models:")[2]
    (home / ".bytebuddy" / "config.yaml").write_text(
        f'models:{config.rstrip()}\n    apiBase: "{base}"\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", PYTHON],
        env={**environment, "HF_API_KEY": CANARY},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == "unpriced: not metered"
    # What only asks about the server is sent, too.
    assert re.fullmatch(r"requests this month: [1-9]", second)
