"""Send requests by aiohttp, over connections that are kept for each destination.

The credential stands in the session's default headers and nowhere else, so no local
variable of a call, and so no traceback, can show it. Not so where a proxy is used:
aiohttp sends a session's default headers to the proxy as well, ``Authorization`` as
``Proxy-Authorization`` (``_update_proxy_auth_header_and_build_proxy_req``); there they
are given with each request.
"""

from __future__ import annotations

import asyncio
import io
import logging
import select
import socket
import ssl
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from email.utils import formatdate
from functools import partial
from typing import Final, cast
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    Closed,
    ConnectionLost,
    MalformedResponse,
    ResponseTooLarge,
)
from bytebuddy_provider_hf.json_cost import USUAL, JsonBound
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport import faults, tls
from bytebuddy_provider_hf.transport.faults import Hop
from bytebuddy_provider_hf.transport.http_client import Destination, OnResend
from bytebuddy_provider_hf.wire.http_request import HttpRequest

CONNECT_TIMEOUT: Final = 10.0

_log: Final = logging.getLogger(__name__)
# Windows has none, and its select() takes 10 µs.
_poll: Final = getattr(select, "poll", None)

_AGENT: Final = "bytebuddy-provider-hf"
_JSON: Final = "application/json"
# Below the 15 s after which common servers close an idle connection.
_KEEPALIVE: Final = 12.0
_DNS_CACHE: Final = 60
# aiohttp warns about larger bodies given as bytes.
_LARGE_BODY: Final = 1024 * 1024
_MAX_URLS: Final = 64
_OK: Final = 200
_PROXY_WANTS_A_USER: Final = 407
# What is asked for and can be read. aiohttp would read br and zstd only where another
# package is installed, and else fail before it tells the status.
_DECODED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_UNDECODED: Final = frozenset({"br", "zstd", "compress"})
# What compressed bytes become at a time, so that a bomb is counted as it grows, and
# others have their turn.
_PIECE: Final = 64 * 1024
# JSON becomes a tenth; a thousandth is a run of one byte. So much of a short answer may
# be one.
_MOST_RATIO: Final = 200
_RATIO_FROM: Final = 1024 * 1024
# zlib finds out which of its two forms with a header it is; some servers send none.
_WITH_HEADER: Final = 47
_WITHOUT_HEADER: Final = -15
_DEFLATE: Final = 8


class RequestTrace:
    """Note whether one request made a connection, and got the start of an answer.

    The start of one is what came before a connection broke, as far as aiohttp tells.
    """

    __slots__ = ("answered", "connected")

    def __init__(self) -> None:
        self.connected = False
        self.answered = False


# aiohttp makes a socket in the task that asked for it, so a variable of the context
# finds the request; a TraceConfig would add 30 Python calls to each.
_request_trace: Final[ContextVar[RequestTrace]] = ContextVar("request_trace")


