"""Who may send, and when: the port, and its form for one process.

Machines that share an account will share permits, rates and gates behind the same
port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import urlsplit

from attrs import frozen

from bytebuddy_provider_hf.transport.lane import Lane
from bytebuddy_provider_hf.transport.limiter import FIRST_LIMIT, Limiter
from bytebuddy_provider_hf.transport.port import Destination
from bytebuddy_provider_hf.wire.target import Place, place_of

MAX_CONCURRENCY: Final = 32
MAX_QUEUE: Final = 10_000
# So many models, and accounts, are remembered after their last call.
_KEPT: Final = 1_024


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
        self._most = _KEPT

    def lane(self, destination: Destination, model: str) -> Lane:
        """Return the way into a model: one for each origin, credential and model."""
        key = (destination.account, model)
        lane = self._lanes.get(key)
        if lane is None:
            if len(self._lanes) >= self._most:
                self._forget()
            place = place_of(urlsplit(destination.origin).hostname or "")
            here = place is Place.LOOPBACK
            limiter = self._limiter(destination.account, local=here)
            lane = Lane(
                limiter=limiter, loop=self._loop, jitter=self._jitter, local=here
            )
            self._lanes[key] = lane
        options = destination.options
        if lane.options is not options:
            lane.options = options
            lane.limiter.configure(
                max_concurrency=options.max_concurrency, max_queue=options.max_queue
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

    def close(self) -> None:
        """Stop every timer."""
        for lane in self._lanes.values():
            lane.close()
        for limiter in self._limiters.values():
            limiter.close()

    def _limiter(self, account: str, *, local: bool) -> Limiter:
        limiter = self._limiters.get(account)
        if limiter is None:
            limiter = self._limiters[account] = Limiter(
                loop=self._loop,
                max_concurrency=MAX_CONCURRENCY,
                max_queue=MAX_QUEUE,
                first=MAX_CONCURRENCY if local else FIRST_LIMIT,
            )
        return limiter

    def _forget(self) -> None:
        """Drop what is idle; a script may name models without end.

        The next time comes when twice as many as stay are there, so that a model costs
        the same however many there are.
        """
        now = self._loop.time()
        for key, lane in list(self._lanes.items()):
            if lane.idle(now):
                lane.close()
                del self._lanes[key]
        used = {account for account, _ in self._lanes}
        for account, limiter in list(self._limiters.items()):
            if account not in used and limiter.idle(now):
                del self._limiters[account]
        self._most = max(_KEPT, 2 * len(self._lanes))
