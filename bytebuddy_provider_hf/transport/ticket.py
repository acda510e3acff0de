"""One call's place in a lane, kept through all its attempts."""

from __future__ import annotations

import asyncio


class Ticket:
    """Where a call stands. Times are seconds of the loop's clock.

    ``not_before`` is when a resting call may ask again; ``look`` the cold
    episode that its request looks at, or 0; ``spent`` what its retries took from the
    budget.
    """

    __slots__ = (
        "_future",
        "_timer",
        "attempt",
        "cold_since",
        "cold_timeout",
        "deadline",
        "granted",
        "look",
        "not_before",
        "sent_at",
        "since",
        "spent",
        "timeout",
    )

    def __init__(self, *, now: float, timeout: float, cold_timeout: float) -> None:
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
        due = self.expires
        if self.not_before > loop.time():
            due = min(due, self.not_before)
        self._future = loop.create_future()
        self._timer = loop.call_at(due, self.wake)
        try:
            await self._future
        finally:
            self._timer.cancel()
            self._future = self._timer = None
