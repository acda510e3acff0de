"""One entry of ``models``: its variables, its values, and what of it counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import evolve, fields_dict, frozen

from bytebuddy_provider_hf.address import ROUTER, origin_of
from bytebuddy_provider_hf.config.document import (
    MapNode,
    Node,
    Pair,
    Problem,
    ScalarNode,
    is_null,
)
from bytebuddy_provider_hf.config.expand import Unset, Variables, expand
from bytebuddy_provider_hf.config.kinds import AnyText
from bytebuddy_provider_hf.config.scalars import plain_value
from bytebuddy_provider_hf.config.schema import TRUST_NEEDED, Nested, Section, find_key
from bytebuddy_provider_hf.config.structure import structure_entry, structure_options
from bytebuddy_provider_hf.config.trust import COMMAND, TrustStore
from bytebuddy_provider_hf.config.unknown import extra_pairs, unknown_keys
from bytebuddy_provider_hf.config.values import (
    ModelEntry,
    RequestOptions,
    Source,
    SourceKind,
    UnsetReference,
)
from bytebuddy_provider_hf.errors import InvalidEndpoint

_REQUIRED: Final = frozenset({"name", "provider", "model"})
_CERTIFICATE: Final = frozenset({"clientCertificate.cert", "clientCertificate.key"})
# A reference that cannot be replaced stays there, so that the key is not missing too.
_KEPT: Final = _REQUIRED | {f"requestOptions.{key}" for key in _CERTIFICATE}
# Where a project's file may name variables before the user trusts it.
_MAY_NAME_VARIABLES: Final = frozenset({"apiKey", "apiBase"})


@frozen
class Context:
    """What an entry is read with: its file, and whom the user trusts."""

    file: Path
    kind: SourceKind
    variables: Variables
    store: TrustStore
    project: Path

    def place(self, line: int, column: int) -> str:
        """Return ``file:line:column``."""
        return f"{self.file}:{line}:{column}"


@frozen
class ReadEntry:
    """An entry, or its problems; ``trusted`` tells whether all it says counts."""

    entry: ModelEntry | None = None
    problems: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()
    trusted: bool = True
    project_env: bool = False


@frozen
class ReadOptions:
    """The ``requestOptions`` of a file, or their problems."""

    options: RequestOptions | None = None
    problems: tuple[Problem, ...] = ()
    unset: tuple[UnsetReference, ...] = ()


def read_entry(node: MapNode, *, index: int, context: Context) -> ReadEntry:
    """Return one entry with its variables replaced and its values checked."""
    path = f"models[{index}]"
    project_env = _project_is_trusted(node, context)
    trusted = project_env or context.kind != "project"
    ignored = () if trusted else tuple(_ignored(node, path))
    kept = node if trusted else _without_ignored(node)
    expanded = expand(
        kept,
        path=path,
        variables=context.variables,
        trusted=project_env,
        keep=_KEPT,
        only=None if trusted else _MAY_NAME_VARIABLES,
    )
    blanks = _Blanks()
    filled = blanks.dropped(expanded.node, "models[]", path)
    result = structure_entry(filled, path=path)
    notices = (*ignored, *unknown_keys(kept, "models[]", path=path))
    problems = (*expanded.problems, *result.problems)
    if not isinstance(result.value, ModelEntry) or problems:
        return ReadEntry(None, problems, notices, trusted, project_env)
    command = COMMAND if project_env else f"{COMMAND} {_origin(node, context) or ''}"
    unset = tuple(
        _reference(u, context, project_env=project_env, command=command.strip())
        for u in (*expanded.unset, *blanks.found)
    )
    entry = _completed(result.value, filled, context)
    return ReadEntry(evolve(entry, unset=unset), (), notices, trusted, project_env)


def read_options(node: Node, *, context: Context, project_env: bool) -> ReadOptions:
    """Return the ``requestOptions`` that stand at the top level of a file."""
    path = "requestOptions"
    if not isinstance(node, MapNode):
        return ReadOptions(problems=structure_options(node, path=path).problems)
    expanded = expand(
        node,
        path=path,
        variables=context.variables,
        trusted=project_env,
        keep=_CERTIFICATE,
    )
    blanks = _Blanks()
    filled = blanks.dropped(expanded.node, "requestOptions", path)
    result = structure_options(filled, path=path)
    options = result.value if isinstance(result.value, RequestOptions) else None
    missing = (*expanded.unset, *blanks.found)
    unset = tuple(_reference(u, context, project_env=project_env) for u in missing)
    return ReadOptions(options, (*expanded.problems, *result.problems), unset)


def merge_top_options(entry: RequestOptions, top: RequestOptions) -> RequestOptions:
    """Return ``entry`` with what it leaves open taken from ``top``.

    A value of the entry wins whole; only headers are merged one by one.
    """
    own = {name.lower() for name in entry.headers}
    headers = {k: v for k, v in top.headers.items() if k.lower() not in own}
    body = entry.extra_body_properties or top.extra_body_properties
    open_fields = {
        name: getattr(top, name)
        for name in fields_dict(RequestOptions)
        if getattr(entry, name) is None
    }
    result = evolve(entry, headers={**headers, **entry.headers})
    return evolve(result, extra_body_properties=body, **open_fields)


def _project_is_trusted(node: MapNode, context: Context) -> bool:
    """Tell whether the project may decide all for the origin this entry names."""
    if not context.store.entries():
        return False
    origin = _origin(node, context)
    return origin is not None and context.store.is_trusted(context.project, origin)


def _origin(node: MapNode, context: Context) -> str | None:
    base = node.get("apiBase")
    if base is None or is_null(base):
        return ROUTER
    # The project's .env may take part here: what it names is then looked up in the
    # user's list, so that it decides nothing.
    alone = MapNode(tuple(p for p in node.pairs if p.value is base), 1, 1)
    found = expand(alone, path="", variables=context.variables, trusted=True)
    value = found.node.get("apiBase")
    if not isinstance(value, ScalarNode):
        return None
    try:
        return origin_of(value.text.strip())
    except InvalidEndpoint:
        return None


def _ignored(node: MapNode, path: str) -> Iterator[Problem]:
    options = node.get("requestOptions")
    if not isinstance(options, MapNode):
        return
    for pair in options.pairs:
        if pair.key.text in TRUST_NEEDED:
            name = f"{path}.requestOptions.{pair.key.text}"
            yield Problem(pair.key.line, pair.key.column, UNTRUSTED, name)


UNTRUSTED: Final = (
    "ignored, because you have not trusted this project yet; if you do, run"
    f" `{COMMAND}` there"
)


def _without_ignored(node: MapNode) -> MapNode:
    return evolve(node, pairs=tuple(_harmless(pair) for pair in node.pairs))


def _harmless(pair: Pair) -> Pair:
    options = pair.value
    if pair.key.text != "requestOptions" or not isinstance(options, MapNode):
        return pair
    kept = tuple(p for p in options.pairs if p.key.text not in TRUST_NEEDED)
    return Pair(pair.key, evolve(options, pairs=kept))


class _Blanks:
    """Take out values whose variable is set to nothing: they count as unset."""

    def __init__(self) -> None:
        self.found: list[Unset] = []

    def dropped(self, node: MapNode, section: Section, path: str) -> MapNode:
        pairs = tuple(self._pairs(node, section, path))
        return evolve(node, pairs=pairs)

    def _pairs(self, node: MapNode, section: Section, path: str) -> Iterator[Pair]:
        for pair in node.pairs:
            key = find_key(section, pair.key.text)
            if key is None:
                yield pair
                continue
            dotted = f"{path}.{key.name}"
            value = pair.value
            if isinstance(key.kind, Nested) and isinstance(value, MapNode):
                inner = self.dropped(value, key.kind.section, dotted)
                yield Pair(pair.key, inner)
            elif not _is_blank(value):
                yield pair
            elif isinstance(value, ScalarNode) and value.variables:
                yield from self._unset(pair, value, section, dotted)
            elif key.name != "apiKey":
                yield pair

    def _unset(
        self, pair: Pair, value: ScalarNode, section: Section, path: str
    ) -> Iterator[Pair]:
        key = find_key(section, pair.key.text)
        if key is not None and isinstance(key.kind, AnyText):
            yield pair
            return
        unset = Unset(value.variables[0], path, value.line, value.column)
        self.found.append(unset)
        if key is not None and key.required:
            yield Pair(pair.key, evolve(value, text=f"${{{value.variables[0]}}}"))


def _is_blank(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.text.strip() and not is_null(node)


def _reference(
    unset: Unset, context: Context, *, project_env: bool, command: str = COMMAND
) -> UnsetReference:
    place = context.place(unset.line, unset.column)
    withheld = context.variables.withheld(unset.variable)
    if unset.refused:
        # A stranger's file could send any variable along with a prompt.
        hint = (
            "A project's file may name variables in apiKey and apiBase only, until"
            f" you trust it: run `{command}` there."
        )
    elif withheld is not None and not project_env:
        hint = (
            f"{unset.variable} stands in {withheld}, which counts only once you trust"
            f" this project: run `{command}` there."
        )
    else:
        env_file = context.variables.user_env.path
        hint = f"Set {unset.variable} in the environment or in {env_file}."
        if unset.variable == "HF_API_KEY":
            hint = f"{hint} `bytebuddy-hf login` does that."
    return UnsetReference(unset.variable, unset.path, place, hint)


def _completed(entry: ModelEntry, node: MapNode, context: Context) -> ModelEntry:
    line, column = node.line, node.column
    window = entry.context_length
    if window is None:
        window = entry.default_completion_options.context_length
    extra = {pair.key.text: plain_value(pair.value) for pair in extra_pairs(node)}
    return evolve(
        entry,
        source=Source(context.kind, context.file, line, column),
        context_length=window,
        extra=extra,
        api_key_origin=_key_origin(node, context) if entry.api_key else None,
    )


def _key_origin(node: MapNode, context: Context) -> str | None:
    key = node.get("apiKey")
    if not isinstance(key, ScalarNode):
        return None
    if key.variables:
        return key.variables[0]
    return f"apiKey in {context.file}:{key.line}"
