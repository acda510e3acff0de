"""Check values: one class a kind, which says in words what it expects.

No message repeats what may be a key: what stands where something else is expected is
often one, put into the wrong place.
"""

# ruff: noqa: D102 - a kind says all in the docstring of its class
from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar

from attrs import field, frozen

from bytebuddy_provider_hf.address import origin_of
from bytebuddy_provider_hf.config.document import (
    ListNode,
    MapNode,
    Node,
    Pair,
    ScalarNode,
    flag,
    integer,
    is_null,
    number,
    plain_value,
    shown_key,
)
from bytebuddy_provider_hf.errors import InvalidEndpoint
from bytebuddy_provider_hf.secret import Secret, one_line

_SHOWN: Final = 60
# What a key may look like that was put into the place of something else.
_KEY_LIKE: Final = re.compile(r"(?=[\w-]*[0-9])(?=[\w-]*[A-Za-z])[\w-]{12,}", re.ASCII)
_HOST: Final = re.compile(
    r"(?:https?:/{0,2})?(?:[a-z0-9-]+\.)+[a-z]{2,}(?::[0-9]+)?(?:/[a-z0-9.]{0,10}){0,4}"
)
# RFC 9110, sections 5.1 and 5.5; a line break would begin another header.
_HEADER_VALUE: Final = re.compile(r"[\t -~\xa0-\xff]*")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")


class Mismatch(ValueError):  # a finding, not an error of its own
    """A value is not of its kind; ``steps`` lead to it from the value checked."""

    def __init__(
        self, expected: str, found: str, *, steps: tuple[str | int, ...] = ()
    ) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found
        self.steps = steps


class ValueKind(Protocol):
    """Say what is expected, and return a checked value or raise ``Mismatch``."""

    @property
    def expected(self) -> str: ...
    def __call__(self, node: Node, /) -> object: ...


_Part = TypeVar("_Part")
_Value = TypeVar("_Value")


def describe(node: Node) -> str:
    """Return what stands at ``node``, short, and never a variable's value or a key."""
    if not isinstance(node, ScalarNode):
        return shape(node)
    # It may be a secret, whatever the key it was put at.
    if node.variables:
        return f"the value of {', '.join(dict.fromkeys(node.variables))}"
    if is_null(node):
        return "nothing"
    # Only what would be shown: the pattern is quadratic.
    if _KEY_LIKE.search(node.text[:_SHOWN]) and not _HOST.fullmatch(node.text):
        return shape(node)
    text = one_line(node.text, limit=_SHOWN)
    return text if node.plain else f'the text "{text}"'


def shape(node: Node) -> str:
    """Return what ``node`` is, without anything of what it holds."""
    if isinstance(node, MapNode):
        return "a mapping"
    if isinstance(node, ListNode):
        return "a list"
    return "nothing" if is_null(node) else "a value that is not shown"


def _bound(value: float) -> str:
    return f"{value:g}" if abs(value) < 10**6 else str(value)


