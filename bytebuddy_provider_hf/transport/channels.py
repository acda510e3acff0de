"""The channels of one loop: shared by calls, closed when they have long been idle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from bytebuddy_provider_hf.transport.bounded import BoundedCache
from bytebuddy_provider_hf.transport.port import Channel, Connect, Destination


@define(eq=False)
class _Lent:
    channel: Channel
    users: int = 0


def _in_use(lent: _Lent) -> bool:
    return lent.users > 0


class Channels:
    """Lend the channel to each destination; close those nobody has used for longest.

    One that is lent is never closed: its calls may stream, or wait to be sent again.
    """

    def __init__(self, connect: Connect, loop: asyncio.AbstractEventLoop) -> None:
        self._connect = connect
        self._loop = loop
        self._lent: BoundedCache[str, _Lent] = BoundedCache(
            in_use=_in_use, dropped=self._close
        )
        self._closing: dict[asyncio.Task[None], Channel] = {}

    def __len__(self) -> int:
        return len(self._lent)

    def __iter__(self) -> Iterator[Channel]:
        return (lent.channel for lent in self._lent.values())

    def take(self, destination: Destination) -> Channel:
        """Return the channel to a destination, to be given back once."""
        lent = self._lent.get(destination.key)
        if lent is None:
            lent = _Lent(self._connect(destination), users=1)
            self._lent.put(destination.key, lent)
        else:
            lent.users += 1
        return lent.channel

    def give_back(self, destination: Destination, channel: Channel) -> None:
        """Note that a call is over; nothing happens after :meth:`aclose`."""
        lent = self._lent.get(destination.key)
        if lent is not None and lent.channel is channel:
            lent.users -= 1
            self._lent.trim(destination.key)

    @contextmanager
    def lend(self, destination: Destination) -> Iterator[Channel]:
        """Take the channel to a destination for a block."""
        channel = self.take(destination)
        try:
            yield channel
        finally:
            self.give_back(destination, channel)

    async def aclose(self) -> None:
        """Close every connection."""
        channels = [lent.channel for lent in self._lent.clear()]
        # The end of a loop cancels its tasks: what they were closing is still open.
        channels += self._closing.values()
        self._closing.clear()
        for channel in channels:
            await channel.aclose()

    def _close(self, lent: _Lent) -> None:
        task = self._loop.create_task(_closed(lent.channel))
        self._closing[task] = lent.channel
        task.add_done_callback(self._is_closed)

    def _is_closed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._closing.pop(task, None)


async def _closed(channel: Channel) -> None:
    await channel.aclose()
