"""Parse the text of a YAML file into a plain tree whose every node knows its place.

Built from the parser's events, not by a constructor: no tag is ever resolved, no
anchor followed, and the tree cannot be deeper than the limit allows. What an unquoted
value means (a number, a bool, nothing, text) is asked of its node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.config.stored_files import CONFIG
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text

if TYPE_CHECKING:
    from ruamel.yaml.events import Event

# A configuration is written by hand: what is larger is something else.
MAX_BYTES: Final = CONFIG.most
MAX_DEPTH: Final = 20
MAX_NODES: Final = 10_000

# The characters YAML 1.2 allows (section 5.1) are all but these.
_FORBIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)
_RANDOM: Final = re.compile(
    r"(?<=[A-Za-z0-9]{4})(?=[A-Za-z]*[0-9])[A-Za-z0-9]{12,}"
    # Some gateways give UUIDs.
    r"|(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
# The scanner looks up to 1,024 characters ahead and slows down with every bracket
# that is open, so that depth is judged before it sees the text.
_DEEP: Final = re.compile(r"(?:[\[{][^\[\]{}\n]{0,40}){60}")

# YAML 1.2.2, section 10.3.2; longer digits would cost more than they say.
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,5})?"
)
_SPECIAL: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
# YAML 1.1 took yes, no, on and off for bools as well; 1.2 does not.
_BOOLS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@frozen
class ScalarNode:
    """A single value as written, or after its variables were replaced.

    ``plain`` tells an unquoted value, which may be a number, a bool or nothing.
    ``variables`` are those that went into ``text``, in order, and ``written`` is what
    stands in the file, where one did.
    """

    text: str = field(repr=False)
    line: int
    column: int
    plain: bool = True
    variables: tuple[str, ...] = ()
    written: str = ""


@frozen
class ListNode:
    """A sequence."""

    items: tuple[Node, ...]
    line: int
    column: int


@frozen
class Pair:
    """A key with its value."""

    key: ScalarNode
    value: Node


@frozen
class MapNode:
    """A mapping; a key that is written twice stands in ``pairs`` twice."""

    pairs: tuple[Pair, ...]
    line: int
    column: int

    def get(self, name: str) -> Node | None:
        """Return the value of the first key ``name``."""
        # A second one is a problem of its own: see duplicates.
        return next((p.value for p in self.pairs if p.key.text == name), None)


Node: TypeAlias = ScalarNode | ListNode | MapNode


@frozen
class Problem:
    """Something wrong at a place; ``path`` is empty where the YAML itself is wrong.

    ``block`` is what should stand there instead, several lines ready to paste.
    """

    line: int
    column: int
    message: str
    path: str = ""
    block: str = ""

    def at(self, file: Path) -> str:
        """Return the problem as ``file:line:column: path: message``."""
        path = f": {self.path}" if self.path else ""
        place = f"{file}:{self.line}:{self.column}{path}"
        said = one_line(text("config.at", place=place, said=self.message))
        if not self.block:
            return said
        return text("config.with_block", said=said, block=self.block)


@frozen
class Document:
    """A file's text and its tree; ``root`` is ``None`` for an empty file."""

    text: str = field(repr=False)
    root: Node | None = None
    problems: tuple[Problem, ...] = ()


def parse(raw: bytes) -> Document:
    """Return the tree of ``raw``, or the first thing that makes it no YAML.

    Never raises: what is wrong is in ``problems``, which quote nothing of the text.
    """
    written = decode(raw)
    if isinstance(written, Problem):
        return Document(text="", problems=(written,))
    deep = _DEEP.search(written)
    if deep:
        message = text("config.too_deep", levels=MAX_DEPTH)
        problem = Problem(*_position(written[: deep.start()]), message)
        return Document(written, problems=(problem,))
    from ruamel.yaml import YAML  # heavy, and needed only here
    from ruamel.yaml.error import MarkedYAMLError

    builder = _Builder()
    try:
        events = YAML(typ="safe", pure=True).parse(written)
        found = next(filter(None, map(builder.take, events)), None)
    except MarkedYAMLError as error:
        said = _explain(error)
        # A key without a colon is noticed at the next one only.
        early = said == text("config.no_colon") and error.context_mark
        mark = early or error.problem_mark or error.context_mark
        quoted = builder.quoted
        if quoted and mark and said == text("config.indented"):
            opening, closing = quoted.start_mark, quoted.end_mark
            # What follows on the line of a closing quote is indented by nobody.
            if opening.line < closing.line == mark.line:
                said, mark = text("config.env_open_quote"), opening
            elif closing.line == mark.line:
                said = text("config.env_after_quote")
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        found = Problem(line, column, said)
    except Exception:  # noqa: BLE001  # hostile escapes end in ValueError, IndexError
        found = Problem(1, 1, text("config.no_yaml"))
    if found is not None:
        return Document(written, problems=(found,))
    return Document(written, builder.root, tuple(duplicates(builder.root)))


