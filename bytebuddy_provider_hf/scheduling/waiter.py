"""A call that waits for its model, through all its attempts."""

from __future__ import annotations

import asyncio
from itertools import count

_numbers = count()


class Waiter:
    """Where a call stands. Times are seconds of the loop's clock.

    ``number`` tells who came first. ``is_waiting`` is set while the call sleeps in a
    queue: the reader of a stream may be busy with what it was told, and gets no permit
    then. ``observed`` is whether somebody listens to how the waiting goes.
    ``not_before`` is when a resting call may ask again; ``probe_id`` the number of the
    probe that its request is, or 0; ``sheds`` how often a busy endpoint turned it away;
    ``answered`` whether its answer has begun; ``paced`` whether it was told to wait and
    wakes in steps; ``retry_cost`` what its retries took from the budget.
    """

    __slots__ = (
        "_future",
        "_timer",
        "answered",
        "attempt",
        "cold_since",
        "cold_timeout",
        "deadline",
        "granted",
        "is_waiting",
        "not_before",
        "number",
        "observed",
        "paced",
        "probe_id",
        "queued",
        "retry_cost",
        "sent_at",
        "sheds",
        "since",
        "timeout",
    )

    def __init__(self, *, now: float, timeout: float, cold_timeout: float) -> None:
        self.number = next(_numbers)
        self.queued = False
        self.is_waiting = False
        self.observed = True
        self.sheds = 0
        self.answered = False
        self.paced = False
        self.since = now
        self.deadline = now + timeout
        self.timeout = timeout
        self.cold_timeout = cold_timeout
        self.cold_since: float | None = None
        self.attempt = 1
        self.retry_cost = 0
        self.not_before = 0.0
        self.granted = False
        self.probe_id = 0
        self.sent_at = 0.0
        self._future: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def expires(self) -> float:
        """When the waiting must end."""
        if self.cold_since is None:
            return self.deadline
        return min(self.deadline, self.cold_since + self.cold_timeout)

    def wake(self) -> None:
        """Let the waiting call look at its state again."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def sleep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until woken, until the rest is over, or until the waiting must end."""
        if self.granted:
            return
        due = self.expires
        if not self.queued:
            # It rests. That may be over by now: whoever was told of it took a while.
            due = min(due, self.not_before)
        self._future = loop.create_future()
        self._timer = loop.call_at(due, self.wake)
        try:
            await self._future
        finally:
            self._timer.cancel()
            self._future = self._timer = None
