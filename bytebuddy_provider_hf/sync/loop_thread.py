"""Run work on one event loop, in a thread of its own, and wait for it elsewhere."""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import os
import threading
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import copy_context
from functools import wraps
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar

from bytebuddy_provider_hf.client.runtime import (
    Runtime,
    answers_folder,
    defaults,
    server_cache_file,
)
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.errors import Closed, InvalidOption
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.texts import text

P = ParamSpec("P")
T = TypeVar("T")

# Seconds that a call which is cancelled, or a model that closes, may take to end.
_GRACE: Final = 5.0
# Windows cannot interrupt a wait: there Ctrl-C counts between two of them.
SLICE: Final = 0.5 if os.name == "nt" else None

_log: Final = logging.getLogger(__name__)


class Job(Generic[T]):
    """A piece of work on the loop, and the outcome for the thread that waits."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, make: Callable[[], Awaitable[T]]
    ) -> None:
        self.done: Future[T] = Future()
        self._loop = loop
        self._make = make
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. Apart from making it: Ctrl-C may come in between, and must find it."""
        try:
            # In the caller's context: a host's variables count for its calls.
            self._loop.call_soon_threadsafe(self._start, context=copy_context())
        except RuntimeError:
            # The loop has ended: nothing will ever come of it.
            self.done.cancel()
            raise closed() from None

    def cancel(self) -> None:
        """Ask the work to end; of one that has ended nothing is asked."""
        with suppress(RuntimeError):  # the loop is closed, and the work with it
            self._loop.call_soon_threadsafe(self._cancel)

    def cancel_and_wait(self) -> None:
        """End the work, and wait until it has closed its connection."""
        self.cancel()
        wait([self.done], timeout=_GRACE)

    def result(self, within: float | None = None) -> T:
        """Return what came of it; raises ``TimeoutError`` after ``within`` seconds."""
        while True:
            try:
                return self.done.result(SLICE if within is None else within)
            except asyncio.CancelledError:
                # Nobody here asked for that: the loop came to its end.
                raise closed() from None
            except TimeoutError:
                # A call's own error, unless it is that of this wait.
                if self.done.done() or within is not None:
                    raise

    def _start(self) -> None:
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        elif not self.done.done():
            # Interrupted before it began.
            self.done.set_exception(asyncio.CancelledError())

    async def _run(self) -> None:
        try:
            self.done.set_result(await self._make())
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self.done.set_exception(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Cancelled, perhaps before it ran at all.
        if task.cancelled():
            self.done.set_exception(asyncio.CancelledError())


class LoopThread:
    """The event loop of all synchronous models, in a thread of its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.users = 0
        # Not that of asynchronous models: a runtime belongs to one thread.
        self.runtime = Runtime(
            server_cache=ServerCache(server_cache_file()),
            answers=KeptAnswers(answers_folder()),
        )
        self._begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        # A daemon: a model that nobody closed does not hold the process up.
        self.thread = threading.Thread(
            target=self._run, name="bytebuddy-sync", daemon=True
        )
        self.thread.start()
        self.loop, self._stop = self._begun.result()

    def job(self, make: Callable[[], Awaitable[T]]) -> Job[T]:
        """Return some work for the loop, not begun.

        Raises ``InvalidOption`` where nobody could wait for it, ``Closed`` where there
        is no loop any more.
        """
        if threading.current_thread() is self.thread:
            raise InvalidOption(
                text("sync.own_thread"), hint=text("sync.own_thread_hint")
            )
        # A fork has no threads but the one that made it.
        if self.pid != os.getpid():
            raise Closed(text("sync.forked"), hint=text("sync.forked_hint"))
        return Job(self.loop, make)

    def run(self, make: Callable[[], Awaitable[T]]) -> T:
        """Return what the work gives, or raise what it raises; Ctrl-C ends it."""
        job = self.job(make)
        try:
            job.start()
            return job.result()
        except BaseException:
            # Not the work's own: the wait was interrupted.
            if not job.done.done():
                job.cancel_and_wait()
            raise

    def stop(self) -> None:
        """End the loop and all that runs on it, within some seconds."""
        with suppress(RuntimeError):  # it has ended by itself
            self.loop.call_soon_threadsafe(self._stop.set)
        self.thread.join(_GRACE)

    def _run(self) -> None:
        async def live() -> None:
            # What is opened here without a runtime, by whomever, uses this one.
            defaults.runtime = self.runtime
            stop = asyncio.Event()
            self._begun.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()
            await self.runtime.aclose()

        # It cancels what still runs, so that whoever waits for it is told.
        asyncio.run(live())


_lock = threading.Lock()
_current: LoopThread | None = None


def take_loop() -> LoopThread:
    """Return the loop of this process, which has one user more; begin it if need be."""
    global _current  # noqa: PLW0603 - one loop a process
    with _lock:
        if _current is None:
            _current = LoopThread()
        _current.users += 1
        return _current


def give_back(loop: LoopThread) -> None:
    """Note that a loop has one user less; the last one ends it."""
    global _current  # noqa: PLW0603 - as above
    with _lock:
        loop.users -= 1
        if loop.users or loop.pid != os.getpid():
            return
        if _current is loop:
            _current = None
    loop.stop()


def forget_loop() -> None:
    """Begin anew in the child of a fork, which has neither the thread nor its lock."""
    global _lock, _current
    _lock, _current = threading.Lock(), None


@atexit.register
def stop_at_exit() -> None:
    """End the loop with the process."""
    # What calls have counted is written, also where nobody closed the model.
    if _current is not None:
        _current.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_loop)


def begin_on_loop(make: Callable[[], T]) -> tuple[T, LoopThread]:
    """Return what ``make`` returns on the loop, and the loop, of which one more is."""
    loop = take_loop()

    async def begin() -> T:
        return make()

    try:
        return loop.run(begin), loop
    except BaseException:
        give_back(loop)
        raise


def closed() -> Closed:
    """Return the error of a call whose loop ended before its answer came."""
    return Closed(
        text("calls.model_was_closed_before_the_answer"),
        hint=text("calls.open_it_again"),
    )


class Closing(Protocol):
    """What is closed on the loop."""

    async def aclose(self) -> None:
        """Give back what it holds."""
        ...


class LoopUser:
    """Something asynchronous that is used by calls that wait, and closed in the end.

    ``with_loop`` tells whether it counts among those for whom the loop runs: what a
    registry opens is closed by the registry.
    """

    def __init__(
        self,
        core: Closing,
        loop: LoopThread,
        *,
        with_loop: bool = True,
    ) -> None:
        self._core = core
        self._loop = loop
        self._with_loop = with_loop
        self._is_closed = False

    @property
    def loop(self) -> LoopThread:
        """Where its calls run. Raises ``Closed``."""
        if self._is_closed:
            raise self._closed_error()
        return self._loop

    def close(self) -> None:
        """Give the connections back, within some seconds; safe to call again.

        Calls of other threads that still run are ended with ``Closed`` where this was
        the last that was open.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if self._loop.pid != os.getpid():
            return  # the parent of the fork closes it
        try:
            closing = self._loop.job(self._core.aclose)
            closing.start()
            try:
                closing.result(_GRACE)
            except TimeoutError:
                closing.cancel()
                _log.warning("%s", text("sync.close_took", seconds=f"{_GRACE:g}"))
        finally:
            if self._with_loop:
                give_back(self._loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        # As an open file does.
        if self._with_loop and not self._is_closed:
            message = f"{self!r} was never closed"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)

    def _closed_error(self) -> Closed:
        return Closed(text("calls.model_was_closed"), hint=text("calls.open_it_again"))

    def _method(self, name: str) -> Callable[..., Any]:
        # By its name: a model with fallbacks has its own.
        found: Callable[..., Any] = getattr(self._core, name)
        return found


def answering(
    method: Callable[Concatenate[Any, P], Awaitable[T]],
) -> Callable[Concatenate[LoopUser, P], T]:
    """Return a method that waits for what ``method`` gives."""

    @wraps(method)
    def call(self: LoopUser, /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop, ask = self.loop, self._method(method.__name__)
        answer: T = loop.run(lambda: ask(*args, **kwargs))
        return answer

    returns = inspect.signature(method).return_annotation
    # What is awaited for a reply gives the reply here.
    returns = "Reply" if returns == "PendingReply" else returns
    return described(
        call, method, "Wait for the answer of a call, and return it.", returns
    )


def described(
    call: Callable[P, T], like: object, effect: str, returns: str
) -> Callable[P, T]:
    """Return ``call`` with its signature, and the docstring of what it calls."""
    signature = inspect.signature(call)
    changed = {"__signature__": signature.replace(return_annotation=returns)}
    vars(call).update(changed)
    del vars(call)["__wrapped__"]
    call.__doc__ = f"{effect}\n\n{inspect.getdoc(like)}"
    return call
