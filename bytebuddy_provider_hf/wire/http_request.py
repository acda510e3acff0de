"""HTTP requests, ready to be sent: a URL and a body; a token is never a part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec
from attrs import define, field

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.secret import redacted_repr
from bytebuddy_provider_hf.texts import text

EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"

# Made once, not for every body.
_encode: Final = msgspec.json.Encoder().encode


@define
class HttpRequest:
    """What leaves for the server. The transport adds authorization by origin.

    ``url`` is absolute; ``body`` is JSON or empty; ``accept`` is the media type that
    the decoder can read. ``notes`` tells, one sentence each, what of the question
    the server does not take. ``route`` is the name that ``Server.routes`` has for where
    it goes, ``None`` where another route would not do the same. ``attempt`` counts the
    requests of one call, for the log.
    """

    url: str = field(repr=redacted_repr)
    body: bytes = b""
    accept: str = JSON
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    route: str | None = None
    attempt: int = field(default=1, eq=False)


def v1_url(target: Target, route: str) -> str:
    """Return the URL of an OpenAI-style route, such as ``/embeddings``."""
    base, query = _base(target)
    return f"{target.origin}{base}{route}{query}"


def root_url(target: Target, route: str) -> str:
    """Return the URL of a server's own route, such as ``/infill``."""
    _, query = _base(target)
    return f"{target.origin}{root_path(target)}{route}{query}"


def root_path(target: Target) -> str:
    """Return the path below which a server's own routes lie, without a last slash."""
    return _base(target)[0].removesuffix("/v1")


def _base(target: Target) -> tuple[str, str]:
    # An address may carry a key in its query, so that it goes along everywhere.
    parts = urlsplit(target.chat_url)
    query = f"?{parts.query}" if parts.query else ""
    return parts.path.removesuffix("/chat/completions"), query


def json_body(body: Mapping[str, object]) -> bytes:
    """Return ``body`` as JSON, keys in their order.

    Raises ``InvalidOption`` for what JSON cannot hold.
    """
    try:
        return _encode(body)
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError):
        # Raised below, so that the error does not hold the body that it failed on.
        pass
    raise InvalidOption(
        text("wire.not_json"),
        hint=text("wire.not_json_hint"),
    )
