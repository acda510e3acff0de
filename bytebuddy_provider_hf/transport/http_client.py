"""Describe the way to an origin, and what is needed of an HTTP stack to go there.

Sockets (:mod:`pool`) and memory implement the ports; :class:`HttpClients` shares what
they make between the calls of one loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol, TypeAlias

from attrs import Factory, define, field, frozen

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    InsecureEndpoint,
    InvalidOption,
)
from bytebuddy_provider_hf.json_cost import USUAL, JsonBound
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.bounded import BoundedCache
from bytebuddy_provider_hf.transport.proxies import Proxy, proxy_for
from bytebuddy_provider_hf.transport.tls import CaBundle, ca_bundle
from bytebuddy_provider_hf.wire.http_request import HttpRequest

# A header that says who asks, or who pays, such as X-Api-Key and X-HF-Bill-To.
_WHO: Final = re.compile(r"auth|key|token|secret|bill", re.IGNORECASE)
# RFC 9110, 5.1 and 5.5: a token, and visible text with spaces and tabs in it.
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
# How a request is framed is not for a file to say: two answers to it are smuggling.
_FRAMING: Final = frozenset(
    {"connection", "content-length", "te", "trailer", "transfer-encoding", "upgrade"}
)


@frozen
class Destination:
    """One origin with the credential tied to it and the way requests travel there.

    Those with one ``account`` share permits and limits, those with one ``key``
    connections too; ``options_key`` stands for options, proxy and authorities. Both are
    texts, because looking up an object by its fields costs 0.5 µs a call. ``told`` are
    headers that are no secrets: nothing is masked where an answer says the same.
    """

    origin: str
    credential: Secret | None = None
    options: RequestOptions = field(factory=RequestOptions, eq=False, repr=False)
    options_key: str = ""
    proxy: Proxy | None = field(default=None, eq=False)
    authorities: CaBundle = field(factory=CaBundle, eq=False)
    told: tuple[tuple[str, str], ...] = field(default=(), eq=False)
    account: str = field(
        init=False,
        eq=False,
        repr=False,
        default=Factory(lambda self: self._account(), takes_self=True),
    )
    key: str = field(
        init=False,
        eq=False,
        repr=False,
        default=Factory(
            lambda self: f"{self.account} {self.options_key}", takes_self=True
        ),
    )

    def _account(self) -> str:
        """Return the origin with what tells whose calls these are."""
        holder = "" if self.credential is None else self.credential.fingerprint
        told = {
            name.lower(): value.fingerprint
            for name, value in self.options.headers.items()
            if _WHO.search(name)
        }
        payers = [value for name, value in self.told if _WHO.search(name)]
        named = (told[name] for name in sorted(told))
        return " ".join((self.origin, holder, *named, *payers))

    def scrub(self, text: str, *, parts: bool = True) -> str:
        """Return ``text`` without the secrets sent here, should a server echo one.

        Without ``parts`` only whole ones are masked: for what a program reads, where
        the beginning of a key may be a word of its own.
        """
        if self.credential is not None:
            text = self.credential.scrub(text, parts=parts)
        for value in self.options.headers.values():
            text = value.scrub(text, parts=parts)
        return text if self.proxy is None else self.proxy.scrub(text, parts=parts)


def destination_for(
    origin: str,
    credential: Secret | None,
    options: RequestOptions,
    *,
    env: Mapping[str, str],
    told: tuple[tuple[str, str], ...] = (),
) -> Destination:
    """Return the way to ``origin``: proxy and authorities by options, then ``env``.

    Raises ``InvalidOption``, and ``InsecureEndpoint`` where a proxy elsewhere could
    read the token.
    """
    # Here and not at the first request: a file's mistake shows when a model opens.
    for name, value in options.headers.items():
        _check_header(name, value)
    proxy = proxy_for(origin, options, env)
    secret = credential is not None or options.headers
    plain = not origin.startswith("https://")
    if proxy is not None and not proxy.loopback and plain and secret:
        raise InsecureEndpoint(
            text("transport.proxy_could_read", place=proxy.place, origin=origin),
            hint=text("transport.proxy_could_read_hint"),
        )
    trusted = ca_bundle(options, env)
    shown = options.client_certificate
    # Equal for ways that can share connections; fingerprints stand for secrets.
    parts = (
        sorted((k.lower(), v.fingerprint) for k, v in options.headers.items()),
        options.connect_timeout,
        options.verify_ssl,
        trusted.system,
        trusted.paths,
        proxy and (proxy.url, proxy.authorization and proxy.authorization.fingerprint),
        shown
        and (shown.cert, shown.key, shown.passphrase and shown.passphrase.fingerprint),
    )
    key = hashlib.sha256(repr(parts).encode()).hexdigest()
    return Destination(origin, credential, options, key, proxy, trusted, told)


def _check_header(name: str, value: Secret) -> None:
    if not _NAME.fullmatch(name):
        wrong = text("transport.header_bad_name")
    elif name.lower() in _FRAMING:
        wrong = text("transport.header_framing")
    elif not _VALUE.fullmatch(value.reveal()):
        wrong = text("transport.header_bad_value")
    else:
        return
    raise InvalidOption(
        text("transport.header_not_sent", name=f"{name!r}", wrong=wrong),
        hint=text("transport.header_hint"),
    )


# Gets the failure for which a request is sent once more, before that is.
OnResend: TypeAlias = Callable[[ByteBuddyError], Awaitable[None]]


class Response(Protocol):
    """An answer whose headers have arrived. Header names are lower case."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; raise a ``ByteBuddyError`` where it breaks."""
        ...

    async def read(self, limit: int, bound: JsonBound = USUAL) -> bytes:
        """Return the whole body; raise ``ResponseTooLarge`` above ``limit`` bytes.

        So it does above the ``bound`` of its JSON, judged as it comes.
        """
        ...

    def abort(self, error: Exception) -> None:
        """Make the read under way, or the next one, raise ``error``; then close."""
        ...

    def close(self) -> None:
        """Give the connection back if the body was read, close it otherwise."""
        ...


