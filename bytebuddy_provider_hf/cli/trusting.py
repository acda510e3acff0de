"""Asking a person whether a project's file may decide where a key goes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.config.model import ModelEntry
from bytebuddy_provider_hf.config.trust import TrustStore, grant, origin_for, project_of


def trust_store() -> TrustStore:
    """Return what this user trusts."""
    return TrustStore(Path.home() / ".bytebuddy" / "trust.json")


def somebody_answers() -> bool:
    """Tell whether a question on the screen would be answered by a person."""
    return screen.is_interactive(sys.stdin) and screen.is_interactive(sys.stderr)


def ask_for_trust(entry: ModelEntry) -> bool:
    """Ask whether to trust the project of ``entry``; remember a yes.

    ``False`` where nobody is there to ask: a program is told the command instead.
    """
    if not somebody_answers():
        return False
    project = project_of(entry)
    if project is None or not confirm(project, origin_for(entry)):
        return False
    grant(entry, trust_store())
    return True


def confirm(project: Path, origin: str) -> bool:
    """Ask about one project and one origin; no is the default."""
    question = (
        f"The configuration in {sanitize_line(str(project))} wants your token sent "
        f"to {sanitize_line(origin)}, and decides how requests travel.\nTrust it?"
    )
    return click.confirm(question, default=False, err=True)
