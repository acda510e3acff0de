"""Recognise a block whose indentation is wrong, and print it as it should be.

A page or a chat loses indentation. Pasted flat, a list of models is valid YAML that
says something else, or breaks at its second entry.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.config.document import (
    Document,
    ListNode,
    MapNode,
    Node,
    Problem,
    ScalarNode,
    parse,
    shown_key,
)
from bytebuddy_provider_hf.config.kinds import Anything, Headers, Settings
from bytebuddy_provider_hf.config.schema import (
    KEYS,
    SECRET_KEYS,
    SECTIONS,
    Nested,
    Section,
)
from bytebuddy_provider_hf.config.write import STARTER
from bytebuddy_provider_hf.secret import MASK, without_random_words
from bytebuddy_provider_hf.texts import text

_FILE: Final = SECTIONS["file"]
_ENTRY: Final = SECTIONS["models[]"]
_STRAY: Final = frozenset(_ENTRY) - frozenset(_FILE)
_REQUIRED: Final = frozenset(name for name, key in _ENTRY.items() if key.required)
_LARGEST_SHOWN: Final = 8_192
_SHOWN: Final = frozenset(key.name for key in KEYS) - SECRET_KEYS
_MODELS: Final = re.compile(r"(?m)^[ \t]*models[ \t]*:")
_LINE: Final = re.compile(
    r"(?P<dash>-[ \t]+)?(?P<key>[A-Za-z_][\w.-]*)[ \t]*:(?P<value>[ \t].*)?"
)
_REFERENCE: Final = re.compile(
    r"(['\"]?)(?:\$\{[A-Za-z_]\w*(?::-)?\}|\$\{\{\s*secrets\.\w+\s*\}\})\1"
)
# What no secret is, whatever it is the value of.
_HARMLESS: Final = re.compile(r"(?i)true|false|null|~|\[\]|\{\}|[-+]?[0-9.]{1,7}")
_KNOWN: Final = frozenset(name for keys in SECTIONS.values() for name in keys)
# In a comment, or behind a value: what is named there is not what it seems to be.
_NAMED: Final = re.compile(
    r"(?P<name>[A-Za-z_][\w.-]*)(?P<sign>[ \t]*[:=][ \t]*)(?P<value>\S.*)"
)
_COMMENT: Final = re.compile(r"(?:^|(?<![ \t])[ \t]+)#")
# A gateway may call its key as it likes there; the version of its API is none.
_QUERY: Final = re.compile(
    r"(?i)(?P<name>[?&](?!api-version=)[^=&\s\"']{1,80}=)[^&\s\"']+"
)
# A password may have a slash in it.
_USERINFO: Final = re.compile(r"(?<=://)[^\s\"']+@")
_KEY: Final = r"[A-Za-z_][\w.-]*"
_NO_BLANK: Final = re.compile(rf"{_KEY}:\S.*", re.DOTALL)
_CURLY: Final = re.compile("[“”„‘’「『].*[“”‘’」』]", re.DOTALL)
_FENCES: Final = frozenset({"yaml", "```yaml", "```yml", "```", "---"})
# The first file that "config init" writes, without its comments.
_EXAMPLE: Final = "".join(
    line
    for line in STARTER.splitlines(keepends=True)
    if line.strip() and not line.lstrip().startswith("#")
)


def flat_problem(document: Document) -> Problem | None:
    """Return the problem of a block pasted flat, or ``None`` for any other text."""
    stray = next(_stray_keys(document), None)
    if stray is None:
        return None
    line, column, name = stray
    block = reindented(document.text)
    message = text("config.flat_mended" if block else "config.flat_example", key=name)
    return Problem(line, column, message, block=block or _EXAMPLE)


def with_block(problem: Problem, written: str) -> Problem:
    """Return a problem with the text as it should be, where that is no guess."""
    # One that fills the screen helps nobody.
    block = reindented(written) if len(written) <= _LARGEST_SHOWN else None
    if block is None:
        return problem
    said = text("config.should_read", said=problem.message)
    return evolve(problem, message=said, block=block)


def _stray_keys(document: Document) -> Iterator[tuple[int, int, str]]:
    """Yield line, column and name of each key of an entry that stands at top level."""
    if isinstance(document.root, MapNode):
        for pair in document.root.pairs:
            name, scalar = pair.key.text, isinstance(pair.value, ScalarNode)
            # A list at the key "model" is a misspelled "models".
            if name in _STRAY and (name != "model" or scalar):
                yield pair.key.line, pair.key.column, name
        return
    if document.root is not None or not document.problems:
        return
    # Several entries pasted flat are no YAML at all: only the lines can tell.
    dedented = textwrap.dedent(document.text)
    begun = re.search(r"(?m)^models[ \t]*:", dedented) is not None
    lines = zip(dedented.splitlines(), document.text.splitlines(), strict=False)
    for number, (line, written) in enumerate(lines, 1):
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            continue
        if begun and not match["dash"] and match["key"] in _STRAY:
            yield number, written.index(match["key"]) + 1, match["key"]
        # Another program's file may have such a key, but no list of our entries.
        begun = begun or (bool(match["dash"]) and match["key"] in _ENTRY)


def reindented(flat: str) -> str | None:
    """Return a flat block with its indentation, or ``None`` where that is a guess.

    Keys are masked unless they are references to variables, and so is what stands at a
    name that nobody knows: it may be a misspelled one.
    """
    writer = _Indenter(headed=_MODELS.search(flat) is not None)
    for raw in flat.splitlines():
        line = raw.strip()
        if line and line not in _FENCES and not writer.take(line):
            return None
    block = "".join(f"{line}\n" for line in writer.lines)
    document = parse(block.encode())
    if document.problems or not isinstance(document.root, MapNode):
        return None
    # What would not load either helps nobody.
    models = document.root.get("models")
    whole = isinstance(models, ListNode) and all(
        isinstance(item, MapNode)
        and all(isinstance(item.get(name), ScalarNode) for name in _REQUIRED)
        for item in models.items
    )
    return block if whole else None


class _Indenter:
    """Give each line its depth by what its key may belong to."""

    def __init__(self, *, headed: bool) -> None:
        self.lines: list[str] = []
        # Without a line of its own, the list begins at the first key of an entry.
        self._first_keys = _STRAY if headed else frozenset(_ENTRY)
        self._in_models = False
        self._has_entry = False
        # Whether items of a list belong to a key whose value is not shown.
        self._hides = False
        self._seen: set[str] = set()
        # The mappings that are open below the entry; None takes any key.
        self._open: list[tuple[str, Section | None]] = []

    def take(self, line: str) -> bool:
        """Add a line; return whether it is known where it belongs."""
        if line.startswith("#"):
            self._put(self._depth(), _shown_comment(line))
            return True
        match = _LINE.fullmatch(line)
        if match is None:
            # An item such as "- chat" of the list whose key came last.
            if not line.startswith("- ") or not self._has_entry:
                return False
            self._put(self._depth() + 1, f"- {_shown(line[2:], secret=self._hides)}")
            return True
        key, value = match["key"], (match["value"] or "").strip()
        # A mapping in braces has keys of its own, of which nothing is told here.
        if value.startswith("{") and not _HARMLESS.fullmatch(value):
            return False
        if key == "models" or (not self._in_models and key in self._first_keys):
            self._in_models = True
            self._put(0, "models:")
            if key == "models":
                return True
        again = key == "name" and "name" in self._seen
        if match["dash"] or again or (self._in_models and not self._has_entry):
            return self._new_entry(key, value)
        # A key of the file's own ends the list, unless a mapping of the entry takes it.
        fits = self._in_models and self._fits(key)
        if not self._in_models or (not fits and key not in _ENTRY and key in _FILE):
            self._in_models = False
            self._put_key(0, key, value)
            return True
        secret = any(name in SECRET_KEYS for name, _ in self._open)
        self._put_key(self._depth(), key, value, secret=secret)
        if not self._open:
            self._seen.add(key)
        self._enter(key, value)
        return True

    def _new_entry(self, key: str, value: str) -> bool:
        if key not in _ENTRY:
            return False
        self._in_models = self._has_entry = True
        self._open, self._seen = [], {key}
        self._put_key(1, f"- {key}", value, secret=key in SECRET_KEYS)
        self._enter(key, value)
        return True

    def _fits(self, key: str) -> bool:
        """Close mappings until ``key`` may stand in the innermost one."""
        for depth in range(len(self._open), 0, -1):
            section = self._open[depth - 1][1]
            if section is not None and key in SECTIONS[section]:
                del self._open[depth:]
                return True
        if key in _ENTRY:
            self._open.clear()
            return True
        return bool(self._open) and self._open[-1][1] is None

    def _enter(self, key: str, value: str) -> None:
        section = self._open[-1][1] if self._open else "models[]"
        known = SECTIONS[section].get(key) if section else None
        if value or known is None:
            return
        if isinstance(known.kind, Nested):
            self._open.append((key, known.kind.section))
        elif isinstance(known.kind, (Headers, Anything, Settings)):
            self._open.append((key, None))

    def _depth(self) -> int:
        return 2 + len(self._open) if self._has_entry and self._in_models else 0

    def _put(self, depth: int, line: str) -> None:
        self.lines.append("  " * depth + line)

    def _put_key(
        self, depth: int, key: str, value: str, *, secret: bool = False
    ) -> None:
        # The block is printed, and what it was made of may hold a key in plain.
        name = key.removeprefix("- ")
        self._hides = secret or name in SECRET_KEYS or name not in _KNOWN
        shown = key if name in _KNOWN else without_random_words(key)
        self._put(depth, f"{shown}: {_shown(value, secret=self._hides)}".rstrip())


def _shown(value: str, *, secret: bool) -> str:
    """Return a value as it may be printed; a ``secret`` one only as what is none."""
    bare, comment = value, ""
    if (found := _COMMENT.search(value)) and not _REFERENCE.fullmatch(value):
        bare, comment = value[: found.start()], value[found.start() :]
    if not bare or _REFERENCE.fullmatch(bare) or _HARMLESS.fullmatch(bare):
        return bare + _shown_comment(comment)
    if secret:
        return f'"{MASK}"'
    url = _USERINFO.sub(f"{MASK}@", bare)
    url = _QUERY.sub(lambda match: f"{match['name']}{MASK}", url)
    return without_random_words(url) + _shown_comment(comment)


def _shown_comment(comment: str) -> str:
    """Return a comment as it may be printed: a key that is commented out is one."""

    def masked(match: re.Match[str]) -> str:
        name, value = match["name"], match["value"]
        secret = name in SECRET_KEYS or name not in _KNOWN
        return f"{name}{match['sign']}{_shown(value, secret=secret)}"

    return without_random_words(_NAMED.sub(masked, comment))


def lacks_blank(node: Node) -> bool:
    """Tell whether ``name:"x"`` was meant as a key with its value."""
    return (
        isinstance(node, ScalarNode)
        and node.plain
        and _NO_BLANK.fullmatch(node.text) is not None
    )


def curly_quotes(node: Node, *, path: str) -> Iterator[Problem]:
    """Yield a notice for every value in quotes that YAML takes for text."""
    if isinstance(node, MapNode):
        for pair in node.pairs:
            inner = f"{path}.{shown_key(pair.key.text)}"
            yield from curly_quotes(pair.value, path=inner)
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from curly_quotes(item, path=f"{path}[{index}]")
    elif node.plain and _CURLY.fullmatch(node.text):
        message = text(
            "config.curly_quotes", opening=node.text[0], closing=node.text[-1]
        )
        yield Problem(node.line, node.column, message, path)
