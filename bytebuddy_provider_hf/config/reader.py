"""Read one file into entries: what it says, what is wrong with it, what is ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.config.document import (
    MAX_BYTES,
    Document,
    ListNode,
    MapNode,
    Node,
    Pair,
    Problem,
    ScalarNode,
    is_null,
    parse,
    shown_key,
)
from bytebuddy_provider_hf.config.entry import (
    Context,
    ReadEntry,
    ReadOptions,
    merge_top_options,
    read_entry,
    read_log,
    read_options,
    read_setting,
)
from bytebuddy_provider_hf.config.exposure import exposures
from bytebuddy_provider_hf.config.kinds import (
    Mismatch,
    Switch,
    describe,
    nearest_word,
)
from bytebuddy_provider_hf.config.pasted import (
    curly_quotes,
    flat_problem,
    lacks_blank,
    with_block,
)
from bytebuddy_provider_hf.config.schema import Section, find_key
from bytebuddy_provider_hf.config.slips import mend
from bytebuddy_provider_hf.config.structure import unknown_keys
from bytebuddy_provider_hf.config.trust import COMMAND
from bytebuddy_provider_hf.config.values import (
    ConfigWarning,
    FileSettings,
    LogOptions,
    ModelEntry,
    RequestOptions,
    SourceKind,
)
from bytebuddy_provider_hf.regular_file import NotRegular, read_regular_file
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text

# Keys at the top level that hold a mapping, and the section with the keys in it.
SETTINGS: Final[Mapping[str, Section]] = {
    "alerts": "alerts",
    "budget": "budget",
    "cache": "cache",
}


@frozen
class ReadFile:
    """What came of one file; ``read`` is false where it was missing or skipped."""

    entries: tuple[ModelEntry, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[ConfigWarning, ...] = ()
    name: str | None = None
    version: str | None = None
    log: LogOptions | None = None
    ledger: bool | None = None
    settings: FileSettings = field(factory=FileSettings)
    request_options: RequestOptions | None = None
    kind: SourceKind = "code"
    read: bool = True
    missing: str | None = None


def read_file(context: Context) -> ReadFile:
    """Return what ``context.file`` says. Never raises: a problem is a finding."""
    file = context.file
    try:
        exposed = exposures(file) if file.is_file() else ()
        for each in exposed:
            if each.is_refused:
                return _refused(context, each.message)
        # One byte more than is allowed tells that it is too large.
        if context.kind == "explicit":
            # Whoever names a pipe, as a shell's <(…) is one, waits for it himself.
            with file.open("rb") as stream:
                raw = stream.read(MAX_BYTES + 1)
        else:
            raw = read_regular_file(file, MAX_BYTES + 1)
        document = parse(raw)
    except NotRegular:
        return _unreadable(context, text("config.no_regular_file"))
    except (FileNotFoundError, NotADirectoryError):
        return ReadFile(read=False, missing=text("config.no_file", path=file))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or text("config.name_unusable")
        return _unreadable(context, reason)
    warned = tuple(ConfigWarning(str(file), each.message) for each in exposed)
    reading, slips = ReadFile(), tuple[Problem, ...]()
    # A wide colon behind a word of nobody's is one only where something is wrong.
    for loose in dict.fromkeys((bool(document.problems), True)):
        broken = bool(document.problems)
        mended = mend(document.text, loose=loose, broken=broken)
        slips = mended.problems
        meant = document
        if mended.text != document.text and (slips or document.problems):
            meant = parse(mended.text.encode())
        if context.kind == "project" and (why := _why_skipped(meant)):
            return ReadFile(warnings=(ConfigWarning(str(file), why),), read=False)
        flat = flat_problem(meant)
        if flat:
            reading = ReadFile(problems=(flat.at(file),))
        elif meant.problems:
            # After a slip nobody knows what was meant: that is told alone.
            wrong = () if slips else meant.problems
            told = [with_block(p, meant.text) for p in wrong]
            reading = ReadFile(problems=tuple(p.at(file) for p in told))
        else:
            reading = _FileReader(context, meant.text).read(meant.root)
        if not reading.problems:
            break
    problems = (*(p.at(file) for p in slips), *reading.problems)
    if not problems:
        problems = tuple(p.at(file) for p in document.problems)
    return evolve(reading, problems=problems, warnings=(*warned, *reading.warnings))


def _unreadable(context: Context, reason: str) -> ReadFile:
    problem = text("config.unreadable", path=context.file, reason=reason)
    if context.kind == "explicit":
        return ReadFile(read=False, missing=problem)
    # A folder that somebody else wrote must not stop the user's work.
    if context.kind == "project":
        skipped = text("config.skipped", reason=reason)
        warning = ConfigWarning(str(context.file), skipped)
        return ReadFile(read=False, warnings=(warning,))
    return ReadFile(read=False, problems=(problem,))


def _refused(context: Context, why: str) -> ReadFile:
    """Return what comes of a file that others can change: it is there, and no use."""
    if context.kind != "project":
        said = text("config.unreadable", path=context.file, reason=why)
        return ReadFile(read=False, problems=(said,))
    warning = ConfigWarning(str(context.file), text("config.skipped", reason=why))
    return ReadFile(read=False, warnings=(warning,))


def _why_skipped(document: Document) -> str | None:
    """Return why a project's file is not ours: plenty of programs have a config.yaml.

    Says what a file of ours would need, where this one may be meant as one.
    """
    root, written = document.root, document.text
    models = root.get("models") if isinstance(root, MapNode) else None
    if isinstance(root, MapNode) and isinstance(models, ListNode):
        # One provider is enough: the other entries may be what is wrong.
        if root.get("provider") is not None or any(map(_is_entry, models.items)):
            return None
    elif (
        root is None
        and re.search(r"(?m)^models[ \t]*:", written)
        and re.search(r"(?m)^[ \t-]*provider[ \t]*:", written)
    ):
        return None
    if not written and document.problems:
        return text("config.skipped", reason=document.problems[0].message)
    hint = ""
    if isinstance(root, ListNode) and any(map(_is_entry, root.items)):
        hint = text("config.models_above")
    elif isinstance(root, MapNode):
        dash = _is_entry(models)
        hint = text("config.begin_with_dash") if dash else _misspelled(root)
    return text("config.not_ours", hint=hint)


def _is_entry(node: Node | None) -> bool:
    return isinstance(node, MapNode) and node.get("provider") is not None


def _misspelled(top: MapNode) -> str:
    """Return a hint at the key that may be meant for ``models``."""
    keys = [p.key.text for p in top.pairs]
    near = [key for key in keys if nearest_word(key, ("models",))]
    found = near and "models" not in keys
    return text("config.models_instead", key=shown_key(near[0])) if found else ""


class _FileReader:
    def __init__(self, context: Context, written: str) -> None:
        self._context = context
        self._written = written
        self._notices: list[Problem] = []
        self._problems: list[Problem] = []
        # The file's own requestOptions, read once with the project's .env and without.
        self._options: dict[bool, ReadOptions] = {}

    def read(self, root: Node | None) -> ReadFile:
        file = self._context.file
        if root is not None and not isinstance(root, MapNode):
            listed = isinstance(root, ListNode) and any(map(_is_entry, root.items))
            message = text(
                "config.expected",
                expected=text("config.top"),
                found=describe(root),
                hint=text("config.models_above") if listed else "",
            )
            problem = Problem(root.line, root.column, message)
            if listed:
                problem = with_block(problem, self._written)
            return ReadFile(problems=(problem.at(file),))
        top = root or MapNode((), 1, 1)
        titles: dict[str, str] = {}
        log: LogOptions | None = None
        ledger: bool | None = None
        settings: dict[str, object] = {}
        for pair in top.pairs:
            name, value = pair.key.text, pair.value
            if name in {"name", "version"} and not isinstance(value, ScalarNode):
                self._expected(text("config.text"), describe(value), value, name)
            elif name in {"name", "version"} and not is_null(value):
                titles[name] = value.text if isinstance(value, ScalarNode) else ""
            elif name == "log" and not is_null(value):
                found_log = read_log(pair, self._context)
                self._problems += found_log.problems
                self._notices += found_log.notices
                log = found_log.options
            elif name == "ledger" and not is_null(value):
                ledger = self._ledger(pair)
            elif name in SETTINGS and not is_null(value):
                found = read_setting(pair, SETTINGS[name], self._context)
                self._problems += found.problems
                self._notices += found.notices
                if found.value is not None:
                    settings[name] = found.value
        rest = tuple(p for p in top.pairs if p.key.text != "models")
        self._notices += unknown_keys(
            evolve(top, pairs=rest), "file", path="", searches=self._context.searches
        )
        entries = [found.entry for found in self._entries(top) if found.entry]
        self._check_names(entries)
        shared = self._users_options(top.get("requestOptions"))
        order = attrgetter("line", "column")
        # In the order of the file, whatever was looked at first.
        problems = (p.at(file) for p in sorted(self._problems, key=order))
        warnings = []
        for each in sorted(self._notices, key=order):
            said = each.message
            if each.path:
                said = text("config.at", place=each.path, said=said)
            place = self._context.place(each.line, each.column)
            warnings.append(ConfigWarning(place, one_line(said)))
        return ReadFile(
            entries=tuple(entries),
            # The top requestOptions are read twice where some entries are trusted.
            problems=tuple(dict.fromkeys(problems)),
            warnings=tuple(dict.fromkeys(warnings)),
            log=log,
            ledger=ledger,
            settings=FileSettings(**settings),  # type: ignore[arg-type]  # by their sections
            request_options=shared,
            kind=self._context.kind,
            name=titles.get("name"),
            version=titles.get("version"),
        )

    def _ledger(self, pair: Pair) -> bool | None:
        """Return whether calls are counted, as a file says that may say so."""
        key, node, name = pair.key, pair.value, "ledger"
        if self._context.kind == "project":
            ignored = text("config.project_setting")
            self._notices.append(Problem(key.line, key.column, ignored, name))
            return None
        try:
            return Switch()(node)
        except Mismatch as wrong:
            self._expected(wrong.expected, wrong.found, node, name)
        return None

    def _expected(
        self, wanted: str, found: str, node: Node, path: str, hint: str = ""
    ) -> None:
        message = text("config.expected", expected=wanted, found=found, hint=hint)
        self._problems.append(Problem(node.line, node.column, message, path))

    def _entries(self, top: MapNode) -> Iterator[ReadEntry]:
        models = top.get("models")
        if models is None or is_null(models):
            node = models or top
            if self._context.kind == "explicit":
                hint = _misspelled(top)
                wanted, found = text("config.entries"), text("config.nothing")
                self._expected(wanted, found, node, "models", hint)
            else:
                # A file found by search may hold settings only.
                notice = Problem(node.line, node.column, text("config.no_models"))
                self._notices.append(notice)
            return
        if not isinstance(models, ListNode):
            hint = text("config.begin_with_dash") if _is_entry(models) else ""
            wanted = text("config.entries")
            self._expected(wanted, _shape(models), models, "models", hint)
            if hint:
                self._problems[-1] = with_block(self._problems[-1], self._written)
            return
        for index, item in enumerate(models.items):
            path = f"models[{index}]"
            if not isinstance(item, MapNode):
                wanted = text("config.entry")
                hint = text("config.blank_after_colon") if lacks_blank(item) else ""
                self._expected(wanted, _shape(item), item, path, hint)
                continue
            entry = read_entry(item, index=index, context=self._context)
            self._problems += entry.problems
            self._notices += entry.notices
            self._notices += curly_quotes(item, path=path)
            yield self._with_top(entry, top.get("requestOptions"))

    def _with_top(self, found: ReadEntry, node: Node | None) -> ReadEntry:
        """Lay the file's ``requestOptions`` under the entry's."""
        if node is None or is_null(node):
            return found
        if not found.trusted:
            ignored = text("config.untrusted", command=COMMAND)
            notice = Problem(node.line, node.column, ignored, "requestOptions")
            self._notices.append(notice)
            return found
        shared = self._options.get(found.project_env)
        if shared is None:
            shared = read_options(
                node, context=self._context, project_env=found.project_env
            )
            self._options[found.project_env] = shared
            self._problems += shared.problems
            self._notices += shared.notices
        entry = found.entry
        if entry is None or shared.options is None:
            return found
        options = merge_top_options(entry.request_options, shared.options)
        unset = (*entry.unset, *shared.unset)
        # Of the keys that it took from there; those of an entry may say the same.
        written = {**shared.written, **entry.written}
        for key in shared.written.keys() - entry.written.keys():
            known = find_key("requestOptions", key.split(".")[1].partition("[")[0])
            own = known and getattr(entry.request_options, known.field, None)
            if own:
                del written[key]
        entry = evolve(entry, request_options=options, unset=unset, written=written)
        return evolve(found, entry=entry)

    def _users_options(self, node: Node | None) -> RequestOptions | None:
        """Return the ``requestOptions`` of a file that the user chose.

        Whatever has no entry of its own travels by them, too.
        """
        if self._context.kind == "project" or node is None or is_null(node):
            return None
        shared = self._options.get(False)
        if shared is None:
            shared = read_options(node, context=self._context, project_env=False)
            self._problems += shared.problems
            self._notices += shared.notices
        return None if shared.unset else shared.options

    def _check_names(self, entries: list[ModelEntry]) -> None:
        # Two files may share a name, and the stronger wins; one file may not.
        first: dict[str, ModelEntry] = {}
        for entry in entries:
            before = first.setdefault(entry.name, entry)
            if before is not entry:
                line, column = entry.source.line or 1, entry.source.column or 1
                place = f"{before.source.line}:{before.source.column}"
                message = text("config.same_name", name=repr(entry.name), place=place)
                self._problems.append(Problem(line, column, message, "models"))


def _shape(node: Node) -> str:
    """Return what stands there, without the text of a single value: it may be a key."""
    if not isinstance(node, ScalarNode):
        return describe(node)
    return text("config.nothing" if is_null(node) else "config.single_value")