class AiohttpResponse:
    """Read an answer from a socket."""

    __slots__ = (
        "_arrived",
        "_became",
        "_compressed",
        "_content",
        "_encoding",
        "_hop",
        "_inflated",
        "_inflater",
        "_opened",
        "_response",
        "headers",
        "status",
    )

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        hop: Hop,
        opened: set[AiohttpResponse],
    ) -> None:
        self._response = response
        self._opened = opened
        opened.add(self)
        self._content = response.content
        self._hop = hop
        self.status: int = response.status
        headers: Mapping[str, str] = response.headers
        if self.status != _OK and hdrs.DATE not in headers:
            # RFC 9110, 6.6.1: an answer without a date gets the time at which it came.
            # A Retry-After that is a date counts from there.
            headers = CIMultiDict(headers, date=formatdate(usegmt=True))
        self.headers: Mapping[str, str] = headers
        named = headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
        # A name that nobody knows, such as utf-8, says nothing of the bytes.
        self._encoding = named if named in _DECODED | _UNDECODED else ""
        self._inflater: zlib._Decompress | None = None
        self._inflated = False
        self._compressed = b""
        # Compressed bytes that arrived, and what became of them.
        self._arrived = self._became = 0

    def chunks(self) -> AiohttpResponse:
        """Return the body, chunk by chunk, as it arrives."""
        return self

    def __aiter__(self) -> AiohttpResponse:
        return self

    async def __anext__(self) -> bytes:
        if not self._encoding:
            return await self._raw()
        while True:
            if not self._compressed:
                try:
                    self._compressed = await self._raw()
                    self._arrived += len(self._compressed)
                except StopAsyncIteration:
                    if self._inflater is None or self._inflater.eof:
                        raise
                    break
            try:
                piece = self._inflate()
            except zlib.error:
                break
            if piece:
                self._inflated = True
                self._became += len(piece)
                self._check_ratio()
                if self._compressed:
                    # A chunk of these becomes many: no callback may read them all.
                    await asyncio.sleep(0)
                return piece
        known = self._encoding in _DECODED
        # What began well was cut, or damaged, on the way: that may pass.
        raise (ConnectionLost if self._inflated else MalformedResponse)(
            text(
                "transport.not_decoded" if known else "transport.encoding_unknown",
                host=self._hop.host,
                encoding=self._encoding,
                status=self.status,
            ),
            status=self.status,
            hint=text(
                "transport.not_decoded_hint" if known else "transport.encoding_hint",
                encoding=self._encoding,
            ),
        )

    def _inflate(self) -> bytes:
        """Return what the next compressed bytes stand for; raises ``zlib.error``."""
        data, inflater = self._compressed, self._inflater
        if self._encoding in _UNDECODED:
            raise zlib.error
        # One member may follow another: https://www.rfc-editor.org/rfc/rfc1952#page-5.
        if inflater is None or inflater.eof:
            bare = self._encoding == "deflate" and data[0] & 0xF != _DEFLATE
            inflater = zlib.decompressobj(_WITHOUT_HEADER if bare else _WITH_HEADER)
            self._inflater = inflater
        piece = inflater.decompress(data, _PIECE)
        self._compressed = inflater.unconsumed_tail or inflater.unused_data
        return piece

    def _check_ratio(self) -> None:
        """Raise ``ResponseTooLarge`` for bytes that became far too many."""
        read = self._arrived - len(self._compressed)
        if self._became > max(_RATIO_FROM, _MOST_RATIO * read):
            raise ResponseTooLarge(
                text(
                    "transport.too_compressed", host=self._hop.host, ratio=_MOST_RATIO
                ),
                status=self.status,
            )

    async def _raw(self) -> bytes:
        try:
            # readany and not line iteration: 0.6 µs an event against 2.7 to 4.3, and
            # no error outside ClientError for a long line.
            chunk = await self._content.readany()
        except faults.RAISED as error:
            fault = faults.translate(error, self._hop)
        else:
            if chunk:
                return chunk
            raise StopAsyncIteration
        raise fault

    async def read(self, limit: int, bound: JsonBound = USUAL) -> bytes:
        """Return the whole body; raise ``ResponseTooLarge`` above ``limit`` bytes.

        So it does above the ``bound`` of its JSON, judged as it comes.
        """
        content = self._content
        parts: list[bytes] = []
        size, chunk = 0, b""
        if content.is_eof() and content.exception() is None and not self._encoding:
            # A short answer comes whole with its headers: 3 µs less than the loop.
            parts.append(content.read_nowait())
            size = len(parts[0])
            if size <= limit:
                bound.check(parts[0])
        else:
            cost = bound.begin()
            try:
                async for chunk in self:
                    size += len(chunk)
                    if size > limit:
                        break
                    cost.feed(chunk)
                    parts.append(chunk)
            except BaseException:
                # A server may echo the key: its bytes stay out of the traceback.
                parts, chunk = [], b""
                raise
        if size > limit:
            del parts, chunk
            message = text(
                "transport.too_large", host=self._hop.host, limit=f"{limit:,}"
            )
            raise ResponseTooLarge(message)
        return b"".join(parts)

    def abort(self, error: Exception) -> None:
        """Make the read under way raise ``error``, and close the connection."""
        self._content.set_exception(error)
        self._response.close()

    def close(self) -> None:
        """Close the connection unless the body was read to its end."""
        self._opened.discard(self)
        # At the end of the body aiohttp has taken the connection back already.
        if self._response.connection is not None:
            self._response.close()


