"""Run ``bytebuddy-hf config``: make, check, show and trust configurations."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from attrs import frozen

from bytebuddy_provider_hf.address import origin_of
from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.model_source import (
    confirm,
    confirm_trust,
    first_way,
    is_interactive_session,
    new_entries_have_a_token,
    trust_store,
    ways_to_a_model,
)
from bytebuddy_provider_hf.cli.options import (
    config_option,
    epilog_of,
    json_option,
    trouble_options,
)
from bytebuddy_provider_hf.cli.terminal import sanitize, sanitize_line
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.trust import strange_origins
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConfigNotFound,
    ProviderFailed,
    UnknownProvider,
    UntrustedProject,
)
from bytebuddy_provider_hf.plugins.protocols import Noticing
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import LocalizedText, text

if TYPE_CHECKING:
    from bytebuddy_provider_hf.config.values import Config, ConfigWarning, ModelEntry
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry
    from bytebuddy_provider_hf.plugins.validation import PluginFailure

_BEGIN: Final = """\b
To begin:
  bytebuddy-hf config init     a first file, with comments
  bytebuddy-hf login           the token that it names
  bytebuddy-hf config check    what is wrong, if anything is
"""
# The words of `config.load.file_states`.
_STATES: Final = """\b
read     it takes effect
missing  there is none
skipped  it is another program's, or no file: "config check" says why
invalid  it has errors: "config check" lists them

\b
Examples:
  bytebuddy-hf config path
  bytebuddy-hf config path --json
"""
_TRUST_EXAMPLES: Final = """\b
Examples:
  bytebuddy-hf config trust                       ask for each address
  bytebuddy-hf config trust https://my.example    ask for this one
  bytebuddy-hf config trust --variable MY_TOKEN   let it name this variable
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


@config.command(
    short_help="Write a first configuration.",
    epilog=epilog_of(
        "bytebuddy-hf config init",
        "bytebuddy-hf config init --config ./config.yaml",
    ),
)
@config_option
@trouble_options
def init(*, config: Path | None) -> None:
    """Write a first configuration; one that is there is left alone.

    On a terminal, where Hugging Face's router answers, you choose among models that
    are served now.
    """
    from bytebuddy_provider_hf.config.stored_files import CONFIG, user_folder
    from bytebuddy_provider_hf.config.write import init as write_first

    path = config or user_folder(home_folder()) / CONFIG.name
    chosen = None
    # A file that is there is told of at once, before anybody chooses.
    if is_interactive_session() and not path.exists():
        from bytebuddy_provider_hf.cli.choose_model import choose_model

        chosen = choose_model()
    write_first(path, model=chosen)
    screen.note(text("cli.wrote", file=path), colour="green")
    if new_entries_have_a_token():
        screen.detail(text("cli.next", command="bytebuddy-hf chat"))
    else:
        screen.detail(text("cli.next_login"))


@config.command(
    short_help="List every problem; exit 3 if there is one.",
    epilog=epilog_of(
        "bytebuddy-hf config check",
        "bytebuddy-hf config check --config ./config.yaml --json",
    ),
)
@config_option
@json_option
@trouble_options
def check(*, config: Path | None, as_json: bool) -> ExitCode:
    """Print every problem with its file, line and column; exit 3 if there is one.

    Every model is opened and closed again, which sends nothing: variables, tokens,
    addresses and names are looked at, not the servers.
    """
    from bytebuddy_provider_hf.config.values import Config
    from bytebuddy_provider_hf.doctor.unsafe import find_unsafe
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

    screen.reserve_stdout()
    registry = ModelRegistry.load(config)
    # Opening is the only way to learn what a provider has against an entry.
    checked = asyncio.run(_check_entries(registry))
    found = [(it.entry, it.problems) for it in checked if it.problems]
    notices, kept = [
        [_at_entry(it.entry, said) for it in checked for said in getattr(it, name)]
        for name in ("notices", "kept")
    ]
    problems = [problem for _, told in found for problem in told]
    complaints = registry.warnings
    known = "".join(map(str, complaints))
    unsafe = find_unsafe(
        Config(entries=registry.entries, files=registry.files),
        home=home_folder(),
        project=Path.cwd(),
        env=os.environ,
    )
    # Loading has told of most itself, in a sentence of its own.
    complaints += tuple(each for each in unsafe if each.message not in known)
    wrong = [each.said for each in complaints if each.is_problem]
    warnings = [each for each in complaints if not each.is_problem]
    problems += wrong
    # Without a model nothing can be asked, whether a file is there or not.
    total = len(registry.entries)
    if not total:
        problems.append(text("cli.no_model"))
    code = ExitCode.CONFIG if problems else ExitCode.OK
    if as_json:
        screen.print_json(
            {
                "problems": problems,
                "warnings": [*(each.said for each in warnings), *notices],
                "failures": [str(failure) for failure in registry.failures],
                "kept": kept,
            }
        )
        return code
    for entry, told in found:
        for problem in told:
            # `note` masks tokens: one may stand in the wrong key.
            said = text("cli.at", place=entry.shown("name"), said=problem)
            screen.note(said, colour="red")
    for said in wrong:
        screen.note(said, colour="red")
    show_complaints(registry.failures, warnings)
    for notice in notices:
        screen.warn(notice)
    for said in kept:
        screen.note(said)
    for path in registry.files:
        screen.note(text("cli.read", file=path))
    if total:
        count = total - len(found)
        screen.note(text("cli.can_be_opened", count=count, total=total))
    else:
        show_no_model(registry)
    return code