class HttpClient(Protocol):
    """Connections to one destination, whose ``origin`` each request must begin with."""

    @property
    def origin(self) -> str:
        """Scheme, host and port of the destination."""
        ...

    async def send(
        self, call: HttpRequest, *, on_resend: OnResend | None = None
    ) -> Response:
        """Send ``call`` once; no redirect is followed.

        Only where a kept connection proved dead may it be sent once more, by a client
        that calls ``on_resend`` before: the server may have got both.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class HttpClientFactory(Protocol):
    """Make clients; nothing is sent yet."""

    def __call__(self, destination: Destination) -> HttpClient:
        """Return a client for ``destination``."""
        ...


@define(eq=False)
class LentClient:
    """A client that ``users`` calls hold now."""

    key: str
    client: HttpClient
    users: int = 0


class HttpClients:
    """Lend the client of each destination; close those unused for longest.

    One that is lent is never closed: its calls may stream, or wait to be sent again.
    """

    def __init__(
        self, connect: HttpClientFactory, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._connect = connect
        self._loop = loop
        self._lent: BoundedCache[str, LentClient] = BoundedCache(
            in_use=lambda lent: lent.users > 0, dropped=self._close
        )
        self._closing: dict[LentClient, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._lent)

    def __iter__(self) -> Iterator[HttpClient]:
        return (lent.client for lent in self._lent.values())

    def take(self, destination: Destination) -> LentClient:
        """Lend the client of a destination, to be given back once."""
        lent = self._lent.get(destination.key)
        if lent is None:
            lent = LentClient(destination.key, self._connect(destination), users=1)
            self._lent.put(destination.key, lent)
        else:
            lent.users += 1
        return lent

    def give_back(self, lent: LentClient) -> None:
        """Note that a call is over; nothing happens after :meth:`aclose`."""
        # Not looked up again: after aclose another client may have the key.
        lent.users -= 1
        self._lent.trim(lent.key)

    @contextmanager
    def lend(self, destination: Destination) -> Iterator[HttpClient]:
        """Lend the client of a destination for a block."""
        lent = self.take(destination)
        try:
            yield lent.client
        finally:
            self.give_back(lent)

    async def aclose(self) -> None:
        """Close every connection."""
        # The end of a loop cancels its tasks: what they were closing is still open.
        for lent in (*self._lent.clear(), *self._closing):
            await lent.client.aclose()

    def _close(self, _key: str, lent: LentClient) -> None:
        self._closing[lent] = self._loop.create_task(self._end(lent))

    async def _end(self, lent: LentClient) -> None:
        await lent.client.aclose()
        del self._closing[lent]
