"""Send a built call to a server, with nothing of the engine between."""

from __future__ import annotations

import aiohttp

from bytebuddy_provider_hf.wire.http_request import HttpRequest


async def ask(call: HttpRequest, *, key: str | None = None) -> tuple[int, bytes]:
    """Return the status and the whole body of the answer."""
    headers = {"accept": call.accept, "content-type": "application/json"}
    headers |= dict(call.headers)
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            call.method, call.url, data=call.body or None, headers=headers
        ) as response,
    ):
        return response.status, await response.read()
