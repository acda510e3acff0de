"""Print the configuration in effect: each entry with its place, and no secret."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Final

from attrs import fields, has
from ruamel.yaml import YAML

from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.config.values import (
    Config,
    LogOptions,
    ModelEntry,
)
from bytebuddy_provider_hf.secret import MASK, Secret, redact
from bytebuddy_provider_hf.texts import key_of, text

# Fields that say where an entry was written, not what it says.
_ABOUT_THE_FILE: Final = frozenset(
    {"source", "unset", "api_key_origin", "api_key_place", "extra", "written"}
)
_SHORTEST: Final = 6
# Free keys: what they hold may be a secret, and nobody said so.
_FREE: Final = frozenset({"env"})
# Who the model is and where it stands is shown, unless a variable says it.
_SHOWN: Final = frozenset({"name", "provider", "model", "api_base", "family"})
_SECRET_KEY: Final = re.compile(r"(?i)token|key|secret|passw|authorization")


def config_text(config: Config, hidden: Mapping[str, Secret]) -> str:
    """Return every entry as YAML, with a comment that says where it was written.

    ``hidden`` are the variables whose values are written as references again.
    """
    parts = []
    if config.log is not None:
        log = _log_object(config.log, hidden)
        parts.append(f"# {log.pop('written_in')} ({config.log.source.kind})")
        parts += _yaml({"log": log})
    parts.append("models:" if config.entries else "models: []")
    for entry in config.entries:
        comments = [f"{entry.source} ({entry.source.kind})"]
        if entry.api_key_origin:
            comments.append(text("cli.key_from", origin=entry.api_key_origin))
        comments += [
            text("cli.unset_at", variable=it.variable, key=it.path, place=it.place)
            for it in entry.unset
        ]
        # A path may hold a line feed, which would end the comment.
        parts += [f"  # {' '.join(localized(line).split())}" for line in comments]
        first, *more = _yaml(_entry_object(entry, hidden))
        parts += [f"  - {first}", *(f"    {line}" for line in more)]
    return "\n".join([*parts, ""])


def _log_object(log: LogOptions, hidden: Mapping[str, Secret]) -> dict[str, object]:
    shown = {key: _referring(each, hidden) for key, each in _object(log).items()}
    return {**shown, "written_in": str(log.source)}


def config_object(config: Config, hidden: Mapping[str, Secret]) -> dict[str, object]:
    """Return the configuration in effect for JSON; each entry has its place."""
    entries = [
        {
            **_entry_object(entry, hidden),
            "written_in": str(entry.source),
            "unset": [it.variable for it in entry.unset],
        }
        for entry in config.entries
    ]
    log = None if config.log is None else _log_object(config.log, hidden)
    return {
        "log": log,
        "models": entries,
        "warnings": [str(it) for it in config.warnings],
    }


def _entry_object(entry: ModelEntry, hidden: Mapping[str, Secret]) -> dict[str, object]:
    shown = {**_object(entry), **_masked(entry.extra)}
    kept = {key_of(name) for name in _SHOWN}
    return {
        key: _as_written(
            value if key in kept else _referring(value, hidden), key, entry.written
        )
        for key, value in shown.items()
    }


def _as_written(value: object, key: str, written: Mapping[str, str]) -> object:
    """Return ``value`` with what came from a variable as the file has it."""
    if isinstance(value, dict):
        return {
            name: _as_written(each, f"{key}.{name}", written)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [
            _as_written(each, f"{key}[{at}]", written) for at, each in enumerate(value)
        ]
    # A key is masked whether it came from a variable or not.
    return value if value == MASK else redact(written.get(key, "")) or value


def _referring(value: object, hidden: Mapping[str, Secret]) -> object:
    """Return ``value`` with the variables' values turned into references again."""
    if isinstance(value, dict):
        return {key: _referring(each, hidden) for key, each in value.items()}
    if isinstance(value, list):
        return [_referring(each, hidden) for each in value]
    if isinstance(value, str):
        for name, held in hidden.items():
            plain = held.reveal().strip()
            # A shorter one is no secret, and would be found in other words.
            if value == plain or len(plain) >= _SHORTEST:
                value = value.replace(plain, f"${{{name}}}")
    return value


def _yaml(shown: dict[str, object]) -> list[str]:
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # None
    # No folding: a line of the text is then a line of a value.
    yaml.width = 4096
    yaml.dump(shown, out)
    return out.getvalue().splitlines()


def _object(value: object) -> dict[str, object]:
    shown: dict[str, object] = {}
    for each in fields(type(value)):  # type: ignore[arg-type]  # only attrs classes
        held = getattr(value, each.name)
        if each.name in _ABOUT_THE_FILE or held is None:
            continue
        plain = dict.fromkeys(held, MASK) if each.name in _FREE else _plain(held)
        if plain not in ({}, []):
            shown[key_of(each.name)] = plain
    return shown


def _plain(value: object) -> object:
    if isinstance(value, Secret):
        return MASK
    if has(type(value)):
        return _object(value)
    if isinstance(value, Mapping):
        return _masked(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return redact(str(value)) if isinstance(value, str) else value


def _masked(mapping: Mapping[str, object]) -> dict[str, object]:
    return {
        str(key): MASK if _SECRET_KEY.search(str(key)) else _plain(value)
        for key, value in mapping.items()
    }
