"""``bytebuddy-hf config``: the configuration made, checked, shown, found, trusted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.models import show_complaints, state_of
from bytebuddy_provider_hf.cli.options import config_option, debug_option, json_option
from bytebuddy_provider_hf.cli.terminal import sanitize
from bytebuddy_provider_hf.cli.trusting import confirm, somebody_answers, trust_store
from bytebuddy_provider_hf.config.trust import origin_of, strange_origins
from bytebuddy_provider_hf.errors import UntrustedProject

if TYPE_CHECKING:
    from bytebuddy_provider_hf.config.model import Config


@click.group()
@debug_option
def config() -> None:
    """Make, check and show the configuration.

    It is ~/.bytebuddy/config.yaml; a project may have a config.yaml of its own.
    """


@config.command(short_help="Write a first configuration.")
@config_option
@debug_option
def init(*, config: Path | None) -> None:
    """Write a first configuration; one that is there is left alone."""
    from bytebuddy_provider_hf.config.write import init as write_first

    path = config or Path.home() / ".bytebuddy" / "config.yaml"
    write_first(path)
    screen.note(f"wrote {path}", colour="green")
    screen.note("  next: bytebuddy-hf login, then: bytebuddy-hf chat")


@config.command(short_help="Tell every problem; exit 3 if there is one.")
@config_option
@json_option
@debug_option
def check(*, config: Path | None, as_json: bool) -> ExitCode:
    """Print every problem with its file, line and column; exit 3 if there is one."""
    from bytebuddy_provider_hf.contract.registry import ModelRegistry

    registry = ModelRegistry.load(config)
    found = [
        (entry, state.error)
        for entry in registry.entries
        if (state := state_of(registry, entry)).error is not None
    ]
    code = ExitCode.CONFIG if found else ExitCode.OK
    if as_json:
        screen.print_json(
            {
                "problems": [str(error) for _, error in found],
                "warnings": [str(warning) for warning in registry.warnings],
                "failures": [str(failure) for failure in registry.failures],
            }
        )
        return code
    for entry, error in found:
        screen.note(f"{entry.name}: {error}", colour="red")
    show_complaints(registry)
    for path in registry.files:
        screen.note(f"read {path}")
    total = len(registry.entries)
    screen.note(f"{total - len(found)} of {total} models can be opened")
    return code


@config.command(short_help="Print what takes effect, and who wrote it.")
@config_option
@debug_option
def show(*, config: Path | None) -> None:
    """Print the configuration as it takes effect, and who wrote what; no secrets."""
    from bytebuddy_provider_hf.cli.config_text import config_text

    loaded = _load(config)
    screen.emit(sanitize(config_text(loaded)), nl=False)
    for warning in loaded.warnings:
        screen.warn(str(warning))


@config.command(short_help="List the files that are looked for.")
@config_option
@debug_option
def path(*, config: Path | None) -> None:
    """List the files that are looked for, strongest first, and which exist."""
    loaded = _load(config)
    for each in loaded.searched:
        mark = "read   " if each in loaded.files else "missing"
        screen.emit(f"{mark}  {sanitize(str(each))}")


@config.command(short_help="Trust this folder's config.yaml with an address.")
@click.argument("origin", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--remove", is_flag=True, help="Stop trusting this project.")
@click.option("--list", "listing", is_flag=True, help="List what is trusted.")
@debug_option
def trust(*, origin: str | None, yes: bool, remove: bool, listing: bool) -> None:
    """Let this folder's config.yaml have your token sent to ORIGIN.

    Without ORIGIN: to each address it names that is not trusted yet. A project's file
    may always name huggingface.co and this machine.
    """
    store = trust_store()
    project = Path.cwd()
    if listing:
        for trusted, origins in store.entries().items():
            screen.emit(sanitize(f"{trusted}  {' '.join(origins)}"))
        return
    if remove:
        gone = store.remove(project)
        screen.note(f"{project} is {'no longer' if gone else 'not'} trusted")
        return
    wanted = (origin_of(origin),) if origin else _strange(project)
    if not wanted:
        screen.note(f"{project} names no address that is not trusted already")
    for each in wanted:
        if not yes and not _agreed(project, each):
            continue
        store.add(project, each)
        screen.note(f"{project} is trusted with {each}", colour="green")


def _agreed(project: Path, origin: str) -> bool:
    if somebody_answers():
        return confirm(project, origin)
    message = f"{project} is not trusted with {origin}, and nobody is here to ask"
    raise UntrustedProject(message, hint="Add --yes if that is what you want.")


def _strange(project: Path) -> tuple[str, ...]:
    entries = tuple(
        entry for entry in _load(None).entries if entry.source.kind == "project"
    )
    return strange_origins(entries, project=project, store=trust_store())


def _load(path: Path | None) -> Config:
    from bytebuddy_provider_hf.config.load import load

    return load(path, cwd=Path.cwd(), home=Path.home(), env=os.environ)
