"""What the ledger promises is kept by programs that are many, and that are killed."""

from __future__ import annotations

import asyncio
import os

import pytest
from rounds import rounds

from benchmarks.reliability import alerts, killer, procs
from bytebuddy_provider_hf.storage.counter import BLOCK


def test_sums_of_many_processes_are_exact() -> None:
    """Nothing is lost or counted twice, and no caller sees a locked database."""
    found = procs.run(rounds(4, long=8), rounds(500, long=10_000))
    assert found["met"], found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="its programs are forks")
@pytest.mark.parametrize("by_row", [False, True])
def test_a_program_that_is_killed_counts_at_most_a_block_too_much(
    by_row: bool,
) -> None:
    """And never a request too few; the file stays sound, and opens within a second."""
    found = asyncio.run(killer.run(rounds(6, long=200), seed=7, by_row=by_row))
    assert found["ledger"] >= found["server"] > 0, found
    assert found["least_over_server"] >= 0, found
    assert found["most_over_server_by_one"] <= BLOCK, found
    assert found["damaged"] == 0, found
    # Other tests may have the processors.
    assert found["slowest_first_count_seconds"] < rounds(10, long=1), found


def test_budgets_and_alerts_over_processes() -> None:
    """Room for 10 is for 10, and each alert is told once."""
    found = alerts.run()
    assert found["met"], found
