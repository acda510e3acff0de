"""TCP proxies that treat what passes badly: split, cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    suppress,
)
from urllib.parse import urlsplit

Passer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_BLOCK = 65_536


async def _pass_whole(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while block := await reader.read(_BLOCK):
        writer.write(block)
        await writer.drain()


def _passer_of_pieces(size: int) -> Passer:
    async def passed(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while block := await reader.read(_BLOCK):
            for at in range(0, len(block), size):
                writer.write(block[at : at + size])
                await writer.drain()
                # The other side gets its turn between two pieces.
                await asyncio.sleep(0)

    return passed


def _passer_of_first(count: int) -> Passer:
    async def passed(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        left = count
        while left > 0 and (block := await reader.read(min(left, _BLOCK))):
            left -= len(block)
            writer.write(block)
            await writer.drain()

    return passed


@asynccontextmanager
async def closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close ``writer`` at the end, whatever comes between."""
    try:
        yield
    finally:
        # First, so that a second cancellation finds it closed.
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _quietly(work: Awaitable[None]) -> None:
    # Either side may go away in the middle: that is what is being tested.
    with suppress(OSError):
        await work


@asynccontextmanager
async def _proxy(url: str, answer: Passer) -> AsyncIterator[str]:
    target = urlsplit(url)
    busy: set[asyncio.Task[None]] = set()

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        task.add_done_callback(busy.discard)
        async with closing(writer):
            upstream, up = await asyncio.open_connection(target.hostname, target.port)
            async with closing(up), asyncio.TaskGroup() as both:
                asking = both.create_task(_quietly(_pass_whole(reader, up)))
                # The end of the answer, or of the asker, is the end of both.
                answering = both.create_task(_quietly(answer(upstream, writer)))
                answering.add_done_callback(lambda _: asking.cancel())
                asking.add_done_callback(lambda _: answering.cancel())

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        for task in tuple(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


def splitting_proxy(url: str, *, size: int = 1) -> AbstractAsyncContextManager[str]:
    """Stand before ``url`` and pass its answers on in pieces of ``size`` bytes."""
    return _proxy(url, _passer_of_pieces(size))


def cutting_proxy(url: str, *, after: int) -> AbstractAsyncContextManager[str]:
    """Stand before ``url`` and close each connection ``after`` bytes of answer.

    The head of the answer counts too.
    """
    return _proxy(url, _passer_of_first(after))
