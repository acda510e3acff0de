"""``usage`` as a process: what is there, what is not, and what it changes."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
import time
from pathlib import Path

import pytest
from cli.process import OpenTerminal, Run
from rich.cells import cell_len

from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.usage import DIMENSIONS, chosen_range
from bytebuddy_provider_hf.config.stored_files import USAGE, user_folder
from bytebuddy_provider_hf.config.values import Budget, BudgetOptions
from bytebuddy_provider_hf.money import Cost
from bytebuddy_provider_hf.storage.attempt import Attempt, Payer
from bytebuddy_provider_hf.storage.budgets import Amounts
from bytebuddy_provider_hf.storage.ledger import Ledger
from bytebuddy_provider_hf.types import Usage

LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
ROUTER = "https://router.huggingface.co"
ZH = {"BYTEBUDDY_LANG": "zh"}


@pytest.fixture
def folder(home: Path) -> Path:
    return user_folder(home)


@pytest.fixture
def kept(folder: Path) -> Path:
    """Give the folder of a ledger: two calls that have a price, and one without."""
    ledger = Ledger(folder)
    budgets = [Budget("hf-llama", BudgetOptions(dollars=5 * 10**9, calls=100))]

    async def call(model: str, cost: Cost, session: str = "s") -> None:
        reserved = await ledger.reserve(budgets, Amounts(10**7, 100, 1))
        await ledger.count()
        attempt = Attempt(
            Payer("0" * 16, "", ROUTER, model),
            "chat",
            time.time(),
            session,
            seconds=0.5,
            outcome="complete",
            status=200,
            provider="novita",
            usage=Usage(1_000, 200, 1_200, 100),
            cost=cost,
        )
        ledger.record(attempt)
        ledger.settle(reserved, Amounts(cost.estimated or 0, 1_200, 1))

    async def fill() -> None:
        await call(LLAMA, Cost(1_230_000_000, is_ceiling=True))
        await call(LLAMA, Cost(10_000_000, reported=9_000_000), session="=1+1")
        await call("org/unpriced", Cost(unpriced="no price"))
        await ledger.flush()

    asyncio.run(fill())
    ledger.close()
    return folder


def test_before_the_first_call_there_is_nothing(run: Run, folder: Path) -> None:
    """It says so, makes no file, and is no failure."""
    ran = run("usage")
    assert ran.code == 0
    assert ran.err.startswith("Nothing was counted yet")
    assert not (folder / USAGE.name).exists()
    shown = json.loads(run("usage", "--json").out)
    assert (shown["first"], shown["rows"], shown["pace"]) == (None, [], None)
    assert run("usage", "--csv").out.count("\r\n") == 1


def test_a_ledger_that_is_off_says_how_to_turn_it_on(run: Run, folder: Path) -> None:
    """Nothing was counted, which is not the same as nothing was sent; exit 3."""
    folder.mkdir()
    (folder / "config.yaml").write_text("ledger: off\nmodels: []\n")
    ran = run("usage")
    assert ran.code == ExitCode.CONFIG
    assert "`ledger: off`" in ran.err
    assert json.loads(run("usage", "--json").out)["error"]["type"] == "ConfigError"


def test_what_was_counted_stays_to_be_seen(run: Run, kept: Path) -> None:
    """Also when the ledger was turned off later: a warning says so."""
    (kept / "config.yaml").write_text("ledger: off\nmodels: []\n")
    ran = run("usage")
    assert (ran.code, LLAMA in ran.out) == (0, True)
    assert ran.err.startswith("warning: The ledger is off")


def test_a_pipe_gets_a_row_a_model(run: Run, kept: Path) -> None:
    """Amounts side by side; what has no price is named with its reason."""
    ran = run("usage")
    assert (ran.code, ran.err) == (0, "")
    rows = [line.split("\t") for line in ran.out.splitlines()]
    (llama,) = (row for row in rows if row[0] == LLAMA)
    assert llama[1:4] == ["2", "2", "0"]
    assert llama[8:11] == ["≤$1.24", "$0.0090", "-"]
    assert "1 request is unpriced and in no estimate: the catalogue has no" in ran.out
    assert "https://huggingface.co/settings/billing" in ran.out


@pytest.mark.parametrize("by", DIMENSIONS)
def test_csv_and_json_say_the_same(run: Run, kept: Path, by: str) -> None:
    """By whatever makes a row; sums are those of the total."""
    shown = json.loads(run("usage", "--json", "--by", by).out)
    rows = list(csv.DictReader(io.StringIO(run("usage", "--csv", "--by", by).out)))
    assert [row[by] for row in rows] == [
        f"'{row['key']}" if row["key"].startswith("=") else row["key"]
        for row in shown["rows"]
    ]
    for row, same in zip(rows, shown["rows"], strict=True):
        amount = same["estimated_nano_usd"]
        assert row["estimated_nano_usd"] == ("" if amount is None else str(amount))
        assert row["prompt_tokens"] == str(same["prompt_tokens"])
    assert shown["total"]["estimated_nano_usd"] == 1_240_000_000
    assert sum(int(row["attempts"]) for row in rows) == 3


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_terminal_has_a_page_of_its_width(
    terminal: OpenTerminal, kept: Path, columns: int
) -> None:
    """With a bar for the day, and no line wider than it."""
    one = terminal("usage", COLUMNS=str(columns))
    assert one.end() == 0
    lines = one.text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    assert max(map(cell_len, lines)) <= columns
    assert any("█" in line for line in lines)
    assert LLAMA in " ".join(lines)


def test_a_locale_of_ascii_gets_ascii(terminal: OpenTerminal, kept: Path) -> None:
    """Bars of `#`, and no escape that an encoding would make of others."""
    one = terminal("usage", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert one.end() == 0
    assert "####" in one.text
    assert "\\u" not in one.text
    assert "<=$1.24" in one.text


def test_a_page_is_said_in_chinese(run: Run, kept: Path) -> None:
    """By the variable, or by --lang before the command."""
    for ran in (run("usage", **ZH), run("--lang", "zh", "usage")):
        assert ran.out.startswith("模型\t请求\t")
        assert "账单：https://huggingface.co/settings/billing" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--month", "2026-13"], "write one such as 2026-07"),
        (["--month", "x"], "write one such as 2026-07"),
        (["--since", "2026-02-30"], "write one such as 2026-07-31"),
        (["--since", "1026-02-03"], "write one such as 2026-07-31"),
        (["--since", "2026-03-02", "--until", "2026-03-01"], "is after"),
        (["--since", "2001-01-01", "--until", "2026-03-01"], "at most ten years"),
        (["--month", "2026-03", "--since", "2026-03-01"], "cannot be given together"),
        (["--csv", "--reconcile"], "cannot be given together"),
        (["--forget", "--raise", "x=1"], "cannot be given together"),
        (["--month", "2026-07", "--until", "2026-07-02"], "--month and --until"),
        (["--before", "2026-03-01"], "go with --forget only"),
        (["--yes"], "go with --forget only"),
        (["--by", "colour"], "colour"),
    ],
)
def test_wrong_usage_is_named(run: Run, arguments: list[str], said: str) -> None:
    """Exit 2, before anything is read; as JSON where that was asked for."""
    ran = run("usage", *arguments)
    assert (ran.code, said in " ".join(ran.err.split())) == (ExitCode.USAGE, True)
    ran = run("usage", *arguments, "--json")
    assert json.loads(ran.out)["error"]["type"] == "UsageError"


def test_csv_and_json_are_two_things(run: Run) -> None:
    """One of them."""
    ran = run("usage", "--csv", "--json")
    assert "--csv and --json" in json.loads(ran.out)["error"]["message"]


def test_a_budget_is_raised_for_its_period(run: Run, kept: Path) -> None:
    """In dollars, or in what it counts; the limit that makes is told."""
    ran = run("usage", "--raise", "hf-llama=$2.50")
    assert ran.code == 0
    assert "Budget hf-llama: $7.50 until" in ran.err
    assert run("usage", "--raise", "hf-llama=20 calls").code == 0
    budgets = json.loads(run("usage", "--json").out)["budgets"]
    limits = {each["unit"]: (each["limit"], each["raised"]) for each in budgets}
    assert limits == {"nano_usd": (7_500_000_000, 2_500_000_000), "calls": (120, 20)}
    shown = json.loads(run("usage", "--raise", "hf-llama=1", "--json").out)
    assert (shown["limit"], shown["raised_by"]) == (8_500_000_000, 1_000_000_000)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("hf-lama=5", "Did you mean hf-llama?"),
        ("other=5", "there is hf-llama"),
        ("hf-llama", "Expected NAME=5"),
        ("hf-llama=-5", "Expected NAME=5"),
        ("hf-llama=0", "Expected NAME=5"),
        ("hf-llama=five", "Expected NAME=5"),
        ("hf-llama=1.5 calls", "Expected NAME=5"),
        ("hf-llama=5 tokens", "has no bound in tokens"),
    ],
)
def test_a_slip_raises_nothing(run: Run, kept: Path, given: str, said: str) -> None:
    """The near name, or the form, is proposed; exit 2."""
    ran = run("usage", "--raise", given)
    assert (ran.code, said in " ".join(ran.err.split())) == (ExitCode.USAGE, True)
    budgets = json.loads(run("usage", "--json").out)["budgets"]
    assert {each["raised"] for each in budgets} == {0}


def test_nothing_is_forgotten_unasked(run: Run, kept: Path) -> None:
    """Without a person there is nobody to ask; exit 2."""
    ran = run("usage", "--forget", stdin="y\n")
    assert (ran.code, "--yes" in ran.err) == (ExitCode.USAGE, True)
    assert LLAMA in run("usage").out


def test_what_is_forgotten_is_gone(run: Run, kept: Path) -> None:
    """What is older than a day, or all; how much it was is told."""
    ran = run("usage", "--forget", "--before", "2020-01-01", "--yes")
    assert (ran.code, ran.err) == (0, "There was nothing to remove.\n")
    assert LLAMA in run("usage").out
    ran = run("usage", "--forget", "--yes")
    assert (ran.code, ran.err) == (0, "Removed all that was counted: 3 requests.\n")
    assert LLAMA not in run("usage").out
    ran = run("usage", "--forget", "--yes", "--json")
    assert json.loads(ran.out) == {"forgotten": 0, "before": None}


@pytest.mark.parametrize(
    ("typed", "code", "stays"),
    [("y\n", 0, False), ("n\n", 0, True), ("\n", 0, True), ("\x03", 130, True)],
)
@pytest.mark.usefixtures("kept")
def test_a_person_is_asked(
    terminal: OpenTerminal, run: Run, typed: str, code: int, stays: bool
) -> None:
    """No is the default, and Ctrl-C removes nothing."""
    one = terminal("usage", "--forget")
    one.read_until("[y/N]")
    one.type(typed)
    assert one.end() == code
    assert (LLAMA in run("usage").out) is stays


def test_a_newer_file_stays_as_it_is(run: Run, kept: Path) -> None:
    """One sentence with the next step; nothing is removed or raised."""
    with sqlite3.connect(kept / USAGE.name) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    for arguments in ([], ["--forget", "--yes"], ["--raise", "hf-llama=5"]):
        ran = run("usage", *arguments)
        assert ran.code == ExitCode.CONFIG
        assert "newer version" in ran.err
        assert len(ran.err.splitlines()) <= 2


def test_a_file_that_cannot_be_read_says_so(run: Run, kept: Path) -> None:
    """It is no empty month."""
    for end in ("", "-wal", "-shm"):
        (kept / f"{USAGE.name}{end}").unlink(missing_ok=True)
    (kept / USAGE.name).write_bytes(b"no database at all" * 1_000)
    ran = run("usage")
    assert ran.code in {ExitCode.CONFIG, ExitCode.OTHER}
    assert USAGE.name in ran.err
    assert ran.out == ""


def test_a_broken_configuration_hides_nothing(run: Run, kept: Path) -> None:
    """What was counted is shown all the same, with a warning."""
    (kept / "config.yaml").write_text("models: [")
    ran = run("usage")
    assert (ran.code, LLAMA in ran.out) == (0, True)
    assert ran.err.startswith("warning: ")
    assert run("usage", "--config", "none.yaml").code == ExitCode.CONFIG


def test_a_month_is_its_days() -> None:
    """This month by default; --since goes to today, --until begins its month."""
    from datetime import date

    now = 1_795_176_000.0  # 2026-11-20
    today = date(2026, 11, 20)
    for given, wanted in (
        ((None, None, None), (date(2026, 11, 1), date(2026, 11, 30))),
        ((date(2024, 2, 1), None, None), (date(2024, 2, 1), date(2024, 2, 29))),
        ((None, date(2026, 10, 5), None), (date(2026, 10, 5), today)),
        ((None, None, date(2026, 10, 5)), (date(2026, 10, 1), date(2026, 10, 5))),
        ((None, date(2027, 1, 1), None), (date(2027, 1, 1), date(2027, 1, 1))),
    ):
        assert chosen_range(*given, now=now) == wanted


def test_a_call_is_counted_and_its_cost_told(run: Run, base: str) -> None:
    """In the ledger, with ``-v`` on stderr, and in JSON: not metered is not $0."""
    ran = run("chat", "-v", "--base", base, "-m", "any", "hi")
    assert (ran.code, "cost: unpriced: " in ran.err) == (0, True)
    shown = json.loads(run("chat", "--json", "--base", base, "-m", "any", "hi").out)
    assert shown["cost"]["estimated_nano_usd"] is None
    assert shown["cost"]["unpriced"] == "not metered"
    report = json.loads(run("usage", "--json", "--by", "role").out)
    (chat,) = (row for row in report["rows"] if row["key"] == "chat")
    assert (chat["calls"], chat["unpriced"]) == (2, {"not metered": 2})
    assert "cost" not in run("chat", "--base", base, "-m", "any", "hi").err


def test_an_alert_is_told_once(run: Run, base: str, folder: Path) -> None:
    """By the command that passes the threshold, on stderr: also beside JSON."""
    folder.mkdir()
    (folder / "config.yaml").write_text(
        "models:\n  - name: m\n    provider: huggingfaceinferenceapi\n"
        f"    model: any\n    apiBase: {base}\n    budget: {{calls: 2}}\n"
    )
    ran = run("chat", "hi")
    assert (ran.code, ran.err.count("budget m: ")) == (0, 1)
    assert "budget m: 50 % used up, 1 call of 2 calls until " in ran.err
    ran = run("chat", "--json", "hi")
    assert json.loads(ran.out)["text"]
    assert "budget m: 100 % used up, 2 calls of 2 calls until " in ran.err
    assert "budget m" not in run("chat", "hi", **ZH).err
    (budget,) = json.loads(run("usage", "--json").out)["budgets"]
    assert (budget["used"], budget["limit"], budget["percent"]) == (3, 2, 150)


def test_a_budget_that_nobody_used_is_shown(run: Run, folder: Path) -> None:
    """With all of it left, each bound for itself; there is nothing to raise yet."""
    folder.mkdir()
    (folder / "config.yaml").write_text(
        "budget: {dollars: 20, period: account}\n"
        "models:\n  - name: m\n    provider: huggingfaceinferenceapi\n"
        "    model: org/name\n    budget: {calls: 30000, tokens: 5, hard: true}\n"
    )
    budgets = json.loads(run("usage", "--json").out)["budgets"]
    assert [(each["unit"], each["used"], each["limit"]) for each in budgets] == [
        ("tokens", 0, 5),
        ("calls", 0, 30_000),
        ("nano_usd", 0, 20 * 10**9),
    ]
    assert [each["hard"] for each in budgets] == [True, True, False]
    assert budgets[2]["period_is_assumed"]
    ran = run("usage", "--raise", "m=100 calls")
    assert (ran.code, "nothing to raise yet" in " ".join(ran.err.split())) == (2, True)
