"""One HTTP request, ready to be sent; a token is never a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from attrs import define, field

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.secret import redacted_repr

EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"

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
        "The request cannot be written as JSON.",
        hint="Inputs, parameters and extraBodyProperties take text, numbers, lists and "
        "mappings with text keys; text must not hold lone surrogates.",
    )
