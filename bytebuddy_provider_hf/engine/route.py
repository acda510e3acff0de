"""A model's way: target, credential and request options, resolved once at opening."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.transport.destinations import destination_for
from bytebuddy_provider_hf.transport.port import Destination
from bytebuddy_provider_hf.transport.retry import MAX_ATTEMPTS
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
    first_byte_timeout: float
    max_attempts: int
    wait_for_server: bool
    extra: Mapping[str, object]

    def scrub(self, text: str) -> str:
        """Return ``text`` without this route's secrets, should a server echo one."""
        if self.credential is not None:
            text = self.credential.secret.scrub(text)
        for value in self.destination.options.headers.values():
            text = value.scrub(text)
        proxy = self.destination.proxy
        return text if proxy is None else proxy.scrub(text)


def route(
    target: Target,
    credential: Credential | None,
    options: RequestOptions,
    *,
    env: Mapping[str, str],
) -> Route:
    """Return the route to ``target``, with the built-in defaults filled in.

    ``env`` may name a proxy and authorities.
    """
    secret = None if credential is None else credential.secret
    destination = destination_for(target.origin, secret, options, env=env)
    return Route(
        target=target,
        destination=destination,
        credential=credential,
        timeout=options.timeout or TIMEOUT,
        cold_start_timeout=options.cold_start_timeout or COLD_START_TIMEOUT,
        idle_timeout=options.idle_timeout or IDLE_TIMEOUT,
        no_data_timeout=options.no_data_timeout or NO_DATA_TIMEOUT,
        first_byte_timeout=options.first_byte_timeout or math.inf,
        max_attempts=options.max_attempts or MAX_ATTEMPTS,
        wait_for_server=bool(options.wait_for_server),
        extra=options.extra_body_properties,
    )
