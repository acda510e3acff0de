"""Coordinate who may send, and when: the port, and its form for one process.

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
from bytebuddy_provider_hf.transport.bounded import BoundedCache
from bytebuddy_provider_hf.transport.http_client import Destination

MAX_CONCURRENCY: Final = 32
MAX_QUEUE: Final = 10_000


@frozen
class Counters:
    """Count what is in use; all are zero when nothing is under way."""

    permits: int
    queued: int
    queues_active: int


class Coordinator(Protocol):
    """Give out permits; know rates and cold starts."""

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
    """Keep permits for each origin and credential, a queue for each model of these.

    Those that are idle are forgotten, the ones used longest ago first: a script may
    name models without end.
    """

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, jitter: Callable[[], float]
    ) -> None:
        self._loop = loop
        self._jitter = jitter
        self._queues: BoundedCache[tuple[str, str], ModelQueue] = BoundedCache(
            in_use=lambda queue: not queue.is_evictable(loop.time()),
            dropped=self._on_dropped,
        )
        # A limiter outlives the queues of its models, because a pause and an empty
        # purse are of the account.
        self._limiters: BoundedCache[str, Limiter] = BoundedCache(
            in_use=lambda limiter: not limiter.is_evictable(loop.time())
        )

    def model_queue(self, destination: Destination, model: str) -> ModelQueue:
        """Return the way into a model: one for each origin, credential and model."""
        account = destination.account
        queue = self._queues.get((account, model))
        if queue is None:
            place = host_kind(urlsplit(destination.origin).hostname or "")
            local = place is HostKind.LOOPBACK
            limiter = self._limiters.get(account)
            if limiter is None:
                limiter = Limiter(
                    loop=self._loop,
                    max_concurrency=MAX_CONCURRENCY,
                    max_queue=MAX_QUEUE,
                    first=MAX_CONCURRENCY if local else FIRST_LIMIT,
                )
                self._limiters.put(account, limiter)
            limiter.models += 1
            queue = ModelQueue(
                limiter=limiter, loop=self._loop, jitter=self._jitter, local=local
            )
            self._queues.put((account, model), queue)
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

    def _on_dropped(self, key: tuple[str, str], queue: ModelQueue) -> None:
        queue.close()
        queue.limiter.models -= 1
        self._limiters.trim(key[0])
