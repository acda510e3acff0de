"""``bytebuddy-hf models``: what the configuration offers, and what is in its way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from attrs import frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.columns import columns
from bytebuddy_provider_hf.cli.model_source import NO_MODEL_HELP
from bytebuddy_provider_hf.cli.options import (
    config_option,
    json_option,
    trouble_options,
)
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    UnknownProvider,
    UnsetVariable,
    UntrustedProject,
)
from bytebuddy_provider_hf.secret import redact

if TYPE_CHECKING:
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

READY: Final = "ready"


@frozen
class State:
    """Whether an entry can be opened; ``error`` is what is in the way."""

    word: str
    error: ByteBuddyError | None = None


def state_of(registry: ModelRegistry, entry: ModelEntry) -> State:
    """Return how far ``entry`` can be opened without asking its provider."""
    try:
        registry.check(entry.name)
    except UnsetVariable as error:
        return State(f"{error.variable} is not set", error)
    except UnknownProvider as error:
        return State("provider is not installed", error)
    except UntrustedProject as error:
        return State("not trusted", error)
    except ByteBuddyError as error:
        return State("cannot be opened", error)
    return State(READY)


@click.command()
@config_option
@json_option
@trouble_options
def models(*, config: Path | None, as_json: bool) -> None:
    """List the models of the configuration, and what is in the way of each."""
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

    registry = ModelRegistry.load(config)
    if as_json:
        screen.print_json(_object(registry))
        return
    if registry.entries:
        screen.emit(columns(_rows(registry)))
    else:
        screen.note("There is no model in the configuration.")
        for line in ("  bytebuddy-hf config init    begin one", *NO_MODEL_HELP[1:]):
            screen.note(line)
    show_complaints(registry)


def show_complaints(registry: ModelRegistry) -> None:
    """Print what went wrong beside the entries: plugins left out, and warnings."""
    for failure in registry.failures:
        screen.warn(str(failure))
    for warning in registry.warnings:
        screen.warn(str(warning))


def _rows(registry: ModelRegistry) -> list[list[str]]:
    head = ["NAME", "PROVIDER", "MODEL", "ROLES", "STATE", "WRITTEN IN"]
    return [head] + [
        [
            entry.name,
            entry.provider,
            entry.model,
            ",".join(entry.roles),
            state_of(registry, entry).word,
            str(entry.source),
        ]
        for entry in registry.entries
    ]


def _object(registry: ModelRegistry) -> dict[str, object]:
    return {
        "models": [_entry_object(registry, entry) for entry in registry.entries],
        "failures": [str(failure) for failure in registry.failures],
        "warnings": [str(warning) for warning in registry.warnings],
    }


def _entry_object(registry: ModelRegistry, entry: ModelEntry) -> dict[str, object]:
    state = state_of(registry, entry)
    return {
        "name": redact(entry.name),
        "provider": redact(entry.provider),
        "model": redact(entry.model),
        "roles": list(entry.roles),
        "written_in": str(entry.source),
        "state": state.word,
        "problem": None if state.error is None else str(state.error),
    }
