"""Requests to a scripted server and its replies, as plain values.

Nothing here does input or output: :func:`steps` tells a carrier (a socket, or memory)
what to do with a reply, one step after the other.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, final
from urllib.parse import parse_qsl, urlsplit

from attrs import evolve, field, frozen

Ending: TypeAlias = Literal["length", "chunked", "close"]


@frozen
class FakeRequest:
    """A request as a server sees it. Header names are lower case.

    ``headers`` keeps the credential that was sent, so it stays out of ``repr``.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = b""

    @property
    def json(self) -> object:
        """The body parsed, or ``None`` where it is not JSON."""
        try:
            parsed: object = json.loads(self.body)
        except ValueError:
            return None
        return parsed

    def value(self, key: str) -> object:
        """Return the member ``key`` of a JSON object body, else ``None``."""
        body = self.json
        return body.get(key) if isinstance(body, dict) else None


def request_to(
    url: str, *, method: str, headers: Mapping[str, str], body: bytes
) -> FakeRequest:
    """Make the request a server would see for an absolute ``url``."""
    parts = urlsplit(url)
    return FakeRequest(
        method=method,
        path=parts.path or "/",
        # A parameter without a value is one too.
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
    )


def _pieces(body: bytes | Sequence[bytes]) -> tuple[bytes, ...]:
    return (body,) if isinstance(body, bytes) else tuple(body)


@frozen
class FakeReply:
    """An answer, and how it travels. All times are seconds.

    ``delay`` passes before the headers, ``gap`` between the pieces of the body.
    ``cut`` closes the connection after so many body bytes; ``stall`` sends that many
    and then falls silent; ``dropped`` closes it before any header; ``reset`` makes
    the closing rude (RST instead of FIN). ``ending`` is how the end of the body is
    told. ``on_end`` is called once, with whether the whole body was taken.
    """

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: tuple[bytes, ...] = field(default=(), converter=_pieces)
    delay: float = 0.0
    gap: float = 0.0
    cut: int | None = None
    stall: int | None = None
    dropped: bool = False
    reset: bool = False
    ending: Ending = "length"
    on_end: Callable[[bool], None] | None = field(default=None, eq=False, repr=False)

    @property
    def content(self) -> bytes:
        """The whole body."""
        return b"".join(self.body)

    def split(self, size: int = 1) -> FakeReply:
        """Send the same body in pieces of ``size`` bytes."""
        whole = self.content
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        return evolve(self, body=pieces)

    def slow(self, gap: float, *, delay: float = 0.0) -> FakeReply:
        """Wait ``delay`` before the headers and ``gap`` between pieces."""
        return evolve(self, gap=gap, delay=delay)

    def cut_after(self, size: int, *, reset: bool = False) -> FakeReply:
        """Close the connection after ``size`` bytes of the body."""
        return evolve(self, cut=size, reset=reset)

    def stall_after(self, size: int) -> FakeReply:
        """Fall silent for ever after ``size`` bytes of the body."""
        return evolve(self, stall=size)

    def with_headers(self, headers: Mapping[str, str]) -> FakeReply:
        """Add headers, replacing those of the same name."""
        return evolve(self, headers={**self.headers, **headers})

    def ended(self, *, whole: bool) -> None:
        """Tell the server that this reply is over; carriers call it once."""
        if self.on_end is not None:
            self.on_end(whole)


Handler: TypeAlias = Callable[[FakeRequest], Awaitable[FakeReply]]


@frozen
class Wait:
    """Let ``seconds`` pass."""

    seconds: float


@frozen
class Send:
    """Send these bytes of the body."""

    data: bytes


@frozen
class Cut:
    """Close the connection here; the body is not whole."""

    reset: bool = False


@frozen
class Stall:
    """Send nothing more and keep the connection open."""


Step: TypeAlias = Wait | Send | Cut | Stall


def steps(reply: FakeReply) -> Iterator[Step]:
    """Yield what happens after the headers; the end of the steps is a good end."""
    # After how many bytes the body stops early, and with what.
    limit: int | None = None
    last: Step | None = None
    if reply.stall is not None:
        limit, last = reply.stall, Stall()
    elif reply.cut is not None:
        limit, last = reply.cut, Cut(reset=reply.reset)
    sent = 0
    for index, piece in enumerate(reply.body):
        if index and reply.gap:
            yield Wait(reply.gap)
        # A break may fall within a piece, even within a character.
        if limit is not None and sent + len(piece) >= limit:
            if limit > sent:
                yield Send(piece[: limit - sent])
            break
        sent += len(piece)
        yield Send(piece)
    # A limit beyond the body still cuts, or stalls, at its end.
    if last is not None:
        yield last


@final
class Recorded:
    """Any handler, and the requests it was given."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[FakeRequest] = []

    async def __call__(self, request: FakeRequest) -> FakeReply:
        """Hand ``request`` on."""
        self.requests.append(request)
        return await self._handler(request)
