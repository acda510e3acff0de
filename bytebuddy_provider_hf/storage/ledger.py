"""Count each request before it is sent, and keep what became of it and what it cost.

The callers' side: nothing here waits for the disk. One thread of the process, started
when it is first needed, writes what was recorded, about five times a second.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import secrets
import threading
import time
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from attrs import define

from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.config.values import Budget
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.attempt import Attempt
from bytebuddy_provider_hf.storage.budgets import (
    Amounts,
    BudgetBlocks,
    BudgetPeriod,
    Refusal,
    Reservation,
    log_alerts,
    period_at,
)
from bytebuddy_provider_hf.storage.database import DAY, warn_once
from bytebuddy_provider_hf.storage.identity import identity_of, read_key
from bytebuddy_provider_hf.storage.writer import PriceFound, UsageWriter, Work, Written
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import BudgetAlert

_log: Final = logging.getLogger(__name__)

# Requests that a process may have counted before they are sent: a crash counts so many
# too much.
BLOCK: Final = 64
# When so few are left, more are counted.
_LOW: Final = 8
# Attempts that are written without waiting for more. Each transaction takes some 0.3 ms
# of a busy machine, however few it writes.
_BATCH: Final = 512
# Seconds to wait for more of them.
_PAUSE: Final = 0.2
# Seconds without a call after which what is held of budgets is given back.
_LINGER: Final = 1.0
# A disk that does not answer does not hold up the end of a program for ever.
_LONGEST_CLOSE: Final = 30.0
_LONGEST_FORK: Final = 5.0

T = TypeVar("T")


@define(eq=False)
class _Request:
    """What a caller waits for; ``undo`` takes an answer back that it did not get."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    undo: Callable[[Any], None]

    @classmethod
    def new(cls, undo: Callable[[Any], None]) -> Self:
        loop = asyncio.get_running_loop()
        return cls(loop, loop.create_future(), undo)

    async def answer(self) -> Any:  # noqa: ANN401 - as many kinds as requests
        try:
            return await self.future
        except asyncio.CancelledError:
            # Cancelled between the answer and this task's turn.
            if self.future.done() and not self.future.cancelled():
                self.undo(self.future.result())
            raise

    def set_answer(self, answer: object) -> None:
        if self.future.cancelled():
            self.undo(answer)
        else:
            self.future.set_result(answer)


def open_ledger(folder: Path) -> Ledger:
    """Return the ledger of a folder: one for all models of this process.

    No file is made and no thread started before it is used.
    """
    folder = folder.absolute()
    found = _opened.get(folder)
    # Two threads at once get the same one.
    return _opened.setdefault(folder, Ledger(folder)) if found is None else found


