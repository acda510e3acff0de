"""One file into entries: what it says, what is wrong with it, what is ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.config.document import (
    MAX_BYTES,
    Document,
    ListNode,
    MapNode,
    Node,
    Problem,
    ScalarNode,
    is_null,
    parse,
    shown_key,
)
from bytebuddy_provider_hf.config.entry import (
    UNTRUSTED,
    Context,
    ReadEntry,
    ReadOptions,
    merge_top_options,
    read_entry,
    read_options,
)
from bytebuddy_provider_hf.config.flat import flat_problem
from bytebuddy_provider_hf.config.kinds import describe, nearest_word
from bytebuddy_provider_hf.config.log import read_log
from bytebuddy_provider_hf.config.lookalikes import (
    curly_quotes,
    lacks_blank,
    lookalike,
)
from bytebuddy_provider_hf.config.unknown import unknown_keys
from bytebuddy_provider_hf.config.values import ConfigWarning, LogOptions, ModelEntry
from bytebuddy_provider_hf.secret import one_line

NOT_OURS: Final = (
    "this is no ByteBuddy configuration (it has no list of models with a provider);"
    " it was skipped"
)
_DASH: Final = "; begin each entry with a dash: - name: …"
NO_MODELS: Final = "the file names no models"


@frozen
class ReadFile:
    """What came of one file; ``read`` is false where it was missing or skipped."""

    entries: tuple[ModelEntry, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[ConfigWarning, ...] = ()
    name: str | None = None
    version: str | None = None
    log: LogOptions | None = None
    read: bool = True
    missing: str | None = None


def read_file(context: Context) -> ReadFile:
    """Return what ``context.file`` says. Never raises: a problem is a finding."""
    raw = _bytes(context)
    if isinstance(raw, ReadFile):
        return raw
    document = parse(raw)
    if context.kind == "project" and not _is_ours(document):
        warning = ConfigWarning(str(context.file), _why_skipped(document))
        return ReadFile(warnings=(warning,), read=False)
    flat = flat_problem(document)
    problems = (flat,) if flat else document.problems
    if problems:
        reading = ReadFile(problems=tuple(p.at(context.file) for p in problems))
    else:
        reading = _FileReader(context).read(document.root)
    odd = lookalike(document.text) if reading.problems else None
    if odd is None:
        return reading
    # It stands first: the others may come of it.
    return evolve(reading, problems=(odd.at(context.file), *reading.problems))


def _bytes(context: Context) -> bytes | ReadFile:
    file = context.file
    chosen = context.kind == "explicit"
    try:
        # A FIFO that nobody writes to would be waited for without end.
        if not chosen and file.exists() and not file.is_file():
            return _unreadable(context, "it is no regular file")
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ReadFile(read=False, missing=f"{file} does not exist")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not usable"
        return _unreadable(context, str(reason))


def _unreadable(context: Context, reason: str) -> ReadFile:
    text = f"{context.file} cannot be read: {reason}"
    if context.kind == "explicit":
        return ReadFile(read=False, missing=text)
    if context.kind == "project":
        warning = ConfigWarning(str(context.file), f"skipped: {reason}")
        return ReadFile(read=False, warnings=(warning,))
    return ReadFile(read=False, problems=(text,))


def _is_ours(document: Document) -> bool:
    """Tell our file from another program's: plenty of them have a config.yaml."""
    root = document.root
    if isinstance(root, MapNode):
        models = root.get("models")
        if isinstance(models, ListNode):
            return root.get("provider") is not None or any(
                isinstance(item, MapNode) and item.get("provider") is not None
                for item in models.items
            )
        return False
    text = document.text
    return (
        root is None
        and re.search(r"(?m)^models[ \t]*:", text) is not None
        and re.search(r"(?m)^[ \t-]*provider[ \t]*:", text) is not None
    )


def _why_skipped(document: Document) -> str:
    """Say what a file of ours would need, where this one may be meant as one."""
    root = document.root
    if not document.text and document.problems:
        return f"skipped: {document.problems[0].message}"
    if isinstance(root, ListNode) and any(map(_looks_like_entry, root.items)):
        return f"{NOT_OURS}; write models: above the list"
    if not isinstance(root, MapNode):
        return NOT_OURS
    if _looks_like_entry(root.get("models")):
        return f"{NOT_OURS}{_DASH}"
    return f"{NOT_OURS}{_misspelled(root)}"


def _looks_like_entry(node: Node | None) -> bool:
    return isinstance(node, MapNode) and node.get("provider") is not None


def _misspelled(top: Node) -> str:
    """Return a hint at the key that may be meant for ``models``."""
    keys = [p.key.text for p in top.pairs] if isinstance(top, MapNode) else []
    near = [key for key in keys if nearest_word(key, ("models",))]
    found = near and "models" not in keys
    return f"; write models instead of {shown_key(near[0])}" if found else ""


