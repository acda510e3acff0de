"""Limit how many requests are in flight for one origin and credential.

Slow start, then AIMD. Until the first refusal each answer lets one more request be
sent unanswered, so that the number doubles in each round trip and callers of long
streams do not wait behind a limit that nobody asked for. A refusal (429, overload,
timeout) lowers the limit to 0.7 once a round trip and remembers how many were in
flight as the ceiling. The limit then doubles back to just below the ceiling and tries
the ceiling after one round trip. A ceiling that holds for a round trip was none, and
is forgotten. One that is refused again is tried after 24, 48, 96 round trips, so that
a server's capacity is found once and not run against for ever. A server that refuses
even one request at a time has an outage, which says nothing of ceilings.

A refusal that names a time is a rate and pauses the origin. It counts as a refusal
only if a second one comes within ten round trips.

Latency is never looked at, because the time of an answer grows with its length (Netflix
concurrency-limits: loss-based on clients).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from copy import copy
from typing import Final, Protocol

from bytebuddy_provider_hf.errors import Overloaded, QuotaExhausted
from bytebuddy_provider_hf.scheduling.retry import LONG_PAUSE, RetryBudget
from bytebuddy_provider_hf.texts import text

FIRST_LIMIT: Final = 8
_DECREASE: Final = 0.7
_PATIENCE: Final = 24
_LONGEST_PATIENCE: Final = 96
# A second refusal within so many round trips turns a rate into a ceiling.
_RATE_MEMORY: Final = 10
# Those who were told to wait wake in steps: at most the limit in any 0.1 s. A little
# more, so that the rounding of a clock does not add another to it.
_PACING_INTERVAL: Final = 0.101
# How long an account without credits is not asked again; it may have bought some.
REFUSAL_MEMORY: Final = 60.0


class PermitQueue(Protocol):
    """Calls that wait for a permit; the queue of one model."""

    def grant_one(self) -> bool:
        """Give a permit to the first that may go; return whether one was given."""
        ...

    def wake_all(self) -> None:
        """Let every waiting call look at its state again."""
        ...

    def on_pause(self, until: float, *, paced: bool) -> None:
        """Note that no permit is given before ``until``.

        ``paced`` marks who waits as told to wait, so that they wake in steps.
        """
        ...


class Limiter:
    """Count permits and share them out between models in turn.

    ``first`` is the number of requests that may be sent before any was answered.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        max_concurrency: int,
        max_queue: int,
        first: int = FIRST_LIMIT,
    ) -> None:
        self._loop = loop
        self._asked_concurrency: int | None = None
        self._asked_queue: int | None = None
        self.max_concurrency = max_concurrency
        self.max_queue = max_queue
        self.in_flight = 0
        # Those in flight whose answer has begun: a stream holds its permit to its end.
        self.answered = 0
        self.queued = 0
        # The queues that share these permits, waiting or not.
        self.models = 0
        self.budget = RetryBudget()
        self.paused_until = 0.0
        # When a connection was first refused since the server last answered.
        self.refused_since: float | None = None
        self.reached = False
        # In slow start how many may be unanswered; None after the first refusal.
        self._slow_start: int | None = min(first, max_concurrency)
        self._limit = max_concurrency
        self._ceiling: int | None = None
        self._patience = 1
        self._successes = 0
        self._decreased_at = float("-inf")
        # What the limit becomes where every request of a burst was refused.
        self._lowered = max_concurrency
        # Answers since a refusal that named a time; None: there was none of late.
        self._since_rate: int | None = None
        self._rated_at = float("-inf")
        self._rated_height = 0
        # Set while nobody may send, and whether that was meant to last.
        self._timer: asyncio.TimerHandle | None = None
        self._pause_is_long = False
        self._step_timer: asyncio.TimerHandle | None = None
        # When those were woken of late that had been told to wait.
        self._woken: deque[float] = deque()
        # The refusal that everybody of this account would get, and how long it is
        # repeated without asking.
        self.quota_error: QuotaExhausted | None = None
        self.quota_error_until = 0.0
        self._queues: dict[PermitQueue, None] = {}
        # Those of them that can perhaps use a permit, the next one first.
        self._ready_queues: OrderedDict[PermitQueue, None] = OrderedDict()

    @property
    def limit(self) -> int:
        """Return how many may be in flight now."""
        if self._slow_start is None:
            return self._limit
        return min(self.max_concurrency, self.answered + self._slow_start)

    @property
    def free(self) -> bool:
        """Return whether a permit may be given now."""
        return self._timer is None and self.in_flight < self.limit

    @property
    def long_pause(self) -> bool:
        """Return whether everybody here is told to wait for a long time."""
        return self._timer is not None and self._pause_is_long

    def take(self) -> None:
        """Take a permit; the caller has seen that one is free."""
        self.in_flight += 1

    def give_back(self, *, answered: bool) -> None:
        """Return a permit and let the next call go."""
        self.in_flight -= 1
        if answered:
            self.answered -= 1
        if self._ready_queues:
            self.dispatch()

    def register(self, queue: PermitQueue) -> None:
        """Note that a model has calls waiting, and can perhaps use a permit now."""
        self._queues.setdefault(queue)
        self._ready_queues.setdefault(queue)

    def enter_queue(self, queue: PermitQueue, *, again: bool) -> None:
        """Count a call that begins to wait; raise ``Overloaded`` where too many do.

        One that comes ``again`` has waited its turn once already.
        """
        if self.queued >= self.max_queue and not again:
            raise Overloaded(
                text(
                    "scheduling.queue_full",
                    queued=f"{self.queued:,}",
                    max_queue=f"{self.max_queue:,}",
                ),
                hint=text("scheduling.queue_full_hint"),
            )
        self.queued += 1
        self.register(queue)

    def unregister(self, queue: PermitQueue) -> None:
        """Note that a model has no more calls waiting."""
        self._queues.pop(queue, None)
        self._ready_queues.pop(queue, None)

    def dispatch(self) -> None:
        """Hand free permits to waiting calls, one model after the other.

        A model that cannot use one is not asked again before it joins again: a
        thousand that load at once would cost a million questions.
        """
        while self.free and self._ready_queues:
            queue, _ = self._ready_queues.popitem(last=False)
            if queue.grant_one() and queue in self._queues:
                self._ready_queues[queue] = None

    def pause_until(self, until: float) -> None:
        """Give no permit before ``until``: the server said how long it wants rest."""
        if until <= self.paused_until:
            return
        self.paused_until = until
        self._pause_is_long = until - self._loop.time() >= LONG_PAUSE
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(until, self._resume)
        for queue in self._queues:
            queue.on_pause(until, paced=self._pause_is_long)

    def may_wake(self) -> bool:
        """Return whether one more who was told to wait may go now.

        Each interval is looked at, wherever it begins: counted in steps, those at the
        end of one and at the beginning of the next would be too many together.
        """
        now, woken = self._loop.time(), self._woken
        while woken and woken[0] <= now - _PACING_INTERVAL:
            woken.popleft()
        if len(woken) >= self.limit:
            if self._step_timer is None:
                due = woken[0] + _PACING_INTERVAL
                self._step_timer = self._loop.call_at(due, self._next_step)
            return False
        woken.append(now)
        return True

    def on_success(self) -> None:
        """Grow, when the limit is in use."""
        if self._since_rate is not None:
            self._since_rate += 1
            if self._since_rate > _RATE_MEMORY * self.limit:
                self._since_rate = None
        if self.in_flight * 2 < (self._slow_start or self._limit):
            return
        if self._slow_start is not None:
            self._slow_start = min(self._slow_start + 1, self.max_concurrency)
            self.dispatch()
            return
        if self._limit >= self.max_concurrency:
            return
        if self._ceiling is not None and self._limit + 1 >= self._ceiling:
            self._successes += 1
            held = self._limit >= self._ceiling
            if self._successes < self._limit * (1 if held else self._patience):
                return
            self._successes = 0
            if held:
                self._ceiling, self._patience = None, 1
        self._limit += 1
        self.dispatch()

    def on_overload(self, *, now: float, sent_at: float) -> None:
        """Shrink, unless the request left before the last time the limit shrank."""
        if sent_at < self._decreased_at:
            # Another refusal of the same burst tells how many the server took: of 32
            # sent at once a server with room for 16 refuses 16, and when the last of
            # these is read, 17 are in flight. Where none is left, all were refused,
            # which tells of a rate or an outage and not of a capacity.
            if self._ceiling is not None and self.in_flight <= 1:
                self._ceiling, self._limit = None, self._lowered
            elif self._ceiling is not None and self.in_flight < self._ceiling:
                self._ceiling = self.in_flight
                self._limit = min(self._limit, self.in_flight - 1)
            return
        self._decreased_at = now
        self._successes = 0
        limit = self.limit
        self._slow_start = None
        if limit == self._ceiling:
            self._limit = self._lowered = max(1, limit - 1)
            longer = _PATIENCE if self._patience == 1 else 2 * self._patience
            self._patience = min(longer, _LONGEST_PATIENCE)
            return
        # Where the limit is not in use, what is in flight says nothing of it.
        height = self.in_flight if 2 * self.in_flight >= limit else limit
        self._ceiling = height if height > 1 else None
        self._limit = self._lowered = max(1, int(height * _DECREASE))
        self._patience = 1

    def on_rate(self, *, now: float, sent_at: float) -> None:
        """Note a refusal that named a time: the second of late is an overload."""
        if sent_at < self._rated_at:
            return
        again = self._since_rate is not None and self.in_flight >= self._rated_height
        self._rated_at, self._rated_height = now, self.in_flight
        self._since_rate = 0
        if again:
            self.on_overload(now=now, sent_at=sent_at)

    def configure(self, *, max_concurrency: int | None, max_queue: int | None) -> None:
        """Obey an entry's own figures; of those of several the smallest counts."""
        if max_concurrency is not None:
            asked = self._asked_concurrency
            smallest = max_concurrency if asked is None else min(asked, max_concurrency)
            self._asked_concurrency = self.max_concurrency = smallest
            self._limit = min(self._limit, smallest)
            if self._slow_start is not None:
                # Somebody knows this server: no need to find out.
                self._slow_start = smallest
        if max_queue is not None:
            asked = self._asked_queue
            smallest = max_queue if asked is None else min(asked, max_queue)
            self._asked_queue = self.max_queue = smallest

    def is_evictable(self, now: float) -> bool:
        """Return whether nothing would be lost but the figures it learned."""
        used = self.models or self.in_flight or self._timer is not None
        return not used and now >= max(self.paused_until, self.quota_error_until)

    def on_quota_exhausted(self, error: QuotaExhausted, *, now: float) -> None:
        """Remember that the account has no credits left: nobody asks for a minute."""
        self.quota_error, self.quota_error_until = copy(error), now + REFUSAL_MEMORY
        for queue in self._queues:
            queue.wake_all()

    def close(self) -> None:
        """Stop the timers."""
        for timer in (self._timer, self._step_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._step_timer = None

    def _resume(self) -> None:
        self._timer = None
        self._register_all()

    def _next_step(self) -> None:
        self._step_timer = None
        self._register_all()

    def _register_all(self) -> None:
        for queue in self._queues:
            self._ready_queues.setdefault(queue)
        self.dispatch()