@frozen
class Number:
    """A finite number; ``above`` excludes its bound, ``low`` and ``high`` do not."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    noun: str = "a number"

    @property
    def expected(self) -> str:
        if self.above is not None:
            return f"{self.noun} above {_bound(self.above)}"
        if self.low is not None and self.high is not None:
            return f"{self.noun} from {_bound(self.low)} to {_bound(self.high)}"
        if self.low is not None:
            return f"{self.noun}, {_bound(self.low)} or more"
        return self.noun

    def fits(self, value: float) -> bool:
        return (
            # JSON knows neither NaN nor an infinity (RFC 8259, section 6).
            math.isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
        )

    def __call__(self, node: Node) -> float:
        value = number(node) if isinstance(node, ScalarNode) else None
        if value is None or not self.fits(value):
            raise Mismatch(self.expected, describe(node))
        return float(value)


@frozen
class Integer(Number):
    """A whole number."""

    noun: str = "a whole number"

    def __call__(self, node: Node) -> int:
        value = integer(node) if isinstance(node, ScalarNode) else None
        if value is None or not self.fits(value):
            raise Mismatch(self.expected, describe(node))
        return value


@frozen
class Flag:
    """True or false."""

    expected: str = "true or false"

    def __call__(self, node: Node) -> bool:
        value = flag(node) if isinstance(node, ScalarNode) else None
        if value is None:
            raise Mismatch(self.expected, describe(node))
        return value


@frozen
class AnyText:
    """Text; an unquoted number is the text it is written as.

    ``longest`` is how many characters it may have; ``None`` for any number.
    """

    expected: str = "text"
    longest: int | None = None

    def __call__(self, node: Node) -> str:
        if not isinstance(node, ScalarNode) or is_null(node):
            raise Mismatch(self.expected, describe(node))
        if self.longest is not None and len(node.text) > self.longest:
            raise Mismatch(self.expected, f"{len(node.text):,} characters")
        # Not as a number: the version 1.10 is not 1.1.
        return node.text


@frozen
class Word:
    """Text that is not empty, on one line, without control characters."""

    expected: str = "text that is not empty"

    def __call__(self, node: Node) -> str:
        text = AnyText(self.expected)(node).strip()
        # A line break in it could forge a line of a log.
        if not text or not text.isprintable():
            raise Mismatch(self.expected, describe(node))
        return text


@frozen
class FilePath:
    """The path of a file; ``~`` alone stands for a home folder, that of the user."""

    expected: str = "the path of a file"

    def __call__(self, node: Node) -> str:
        text = Word(self.expected)(node)
        # "~name" is another user's home, which only a shell looks up.
        if text.endswith(("/", "/.", "/..")) or (text[0] == "~" and text[1:2] != "/"):
            raise Mismatch(self.expected, describe(node))
        return text


@frozen
class Url:
    """An http or https address."""

    expected: str = "an http or https URL without user name or password"

    def __call__(self, node: Node) -> str:
        text = AnyText(self.expected)(node).strip()
        try:
            origin_of(text)
        except InvalidEndpoint:
            # A query may hold a key, and so may what stands before an @.
            hidden = "@" in text or "?" in text
            found = shape(node) if hidden else describe(node)
        else:
            return text
        raise Mismatch(self.expected, found)


@frozen
class Hidden:
    """Text that no message shows; ``secret`` keeps it wrapped."""

    expected: str = "text on one line"

    def __call__(self, node: Node) -> str:
        if isinstance(node, ScalarNode) and not is_null(node):
            text = node.text.strip()
            if text.isprintable():
                return text
        raise Mismatch(self.expected, shape(node))


@frozen
class Sealed:
    """Text that becomes a ``Secret``; the line break at its end is no part of it.

    ``blanks`` tells whether blanks around it belong to it.
    """

    expected: str = "text"
    blanks: bool = False

    def __call__(self, node: Node) -> Secret:
        if not isinstance(node, ScalarNode) or is_null(node):
            raise Mismatch(self.expected, shape(node))
        # A key that was copied with its line break cannot be sent as a header.
        return Secret(node.text.rstrip("\r\n") if self.blanks else node.text.strip())


@frozen
class OneOf:
    """One of a few words; ``spellings`` maps other ways to write them."""

    words: tuple[str, ...]
    spellings: dict[str, str] = field(factory=dict, eq=False)

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.words)}"

    def __call__(self, node: Node) -> str:
        text = AnyText(self.expected)(node).strip()
        # Only what is listed: a guess would send something the user did not mean.
        word = self.spellings.get(text, text)
        if word not in self.words:
            found = describe(node)
            near = nearest_word(text, self.words)
            # The likeness to a word would tell of a variable's value.
            told = near and not (isinstance(node, ScalarNode) and node.variables)
            meant = f" (do you mean {near}?)" if told else ""
            raise Mismatch(self.expected, f"{found}{meant}")
        return word


@frozen
class ListOf:
    """A list; ``lone`` takes a single value for a list of one."""

    item: ValueKind
    noun: str
    lone: bool = False

    @property
    def expected(self) -> str:
        one = f"{self.item.expected}, or " if self.lone else ""
        return f"{one}{self.noun}"

    def __call__(self, node: Node) -> tuple[object, ...]:
        if self.lone and isinstance(node, ScalarNode) and not is_null(node):
            return (self.item(node),)
        if not isinstance(node, ListNode):
            raise Mismatch(self.expected, describe(node))
        return tuple(_each(self.item, enumerate(node.items)))


def _each(
    kind: Callable[[_Part], _Value], nodes: Iterable[tuple[str | int, _Part]]
) -> list[_Value]:
    """Check every node before complaining, so that every error is told at once."""
    values: list[_Value] = []
    wrong: list[Mismatch] = []
    for step, node in nodes:
        try:
            values.append(kind(node))
        except Mismatch as error:
            error.steps = (step, *error.steps)
            wrong.append(error)
    if wrong:
        message = "several values"
        raise ExceptionGroup(message, wrong)
    return values


@frozen
class Headers:
    """HTTP headers: names and one-line Latin-1 values, kept as secrets."""

    expected: str = "a mapping of header names to text"

    def __call__(self, node: Node) -> dict[str, Secret]:
        if not isinstance(node, MapNode):
            raise Mismatch(self.expected, shape(node))

        def header(pair: Pair) -> tuple[str, Secret]:
            name, value = pair.key.text, pair.value
            expected = "one line of Latin-1 text without control characters"
            if not _HEADER_NAME.fullmatch(name):
                # Not shown: without the blank after its colon it is key and value.
                wanted = "a header name of letters, digits and hyphens"
                raise Mismatch(wanted, "something else")
            if not isinstance(value, ScalarNode) or is_null(value):
                raise Mismatch(expected, shape(value))
            if not _HEADER_VALUE.fullmatch(value.text):
                raise Mismatch(expected, "characters that no header may hold")
            return name, Secret(value.text.strip(" \t"))

        return dict(_each(header, ((p.key.text, p) for p in node.pairs)))


@frozen
class Anything:
    """A mapping whose values are passed on as they are."""

    expected: str = "a mapping"

    def __call__(self, node: Node) -> dict[str, object]:
        value = plain_value(node)
        if not isinstance(value, dict):
            raise Mismatch(self.expected, shape(node))
        return value


@frozen
class Settings:
    """Settings by name, each a text, a number or a bool."""

    expected: str = "a mapping of names to text, numbers or true and false"

    def __call__(self, node: Node) -> dict[str, object]:
        if not isinstance(node, MapNode):
            raise Mismatch(self.expected, shape(node))

        def setting(pair: Pair) -> tuple[str, object]:
            if not isinstance(pair.value, ScalarNode) or is_null(pair.value):
                raise Mismatch("text, a number, true or false", shape(pair.value))
            return pair.key.text, plain_value(pair.value)

        return dict(_each(setting, ((p.key.text, p) for p in node.pairs)))


def nearest_word(name: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``name`` most likely stands for."""
    # Case, hyphens and blanks are what people most often get wrong.
    by_plain = {_plain(word): word for word in known}
    same = by_plain.get(_plain(shown_key(name)))
    if same:
        return same
    close = difflib.get_close_matches(_plain(name[:60]), by_plain, n=1, cutoff=0.75)
    return by_plain[close[0]] if close else None


def _plain(word: str) -> str:
    return re.sub(r"[-_ ]", "", word).lower()
