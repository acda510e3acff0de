"""Processes share the cache: the command that measures it runs, on a small scale."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rounds import rounds

ROOT = Path(__file__).parents[2]
PROCESSES, OPERATIONS = rounds(4, long=8), rounds(100, long=1_000)


def test_no_lock_is_told_and_no_hit_is_wrong() -> None:
    """One line of JSON, and no failure of any kind."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "benchmarks.reliability.cache_procs",
    ]
    asked = ["--processes", str(PROCESSES), "--operations", str(OPERATIONS)]
    ran = subprocess.run(
        [*command, *asked],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=200,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    found = json.loads(ran.stdout)
    assert [found[name] for name in ("wrong", "stale", "locked", "raised")] == [0] * 4
    assert found["hits"] > 0
    assert found["clears"] == 2
    assert found["finds"] + found["kept"] + found["clears"] == PROCESSES * OPERATIONS
    assert 0 < found["bytes"] <= found["limit"]