class _FileReader:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._notices: list[Problem] = []
        self._problems: list[Problem] = []
        self._options: dict[bool, ReadOptions] = {}
        self._log: LogOptions | None = None

    def read(self, root: Node | None) -> ReadFile:
        if root is not None and not isinstance(root, MapNode):
            listed = isinstance(root, ListNode) and any(
                map(_looks_like_entry, root.items)
            )
            hint = "; write models: above the list" if listed else ""
            message = f"expected a mapping with models, found {describe(root)}{hint}"
            return self._result((), Problem(root.line, root.column, message), root)
        top = root or MapNode((), 1, 1)
        self._problems += _titles(top)
        self._read_log(top)
        self._notices += unknown_keys(_top_only(top), "file", path="")
        entries = tuple(self._entries(top))
        self._check_names(entries)
        kept = tuple(found.entry for found in entries if found.entry)
        return self._result(kept, None, top)

    def _result(
        self, entries: tuple[ModelEntry, ...], problem: Problem | None, root: Node
    ) -> ReadFile:
        file = self._context.file
        notices = sorted(self._notices, key=_order)
        found = [problem] if problem else self._problems
        found = sorted(found, key=_order)
        return ReadFile(
            entries=entries,
            problems=tuple(dict.fromkeys(p.at(file) for p in found)),
            warnings=tuple(dict.fromkeys(map(self._warning, notices))),
            name=_text(root, "name"),
            version=_text(root, "version"),
            log=self._log,
        )

    def _read_log(self, top: MapNode) -> None:
        for pair in top.pairs:
            if pair.key.text == "log" and not is_null(pair.value):
                found = read_log(pair, self._context)
                self._problems += found.problems
                self._notices += found.notices
                self._log = found.options

    def _warning(self, notice: Problem) -> ConfigWarning:
        place = self._context.place(notice.line, notice.column)
        path = f"{notice.path}: " if notice.path else ""
        return ConfigWarning(place, one_line(f"{path}{notice.message}"))

    def _entries(self, top: MapNode) -> Iterator[ReadEntry]:
        models = top.get("models")
        if models is None or is_null(models):
            self._no_models(models or top, _misspelled(top))
            return
        if not isinstance(models, ListNode):
            hint = _DASH if _looks_like_entry(models) else ""
            self._expected("a list of entries", models, "models", hint)
            return
        for index, item in enumerate(models.items):
            if not isinstance(item, MapNode):
                wanted = "a mapping with name, provider and model"
                hint = "; put a blank after each colon" if lacks_blank(item) else ""
                self._expected(wanted, item, f"models[{index}]", hint)
                continue
            found = read_entry(item, index=index, context=self._context)
            self._problems += found.problems
            self._notices += found.notices
            self._notices += curly_quotes(item, path=f"models[{index}]")
            yield self._with_top(found, top)

    def _no_models(self, node: Node, hint: str) -> None:
        if self._context.kind == "explicit":
            message = f"expected a list of entries, found nothing{hint}"
            self._problems.append(Problem(node.line, node.column, message, "models"))
        else:
            self._notices.append(Problem(node.line, node.column, NO_MODELS))

    def _expected(self, wanted: str, node: Node, path: str, hint: str) -> None:
        message = f"expected {wanted}, found {_kind_of(node)}{hint}"
        self._problems.append(Problem(node.line, node.column, message, path))

    def _with_top(self, found: ReadEntry, top: MapNode) -> ReadEntry:
        """Lay the file's ``requestOptions`` under the entry's."""
        node = top.get("requestOptions")
        if node is None or is_null(node):
            return found
        if not found.trusted:
            notice = Problem(node.line, node.column, UNTRUSTED, "requestOptions")
            self._notices.append(notice)
            return found
        shared = self._options.get(found.project_env)
        if shared is None:
            shared = read_options(
                node, context=self._context, project_env=found.project_env
            )
            self._options[found.project_env] = shared
            self._problems += shared.problems
        entry = found.entry
        if entry is None or shared.options is None:
            return found
        options = merge_top_options(entry.request_options, shared.options)
        unset = (*entry.unset, *shared.unset)
        entry = evolve(entry, request_options=options, unset=unset)
        return evolve(found, entry=entry)

    def _check_names(self, entries: tuple[ReadEntry, ...]) -> None:
        first: dict[str, ModelEntry] = {}
        for entry in (found.entry for found in entries):
            if entry is None:
                continue
            before = first.setdefault(entry.name, entry)
            if before is not entry:
                line, column = entry.source.line or 1, entry.source.column or 1
                message = (
                    f"an entry named {entry.name!r} already stands at"
                    f" {before.source.line}:{before.source.column}"
                )
                self._problems.append(Problem(line, column, message, "models"))


def _order(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


def _titles(top: MapNode) -> Iterator[Problem]:
    for name in ("name", "version"):
        value = top.get(name)
        if value is not None and not isinstance(value, ScalarNode):
            message = f"expected text, found {describe(value)}"
            yield Problem(value.line, value.column, message, name)


def _top_only(top: MapNode) -> MapNode:
    pairs = tuple(p for p in top.pairs if p.key.text != "models")
    return evolve(top, pairs=pairs)


def _kind_of(node: Node) -> str:
    return describe(node) if not isinstance(node, ScalarNode) else _scalar_kind(node)


def _scalar_kind(node: ScalarNode) -> str:
    return "nothing" if is_null(node) else "a single value"


def _text(root: Node, name: str) -> str | None:
    value = root.get(name) if isinstance(root, MapNode) else None
    if not isinstance(value, ScalarNode) or is_null(value):
        return None
    return value.text
