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
from typing import Final, Protocol, TypeAlias, TypeVar

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
from bytebuddy_provider_hf.money import nano_usd
from bytebuddy_provider_hf.secret import Secret, one_line
from bytebuddy_provider_hf.texts import text

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


# Called when a value is wrong: the table below reads no table of texts.
Noun: TypeAlias = Callable[[], str]


@frozen
class Kind:
    """The base of the kinds that one noun describes."""

    noun: Noun

    @property
    def expected(self) -> str:
        return self.noun()


_Part = TypeVar("_Part")
_Value = TypeVar("_Value")


def describe(node: Node) -> str:
    """Return what stands at ``node``, short, and never a variable's value or a key."""
    if not isinstance(node, ScalarNode):
        return shape(node)
    # It may be a secret, whatever the key it was put at.
    if node.variables:
        names = ", ".join(dict.fromkeys(node.variables))
        return text("config.value_of", variables=names)
    if is_null(node):
        return text("config.nothing")
    # Only what would be shown: the pattern is quadratic.
    if _KEY_LIKE.search(node.text[:_SHOWN]) and not _HOST.fullmatch(node.text):
        return shape(node)
    shown = one_line(node.text, limit=_SHOWN)
    return shown if node.plain else text("config.quoted", said=shown)


def shape(node: Node) -> str:
    """Return what ``node`` is, without anything of what it holds."""
    if isinstance(node, MapNode):
        return text("config.a_mapping")
    if isinstance(node, ListNode):
        return text("config.a_list")
    return text("config.nothing" if is_null(node) else "config.not_shown")


def _bound(value: float) -> str:
    return f"{value:g}" if abs(value) < 10**6 else str(value)


