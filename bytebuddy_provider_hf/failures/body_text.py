"""Read the sentence in an error body: total over any bytes.

The forms met in practice: ``{"error": "…"}``, ``{"error": ["…"]}``,
``{"error": {"message": …}}``, ``{"message": …}``, ``{"detail": "…"}``,
``{"detail": [{"loc", "msg"}]}``, a list of any of these, plain text, HTML, nothing.
Gateways put what the server behind them said deeper down, or beside their own words.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

from bytebuddy_provider_hf import lenient_json
from bytebuddy_provider_hf.secret import one_line, redacted_start

# What is read of an error body; the rest cannot add to one sentence.
MAX_BODY: Final = 64 * 1024
# A sentence of more complaints, or from deeper down, is none that a person reads.
_MAX_ITEMS: Final = 5
_MAX_NESTING: Final = 7
# The first that is there: OpenAI's, TGI's, FastAPI's, then RFC 7807's and OAuth's, and
# MiniMax's, whose status is inside.
_KEYS: Final = (
    "message",
    "error",
    "detail",
    "msg",
    "title",
    "error_description",
    "status_msg",
    "error_msg",
    "base_resp",
    "errors",
    "reason",
)
# What says more beside it: OpenRouter's, Hugging Face's pipelines', Google's.
_MORE: Final = ("metadata", "raw", "errors", "warnings", "reason")
_SIGNS: Final = re.compile(r"[\W_]+")
_MAX_PAGE: Final = 2_000
# Bounded: a hostile page must not cost more than its length.
_TITLE: Final = re.compile(r"<title[^>]{0,200}>([^<]{1,300})", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]{0,500}>")
_HIDDEN: Final = re.compile(r"<(script|style)\b[^<]{0,20000}", re.IGNORECASE)


def error_message(body: bytes) -> str:
    """Return what an error body says, as one redacted line; empty when it is empty."""
    body = body[:MAX_BODY]
    value = lenient_json.loads(body)
    # A lone number is no JSON that means something: "502" is what a gateway wrote.
    if value is not None and not isinstance(value, int | float):
        return one_line(said_by(value), limit=500)
    text = body.decode("utf-8", "replace")
    if "<" in text:
        title = _TITLE.search(text)
        shown = title[1] if title else _TAG.sub(" ", _HIDDEN.sub(" ", text))
        # Masked before it is cut, and cut before it is unescaped: html.unescape raises
        # for a character number of 4,300 digits or more. one_line masks once more.
        shown = redacted_start(" ".join(shown.split()), _MAX_PAGE)
        text = html.unescape(shown[:_MAX_PAGE])
    return one_line(text, limit=500)


def said_by(value: object) -> str:
    """Return what a decoded error says, as it stands; empty where it says nothing."""
    return "; ".join(_sentences(value, 0)).rstrip(". ")


def _sentences(value: object, nesting: int) -> Iterator[str]:
    if isinstance(value, str):
        # OpenRouter quotes the JSON of the server behind it as text.
        quoted: list[str] = []
        if value[:1] in ("{", "[") and nesting < _MAX_NESTING:
            inner = lenient_json.loads(value.encode("utf-8", "replace"))
            quoted += _sentences(inner, nesting + 1)
        yield from quoted or [value]
    elif nesting >= _MAX_NESTING:
        return
    elif isinstance(value, list):
        for item in value[:_MAX_ITEMS]:
            yield from _sentences(item, nesting + 1)
    elif isinstance(value, dict):
        key = next((key for key in _KEYS if value.get(key)), "")
        # FastAPI names the place of a complaint beside it.
        loc = value.get("loc")
        place = ""
        if isinstance(loc, list):
            names = (str(part) for part in loc[:8] if isinstance(part, str | int))
            place = ".".join(names) + ": "
        told = ""
        for name in (key, *_MORE):
            # Beside an answer these say nothing of an error.
            if name != key and not (told or nesting):
                continue
            if name == key and told:
                continue
            for said in _sentences(value.get(name), nesting + 1):
                # NOT_ENOUGH_BALANCE says no more than "not enough balance".
                bare = _SIGNS.sub("", said.lower())
                if name == key or (bare and bare not in told):
                    told += bare
                    yield f"{place}{said}"