def decode(raw: bytes) -> str | Problem:
    """Return ``raw`` as text without its byte order mark, or why it is none."""
    if len(raw) > MAX_BYTES:
        return Problem(1, 1, text("config.too_large", size=MAX_BYTES // 1024))
    # Editors on Windows save so; half of such a text is NUL bytes.
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or raw[:64].count(0) > len(raw[:64]) / 4:
        return Problem(1, 1, text("config.utf_16"))
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _position(raw[: error.start].decode("utf-8-sig", "replace"))
        byte = f"0x{raw[error.start]:02X}"
        return Problem(*place, text("config.not_utf_8", byte=byte))
    bad = _FORBIDDEN.search(content)
    if bad:
        character = f"U+{ord(bad.group()):04X}"
        message = text("config.control", character=character)
        return Problem(*_position(content[: bad.start()]), message)
    return content


def _position(before: str) -> tuple[int, int]:
    before = before.replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _explain(error: object) -> str:
    said = getattr(error, "problem", None)
    if not said:
        return text("config.no_yaml")
    said = "".join(map(str, said)) if isinstance(said, tuple) else str(said)
    # The parser's words for what most often goes wrong, and those of its users.
    if said.startswith("expected <block end>"):
        return text("config.indented")
    if said.startswith("mapping values are not allowed"):
        return text("config.second_colon")
    if said.startswith("could not find expected ':'"):
        return text("config.no_colon")
    if r"'\t'" in said or "\t" in said:
        return text("config.tab")

    def hide_names(quoted: re.Match[str]) -> str:
        # A name that the parser quotes may be a key that nobody put in quotes.
        inside = quoted.group(1) or quoted.group(2) or ""
        is_token = len(inside) < 3 or inside.startswith("<")  # noqa: PLR2004  # like ?, <block end>
        return quoted.group() if is_token else "that name"

    words = _QUOTED.sub(hide_names, said)
    said = text("config.yaml_says", said=words)
    if "end of stream" in words or "<stream end>" in words:
        said = text("config.cut_off", said=said)
    context = getattr(error, "context", None)
    return text("config.yaml_says_of", said=said, context=context) if context else said


class _Builder:
    """Make a tree of parser events, one at a time, on a stack of open collections."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._documents = 0
        self._nodes = 0
        self._open: list[tuple[Event, list[Node]]] = []
        # The last text in quotes.
        self.quoted: Event | None = None

    def take(self, event: Event) -> Problem | None:
        kind = type(event).__name__
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        starts = kind in {"MappingStartEvent", "SequenceStartEvent"}
        wrong = ""
        if kind == "DocumentStartEvent":
            self._documents += 1
            wrong = text("config.second_document") if self._documents > 1 else ""
        # An alias can make a small file huge, and a tag can name a class to call.
        elif kind == "AliasEvent" or getattr(event, "anchor", None) is not None:
            wrong = text("config.anchors")
        elif getattr(event, "tag", None) is not None:
            wrong = text("config.tags")
        elif starts and len(self._open) >= MAX_DEPTH:
            wrong = text("config.too_deep", levels=MAX_DEPTH)
        if wrong:
            return Problem(line, column, wrong)
        if kind == "ScalarEvent":
            plain = not getattr(event, "style", None)
            if getattr(event, "style", None) in {"'", '"'}:
                self.quoted = event
            value = str(getattr(event, "value", ""))
            return self._add(ScalarNode(value, line, column, plain))
        if starts:
            self._open.append((event, []))
        if kind not in {"SequenceEndEvent", "MappingEndEvent"}:
            return None
        start, nodes = self._open.pop()
        line, column = start.start_mark.line + 1, start.start_mark.column + 1
        if kind == "SequenceEndEvent":
            return self._add(ListNode(tuple(nodes), line, column))
        keys = [node for node in nodes[::2] if isinstance(node, ScalarNode)]
        pairs = zip(keys, nodes[1::2], strict=True)
        found = tuple(Pair(key, value) for key, value in pairs)
        return self._add(MapNode(found, line, column))

    def _add(self, node: Node) -> Problem | None:
        self._nodes += 1
        # Each costs memory, however small the file: "[,,,,]".
        if self._nodes > MAX_NODES:
            message = text("config.too_many", count=MAX_NODES)
            return Problem(node.line, node.column, message)
        if not self._open:
            self.root = None if is_null(node) else node
            return None
        start, nodes = self._open[-1]
        is_key = type(start).__name__ == "MappingStartEvent" and len(nodes) % 2 == 0
        if is_key and (not isinstance(node, ScalarNode) or not node.text):
            return Problem(node.line, node.column, text("config.key_no_word"))
        nodes.append(node)
        return None


def is_null(node: Node) -> bool:
    """Tell whether ``node`` is written as nothing (YAML 1.2, section 10.3.2)."""
    return (
        isinstance(node, ScalarNode)
        and node.plain
        and not node.variables
        and node.text in {"", "~", "null", "Null", "NULL"}
    )


def duplicates(node: Node | None) -> Iterator[Problem]:
    """Yield a problem for every key that its mapping already had."""
    if isinstance(node, ListNode):
        for item in node.items:
            yield from duplicates(item)
    elif isinstance(node, MapNode):
        first: dict[str, ScalarNode] = {}
        for pair in node.pairs:
            key = pair.key
            before = first.setdefault(key.text, key)
            if before is not key:
                place = f"{before.line}:{before.column}"
                message = text("config.same_key", key=shown_key(key.text), place=place)
                yield Problem(key.line, key.column, message)
            yield from duplicates(pair.value)


def shown_key(name: str) -> str:
    """Return a key as it may be printed.

    Without the blank after its colon, ``apiKey:token`` is all key: only the part
    before the colon is shown.
    """
    # A longer word is no key of ours, and may be a secret; so may one in which letters
    # and digits stand in a long row, which a token is even without its "hf_".
    head = re.split(r"[:=\s]", name, maxsplit=1)[0]
    cut = _RANDOM.split(head[:40], maxsplit=1)[0]
    return cut if cut == name else f"{cut}…"


def integer(node: ScalarNode) -> int | None:
    """Return the whole number that ``node`` is, or ``None``."""
    typed = _typed(node)
    if typed is None or not _INTEGER.fullmatch(typed):
        return None
    return int(typed, 0) if typed.startswith(("0o", "0x")) else int(typed)


def number(node: ScalarNode) -> float | None:
    """Return the number that ``node`` is (``.inf`` and ``.nan`` too), or ``None``."""
    whole = integer(node)
    if whole is not None:
        return whole
    typed = _typed(node)
    if typed is None:
        return None
    if _SPECIAL.fullmatch(typed):
        return float(typed.replace(".", "", 1).lower())
    return float(typed) if _FLOAT.fullmatch(typed) else None


def flag(node: ScalarNode) -> bool | None:
    """Return the bool that ``node`` is, or ``None``; ``yes`` and ``on`` are text."""
    typed = _typed(node)
    return None if typed is None else _BOOLS.get(typed)


def _typed(node: ScalarNode) -> str | None:
    """Return the text that may be a number: plain, or made of a variable."""
    # An environment has no types: a number in a variable is a number.
    if node.variables:
        return node.text.strip()
    return node.text if node.plain else None


def plain_value(node: Node) -> object:
    """Return ``node`` as plain Python; what came from a variable stays text."""
    if isinstance(node, MapNode):
        return {pair.key.text: plain_value(pair.value) for pair in node.pairs}
    if isinstance(node, ListNode):
        return [plain_value(item) for item in node.items]
    # Here nobody says what is wanted, and a key of digits must stay a text.
    if node.variables:
        return node.text
    if is_null(node):
        return None
    found = flag(node)
    if found is not None:
        return found
    value = number(node)
    return node.text if value is None else value