def _at_entry(entry: ModelEntry, said: str) -> LocalizedText:
    place = f"{entry.source}: {entry.shown('name')}"
    return text("cli.at", place=place, said=said)


@frozen
class CheckedEntry:
    """An entry, its problems, its keys without effect, and what its cache keeps."""

    entry: ModelEntry
    problems: list[str]
    notices: tuple[str, ...]
    kept: tuple[str, ...]


async def _check_entries(registry: ModelRegistry) -> list[CheckedEntry]:
    """Open each entry, and return what was found."""
    checked = []
    try:
        for entry in registry.entries:
            problems: list[str] = []
            notices: tuple[str, ...] = ()
            kept: tuple[str, ...] = ()
            try:
                model = await registry.open(entry.name)
                notices = model.notices if isinstance(model, Noticing) else ()
                # Of this package's models; what is not kept is among the notices.
                verdict = getattr(model, "cache_verdict", None)
                kept = (verdict[1],) if verdict is not None and verdict[0] else ()
            except ByteBuddyError as error:
                why, place = _with_hint(error), str(entry.source)
                # Most errors of configuration name file, line and column themselves.
                named = place.partition(":")[0] in why
                at = why if named else text("cli.at", place=place, said=why)
                problems.append(at)
            if entry.unset:
                # Opening stops at the first variable; here all are told, and the
                # provider too.
                problems += [
                    text(
                        "cli.refused" if it.refused else "cli.unset",
                        place=it.place,
                        key=it.path,
                        variable=it.variable,
                        hint=it.hint,
                    )
                    for it in entry.unset[1:]
                ]
                try:
                    registry.provider(entry.provider)
                except UnknownProvider as error:
                    problems.append(_with_hint(error))
            notices = (*notices, *offline_notices(entry))
            told = list(dict.fromkeys(problems))
            checked.append(CheckedEntry(entry, told, notices, kept))
    finally:
        # A model that does not close was logged, which a person sees on stderr.
        with suppress(ProviderFailed):
            await registry.aclose()
    return checked


def offline_notices(entry: ModelEntry) -> tuple[LocalizedText, ...]:
    """Return what is known to go wrong with an entry's model, and what to do.

    A role that it cannot take there, an answer that is longer than it can be. Of
    entries of other providers nothing is known.
    """
    from bytebuddy_provider_hf.doctor.entry_checks import known_findings
    from bytebuddy_provider_hf.plugin import bytebuddy_providers

    (ours,) = bytebuddy_providers()
    if entry.provider not in (ours.name, *ours.aliases):
        return ()
    # A retired address and unchecked certificates are told by the file's own warnings.
    return tuple(
        text("cli.with_hint", message=each.said, hint=" ".join(each.steps))
        for each in known_findings(entry)
        if each.id in ("entry.role", "entry.role_at_router", "entry.max_tokens")
    )


def _with_hint(error: ByteBuddyError) -> str:
    """Return what ``str(error)`` is, in a form that can be said in Chinese."""
    said = str(error)
    for row in (
        error.message,
        text("cli.with_hint", message=error.message, hint=error.hint),
        text("cli.stop_and_hint", message=error.message, hint=error.hint),
    ):
        if row == said:
            return row
    # An error whose class words it in its own way.
    return said


