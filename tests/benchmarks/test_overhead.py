"""The benchmark of what a call costs runs against the package as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "overhead.py"


def test_the_benchmark_prints_a_ratio_for_each_workload() -> None:
    """The figures of the project are printed by one command, which must not rot."""
    run = subprocess.run(
        [sys.executable, "-W", "error", SCRIPT, "--rounds", "1", "--quick"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    rows = re.findall(
        r"^(.+?) +([\d.]+) +(-?[\d.]+) +(-?[\d.]+)$", run.stdout, re.MULTILINE
    )
    assert [row[0].split(",")[0] for row in rows] == [
        *("whole", "whole", "whole"),
        *("cache hit", "cache hit", "cache hit in the file", "cache off", "stream"),
        *("256 texts embedded", "256 texts embedded"),
        *("the ledger adds", "the ledger adds"),
        *("64 streams at once", "64 streams at once", "64 streams at once"),
    ]
    # Of so few calls what the ledger adds may be less than noise.
    assert all(
        float(figure) > 0
        for row in rows
        if row[0].split(",")[0] != "the ledger adds"
        for figure in row[1:]
    )
