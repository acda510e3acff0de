"""Track the task that reads a call's events, so leaving the block can cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

from bytebuddy_provider_hf.errors import Closed
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Event


class ReaderTask:
    """The task that waits inside a generator of events, and its way out.

    A generator cannot be closed while another task waits in it, and the connection is
    to be closed at once all the same. That task is told by ``Closed``: what ends early
    never ends in silence.
    """

    __slots__ = ("_cancelling", "_left", "_task")

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._left = False
        self._cancelling = 0

    def enter_wait(self) -> None:
        """Note that the running task is about to wait."""
        self._task = asyncio.current_task()

    async def cancel(self, events: AsyncGenerator[Event, None]) -> None:
        """End the wait of another task in ``events``, and close these."""
        task = self._task
        if task is not None and _is_running(events):
            # Others may have asked the task to end before: that stays their wish.
            self._left, self._cancelling = True, task.cancelling()
            task.cancel()
            while _is_running(events):  # noqa: ASYNC110 - a generator has no event
                await asyncio.sleep(0)
        await events.aclose()

    def __enter__(self) -> Self:
        self.enter_wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._left or kind is not asyncio.CancelledError:
            return
        if self._task is None or self._task.uncancel() > self._cancelling:
            return  # somebody else wants the task to end as well
        raise Closed(
            text("calls.block_of_this_call_was_left_while"),
            hint=text("calls.let_that_task_end_before_you_leave"),
        ) from None


def _is_running(events: AsyncGenerator[Event, None]) -> bool:
    """Whether a task waits inside a generator; wrappers of one have no such mark."""
    return bool(getattr(events, "ag_running", False))
