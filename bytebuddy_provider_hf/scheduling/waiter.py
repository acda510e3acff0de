"""Hold a call that waits for its model, and list those that do in their order."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from itertools import count
from operator import attrgetter
from typing import Final

from attrs import Factory, define, field

from bytebuddy_provider_hf.errors import (
    ColdStartTimeout,
    DeadlineExceeded,
    RateLimited,
)
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import WaitReason

_number: Final = attrgetter("number")


@define(eq=False)  # slots, because 10,000 calls may wait at once
class Waiter:
    """Hold where a call stands. Times are seconds of the loop's clock.

    ``cold_hint`` is the next step where its model was waited for in vain, if not to
    wait longer. After ``patience`` seconds it rests no more, for a limit or before a
    retry: somebody else is asked then. ``number`` tells who came first. ``is_waiting``
    is set while the call sleeps in a queue: the reader of a stream may be busy with
    what it was told, and gets no permit then. ``observed`` is whether somebody listens
    to how the waiting goes. ``not_before`` is when a resting call may ask again;
    ``probe_id`` the number of the probe that its request is, or 0; ``sheds`` how often
    a busy endpoint turned it away; ``answered`` whether its answer has begun; ``paced``
    whether it was told to wait and wakes in steps; ``retry_cost`` what its retries took
    from the budget.
    """

    since: float
    timeout: float
    cold_timeout: float
    cold_hint: str | None = None
    patience: float | None = None
    deadline: float = field(
        init=False,
        default=Factory(lambda self: self.since + self.timeout, takes_self=True),
    )
    number: int = field(init=False, factory=count().__next__)
    queued: bool = False
    is_waiting: bool = False
    observed: bool = True
    granted: bool = False
    answered: bool = False
    paced: bool = False
    attempt: int = 1
    sheds: int = 0
    retry_cost: int = 0
    probe_id: int = 0
    sent_at: float = 0.0
    not_before: float = 0.0
    cold_since: float | None = None
    _future: asyncio.Future[None] | None = None
    _timer: asyncio.TimerHandle | None = None

    @property
    def expires(self) -> float:
        """Return when the waiting must end."""
        if self.cold_since is None:
            return self.deadline
        return min(self.deadline, self.cold_since + self.cold_timeout)

    @property
    def rests_until(self) -> float:
        """Return when it must rest no more, for a limit or before a retry."""
        if self.patience is None:
            return self.deadline
        return min(self.deadline, self.since + self.patience)

    def timeout_error(
        self, now: float, reason: WaitReason
    ) -> ColdStartTimeout | DeadlineExceeded:
        """Return the error of a call that waited too long: for ``reason`` if cold."""
        if self.cold_since is None:
            return DeadlineExceeded(
                text("scheduling.deadline", timeout=f"{self.timeout:,.0f}"),
                hint=text("scheduling.deadline_hint"),
            )
        waited = now - self.cold_since
        if reason == "starting":
            return ColdStartTimeout(
                text("scheduling.no_answer", waited=f"{waited:,.0f}"),
                hint=text("scheduling.no_answer_hint"),
            )
        return ColdStartTimeout(
            text("scheduling.not_ready", waited=f"{waited:,.0f}"),
            hint=self.cold_hint or text("scheduling.wait_longer"),
        )

    def loads_too_long(self, estimate: float, left: float) -> ColdStartTimeout:
        """Return the error of a call with less time than its model needs to load."""
        return ColdStartTimeout(
            text(
                "scheduling.loads_too_long",
                estimate=f"{estimate:,.0f}",
                left=f"{left:,.0f}",
            ),
            retry_after=estimate,
            hint=self.cold_hint or text("scheduling.wait_longer"),
        )

    def rests_too_long(self, rest: float, left: float) -> RateLimited:
        """Return the error of a call that a server lets rest longer than it may."""
        facts = {"rest": f"{rest:,.0f}", "left": f"{left:,.0f}"}
        if rest >= left:
            message = text("scheduling.rest_too_long", **facts)
            hint = text("scheduling.rest_too_long_hint")
        else:
            message = text("fallbacks.rest_too_long", rest=facts["rest"])
            hint = text("fallbacks.wait_longer")
        return RateLimited(message, retry_after=rest, hint=hint)

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


class WaitList:
    """Keep waiters by their number; one that comes back gets its old place.

    ``size`` is a plain number, because every call that is sent asks for it.
    """

    __slots__ = ("_back", "_new", "size")

    def __init__(self) -> None:
        self.size = 0
        # In the order of their numbers, so that the first is found at once.
        self._new: OrderedDict[Waiter, None] = OrderedDict()
        # Few, and not in the order in which they come back.
        self._back: list[Waiter] = []

    def __iter__(self) -> Iterator[Waiter]:
        yield from self._back
        yield from self._new

    def add(self, waiter: Waiter) -> None:
        """Put a waiter where its number says."""
        waiter.queued = True
        self.size += 1
        last = next(reversed(self._new), None)
        if last is None or last.number < waiter.number:
            self._new[waiter] = None
        else:
            insort(self._back, waiter, key=_number)

    def remove(self, waiter: Waiter) -> None:
        """Take a waiter out that is in."""
        waiter.queued = False
        self.size -= 1
        if waiter in self._new:
            del self._new[waiter]
        else:
            del self._back[bisect_left(self._back, waiter.number, key=_number)]

    def first_waiting(self) -> Waiter | None:
        """Return the first whose caller is here to go."""
        back = next((waiter for waiter in self._back if waiter.is_waiting), None)
        new = next((waiter for waiter in self._new if waiter.is_waiting), None)
        if back is None or new is None:
            return back or new
        return min(back, new, key=_number)
