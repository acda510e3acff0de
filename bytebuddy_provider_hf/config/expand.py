"""``${VAR}`` in the values of a tree, replaced once and never read again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.config.document import (
    MAX_BYTES,
    ListNode,
    MapNode,
    Node,
    Pair,
    Problem,
    ScalarNode,
    shown_key,
)
from bytebuddy_provider_hf.config.dotenv import EnvFile, read_env
from bytebuddy_provider_hf.secret import Secret

_REFERENCE: Final = re.compile(
    r"\$\$"
    r"|\$\{\{\s*secrets\.(?P<secret>[A-Za-z_][A-Za-z0-9_]*)\s*\}\}"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<has_default>:-(?P<default>[^${}]*))?\}"
    r"|(?P<broken>\$\{)"
)
MALFORMED: Final = (
    "expected ${NAME}, ${NAME:-default} or ${{ secrets.NAME }} after this $;"
    " write $$ for a plain $"
)


@frozen
class Variables:
    """Where the values of variables come from.

    ``process`` is the environment; ``user_env`` the user's ``.env``; ``project_env``
    those of the project, which count only where ``with_project`` is asked.
    """

    process: Mapping[str, str] = field(repr=False)
    user_env: EnvFile
    project_env: tuple[EnvFile, ...] = ()

    def find(
        self, name: str, *, env_files_first: bool, with_project: bool
    ) -> Secret | None:
        """Return the value of ``name``, or ``None`` where nobody has set it."""
        files = (self.user_env, *(self.project_env if with_project else ()))
        from_files = next((f.values[name] for f in files if name in f.values), None)
        here = Secret(self.process[name]) if name in self.process else None
        first, second = (from_files, here) if env_files_first else (here, from_files)
        return second if first is None else first

    def withheld(self, name: str) -> Path | None:
        """Return the project's ``.env`` that would set ``name``, or ``None``."""
        return next((f.path for f in self.project_env if name in f.values), None)


def read_variables(
    *, home: Path, project: Path, process: Mapping[str, str]
) -> Variables:
    """Return the environment and the three ``.env`` files that stand beside it."""
    return Variables(
        process,
        read_env(home / ".bytebuddy" / ".env"),
        (read_env(project / ".bytebuddy" / ".env"), read_env(project / ".env")),
    )


def named_in(files: Iterable[Path], variables: Variables) -> dict[str, Secret]:
    """Return the variables that ``files`` name, whatever of them is in effect."""
    found: dict[str, Secret] = {}
    for file in files:
        with contextlib.suppress(OSError), file.open("rb") as stream:
            text = stream.read(MAX_BYTES).decode("utf-8", "replace")
            for match in _REFERENCE.finditer(text):
                name = match["secret"] or match["name"]
                value = name and variables.find(
                    name,
                    env_files_first=match["secret"] is not None,
                    with_project=True,
                )
                if value:
                    found[name] = value
    return found


@frozen
class Unset:
    """A reference to a variable that nobody has set, or that may not be read there."""

    variable: str
    path: str
    line: int
    column: int
    refused: bool = False


@frozen
class Expanded:
    """A tree with its variables replaced, and what could not be."""

    node: MapNode
    unset: tuple[Unset, ...] = ()
    problems: tuple[Problem, ...] = ()


def expand(
    node: MapNode,
    *,
    path: str,
    variables: Variables,
    trusted: bool,
    keep: frozenset[str] = frozenset(),
    only: frozenset[str] | None = None,
) -> Expanded:
    """Return ``node`` with the references in its values replaced.

    Only values are looked at, never keys, and a value is looked at once: what a
    variable holds cannot name another one or add a key. A value with an unset
    variable is left out, so that no literal ``${VAR}`` is ever sent, and so is one
    that is ``${VAR:-}`` and nothing else; those of the keys in ``keep`` (dotted below
    ``path``) stay as they are written. ``trusted`` lets the project's
    ``.env`` count. Where ``only`` is given, no other key may name a variable.
    """
    kept = frozenset(f"{path}.{name}" for name in keep)
    readable = None if only is None else frozenset(f"{path}.{name}" for name in only)
    walk = _Walk(variables, trusted=trusted, keep=kept, only=readable)
    expanded = walk.mapping(node, path)
    return Expanded(expanded, tuple(walk.unset), tuple(walk.problems))


class _Walk:
    def __init__(
        self,
        variables: Variables,
        *,
        trusted: bool,
        keep: frozenset[str],
        only: frozenset[str] | None,
    ) -> None:
        self._only = only
        self._variables = variables
        self._trusted = trusted
        self._keep = keep
        self.unset: list[Unset] = []
        self.problems: list[Problem] = []

    def mapping(self, node: MapNode, path: str) -> MapNode:
        pairs = (
            (p.key, self._node(p.value, f"{path}.{shown_key(p.key.text)}"))
            for p in node.pairs
        )
        kept = tuple(Pair(key, value) for key, value in pairs if value is not None)
        return evolve(node, pairs=kept)

    def _node(self, node: Node, path: str) -> Node | None:
        if isinstance(node, MapNode):
            return self.mapping(node, path)
        if isinstance(node, ListNode):
            items = (
                self._node(item, f"{path}[{index}]")
                for index, item in enumerate(node.items)
            )
            return evolve(node, items=tuple(i for i in items if i is not None))
        return self._scalar(node, path) if "$" in node.text else node

    def _scalar(self, node: ScalarNode, path: str) -> ScalarNode | None:
        names: list[str] = []
        missing: list[str] = []
        broken = False
        optional = True
        refused = self._only is not None and path not in self._only

        def replace(match: re.Match[str]) -> str:
            nonlocal broken, optional
            if match.group() == "$$":
                return "$"
            if match["broken"]:
                broken = True
                return match.group()
            name = match["secret"] or match["name"]
            names.append(name)
            value = None
            if not refused:
                value = self._variables.find(
                    name,
                    env_files_first=match["secret"] is not None,
                    with_project=self._trusted,
                )
            if match["has_default"]:
                return value.reveal() if value else match["default"]
            optional = False
            if value is None:
                missing.append(name)
                return ""
            return value.reveal()

        expanded = evolve(
            node, text=_REFERENCE.sub(replace, node.text), variables=tuple(names)
        )
        if broken:
            self.problems.append(Problem(node.line, node.column, MALFORMED, path))
            return node
        self.unset += [
            Unset(name, path, node.line, node.column, refused) for name in missing
        ]
        if missing:
            return node if path in self._keep else None
        # ``${NAME:-}`` says that nothing is meant where the variable is not set.
        absent = names and optional and not expanded.text
        return None if absent else expanded
