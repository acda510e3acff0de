"""aiohttp's session for a destination: connections, headers, proxy.

The credential stands in the session's default headers and nowhere else, so no local
variable of a call, and so no traceback, can show it. Not so where a proxy is used:
aiohttp sends a session's default headers to the proxy as well, ``Authorization`` as
``Proxy-Authorization`` (``_update_proxy_auth_header_and_build_proxy_req``); there they
are given with each request.
"""

from __future__ import annotations

import socket
import ssl
from contextvars import ContextVar
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from bytebuddy_provider_hf.transport import tls
from bytebuddy_provider_hf.transport.http_client import Destination

CONNECT_TIMEOUT: Final = 10.0
# Below the 15 s after which common servers close an idle connection.
_KEEPALIVE: Final = 12.0
_DNS_CACHE: Final = 60
_AGENT: Final = "bytebuddy-provider-hf"


class RequestTrace:
    """Whether one request made a connection of its own, and got the start of an answer.

    The start of one is what came before a connection broke, as far as aiohttp tells.
    """

    __slots__ = ("answered", "connected")

    def __init__(self) -> None:
        self.connected = False
        self.answered = False


request_trace: Final[ContextVar[RequestTrace]] = ContextVar("trip")


def session(destination: Destination, *, keep: bool = True) -> aiohttp.ClientSession:
    """Return a session; connections are kept for the next request unless told."""
    made = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,  # permits bound what is in flight
            keepalive_timeout=_KEEPALIVE if keep else None,
            force_close=not keep,
            ttl_dns_cache=_DNS_CACHE,
            socket_factory=_socket,
            ssl=_tls(destination),
        ),
        headers=_default_headers(destination),
        cookie_jar=aiohttp.DummyCookieJar(),
        # As nothing waits for a place in the pool, "connect" bounds look-up, a proxy's
        # answer to CONNECT and the handshakes, all of them together.
        timeout=aiohttp.ClientTimeout(
            total=None, connect=destination.options.connect_timeout or CONNECT_TIMEOUT
        ),
        # Neither a netrc file nor the process's variables: proxies.py reads those.
        trust_env=False,
        auto_decompress=True,
    )
    # Or a GET on a kept connection that broke would be sent again, uncounted.
    made._retry_connection = False  # noqa: SLF001 - aiohttp has no other switch
    return made


def own_headers(destination: Destination) -> CIMultiDict[str]:
    """Return what each request carries because the session must not."""
    proxy = destination.proxy
    if proxy is None:
        return CIMultiDict()
    headers = _headers(destination)
    if proxy.authorization is not None and destination.origin.startswith("http://"):
        # aiohttp sends proxy_headers with CONNECT only.
        headers["Proxy-Authorization"] = proxy.authorization.reveal()
    return headers


def proxy(destination: Destination) -> tuple[URL | None, CIMultiDict[str] | None]:
    """Return a proxy's address, and the headers for it alone."""
    proxy = destination.proxy
    if proxy is None:
        return None, None
    headers: CIMultiDict[str] = CIMultiDict()
    if proxy.authorization is not None:
        headers["Proxy-Authorization"] = proxy.authorization.reveal()
    return URL(proxy.url), headers


def _default_headers(destination: Destination) -> CIMultiDict[str]:
    headers = CIMultiDict(
        {
            "User-Agent": _AGENT,
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
    )
    if destination.proxy is None:
        headers.update(_headers(destination))
    return headers


def _headers(destination: Destination) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    if destination.credential is not None:
        headers["Authorization"] = f"Bearer {destination.credential.reveal()}"
    for name, value in destination.options.headers.items():
        headers[name] = value.reveal()
    return headers


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket and note for whom (a TraceConfig would add 30 Python calls)."""
    request_trace.get().connected = True
    family, kind, protocol, _, _ = address
    return socket.socket(family=family, type=kind, proto=protocol)


def _tls(destination: Destination) -> ssl.SSLContext | bool:
    proxy = destination.proxy
    used = destination.origin.startswith("https://")
    if not used and (proxy is None or proxy.scheme != "https"):
        return True  # there is no certificate to check
    return tls.context(destination.origin, destination.options, destination.authorities)
