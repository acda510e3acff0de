"""``bytebuddy-hf config``: the configuration made, checked, shown, found, trusted."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from attrs import frozen

from bytebuddy_provider_hf.address import origin_of
from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.models import show_complaints
from bytebuddy_provider_hf.cli.options import (
    config_option,
    json_option,
    trouble_options,
)
from bytebuddy_provider_hf.cli.terminal import sanitize
from bytebuddy_provider_hf.cli.trust_prompt import (
    confirm,
    is_interactive_session,
    trust_store,
)
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.trust import strange_origins
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConfigNotFound,
    UnknownProvider,
    UntrustedProject,
)
from bytebuddy_provider_hf.secret import redact

if TYPE_CHECKING:
    from bytebuddy_provider_hf.config.values import Config, ModelEntry
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

_BEGIN: Final = """\b
To begin:
  bytebuddy-hf config init     a first file, with comments
  bytebuddy-hf login           the token that it names
  bytebuddy-hf config check    what is wrong, if anything is
"""
_STATES: Final = """\b
read     it counts
missing  there is none
skipped  it is another program's, or no file: "config check" says why
invalid  it has errors: "config check" lists them
"""
_TRUSTING: Final = """\b
Examples:
  bytebuddy-hf config trust                       ask for each address
  bytebuddy-hf config trust https://my.example    ask for this one
  bytebuddy-hf config trust --remove              trust nothing here any more
"""


@click.group(epilog=_BEGIN)
@trouble_options
def config() -> None:
    """Make, check and show the configuration.

    It is ~/.bytebuddy/config.yaml; a project may have a ./config.yaml of its own, and
    a machine /etc/bytebuddy/config.yaml. Of two entries with one name the first named
    file's counts.
    """


@config.command(short_help="Write a first configuration.")
@config_option
@trouble_options
def init(*, config: Path | None) -> None:
    """Write a first configuration; one that is there is left alone."""
    from bytebuddy_provider_hf.config.write import init as write_first

    path = config or home_folder() / ".bytebuddy" / "config.yaml"
    write_first(path)
    screen.note(f"wrote {path}", colour="green")
    screen.note("  next: bytebuddy-hf login, then: bytebuddy-hf chat")


@config.command(short_help="Tell every problem; exit 3 if there is one.")
@config_option
@json_option
@trouble_options
def check(*, config: Path | None, as_json: bool) -> ExitCode:
    """Print every problem with its file, line and column; exit 3 if there is one.

    Every model is opened and closed again, which sends nothing: variables, tokens,
    addresses and names are looked at, not the servers.
    """
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

    registry = ModelRegistry.load(config)
    checked = asyncio.run(_checked(registry))
    found = [(each.entry, each.problems) for each in checked if each.problems]
    notices = [
        f"{each.entry.source}: {redact(each.entry.name)}: {notice}"
        for each in checked
        for notice in each.notices
    ]
    code = ExitCode.CONFIG if found else ExitCode.OK
    if as_json:
        screen.print_json(
            {
                "problems": [problem for _, told in found for problem in told],
                "warnings": [*map(str, registry.warnings), *notices],
                "failures": [str(failure) for failure in registry.failures],
            }
        )
        return code
    for entry, told in found:
        for problem in told:
            screen.note(f"{entry.name}: {problem}", colour="red")
    show_complaints(registry)
    for notice in notices:
        screen.warn(notice)
    for path in registry.files:
        screen.note(f"read {path}")
    total = len(registry.entries)
    screen.note(f"{total - len(found)} of {total} models can be opened")
    return code


@frozen
class _Checked:
    """An entry, what keeps it from being opened, and what it says in vain."""

    entry: ModelEntry
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


async def _checked(registry: ModelRegistry) -> list[_Checked]:
    async with registry:
        return [await _check(registry, entry) for entry in registry.entries]


async def _check(registry: ModelRegistry, entry: ModelEntry) -> _Checked:
    from bytebuddy_provider_hf.plugins.protocols import Noticing

    problems = []
    notices: tuple[str, ...] = ()
    try:
        model = await registry.open(entry.name)
        notices = model.notices if isinstance(model, Noticing) else ()
    except ByteBuddyError as error:
        told = str(error)
        place = str(entry.source)
        known = place.partition(":")[0]
        problems.append(told if known in told else f"{place}: {told}")
    if not entry.unset:
        return _Checked(entry, tuple(problems), notices)
    # Opening stops at the first variable; here all are told, and the provider too.
    problems += [
        f"{it.place}: {it.path} needs the variable {it.variable}, which is not set. "
        f"{it.hint}"
        for it in entry.unset[1:]
    ]
    try:
        registry.provider(entry.provider)
    except UnknownProvider as error:
        problems.append(str(error))
    return _Checked(entry, tuple(dict.fromkeys(problems)))


@config.command(short_help="Print what takes effect, and who wrote it.")
@config_option
@json_option
@trouble_options
def show(*, config: Path | None, as_json: bool) -> None:
    """Print the configuration as it takes effect, and who wrote what; no secrets.

    It can be read as a configuration again, once its masked keys are written anew.
    """
    from bytebuddy_provider_hf.cli.config_text import config_object, config_text
    from bytebuddy_provider_hf.config.variables import named_in, read_variables

    loaded = _load(config)
    variables = read_variables(
        home=home_folder(), project=Path.cwd(), process=os.environ
    )
    hidden = named_in(loaded.files, variables)
    if as_json:
        screen.print_json(config_object(loaded, hidden))
        return
    screen.emit(sanitize(config_text(loaded, hidden)), nl=False)
    for warning in loaded.warnings:
        screen.warn(str(warning))


@config.command(short_help="List the files that are looked for.", epilog=_STATES)
@config_option
@json_option
@trouble_options
def path(*, config: Path | None, as_json: bool) -> None:
    """List the files that are looked for, strongest first, and what was found."""
    from bytebuddy_provider_hf.config.load import file_states

    states = file_states(config, cwd=Path.cwd(), home=home_folder(), env=os.environ)
    if as_json:
        files = [{"path": str(file), "state": state} for file, state in states]
        screen.print_json({"files": files})
    else:
        for file, state in states:
            screen.emit(f"{state:7}  {sanitize(str(file))}")
    if config is not None and states[0][1] == "missing":
        message = f"{states[0][0]} does not exist or cannot be read"
        raise ConfigNotFound(message, hint="Check the path given with --config.")


@config.command(
    short_help="Trust this folder's config.yaml with an address.", epilog=_TRUSTING
)
@click.argument("origin", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--remove", is_flag=True, help="Take it back: for ORIGIN, or for this project."
)
@click.option("--list", "listing", is_flag=True, help="List what is trusted.")
@trouble_options
def trust(*, origin: str | None, yes: bool, remove: bool, listing: bool) -> None:
    """Let this folder's config.yaml have your token sent to ORIGIN.

    Without ORIGIN: to each address it names that is not trusted yet. A project's file
    may always name huggingface.co and this machine. Once trusted, its headers, proxy,
    certificates, top-level requestOptions and .env files count for that address too.
    """
    store = trust_store()
    project = Path.cwd()
    if listing:
        for trusted, origins in store.listing().items():
            screen.emit(sanitize(f"{trusted}  {' '.join(origins)}"))
        return
    if remove:
        named = origin_of(origin) if origin else None
        gone = store.remove(project, named)
        what = f" with {named}" if named else ""
        screen.note(f"{project} is {'no longer' if gone else 'not'} trusted{what}")
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
    if is_interactive_session():
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

    return load(path, cwd=Path.cwd(), home=home_folder(), env=os.environ)