class NameLookups:
    """Look names up in threads that end with the process.

    It is the part of a loop that aiohttp's resolver uses. A loop does it in threads
    that it waits for at its end, and Python at its own: where the system's resolver
    hangs, a call would be over in time, and the program half a minute later. Of one
    name, aiohttp asks once at a time.
    """

    async def getaddrinfo(
        self, host: str, port: int, **how: int
    ) -> list[tuple[object, ...]]:
        """Return what ``socket.getaddrinfo`` does."""
        found = await self._await_thread(partial(socket.getaddrinfo, host, port, **how))
        return cast("list[tuple[object, ...]]", found)

    async def getnameinfo(
        self, address: tuple[str, int], flags: int
    ) -> tuple[str, str]:
        """Return what ``socket.getnameinfo`` does."""
        found = await self._await_thread(partial(socket.getnameinfo, address, flags))
        return cast("tuple[str, str]", found)

    async def _await_thread(self, look_up: Callable[[], object]) -> object:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[object] = loop.create_future()

        def settle(found: object, error: Exception | None) -> None:
            if answer.done():  # nobody waits any more
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def run() -> None:
            found, failure = None, None
            try:
                found = look_up()
            except Exception as error:  # noqa: BLE001 - raised where it is awaited
                failure = error
            # The loop may have ended meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, found, failure)

        threading.Thread(target=run, name="name lookup", daemon=True).start()
        return await answer


