"""Queue the calls for one model: who goes next, cold starts, a share of permits.

Everything here is synchronous except :meth:`ModelQueue.wait`, so a call that is
cancelled at any point leaves by :meth:`ModelQueue.release` with nothing lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy
from typing import Final

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    APIError,
    Closed,
    QuotaExhausted,
)
from bytebuddy_provider_hf.scheduling.cold_start import UNKNOWN, ColdStart
from bytebuddy_provider_hf.scheduling.limiter import REFUSAL_MEMORY, Limiter
from bytebuddy_provider_hf.scheduling.retry import LONGEST_HINT
from bytebuddy_provider_hf.scheduling.waiter import Waiter, WaitList
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Loading, WaitReason

# So long after a good answer an endpoint that sheds a request is busy, not asleep.
AWAKE: Final = 60.0
# A local server that was just there gets so long to come back from a restart.
RESTART: Final = 30.0


class ModelQueue:
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
        self._cold_start = ColdStart(jitter=jitter, unknown=None if local else UNKNOWN)
        self._wait_list = WaitList()
        self._timer: asyncio.TimerHandle | None = None
        self.active = 0
        # Of these, the calls whose answer has begun.
        self._answering = 0
        self._good_at = float("-inf")
        # Refusals as "not ready" since the last good answer, and how many are borne.
        self._cold_refusals = 0
        self._tolerated = 0
        self._refusal: APIError | None = None
        self._refused_at = float("-inf")
        self._backing_off: set[Waiter] = set()
        self._closed = False

    def try_acquire(self, waiter: Waiter) -> bool:
        """Return whether the call may be sent now; otherwise it waits.

        Raises ``Overloaded``, ``CallTimeout``,
        ``RateLimited`` where the pause lasts longer than the call may, and what was
        remembered: that there are no credits, or a limit too long to wait for. After
        :meth:`close`, ``Closed``.
        """
        if self._closed:
            raise Closed(text("scheduling.closed"), hint=text("scheduling.closed_hint"))
        if waiter.granted:
            return True
        now = self._loop.time()
        if waiter.not_before > now:
            self._check_deadlines(waiter, now)
            return False
        limiter = self.limiter
        if limiter.quota_error is not None and now < limiter.quota_error_until:
            raise copy(limiter.quota_error)
        if self._refusal is not None and now < self._refused_at + REFUSAL_MEMORY:
            refusal = copy(self._refusal)
            past = now - self._refused_at
            refusal.retry_after = (refusal.retry_after or 0) - past
            raise refusal
        if not waiter.queued:
            if not self._wait_list.size and self._may_send(now):
                self._grant(waiter, now)
                return True
            limiter.enter_queue(self, again=waiter.not_before > 0)
            waiter.paced = waiter.paced or limiter.long_pause
            self._wait_list.add(waiter)
            self._arm_timer()
        self._check_deadlines(waiter, now)
        return False

    async def wait(self, waiter: Waiter, *, observed: bool = True) -> None:
        """Wait until there is news for this call.

        Unless it is ``observed``, that it still waits is no news: 10,000 calls that
        wake at each probe would hold up the loop for half a second.
        """
        if self._closed:
            return
        waiter.is_waiting, waiter.observed = True, observed
        try:
            # A permit may have been passed over while the caller was busy.
            self.grant_one()
            await waiter.sleep(self._loop)
        finally:
            waiter.is_waiting = False

    def wait_state(self, waiter: Waiter) -> Loading | None:
        """Return what the call waits for, or ``None`` where it should not be told."""
        now = self._loop.time()
        waiters = max(1, self._wait_list.size)
        if self._cold_start.cold and waiter.queued:
            if waiter.cold_since is None:
                waiter.cold_since = now
            elapsed = now - waiter.cold_since
            estimate = self._cold_start.estimate(now)
            return Loading(elapsed, estimate, waiters, self._cold_start.reason)
        elapsed = now - waiter.since
        if self.limiter.paused_until > now:
            left = self.limiter.paused_until - now
            return Loading(elapsed, left, waiters, "rate limited")
        if waiter.not_before > now:
            return Loading(elapsed, waiter.not_before - now, 1, "retrying")
        if waiter.queued:
            return Loading(elapsed, None, waiters, "queued")
        return None

    def on_cold(
        self,
        waiter: Waiter,
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
            self.limiter.on_overload(now=now, sent_at=waiter.sent_at)
            self._requeue(waiter)
            return
        if not self._cold_start.cold:
            # This is not the same wait as the last: each call's starts anew.
            for other in self._wait_list:
                other.cold_since = None
        if waiter.cold_since is None:
            waiter.cold_since = waiter.sent_at
        self._cold_start.reason = reason
        self._cold_start.on_cold(
            now=now, sent_at=waiter.sent_at, estimate=estimate, probe_id=waiter.probe_id
        )
        waiter.probe_id = 0
        self._requeue(waiter)
        self._arm_timer()
        if not self._cold_start.cold:
            return
        # Wake who listens, who should be timed anew, and who waits in vain.
        left = self._cold_start.estimate(now) or 0.0
        for other in self._wait_list:
            fresh = other.cold_since is None
            if other.observed or fresh or left > other.expires - now:
                other.wake()

    def on_shed(self, waiter: Waiter, until: float) -> None:
        """Let a call rest that a busy endpoint turned away; the limit shrinks."""
        now = self._loop.time()
        waiter.sheds += 1
        self.on_no_response(waiter, cancelled=False, overloaded=True)
        self.back_off(waiter, max(now, until))

    def is_awake(self) -> bool:
        """Return whether the model gave a good answer of late, or is giving one."""
        return self._answering > 0 or self._loop.time() - self._good_at < AWAKE

    def on_connection_refused(self, waiter: Waiter, *, restart: bool) -> bool:
        """Return whether a refused connection is worth waiting; requeue the call if so.

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
            if self._cold_start.cold:
                self._cold_start.end()
                self.wake_all()
            return False
        self.on_cold(waiter, reason="starting")
        if restart:
            self._cold_start.probe_by(until)
            self._arm_timer()
        return True

    def back_off_all(self, waiter: Waiter, until: float, *, rest_until: float) -> None:
        """Put a call back and pause everybody at this origin until then.

        The call itself rests until ``rest_until`` if that is later.
        """
        self.limiter.pause_until(until)
        waiter.paced = True
        if rest_until > until:
            self.back_off(waiter, rest_until)
        else:
            self._requeue(waiter)

    def back_off(self, waiter: Waiter, until: float) -> None:
        """Let one call rest until then, without permit and out of the queue."""
        waiter.not_before = until
        self._backing_off.add(waiter)
        self._return_permit(waiter)
        self._arm_timer()

    def on_response(
        self,
        waiter: Waiter,
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
        waiter.probe_id = 0
        if good:
            self._good_at, self._cold_refusals = now, 0
            if waiter.granted and not waiter.answered:
                waiter.answered = True
                self._answering += 1
                self.limiter.answered += 1
        if not self._cold_start.settled:
            self._cold_start.on_ready(now=now, limit=self.limiter.limit)
        if good:
            self.limiter.on_success()
        elif rated:
            self.limiter.on_rate(now=now, sent_at=waiter.sent_at)
        elif overloaded:
            self.limiter.on_overload(now=now, sent_at=waiter.sent_at)
        if self._wait_list.size:
            self.limiter.register(self)
            self.limiter.dispatch()

    def remember_refusal(self, failure: APIError) -> None:
        """Spare the others a refusal that each of them would get as well.

        That credits are used up holds for the account, a limit of more than two
        minutes for this model; each for a minute, as it may have been lifted.
        """
        now = self._loop.time()
        if isinstance(failure, QuotaExhausted):
            self.limiter.on_quota_exhausted(failure, now=now)
        elif (failure.retry_after or 0) > LONGEST_HINT:
            self._refusal, self._refused_at = copy(failure), now
            self.wake_all()

    def on_no_response(
        self, waiter: Waiter, *, cancelled: bool, overloaded: bool = False
    ) -> None:
        """Note that a call got no answer at all: it left, or its connection broke."""
        now = self._loop.time()
        if overloaded:
            self.limiter.on_overload(now=now, sent_at=waiter.sent_at)
        if waiter.probe_id:
            probe_id, waiter.probe_id = waiter.probe_id, 0
            self._cold_start.on_probe_lost(
                now=now, cancelled=cancelled, probe_id=probe_id
            )

    def release(self, waiter: Waiter, *, cancelled: bool = False) -> None:
        """Give everything back; safe at any time and more than once."""
        self._backing_off.discard(waiter)
        if waiter.queued:
            self._wait_list.remove(waiter)
            self._after_dequeue()
        if waiter.granted:
            if waiter.probe_id:
                self.on_no_response(waiter, cancelled=cancelled)
            self._return_permit(waiter)
            if self._cold_start.cold:
                self._arm_timer()

    def close(self) -> None:
        """Stop looking, and send away whoever waits."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for waiter in (*self._wait_list, *self._backing_off):
            waiter.wake()

    def is_evictable(self, now: float) -> bool:
        """Return whether nobody is under way, and nothing known is worth keeping."""
        if self.active or self._wait_list.size or self._backing_off:
            return False
        due = self._cold_start.next_probe_at if self._cold_start.cold else now
        return now >= max(due, self._refused_at + REFUSAL_MEMORY)

    def grant_one(self) -> bool:
        """Let the first who is here go, if the cold start allows it."""
        now = self._loop.time()
        if not self._wait_list.size or not self._may_send(now):
            return False
        waiter = self._wait_list.first_waiting()
        if waiter is None or (waiter.paced and not self.limiter.may_wake()):
            return False
        self._wait_list.remove(waiter)
        self._after_dequeue()
        self._grant(waiter, now)
        waiter.wake()
        return True

    def wake_all(self) -> None:
        """Let every waiting call look at its state again."""
        for waiter in self._wait_list:
            waiter.wake()

    def on_pause(self, until: float, *, paced: bool) -> None:
        """Wake who listens and who cannot wait so long; the others wait on.

        A thousand calls that wake for no news would hold up the loop.
        """
        for waiter in self._wait_list:
            waiter.paced = waiter.paced or paced
            if waiter.observed or until >= waiter.rests_until:
                waiter.wake()

    def _is_busy(self, now: float) -> bool:
        """Return whether "not ready" means that others are being answered.

        Of a burst it refuses those that are too many, which are fewer than were let
        go. More refusals in a row without a good answer are believed.
        """
        if self._cold_start.cold or self.active <= 1 or now - self._good_at >= AWAKE:
            return False
        if self._cold_refusals == 0:
            self._tolerated = max(self.active, self.limiter.limit)
        self._cold_refusals += 1
        return self._cold_refusals <= self._tolerated

    def _may_send(self, now: float) -> bool:
        limiter = self.limiter
        # Whoever waits was woken, and hears why it may not go.
        if now < self._refused_at + REFUSAL_MEMORY or now < limiter.quota_error_until:
            return False
        if not self.active and now - self._good_at >= AWAKE:
            self._cold_start.reset()
        if not limiter.free:
            return False
        waiting = self.active - self._answering
        cold_start = self._cold_start
        return cold_start.settled or cold_start.allows(now=now, unanswered=waiting)

    def _grant(self, waiter: Waiter, now: float) -> None:
        self.limiter.take()
        self.active += 1
        waiter.granted = True
        waiter.paced = False
        waiter.sent_at = now
        if self._cold_start.cold:
            waiter.probe_id = self._cold_start.on_probe_sent(now=now)
            self._arm_timer()
        else:
            waiter.probe_id, waiter.cold_since = 0, None

    def _return_permit(self, waiter: Waiter) -> None:
        answered = waiter.answered
        waiter.granted = waiter.answered = False
        self.active -= 1
        self._answering -= answered
        if self._wait_list.size:
            self.limiter.register(self)
        self.limiter.give_back(answered=answered)

    def _requeue(self, waiter: Waiter) -> None:
        self._wait_list.add(waiter)
        self.limiter.queued += 1
        self._return_permit(waiter)

    def _after_dequeue(self) -> None:
        self.limiter.queued -= 1
        if not self._wait_list.size:
            self.limiter.unregister(self)

    def _check_deadlines(self, waiter: Waiter, now: float) -> None:
        # The wait for a cold model counts no time spent in the queue of a warm one.
        if not self._cold_start.cold:
            waiter.cold_since = None
        elif waiter.cold_since is None:
            waiter.cold_since = now
        left = waiter.expires - now
        if left <= 0:
            raise waiter.timeout_error(now, self._cold_start.reason)
        quiet = self.limiter.paused_until
        if quiet > now and quiet >= waiter.rests_until:
            raise waiter.rests_too_long(quiet - now, waiter.deadline - now)
        estimate = self._cold_start.estimate(now) if self._cold_start.cold else None
        if estimate is not None and estimate > left:
            raise waiter.loads_too_long(estimate, left)

    def _arm_timer(self) -> None:
        """Wake the queue when the next probe is due, if somebody waits for it."""
        if not (self._cold_start.cold and self._wait_list.size) or self._closed:
            return
        due = self._cold_start.next_probe_at
        if self._timer is not None:
            if self._timer.when() == due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._cold_start.cold and self._loop.time() < self._cold_start.next_probe_at:
            self._arm_timer()  # some loops' timers come a little early
        elif self._wait_list.size:
            self.limiter.register(self)
            self.limiter.dispatch()
