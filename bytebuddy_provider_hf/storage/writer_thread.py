"""Run the one thread of a process that writes its usage, when there is something."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from attrs import define, field

from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.config.values import Budget
from bytebuddy_provider_hf.storage.attempt_rows import Recorded
from bytebuddy_provider_hf.storage.budgets import (
    Amounts,
    BudgetBlocks,
    Reservation,
    log_alerts,
    period_at,
)
from bytebuddy_provider_hf.storage.counter import RequestCounter
from bytebuddy_provider_hf.storage.database import DAY, warn_once
from bytebuddy_provider_hf.storage.writer import PriceFound, UsageWriter, Work, Written
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import BudgetAlert

_log: Final = logging.getLogger(__name__)

# Attempts that are written without waiting for more. Each transaction takes some 0.3 ms
# of a busy machine, however little it writes.
MOST_WAITING: Final = 2_048
# Seconds to wait for more of them.
_PAUSE: Final = 0.5
# Seconds without a call after which what is held of budgets is given back.
_LINGER: Final = 1.0
# A disk that does not answer does not hold up the end of a program for ever.
_LONGEST_STOP: Final = 30.0
_LONGEST_FORK: Final = 5.0

T = TypeVar("T")


@define(eq=False)
class UsageRequest:
    """What a caller waits for; ``undo`` takes an answer back that it did not get."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    undo: Callable[[Any], object]

    @classmethod
    def new(cls, undo: Callable[[Any], object]) -> Self:
        """Return a request of the running loop."""
        loop = asyncio.get_running_loop()
        return cls(loop, loop.create_future(), undo)

    async def answered(self) -> Any:  # noqa: ANN401 - as many kinds as requests
        """Wait for the answer."""
        # A loop of virtual time lets none pass for a thread that it does not know.
        still = getattr(self.loop, "standing_still", contextlib.nullcontext)
        try:
            with still():
                return await self.future
        except asyncio.CancelledError:
            # Cancelled between the answer and this task's turn.
            if self.future.done() and not self.future.cancelled():
                self.undo(self.future.result())
            raise

    def answer(self, answer: object) -> None:
        """Answer from another thread; a caller that has left gets nothing."""
        try:
            self.loop.call_soon_threadsafe(self.set_answer, answer)
        except RuntimeError:  # the loop was closed
            self.undo(answer)

    def set_answer(self, answer: object) -> None:
        """Answer from a callback of the loop."""
        if self.future.cancelled():
            self.undo(answer)
        else:
            self.future.set_result(answer)


@define(eq=False)
class Inbox:
    """What callers bring: they append, the thread takes from the other end."""

    attempts: deque[Recorded] = field(factory=deque)
    settled: deque[tuple[Reservation, Amounts]] = field(factory=deque)
    prices: deque[PriceFound] = field(factory=deque)
    counting: deque[UsageRequest] = field(factory=deque)
    reserving: deque[tuple[UsageRequest, Sequence[Budget], Amounts]] = field(
        factory=deque
    )
    flushing: deque[UsageRequest] = field(factory=deque)

    def has_rows(self) -> bool:
        """Whether there is something that nobody waits for."""
        return bool(self.attempts or self.settled or self.prices)

    def is_urgent(self) -> bool:
        """Whether somebody waits, or there is enough."""
        return bool(
            self.counting
            or self.reserving
            or self.flushing
            or len(self.attempts) >= MOST_WAITING
        )

    def clear(self) -> None:
        """Drop everything."""
        queues: tuple[deque[Any], ...] = (
            self.attempts,
            self.settled,
            self.prices,
            self.counting,
            self.reserving,
            self.flushing,
        )
        for queue in queues:
            queue.clear()


