"""The user's own command is run with the facts, and holds nobody up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bytebuddy_provider_hf.storage import alerts
from bytebuddy_provider_hf.storage.alerts import alert_variables, run_alert
from bytebuddy_provider_hf.types import BudgetAlert

ALERT = BudgetAlert("my model", 80, 1_600_000_045, 2_000_000_000, "dollars", 1.7965e9)


def written(path: Path, seconds: float = 10) -> str:
    """Return what a command writes into a file, as soon as it has."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return text
        time.sleep(0.01)
    pytest.fail("the command was not run")


def test_the_command_gets_the_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By variables; no argument of it is read by a shell, and nothing is its input."""
    # It gets the variables of this process too, whatever these are.
    for name in [name for name in os.environ if name.startswith("BYTEBUDDY_")]:
        monkeypatch.delenv(name)
    out = tmp_path / "out"
    script = (
        "import os, sys; said = [sys.argv[2], sys.stdin.read()];"
        "said += [f'{k}={v}' for k, v in sorted(os.environ.items())"
        " if k.startswith('BYTEBUDDY_')];"
        "said.append(str(os.getsid(0) == os.getpid()));"
        "open(sys.argv[1], 'w').write('|'.join(said) + '\\n'); print('unseen')"
    )
    run_alert([sys.executable, "-c", script, str(out), "$(x) ; y"], ALERT)
    assert written(out) == (
        "$(x) ; y||BYTEBUDDY_BUDGET=my model|BYTEBUDDY_ENDS=2026-12-05T19:46:40Z"
        "|BYTEBUDDY_LIMIT=2.000000000|BYTEBUDDY_PERCENT=80|BYTEBUDDY_UNIT=dollars"
        "|BYTEBUDDY_USED=1.600000045|True\n"
    )


def test_tokens_and_calls_are_whole_numbers() -> None:
    """Only money has a point."""
    variables = alert_variables(BudgetAlert("b", 50, 5, 10, "calls", 0.0))
    assert variables["BYTEBUDDY_USED"] == "5"
    assert variables["BYTEBUDDY_ENDS"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("command", [["/none/such", "a"], ["", "a"], ["a\0b"], []])
def test_a_command_that_cannot_be_run_is_told_once(
    command: list[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It fails no call."""
    monkeypatch.setattr("bytebuddy_provider_hf.storage.database._told", set())
    for _ in range(2):
        run_alert(command, ALERT)
        until = time.monotonic() + 5
        while not caplog.records and time.monotonic() < until:
            time.sleep(0.01)
    time.sleep(0.05)
    (record,) = caplog.records
    assert "alerts.command" in record.getMessage()


def test_a_command_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that it has started."""
    monkeypatch.setattr(alerts, "_LONGEST", 0.3)
    out = tmp_path / "out"
    run_alert(["sh", "-c", f"sleep 60 & echo $! > {out}; wait"], ALERT)
    child = int(written(out))
    until = time.monotonic() + 10
    state = "S"
    while state not in ("", "Z") and time.monotonic() < until:
        time.sleep(0.02)
        done = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(child)],
            capture_output=True,
            text=True,
            check=False,
        )
        state = done.stdout.strip()[:1]
    assert state in ("", "Z")


def test_the_end_of_a_program_waits_until_it_is_started(tmp_path: Path) -> None:
    """Not until it has ended."""
    out = tmp_path / "out"
    script = f"""
from bytebuddy_provider_hf.storage.alerts import run_alert
from bytebuddy_provider_hf.types import BudgetAlert
command = ["sh", "-c", "sleep 0.5; echo done > {out}"]
run_alert(command, BudgetAlert("b", 50, 5, 10, "calls", 0.0))
"""
    began = time.monotonic()
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
    took = time.monotonic() - began
    assert not out.exists() or took < 0.5
    assert written(out) == "done\n"
