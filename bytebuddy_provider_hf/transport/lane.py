"""The way into one model: its queue, its cold gate, and its share of the permits.

Everything here is synchronous except :meth:`Lane.wait`, so a call that is cancelled
at any point leaves by :meth:`Lane.leave` with nothing lost.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from bytebuddy_provider_hf.errors import (
    ColdStartTimeout,
    DeadlineExceeded,
    QueueFull,
)
from bytebuddy_provider_hf.transport.coldstart import ColdGate
from bytebuddy_provider_hf.transport.limiter import Limiter
from bytebuddy_provider_hf.types import Loading

_LOADING_AHEAD: Final = (
    "The model says it needs about {estimate:,.0f} s to load and {left:,.0f} s of "
    "waiting are left."
)
_WAIT_LONGER: Final = (
    "Raise requestOptions.coldStartTimeout to wait longer, or choose a model that is "
    "already loaded."
)


class Ticket:
    """One call's place in a lane. Times are seconds of the lane's clock."""

    __slots__ = (
        "_future",
        "_timer",
        "cold_since",
        "cold_timeout",
        "deadline",
        "granted",
        "look",
        "sent_at",
        "timeout",
    )

    def __init__(self, *, deadline: float, timeout: float, cold_timeout: float) -> None:
        self.deadline = deadline
        self.timeout = timeout
        self.cold_timeout = cold_timeout
        self.cold_since: float | None = None
        self.granted = False
        self.look = False
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
        """Wait until woken, or until the waiting must end."""
        self._future = loop.create_future()
        self._timer = loop.call_at(self.expires, self.wake)
        try:
            await self._future
        finally:
            self._timer.cancel()
            self._future = self._timer = None


class Lane:
    """Let calls for one model through, first come first served."""

    def __init__(
        self,
        *,
        limiter: Limiter,
        loop: asyncio.AbstractEventLoop,
        jitter: Callable[[], float],
    ) -> None:
        self._limiter = limiter
        self._loop = loop
        self._gate = ColdGate(jitter=jitter)
        self._queue: OrderedDict[Ticket, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self.active = 0

    @property
    def waiting(self) -> int:
        """How many calls wait here."""
        return len(self._queue)

    def enter(self, ticket: Ticket) -> bool:
        """Return whether the call may be sent now; otherwise it stands in the queue.

        Raises ``QueueFull``, ``ColdStartTimeout`` and ``DeadlineExceeded``.
        """
        if ticket.granted:
            return True
        now = self._loop.time()
        if ticket not in self._queue:
            if not self._queue and self._may_send(now):
                self._grant(ticket, now)
                return True
            self._join(ticket)
        self._check(ticket, now)
        return False

    async def wait(self, ticket: Ticket) -> None:
        """Wait until there is news for this call."""
        if not ticket.granted:
            await ticket.sleep(self._loop)

    def loading(self, ticket: Ticket) -> Loading | None:
        """Return how the waiting stands, or ``None`` when nothing is loading."""
        if not self._gate.cold:
            return None
        now = self._loop.time()
        if ticket.cold_since is None:
            ticket.cold_since = now
        estimate = self._gate.estimate(now)
        return Loading(now - ticket.cold_since, estimate, max(1, len(self._queue)))

    def cold(self, ticket: Ticket, estimate: float | None) -> None:
        """Put a call back at the head of the queue: the model is not ready."""
        now = self._loop.time()
        if ticket.cold_since is None:
            ticket.cold_since = ticket.sent_at
        self._gate.on_cold(
            now=now, sent_at=ticket.sent_at, estimate=estimate, look=ticket.look
        )
        self._queue[ticket] = None
        self._queue.move_to_end(ticket, last=False)
        self._limiter.queued += 1
        self._limiter.join(self)
        self._give_back(ticket)
        self._arm()
        if self._gate.cold:
            for waiting in self._queue:
                waiting.wake()

    def ready(self, ticket: Ticket, *, overloaded: bool = False) -> None:
        """Note that the server answered a call, with whatever but "not ready"."""
        now = self._loop.time()
        self._gate.on_ready(now=now, limit=self._limiter.limit)
        ticket.look = False
        if overloaded:
            self._limiter.on_overload(now=now, sent_at=ticket.sent_at)
        else:
            self._limiter.on_success()
        if self._queue:
            self._limiter.share()

    def leave(self, ticket: Ticket, *, cancelled: bool = False) -> None:
        """Give everything back; safe at any time and more than once."""
        if self._queue.pop(ticket, self) is None:
            self._limiter.queued -= 1
            if not self._queue:
                self._limiter.part(self)
        if not ticket.granted:
            return
        if ticket.look:
            ticket.look = False
            self._gate.on_gone(now=self._loop.time(), cancelled=cancelled)
        self._give_back(ticket)
        self._arm()

    def close(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def grant_one(self) -> bool:
        """Let the first of the queue go, if the gate allows it."""
        now = self._loop.time()
        if not self._queue or not self._may_send(now):
            return False
        ticket, _ = self._queue.popitem(last=False)
        self._limiter.queued -= 1
        if not self._queue:
            self._limiter.part(self)
        self._grant(ticket, now)
        ticket.wake()
        return True

    def _may_send(self, now: float) -> bool:
        return self._limiter.free and self._gate.allows(now=now, active=self.active)

    def _grant(self, ticket: Ticket, now: float) -> None:
        self._limiter.take()
        self.active += 1
        ticket.granted = True
        ticket.sent_at = now
        ticket.look = self._gate.sent()

    def _give_back(self, ticket: Ticket) -> None:
        ticket.granted = ticket.look = False
        self.active -= 1
        self._limiter.give_back()

    def _join(self, ticket: Ticket) -> None:
        limiter = self._limiter
        if limiter.queued >= limiter.max_queue:
            raise QueueFull(
                f"{limiter.queued:,} calls are already waiting for this endpoint.",
                hint="Send fewer at once, or raise requestOptions.maxQueue.",
            )
        self._queue[ticket] = None
        limiter.queued += 1
        limiter.join(self)
        self._arm()

    def _check(self, ticket: Ticket, now: float) -> None:
        if self._gate.cold and ticket.cold_since is None:
            ticket.cold_since = now
        left = ticket.expires - now
        if left <= 0 and ticket.cold_since is not None:
            raise ColdStartTimeout(
                f"The model was not ready after {now - ticket.cold_since:,.0f} s.",
                hint=_WAIT_LONGER,
            )
        if left <= 0:
            raise DeadlineExceeded(
                f"The call waited {ticket.timeout:,.0f} s for its turn.",
                hint="Raise requestOptions.timeout, or send fewer calls at once.",
            )
        estimate = self._gate.estimate(now) if self._gate.cold else None
        if estimate is not None and estimate > left:
            raise ColdStartTimeout(
                _LOADING_AHEAD.format(estimate=estimate, left=left),
                retry_after=estimate,
                hint=_WAIT_LONGER,
            )

    def _arm(self) -> None:
        """Wake the lane when the next look is due, if somebody waits for it."""
        if not self._gate.cold or not self._queue:
            return
        due = self._gate.next_look
        if self._timer is not None:
            if self._timer.when() == due and not self._timer.cancelled():
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        self._limiter.share()
        if self._gate.cold and not self._limiter.free:
            return  # a permit that comes back shares again
