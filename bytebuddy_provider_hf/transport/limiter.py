"""Permits: how many requests may be in flight for one origin and credential.

The limit starts at 8 and moves between 1 and ``maxConcurrency``: one more after as
many successes as the limit while at least half of it is in use, 0.7 of it on a 429 or
an overload, at most once a round trip. It never looks at latency, because the time of
an answer grows with its length (Netflix concurrency-limits: loss-based on clients).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Protocol

FIRST_LIMIT: Final = 8
_DECREASE: Final = 0.7


class Queue(Protocol):
    """Calls that wait for a permit; the lane of one model."""

    def grant_one(self) -> bool:
        """Give a permit to the first that may go; return whether one was given."""
        ...


class Limiter:
    """Count permits and share them out between models in turn."""

    def __init__(self, *, max_concurrency: int, max_queue: int) -> None:
        self.max_concurrency = max_concurrency
        self.max_queue = max_queue
        self.limit = min(FIRST_LIMIT, max_concurrency)
        self.in_flight = 0
        self.queued = 0
        self._successes = 0
        self._decreased_at = float("-inf")
        self._queues: OrderedDict[Queue, None] = OrderedDict()

    @property
    def free(self) -> bool:
        """Whether a permit is left."""
        return self.in_flight < self.limit

    def take(self) -> None:
        """Take a permit; the caller has seen that one is free."""
        self.in_flight += 1

    def give_back(self) -> None:
        """Return a permit and let the next call go."""
        self.in_flight -= 1
        self.share()

    def join(self, queue: Queue) -> None:
        """Note that a model has calls waiting."""
        self._queues.setdefault(queue)

    def part(self, queue: Queue) -> None:
        """Note that a model has no more calls waiting."""
        self._queues.pop(queue, None)

    def share(self) -> None:
        """Hand free permits to waiting calls, one model after the other."""
        idle = 0
        while self.free and idle < len(self._queues):
            queue = next(iter(self._queues))
            self._queues.move_to_end(queue)
            idle = 0 if queue.grant_one() else idle + 1

    def on_success(self) -> None:
        """Grow by one after a limit's worth of successes, when the limit is in use."""
        if self.limit >= self.max_concurrency or self.in_flight * 2 < self.limit:
            return
        self._successes += 1
        if self._successes >= self.limit:
            self._successes = 0
            self.limit += 1
            self.share()

    def on_overload(self, *, now: float, sent_at: float) -> None:
        """Shrink, unless the request left before the last time the limit shrank."""
        if sent_at < self._decreased_at:
            return
        self._decreased_at = now
        self._successes = 0
        self.limit = max(1, int(self.limit * _DECREASE))
