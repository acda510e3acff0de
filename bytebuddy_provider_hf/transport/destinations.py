"""Everything about the way to an origin, settled once when a model opens."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import InsecureEndpoint, InvalidOption
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.transport.http_client import Destination
from bytebuddy_provider_hf.transport.proxies import Proxy, proxy_for
from bytebuddy_provider_hf.transport.tls import CaBundle, ca_bundle

# RFC 9110, 5.1 and 5.5: a token, and visible text with spaces and tabs in it.
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
# How a request is framed is not for a file to say: two answers to it are smuggling.
_FRAMING: Final = frozenset(
    {"connection", "content-length", "te", "trailer", "transfer-encoding", "upgrade"}
)


def destination_for(
    origin: str,
    credential: Secret | None,
    options: RequestOptions,
    *,
    env: Mapping[str, str],
) -> Destination:
    """Return the way to ``origin``: proxy and authorities by options, then ``env``.

    Raises ``InvalidOption``, and ``InsecureEndpoint`` where a proxy elsewhere could
    read the token.
    """
    for name, value in options.headers.items():
        _check_header(name, value)
    proxy = proxy_for(origin, options, env)
    secret = credential is not None or options.headers
    plain = not origin.startswith("https://")
    if proxy is not None and not proxy.loopback and plain and secret:
        raise InsecureEndpoint(
            f"The proxy {proxy.place} could read the token or headers for {origin}.",
            hint="Name the host in requestOptions.noProxy.",
        )
    trusted = ca_bundle(options, env)
    key = _key(options, proxy, trusted)
    return Destination(origin, credential, options, key, proxy, trusted)


def _check_header(name: str, value: Secret) -> None:
    if not _NAME.fullmatch(name):
        wrong = "its name is no header's name"
    elif name.lower() in _FRAMING:
        wrong = "how a request is framed is for the client to say"
    elif not _VALUE.fullmatch(value.reveal()):
        wrong = "its value has a line break or a character outside Latin-1"
    else:
        return
    raise InvalidOption(
        f"The header {name!r} of requestOptions.headers cannot be sent: {wrong}.",
        hint="Correct it, or leave it out.",
    )


def _key(options: RequestOptions, proxy: Proxy | None, trusted: CaBundle) -> str:
    """Return a text equal for ways that can share connections."""
    headers = sorted((k.lower(), v.fingerprint) for k, v in options.headers.items())
    certificate = options.client_certificate
    parts = (
        headers,
        options.connect_timeout,
        options.verify_ssl,
        trusted.system,
        trusted.paths,
        None if proxy is None else (proxy.url, _print_of(proxy.authorization)),
        None
        if certificate is None
        else (certificate.cert, certificate.key, _print_of(certificate.passphrase)),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _print_of(secret: Secret | None) -> str:
    return "" if secret is None else secret.fingerprint
