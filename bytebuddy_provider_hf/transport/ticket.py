"""One call's place in a lane, kept through all its attempts."""

from __future__ import annotations

import asyncio
from itertools import count

_numbers = count()


class Ticket:
    """Where a call stands. Times are seconds of the loop's clock.

    ``number`` tells who came first. ``here`` is set while the call sleeps in a queue:
    the reader of a stream may be busy with what it was told, and gets no permit then.
    ``told`` is whether somebody listens to how the waiting goes.
    ``not_before`` is when a resting call may ask again; ``look`` the number of the look
    that its request is, or 0; ``sheds`` how often a busy endpoint turned it away;
    ``answered`` whether its answer has begun; ``paced`` whether it was told to wait and
    wakes in steps; ``spent`` what its retries took from the budget.
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
        "here",
        "look",
        "not_before",
        "number",
        "paced",
        "queued",
        "sent_at",
        "sheds",
        "since",
        "spent",
        "timeout",
        "told",
    )

    def __init__(self, *, now: float, timeout: float, cold_timeout: float) -> None:
        self.number = next(_numbers)
        self.queued = False
        self.here = False
        self.told = True
        self.sheds = 0
        self.answered = False
        self.paced = False
        self.since = now
        self.deadline = now + timeout
        self.timeout = timeout
        self.cold_timeout = cold_timeout
        self.cold_since: float | None = None
        self.attempt = 1
        self.spent = 0
        self.not_before = 0.0
        self.granted = False
        self.look = 0
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
