"""Who may send, and when: the port, and its form for one process.

Machines that share an account will share permits, rates and gates behind the same
port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from attrs import frozen

from bytebuddy_provider_hf.transport.lane import Lane
from bytebuddy_provider_hf.transport.limiter import Limiter
from bytebuddy_provider_hf.transport.port import Destination

MAX_CONCURRENCY: Final = 32
MAX_QUEUE: Final = 10_000


@frozen
class Counters:
    """What is in use; all zero when nothing is under way."""

    permits: int
    queued: int
    lanes_active: int


class Coordinator(Protocol):
    """Permits, rates and cold gates."""

    def lane(self, destination: Destination, model: str) -> Lane:
        """Return the way into a model at a destination."""
        ...

    def counters(self) -> Counters:
        """Return what is in use now."""
        ...

    def close(self) -> None:
        """Stop every timer."""
        ...


class LocalCoordinator:
    """Permits for each origin and credential, a lane for each model of these."""

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, jitter: Callable[[], float]
    ) -> None:
        self._loop = loop
        self._jitter = jitter
        self._limiters: dict[str, Limiter] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}

    def lane(self, destination: Destination, model: str) -> Lane:
        """Return the way into a model: one for each origin, credential and model."""
        key = (destination.account, model)
        lane = self._lanes.get(key)
        if lane is None:
            limiter = self._limiter(destination)
            lane = Lane(limiter=limiter, loop=self._loop, jitter=self._jitter)
            self._lanes[key] = lane
        return lane

    def counters(self) -> Counters:
        """Return what is in use now."""
        limiters, lanes = self._limiters.values(), self._lanes.values()
        return Counters(
            permits=sum(limiter.in_flight for limiter in limiters),
            queued=sum(limiter.queued for limiter in limiters),
            lanes_active=sum(lane.active for lane in lanes),
        )

    def close(self) -> None:
        """Stop every timer."""
        for lane in self._lanes.values():
            lane.close()
        for limiter in self._limiters.values():
            limiter.close()

    def _limiter(self, destination: Destination) -> Limiter:
        limiter = self._limiters.get(destination.account)
        if limiter is None:
            options = destination.options
            limiter = self._limiters[destination.account] = Limiter(
                loop=self._loop,
                max_concurrency=options.max_concurrency or MAX_CONCURRENCY,
                max_queue=MAX_QUEUE if options.max_queue is None else options.max_queue,
            )
        return limiter
