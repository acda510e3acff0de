"""Read one entry of ``models``, ``requestOptions`` or ``log``: what of it counts.

Each has its variables replaced, its values checked, and what a project's file may not
decide taken out before either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import define, evolve, field, fields_dict, frozen

from bytebuddy_provider_hf.address import ROUTER, HostKind, origin_of, parse
from bytebuddy_provider_hf.config.document import (
    MapNode,
    Node,
    Pair,
    Problem,
    ScalarNode,
    is_null,
    plain_value,
)
from bytebuddy_provider_hf.config.kinds import AnyText
from bytebuddy_provider_hf.config.schema import (
    CALLERS_OWN,
    TRUST_NEEDED,
    Nested,
    Section,
    find_key,
)
from bytebuddy_provider_hf.config.structure import structure, unknown_keys
from bytebuddy_provider_hf.config.trust import COMMAND, TrustStore
from bytebuddy_provider_hf.config.values import (
    LogOptions,
    ModelEntry,
    RequestOptions,
    Source,
    SourceKind,
    UnsetReference,
)
from bytebuddy_provider_hf.config.variables import (
    PROJECT_VARIABLES,
    Expanded,
    Unset,
    Variables,
    expand,
    names_variables,
    says_who_pays,
)
from bytebuddy_provider_hf.config.write import VARIABLE
from bytebuddy_provider_hf.errors import InvalidEndpoint
from bytebuddy_provider_hf.secret import Secret, mark
from bytebuddy_provider_hf.texts import LocalizedText, text

# What is before the path of an address, as it is written.
_AUTHORITY: Final = re.compile(r"(?:https?://)?[^/]*")
_CERTIFICATE: Final = frozenset({"clientCertificate.cert", "clientCertificate.key"})
# A reference that cannot be replaced stays there, so that the key is not missing too.
_KEPT: Final = frozenset({"name", "provider", "model"}) | {
    f"requestOptions.{key}" for key in _CERTIFICATE
}
# Where a project's file may name variables before the user trusts it.
_MAY_NAME_VARIABLES: Final = frozenset({"apiKey"})
# Comparing one unknown key with all known ones takes a part of a millisecond, and a
# stranger's file may have thousands.
_MOST_SEARCHES: Final = 100
# Sections with keys that no project's file decides.
_HOLDS_USERS_OWN: Final = frozenset({"requestOptions", "headers", "cache"})


@frozen
class Context:
    """What an entry is read with: its file, and whom the user trusts.

    ``allowed`` are the user's variables that a project's file may name, ``None`` for a
    file that the user chose. ``searches`` are as many as the file's unknown keys are
    compared with the known.
    """

    file: Path
    kind: SourceKind
    variables: Variables
    store: TrustStore
    project: Path
    allowed: frozenset[str] | None = None
    searches: Iterator[object] = field(
        factory=lambda: iter(range(_MOST_SEARCHES)), eq=False, repr=False
    )

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
    notices: tuple[Problem, ...] = ()
    written: Mapping[str, str] = field(factory=dict)


@frozen
class ReadSetting:
    """A setting at the top level of a file, or what is in the way of it."""

    value: object | None = None
    problems: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()


@frozen
class ReadLog:
    """The ``log`` of a file, or what is in the way of it."""

    options: LogOptions | None = None
    problems: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()


def read_entry(node: MapNode, *, index: int, context: Context) -> ReadEntry:
    """Return one entry with its variables replaced and its values checked."""
    path = f"models[{index}]"
    origin = _origin(node, context)
    # The .env of a project counts for the origin that the user trusts it with.
    project_env = origin is not None and context.store.is_trusted(
        context.project, origin
    )
    trusted = project_env or context.kind != "project"
    kept, ignored = (node, ()) if trusted else _harmless(node, path)
    if context.kind == "project":
        kept, users = _without_users_own(kept, path)
        ignored = (*ignored, *users)
    expanded = expand(
        kept,
        path=path,
        variables=context.variables,
        trusted=project_env,
        keep=_KEPT,
        # A stranger's file could send any variable along with a prompt.
        only=None if trusted else _MAY_NAME_VARIABLES,
        allowed=context.allowed,
    )
    blanks = _Blanks()
    filled = blanks.dropped(expanded.node, "models[]", path)
    result = structure(filled, "models[]", path=path)
    unknown = unknown_keys(kept, "models[]", path=path, searches=context.searches)
    notices = (*ignored, *_defaulted(expanded, context), *unknown)
    # What is no variable is no address either: one sentence is enough.
    told = {problem.path for problem in expanded.problems}
    others = (problem for problem in result.problems if problem.path not in told)
    problems = (*expanded.problems, *others)
    entry = result.value
    if not isinstance(entry, ModelEntry) or problems:
        return ReadEntry(None, problems, notices, trusted, project_env)
    command = COMMAND if project_env else f"{COMMAND} {origin or ''}".strip()
    unset = tuple(
        _reference(u, context, project_env=project_env, command=command)
        for u in (*expanded.unset, *blanks.found)
    )
    # The shared schema has it in both places; the entry itself counts first.
    window = entry.context_length
    if window is None:
        window = entry.default_completion_options.context_length
    key, key_origin, key_place = filled.get("apiKey"), None, None
    if entry.api_key and isinstance(key, ScalarNode):
        key_origin, key_place = _key_origin(key, context, project_env=project_env)
    base = filled.get("apiBase")
    if isinstance(base, ScalarNode) and entry.api_base:
        mark_origin(base, entry.api_base)
    extra = {
        pair.key.text: plain_value(pair.value)
        for pair in filled.pairs
        if find_key("models[]", pair.key.text) is None
    }
    entry = evolve(
        entry,
        source=Source(context.kind, context.file, node.line, node.column),
        context_length=window,
        extra=extra,
        api_key_origin=key_origin,
        api_key_place=key_place,
        unset=unset,
        written=expanded.written,
    )
    return ReadEntry(entry, (), notices, trusted, project_env)


def _key_origin(
    key: ScalarNode, context: Context, *, project_env: bool
) -> tuple[str, str]:
    """Return where a key was found, in words, and what kind of place that is."""
    if not key.variables:
        place = f"{context.file}:{key.line}"
        return text("config.key_origin", place=place), "line"
    name = key.variables[0]
    # Neither a login nor taking the variable away gives the entry another key.
    is_kept = name == VARIABLE
    file = context.variables.file_of(
        name, env_files_first="secrets." in key.written, with_project=project_env
    )
    if file is None:
        return name, "variable" if is_kept else "env"
    own = file == context.variables.user_env.path
    origin = text("transport.kept_in", variable=name, file=file)
    return origin, "login" if own and is_kept else "env"


def read_options(node: Node, *, context: Context, project_env: bool) -> ReadOptions:
    """Return the ``requestOptions`` that stand at the top level of a file."""
    path = "requestOptions"
    if not isinstance(node, MapNode):
        return ReadOptions(
            problems=structure(node, "requestOptions", path=path).problems
        )
    notices: tuple[Problem, ...] = ()
    if context.kind == "project":
        node, notices = _without_users_own(node, path)
    expanded = expand(
        node,
        path=path,
        variables=context.variables,
        trusted=project_env,
        keep=_CERTIFICATE,
        allowed=context.allowed,
    )
    blanks = _Blanks()
    filled = blanks.dropped(expanded.node, "requestOptions", path)
    result = structure(filled, "requestOptions", path=path)
    options = result.value if isinstance(result.value, RequestOptions) else None
    missing = (*expanded.unset, *blanks.found)
    unset = tuple(_reference(u, context, project_env=project_env) for u in missing)
    problems = (*expanded.problems, *result.problems)
    notices = (*notices, *_defaulted(expanded, context))
    written = {f"{path}.{key}": said for key, said in expanded.written.items()}
    return ReadOptions(options, problems, unset, notices, written)


def mark_origin(base: ScalarNode, address: str) -> None:
    """Mark the origin of an address whose host a variable names, or a part of it.

    It is written otherwise than the variable's value: in lower case, without its path.
    """
    authority = _AUTHORITY.match(base.written)
    origin = origin_of(address)
    # Hugging Face's own addresses are in many a text, and nobody's to keep.
    known = parse(origin).host_kind in (HostKind.ROUTER, HostKind.HUB)
    if authority is None or "${" not in authority[0] or known:
        return
    shown = f"${{{base.variables[0]}}}"
    mark(Secret(origin), shown)
    # An address of this machine has a host that everybody knows.
    if parse(origin).host_kind is not HostKind.LOOPBACK:
        mark(Secret(parse(origin).host), shown)


def merge_top_options(entry: RequestOptions, top: RequestOptions) -> RequestOptions:
    """Return ``entry`` with what it leaves open taken from ``top``.

    A value of the entry wins whole; only headers are merged one by one.
    """
    # Header names are compared without case (RFC 9110, section 5.1).
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


def read_setting(pair: Pair, section: Section, context: Context) -> ReadSetting:
    """Return what a mapping at the top level of a file says, as its class.

    Without a variable that it names it counts for nothing, and a notice says so.
    """
    key, path = pair.key, pair.key.text
    if context.kind == "project" and path == "alerts":
        ignored = text("config.project_setting")
        return ReadSetting(notices=(Problem(key.line, key.column, ignored, path),))
    node, known = pair.value, find_key("file", path)
    if known is not None and isinstance(known.kind, Nested) and known.kind.lone:
        node = known.kind(node) if isinstance(node, ScalarNode) else node
    if not isinstance(node, MapNode):
        return ReadSetting(problems=structure(node, section, path=path).problems)
    ignored_below: tuple[Problem, ...] = ()
    if context.kind == "project":
        node, ignored_below = _without_users_own(node, path)
    expanded = expand(
        node,
        path=path,
        variables=context.variables,
        trusted=False,
        allowed=context.allowed,
    )
    result = structure(expanded.node, section, path=path)
    if problems := (*expanded.problems, *result.problems):
        return ReadSetting(problems=problems)
    unset = tuple(
        Problem(
            each.line,
            each.column,
            text("config.setting_refused", hint=_reference(each, context).hint)
            if each.refused
            else text("config.setting_needs", variable=each.variable),
            each.path,
        )
        for each in expanded.unset
    )
    value = None if unset else result.value
    told = (*ignored_below, *unset, *_defaulted(expanded, context))
    return ReadSetting(value, notices=told)


def read_log(pair: Pair, context: Context) -> ReadLog:
    """Return what stands at the key ``log``; of a project's file, that it is ignored.

    Without a variable that it names nothing is logged, and a notice says so.
    """
    key, node, path = pair.key, pair.value, "log"
    if context.kind == "project":
        ignored = text("config.project_log")
        return ReadLog(notices=(Problem(key.line, key.column, ignored, path),))
    if not isinstance(node, MapNode):
        return ReadLog(problems=structure(node, "log", path=path).problems)
    # The path stays as it is written, so that it is not missing too.
    keep = frozenset({"path"})
    expanded = expand(
        node, path=path, variables=context.variables, trusted=False, keep=keep
    )
    result = structure(expanded.node, "log", path=path)
    problems = (*expanded.problems, *result.problems)
    if problems or not isinstance(result.value, LogOptions):
        return ReadLog(problems=problems)
    notices = []
    for each in expanded.unset:
        message = text("config.log_needs", variable=each.variable)
        notices.append(Problem(each.line, each.column, message, each.path))
    if notices:
        return ReadLog(notices=tuple(notices))
    # A relative path counts from this file, and a reload compares it.
    source = Source(context.kind, context.file, key.line, key.column)
    return ReadLog(evolve(result.value, source=source))


def _origin(node: MapNode, context: Context) -> str | None:
    """Return the origin that an entry would have its key sent to, if it has one."""
    base = node.get("apiBase")
    if base is None or is_null(base):
        return ROUTER
    # No address of a project's file comes from a variable.
    if context.allowed is not None and isinstance(base, ScalarNode):
        return None if names_variables(base) else _origin_of(base)
    # The project's .env may take part here: what it names is then looked up in the
    # user's list, so that it decides nothing.
    alone = MapNode(tuple(p for p in node.pairs if p.value is base), 1, 1)
    found = expand(alone, path="", variables=context.variables, trusted=True)
    value = found.node.get("apiBase")
    return _origin_of(value) if isinstance(value, ScalarNode) else None


def _origin_of(node: ScalarNode) -> str | None:
    try:
        return origin_of(node.text.strip())
    except InvalidEndpoint:
        return None


def _harmless(node: MapNode, path: str) -> tuple[MapNode, tuple[Problem, ...]]:
    """Return an entry without what needs trust, and a notice of each such key."""
    options = node.get("requestOptions")
    if not isinstance(options, MapNode):
        return node, ()
    kept, notices = _without(options, TRUST_NEEDED, f"{path}.requestOptions")
    body = kept.get("extraBodyProperties")
    if isinstance(body, MapNode):
        # Until then the caller has the last word of what is asked.
        below = f"{path}.requestOptions.extraBodyProperties"
        inner, more = _without(body, CALLERS_OWN, below)
        kept, notices = _replaced(kept, body, inner), (*notices, *more)
    return _replaced(node, options, kept), notices


def _without(
    node: MapNode, names: frozenset[str], path: str
) -> tuple[MapNode, tuple[Problem, ...]]:
    ignored = text("config.untrusted", command=COMMAND)
    notices = tuple(
        Problem(pair.key.line, pair.key.column, ignored, f"{path}.{pair.key.text}")
        for pair in node.pairs
        if pair.key.text in names
    )
    left = tuple(pair for pair in node.pairs if pair.key.text not in names)
    return evolve(node, pairs=left), notices


def _replaced(node: MapNode, old: Node, new: Node) -> MapNode:
    pairs = (Pair(p.key, new if p.value is old else p.value) for p in node.pairs)
    return evolve(node, pairs=tuple(pairs))


def _without_users_own(node: MapNode, path: str) -> tuple[MapNode, tuple[Problem, ...]]:
    """Return what a project's file says without what only the user does.

    Trust is about where a key may go. Whose money is spent, and how much of the user's
    disk is filled, is the user's word alone; each is told in a notice.
    """
    notices: list[Problem] = []
    pairs: list[Pair] = []
    for pair in node.pairs:
        key, value, dotted = pair.key, pair.value, f"{path}.{pair.key.text}"
        ignored = None
        if says_who_pays(dotted):
            ignored = text("config.project_bill_to")
        elif f".{dotted}".endswith(".cache.size"):
            ignored = text("config.project_setting")
        if ignored is not None:
            notices.append(Problem(key.line, key.column, ignored, dotted))
            continue
        if key.text in _HOLDS_USERS_OWN and isinstance(value, MapNode):
            value, below = _without_users_own(value, dotted)
            notices += below
        pairs.append(Pair(key, value))
    return evolve(node, pairs=tuple(pairs)), tuple(notices)


@define
class _Blanks:
    """Take out values whose variable is set to nothing: they count as unset."""

    found: list[Unset] = field(factory=list)

    def dropped(self, node: MapNode, section: Section, path: str) -> MapNode:
        pairs: list[Pair] = []
        for pair in node.pairs:
            value, key = pair.value, find_key(section, pair.key.text)
            if key is None:
                pairs.append(pair)
                continue
            dotted = f"{path}.{key.name}"
            if isinstance(key.kind, Nested) and isinstance(value, MapNode):
                inner = self.dropped(value, key.kind.section, dotted)
                pairs.append(Pair(pair.key, inner))
            elif (
                not isinstance(value, ScalarNode)
                or value.text.strip()
                or is_null(value)
            ):
                pairs.append(pair)
            elif not value.variables:
                # A key of nothing, as a form writes it, means that there is none.
                if key.name != "apiKey":
                    pairs.append(pair)
            elif isinstance(key.kind, AnyText):
                pairs.append(pair)
            else:
                name = value.variables[0]
                self.found.append(Unset(name, dotted, value.line, value.column))
                if key.required:
                    # As it is written, so that the key is not missing too.
                    pairs.append(Pair(pair.key, evolve(value, text=f"${{{name}}}")))
        return evolve(node, pairs=tuple(pairs))


def _defaulted(expanded: Expanded, context: Context) -> Iterator[Problem]:
    """Yield a notice for each default that counts where a variable may not be read."""
    for each in expanded.defaulted:
        # Where it is not set the default is what would count anyway.
        known = context.variables.find(
            each.variable, env_files_first=False, with_project=False
        )
        if known:
            said = text("config.default_counts", hint=_reference(each, context).hint)
            yield Problem(each.line, each.column, said, each.path)


def _set_it(unset: Unset, file: Path) -> LocalizedText:
    """Return how to set a variable; what ``login`` does is no help for another one."""
    variable = unset.variable
    if variable == VARIABLE:
        return text("config.set_token", variable=variable, file=file)
    if unset.path.endswith(".apiKey"):
        reference = f"${{{VARIABLE}}}"
        return text("config.set_key", variable=variable, file=file, reference=reference)
    return text("config.set_variable", variable=variable, file=file)


def _reference(
    unset: Unset,
    context: Context,
    *,
    project_env: bool = False,
    command: str = COMMAND,
) -> UnsetReference:
    place = context.place(unset.line, unset.column)
    withheld = context.variables.withheld(unset.variable)
    if unset.refused == "address":
        hint = text("config.refused_address")
    elif unset.refused == "place":
        # A stranger's file could send any variable along with a prompt.
        hint = text("config.refused_variable", command=command)
    elif unset.refused == "name" and (withheld is None or project_env):
        hint = text(
            "config.refused_name",
            allowed=", ".join(sorted(PROJECT_VARIABLES)),
            variable=unset.variable,
            command=f"{COMMAND} --variable {unset.variable}",
        )
    elif withheld is not None and not project_env:
        hint = text(
            "config.withheld", variable=unset.variable, file=withheld, command=command
        )
    elif why := context.variables.user_env.why_unset(unset.variable):
        hint = why
    else:
        hint = _set_it(unset, context.variables.user_env.path)
    refused = bool(unset.refused)
    return UnsetReference(unset.variable, unset.path, place, hint, refused)
