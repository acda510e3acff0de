"""Asking the router's catalogue who serves a model; it wants no token."""

from __future__ import annotations

import asyncio
import os
from typing import Final
from urllib.parse import quote

from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.secret import Environment
from bytebuddy_provider_hf.transport.destinations import destination_for
from bytebuddy_provider_hf.transport.port import Connect
from bytebuddy_provider_hf.wire import decode
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.target import ROUTER

PATIENCE: Final = 3.0

_LARGEST: Final = 1024 * 1024
_OK: Final = 200
_NOT_FOUND: Final = 404


def served_by(
    model: str,
    *,
    connect: Connect,
    origin: str = ROUTER,
    patience: float = PATIENCE,
) -> tuple[str, ...] | None:
    """Return the providers that serve ``model`` now; ``None`` if that is not known.

    Silent: without a network, or after ``patience`` seconds, nothing is known.
    """

    async def ask() -> tuple[str, ...] | None:
        async with asyncio.timeout(patience):
            return await _ask(model, connect, origin)

    try:
        return asyncio.run(ask())
    except (TimeoutError, ByteBuddyError):
        return None


async def _ask(model: str, connect: Connect, origin: str) -> tuple[str, ...] | None:
    options = RequestOptions(connect_timeout=PATIENCE)
    env = Environment(os.environ)
    channel = connect(destination_for(origin, None, options, env=env))
    try:
        url = f"{origin}/v1/models/{quote(model, safe='/')}"
        response = await channel.send(Call(url, method="GET"))
        try:
            body = await response.read(_LARGEST)
        finally:
            response.close()
    finally:
        await channel.aclose()
    if response.status == _NOT_FOUND:
        return ()
    return providers(body) if response.status == _OK else None


def providers(body: bytes) -> tuple[str, ...] | None:
    """Return the live providers in the catalogue's answer.

    It is the model's object, alone or as ``data``
    (docs/inference-providers/hub-api.md of Hugging Face's documentation).
    """
    value = decode.loads(body)
    if isinstance(value, dict) and "data" in value:
        value = value["data"]
    if isinstance(value, list):
        value = value[0] if value else None
    listed = value.get("providers") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        return None
    return tuple(
        one["provider"]
        for one in listed
        if isinstance(one, dict)
        and isinstance(one.get("provider"), str)
        and one.get("status", "live") == "live"
    )
