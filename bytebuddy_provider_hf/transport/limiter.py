"""Permits: how many requests may be in flight for one origin and credential.

The limit starts at 8 and moves between 1 and ``maxConcurrency``: one more after as
many successes as the limit while at least half of it is in use, 0.7 of it on a 429,
an overload or a timeout, at most once a round trip. A limit that was refused is
remembered as the ceiling, and tried again only after 24, 48, 96 round trips just below
it, so that a server's capacity is found once and not run against for ever. A server
that refuses even one request at a time has an outage, which says nothing of ceilings.
Latency is never looked at, because the time of an answer grows with its length (Netflix
concurrency-limits: loss-based on clients).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from copy import copy
from typing import Final, Protocol

from bytebuddy_provider_hf.errors import QuotaExhausted
from bytebuddy_provider_hf.transport.retry import Budget

FIRST_LIMIT: Final = 8
_DECREASE: Final = 0.7
_PATIENCE: Final = 24
_LONGEST_PATIENCE: Final = 96
# After a quiet time the crowd is let go in steps: at most the limit in any 0.1 s.
_STEP: Final = 0.101
# How long an account without credits is not asked again; it may have bought some.
LATCH: Final = 60.0


class Queue(Protocol):
    """Calls that wait for a permit; the lane of one model."""

    def grant_one(self) -> bool:
        """Give a permit to the first that may go; return whether one was given."""
        ...

    def wake_all(self) -> None:
        """Let every waiting call look at its state again."""
        ...


class Limiter:
    """Count permits and share them out between models in turn."""

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, max_concurrency: int, max_queue: int
    ) -> None:
        self._loop = loop
        self._asked_concurrency: int | None = None
        self._asked_queue: int | None = None
        self.max_concurrency = max_concurrency
        self.max_queue = max_queue
        self.limit = min(FIRST_LIMIT, max_concurrency)
        self.in_flight = 0
        self.queued = 0
        self.budget = Budget()
        self.quiet_until = 0.0
        self._burst: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._successes = 0
        self._ceiling: int | None = None
        self._patience = _PATIENCE
        self._decreased_at = float("-inf")
        self._latched: QuotaExhausted | None = None
        self._latched_until = 0.0
        self._queues: dict[Queue, None] = {}
        # Those of them that can perhaps use a permit, the next one first.
        self._eager: OrderedDict[Queue, None] = OrderedDict()

    @property
    def free(self) -> bool:
        """Whether a permit may be given now."""
        return self.in_flight < self.limit and self._burst != 0

    def take(self) -> None:
        """Take a permit; the caller has seen that one is free."""
        self.in_flight += 1
        if self._burst is not None:
            self._burst -= 1

    def give_back(self) -> None:
        """Return a permit and let the next call go."""
        self.in_flight -= 1
        self.share()

    def join(self, queue: Queue) -> None:
        """Note that a model has calls waiting, and can perhaps use a permit now."""
        self._queues.setdefault(queue)
        self._eager.setdefault(queue)

    def part(self, queue: Queue) -> None:
        """Note that a model has no more calls waiting."""
        self._queues.pop(queue, None)
        self._eager.pop(queue, None)

    def share(self) -> None:
        """Hand free permits to waiting calls, one model after the other.

        A model that cannot use one is not asked again before it joins again: a
        thousand that load at once would cost a million questions.
        """
        while self.free and self._eager:
            queue, _ = self._eager.popitem(last=False)
            if queue.grant_one() and queue in self._queues:
                self._eager[queue] = None

    def hold(self, until: float) -> None:
        """Give no permit before ``until``: the server said how long it wants rest."""
        if until <= self.quiet_until:
            return
        self.quiet_until = until
        self._burst = 0
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(until, self._step)
        for queue in self._queues:
            queue.wake_all()

    def on_success(self) -> None:
        """Grow by one after a limit's worth of successes, when the limit is in use."""
        if self.limit >= self.max_concurrency or self.in_flight * 2 < self.limit:
            return
        self._successes += 1
        if self._successes >= self._needed():
            self._successes = 0
            if self.limit == self._ceiling:
                self._ceiling = None  # it holds what it once refused
            self.limit += 1
            self.share()

    def on_overload(self, *, now: float, sent_at: float) -> None:
        """Shrink, unless the request left before the last time the limit shrank."""
        if sent_at < self._decreased_at:
            return
        self._decreased_at = now
        self._successes = 0
        if self.limit == 1:
            self._ceiling, self._patience = None, _PATIENCE
        elif self.limit == self._ceiling:
            self.limit = max(1, self.limit - 1)
            self._patience = min(2 * self._patience, _LONGEST_PATIENCE)
        else:
            self._ceiling = self.limit
            self.limit = max(1, int(self.limit * _DECREASE))
            self._patience = _PATIENCE

    def _needed(self) -> int:
        """Return the successes it takes to grow: more where the next was refused."""
        if self._ceiling is not None and self.limit + 1 >= self._ceiling:
            return self.limit * self._patience
        return self.limit

    def configure(self, *, max_concurrency: int | None, max_queue: int | None) -> None:
        """Obey an entry's own figures; of those of several the smallest counts."""
        if max_concurrency is not None:
            asked = self._asked_concurrency
            smallest = max_concurrency if asked is None else min(asked, max_concurrency)
            self._asked_concurrency = self.max_concurrency = smallest
            self.limit = min(self.limit, smallest)
        if max_queue is not None:
            asked = self._asked_queue
            smallest = max_queue if asked is None else min(asked, max_queue)
            self._asked_queue = self.max_queue = smallest

    def idle(self, now: float) -> bool:
        """Whether nothing would be lost but the figures it learned."""
        used = self.in_flight or self.queued or self._timer is not None
        return not used and now >= max(self.quiet_until, self._latched_until)

    def on_exhausted(self, error: QuotaExhausted, *, now: float) -> None:
        """Remember that the account has no credits left: nobody asks for a minute."""
        self._latched, self._latched_until = copy(error), now + LATCH
        for queue in self._queues:
            queue.wake_all()

    def exhausted(self, now: float) -> QuotaExhausted | None:
        """Return the refusal to repeat, while it is fresh."""
        return self._latched if now < self._latched_until else None

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _step(self) -> None:
        """Let the next of the crowd go; the last step ends the pacing."""
        self._timer = None
        if not self.queued:
            self._burst = None
            return
        self._burst = self.limit
        self._timer = self._loop.call_later(_STEP, self._step)
        self.share()
