"""Changing a configuration file: comments stay, and no reader sees half of it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from bytebuddy_provider_hf.config.document import (
    MAX_BYTES,
    Document,
    ListNode,
    MapNode,
    parse,
)
from bytebuddy_provider_hf.config.dotenv import parse_env
from bytebuddy_provider_hf.config.files import sole_writer, write_atomic
from bytebuddy_provider_hf.config.scalars import plain_value
from bytebuddy_provider_hf.errors import ConfigError, ConfigInvalid, ConfigNotFound
from bytebuddy_provider_hf.secret import Secret

if TYPE_CHECKING:
    from ruamel.yaml import YAML

STARTER: Final = """\
# The models of this machine's programs that speak ByteBuddy.
# Every key: docs/configuration.md of bytebuddy-provider-hf.
models:
  - name: "hf-llama"
    provider: "huggingfaceinferenceapi"
    # Any model id of the Hugging Face Hub that an inference provider serves.
    model: "meta-llama/Llama-3.1-8B-Instruct"
    # A variable of the environment or of the .env file beside this one;
    # `bytebuddy-hf login` puts it there.
    apiKey: "${HF_API_KEY}"
    roles: ["chat"]
    defaultCompletionOptions:
      temperature: 0.7
      maxTokens: 4096

  # An endpoint of one's own, or a server on this machine:
  # - name: "local"
  #   provider: "huggingfaceinferenceapi"
  #   model: "local"
  #   apiBase: "http://127.0.0.1:8080"
