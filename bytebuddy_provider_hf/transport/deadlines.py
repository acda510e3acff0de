"""End what takes too long: calls by their deadline, streams by their silence."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType
from typing import Self

from bytebuddy_provider_hf.errors import IdleTimeout, NoDataTimeout
from bytebuddy_provider_hf.texts import number_text, option_name, text


class Deadlines:
    """Cancel what is late. One timer, re-armed only when it fires or comes too late.

    An ``asyncio.timeout`` for each call would cost 3.8 µs; this costs 0.6.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # The blocks that are watched, and when the timer fires.
        self.blocks: dict[Timeout, None] = {}
        self.due = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.due = math.inf

    def arm(self, due: float) -> None:
        """Let the timer fire at ``due``, sooner than it would."""
        if self._timer is not None:
            self._timer.cancel()
        self.due = due
        self._timer = self._loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self.due = None, math.inf
        now = self._loop.time()
        soonest = math.inf
        for block in list(self.blocks):
            if block.until <= now:
                block.expire()
            else:
                soonest = min(soonest, block.until)
        if soonest < math.inf:
            self.arm(soonest)


class Timeout:
    """Leave a block at ``until``, whatever it awaits.

    It swallows the cancellation that it caused itself, and no other, so code behind the
    ``with`` block runs only when it was late::

        with Timeout(deadlines, until):
            return await something()
        raise TooLate
    """

    __slots__ = ("_cancelling", "_deadlines", "_late", "_task", "until")

    def __init__(self, deadlines: Deadlines, until: float) -> None:
        self._deadlines = deadlines
        self.until = until
        self._late = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            message = "a call runs in a task, as asyncio.timeout does"
            raise RuntimeError(message)
        self._task = task
        # As asyncio.timeout does: a cancellation from outside must not be swallowed.
        self._cancelling = task.cancelling()
        deadlines = self._deadlines
        deadlines.blocks[self] = None
        if self.until < deadlines.due:
            deadlines.arm(self.until)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        del self._deadlines.blocks[self]
        if not self._late:
            return False
        mine = self._task.uncancel() <= self._cancelling
        return mine and kind is asyncio.CancelledError

    def expire(self) -> None:
        """End what the block awaits."""
        if not self._late:
            self._late = True
            self._task.cancel()


class StreamWatch:
    """Call ``abort`` when a read lasts too long, or none brings progress for too long.

    Keep-alive comments and empty events end a read and bring no progress. Time during
    which the caller does not read is its own. Limits are seconds; one timer is re-armed
    only when it fires (0.15 µs a chunk against 3.8 for ``asyncio.timeout``).
    """

    __slots__ = (
        "_abort",
        "_end",
        "_idle",
        "_loop",
        "_no_data",
        "_reading",
        "_rest",
        "_since",
        "_timer",
    )

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        idle: float,
        no_data: float,
        abort: Callable[[IdleTimeout | NoDataTimeout], None],
    ) -> None:
        self._loop = loop
        self._idle = idle
        self._no_data = no_data
        self._abort = abort
        self._reading = math.inf
        self._since = math.inf
        # When the stream is over whatever comes, and how long that was from the start.
        self._end = math.inf
        self._rest = 0.0
        self._timer = loop.call_later(min(idle, no_data), self._on_timer)

    def read_started(self) -> None:
        """Note that a read begins."""
        self._reading = self._loop.time()
        self._since = min(self._since, self._reading)
        if self._end < self._reading:
            self._arm_end()

    def read_finished(self, *, progress: bool) -> None:
        """Note that a read ended, and whether it brought progress."""
        self._reading = math.inf
        if progress:
            self._since = math.inf

    def end_in(self, seconds: float | None) -> None:
        """Let reads last so long from now, whatever they bring; ``None``: for ever."""
        if seconds is None:
            self._end = math.inf
        elif math.isinf(self._end):
            self._rest = seconds
            self._arm_end()

    def _arm_end(self) -> None:
        self._end = self._loop.time() + self._rest
        self._timer.cancel()
        self._timer = self._loop.call_at(self._end, self._on_timer)

    def stop(self) -> None:
        """Stop watching."""
        self._timer.cancel()

    def _on_timer(self) -> None:
        now = self._loop.time()
        # Nobody reads now: the time is the caller's own.
        if math.isinf(self._reading):
            due = now + min(self._idle, self._no_data)
        else:
            idle_at = min(self._reading + self._idle, self._end)
            due = min(idle_at, self._since + self._no_data)
            if due <= now:
                kind: type[IdleTimeout | NoDataTimeout] = NoDataTimeout
                key, limit = "no_data_timeout", self._no_data
                idle = now >= idle_at
                if idle:
                    kind, key, limit = IdleTimeout, "idle_timeout", self._idle
                message = text(
                    "transport.stream_idle" if idle else "transport.stream_no_data",
                    limit=number_text(limit),
                )
                hint = text(
                    "transport.silence_hint", key=option_name(f"request_options.{key}")
                )
                self._abort(kind(message, hint=hint))
                return
        self._timer = self._loop.call_at(due, self._on_timer)
