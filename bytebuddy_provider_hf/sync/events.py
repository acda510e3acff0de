"""Iterate over the events of a call, as they come from the loop's thread."""

from __future__ import annotations

import asyncio
import queue
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Final, Self, final

from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.sync.loop_thread import SLICE, Job, LoopThread, closed
from bytebuddy_provider_hf.types import Event

# Events that may wait to be taken; then the server is read no further.
_AHEAD: Final = 64


class _Ended:
    """What stands behind the last event: the error that ended them, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@final
class Events(Iterator[Event]):
    """The events of one call, as they come; the call begins with the first ``next``.

    Leaving a ``for`` loop early closes the connection as soon as nothing refers to the
    events; ``close``, or a ``with`` block, does at once. They are for one thread.
    """

    def __init__(self, loop: LoopThread, call: ReplyCall) -> None:
        self._loop = loop
        self._call: ReplyCall | None = call
        self._came: queue.SimpleQueue[Event | _Ended] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(_AHEAD)
        self._job: Job[None] | None = None
        self._taken = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        if self._call is None and self._job is None:
            raise StopIteration
        try:
            if self._call is not None:
                # Without this object in it, which is to be collected when it is left.
                read = partial(read_events, self._call, self._came, self._room)
                self._job = self._loop.job(read)
                self._call = None
                self._job.start()
            found = self._next()
        except BaseException:
            self.close()
            raise
        if isinstance(found, _Ended):
            self._job = None
            if found.error is None:
                raise StopIteration
            if isinstance(found.error, asyncio.CancelledError):
                raise closed()
            raise found.error
        self._taken += 1
        # Not after each event: waking the loop costs more than an event does.
        if self._taken >= _AHEAD // 2:
            taken, self._taken = self._taken, 0
            with suppress(RuntimeError):  # closed; what came is still told
                self._loop.loop.call_soon_threadsafe(make_room, self._room, taken)
        return found

    def _next(self) -> Event | _Ended:
        while True:
            try:
                return self._came.get(timeout=SLICE)
            except queue.Empty:
                continue

    def close(self) -> None:
        """End the call, if it has not ended, and close its connection."""
        call, self._call = self._call, None
        if call is not None:
            call.close()
        job, self._job = self._job, None
        if job is not None:
            job.cancel_and_wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Nothing is waited for here: a collection may happen anywhere.
        if self._job is not None:
            self._job.cancel()
        if self._call is not None:
            # Told here and now, not by the call, which the loop may hold a little.
            self._call.close()
            message = "events of a call were asked for and never iterated"
            warnings.warn(message, RuntimeWarning, stacklevel=2, source=self)


async def read_events(
    call: ReplyCall, came: queue.SimpleQueue[Event | _Ended], room: asyncio.Semaphore
) -> None:
    """Put the events of a call into a queue, in one task from its begin to its end."""
    end = _Ended()
    try:
        async with call as events:
            async for event in events:
                await room.acquire()
                came.put(event)
    except BaseException as error:
        end = _Ended(error)
        raise
    finally:
        came.put(end)


def make_room(room: asyncio.Semaphore, count: int) -> None:
    """Let so many more events come."""
    for _ in range(count):
        room.release()
