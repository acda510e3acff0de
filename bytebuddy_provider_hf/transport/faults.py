"""Translate aiohttp's errors into ours; nothing of theirs is kept.

Their errors hold the request with its ``Authorization`` header, so ours are made from
plain words and raised outside the ``except`` block that caught theirs.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs, http_exceptions
from attrs import frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.proxies import Proxy
from bytebuddy_provider_hf.transport.tls import (
    broken_off,
    client_refused,
    handshake_failed,
)

# Everything that sending or reading can raise besides cancellation. HttpProcessingError
# and its kin are no ClientError; ValueError is what bad headers and URLs give.
RAISED: Final = (
    aiohttp.ClientError,
    http_exceptions.HttpProcessingError,
    OSError,
    EOFError,
    ValueError,
)

_PROXY_WANTS_A_USER: Final = 407
# Where one of these is not found, its spelling is not what is wrong.
_HUGGING_FACE: Final = frozenset(
    {"huggingface.co", "router.huggingface.co", "status.huggingface.co"}
)
# Not every system has all of these.
_NO_SUCH_NAME: Final = frozenset(
    getattr(socket, name, None)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
)
_NO_WAY: Final = frozenset(
    getattr(errno, name, None)
    for name in ("ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EHOSTDOWN")
)

# What is wrong with the head of an answer, in the words of aiohttp's two parsers.
_LONG_HEADER: Final = re.compile(r"got more than \d+ bytes")
_TWO_LENGTHS: Final = re.compile(
    "duplicate content-length"
    "|transfer-encoding.{1,40}content-length|content-length.{1,40}transfer-encoding",
    re.DOTALL,
)


@frozen
class Hop:
    """Both ends of a way, and what stands between, for messages."""

    origin: str
    proxy: Proxy | None = None
    shows_certificate: bool = False

    @property
    def host(self) -> str:
        """Host and port of the server."""
        return self.origin.split("://", 1)[-1]

    @property
    def name(self) -> str:
        """The host's name alone."""
        return urlsplit(self.origin).hostname or self.host

    @property
    def secure(self) -> bool:
        """Return whether the server is spoken to in TLS."""
        return self.origin.startswith("https://")

    @property
    def via_proxy(self) -> str:
        """The words that name the proxy, if there is one."""
        if self.proxy is None:
            return ""
        return text("transport.via_proxy", place=self.proxy.place)


def translate(error: BaseException, hop: Hop) -> errors.ByteBuddyError:
    """Return our error for one of theirs, which met a request between ``hop``."""
    if isinstance(error, errors.ByteBuddyError):
        return error
    for kinds, make in _MAKERS:
        if isinstance(error, kinds):
            return make(error, hop)
    if _refused(error):
        return _connection_refused(hop)
    return _lost(error, hop)


def strip_traceback(error: BaseException, before: BaseException | None) -> None:
    """Take from ``error``, which is none of theirs, the way that it came.

    A cancellation passes frames of aiohttp that hold the header with the token, and a
    traceback can show local variables. ``before`` was being handled already: it and
    what it came from are the caller's, and stay as they are.
    """
    met: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or link is before or link in met:
            continue
        met.append(link)
        link.__traceback__ = None
        waiting += [link.__cause__, link.__context__]


def answer_begun(error: BaseException) -> bool:
    """Return whether some of an answer had come when the connection was closed.

    aiohttp hands out what it had read of the head. A reset it reports without.
    """
    if not isinstance(error, aiohttp.ServerDisconnectedError):
        return False
    return not isinstance(error.message, str)


def proxy_wants_a_user(hop: Hop) -> errors.ProxyAuthenticationFailed:
    """Return the error for a status 407."""
    proxy = hop.proxy
    place = "" if proxy is None else f" {proxy.place}"
    if proxy is None or proxy.authorization is None:
        return errors.ProxyAuthenticationFailed(
            text("transport.proxy_wants_user", place=place),
            status=_PROXY_WANTS_A_USER,
            hint=text("transport.proxy_wants_user_hint"),
        )
    return errors.ProxyAuthenticationFailed(
        text("transport.proxy_refused_user", place=place),
        status=_PROXY_WANTS_A_USER,
        hint=text("transport.proxy_refused_hint"),
    )


def _not_resolved(error: BaseException, hop: Hop) -> errors.ConnectionFailed:
    code = getattr(getattr(error, "os_error", None), "errno", None)
    # A text that cannot be a name (UnicodeError) has no code at all.
    later = code is not None and code not in _NO_SUCH_NAME
    if hop.proxy is not None:
        # Behind a proxy only its own name is looked up here.
        return errors.ProxyFailed(
            text(
                "transport.proxy_not_looked_up"
                if later
                else "transport.proxy_does_not_exist",
                place=hop.proxy.place,
            ),
            hint=text("transport.check_proxy"),
        )
    if later:
        return errors.HostLookupFailed(
            text("transport.not_looked_up", name=hop.name),
            hint=text("transport.not_looked_up_hint"),
        )
    ours = hop.name in _HUGGING_FACE
    return errors.HostNotFound(
        text("transport.no_host", name=hop.name),
        hint=text("transport.offline_hint" if ours else "transport.no_host_hint"),
    )


def _tls_failed(error: BaseException, hop: Hop) -> errors.ConnectionFailed:
    host, proxy = hop.host, hop.proxy
    met = (getattr(error, "host", None), getattr(error, "port", None))
    if proxy is not None and met == (proxy.host, proxy.port):
        host = text("transport.the_proxy", place=proxy.place)
    cause = _cause(error)
    if cause is None:
        return broken_off(host)
    return handshake_failed(cause, host, shows_certificate=hop.shows_certificate)


