"""aiohttp's errors become ours; nothing of theirs is kept.

Their errors hold the request with its ``Authorization`` header, so ours are made from
plain words and raised outside the ``except`` block that caught theirs.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp import http_exceptions

from bytebuddy_provider_hf import errors

# Everything that sending or reading can raise besides cancellation. HttpProcessingError
# and its kin are no ClientError; ValueError is what bad headers and URLs give.
RAISED: Final = (
    aiohttp.ClientError,
    http_exceptions.HttpProcessingError,
    OSError,
    EOFError,
    ValueError,
)


def translate(error: BaseException, host: str) -> errors.ByteBuddyError:
    """Return our error for one of theirs; ``host`` is host and port for the message."""
    if isinstance(error, errors.ByteBuddyError):
        return error
    for kinds, make in _MAKERS:
        if isinstance(error, kinds):
            return make(error, host)
    if _refused(error):
        return _connection_refused(error, host)
    return errors.ConnectionLost(
        f"The connection to {host} broke before the answer was whole.",
        hint="Try again.",
    )


def _host_not_found(_error: BaseException, host: str) -> errors.HostNotFound:
    return errors.HostNotFound(
        f"There is no host named {host.rsplit(':', 1)[0]}.",
        hint="Check the spelling of apiBase and the network's DNS.",
    )


def _tls_failed(error: BaseException, host: str) -> errors.TlsFailed:
    cause = getattr(error, "certificate_error", None) or getattr(
        error, "os_error", None
    )
    said = getattr(cause or error, "verify_message", "") or getattr(
        cause or error, "reason", ""
    )
    return errors.TlsFailed(
        f"The TLS connection to {host} failed"
        + (f": {str(said).replace('_', ' ').lower().rstrip('.')}." if said else "."),
        hint="Check the clock and the certificate; for a private authority set "
        "requestOptions.caBundlePath.",
    )


def _too_slow(_error: BaseException, host: str) -> errors.ConnectTimeout:
    return errors.ConnectTimeout(
        f"{host} did not accept a connection in time.",
        hint="Check the address, the network and the proxy settings.",
    )


def _not_http(_error: BaseException, host: str) -> errors.MalformedResponse:
    return errors.MalformedResponse(
        f"{host} does not speak HTTP as expected.",
        hint="Check that apiBase names a model server and the right scheme.",
    )


def _connection_refused(_error: BaseException, host: str) -> errors.ConnectionRefused:
    return errors.ConnectionRefused(
        f"Nothing listens at {host}.",
        hint="Start the server, or check host and port of apiBase.",
    )


def _not_connected(error: BaseException, host: str) -> errors.ConnectionFailed:
    if _refused(error):
        return _connection_refused(error, host)
    cause = getattr(error, "os_error", error)
    said = getattr(cause, "strerror", None) or type(cause).__name__
    return errors.ConnectionFailed(
        f"No connection to {host}: {said}.",
        hint="Check the address and the network.",
    )


def _refused(error: BaseException) -> bool:
    """Whether nothing listens; several addresses tried give one joined text."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, ConnectionRefusedError):
        return True
    several = isinstance(error, aiohttp.ClientConnectorError)
    return several and "refused" in str(cause).lower()


_Maker = Callable[[BaseException, str], errors.ByteBuddyError]

# The first that fits: the kinds are subclasses of one another.
_MAKERS: Final[tuple[tuple[type | tuple[type, ...], _Maker], ...]] = (
    (aiohttp.ClientConnectorDNSError, _host_not_found),
    (aiohttp.ConnectionTimeoutError, _too_slow),
    ((aiohttp.ClientSSLError, ssl.SSLError), _tls_failed),
    ((http_exceptions.HttpProcessingError, aiohttp.InvalidURL), _not_http),
    (aiohttp.ClientResponseError, _not_http),
    (aiohttp.ClientConnectorError, _not_connected),
)
