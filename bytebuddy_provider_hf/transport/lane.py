"""The way into one model: its queue, its cold gate, and its share of the permits.

Everything here is synchronous except :meth:`Lane.wait`, so a call that is cancelled
at any point leaves by :meth:`Lane.leave` with nothing lost.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from copy import copy
from typing import Final

from bytebuddy_provider_hf.errors import (
    ColdStartTimeout,
    DeadlineExceeded,
    QueueFull,
)
from bytebuddy_provider_hf.transport.coldstart import ColdGate
from bytebuddy_provider_hf.transport.limiter import Limiter
from bytebuddy_provider_hf.transport.ticket import Ticket
from bytebuddy_provider_hf.types import Loading, WaitReason

_WAIT_LONGER: Final = (
    "Raise requestOptions.coldStartTimeout to wait longer, or choose a model that is "
    "already loaded."
)


class Lane:
    """Let calls for one model through, first come first served."""

    def __init__(
        self,
        *,
        limiter: Limiter,
        loop: asyncio.AbstractEventLoop,
        jitter: Callable[[], float],
    ) -> None:
        self.limiter = limiter
        self.jitter = jitter
        self._loop = loop
        self._gate = ColdGate(jitter=jitter)
        self._queue: OrderedDict[Ticket, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self.active = 0
        # Whether this model ever answered: a refusal then means a restart.
        self.answered = False

    def enter(self, ticket: Ticket) -> bool:
        """Return whether the call may be sent now; otherwise it waits.

        Raises ``QueueFull``, ``ColdStartTimeout``, ``DeadlineExceeded`` and, while an
        account is known to have no credits, ``QuotaExhausted``.
        """
        if ticket.granted:
            return True
        now = self._loop.time()
        if ticket.not_before > now:
            self._check(ticket, now)
            return False
        if ticket not in self._queue:
            self._refuse_exhausted(now)
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

    def waiting(self, ticket: Ticket) -> Loading | None:
        """Return what the call waits for, or ``None`` where it should not be told."""
        now = self._loop.time()
        waiters = max(1, len(self._queue))
        if self._gate.cold and ticket in self._queue:
            if ticket.cold_since is None:
                ticket.cold_since = now
            elapsed = now - ticket.cold_since
            reason: WaitReason = "waking" if self._gate.asleep else "loading"
            return Loading(elapsed, self._gate.estimate(now), waiters, reason)
        elapsed = now - ticket.since
        if self.limiter.quiet_until > now:
            left = self.limiter.quiet_until - now
            return Loading(elapsed, left, waiters, "rate limited")
        if ticket.not_before > now:
            return Loading(elapsed, ticket.not_before - now, 1, "retrying")
        if ticket in self._queue:
            return Loading(elapsed, None, waiters, "queued")
        return None

    def cold(
        self, ticket: Ticket, estimate: float | None = None, *, asleep: bool = False
    ) -> None:
        """Put a call back at the head of the queue: the model is not ready."""
        now = self._loop.time()
        if ticket.cold_since is None:
            ticket.cold_since = ticket.sent_at
        self._gate.asleep = asleep
        self._gate.on_cold(
            now=now, sent_at=ticket.sent_at, estimate=estimate, look=ticket.look
        )
        ticket.look = 0
        self._requeue(ticket)
        self._arm()
        if self._gate.cold:
            self.wake_all()

    def hold(self, ticket: Ticket, until: float) -> None:
        """Put a call back and keep everybody at this origin quiet until then."""
        self.limiter.hold(until)
        self._requeue(ticket)

    def pause(self, ticket: Ticket, until: float) -> None:
        """Let one call rest until then, without permit and out of the queue."""
        ticket.not_before = until
        self._give_back(ticket)

    def answered_by(self, ticket: Ticket, *, overloaded: bool = False) -> None:
        """Note that the server answered a call, with whatever but "not ready"."""
        now = self._loop.time()
        self.answered = True
        self._gate.on_ready(now=now, limit=self.limiter.limit)
        ticket.look = 0
        if overloaded:
            self.limiter.on_overload(now=now, sent_at=ticket.sent_at)
        else:
            self.limiter.on_success()
        if self._queue:
            self.limiter.share()

    def unanswered(self, ticket: Ticket, *, cancelled: bool) -> None:
        """Note that a call got no answer at all: it left, or its connection broke."""
        if ticket.look:
            look, ticket.look = ticket.look, 0
            self._gate.on_gone(now=self._loop.time(), cancelled=cancelled, look=look)

    def leave(self, ticket: Ticket, *, cancelled: bool = False) -> None:
        """Give everything back; safe at any time and more than once."""
        if self._queue.pop(ticket, self) is None:
            self._left_queue()
        if ticket.granted:
            self.unanswered(ticket, cancelled=cancelled)
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
        self._left_queue()
        self._grant(ticket, now)
        ticket.wake()
        return True

    def wake_all(self) -> None:
        """Let every waiting call look at its state again."""
        for ticket in self._queue:
            ticket.wake()

    def _may_send(self, now: float) -> bool:
        return self.limiter.free and self._gate.allows(now=now, active=self.active)

    def _grant(self, ticket: Ticket, now: float) -> None:
        self.limiter.take()
        self.active += 1
        ticket.granted = True
        ticket.sent_at = now
        ticket.look = self._gate.sent()

    def _give_back(self, ticket: Ticket) -> None:
        ticket.granted = False
        self.active -= 1
        self.limiter.give_back()

    def _requeue(self, ticket: Ticket) -> None:
        self._queue[ticket] = None
        self._queue.move_to_end(ticket, last=False)
        self.limiter.queued += 1
        self.limiter.join(self)
        self._give_back(ticket)

    def _join(self, ticket: Ticket) -> None:
        limiter = self.limiter
        again = ticket.not_before > 0  # it has waited its turn once already
        if limiter.queued >= limiter.max_queue and not again:
            raise QueueFull(
                f"{limiter.queued:,} calls are already waiting for this endpoint.",
                hint="Send fewer at once, or raise requestOptions.maxQueue.",
            )
        self._queue[ticket] = None
        if again:
            self._queue.move_to_end(ticket, last=False)
        limiter.queued += 1
        limiter.join(self)
        self._arm()

    def _left_queue(self) -> None:
        self.limiter.queued -= 1
        if not self._queue:
            self.limiter.part(self)

    def _refuse_exhausted(self, now: float) -> None:
        if (refusal := self.limiter.exhausted(now)) is not None:
            raise copy(refusal)

    def _check(self, ticket: Ticket, now: float) -> None:
        # The patience for a cold model counts no time spent in the queue of a warm one.
        if not self._gate.cold:
            ticket.cold_since = None
        elif ticket.cold_since is None:
            ticket.cold_since = now
        left = ticket.expires - now
        if left <= 0:
            raise self._expired(ticket, now)
        estimate = self._gate.estimate(now) if self._gate.cold else None
        if estimate is not None and estimate > left:
            raise ColdStartTimeout(
                f"The model says it needs about {estimate:,.0f} s to load and "
                f"{left:,.0f} s of waiting are left.",
                retry_after=estimate,
                hint=_WAIT_LONGER,
            )

    def _expired(
        self, ticket: Ticket, now: float
    ) -> ColdStartTimeout | DeadlineExceeded:
        if ticket.cold_since is not None:
            return ColdStartTimeout(
                f"The model was not ready after {now - ticket.cold_since:,.0f} s.",
                hint=_WAIT_LONGER,
            )
        return DeadlineExceeded(
            f"The call waited {ticket.timeout:,.0f} s for its turn.",
            hint="Raise requestOptions.timeout, or send fewer calls at once.",
        )

    def _arm(self) -> None:
        """Wake the lane when the next look is due, if somebody waits for it."""
        if not self._gate.cold or not self._queue:
            return
        due = self._gate.next_look
        if self._timer is not None:
            if self._timer.when() == due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        self.limiter.share()
