"""The forms in which a server repeats a key, and how one is recognised in a text."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote

# Not shaped like a token: what masks hf_… must not be what hides it.
CANARY: Final = "Canary4711OfTheKey"


def _base64(user: str, key: str, *, safe: bool = False) -> str:
    encode = base64.urlsafe_b64encode if safe else base64.b64encode
    return encode(f"{user}{key}".encode()).decode()


def _each(pattern: str) -> Callable[[str], str]:
    """Return what writes each character in one way."""
    return lambda key: "".join(pattern.format(ord(sign)) for sign in key)


FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "entities": _each("&#{};"),
    "one entity": lambda key: f"&#x{ord(key[0]):x};{key[1:]}",
    "entities without an end": _each("&#x{:X}"),
    "entities, escaped again": _each("&amp;#{};"),
    "percent": _each("%{:02x}"),
    "percent, twice": _each("%25{:02x}"),
    "JSON": _each("\\u{:04x}"),
    "JSON in JSON": _each("\\\\u{:04X}"),
    "hexadecimal": _each("\\\\x{:02x}"),
    "UTF-16": "\x00".join,
    "zero width": "\u200b".join,
    "its beginning": lambda key: f"{key[:8]}…",
    "its beginning, three dots": lambda key: f"{key[:11]}...",
    "its beginning, starred": lambda key: f"{key[:8]}********",
    "its beginning, and no sign": lambda key: key[:8],
    "most of it": lambda key: f"{key[:14]}Q",
    "its end": lambda key: f"…{key[-8:]}",
    "beginning and end": lambda key: f"{key[:8]}…{key[-8:]}",
    "base64": lambda key: _base64("", key),
    "base64 with a user": lambda key: _base64("user:", key),
    "base64 in an address": lambda key: _base64("me:", f"{key}>?", safe=True),
}
# In base64 the bytes before it divide it in one of three ways.
_PARTS: Final = (
    CANARY[:8],
    CANARY[-8:],
    *(_base64("x" * before, CANARY)[4:16] for before in range(3)),
)


def shows_key(text: str) -> bool:
    """Whether anybody could read the canary, or much of it, out of ``text``."""
    for _ in range(4):
        before = text
        text = unquote(html.unescape(text))
        text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"\\+x([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text)
        text = re.sub("[\x00\u200b]", "", text)
        if text == before:
            break
    return any(part in text for part in _PARTS)