@config.command(
    short_help="Print what takes effect, and where it was written.",
    epilog=epilog_of(
        "bytebuddy-hf config show",
        "bytebuddy-hf config show --json",
    ),
)
@config_option
@json_option
@trouble_options
def show(*, config: Path | None, as_json: bool) -> None:
    """Print the configuration that takes effect, and where it was written; no secrets.

    It is a valid configuration again once the masked keys are filled in.
    """
    from bytebuddy_provider_hf.cli.config_text import config_object, config_text
    from bytebuddy_provider_hf.config.variables import named_in, read_variables

    loaded = _load(config)
    # A value may be a secret wherever a variable put it: all are shown by name.
    variables = read_variables(
        home=home_folder(), project=Path.cwd(), process=os.environ
    )
    hidden = named_in(loaded.files, variables)
    if as_json:
        screen.print_json(config_object(loaded, hidden))
        return
    screen.emit(sanitize(config_text(loaded, hidden)), nl=False)
    for warning in loaded.warnings:
        screen.warn(warning.said)


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
    # The listing is complete all the same, so it comes before the error.
    if config is not None and states[0][1] == "missing":
        message = text("cli.unreadable", file=states[0][0])
        raise ConfigNotFound(message, hint=text("cli.check_path"))


@config.command(
    short_help="Trust this folder's config.yaml with an address.",
    epilog=_TRUST_EXAMPLES,
)
@click.argument("origin", required=False)
@click.option(
    "--variable",
    metavar="NAME",
    help="Let this folder's config.yaml name this variable of yours.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--remove",
    is_flag=True,
    help="Take it back: for ORIGIN, for NAME, or for this project.",
)
@click.option("--list", "listing", is_flag=True, help="List what is trusted.")
@trouble_options
def trust(
    *,
    origin: str | None,
    variable: str | None,
    yes: bool,
    remove: bool,
    listing: bool,
) -> None:
    """Let this folder's config.yaml have your token sent to ORIGIN.

    Without ORIGIN: to each address it names that is not trusted yet. A project's file
    may always name huggingface.co and this machine. Once trusted, its headers, proxy,
    certificates, top-level requestOptions and .env files count for that address too.

    It may name the variables of Hugging Face's tokens; any other one of yours only
    after --variable NAME.
    """
    store = trust_store()
    project = Path.cwd()
    if listing:
        for trusted, origins in store.listing().items():
            screen.emit(sanitize(f"{trusted}  {' '.join(origins)}"))
        return
    if variable is not None and origin is not None:
        raise click.UsageError(text("cli.origin_or_variable"))
    if variable is not None and remove:
        gone = store.forbid(project, variable)
        screen.note(
            text(
                "cli.variable_forbidden" if gone else "cli.variable_not_allowed",
                project=project,
                variable=one_line(variable),
            )
        )
        return
    if variable is not None:
        place, name = sanitize_line(str(project)), one_line(variable)
        if not yes and not is_interactive_session():
            raise UntrustedProject(
                text("cli.nobody_to_ask_of_variable", project=place, variable=name),
                hint=text("cli.add_yes"),
            )
        if yes or confirm(text("cli.ask_variable", project=place, variable=name)):
            store.allow(project, variable)
            said = text("cli.variable_allowed", project=place, variable=name)
            screen.note(said, colour="green")
        return
    if remove:
        # What was trusted may be gone from the file: only the store is asked.
        named = origin_of(origin) if origin else None
        gone = store.remove(project, named)
        screen.note(
            text(
                "cli.no_longer_trusted_with" if gone else "cli.not_trusted_with",
                project=project,
                origin=named,
            )
            if named
            else text(
                "cli.no_longer_trusted" if gone else "cli.not_trusted", project=project
            )
        )
        return
    if origin:
        wanted: tuple[str, ...] = (origin_of(origin),)
    else:
        entries = tuple(
            entry for entry in _load(None).entries if entry.source.kind == "project"
        )
        wanted = strange_origins(entries, project=project, store=store)
    if not wanted:
        screen.note(text("cli.nothing_to_trust", project=project))
    for each in wanted:
        # A program that pipes "y" is not a person who read the question.
        if not yes and not is_interactive_session():
            raise UntrustedProject(
                text("cli.nobody_to_ask", project=project, origin=each),
                hint=text("cli.add_yes"),
            )
        if yes or confirm_trust(project, each):
            store.add(project, each)
            trusted_now = text("cli.trusted", project=project, origin=each)
            screen.note(trusted_now, colour="green")


def _load(path: Path | None) -> Config:
    from bytebuddy_provider_hf.config.load import load

    return load(path, cwd=Path.cwd(), home=home_folder(), env=os.environ)


def show_no_model(registry: ModelRegistry) -> None:
    """Say that the configuration has no model, and what can be done."""
    screen.note(text("cli.no_model"))
    for line in (first_way(registry), *ways_to_a_model()):
        screen.note(line)


def show_complaints(
    failures: Iterable[PluginFailure], warnings: Iterable[ConfigWarning]
) -> None:
    """Print what concerns no single entry: plugins left out, and warnings."""
    for failure in failures:
        screen.warn(failure.said)
    for warning in warnings:
        screen.warn(warning.said)
