"""The channels of one loop: shared by calls, closed when they have long been idle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from bytebuddy_provider_hf.transport.bounded import BoundedCache
from bytebuddy_provider_hf.transport.http_client import (
    Destination,
    HttpClient,
    HttpClientFactory,
)


@define(eq=False)
class _Lent:
    client: HttpClient
    users: int = 0


def _in_use(lent: _Lent) -> bool:
    return lent.users > 0


class HttpClients:
    """Lend the channel to each destination; close those nobody has used for longest.

    One that is lent is never closed: its calls may stream, or wait to be sent again.
    """

    def __init__(
        self, connect: HttpClientFactory, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._connect = connect
        self._loop = loop
        self._lent: BoundedCache[str, _Lent] = BoundedCache(
            in_use=_in_use, dropped=self._close
        )
        self._closing: dict[asyncio.Task[None], HttpClient] = {}

    def __len__(self) -> int:
        return len(self._lent)

    def __iter__(self) -> Iterator[HttpClient]:
        return (lent.client for lent in self._lent.values())

    def take(self, destination: Destination) -> HttpClient:
        """Return the channel to a destination, to be given back once."""
        lent = self._lent.get(destination.key)
        if lent is None:
            lent = _Lent(self._connect(destination), users=1)
            self._lent.put(destination.key, lent)
        else:
            lent.users += 1
        return lent.client

    def give_back(self, destination: Destination, client: HttpClient) -> None:
        """Note that a call is over; nothing happens after :meth:`aclose`."""
        lent = self._lent.get(destination.key)
        if lent is not None and lent.client is client:
            lent.users -= 1
            self._lent.trim(destination.key)

    @contextmanager
    def lend(self, destination: Destination) -> Iterator[HttpClient]:
        """Take the channel to a destination for a block."""
        channel = self.take(destination)
        try:
            yield channel
        finally:
            self.give_back(destination, channel)

    async def aclose(self) -> None:
        """Close every connection."""
        channels = [lent.client for lent in self._lent.clear()]
        # The end of a loop cancels its tasks: what they were closing is still open.
        channels += self._closing.values()
        self._closing.clear()
        for channel in channels:
            await channel.aclose()

    def _close(self, lent: _Lent) -> None:
        task = self._loop.create_task(_closed(lent.client))
        self._closing[task] = lent.client
        task.add_done_callback(self._is_closed)

    def _is_closed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._closing.pop(task, None)


async def _closed(client: HttpClient) -> None:
    await client.aclose()