def _cause(error: BaseException) -> ssl.SSLError | None:
    """Return the error of OpenSSL itself that one of aiohttp's stands for."""
    for each in (getattr(error, "os_error", None), error.__cause__, error):
        if isinstance(each, ssl.SSLError):
            return each
    return None


def _too_slow(_error: BaseException, hop: Hop) -> errors.ConnectTimeout:
    return errors.ConnectTimeout(
        text("transport.connect_timeout", host=hop.host, via_proxy=hop.via_proxy),
        hint=text("transport.connect_timeout_hint"),
    )


def _proxy_refused(error: BaseException, hop: Hop) -> errors.ConnectionFailed:
    if getattr(error, "status", 0) == _PROXY_WANTS_A_USER:
        return proxy_wants_a_user(hop)
    status = getattr(error, "status", 0)
    reach = status >= 500  # noqa: PLR2004 - 5xx
    return errors.ProxyFailed(
        text(
            "transport.proxy_no_way",
            host=hop.host,
            via_proxy=hop.via_proxy,
            status=status,
        ),
        status=status,
        hint=text("transport.proxy_does_not_reach_hint")
        if reach
        else text("transport.proxy_forbids_hint"),
    )


def _proxy_down(error: BaseException, hop: Hop) -> errors.ProxyFailed:
    place = "" if hop.proxy is None else f" {hop.proxy.place}"
    said = text("transport.nothing_there") if _refused(error) else _reason(error)
    return errors.ProxyFailed(
        text("transport.proxy_down", place=place, said=said),
        hint=text("transport.check_proxy"),
    )


def _not_http(error: BaseException, hop: Hop) -> errors.ByteBuddyError:
    asked = getattr(getattr(error, "request_info", None), "method", None)
    if hop.proxy is not None and asked == hdrs.METH_CONNECT:
        return errors.ProxyFailed(
            text("transport.proxy_not_http", place=hop.proxy.place),
            hint=text("transport.check_proxy"),
        )
    said = str(getattr(error, "message", "")).lower()
    if _LONG_HEADER.search(said):
        return errors.MalformedResponse(
            text("transport.header_too_long", host=hop.host),
            hint=text("transport.header_too_long_hint"),
        )
    if _TWO_LENGTHS.search(said):
        return errors.MalformedResponse(
            text("transport.two_lengths", host=hop.host),
            hint=text("transport.two_lengths_hint"),
        )
    return errors.MalformedResponse(
        text("transport.not_http", host=hop.host),
        hint=text("transport.not_http_hint"),
    )


def _connection_refused(hop: Hop) -> errors.ConnectionRefused:
    return errors.ConnectionRefused(
        text("transport.connection_refused", host=hop.host),
        hint=text("transport.connection_refused_hint"),
    )


def _not_connected(error: BaseException, hop: Hop) -> errors.ByteBuddyError:
    if _refused(error):
        return _connection_refused(hop)
    cause = getattr(error, "os_error", error)
    if hop.secure and isinstance(cause, ConnectionError):
        return broken_off(hop.host)
    if isinstance(cause, TimeoutError):
        return _too_slow(error, hop)
    if _unreachable(cause):
        return errors.HostUnreachable(
            text("transport.unreachable", host=hop.host, error=_reason(error)),
            hint=text("transport.unreachable_hint"),
        )
    return errors.ConnectionFailed(
        text("transport.no_connection", host=hop.host, error=_reason(error)),
        hint=text("transport.no_connection_hint"),
    )


def _lost(error: BaseException, hop: Hop) -> errors.ConnectionFailed:
    cause = _cause(error)
    if cause is not None:
        shows = hop.shows_certificate
        refused = client_refused(cause, hop.host, shows_certificate=shows)
        if refused is not None:
            return refused
    return errors.ConnectionLost(
        text("transport.connection_lost", host=hop.host, via_proxy=hop.via_proxy),
        hint=_retry_hint(hop),
    )


def _retry_hint(hop: Hop) -> str:
    proxy = hop.proxy
    if proxy is not None and proxy.scheme == "http":
        return text("transport.try_tls_to_proxy")
    if hop.secure:
        return text("transport.try_again")
    return text("transport.try_tls")


def _reason(error: BaseException) -> str:
    cause = getattr(error, "os_error", error)
    return getattr(cause, "strerror", None) or type(cause).__name__


def _refused(error: BaseException) -> bool:
    """Return whether nothing listens; several addresses give one joined text."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, ConnectionRefusedError):
        return True
    several = isinstance(error, aiohttp.ClientConnectorError)
    return several and "refused" in str(cause).lower()


def _unreachable(cause: BaseException) -> bool:
    """Return whether no way leads there; several addresses give one joined text."""
    said = str(cause).lower()
    known = getattr(cause, "errno", None) in _NO_WAY
    return known or "unreachable" in said or "no route to host" in said


_Maker = Callable[[BaseException, Hop], errors.ByteBuddyError]

# The first that fits: the kinds are subclasses of one another.
_MAKERS: Final[tuple[tuple[type | tuple[type, ...], _Maker], ...]] = (
    ((aiohttp.ClientConnectorDNSError, UnicodeError), _not_resolved),
    (aiohttp.ConnectionTimeoutError, _too_slow),
    ((aiohttp.ClientSSLError, ssl.SSLError), _tls_failed),
    (aiohttp.ClientHttpProxyError, _proxy_refused),
    (aiohttp.ClientProxyConnectionError, _proxy_down),
    ((http_exceptions.HttpProcessingError, aiohttp.InvalidURL), _not_http),
    (aiohttp.ClientResponseError, _not_http),
    (aiohttp.ClientConnectorError, _not_connected),
)