class Ledger:
    """Count requests, keep attempts, reserve budgets; usable from every thread and loop.

    A request is counted in a durable block of 64 before it is sent, and becomes a row
    when it has ended: a crash counts at most one block too much and never one request
    too few. A file that cannot be used costs one warning and no call.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._key: bytes | None = None
        self._listeners: list[Callable[[BudgetAlert], None]] = []
        self._begin()
        _ledgers.add(self)

    def _begin(self) -> None:
        """Set what belongs to one process: a fork's child begins anew."""
        # Not only its number, which another process gets again.
        self._process = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._blocks = BudgetBlocks(self._clock)
        # Callers append, the thread takes from the other end: no lock is needed.
        self._counted: deque[None] = deque()
        self._attempts: deque[Attempt] = deque()
        self._settled: deque[tuple[Reservation, Amounts]] = deque()
        self._prices: deque[PriceFound] = deque()
        self._counting: deque[_Request] = deque()
        self._reserving: deque[tuple[_Request, Sequence[Budget], Amounts]] = deque()
        self._flushing: deque[_Request] = deque()
        self._alerts: deque[BudgetAlert] = deque()
        # The durable block: requests that were or may be sent and have no row yet.
        self._remaining = 0
        self._month = (0, 0)
        # The thread waits until somebody releases it.
        self._gate = threading.Lock()
        self._gate.acquire()
        # While it is set, whoever brings work has to wake the thread.
        self._is_idle = True
        self._is_closing = False
        self._lock = threading.Lock()
        self._key_lock = threading.Lock()
        # Set when the thread that runs has ended; None while none runs.
        self._stopped: threading.Event | None = None
        # Held while SQLite works: a fork waits for it.
        self._writing = threading.Lock()

    def identity(self, secret: Secret | None) -> str:
        """Return what stands for a token in the ledger, "" without one. Blocks."""
        if secret is None:
            return ""
        with self._key_lock:
            if self._key is None:
                self._key = read_key(self._folder)
            return identity_of(secret, self._key)

    def try_count(self, count: int = 1) -> bool:
        """Count requests that are about to be sent, if the block has so many left."""
        counted = self._counted
        taken = 0
        try:
            while taken < count:
                counted.pop()
                taken += 1
        except IndexError:
            counted.extend([None] * taken)
            return False
        if len(counted) == _LOW:
            self._wake_up()
        return True

    async def count(self) -> None:
        """Count a request that is about to be sent, as soon as the block has one."""
        if self.try_count():
            return
        request = _Request.new(lambda _: self.give_back())
        self._counting.append(request)
        if self._wake_up():
            await request.answer()

    def give_back(self) -> None:
        """Uncount a request that was not sent after all."""
        self._counted.append(None)

    def record(self, attempt: Attempt) -> None:
        """Keep what became of a counted request; ``attempt`` is not to change then."""
        attempts = self._attempts
        attempts.append(attempt)
        if self._is_idle or len(attempts) == _BATCH:
            self._wake_up()

    async def reserve(self, budgets: Sequence[Budget], wanted: Amounts) -> Reservation:
        """Reserve what a call may use of all its budgets, or of none.

        Raises ``BudgetExceeded`` for the first hard one that has no room for it.
        """
        parts = self._blocks.parts(budgets, wanted)
        if not parts:
            return Reservation()
        if self._blocks.take(parts):
            return self._reservation(tuple(part.period for part in parts), wanted)
        request = _Request.new(partial(self._release, wanted))
        self._reserving.append((request, budgets, wanted))
        if not self._wake_up():
            return Reservation()
        answer = await request.answer()
        if isinstance(answer, Refusal):
            raise answer.error()
        return self._reservation(answer, wanted)

    def settle(self, reservation: Reservation, used: Amounts) -> None:
        """Correct what a call reserved to what it used: nothing, if it was not sent."""
        if reservation.is_settled or not reservation.periods:
            return
        reservation.is_settled = True
        self._settled.append((reservation, used))
        if self._is_idle:
            self._wake_up()

    def listen(self, listener: Callable[[BudgetAlert], None]) -> None:
        """Call ``listener`` with each threshold that is passed, in a thread of its own.

        Each is told to one process. The next reservation has it as well.
        """
        self._listeners.append(listener)

    def reprice(
        self, origin: str, model: str, provider: str, price: Price, priced_on: str
    ) -> None:
        """Give attempts of today whose price was "not asked yet" their estimate."""
        self._prices.append(PriceFound(origin, model, provider, price, priced_on))
        if self._is_idle:
            self._wake_up()

    async def flush(self) -> None:
        """Wait until everything recorded so far is on the disk."""
        if self._stopped is None and not self._has_rows():
            return
        request = _Request.new(lambda _: None)
        self._flushing.append(request)
        if self._wake_up():
            await request.answer()

    async def aclose(self) -> None:
        """Write everything and give the rest of the block back, off the loop."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Write everything and give the rest of the block back. Blocks.

        Whoever uses the ledger after that begins anew. The end of the program closes
        every ledger.
        """
        with self._lock:
            stopped = self._stopped
            if stopped is None:
                return
            self._is_closing = True
        self._wake_up()
        stopped.wait(_LONGEST_CLOSE)

    def hold(self) -> None:
        """Let no transaction run while this process is copied by a fork."""
        # Not for ever: a file that is locked by another process is waited for.
        self._is_held = self._writing.acquire(timeout=_LONGEST_FORK)

    def resume(self) -> None:
        """Go on after a fork."""
        if self._is_held:
            self._writing.release()

    def begin_in_child(self) -> None:
        """Begin anew after a fork: what was recorded before is the parent's."""
        self._begin()

    def _reservation(
        self, periods: tuple[BudgetPeriod, ...], wanted: Amounts
    ) -> Reservation:
        return Reservation(periods, wanted, tuple(_drained(self._alerts)))

    def _release(
        self, wanted: Amounts, answer: Refusal | tuple[BudgetPeriod, ...]
    ) -> None:
        if not isinstance(answer, Refusal):
            self.settle(Reservation(answer, wanted), Amounts())

    def _wake_up(self) -> bool:
        """Make the thread look for work, started if need be; whether it runs."""
        try:
            self._gate.release()
        except RuntimeError:
            pass  # it is open already
        return self._stopped is not None or self._start()

    def _start(self) -> bool:
        with self._lock:
            if self._stopped is not None:
                return True
            self._stopped = stopped = threading.Event()
            try:
                threading.Thread(
                    target=self._run,
                    args=(stopped,),
                    name="bytebuddy-usage",
                    daemon=True,
                ).start()
            except RuntimeError:  # at the end of the program, or too many threads
                self._stopped = None
                path = self._folder / USAGE.name
                warn_once(text("storage.no_thread", path=path))
                queues: tuple[deque[Any], ...] = (
                    self._attempts,
                    self._settled,
                    self._prices,
                    self._counting,
                    self._reserving,
                    self._flushing,
                )
                for queue in queues:
                    queue.clear()
                return False
            return True

    def _run(self, stopped: threading.Event) -> None:
        # Not an attribute: the child of a fork must never close this connection.
        writer = UsageWriter(self._folder, process=self._process, blocks=self._blocks)
        has_more = False
        # When what came since the last transaction is written.
        due = 0.0
        try:
            while not self._is_closing:
                is_over = False
                if not has_more:
                    is_over, due = self._rest(due)
                with self._writing:
                    if self._counting or len(self._counted) <= _LOW:
                        self._count_more(writer)
                    if (
                        is_over
                        or self._is_urgent()
                        or (self._has_rows() and time.monotonic() >= due)
                    ):
                        self._write(writer, gives_back=is_over)
                        due = time.monotonic() + _PAUSE
                    has_more = writer.trim(int(self._clock() // DAY))
            with self._writing:
                self._write(writer, gives_back=True, is_last=True)
        finally:
            writer.close()
            with self._lock:
                self._stopped = None
                self._is_closing = False
                self._is_idle = True
            stopped.set()
        # What came meanwhile found a thread that was about to end.
        if self._has_rows() or self._counting or self._is_urgent():
            self._wake_up()

    def _rest(self, due: float) -> tuple[bool, float]:
        """Wait for something to do; return whether nothing was for long, and ``due``.

        Until then only what is urgent ends the wait.
        """
        if self._is_urgent() or self._counting:
            return False, due
        if (left := due - time.monotonic()) > 0:
            self._gate.acquire(timeout=left)
            return False, due
        if self._has_rows():
            return False, due
        self._is_idle = True
        was_woken = True
        # What came before that was set has woken nobody.
        if not (self._has_rows() or self._is_urgent() or self._counting):
            was_woken = self._gate.acquire(timeout=_LINGER if self._blocks else -1)
        self._is_idle = False
        return not was_woken, time.monotonic() + _PAUSE

    def _is_urgent(self) -> bool:
        return bool(
            self._reserving
            or self._flushing
            or self._is_closing
            or len(self._attempts) >= _BATCH
        )

    def _has_rows(self) -> bool:
        return bool(self._attempts or self._settled or self._prices)

    def _count_more(self, writer: UsageWriter) -> None:
        """Count requests ahead of their callers, which is all that they wait for."""
        counting = _drained(self._counting)
        granted = self._missing(self._remaining, len(counting))
        if not granted:
            return
        remaining = self._remaining + granted
        if writer.write_block(int(self._clock() // DAY), remaining):
            self._grant(remaining, granted, counting)
        else:
            # The file cannot be written now: the whole way knows what to do then.
            self._counting.extendleft(reversed(counting))
            self._write(writer, gives_back=False)

    def _missing(self, remaining: int, asked: int) -> int:
        """Return how many requests are to be counted ahead, at least those ``asked``.

        What was recorded has been sent. Of the rest of the block, which may never be,
        no more than 64 are to be counted.
        """
        under_way = remaining - len(self._attempts)
        return max(BLOCK - under_way, asked, 0 if self._counted else 1)

    def _grant(
        self, remaining: int, granted: int, counting: Sequence[_Request]
    ) -> None:
        self._remaining = remaining
        self._counted.extend([None] * (granted - len(counting)))
        _send_answers((request, None) for request in counting)

    def _write(
        self, writer: UsageWriter, *, gives_back: bool, is_last: bool = False
    ) -> None:
        """Write what there is in one transaction, and answer who waits for it."""
        flushing = _drained(self._flushing)
        counting = _drained(self._counting)
        reserving = _drained(self._reserving)
        attempts = _drained(self._attempts)
        now = self._clock()
        remaining = max(self._remaining - len(attempts), 0)
        granted = len(counting)
        if is_last:
            remaining -= min(len(_drained(self._counted)), remaining)
        else:
            granted = self._missing(remaining, granted)
        held = self._blocks.withdraw() if reserving or gives_back else {}
        work = Work(
            now=now,
            remaining=remaining + granted,
            least_day=self._least_day(now, attempts),
            attempts=attempts,
            prices=_drained(self._prices),
            settled=_changes(_drained(self._settled)),
            wanted=[(budgets, wanted) for _, budgets, wanted in reserving],
            held=held,
        )
        try:
            written = writer.write(work, is_last=is_last)
        except Exception:  # a fault of ours: it must not stop anybody's call
            _log.exception("usage was not written")
            written = Written([()] * len(reserving), {}, ())
            # They stay counted.
            remaining += len(attempts)
        self._blocks.deposit(written.held)
        self._grant(remaining + granted, granted, counting)
        self._tell(written.alerts)
        _send_answers((request, None) for request in flushing)
        _send_answers(
            (request, answer)
            for (request, *_), answer in zip(reserving, written.reserved, strict=True)
        )

    def _least_day(self, now: float, attempts: Sequence[Attempt]) -> int:
        """Return the first day that attempts may count as: a month never goes back.

        One that was sent before midnight is written after it, and counts as sent; but
        while the clock itself has been set back, all count as of the latest month.
        """
        latest = max(now, attempts[-1].at) if attempts else now
        if latest >= self._month[1]:
            self._month = period_at("month", latest, None)[:2]
        return self._month[0] // DAY if now < self._month[0] else 0

    def _tell(self, alerts: Sequence[BudgetAlert]) -> None:
        self._alerts.extend(alerts)
        log_alerts(alerts)
        for alert in alerts:
            for listener in self._listeners:
                try:
                    listener(alert)
                except Exception:  # a host's own code
                    _log.exception("what listens to alerts of budgets failed")


def _changes(
    settled: Iterable[tuple[Reservation, Amounts]],
) -> dict[BudgetPeriod, tuple[int, int]]:
    """Return what settled calls add to the sums: used, and no longer reserved."""
    changes: dict[BudgetPeriod, tuple[int, int]] = {}
    for reservation, amounts in settled:
        for period in reservation.periods:
            used, reserved = changes.get(period, (0, 0))
            changes[period] = (
                used + amounts.of(period.unit),
                reserved - reservation.wanted.of(period.unit),
            )
    return changes


def _drained(queue: deque[T]) -> list[T]:
    """Take out what is in a queue now; others may append meanwhile."""
    return [queue.popleft() for _ in range(len(queue))]


def _send_answers(answers: Iterable[tuple[_Request, object]]) -> None:
    by_loop = defaultdict(list)
    for request, answer in answers:
        by_loop[request.loop].append((request, answer))
    for loop, found in by_loop.items():
        try:
            loop.call_soon_threadsafe(_set_answers, found)
        except RuntimeError:  # the loop was closed
            for request, answer in found:
                request.undo(answer)


def _set_answers(answers: Iterable[tuple[_Request, object]]) -> None:
    for request, answer in answers:
        request.set_answer(answer)


_opened: Final[weakref.WeakValueDictionary[Path, Ledger]] = (
    weakref.WeakValueDictionary()
)
_ledgers: Final[weakref.WeakSet[Ledger]] = weakref.WeakSet()


def _each_ledger(method: Callable[[Ledger], None]) -> None:
    for ledger in list(_ledgers):
        method(ledger)


atexit.register(_each_ledger, Ledger.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=partial(_each_ledger, Ledger.hold),
        after_in_parent=partial(_each_ledger, Ledger.resume),
        after_in_child=partial(_each_ledger, Ledger.begin_in_child),
    )
