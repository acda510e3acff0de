"""Replace ``${VAR}`` in the values of a tree, from the environment and ``.env``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import define, evolve, field, frozen

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
from bytebuddy_provider_hf.config.dotenv import TOKEN_VARIABLES, EnvFile, read_env
from bytebuddy_provider_hf.config.stored_files import ENV, STATE, user_folder
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.secret import Secret, mark
from bytebuddy_provider_hf.texts import text

# The second form is that of GitHub Actions, which the page uses as well.
_REFERENCE: Final = re.compile(
    r"\$\$"
    r"|\$\{\{\s*secrets\.(?P<secret>[A-Za-z_][A-Za-z0-9_]*)\s*\}\}"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<has_default>:-(?P<default>[^${}]*))?\}"
    r"|(?P<broken>\$\{)"
)
_NAME: Final = r"\s*['\"]?([A-Za-z_][A-Za-z0-9_]*)['\"]?\s*"
_OF: Final = r"(?:(?:local_?env|env|secrets?|inputs|vars)[.:])?"
# A variable as shells, PowerShell, cmd, Continue, VS Code and templates write it.
_OTHER_SPELLING: Final = re.compile(
    r"(?i)\s*(?:bearer\s+)?(?:"
    + "|".join(
        (
            rf"\$(?:env:|\()?{_NAME}\)?",
            rf"%(?:env\()?{_NAME}\)?%",
            rf"(?:local_?env|env|secrets?|process\.env)[.:]{_NAME}",
            rf"(?:env|(?:os\.)?getenv|(?:os\.)?environ|process\.env)[\[(]{_NAME}[\])]",
            rf"\{{\{{\s*{_OF}\$?{_NAME}\}}\}}",
            rf"\{{{_NAME}\}}",
            rf"\$\{{\{{\s*{_OF}{_NAME}\}}\}}",
            rf"\$\{{\s*{_OF}{_NAME}(?::-[^${{}}]*)?\}}?",
        )
    )
    + r")\s*"
)
# Where such a text can only be meant as a variable: nothing else begins or reads so.
_NO_FREE_TEXT: Final = re.compile(
    r"\.(?:apiKey|apiBase|model|provider|billTo|proxy|headers\..+)"
)
# Those that any project's file may name: they are meant for what it asks. The last is
# the provider page's own, for a dedicated endpoint.
PROJECT_VARIABLES: Final = frozenset({*TOKEN_VARIABLES, "HF_ENDPOINT_TOKEN"})
_LONGEST_SPELLING: Final = 200
# A name that may be shown where a key belongs; what else stands there may be one.
_SHOWN_NAME: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")

# Why a reference is not replaced although its variable may be set: it stands where an
# untrusted project names none, the project may not have this one, or it is in apiBase.
Refusal: TypeAlias = Literal["", "place", "name", "address"]

# The key of an entry, and the header that it becomes.
_WHO_PAYS: Final = frozenset({"billto", "x-hf-bill-to"})


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
        self,
        name: str,
        *,
        env_files_first: bool,
        with_project: bool,
        with_users: bool = True,
    ) -> Secret | None:
        """Return the value of ``name``, or ``None`` where nobody has set it.

        Without ``with_users`` only what the project has set itself is looked at.
        """
        project = self.project_env if with_project else ()
        if not with_users:
            return next((f.values[name] for f in project if name in f.values), None)
        # The user's own file outranks the project's: a guest does not replace a key.
        files = (self.user_env, *project)
        from_files = next((f.values[name] for f in files if name in f.values), None)
        here = Secret(self.process[name]) if name in self.process else None
        first, second = (from_files, here) if env_files_first else (here, from_files)
        return second if first is None else first

    def file_of(
        self, name: str, *, env_files_first: bool, with_project: bool
    ) -> Path | None:
        """Return the ``.env`` that :meth:`find` takes ``name`` from, if it is one."""
        files = (self.user_env, *(self.project_env if with_project else ()))
        found = next((f.path for f in files if name in f.values), None)
        return found if env_files_first or name not in self.process else None

    def withheld(self, name: str) -> Path | None:
        """Return the project's ``.env`` that would set ``name``, or ``None``."""
        return next((f.path for f in self.project_env if name in f.values), None)


def read_variables(
    *, home: Path, project: Path, process: Mapping[str, str]
) -> Variables:
    """Return the environment and the three ``.env`` files that stand beside it."""
    # Beside a configuration only, and not in parents, where others may write.
    return Variables(
        process,
        read_env(user_folder(home) / ENV.name),
        (read_env(project / STATE / ENV.name), read_env(project / ENV.name)),
    )


def named_in(files: Iterable[Path], variables: Variables) -> dict[str, Secret]:
    """Return the variables that ``files`` name, whatever of them is in effect."""
    found: dict[str, Secret] = {}
    for file in files:
        # Also of a broken file: what it names must be hidden in what is printed.
        with contextlib.suppress(OSError):
            content = read_regular_file(file, MAX_BYTES).decode("utf-8", "replace")
            for match in _REFERENCE.finditer(content):
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
    refused: Refusal = ""


@frozen
class Expanded:
    """A tree with its variables replaced, and what could not be."""

    node: MapNode
    unset: tuple[Unset, ...] = ()
    problems: tuple[Problem, ...] = ()
    defaulted: tuple[Unset, ...] = ()
    # By their keys, the values that variables went into, as they are written.
    written: Mapping[str, str] = field(factory=dict)


