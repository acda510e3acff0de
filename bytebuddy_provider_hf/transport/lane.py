"""The way into one model: its queue, its cold gate, and its share of the permits.

Everything here is synchronous except :meth:`Lane.wait`, so a call that is cancelled
at any point leaves by :meth:`Lane.leave` with nothing lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy
from typing import Final

from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.errors import (
    APIError,
    Closed,
    ColdStartTimeout,
    DeadlineExceeded,
    Overloaded,
    QuotaExhausted,
    RateLimited,
)
from bytebuddy_provider_hf.transport.coldstart import UNKNOWN, ColdGate
from bytebuddy_provider_hf.transport.limiter import LATCH, Limiter
from bytebuddy_provider_hf.transport.line import Line
from bytebuddy_provider_hf.transport.retry import LONGEST_HINT
from bytebuddy_provider_hf.transport.ticket import Ticket
from bytebuddy_provider_hf.types import Loading, WaitReason

# So long after a good answer an endpoint that sheds a request is busy, not asleep.
AWAKE: Final = 60.0
# A local server that was just there gets so long to come back from a restart.
RESTART: Final = 30.0

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
        local: bool = False,
    ) -> None:
        self.limiter = limiter
        self.jitter = jitter
        # The options whose limits were last applied.
        self.options: RequestOptions | None = None
        self._loop = loop
        # A refusal of this machine's costs nothing: all may ask a model unknown yet.
        self._gate = ColdGate(jitter=jitter, unknown=None if local else UNKNOWN)
        self._line = Line()
        self._timer: asyncio.TimerHandle | None = None
        self.active = 0
        # Of these, the calls whose answer has begun.
        self._answering = 0
        self._good_at = float("-inf")
        # Refusals as "not ready" since the last good answer, and how many are borne.
        self._cold_answers = 0
        self._borne = 0
        self._limited: APIError | None = None
        self._limited_at = float("-inf")
        self._resting: set[Ticket] = set()
        self._closed = False

    def enter(self, ticket: Ticket) -> bool:
        """Return whether the call may be sent now; otherwise it waits.

        Raises ``Overloaded``, ``ColdStartTimeout``, ``DeadlineExceeded``,
        ``RateLimited`` where the quiet lasts longer than the call may, and what was
        remembered: that there are no credits, or a limit too long to wait for. After
        :meth:`close`, ``Closed``.
        """
        if self._closed:
            raise Closed("The model was closed.", hint="Open it again.")
        if ticket.granted:
            return True
        now = self._loop.time()
        if ticket.not_before > now:
            self._check(ticket, now)
            return False
        self._refuse(now)
        if not ticket.queued:
            if not self._line and self._may_send(now):
                self._grant(ticket, now)
                return True
            self._join(ticket)
        self._check(ticket, now)
        return False

    async def wait(self, ticket: Ticket, *, told: bool = True) -> None:
        """Wait until there is news for this call.

        Unless it is ``told``, that it still waits is no news: 10,000 calls that wake at
        each look would hold up the loop for half a second.
        """
        if self._closed:
            return
        ticket.here, ticket.told = True, told
        try:
            # A permit may have been passed over while the caller was busy.
            self.grant_one()
            await ticket.sleep(self._loop)
        finally:
            ticket.here = False

    def waiting(self, ticket: Ticket) -> Loading | None:
        """Return what the call waits for, or ``None`` where it should not be told."""
        now = self._loop.time()
        waiters = max(1, len(self._line))
        if self._gate.cold and ticket.queued:
            if ticket.cold_since is None:
                ticket.cold_since = now
            elapsed = now - ticket.cold_since
            estimate = self._gate.estimate(now)
            return Loading(elapsed, estimate, waiters, self._gate.reason)
        elapsed = now - ticket.since
        if self.limiter.quiet_until > now:
            left = self.limiter.quiet_until - now
            return Loading(elapsed, left, waiters, "rate limited")
        if ticket.not_before > now:
            return Loading(elapsed, ticket.not_before - now, 1, "retrying")
        if ticket.queued:
            return Loading(elapsed, None, waiters, "queued")
        return None

    def cold(
        self,
        ticket: Ticket,
        estimate: float | None = None,
        *,
        reason: WaitReason = "loading",
    ) -> None:
        """Put a call back in its place: the model is not ready.

        One that is answering others right now is not asleep but busy: that costs
        permits, and no wait.
        """
        now = self._loop.time()
        if reason != "starting" and self._is_busy(now):
            self.limiter.on_overload(now=now, sent_at=ticket.sent_at)
            self._requeue(ticket)
            return
        if not self._gate.cold:
            self._forget_waits()
        if ticket.cold_since is None:
            ticket.cold_since = ticket.sent_at
        self._gate.reason = reason
        self._gate.on_cold(
            now=now, sent_at=ticket.sent_at, estimate=estimate, look=ticket.look
        )
        ticket.look = 0
        self._requeue(ticket)
        self._arm()
        if self._gate.cold:
            self._tell(now)

    def shed(self, ticket: Ticket, until: float) -> None:
        """Let a call rest that a busy endpoint turned away; the limit shrinks."""
        now = self._loop.time()
        ticket.sheds += 1
        self.unanswered(ticket, cancelled=False, overloaded=True)
        self.pause(ticket, max(now, until))

    def awake(self) -> bool:
        """Whether the model gave a good answer of late, or is giving one now."""
        return self._answering > 0 or self._loop.time() - self._good_at < AWAKE

    def refused(self, ticket: Ticket, *, restart: bool) -> bool:
        """Whether a refused connection is worth waiting: put the call back if so.

        Where ``restart`` says that no server is known to be starting, it is for 30 s
        after the first refusal by an address that had answered, for all its callers
        together. Afterwards nobody is held back.
        """
        now, limiter = self._loop.time(), self.limiter
        if restart and not limiter.reached:
            return False
        if limiter.refused_since is None:
            limiter.refused_since = now
        until = limiter.refused_since + RESTART
        if restart and now >= until:
            if self._gate.cold:
                self._gate.give_up()
                self.wake_all()
            return False
        self.cold(ticket, reason="starting")
        if restart:
            self._gate.look_by(until)
            self._arm()
        return True

    def hold(self, ticket: Ticket, until: float, *, rest_until: float) -> None:
        """Put a call back and keep everybody at this origin quiet until then.

        The call itself rests until ``rest_until`` if that is later.
        """
        self.limiter.hold(until)
        ticket.paced = True
        if rest_until > until:
            self.pause(ticket, rest_until)
        else:
            self._requeue(ticket)

    def pause(self, ticket: Ticket, until: float) -> None:
        """Let one call rest until then, without permit and out of the queue."""
        ticket.not_before = until
        self._resting.add(ticket)
        self._give_back(ticket)
        self._arm()

    def answered_by(
        self,
        ticket: Ticket,
        *,
        good: bool = True,
        overloaded: bool = False,
        rated: bool = False,
    ) -> None:
        """Note that the server answered a call, with whatever but "not ready".

        ``rated``: it refused for a rate and named a time.
        """
        now = self._loop.time()
        self.limiter.reached, self.limiter.refused_since = True, None
        ticket.look = 0
        if good:
            self._good_at, self._cold_answers = now, 0
            if ticket.granted and not ticket.answered:
                ticket.answered = True
                self._answering += 1
                self.limiter.answered += 1
        self._gate.on_ready(now=now, limit=self.limiter.limit)
        if good:
            self.limiter.on_success()
        elif rated:
            self.limiter.on_rate(now=now, sent_at=ticket.sent_at)
        elif overloaded:
            self.limiter.on_overload(now=now, sent_at=ticket.sent_at)
        if self._line:
            self.limiter.join(self)
            self.limiter.share()

    def remember(self, failure: APIError) -> None:
        """Spare the others a refusal that each of them would get as well.

        That credits are used up holds for the account, a limit of more than two
        minutes for this model; each for a minute, as it may have been lifted.
        """
        now = self._loop.time()
        if isinstance(failure, QuotaExhausted):
            self.limiter.on_exhausted(failure, now=now)
        elif (failure.retry_after or 0) > LONGEST_HINT:
            self._limited, self._limited_at = copy(failure), now
            self.wake_all()

    def unanswered(
        self, ticket: Ticket, *, cancelled: bool, overloaded: bool = False
    ) -> None:
        """Note that a call got no answer at all: it left, or its connection broke."""
        now = self._loop.time()
        if overloaded:
            self.limiter.on_overload(now=now, sent_at=ticket.sent_at)
        if ticket.look:
            look, ticket.look = ticket.look, 0
            self._gate.on_gone(now=now, cancelled=cancelled, look=look)

    def leave(self, ticket: Ticket, *, cancelled: bool = False) -> None:
        """Give everything back; safe at any time and more than once."""
        self._resting.discard(ticket)
        if ticket.queued:
            self._line.part(ticket)
            self._left_line()
        if ticket.granted:
            self.unanswered(ticket, cancelled=cancelled)
            self._give_back(ticket)
            self._arm()

    def close(self) -> None:
        """Stop looking, and send away whoever waits."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for ticket in (*self._line, *self._resting):
            ticket.wake()

    def idle(self, now: float) -> bool:
        """Whether nobody is under way here, and nothing is known that is worth it."""
        if self.active or self._line or self._resting:
            return False
        due = self._gate.due if self._gate.cold else now
        return now >= max(due, self._limited_at + LATCH)

    def grant_one(self) -> bool:
        """Let the first who is here go, if the gate allows it."""
        now = self._loop.time()
        if not self._line or not self._may_send(now):
            return False
        ticket = self._line.first_here()
        if ticket is None or (ticket.paced and not self.limiter.may_wake()):
            return False
        self._line.part(ticket)
        self._left_line()
        self._grant(ticket, now)
        ticket.wake()
        return True

    def wake_all(self, *, paced: bool = False) -> None:
        """Let every waiting call look at its state again.

        ``paced`` marks them as told to wait, so that they wake in steps.
        """
        for ticket in self._line:
            ticket.paced = ticket.paced or paced
            ticket.wake()

    def _is_busy(self, now: float) -> bool:
        """Whether "not ready" means that others are being answered.

        Of a burst it refuses those that are too many, which are fewer than were let
        go. More refusals in a row without a good answer are believed.
        """
        if self._gate.cold or self.active <= 1 or now - self._good_at >= AWAKE:
            return False
        if self._cold_answers == 0:
            self._borne = max(self.active, self.limiter.limit)
        self._cold_answers += 1
        return self._cold_answers <= self._borne

    def _forget_waits(self) -> None:
        """Have each patience begin anew: this is not the same wait as the last."""
        for ticket in self._line:
            ticket.cold_since = None

    def _tell(self, now: float) -> None:
        """Wake who listens, who should be timed anew, and who waits in vain."""
        estimate = self._gate.estimate(now) or 0.0
        for ticket in self._line:
            fresh = ticket.cold_since is None
            if ticket.told or fresh or estimate > ticket.expires - now:
                ticket.wake()

    def _may_send(self, now: float) -> bool:
        if now < self._limited_at + LATCH or self.limiter.exhausted(now) is not None:
            return False  # whoever waits was woken, and hears why
        if not self.active and now - self._good_at >= AWAKE:
            self._gate.forget()
        waiting = self.active - self._answering
        return self.limiter.free and self._gate.allows(now=now, unanswered=waiting)

    def _grant(self, ticket: Ticket, now: float) -> None:
        self.limiter.take()
        self.active += 1
        ticket.granted = True
        ticket.paced = False
        ticket.sent_at = now
        ticket.look = self._gate.sent(now=now)
        if ticket.look:
            self._arm()
        else:
            ticket.cold_since = None

    def _give_back(self, ticket: Ticket) -> None:
        answered = ticket.answered
        ticket.granted = ticket.answered = False
        self.active -= 1
        self._answering -= answered
        if self._line:
            self.limiter.join(self)
        self.limiter.give_back(answered=answered)

    def _requeue(self, ticket: Ticket) -> None:
        self._line.join(ticket)
        self.limiter.queued += 1
        self._give_back(ticket)

    def _join(self, ticket: Ticket) -> None:
        limiter = self.limiter
        again = ticket.not_before > 0  # it has waited its turn once already
        if limiter.queued >= limiter.max_queue and not again:
            raise Overloaded(
                f"The queue for this endpoint is full: {limiter.queued:,} calls wait "
                f"and maxQueue is {limiter.max_queue:,}.",
                hint="Send fewer at once, or raise requestOptions.maxQueue.",
            )
        ticket.paced = ticket.paced or limiter.long_pause
        self._line.join(ticket)
        limiter.queued += 1
        limiter.join(self)
        self._arm()

    def _left_line(self) -> None:
        self.limiter.queued -= 1
        if not self._line:
            self.limiter.part(self)

    def _refuse(self, now: float) -> None:
        if (exhausted := self.limiter.exhausted(now)) is not None:
            raise copy(exhausted)
        if self._limited is not None and now < self._limited_at + LATCH:
            refusal = copy(self._limited)
            past = now - self._limited_at
            refusal.retry_after = (refusal.retry_after or 0) - past
            raise refusal

    def _check(self, ticket: Ticket, now: float) -> None:
        # The patience for a cold model counts no time spent in the queue of a warm one.
        if not self._gate.cold:
            ticket.cold_since = None
        elif ticket.cold_since is None:
            ticket.cold_since = now
        left = ticket.expires - now
        if left <= 0:
            raise self._expired(ticket, now)
        quiet = self.limiter.quiet_until
        if quiet >= ticket.deadline:
            raise RateLimited(
                f"The server asked for {quiet - now:,.0f} s of rest and {left:,.0f} s "
                "of this call are left.",
                retry_after=quiet - now,
                hint="Ask again later, or raise requestOptions.timeout.",
            )
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
        if ticket.cold_since is not None and self._gate.reason == "starting":
            return ColdStartTimeout(
                f"The server did not answer for {now - ticket.cold_since:,.0f} s.",
                hint="Start it, or look at its log; then ask again.",
            )
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
        if not self._gate.cold or not self._line or self._closed:
            return
        due = self._gate.due
        if self._timer is not None:
            if self._timer.when() == due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._gate.cold and self._loop.time() < self._gate.due:
            self._arm()  # some loops' timers come a little early
        elif self._line:
            self.limiter.join(self)
            self.limiter.share()
