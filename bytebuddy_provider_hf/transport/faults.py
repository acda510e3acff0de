"""Translate aiohttp's errors into ours; nothing of theirs is kept.

Their errors hold the request with its ``Authorization`` header, so ours are made from
plain words and raised outside the ``except`` block that caught theirs.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs, http_exceptions
from attrs import frozen

from bytebuddy_provider_hf import errors
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
# Not every system has all of these.
_NO_SUCH_NAME: Final = frozenset(
    getattr(socket, name, None)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
)
_NO_WAY: Final = frozenset(
    getattr(errno, name, None)
    for name in ("ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EHOSTDOWN")
)
_CHECK_PROXY: Final = (
    "Check requestOptions.proxy, or the variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY."
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
        return "" if self.proxy is None else f" through the proxy {self.proxy.place}"


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
            f"The proxy{place} wants a user name and password.",
            status=_PROXY_WANTS_A_USER,
            hint="Write USER:PASSWORD@ into its address, before the host.",
        )
    return errors.ProxyAuthenticationFailed(
        f"The proxy{place} refused the user name and password.",
        status=_PROXY_WANTS_A_USER,
        hint="Correct them in its address, signs such as @ : / # % percent-encoded; "
        "no other scheme than `Basic` is supported.",
    )


def _not_resolved(error: BaseException, hop: Hop) -> errors.ConnectionFailed:
    code = getattr(getattr(error, "os_error", None), "errno", None)
    # A text that cannot be a name (UnicodeError) has no code at all.
    later = code is not None and code not in _NO_SUCH_NAME
    if hop.proxy is not None:
        # Behind a proxy only its own name is looked up here.
        verb = "could not be looked up" if later else "does not exist"
        return errors.ProxyFailed(
            f"The name of the proxy {hop.proxy.place} {verb}.", hint=_CHECK_PROXY
        )
    if later:
        return errors.HostLookupFailed(
            f"The name {hop.name} could not be looked up.",
            hint="Check the network and its DNS, and try again.",
        )
    return errors.HostNotFound(
        f"There is no host named {hop.name}.",
        hint="Check the spelling of apiBase and the network's DNS.",
    )


def _tls_failed(error: BaseException, hop: Hop) -> errors.ConnectionFailed:
    host, proxy = hop.host, hop.proxy
    met = (getattr(error, "host", None), getattr(error, "port", None))
    if proxy is not None and met == (proxy.host, proxy.port):
        host = f"the proxy {proxy.place}"
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
        f"No connection to {hop.host}{hop.via_proxy} in time.",
        hint="Check the address, the network and the proxy settings; "
        "requestOptions.connectTimeout sets how long to try.",
    )


def _proxy_refused(error: BaseException, hop: Hop) -> errors.ConnectionFailed:
    if getattr(error, "status", 0) == _PROXY_WANTS_A_USER:
        return proxy_wants_a_user(hop)
    status = getattr(error, "status", 0)
    reach = status >= 500  # noqa: PLR2004 - 5xx
    return errors.ProxyFailed(
        f"There is no way to {hop.host}{hop.via_proxy}: it answered {status}.",
        status=status,
        hint="Check apiBase, and try again: the proxy does not reach the server."
        if reach
        else "The proxy does not allow it; name the host in requestOptions.noProxy if "
        "it can be reached directly.",
    )


def _proxy_down(error: BaseException, hop: Hop) -> errors.ProxyFailed:
    place = "" if hop.proxy is None else f" {hop.proxy.place}"
    said = "nothing listens there" if _refused(error) else _reason(error)
    return errors.ProxyFailed(
        f"No connection to the proxy{place}: {said}.", hint=_CHECK_PROXY
    )


def _not_http(error: BaseException, hop: Hop) -> errors.ByteBuddyError:
    asked = getattr(getattr(error, "request_info", None), "method", None)
    if hop.proxy is not None and asked == hdrs.METH_CONNECT:
        return errors.ProxyFailed(
            f"The proxy {hop.proxy.place} does not speak HTTP.", hint=_CHECK_PROXY
        )
    return errors.MalformedResponse(
        f"{hop.host} does not speak HTTP as expected.",
        hint="Check that apiBase names a model server and the right scheme.",
    )


def _connection_refused(hop: Hop) -> errors.ConnectionRefused:
    return errors.ConnectionRefused(
        f"Nothing listens at {hop.host}.",
        hint="Start the server, or check host and port of apiBase.",
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
            f"There is no way to {hop.host}: {_reason(error)}.",
            hint="Check the network and the VPN; where only a proxy leads out, name "
            "it in requestOptions.proxy.",
        )
    return errors.ConnectionFailed(
        f"No connection to {hop.host}: {_reason(error)}.",
        hint="Check the address and the network.",
    )


def _lost(error: BaseException, hop: Hop) -> errors.ConnectionFailed:
    cause = _cause(error)
    if cause is not None:
        shows = hop.shows_certificate
        refused = client_refused(cause, hop.host, shows_certificate=shows)
        if refused is not None:
            return refused
    return errors.ConnectionLost(
        f"The connection to {hop.host}{hop.via_proxy} broke before the answer was "
        "whole.",
        hint=_retry_hint(hop),
    )


def _retry_hint(hop: Hop) -> str:
    proxy = hop.proxy
    if proxy is not None and proxy.scheme == "http":
        return "Try again; if the proxy speaks TLS, write https:// in its address."
    if hop.secure:
        return "Try again."
    return "Try again; if the server speaks TLS, write https:// instead of http://."


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
