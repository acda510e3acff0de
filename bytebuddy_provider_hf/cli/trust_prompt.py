"""Asking a person whether a project's file may decide where a key goes."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.trust import TrustStore, grant, origin_for, project_of
from bytebuddy_provider_hf.config.values import ModelEntry


def trust_store() -> TrustStore:
    """Return what this user trusts."""
    return TrustStore(home_folder() / ".bytebuddy" / "trust.json")


def is_interactive_session() -> bool:
    """Tell whether a question on the screen would be answered by a person."""
    return screen.is_interactive(sys.stdin) and screen.is_interactive(sys.stderr)


def ask_for_trust(entry: ModelEntry) -> bool:
    """Ask whether to trust the project of ``entry``; remember a yes.

    ``False`` where nobody is there to ask: a program is told the command instead.
    """
    if not is_interactive_session():
        return False
    project = project_of(entry)
    if project is None or not confirm(project, origin_for(entry)):
        return False
    grant(entry, trust_store())
    return True


def confirm(project: Path, origin: str) -> bool:
    """Ask about one project and one origin; no is the default, and Ctrl-D says no."""
    question = (
        f"The configuration in {sanitize_line(str(project))} wants your token sent "
        f"to {sanitize_line(origin)}, and decides how requests travel.\nTrust it?"
    )
    with _interruptible():
        try:
            return click.confirm(question, default=False, err=True)
        except click.Abort as error:
            if isinstance(error.__context__, EOFError):
                return False
            raise KeyboardInterrupt from None


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question at once: a running loop only notes it for later."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
