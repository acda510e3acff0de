"""What models share: connections, permits and cold gates, for each running loop."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Self
from weakref import WeakKeyDictionary

from attrs import frozen

from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.errors import Closed
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.transport.lane import Lane
from bytebuddy_provider_hf.transport.limiter import Limiter
from bytebuddy_provider_hf.transport.port import Channel, Connect, Destination

MAX_CONCURRENCY = 32
MAX_QUEUE = 10_000


@frozen
class Counters:
    """What is in use; all zero when nothing is under way."""

    permits: int
    queued: int
    lanes_active: int


class LoopState:
    """What belongs to one running loop; sockets cannot be used from another."""

    def __init__(self, connect: Connect, jitter: Callable[[], float]) -> None:
        self.loop = asyncio.get_running_loop()
        self.pid = os.getpid()
        self._connect = connect
        self._jitter = jitter
        self._channels: dict[Destination, Channel] = {}
        self._limiters: dict[tuple[str, Secret | None], Limiter] = {}
        self._lanes: dict[tuple[str, Secret | None, str], Lane] = {}

    def channel(self, destination: Destination) -> Channel:
        """Return the connections to a destination."""
        channel = self._channels.get(destination)
        if channel is None:
            channel = self._channels[destination] = self._connect(destination)
        return channel

    def lane(self, destination: Destination, model: str) -> Lane:
        """Return the way into a model: one for each origin, credential and model."""
        key = (destination.origin, destination.credential, model)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(
                limiter=self._limiter(destination), loop=self.loop, jitter=self._jitter
            )
        return lane

    def counters(self) -> Counters:
        """Return what is in use now."""
        limiters, lanes = self._limiters.values(), self._lanes.values()
        return Counters(
            permits=sum(limiter.in_flight for limiter in limiters),
            queued=sum(limiter.queued for limiter in limiters),
            lanes_active=sum(lane.active for lane in lanes),
        )

    async def aclose(self) -> None:
        """Close every connection and stop every look."""
        for lane in self._lanes.values():
            lane.close()
        channels = list(self._channels.values())
        self._channels.clear()
        self._lanes.clear()
        self._limiters.clear()
        for channel in channels:
            await channel.aclose()

    def _limiter(self, destination: Destination) -> Limiter:
        key = (destination.origin, destination.credential)
        options: RequestOptions = destination.options
        limiter = self._limiters.get(key)
        if limiter is None:
            limiter = self._limiters[key] = Limiter(
                max_concurrency=options.max_concurrency or MAX_CONCURRENCY,
                max_queue=options.max_queue or MAX_QUEUE,
            )
        return limiter


class Runtime:
    """Own what models share. Leases count who uses it; the last one out closes it.

    Pass one of your own to give models a transport (``connect``) or a seeded
    ``jitter``; then it lives until your ``aclose``. It can be used from several event
    loops one after the other, and in the child of a fork, which gets connections of
    its own.
    """

    def __init__(
        self,
        *,
        connect: Connect | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._connect = connect
        self._jitter = jitter
        self._states: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopState] = (
            WeakKeyDictionary()
        )
        self._leases = 0
        self._closed = False

    def lease(self) -> Lease:
        """Return a lease: while one is held, connections stay open."""
        self._leases += 1
        return Lease(self)

    def state(self) -> LoopState:
        """Return what belongs to the running loop, made on first use."""
        if self._closed:
            raise Closed("The runtime was closed.", hint="Make a new Runtime.")
        loop = asyncio.get_running_loop()
        state = self._states.get(loop)
        if state is None or state.pid != os.getpid():
            state = LoopState(self._connect or _sockets, self._jitter)
            self._states[loop] = state
        return state

    def counters(self) -> Counters:
        """Return what is in use on the running loop."""
        return self.state().counters()

    async def aclose(self) -> None:
        """Close everything on the running loop; nothing can be sent afterwards."""
        self._closed = True
        await self._close_state()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def _returned(self) -> None:
        self._leases -= 1
        if self._leases == 0:
            await self._close_state()

    async def _close_state(self) -> None:
        state = self._states.pop(asyncio.get_running_loop(), None)
        if state is not None and state.pid == os.getpid():
            await state.aclose()


class Lease:
    """The right to use a runtime; returned once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime: Runtime | None = runtime

    def state(self) -> LoopState:
        """Return what belongs to the running loop; raises ``Closed``."""
        if self._runtime is None:
            raise Closed("The model was closed.", hint="Open it again.")
        return self._runtime.state()

    async def aclose(self) -> None:
        """Give the lease back; safe to call again."""
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime._returned()  # noqa: SLF001 - a lease is a part of its runtime


def _sockets(destination: Destination) -> Channel:
    # aiohttp is imported when the first request leaves, not when a model opens.
    from bytebuddy_provider_hf.transport.pool import connect

    return connect(destination)


shared_runtime = Runtime()
