"""Run the user's own command when a part of a budget is used up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf.money import NANO
from bytebuddy_provider_hf.storage.database import reason_of, warn_once
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import BudgetAlert

# Seconds that the command may take.
_LONGEST: Final = 60.0
# Commands under way: they may outlive this program.
_running: Final[set[subprocess.Popen[bytes]]] = set()


@frozen
class AlertCommand:
    """Run a user's command for each alert that it is called with.

    Not for budgets named in ``muted``: those of a project's file, which could run it as
    often as it likes.
    """

    command: tuple[str, ...]
    muted: Collection[str] = field(default=(), eq=False)

    def __call__(self, alert: BudgetAlert) -> None:
        """Run it, and do not wait for it."""
        if alert.budget not in self.muted:
            run_alert(self.command, alert)


def run_alert(command: Sequence[str], alert: BudgetAlert) -> None:
    """Run a program with its arguments, without a shell, and do not wait for it.

    It gets the facts by environment variables, no input, and nothing of what it prints
    is shown. It may take a minute. That it cannot be run is told once.
    """
    arguments = (tuple(command), os.environ | alert_variables(alert))
    try:
        # No daemon: the end of the program waits until the command is started.
        threading.Thread(target=_run, args=arguments, name="bytebuddy-alert").start()
    except RuntimeError:  # too late for a thread: the program is about to end
        _run(*arguments)


def alert_variables(alert: BudgetAlert) -> Mapping[str, str]:
    """Return the facts of an alert; amounts are in USD, tokens or calls."""
    used, limit = (
        f"{amount // NANO}.{amount % NANO:09}"
        if alert.unit == "dollars"
        else str(amount)
        for amount in (alert.used, alert.limit)
    )
    ends = datetime.fromtimestamp(alert.ends, UTC)
    return {
        "BYTEBUDDY_BUDGET": alert.budget,
        "BYTEBUDDY_PERCENT": str(alert.percent),
        "BYTEBUDDY_USED": used,
        "BYTEBUDDY_LIMIT": limit,
        "BYTEBUDDY_UNIT": alert.unit,
        "BYTEBUDDY_ENDS": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
    }


def _run(command: tuple[str, ...], env: Mapping[str, str]) -> None:
    try:
        process = subprocess.Popen(  # noqa: S603 - a list that the user wrote, no shell
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in the terminal is for the program, not for this.
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        reason = reason_of(error)
        program = command[0] if command else ""
        warn_once(text("storage.alert_not_run", path=program, reason=reason))
        return
    _running.add(process)
    # A thread that holds up nothing ends a command that takes too long.
    with contextlib.suppress(RuntimeError):
        threading.Thread(target=_end, args=(process,), daemon=True).start()


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_LONGEST)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                # With all that it has started.
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
    _running.discard(process)
