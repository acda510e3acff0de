"""Serve a handler on a real socket, with endings as rude as scripted."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from aiohttp import web

from bytebuddy_provider_hf.testing.script import (
    Cut,
    FakeReply,
    Handler,
    Send,
    Wait,
    request_to,
    steps,
)

# Nobody is waited for when a test is over.
_SHUTDOWN: Final = 0.1


@asynccontextmanager
async def serve(handler: Handler, *, port: int = 0) -> AsyncIterator[str]:
    """Serve ``handler`` on 127.0.0.1; the value is the base URL."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        seen = request_to(
            str(request.url),
            method=request.method,
            headers=dict(request.headers),
            # Not request.read(), which refuses more than a megabyte.
            body=await request.content.read(),
        )
        reply = await handler(seen)
        whole = False
        response: web.StreamResponse
        try:
            response, whole = await _sent(request, reply)
        except ConnectionError:
            # The caller left: ``whole`` tells that, and it is no fault of the server.
            response = web.Response()
        finally:
            reply.ended(whole=whole)
        return response

    # handler_cancellation: a caller that leaves must be noticed at once.
    server = web.Server(answer, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN)
    await runner.setup()
    try:
        # By address: looked up, "localhost" may be ::1 first.
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        host, bound = runner.addresses[0][:2]
        yield f"http://{host}:{bound}"
    finally:
        await runner.cleanup()


async def _sent(
    request: web.BaseRequest, reply: FakeReply
) -> tuple[web.StreamResponse, bool]:
    if reply.delay:
        await asyncio.sleep(reply.delay)
    if reply.dropped:
        _close(request, reset=reply.reset)
        return web.Response(), False
    if reply.ending == "close":
        return await _sent_until_close(request, reply)
    response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
    if reply.ending == "chunked":
        response.enable_chunked_encoding()
    else:
        response.content_length = len(reply.content)
    await response.prepare(request)
    for step in steps(reply):
        if isinstance(step, Send):
            await response.write(step.data)
        elif isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Cut):
            _close(request, reset=step.reset)
            return response, False
        else:
            await _forever()
    # The chunk of length 0, or the last byte that was announced.
    await response.write_eof()
    return response, True


async def _sent_until_close(
    request: web.BaseRequest, reply: FakeReply
) -> tuple[web.StreamResponse, bool]:
    # aiohttp's own responses always tell their length or are chunked.
    transport = request.transport
    whole = False
    if transport is not None:
        known = {status.value: status.phrase for status in HTTPStatus}
        lines = [
            f"HTTP/1.1 {reply.status} {known.get(reply.status, 'Unknown')}",
            "connection: close",
            *(f"{name}: {value}" for name, value in reply.headers.items()),
        ]
        transport.write("\r\n".join([*lines, "", ""]).encode())
        whole = True
        for step in steps(reply):
            if isinstance(step, Send):
                transport.write(step.data)
                await asyncio.sleep(0)
            elif isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Cut):
                whole = False
            else:
                await _forever()
    _close(request, reset=reply.reset and not whole)
    return web.Response(), whole


def _close(request: web.BaseRequest, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if reset:
        sock = transport.get_extra_info("socket")
        # No lingering: the kernel sends RST and forgets what was not yet sent.
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.close()


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()