class WriterThread:
    """Write what is in ``inbox``, about five times a second, or when somebody waits.

    It is started when it is first woken. ``listeners`` are called with thresholds of
    budgets that were passed.
    """

    def __init__(
        self,
        folder: Path,
        inbox: Inbox,
        blocks: BudgetBlocks,
        *,
        clock: Callable[[], float],
        listeners: Sequence[Callable[[BudgetAlert], None]],
    ) -> None:
        self._folder = folder
        self._inbox = inbox
        self._blocks = blocks
        self._clock = clock
        self._listeners = listeners
        self.counter = RequestCounter(self.wake_up)
        # While it is set, whoever brings something has to wake the thread.
        self.is_idle = True
        # Not only its number, which another process gets again.
        self._process = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._month = (0, 0)
        # The thread waits until somebody releases it.
        self._gate = threading.Lock()
        self._gate.acquire()
        self._lock = threading.Lock()
        self._running = threading.Event()
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        # Held while SQLite works: a fork waits for it.
        self._writing = threading.Lock()
        self._is_held = False

    def wake_up(self) -> bool:
        """Make the thread look for work, started if need be; whether it runs."""
        # It may be open already; asking first would leave time for that.
        with contextlib.suppress(RuntimeError):
            self._gate.release()
        if self._running.is_set():
            return True
        with self._lock:
            if self._running.is_set():
                return True
            self._stopped.clear()
            thread = threading.Thread(
                target=self._run, name="bytebuddy-usage", daemon=True
            )
            self._running.set()
            try:
                thread.start()
                _threads.add(self)
            except RuntimeError:  # at the end of the program, or too many threads
                self._running.clear()
                path = self._folder / USAGE.name
                warn_once(text("storage.no_thread", path=path))
                self._inbox.clear()
            return self._running.is_set()

    @property
    def is_unused(self) -> bool:
        """Whether nothing runs, and nothing is to be written."""
        return not self._running.is_set() and not self._inbox.has_rows()

    def stop(self) -> None:
        """Write everything, give back what was counted ahead, and end the thread."""
        with self._lock:
            if not self._running.is_set():
                return
            self._stopping.set()
        self.wake_up()
        self._stopped.wait(_LONGEST_STOP)

    def hold(self) -> None:
        """Let no transaction run while this process is copied by a fork."""
        self._is_held = self._writing.acquire(timeout=_LONGEST_FORK)

    def resume(self) -> None:
        """Go on after a fork."""
        if self._is_held:
            self._writing.release()

    def _run(self) -> None:
        # Not an attribute: the child of a fork must never close this connection.
        writer = UsageWriter(
            self._folder,
            process=self._process,
            counter=self.counter,
            blocks=self._blocks,
        )
        inbox = self._inbox
        has_more = False
        # When what came since the last transaction is written.
        due = 0.0
        try:
            while not self._stopping.is_set():
                is_over = False
                if not has_more:
                    is_over, due = self._rest(due)
                with self._writing:
                    if inbox.counting or self.counter.is_low():
                        self._grant(writer)
                    is_due = inbox.has_rows() and time.monotonic() >= due
                    if is_over or is_due or inbox.is_urgent():
                        self._write(writer, gives_back=is_over)
                        due = time.monotonic() + _PAUSE
                    has_more = writer.trim(int(self._clock() // DAY))
            with self._writing:
                self._write(writer, gives_back=True, is_last=True)
        finally:
            with contextlib.suppress(sqlite3.Error):
                writer.close()
            with self._lock:
                # It would hold a file open; the next thread maps it anew.
                self.counter.leave_buffer()
                self._running.clear()
                self._stopping.clear()
                self.is_idle = True
                _threads.discard(self)
            self._stopped.set()
        # What came meanwhile found a thread that was about to end.
        if inbox.has_rows() or inbox.is_urgent():
            self.wake_up()

    def _rest(self, due: float) -> tuple[bool, float]:
        """Wait for something to do; return whether nothing was for long, and ``due``.

        Until then only what is urgent ends the wait.
        """
        inbox = self._inbox
        # What comes during a timed wait is written at its end: nobody need wake it.
        self.is_idle = False
        if inbox.is_urgent() or self._stopping.is_set():
            return False, due
        if (left := due - time.monotonic()) > 0:
            self._gate.acquire(timeout=left)
            return False, due
        if inbox.has_rows():
            return False, due
        self.is_idle = True
        was_woken = True
        # What came before that was set has woken nobody.
        if not (inbox.has_rows() or inbox.is_urgent() or self._stopping.is_set()):
            was_woken = self._gate.acquire(timeout=_LINGER if self._blocks else -1)
        self.is_idle = False
        return not was_woken, time.monotonic() + _PAUSE

    def _grant(self, writer: UsageWriter) -> None:
        """Grant more counts, which is all that some callers wait for."""
        counting = _drained(self._inbox.counting)
        granted = writer.grant(int(self._clock() // DAY), len(counting))
        if granted is None:
            # The whole way knows what to do with a file that cannot be written.
            self._inbox.counting.extendleft(reversed(counting))
            self._write(writer, gives_back=False)
        else:
            recorded = self.counter.recorded
            self.counter.grant(granted, recorded, asked=len(counting))
            for request in counting:
                request.answer(None)

    def _write(
        self, writer: UsageWriter, *, gives_back: bool, is_last: bool = False
    ) -> None:
        """Write what there is in one transaction, and answer who waits for it."""
        inbox = self._inbox
        flushing = _drained(inbox.flushing)
        counting = _drained(inbox.counting)
        reserving = _drained(inbox.reserving)
        attempts = _drained(inbox.attempts)
        now = self._clock()
        if is_last:
            self.counter.return_rest()
        held = self._blocks.withdraw() if reserving or gives_back else {}
        work = Work(
            now=now,
            asked=len(counting),
            is_last=is_last,
            least_day=self._least_day(now, attempts),
            attempts=attempts,
            prices=_drained(inbox.prices),
            settled=_drained(inbox.settled),
            wanted=[(budgets, wanted) for _, budgets, wanted in reserving],
            held=held,
        )
        try:
            written = writer.write(work)
        except Exception:  # noqa: BLE001 - a fault of ours must not stop a call
            _log.exception("usage was not written")
            # What was recorded stays counted.
            granted = self.counter.next_grant(len(counting))
            answers = [()] * len(reserving)
            written = Written(granted, self.counter.recorded, answers, {}, ())
        self.counter.grant(written.granted, written.recorded, asked=len(counting))
        self._blocks.deposit(written.held)
        log_alerts(written.alerts)
        for alert in written.alerts:
            for listener in self._listeners:
                try:
                    listener(alert)
                except Exception:  # noqa: BLE001 - a host's own code
                    _log.exception("what listens to alerts of budgets failed")
        for request in (*counting, *flushing):
            request.answer(None)
        for (request, *_), answer in zip(reserving, written.reserved, strict=True):
            request.answer(answer)

    def _least_day(self, now: float, attempts: Sequence[Recorded]) -> int:
        """Return the first day that attempts may count as: a month never goes back.

        One that was sent before midnight is written after it, and counts as sent; but
        while the clock itself has been set back, all count as of the latest month.
        """
        latest = max(now, attempts[-1][-1][0]) if attempts else now
        if latest >= self._month[1]:
            self._month = period_at("month", latest, None)[:2]
        return self._month[0] // DAY if now < self._month[0] else 0


def _drained(queue: deque[T]) -> list[T]:
    """Take out what is in a queue now; others may append meanwhile."""
    return [queue.popleft() for _ in range(len(queue))]


# Those that run.
_threads: Final[set[WriterThread]] = set()


def _each_thread(method: Callable[[WriterThread], None]) -> None:
    for thread in list(_threads):
        method(thread)


atexit.register(_each_thread, WriterThread.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=partial(_each_thread, WriterThread.hold),
        after_in_parent=partial(_each_thread, WriterThread.resume),
        # A fork's child has none of them.
        after_in_child=_threads.clear,
    )