@frozen
class Number(Kind):
    """A finite number; ``above`` excludes its bound, ``low`` and ``high`` do not."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    noun: Noun = lambda: text("config.number")

    @property
    def expected(self) -> str:
        noun = self.noun()
        if self.above is not None:
            return text("config.above", noun=noun, low=_bound(self.above))
        if self.low is None:
            return noun
        low = _bound(self.low)
        if self.high is None:
            return text("config.or_more", noun=noun, low=low)
        return text("config.from_to", noun=noun, low=low, high=_bound(self.high))

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

    noun: Noun = lambda: text("config.whole_number")

    def __call__(self, node: Node) -> int:
        value = integer(node) if isinstance(node, ScalarNode) else None
        if value is None or not self.fits(value):
            raise Mismatch(self.expected, describe(node))
        return value


@frozen
class Flag(Kind):
    """True or false."""

    noun: Noun = lambda: text("config.flag")

    def __call__(self, node: Node) -> bool:
        value = flag(node) if isinstance(node, ScalarNode) else None
        if value is None:
            raise Mismatch(self.expected, describe(node))
        return value


@frozen
class Switch(Kind):
    """On or off; a bool will do."""

    noun: Noun = lambda: text("config.switch")

    def __call__(self, node: Node) -> bool:
        word = OneOf(("on", "off"), {"true": "on", "false": "off"})(node)
        return word == "on"


@frozen
class Dollars(Kind):
    """An amount in USD as it is written, which becomes 10⁻⁹ USD: no float between."""

    noun: Noun = lambda: text("config.dollars")

    def __call__(self, node: Node) -> int:
        written = AnyText(self.noun)(node).strip().removeprefix("$")
        amount = nano_usd(written)
        if not amount:
            raise Mismatch(self.expected, describe(node))
        return amount


@frozen
class AnyText(Kind):
    """Text; an unquoted number is the text it is written as.

    ``longest`` is how many characters it may have; ``None`` for any number.
    """

    noun: Noun = lambda: text("config.text")
    longest: int | None = None

    def __call__(self, node: Node) -> str:
        if not isinstance(node, ScalarNode) or is_null(node):
            raise Mismatch(self.expected, describe(node))
        if self.longest is not None and len(node.text) > self.longest:
            count = f"{len(node.text):,}"
            raise Mismatch(self.expected, text("config.characters", count=count))
        # Not as a number: the version 1.10 is not 1.1.
        return node.text


@frozen
class Word(Kind):
    """Text that is not empty, on one line, without control characters."""

    noun: Noun = lambda: text("config.text_not_empty")

    def __call__(self, node: Node) -> str:
        word = AnyText(self.noun)(node).strip()
        # A line break in it could forge a line of a log.
        if not word or not word.isprintable():
            raise Mismatch(self.expected, describe(node))
        return word


@frozen
class FilePath(Kind):
    """The path of a file; ``~`` alone stands for a home folder, that of the user."""

    noun: Noun = lambda: text("config.file_path")

    def __call__(self, node: Node) -> str:
        path = Word(self.noun)(node)
        # "~name" is another user's home, which only a shell looks up.
        if path.endswith(("/", "/.", "/..")) or (path[0] == "~" and path[1:2] != "/"):
            raise Mismatch(self.expected, describe(node))
        return path


@frozen
class Url(Kind):
    """An http or https address."""

    noun: Noun = lambda: text("config.url")

    def __call__(self, node: Node) -> str:
        url = AnyText(self.noun)(node).strip()
        try:
            origin_of(url)
        except InvalidEndpoint:
            # A query may hold a key, and so may what stands before an @.
            hidden = "@" in url or "?" in url  # rule: it decides what may be shown
            found = shape(node) if hidden else describe(node)
        else:
            return url
        raise Mismatch(self.expected, found)


@frozen
class Hidden(Kind):
    """Text that no message shows; ``secret`` keeps it wrapped."""

    noun: Noun = lambda: text("config.text_on_one_line")

    def __call__(self, node: Node) -> str:
        if isinstance(node, ScalarNode) and not is_null(node):
            value = node.text.strip()
            if value.isprintable():
                return value
        raise Mismatch(self.expected, shape(node))


@frozen
class Sealed(Kind):
    """Text that becomes a ``Secret``; the line break at its end is no part of it.

    ``blanks`` tells whether blanks around it belong to it.
    """

    noun: Noun = lambda: text("config.text")
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
        return text("config.one_of", words=", ".join(self.words))

    def __call__(self, node: Node) -> str:
        said = AnyText(lambda: self.expected)(node).strip()
        # Only what is listed: a guess would send something the user did not mean.
        word = self.spellings.get(said, said)
        if word not in self.words:
            found = describe(node)
            near = nearest_word(said, self.words)
            # The likeness to a word would tell of a variable's value.
            told = near and not (isinstance(node, ScalarNode) and node.variables)
            if told:
                found = text("config.do_you_mean", found=found, near=near)
            raise Mismatch(self.expected, found)
        return word


@frozen
class ListOf(Kind):
    """A list; ``lone`` takes a single value for a list of one."""

    item: ValueKind
    noun: Noun
    lone: bool = False

    @property
    def expected(self) -> str:
        noun = self.noun()
        if not self.lone:
            return noun
        return text("config.alone_or_list", one=self.item.expected, list=noun)

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
class Headers(Kind):
    """HTTP headers: names and one-line Latin-1 values, kept as secrets."""

    noun: Noun = lambda: text("config.headers")

    def __call__(self, node: Node) -> dict[str, Secret]:
        if not isinstance(node, MapNode):
            raise Mismatch(self.expected, shape(node))

        def header(pair: Pair) -> tuple[str, Secret]:
            name, value = pair.key.text, pair.value
            if not _HEADER_NAME.fullmatch(name):
                # Not shown: without the blank after its colon it is key and value.
                wanted = text("config.header_name")
                raise Mismatch(wanted, text("config.something_else"))
            if not isinstance(value, ScalarNode) or is_null(value):
                raise Mismatch(text("config.header_value"), shape(value))
            if not _HEADER_VALUE.fullmatch(value.text):
                found = text("config.forbidden_characters")
                raise Mismatch(text("config.header_value"), found)
            return name, Secret(value.text.strip(" \t"))

        return dict(_each(header, ((p.key.text, p) for p in node.pairs)))


@frozen
class Anything(Kind):
    """A mapping whose values are passed on as they are."""

    noun: Noun = lambda: text("config.a_mapping")

    def __call__(self, node: Node) -> dict[str, object]:
        value = plain_value(node)
        if not isinstance(value, dict):
            raise Mismatch(self.expected, shape(node))
        return value


@frozen
class Settings(Kind):
    """Settings by name, each a text, a number or a bool."""

    noun: Noun = lambda: text("config.settings")

    def __call__(self, node: Node) -> dict[str, object]:
        if not isinstance(node, MapNode):
            raise Mismatch(self.expected, shape(node))

        def setting(pair: Pair) -> tuple[str, object]:
            if not isinstance(pair.value, ScalarNode) or is_null(pair.value):
                raise Mismatch(text("config.setting"), shape(pair.value))
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
