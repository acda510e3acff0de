"""Asking the Hub whose token this is and what it may do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.config.trust import is_loopback, origin_of
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    AuthenticationFailed,
    InvalidEndpoint,
    MalformedResponse,
    RateLimited,
    UnexpectedStatus,
)
from bytebuddy_provider_hf.secret import Environment, Secret, one_line
from bytebuddy_provider_hf.transport.http_client import (
    HttpClientFactory,
    destination_for,
)
from bytebuddy_provider_hf.wire.http_request import HttpRequest

INFERENCE: Final = "inference.serverless.write"
TOKEN_PAGE: Final = (
    f"{HUB}/settings/tokens/new?ownUserPermissions={INFERENCE}&tokenType=fineGrained"
)

_LARGEST: Final = 1024 * 1024
_LONGEST_NAME: Final = 100
_OK: Final = 200
_REFUSED: Final = frozenset({401, 403})
_TOO_MANY: Final = 429


@frozen
class Identity:
    """Who a token belongs to. ``may_infer`` is ``None`` where the Hub did not say."""

    name: str
    token_name: str = ""
    role: str = ""
    may_infer: bool | None = None


async def whoami(token: Secret, *, hub: str, connect: HttpClientFactory) -> Identity:
    """Ask ``hub`` who ``token`` belongs to.

    Raises:
        AuthenticationFailed: The Hub does not know the token.
        ByteBuddyError: The Hub cannot be reached, or answers something else.
    """
    origin = hub_origin(hub)
    options = RequestOptions(connect_timeout=10)
    env = Environment(os.environ)
    client = connect(destination_for(origin, token, options, env=env))
    try:
        call = HttpRequest(f"{origin}/api/whoami-v2", method="GET")
        response = await client.send(call)
        try:
            # Before the body: a server may echo the token, and this frame may be shown.
            _check(response.status)
            body = await response.read(_LARGEST)
        finally:
            response.close()
    finally:
        await client.aclose()
    return identity(body)


def hub_origin(hub: str) -> str:
    """Return the origin of ``hub``: the Hub itself, or a server on this machine."""
    origin = origin_of(hub)
    if origin == HUB or is_loopback(origin):
        return origin
    message = "a token is only tried at huggingface.co"
    raise InvalidEndpoint(message)


def identity(body: bytes) -> Identity:
    """Return what the Hub's answer says."""
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    name = _text(answer, "name")
    if not name:
        message = "the Hub's answer to whoami-v2 names nobody"
        raise MalformedResponse(message)
    token = _member(_member(answer, "auth"), "accessToken")
    role = _text(token, "role")
    shown = one_line(_text(token, "displayName"), limit=_LONGEST_NAME)
    name = one_line(name, limit=_LONGEST_NAME)
    return Identity(name, shown, role, _may_infer(role, token))


def _check(status: int) -> None:
    if status == _OK:
        return
    if status in _REFUSED:
        message = "Hugging Face does not know this token"
        raise AuthenticationFailed(
            message, status=status, hint=f"Make a new one: {TOKEN_PAGE}"
        )
    if status == _TOO_MANY:
        message = "Hugging Face has been asked about tokens too often"
        raise RateLimited(
            message, status=status, hint="Wait some minutes, or use --no-check."
        )
    message = f"the Hub answered whoami-v2 with status {status}"
    raise UnexpectedStatus(message, status=status, hint="Use --no-check to go on.")


def _may_infer(role: str, token: object) -> bool | None:
    if role in {"read", "write"}:
        return True
    if role != "fineGrained":
        return None
    return INFERENCE in set(_permissions(_member(token, "fineGrained")))


def _permissions(granted: object) -> Iterator[str]:
    # Both places occur: "global", and "permissions" of each scope.
    groups = [_member(granted, "global")]
    groups += [_member(scope, "permissions") for scope in _list(granted, "scoped")]
    for group in groups:
        if isinstance(group, list):
            yield from (each for each in group if isinstance(each, str))


def _member(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: object, key: str) -> str:
    found = _member(value, key)
    return found if isinstance(found, str) else ""


def _list(value: object, key: str) -> list[object]:
    found = _member(value, key)
    return found if isinstance(found, list) else []
