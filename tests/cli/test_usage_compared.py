"""``usage --reconcile``: ledger and bill side by side, and why they differ."""

from __future__ import annotations

import json
import os
import re
from datetime import date
from pathlib import Path

import pytest
from attrs import evolve
from cli.usage_values import JULY
from click.testing import CliRunner
from rich.cells import cell_len

from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.root import cli
from bytebuddy_provider_hf.cli.screen import to_json
from bytebuddy_provider_hf.cli.usage_reconcile import (
    print_reconciliation,
    reconciliation_object,
    show_reconciliation,
)
from bytebuddy_provider_hf.client.bill_comparison import ComparedSession, Difference
from bytebuddy_provider_hf.client.endpoint_costs import EndpointCost, not_metered
from bytebuddy_provider_hf.client.reconcile import ReconciledAccount, Reconciliation
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import MissingPermission
from bytebuddy_provider_hf.hub.billing import Bill, DedicatedEndpoint
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import INFERENCE, USER_BILLING, Account
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import BudgetAlert

GOLDEN = Path(__file__).parent / "golden"
AMOUNT = re.compile(r"\$[\d,]+(?:\.\d+)?")
TOKEN = "hf_ann"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
SESSION = ComparedSession(
    "ann",
    "3fae5f64-5717-4562-b3fc-2c963f66afa6",
    120,
    estimated=1_240_000_000,
    is_ceiling=True,
    reported=900_000_000,
    billed=1_010_000_000,
    billed_calls=118,
    settled=118,
    pending=2,
    models=(LLAMA, "deepseek-ai/DeepSeek-V3.1"),
)
OTHER = ComparedSession(
    "acme", "", 20, unpriced={"compute time": 20}, models=("BAAI/bge-m3",)
)
ENDPOINT = DedicatedEndpoint("llama", "ann", state="running", hourly=1_800_000_000)
FOUND = Reconciliation(
    since=date(2026, 7, 1),
    until=date(2026, 7, 31),
    owner="ann",
    accounts=(
        ReconciledAccount(
            "ann",
            is_organization=False,
            period=Bill(used=1_010_000_000, requests=118),
            current=Bill(
                used=1_500_000_000,
                included=2_000_000_000,
                requests=150,
                starts=JULY[0],
                ends=JULY[1],
            ),
        ),
        ReconciledAccount(
            "acme",
            is_organization=True,
            failure=MissingPermission(
                text("billing.no_bill", owner="acme", permission="org.billing.read"),
                hint=text("billing.make_token", page="https://huggingface.co/x"),
            ),
        ),
    ),
    sessions=(SESSION, OTHER),
    total=evolve(
        SESSION,
        account="",
        session="",
        calls=140,
        unpriced={"compute time": 20},
        models=(),
    ),
    differences=(
        Difference(
            "cached tokens",
            "ann",
            SESSION.session,
            (LLAMA,),
            118,
            -230_000_000,
            text(
                "billing.differs",
                models=LLAMA,
                calls="118",
                where=SESSION.session,
                billed="$1.01",
                estimated="$1.24",
                why=text("billing.why_cached_tokens"),
            ),
        ),
    ),
    endpoints=(
        EndpointCost(ENDPOINT, 1_800_000_000, 3_600_000_000, 43_200_000_000),
        not_metered("https://x1.endpoints.huggingface.cloud"),
    ),
    unread=(text("billing.other_tokens", calls="7"),),
    alerts=(BudgetAlert("credits", 50, 15 * 10**8, 2 * 10**9, "dollars", JULY[1]),),
    period_ends=JULY[1],
)


@pytest.fixture
def hub() -> FakeHub:
    ann = Account("ann", TOKEN, permissions=frozenset({INFERENCE, USER_BILLING}))
    return FakeHub(accounts=[ann])