def names_variables(node: ScalarNode) -> bool:
    """Return whether a value as it is written holds a reference."""
    return any(m.group() != "$$" for m in _REFERENCE.finditer(node.text))


def says_who_pays(path: str) -> bool:
    """Return whether a key names who pays: no file of a project ever decides that."""
    return path.rpartition(".")[2].lower() in _WHO_PAYS


def expand(
    node: MapNode,
    *,
    path: str,
    variables: Variables,
    trusted: bool,
    keep: frozenset[str] = frozenset(),
    only: frozenset[str] | None = None,
    allowed: frozenset[str] | None = None,
) -> Expanded:
    """Return ``node`` with the references in its values replaced.

    Only values are looked at, never keys, and a value is looked at once: what a
    variable holds cannot name another one or add a key. A value with an unset
    variable is left out, so that no literal ``${VAR}`` is ever sent, and so is one
    that is ``${VAR:-}`` and nothing else; those of the keys in ``keep`` (dotted below
    ``path``) stay as they are written. ``trusted`` lets the project's
    ``.env`` count. Where ``only`` is given, no other key may name a variable.
    Where ``allowed`` is given, it has the only ones of the user's variables that may
    be named, and in an ``apiBase`` none may: so it is for a project's file.
    ``defaulted`` are those refused whose default counts.
    """

    def below(names: frozenset[str]) -> frozenset[str]:
        return frozenset(f"{path}.{name}" for name in names)

    walk = _Walk(
        variables,
        trusted,
        below(keep),
        None if only is None else below(only),
        allowed,
    )
    expanded = walk.mapping(node, path)
    return Expanded(
        expanded,
        tuple(walk.unset),
        tuple(walk.problems),
        tuple(walk.defaulted),
        {key.removeprefix(f"{path}."): said for key, said in walk.written.items()},
    )


@define
class _Walk:
    variables: Variables
    trusted: bool
    keep: frozenset[str]
    only: frozenset[str] | None
    allowed: frozenset[str] | None
    unset: list[Unset] = field(factory=list)
    defaulted: list[Unset] = field(factory=list)
    written: dict[str, str] = field(factory=dict)
    problems: list[Problem] = field(factory=list)

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
        matches = list(_REFERENCE.finditer(node.text))
        broken = any(match["broken"] for match in matches)
        spelt = None
        if broken or (not matches and _NO_FREE_TEXT.search(path)):
            # The pattern is quadratic, and no name is as long.
            spelt = _OTHER_SPELLING.fullmatch(node.text[:_LONGEST_SPELLING])
        is_bare = path.endswith(".apiKey") and node.text.strip() in PROJECT_VARIABLES
        if spelt or is_bare or broken:
            # Not in the rows, where braces hold facts.
            message = text(
                "config.bad_reference",
                plain="${NAME}",
                default="${NAME:-default}",
                stored="${{ secrets.NAME }}",
            )
            if spelt or is_bare:
                groups = spelt.groups() if spelt else (node.text.strip(),)
                name = next(filter(None, groups))
                shown = name if _SHOWN_NAME.fullmatch(name) else "NAME"
                message = text("config.other_spelling", plain=f"${{{shown}}}")
            self.problems.append(Problem(node.line, node.column, message, path))
            return node
        values: list[str] = []
        named = [match for match in matches if match.group() != "$$"]
        missing: list[Unset] = []
        for match in matches:
            value = None
            name = match["secret"] or match["name"]
            refused = self._refusal(name, path) if name else ""
            if name and refused in ("", "name"):
                # GitHub's form means the stored secrets before the environment.
                value = self.variables.find(
                    name,
                    env_files_first=match["secret"] is not None,
                    with_project=self.trusted and not says_who_pays(path),
                    # What the project has set itself is not the user's.
                    with_users=not refused,
                )
            unset = Unset(name or "", path, node.line, node.column, refused)
            if match["has_default"]:
                # As in a shell, :- stands for a variable that is set to nothing too.
                values.append(value.reveal() if value else match["default"])
                if refused and value is None:
                    self.defaulted.append(unset)
            elif name and value is None:
                missing.append(unset)
            else:
                values.append(value.reveal() if value is not None else "$")
            if name and value:
                # From here on it is shown by its name, whatever text it gets into.
                mark(value, f"${{{name}}}")
                self.written[path] = node.text
        if missing:
            self.unset += missing
            return node if path in self.keep else None
        if not matches:
            return node
        # One pass: what a variable holds is never looked at again.
        left = iter(values)
        filled = _REFERENCE.sub(lambda _: next(left), node.text)
        # ``${NAME:-}`` says that nothing is meant where the variable is not set.
        if named and not filled and all(match["has_default"] for match in named):
            return None
        names = tuple(match["secret"] or match["name"] for match in named)
        written = self.written.get(path, "")
        return evolve(node, text=filled, variables=names, written=written)

    def _refusal(self, name: str, path: str) -> Refusal:
        """Return why a value may not name a variable, "" where it may."""
        if self.allowed is None:
            return ""
        # Looked up by whoever resolves it, an address tells its owner what it holds.
        if path.endswith(".apiBase"):
            return "address"
        if name not in self.allowed:
            return "name"
        return "" if self.only is None or path in self.only else "place"