"""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_./+=:@-]+")
_WIDTH: Final = 10_000
_BOM: Final = "\ufeff"


def init(path: Path) -> None:
    """Write a commented starter file; an existing file is never overwritten."""
    if path.exists() or path.is_symlink():
        message = f"{path} exists already; nothing was changed"
        raise ConfigError(message, hint="Edit it, or name another file.")
    write_atomic(path, Secret(STARTER), exclusive=True)


def add_entry(path: Path, entry: Mapping[str, object]) -> None:
    """Append ``entry`` (keys as the file writes them) to the models of ``path``.

    A file that does not exist yet is made. Raises ``ConfigError`` where an entry of
    that name is there already.
    """

    def edit(data: dict[str, object]) -> str | None:
        models = data.get("models")
        if models is None:
            data["models"] = [dict(entry)]
            return None
        if not isinstance(models, list):
            return "models is no list"
        if any(_name(item) == entry.get("name") for item in models):
            return f"an entry named {entry.get('name')!r} is there already"
        models.append(dict(entry))
        return None

    _edit(path, edit, new=True)


def set_value(path: Path, *, entry: str, key: str, value: object) -> None:
    """Set ``key`` (``defaultCompletionOptions.temperature``) of the entry so named.

    Comments, quotes and the order of keys stay. ``None`` takes the key away.
    """

    def edit(data: dict[str, object]) -> str | None:
        models = data.get("models")
        items = models if isinstance(models, list) else []
        node = next((item for item in items if _name(item) == entry), None)
        if node is None:
            return f"no entry is named {entry!r}"
        *sections, last = key.split(".")
        for section in sections:
            inner = node.get(section)
            if inner is None:
                inner = node[section] = {}
            if not isinstance(inner, dict):
                return f"{section} of {entry!r} is no mapping"
            node = inner
        if value is None:
            node.pop(last, None)
        else:
            node[last] = value
        return None

    _edit(path, edit, new=False)


def write_secret(path: Path, name: str, value: Secret) -> None:
    """Put ``name=value`` into the ``.env`` file ``path``; its other lines stay."""
    if not _NAME.fullmatch(name):
        message = "a variable is named with letters, digits and underscores"
        raise ConfigError(message)
    if not value or not value.reveal().isprintable():
        message = f"the value of {name} is empty or not one line of text"
        raise ConfigError(message)
    with sole_writer(path):
        content = _with_variable(_existing(path), name, value)
        if not _finds(path, content, name):
            message = f"{path} is not UTF-8 text, or too large; nothing was changed"
            raise ConfigError(message, hint="Save it as UTF-8, or remove it.")
        write_atomic(path, content)


def _finds(path: Path, content: Secret, name: str) -> bool:
    encoded = content.reveal().encode("utf-8", "surrogateescape")
    return name in parse_env(path, encoded).values


def _existing(path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            return Secret(file.read().decode("utf-8", "surrogateescape"))
    except FileNotFoundError:
        return Secret("")
    except OSError as error:
        reason = error.strerror
    message = f"{path} cannot be read: {reason}"
    raise ConfigNotFound(message)


def _with_variable(existing: Secret, name: str, value: Secret) -> Secret:
    ours = re.compile(rf"\s*(?:export\s+)?{name}\s*=")
    lines = [
        line
        for line in existing.reveal().splitlines(keepends=True)
        if not ours.match(line)
    ]
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += "\n"
    return Secret("".join([*lines, f"{name}={_quoted(value.reveal())}\n"]))


def _quoted(text: str) -> str:
    if _BARE.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_Change = Callable[[dict[str, object]], str | None]


@frozen
class _Edited:
    """The new text, or why there is none."""

    text: Secret | None = None
    complaint: str | None = None
    problems: tuple[str, ...] = ()


def _edit(path: Path, change: _Change, *, new: bool) -> None:
    """Apply ``change`` to ``path``; every frame that may raise holds no plain text."""
    with sole_writer(path):
        existing = _existing(path)
        if not new and not existing:
            message = f"{path} does not exist or is empty"
            raise ConfigNotFound(message)
        edited = _edited(existing, change, path)
        if edited.problems:
            message = f"{path} has problems of its own"
            raise ConfigInvalid(message, problems=edited.problems)
        if edited.text is None:
            message = f"{path}: {edited.complaint}; nothing was changed"
            raise ConfigError(message)
        write_atomic(path, edited.text)


def _edited(existing: Secret, change: _Change, path: Path) -> _Edited:
    before = _parsed(existing)
    if before.problems:
        return _Edited(problems=tuple(p.at(path) for p in before.problems))
    if before.root is not None and not isinstance(before.root, MapNode):
        return _Edited(complaint="it is no mapping")
    if before.root is None and before.text.strip():
        return _Edited(complaint="it holds nothing but comments")
    mark = _BOM if existing.reveal().startswith(_BOM) else ""
    try:
        return _changed(before, change, mark)
    except Exception:  # noqa: BLE001  # the writer's errors quote what the file holds
        return _Edited(complaint="it cannot be edited")


def _changed(before: Document, change: _Change, mark: str) -> _Edited:
    yaml = _round_trip(before)
    line_end = "\r\n" if "\r\n" in before.text else "\n"
    data = yaml.load(before.text.replace("\r\n", "\n")) if before.root else {}
    complaint = change(data)
    if complaint:
        return _Edited(complaint=complaint)
    stream = io.StringIO()
    yaml.dump(data, stream)
    text = Secret(mark + stream.getvalue().replace("\n", line_end))
    expected = plain_value(before.root) if before.root is not None else {}
    if not isinstance(expected, dict) or change(expected):
        return _Edited(complaint="it cannot be edited")
    after = _parsed(text)
    if after.problems or after.root is None or plain_value(after.root) != expected:
        # A writer that would say something else than was asked writes nothing.
        return _Edited(complaint="it cannot be edited without changing its meaning")
    return _Edited(text)


def _parsed(text: Secret) -> Document:
    return parse(text.reveal().encode("utf-8", "surrogateescape")[: MAX_BYTES + 1])


def _round_trip(document: Document) -> YAML:
    from ruamel.yaml import YAML  # heavy, and needed only here

    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    root = document.root
    models = root.get("models") if isinstance(root, MapNode) else None
    offset = models.column - 1 if isinstance(models, ListNode) else 2
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    return yaml


def _name(item: object) -> object:
    return item.get("name") if isinstance(item, dict) else None