class AiohttpClient:
    """Send to one destination; connections are made when the first request leaves."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        proxy = destination.proxy
        self._hop = Hop(
            destination.origin,
            proxy,
            shows_certificate=destination.options.client_certificate is not None,
        )
        self._proxy: URL | None = None
        # What goes to the proxy alone, and what each request carries because the
        # session must not.
        self._proxy_headers: CIMultiDict[str] | None = None
        self._own_headers: CIMultiDict[str] = CIMultiDict()
        if proxy is not None:
            self._proxy = URL(proxy.url)
            self._proxy_headers = CIMultiDict()
            self._own_headers = _headers_of(destination)
            if proxy.authorization is not None:
                # Into no local variable: a traceback from below could show it.
                name = hdrs.PROXY_AUTHORIZATION
                self._proxy_headers[name] = proxy.authorization.reveal()
                if destination.origin.startswith("http://"):
                    # aiohttp sends proxy_headers with CONNECT only.
                    self._own_headers[name] = proxy.authorization.reveal()
        self._urls: dict[str, URL] = {}
        # Headers by the Accept that they were made for.
        self._headers: dict[str, CIMultiDict[str]] = {}
        self._session = _open_session(destination)
        self._fresh: aiohttp.ClientSession | None = None
        self._opened: set[AiohttpResponse] = set()
        self._closed = False
        # Requests that left, free resends included.
        self.sent = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port that requests go to."""
        return self._destination.origin

    @property
    def connections(self) -> int:
        """Return how many connections are in use."""
        connector = self._session.connector
        return 0 if connector is None else len(connector._acquired)  # noqa: SLF001 - the only way to count them

    async def send(
        self, call: HttpRequest, *, on_resend: OnResend | None = None
    ) -> AiohttpResponse:
        """Send ``call`` and return the answer when its headers have come.

        A kept connection that the server had closed, unseen by us, gets one free
        resend on a new one: not a byte of an answer had come (as gRPC's transparent
        retries do). New, because the server may have closed all the kept ones. Whoever
        counts requests is told by ``on_resend`` first.
        """
        trace = RequestTrace()
        found = await self._attempt(self._session, call, trace)
        begun = trace.connected or trace.answered
        if isinstance(found, ConnectionLost) and not begun:
            if on_resend is not None:
                await on_resend(found)
            if self._fresh is None:
                self._fresh = _open_session(self._destination, keep=False)
            found = await self._attempt(self._fresh, call, RequestTrace(), again=True)
        if isinstance(found, AiohttpResponse):
            return found
        raise _was_closed() if self._closed else found

    async def aclose(self) -> None:
        """Close every connection; what is under way ends with ``Closed``."""
        self._closed = True
        # aiohttp would leave those who read without any news.
        for response in tuple(self._opened):
            response.abort(_was_closed())
            response.close()
        if self._fresh is not None:
            await self._fresh.close()
        await self._session.close()

    async def _attempt(
        self,
        through: aiohttp.ClientSession,
        call: HttpRequest,
        trace: RequestTrace,
        *,
        again: bool = False,
    ) -> AiohttpResponse | ByteBuddyError:
        if self._closed:
            return _was_closed()
        # Neither the clock nor a path is looked at where nobody reads the log.
        logs = _log.isEnabledFor(logging.DEBUG)
        left = time.monotonic() if logs else 0.0
        body = call.body if len(call.body) < _LARGE_BODY else io.BytesIO(call.body)
        url = self._urls.get(call.url)
        if url is None:
            if len(self._urls) >= _MAX_URLS:
                self._urls.clear()
            url = self._urls[call.url] = URL(call.url, encoded=True)
        # Mostly the session's headers say it all; a merge costs 4 µs.
        plain = call.accept == _JSON and not call.headers and self._proxy is None
        self.sent += 1
        close_unread(through.connector)
        before = sys.exception()
        mark = _request_trace.set(trace)
        try:
            response = await through.request(
                call.method,
                url,
                data=body or None,
                # In no local variable: behind a proxy the credential is one of them.
                headers=None if plain else self._headers_for(call),
                # A redirect could carry the prompt, and headers, to another origin.
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
            )
        except faults.RAISED as error:
            trace.answered = faults.answer_begun(error)
            fault = faults.translate(error, self._hop)
            if logs:
                self._log_request(call, fault, left, again=again)
            return fault
        except BaseException as error:
            faults.strip_traceback(error, before)
            if logs:
                self._log_request(call, error, left, again=again)
            raise
        finally:
            _request_trace.reset(mark)
        if logs:
            self._log_request(call, response, left, again=again)
        if response.status == _PROXY_WANTS_A_USER and self._proxy is not None:
            response.close()
            return faults.proxy_wants_a_user(self._hop)
        return AiohttpResponse(response, self._hop, self._opened)

    def _headers_for(self, call: HttpRequest) -> CIMultiDict[str]:
        """Return what a request adds to the session's headers."""
        headers = self._headers.get(call.accept)
        if headers is None:
            headers = CIMultiDict(self._own_headers)
            headers[hdrs.ACCEPT] = call.accept
            if call.accept == "text/event-stream":
                # A compressed stream is buffered, and can be a bomb.
                headers[hdrs.ACCEPT_ENCODING] = "identity"
            self._headers[call.accept] = headers
        if call.headers:
            headers = headers.copy()
            headers.extend(call.headers)
        return headers

    def _log_request(
        self,
        call: HttpRequest,
        outcome: aiohttp.ClientResponse | BaseException,
        left: float,
        *,
        again: bool,
    ) -> None:
        """Log where a request went to, what came of it, and after how long."""
        scrub = self._destination.scrub
        told, known = f"no answer, {type(outcome).__name__}", ""
        if isinstance(outcome, aiohttp.ClientResponse):
            told = f"{outcome.status}"
            if said := outcome.headers.get("x-request-id"):
                known = f", request id {one_line(scrub(said))}"
        _log.debug(
            "%s %s%s: %s after %.0f ms, attempt %d%s%s",
            call.method,
            self._destination.origin,
            # A query may hold a key; a path may hold one that is sent as a header too.
            scrub(urlsplit(call.url).path),
            told,
            (time.monotonic() - left) * 1_000,
            call.attempt,
            " (sent again on a new connection)" if again else "",
            known,
        )


