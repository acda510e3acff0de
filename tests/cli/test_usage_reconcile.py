"""``usage --reconcile``: ledger and bill side by side, in any width, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from billed_world import NOON, World

from bytebuddy_provider_hf.cli.usage_reconcile import (
    print_reconciliation,
    reconciliation_object,
)
from bytebuddy_provider_hf.client.reconcile import Reconciliation
from bytebuddy_provider_hf.testing.hub_bill import INFERENCE
from bytebuddy_provider_hf.testing.hub_endpoints import ManagedEndpoint

pytestmark = pytest.mark.asyncio


async def a_month(folder: Path) -> Reconciliation:
    """Return calls of every kind: billed, cheaper, pending, strange, for another."""
    world = World(folder)
    for _ in range(3):
        await world.call("0123456789abcdef0123456789abcdef")
    await world.call("hidden", model="org/hidden", unpriced="no price")
    await world.call("theirs", keep=False, text="quite other words")
    await world.call("paid by acme", bill_to="acme", text="words for acme")
    world.hub.endpoints = [ManagedEndpoint("mine", "ann", last_used=NOON)]
    world.now += 3_600
    await world.call("young", text="words of just now")
    found = await world.reconcile()
    world.ledger.close()
    return found


@pytest.mark.parametrize("width", [60, 80, 160])
async def test_no_line_is_wider_than_the_terminal(
    width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And every session, cause, account and endpoint is named, no id cut."""
    print_reconciliation(await a_month(tmp_path), width=width)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    for name in (
        *("0123456789abcdef0123456789abcdef", "hidden", "young", "paid by acme"),
        *("acme", "ann", "org/name", "org/hidden", "ann/mine"),
    ):
        assert name in shown, name
    flat = " ".join(shown.split())
    for said in ("Cached tokens", "Other programs or machines", "younger than half"):
        assert said in flat, said


async def test_the_object_is_json_with_whole_numbers(tmp_path: Path) -> None:
    """Money in 10⁻⁹ USD; each call is one of four things."""
    found = reconciliation_object(await a_month(tmp_path))
    written = json.loads(json.dumps(found))
    total = written["total"]
    known = sum(total["unpriced"].values()) + total["unmatched"]
    assert total["settled"] + total["pending"] + known == total["calls"] == 6
    causes = {each["cause"] for each in written["differences"]}
    assert causes == {"cached tokens", "no estimate", "other programs", "pending"}
    assert written["endpoints"][0]["per_hour_nano_usd"] == 800_000_000


async def test_what_is_missing_is_said_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The permission and where a token with it is made."""
    world = World(tmp_path, permissions=frozenset({INFERENCE}))
    await world.call()
    found = await world.reconcile()
    world.ledger.close()
    print_reconciliation(found, width=80)
    said = " ".join(capsys.readouterr().err.split())
    assert "user.billing.read" in said
    assert "https://huggingface.co/settings/tokens/new" in said
