"""Who may send, and when: the port, and its form for one process.

Machines that share an account will share permits, rates and cold starts behind the same
port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import urlsplit

from attrs import frozen

from bytebuddy_provider_hf.address import HostKind, host_kind
from bytebuddy_provider_hf.scheduling.limiter import FIRST_LIMIT, Limiter
from bytebuddy_provider_hf.scheduling.model_queue import ModelQueue
from bytebuddy_provider_hf.transport.http_client import Destination

MAX_CONCURRENCY: Final = 32
MAX_QUEUE: Final = 10_000
# So many models, and accounts, are remembered after their last call.
_KEPT: Final = 1_024


@frozen
class Counters:
    """What is in use; all zero when nothing is under way."""

    permits: int
    queued: int
    queues_active: int


class Coordinator(Protocol):
    """Permits, rates and cold starts."""

    def model_queue(self, destination: Destination, model: str) -> ModelQueue:
        """Return the way into a model at a destination."""
        ...

    def counters(self) -> Counters:
        """Return what is in use now."""
        ...

    def close(self) -> None:
        """Stop every timer."""
        ...


class LocalCoordinator:
    """Permits for each origin and credential, a queue for each model of these."""

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, jitter: Callable[[], float]
    ) -> None:
        self._loop = loop
        self._jitter = jitter
        self._limiters: dict[str, Limiter] = {}
        self._queues: dict[tuple[str, str], ModelQueue] = {}
        self._most = _KEPT

    def model_queue(self, destination: Destination, model: str) -> ModelQueue:
        """Return the way into a model: one for each origin, credential and model."""
        key = (destination.account, model)
        queue = self._queues.get(key)
        if queue is None:
            if len(self._queues) >= self._most:
                self._evict_idle()
            place = host_kind(urlsplit(destination.origin).hostname or "")
            here = place is HostKind.LOOPBACK
            limiter = self._limiter(destination.account, local=here)
            queue = ModelQueue(
                limiter=limiter, loop=self._loop, jitter=self._jitter, local=here
            )
            self._queues[key] = queue
        options = destination.options
        if queue.options is not options:
            queue.options = options
            queue.limiter.configure(
                max_concurrency=options.max_concurrency, max_queue=options.max_queue
            )
        return queue

    def counters(self) -> Counters:
        """Return what is in use now."""
        limiters, queues = self._limiters.values(), self._queues.values()
        return Counters(
            permits=sum(limiter.in_flight for limiter in limiters),
            queued=sum(limiter.queued for limiter in limiters),
            queues_active=sum(queue.active for queue in queues),
        )

    def close(self) -> None:
        """Stop every timer."""
        for queue in self._queues.values():
            queue.close()
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

    def _evict_idle(self) -> None:
        """Drop what is idle; a script may name models without end.

        The next time comes when twice as many as stay are there, so that a model costs
        the same however many there are.
        """
        now = self._loop.time()
        for key, queue in list(self._queues.items()):
            if queue.is_evictable(now):
                queue.close()
                del self._queues[key]
        used = {account for account, _ in self._queues}
        for account, limiter in list(self._limiters.items()):
            if account not in used and limiter.is_evictable(now):
                del self._limiters[account]
        self._most = max(_KEPT, 2 * len(self._queues))
