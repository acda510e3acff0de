"""A model's way: target, credential and request options, resolved once at opening."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.transport.port import Destination
from bytebuddy_provider_hf.wire.target import Target

TIMEOUT: Final = 600.0
COLD_START_TIMEOUT: Final = 300.0
IDLE_TIMEOUT: Final = 60.0
NO_DATA_TIMEOUT: Final = 300.0


@frozen
class Route:
    """Everything about a model's calls that does not change from call to call."""

    target: Target
    destination: Destination
    credential: Credential | None
    timeout: float
    cold_start_timeout: float
    idle_timeout: float
    no_data_timeout: float
    extra: Mapping[str, object]

    def scrub(self, text: str) -> str:
        """Return ``text`` without this route's secrets, should a server echo one."""
        if self.credential is not None:
            text = self.credential.secret.scrub(text)
        for value in self.destination.options.headers.values():
            text = value.scrub(text)
        return text


def route(
    target: Target, credential: Credential | None, options: RequestOptions
) -> Route:
    """Return the route to ``target``, with the built-in defaults filled in."""
    secret = None if credential is None else credential.secret
    destination = Destination(target.origin, secret, options, _key(options))
    return Route(
        target=target,
        destination=destination,
        credential=credential,
        timeout=options.timeout or TIMEOUT,
        cold_start_timeout=options.cold_start_timeout or COLD_START_TIMEOUT,
        idle_timeout=options.idle_timeout or IDLE_TIMEOUT,
        no_data_timeout=options.no_data_timeout or NO_DATA_TIMEOUT,
        extra=options.extra_body_properties,
    )


def _key(options: RequestOptions) -> str:
    """Return a text equal for options that can share connections."""
    headers = sorted((k.lower(), v.fingerprint) for k, v in options.headers.items())
    certificate = options.client_certificate
    parts = (
        headers,
        options.connect_timeout,
        options.verify_ssl,
        options.ca_bundle_path,
        options.proxy,
        options.no_proxy,
        None if certificate is None else (certificate.cert, certificate.key),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()