def open_http_client(destination: Destination) -> AiohttpClient:
    """Return a client that sends over sockets."""
    return AiohttpClient(destination)


def close_unread(connector: aiohttp.BaseConnector | None) -> None:
    """Close the kept connections on which something came while nobody asked.

    aiohttp takes a whole answer that came so for the one to the next request.
    """
    if connector is None:
        return
    # Nothing awaits between this and the moment in which aiohttp takes one of them.
    # There is no public way to them; to subclass the connector is no better.
    for kept in connector._conns.values():  # noqa: SLF001
        for protocol, since in kept:
            transport = protocol.transport
            if transport is None or transport.is_closing():
                continue
            # What aiohttp has parsed, or kept as no HTTP.
            unread = protocol.should_close
            if not unread and _poll is not None:
                # A loop that was busy has not read it yet. The end of the connection
                # counts as well: then it cannot be used either.
                asked = _poll()
                file = transport.get_extra_info("socket").fileno()
                asked.register(file, select.POLLIN)
                unread = bool(asked.poll(0))
            if unread:
                protocol.close()
            elif len(kept) > 1 and time.monotonic() - since < _KEEPALIVE - 1:
                # aiohttp takes the oldest that it has not kept for too long: those
                # behind it are looked at when it is their turn.
                break


def _was_closed() -> Closed:
    return Closed(text("transport.closed"), hint=text("transport.closed_hint"))


def _open_session(
    destination: Destination, *, keep: bool = True
) -> aiohttp.ClientSession:
    """Return a session; connections are kept for the next request unless told."""
    proxy, origin = destination.proxy, destination.origin
    certificates: ssl.SSLContext | bool = True
    if origin.startswith("https://") or (proxy is not None and proxy.scheme == "https"):
        certificates = tls.context(origin, destination.options, destination.authorities)
    made = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,  # permits bound what is in flight
            keepalive_timeout=_KEEPALIVE if keep else None,
            force_close=not keep,
            ttl_dns_cache=_DNS_CACHE,
            # Where aiodns is installed, no thread is needed.
            resolver=aiohttp.ThreadedResolver(
                cast("asyncio.AbstractEventLoop", NameLookups())
            )
            if aiohttp.DefaultResolver is aiohttp.ThreadedResolver
            else None,
            socket_factory=_make_socket,
            ssl=certificates,
        ),
        headers={
            hdrs.USER_AGENT: _AGENT,
            hdrs.ACCEPT: _JSON,
            hdrs.ACCEPT_ENCODING: "gzip, deflate",
            hdrs.CONTENT_TYPE: _JSON,
        },
        cookie_jar=aiohttp.DummyCookieJar(),
        # As nothing waits for a place in the pool, "connect" bounds look-up, a proxy's
        # answer to CONNECT and the handshakes, all of them together.
        timeout=aiohttp.ClientTimeout(
            total=None, connect=destination.options.connect_timeout or CONNECT_TIMEOUT
        ),
        # Neither a netrc file nor the process's variables: proxies.py reads those.
        trust_env=False,
        # Done here: see AiohttpResponse.
        auto_decompress=False,
    )
    if proxy is None:
        made.headers.update(_headers_of(destination))
    # Or a GET on a kept connection that broke would be sent again, uncounted.
    made._retry_connection = False  # noqa: SLF001 - aiohttp has no other switch
    return made


def _headers_of(destination: Destination) -> CIMultiDict[str]:
    """Return the headers with the credential, and those of the configuration."""
    headers: CIMultiDict[str] = CIMultiDict()
    if destination.credential is not None:
        headers[hdrs.AUTHORIZATION] = f"Bearer {destination.credential.reveal()}"
    for name, value in destination.options.headers.items():
        headers[name] = value.reveal()
    for name, said in destination.told:
        headers[name] = said
    return headers


def _make_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket and note for which request."""
    _request_trace.get().connected = True
    family, kind, protocol, _, _ = address
    return socket.socket(family=family, type=kind, proto=protocol)
