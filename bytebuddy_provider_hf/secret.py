"""Secrets: a value that cannot be printed, and text with secrets taken out."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn, final
from urllib.parse import unquote

MASK: Final = "**********"

# Only this process can tell which credential a fingerprint stands for.
_SALT: Final = os.urandom(16)

_LONGEST_MESSAGE: Final = 1_000
_BEYOND: Final = 1_000

# A shorter text is a placeholder ("ollama", "none"): masking it would tear the names
# and words of a server's answer apart.
_SHORTEST: Final = 8
# What stands before the key in a header such as Authorization.
_SCHEME: Final = re.compile(r"(?i)^(?:bearer|basic|token|api-?key)\s+")
# Letters as JSON may write them: "\u0068", and "\/" as PHP does.
_ESCAPED: Final = re.compile(r"\\u00([2-7][0-9a-fA-F])|\\(/)")

# User tokens begin with hf_, organisation tokens with api_org_
# (https://huggingface.co/docs/hub/security-tokens).
_TOKEN: Final = re.compile(r"\b(hf_|api_org_)[A-Za-z0-9_\-.]{3,}")
_HEADER: Final = re.compile(
    r"(?i)\b(bearer|basic)\s+[^\s\"',;]+",
)
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@]+@")
# Signed addresses: whoever has the query may fetch what it names.
_SIGNED: Final = re.compile(
    r"(?i)([?&](?:x-amz-[a-z-]+|sig|policy|key-pair-id"
    r"|[\w.-]{0,40}?(?:signature|token|key|secret|password|auth))=)[^&\s\"'<>]+"
)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]+")
# What came from a variable, and the reference that is shown instead. A text does not
# tell what it was made of, so that whatever prints one has to know these.
_MOST_MARKS: Final = 16_384
_marks: Final[dict[tuple[str, str], Secret]] = {}
_ordered: list[tuple[Secret, str]] | None = None

# Halves of characters, of which no text can be made.
_HALVES: Final = re.compile("[\ud800-\udfff]")


@final
class Secret:
    """Hold a token without ever showing it.

    ``repr``, ``str``, formatting and tracebacks show a mask; pickling is refused.
    Only :meth:`reveal` gives the value, and only the code that writes a header or
    a credentials file calls it.
    """

    __slots__ = ("_value", "fingerprint")

    def __init__(self, value: str) -> None:
        self._value = value
        digest = hmac.new(_SALT, value.encode("utf-8", "replace"), hashlib.sha256)
        self.fingerprint: str = digest.hexdigest()[:16]

    def reveal(self) -> str:
        """Return the value itself: never bind it to a name that outlives the call."""
        return self._value

    def scrub(self, text: str, mask: str = MASK) -> str:
        """Return ``text`` with ``mask`` at every occurrence of this secret.

        Also one that JSON or a URL wrote with escapes, and the key alone of a value
        such as ``Bearer KEY``. A secret of less than 8 characters is left.
        """
        # Asked of each header that is told: most are shorter than a key, and have no
        # escapes, which only ever make a text longer.
        if len(text) < _SHORTEST:
            return text
        for key in (self._value, _SCHEME.sub("", self._value)):
            if not _SHORTEST <= len(key) <= len(text):
                continue
            text = text.replace(key, mask)
            if "\\" not in text and "%" not in text:
                continue
            for plain in (_unescaped(text), unquote(text)):
                if key in plain:
                    text = plain.replace(key, mask)
        return text

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> NoReturn:
        message = "a Secret is not pickled: it would leave the process"
        raise TypeError(message)


@final
class Environment(Mapping[str, str]):
    """Environment variables whose values no traceback or log can show."""

    __slots__ = ("_variables",)

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return f"Environment({len(self)} variables)"

    def __reduce__(self) -> NoReturn:
        message = "an Environment is not pickled: its secrets would leave the process"
        raise TypeError(message)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda m: m[2] or chr(int(m[1], 16)), text)


def mark(value: Secret, shown: str) -> None:
    """Let :func:`redact` write ``shown`` for a value, for as long as this process runs.

    One of less than 8 characters is left, as by :meth:`Secret.scrub`.
    """
    global _ordered  # noqa: PLW0603 - what a process prints goes through one function
    if len(value.reveal()) < _SHORTEST or (value.fingerprint, shown) in _marks:
        return
    # More than a file may name: the oldest are of files that were read long ago.
    while len(_marks) >= _MOST_MARKS:
        del _marks[next(iter(_marks))]
    _marks[value.fingerprint, shown] = value
    _ordered = None


def forget_marks() -> None:
    """Undo every :func:`mark`, for a test that reads other variables."""
    global _ordered  # noqa: PLW0603 - as above
    _marks.clear()
    _ordered = None


def _in_order() -> list[tuple[Secret, str]]:
    """Return what is marked, the longest first: one may be a part of another."""
    global _ordered  # noqa: PLW0603 - as above
    found = _ordered
    if found is None:
        known = [(value, shown) for (_, shown), value in list(_marks.items())]
        known.sort(key=lambda each: len(each[0].reveal()), reverse=True)
        found = _ordered = known
    return found


def redact(text: str) -> str:
    """Return ``text`` with tokens, authorization values and URL user-info masked.

    Where a value came from a variable, the variable's name stands instead.
    """
    for value, shown in _in_order():
        text = value.scrub(text, shown)
    text = _TOKEN.sub(rf"\g<1>{MASK}", text)
    text = _HEADER.sub(rf"\g<1> {MASK}", text)
    text = _SIGNED.sub(rf"\g<1>{MASK}", text)
    return _USERINFO.sub(f"{MASK}@", text)


def redacted_repr(value: object) -> str:
    """Return ``repr(value)``, redacted: for a field that may be a URL with a key."""
    return redact(repr(value))


def one_line(text: str, *, limit: int = _LONGEST_MESSAGE) -> str:
    """Return ``text`` as one printable, redacted line of at most ``limit`` characters.

    The length is cut first, so that a hostile megabyte costs nothing; a little beyond
    the limit, so that what is masked is seen to its end. What is such a line already
    is returned itself, so that a text of the table can still be said in Chinese.
    """
    cut = text[: limit + _BEYOND]
    line = redact(_HALVES.sub("\ufffd", _UNPRINTABLE.sub(" ", cut)).strip())
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return text if line == text else line
