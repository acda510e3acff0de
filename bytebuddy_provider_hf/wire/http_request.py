"""One HTTP request, ready to be sent; a token is never a part of it."""

from __future__ import annotations

from attrs import define, field

from bytebuddy_provider_hf.secret import redacted_repr


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
    accept: str = "application/json"
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    route: str | None = None
    attempt: int = field(default=1, eq=False)
