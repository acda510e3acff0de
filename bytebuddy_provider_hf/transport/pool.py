"""aiohttp sessions: one for each destination, with its credential in its headers.

The credential stands in the session's default headers and nowhere else, so no local
variable of a call, and so no traceback, can show it.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConnectionLost,
    InvalidOption,
    ResponseTooLarge,
)
from bytebuddy_provider_hf.transport import faults
from bytebuddy_provider_hf.transport.port import Destination
from bytebuddy_provider_hf.wire.call import Call

CONNECT_TIMEOUT: Final = 10.0
# Below the 15 s after which common servers close an idle connection.
_KEEPALIVE: Final = 12.0
_DNS_CACHE: Final = 60
# aiohttp warns about larger bodies given as bytes.
_LARGE_BODY: Final = 1024 * 1024
_AGENT: Final = "bytebuddy-provider-hf"
_MAX_URLS: Final = 64


class AiohttpResponse:
    """An answer on a socket."""

    __slots__ = ("_content", "_host", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, host: str) -> None:
        self._response = response
        self._content = response.content
        self._host = host
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    def chunks(self) -> AiohttpResponse:
        """Return the body, chunk by chunk, as it arrives."""
        return self

    def __aiter__(self) -> AiohttpResponse:
        return self

    async def __anext__(self) -> bytes:
        try:
            # readany and not line iteration: 0.6 µs an event against 2.7 to 4.3, and
            # no error outside ClientError for a long line.
            chunk = await self._content.readany()
        except faults.RAISED as error:
            fault = faults.translate(error, self._host)
        else:
            if chunk:
                return chunk
            raise StopAsyncIteration
        raise fault

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raise ``ResponseTooLarge`` above ``limit`` bytes."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self:
            size += len(chunk)
            if size > limit:
                message = f"{self._host} sent more than {limit:,} bytes."
                raise ResponseTooLarge(message)
            parts.append(chunk)
        return b"".join(parts)

    def abort(self, error: Exception) -> None:
        """Make the read under way raise ``error``, and close the connection."""
        self._content.set_exception(error)
        self._response.close()

    def close(self) -> None:
        """Close the connection unless the body was read to its end."""
        self._response.close()


class _Trip:
    """Whether one request made a connection of its own."""

    __slots__ = ("connected",)

    def __init__(self) -> None:
        self.connected = False


_trip: ContextVar[_Trip] = ContextVar("_trip")


class AiohttpChannel:
    """Connections to one destination; made when the first request leaves."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._host = destination.origin.split("://", 1)[-1]
        self._urls: dict[str, URL] = {}
        self._accepts: dict[str, CIMultiDict[str]] = {}
        self._session = _session(destination)
        self._fresh: aiohttp.ClientSession | None = None
        # Requests that left, free resends included.
        self.sent = 0

    @property
    def connections(self) -> int:
        """How many connections are in use."""
        connector = self._session.connector
        return 0 if connector is None else len(connector._acquired)  # noqa: SLF001 - the only way to count them

    async def send(self, call: Call) -> AiohttpResponse:
        """Send ``call`` and return the answer when its headers have come.

        A kept connection that the server had closed, unseen by us, gets one free
        resend on a new one: not a byte of an answer had come (as gRPC's transparent
        retries do). New, because the server may have closed all the kept ones.
        """
        trip = _Trip()
        fault = await self._attempt(self._session, call, trip)
        if isinstance(fault, ConnectionLost) and not trip.connected:
            if self._fresh is None:
                self._fresh = _session(self._destination, keep=False)
            fault = await self._attempt(self._fresh, call, _Trip())
        if isinstance(fault, ByteBuddyError):
            raise fault
        return fault

    async def aclose(self) -> None:
        """Close every connection."""
        if self._fresh is not None:
            await self._fresh.close()
        await self._session.close()

    async def _attempt(
        self, session: aiohttp.ClientSession, call: Call, trip: _Trip
    ) -> AiohttpResponse | ByteBuddyError:
        body = call.body if len(call.body) < _LARGE_BODY else io.BytesIO(call.body)
        self.sent += 1
        mark = _trip.set(trip)
        try:
            response = await session.request(
                call.method,
                self._url(call.url),
                data=body or None,
                headers=self._headers(call),
                # A redirect could carry the prompt, and headers, to another origin.
                allow_redirects=False,
                proxy=self._destination.options.proxy,
            )
        except faults.RAISED as error:
            return faults.translate(error, self._host)
        finally:
            _trip.reset(mark)
        return AiohttpResponse(response, self._host)

    def _url(self, url: str) -> URL:
        built = self._urls.get(url)
        if built is None:
            if len(self._urls) >= _MAX_URLS:
                self._urls.clear()
            built = self._urls[url] = URL(url, encoded=True)
        return built

    def _headers(self, call: Call) -> CIMultiDict[str]:
        headers = self._accepts.get(call.accept)
        if headers is None:
            headers = CIMultiDict({"Accept": call.accept})
            if call.method == "POST":
                headers["Content-Type"] = "application/json"
            if call.accept == "text/event-stream":
                # A compressed stream is buffered, and can be a bomb.
                headers["Accept-Encoding"] = "identity"
            self._accepts[call.accept] = headers
        if call.headers:
            headers = headers.copy()
            headers.extend(call.headers)
        return headers


def connect(destination: Destination) -> AiohttpChannel:
    """Open a channel of sockets to a destination."""
    return AiohttpChannel(destination)


def _session(destination: Destination, *, keep: bool = True) -> aiohttp.ClientSession:
    options = destination.options
    connector = aiohttp.TCPConnector(
        limit=0,  # permits bound what is in flight
        keepalive_timeout=_KEEPALIVE if keep else None,
        force_close=not keep,
        ttl_dns_cache=_DNS_CACHE,
        socket_factory=_socket,
        ssl=_tls(options),
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers=_default_headers(destination),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=options.connect_timeout or CONNECT_TIMEOUT
        ),
        trust_env=False,
        auto_decompress=True,
    )


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket and note for whom (a TraceConfig would add 30 Python calls)."""
    _trip.get().connected = True
    family, kind, protocol, _, _ = address
    return socket.socket(family=family, type=kind, proto=protocol)


def _default_headers(destination: Destination) -> CIMultiDict[str]:
    headers = CIMultiDict({"User-Agent": _AGENT})
    if destination.credential is not None:
        headers["Authorization"] = f"Bearer {destination.credential.reveal()}"
    for name, value in destination.options.headers.items():
        headers[name] = value.reveal()
    return headers


def _tls(options: RequestOptions) -> ssl.SSLContext | bool:
    if options.verify_ssl is False:
        return False
    bundles, certificate = options.ca_bundle_path, options.client_certificate
    if not bundles and certificate is None:
        return True
    context = ssl.create_default_context()
    problem = ""
    try:
        for path in bundles or ():
            problem = f"caBundlePath {path}"
            context.load_verify_locations(cafile=path)
        if certificate is not None:
            problem = f"clientCertificate {certificate.cert}"
            secret = certificate.passphrase
            context.load_cert_chain(
                certificate.cert,
                certificate.key,
                None if secret is None else secret.reveal,
            )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a PEM file"
    else:
        return context
    raise InvalidOption(
        f"{problem} cannot be loaded: {reason}.", hint="Name a readable PEM file."
    )
