"""Put a new entry into a configuration file: every other byte of it stays.

The entry is written as text at the end of the list ``models``, in the form of the
entries there, and the result is read again: it must be what the file said before, and
the entry. Where the list stands in one line, ruamel writes the file anew.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from attrs import frozen
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.texts import text

# The variable that the entry's key is read from; never the key itself.
KEY: Final = "${HF_API_KEY}"
_LIST: Final = "models"
_NO_NAME: Final = re.compile(r"[^a-z0-9.\-]+")
_LONGEST_NAME: Final = 60


@frozen
class NewEntry:
    """An entry to be written; ``provider`` is the plugin's name."""

    name: str
    provider: str
    model: str
    roles: tuple[str, ...]

    @property
    def value(self) -> dict[str, object]:
        """The entry as a file holds it."""
        return {
            "name": self.name,
            "provider": self.provider,
            "model": self.model,
            "apiKey": KEY,
            "roles": list(self.roles),
        }

    def lines(self, indent: str = "") -> list[str]:
        """Return the entry as an item of a list, as the provider's page writes it."""
        roles = ", ".join(f'"{each}"' for each in self.roles)
        return [
            f"{indent}- name: {json.dumps(self.name, ensure_ascii=False)}",
            f'{indent}  provider: "{self.provider}"',
            f'{indent}  model: "{self.model}"',
            f'{indent}  apiKey: "{KEY}"',
            f"{indent}  roles: [{roles}]",
        ]


def name_of(model_id: str) -> str:
    """Return a name for an entry: that of the model, without its owner."""
    words = model_id.partition(":")[0].rpartition("/")[2].lower()
    return _NO_NAME.sub("-", words).strip("-.")[:_LONGEST_NAME] or "model"


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return ``name``, or the first of ``name-2``, ``name-3``, … that is not taken."""
    names = {each.casefold() for each in taken}
    found, number = name, 1
    while found.casefold() in names:
        number += 1
        found = f"{name}-{number}"
    return found


def names_in(content: str) -> tuple[str, ...]:
    """Return the names of a file's entries. Raises ``ConfigError``."""
    models = _read(content).get(_LIST) or []
    found = models if isinstance(models, list) else []
    return tuple(
        each["name"]
        for each in found
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    )


def with_entry(content: str, entry: NewEntry) -> str:
    """Return a file's text with one entry more.

    Raises ``ConfigError`` for what is no configuration, or cannot be added to.
    """
    before = _read(content)
    wanted = {**before, _LIST: [*(before.get(_LIST) or []), entry.value]}
    writers: Sequence[Callable[[str, NewEntry], str | None]] = (_inserted, _rewritten)
    for write in writers:
        written = write(content, entry)
        try:
            right = written is not None and _read(written) == wanted
        except ConfigError:
            right = False
        if written is not None and right:
            return written
    raise ConfigError(text("models.cannot_add"), hint=text("models.cannot_add_hint"))


def _read(content: str) -> dict[str, Any]:
    try:
        value = YAML(typ="safe", pure=True).load(content)
    except (YAMLError, ValueError, RecursionError) as error:
        reason = getattr(error, "problem", None) or type(error).__name__
        raise ConfigError(
            text("models.no_yaml", reason=reason), hint=text("models.run_check")
        ) from None
    if value is None:
        return {}
    models = value.get(_LIST) if isinstance(value, dict) else 0
    if not isinstance(models, list | None):
        raise ConfigError(text("models.no_list"), hint=text("models.run_check"))
    return dict(value)


def _inserted(content: str, entry: NewEntry) -> str | None:
    """Return the text with the entry's lines, ``None`` for a list in one line."""
    lines = content.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += end
    node = YAML(typ="rt").compose(content)
    pairs = [] if node is None else node.value
    found = next((pair for pair in pairs if pair[0].value == _LIST), None)
    if found is None:
        new = [f"{_LIST}:", *entry.lines("  ")]
        return "".join([*lines, *(f"{line}{end}" for line in new)])
    key, models = found
    items = models.value if isinstance(models.value, list) else []
    at = key.start_mark.line
    if not items:
        # "models:", "models: []" and "models: null": the rest of the line is a comment.
        head = re.match(r"\s*[^:]+:", lines[at])
        comment = re.search(r"\s+#.*", lines[at])
        if head is None or key.start_mark.column:
            return None
        lines[at] = f"{head[0]}{comment[0].rstrip() if comment else ''}{end}"
        new = entry.lines("  ")
        at += 1
    elif models.flow_style:
        return None
    else:
        dash = models.start_mark.column
        at = _end_of(lines, items[-1].start_mark.line, dash)
        spaced = any(
            not lines[each.start_mark.line - 1].strip() for each in items[1:]
        ) or (len(items) == 1 and at < len(lines) and not lines[at].strip())
        new = [*([""] if spaced else []), *entry.lines(" " * dash)]
    return "".join([*lines[:at], *(f"{line}{end}" for line in new), *lines[at:]])


def _end_of(lines: Sequence[str], first: int, dash: int) -> int:
    """Return the line behind an item: behind its last line that is not blank.

    Comments that are not indented more than the dash belong to what follows.
    """
    end = first + 1
    for number in range(first + 1, len(lines)):
        line = lines[number]
        indent = len(line) - len(line.lstrip(" "))
        if not line.strip():
            continue
        if indent <= dash:
            break
        end = number + 1
    return end


def _rewritten(content: str, entry: NewEntry) -> str | None:
    """Return the file as ruamel writes it, comments and quotes kept."""
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    value = yaml.load(content)
    if not isinstance(value, dict):
        return None
    if value.get(_LIST) is None:
        value[_LIST] = []
    value[_LIST].append(entry.value)
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue()
