"""Write an entry for a model into the user's file, after showing the difference."""

from __future__ import annotations

import sys
from pathlib import Path

from bytebuddy_provider_hf.cli import screen, tables
from bytebuddy_provider_hf.cli.changes import show_diff
from bytebuddy_provider_hf.cli.model_page import entry_for
from bytebuddy_provider_hf.cli.model_source import new_entries_have_a_token
from bytebuddy_provider_hf.cli.screen import agreed
from bytebuddy_provider_hf.cli.textfile import TextFile, read_text_file, replace_text
from bytebuddy_provider_hf.client.catalogue import ModelPage
from bytebuddy_provider_hf.config.files import home_folder, write_private
from bytebuddy_provider_hf.config.new_entry import (
    free_name,
    names_in,
    with_entry,
)
from bytebuddy_provider_hf.config.stored_files import CONFIG, user_folder
from bytebuddy_provider_hf.config.write import VARIABLE
from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.errors import ConfigError, InvalidOption
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Role

# How the router chooses, beside a provider's name.
_POLICIES = ("cheapest", "fastest")


def add_entry(
    page: ModelPage,
    config: Path | None,
    *,
    name: str | None,
    roles: tuple[Role, ...],
    provider: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Put an entry for a model into a file: after a yes, or with ``yes`` at once.

    Raises ``InvalidOption`` for what nobody serves or what the model is not for, and
    ``ConfigError`` for a name that is taken.
    """
    _check(page, roles, provider)
    if name is not None and not (name.strip() and name.isprintable()):
        raise InvalidOption(text("models.name_unfit"))
    entry = entry_for(page, name=name, roles=roles, policy=provider)
    path = config or user_folder(home_folder()) / CONFIG.name
    file = read_text_file(path) if path.exists() else TextFile(path, "", b"")
    taken = names_in(file.text)
    free = free_name(entry.name, taken)
    if free != entry.name:
        raise ConfigError(
            text("models.name_taken", file=path, name=entry.name),
            hint=text("models.other_name", model=page.id, name=free),
        )
    new = with_entry(file.text, entry)
    diff = unified(file.stored(file.text), file.stored(new), path=file.label)
    if as_json:
        if yes:
            _write(file, new)
        screen.print_json(
            {
                "file": str(path),
                "name": entry.name,
                "entry": entry.value,
                "diff": diff,
                "written": yes,
            }
        )
        return
    show_diff(diff)
    if not yes:
        streams = (sys.stdin, screen.stdout(), sys.stderr)
        if not all(map(screen.is_interactive, streams)):
            tables.print_note(text("cli.yes_writes", file=path, options="--yes"))
            return
        if not agreed(text("cli.apply")):
            tables.print_note(text("cli.not_written", file=path))
            return
    _write(file, new)
    tables.print_note(text("cli.wrote", file=path), colour="green")
    if not new_entries_have_a_token():
        tables.print_note(text("models.first_login", variable=VARIABLE))
    tables.print_note(text("models.then_chat", name=entry.name))


def _check(page: ModelPage, roles: tuple[Role, ...], provider: str) -> None:
    """Refuse what could only fail later."""
    serving = [each.provider for each in page.offers if each.is_listed]
    if not serving:
        raise InvalidOption(
            text("models.not_served", model=page.id),
            hint=text("models.try_suggest", model=page.id),
        )
    if provider and provider not in (*_POLICIES, *serving):
        raise InvalidOption(
            text("models.not_by", provider=provider, model=page.id),
            hint=text("models.one_of", names=", ".join((*_POLICIES, *serving))),
        )
    able = list(dict.fromkeys(e.role for e in page.abilities if e.at_router))
    if not able:
        raise InvalidOption(
            text("models.no_role", model=page.id), hint=text("models.use_task")
        )
    # Other roles of a host use chat.
    known = {*able, *((Role.SUMMARIZE, Role.SUBAGENT) if Role.CHAT in able else ())}
    wrong = [each for each in roles if each not in known]
    if wrong:
        raise InvalidOption(
            text("models.role_unfit", model=page.id, role=wrong[0].value),
            hint=text("models.one_of", names=", ".join(each.value for each in able)),
        )


def _write(file: TextFile, new: str) -> None:
    if file.path.exists():
        replace_text(file, new)
    else:
        write_private(file.path, Secret(new), exclusive=True)