def reconciled(hub: FakeHub, folder: Path, *, as_json: bool = False) -> ExitCode:
    return show_reconciliation(
        folder,
        date(2026, 7, 1),
        date(2026, 7, 31),
        as_json=as_json,
        runtime=Runtime(connect=MemoryConnect(hub)),
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_comparison_is_as_it_was(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lang: str,
    width: int,
) -> None:
    """Every letter, in the width of the terminal; BYTEBUDDY_GOLDEN=1 writes it anew."""
    monkeypatch.setenv("BYTEBUDDY_LANG", lang)
    print_reconciliation(FOUND, width=width)
    shown = capsys.readouterr().out
    file = GOLDEN / f"reconcile.{lang}.{width}.txt"
    if os.environ.get("BYTEBUDDY_GOLDEN"):
        file.write_text(shown, "utf-8")
    assert shown == file.read_text("utf-8")
    assert max(map(cell_len, shown.splitlines())) <= width
    for session in (SESSION, OTHER):
        assert all(model in shown for model in session.models)


def test_no_two_amounts_are_added(capsys: pytest.CaptureFixture[str]) -> None:
    """What is shown are the amounts that were found, and nothing else."""
    print_reconciliation(FOUND, width=200)
    known = {"$1.24", "$0.90", "$1.01", "$1.50", "$2.00", "$1.80", "$3.60", "$43.20"}
    assert set(AMOUNT.findall(capsys.readouterr().out)) == known


def test_a_missing_permission_is_named_with_its_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On stderr, beside what could be read; so are alerts on credits."""
    print_reconciliation(FOUND, width=None)
    said = capsys.readouterr().err
    assert "`org.billing.read`" in said
    assert "https://huggingface.co/x" in said
    assert "budget credits: 50 % used up, $1.50 of $2.00 until 31 July" in said


def test_json_has_every_amount_in_whole_numbers() -> None:
    """Sessions, differences, accounts and endpoints."""
    shown = json.loads(to_json(reconciliation_object(FOUND)))
    session = shown["sessions"][0]
    assert session["estimated_nano_usd"] == 1_240_000_000
    assert session["billed_nano_usd"] == 1_010_000_000
    assert (session["settled"], session["pending"]) == (118, 2)
    assert shown["differences"][0]["billed_less_estimated_nano_usd"] == -230_000_000
    assert [each["error"] is None for each in shown["accounts"]] == [True, False]
    assert shown["endpoints"][0]["per_hour_nano_usd"] == 1_800_000_000
    assert shown["endpoints"][1]["most_nano_usd"] is None


def test_the_bill_is_read_with_the_users_token(
    hub: FakeHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Progress on stderr; a month without calls says so; exit 0."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert reconciled(hub, tmp_path) is ExitCode.OK
    shown = capsys.readouterr()
    assert shown.err.startswith("reading the bill of 2026-07-01 to 2026-07-31")
    assert shown.out.startswith("Neither ledger nor bill knows of a call")


def test_json_of_a_bill_is_one_object(
    hub: FakeHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And nothing on stderr."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    reconciled(hub, tmp_path, as_json=True)
    shown = capsys.readouterr()
    assert (json.loads(shown.out)["owner"], shown.err) == ("ann", "")


def test_without_any_bill_the_exit_code_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A token for inference only: which permission it lacks, and where to get it."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub = FakeHub(accounts=[Account("ann", TOKEN, permissions=frozenset({INFERENCE}))])
    assert reconciled(hub, tmp_path) is ExitCode.CREDENTIALS
    said = capsys.readouterr().err
    assert "`user.billing.read`" in said
    assert "https://huggingface.co/settings/tokens" in said


def test_without_a_token_nothing_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The permission and the command are named; exit 4."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HF_TOKEN", "HF_API_KEY", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(cli, ["usage", "--reconcile"])
    assert done.exit_code == ExitCode.CREDENTIALS
    assert "`user.billing.read`" in done.stderr
    assert "`bytebuddy-hf login`" in done.stderr
