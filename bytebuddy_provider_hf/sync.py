"""Call models from code that has no event loop: scripts, notebooks, threads.

``open_model`` is that of the package, and its model has the same calls with the same
parameters: ``chat`` waits and returns the reply, ``chat_events`` is iterated for the
events. The calls themselves are those of the asynchronous model; they run on one event
loop in a thread of its own, which all models share. It begins with the first model and
ends with the last one that is closed.

Any thread may call, also several at once, and one in which another event loop runs, as
in a notebook; that loop stands still until the answer has come. Ctrl-C ends the call:
its connection is closed before ``KeyboardInterrupt`` goes on. ``on_event`` is called in
the thread of the loop, where no call of this module can be made.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import os
import queue
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import copy_context
from functools import partial, wraps
from typing import Concatenate, Final, Generic, ParamSpec, Self, TypeVar, cast, final

from bytebuddy_provider_hf.client import opening
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.runtime import (
    Runtime,
    answers_folder,
    server_cache_file,
)
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.errors import Closed, InvalidOption
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Event, Reply

__all__ = ["Events", "SyncModel", "open_model"]

P = ParamSpec("P")
T = TypeVar("T")

# Seconds that a call which is cancelled, or a model that closes, may take to end.
_GRACE: Final = 5.0
# Events that may wait to be taken; then the server is read no further.
_AHEAD: Final = 64
# Windows cannot interrupt a wait: there Ctrl-C counts between two of them.
_SLICE: Final = 0.5 if os.name == "nt" else None

_log: Final = logging.getLogger(__name__)


class _Job(Generic[T]):
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
            raise _closed() from None

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
                return self.done.result(_SLICE if within is None else within)
            except asyncio.CancelledError:
                # Nobody here asked for that: the loop came to its end.
                raise _closed() from None
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


class _LoopThread:
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

    def job(self, make: Callable[[], Awaitable[T]]) -> _Job[T]:
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
        return _Job(self.loop, make)

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
            stop = asyncio.Event()
            self._begun.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()
            await self.runtime.aclose()

        # It cancels what still runs, so that whoever waits for it is told.
        asyncio.run(live())


_lock = threading.Lock()
_current: _LoopThread | None = None


def _take_loop() -> _LoopThread:
    global _current  # noqa: PLW0603 - one loop a process
    with _lock:
        if _current is None:
            _current = _LoopThread()
        _current.users += 1
        return _current


def _give_back(loop: _LoopThread) -> None:
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


def _closed() -> Closed:
    return Closed(
        text("calls.model_was_closed_before_the_answer"),
        hint=text("calls.open_it_again"),
    )


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

    def __init__(self, loop: _LoopThread, call: ReplyCall) -> None:
        self._loop = loop
        self._call: ReplyCall | None = call
        self._came: queue.SimpleQueue[Event | _Ended] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(_AHEAD)
        self._job: _Job[None] | None = None
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
                raise _closed()
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
                return self._came.get(timeout=_SLICE)
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


def _answering(
    method: Callable[Concatenate[HuggingFaceModel, P], Awaitable[T]],
) -> Callable[Concatenate[SyncModel, P], T]:
    """Return a method that waits for what ``method`` gives."""

    @wraps(method)
    def call(self: SyncModel, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # By its name: a model with fallbacks has its own.
        ask: Callable[P, Awaitable[T]] = getattr(self.core, method.__name__)
        return self.loop.run(lambda: ask(*args, **kwargs))

    return _described(call, method, "Wait for the answer of a call, and return it.")


def _streaming(
    method: Callable[Concatenate[HuggingFaceModel, P], ReplyCall],
) -> Callable[Concatenate[SyncModel, P], Events]:
    """Return a method that gives the events of ``method``."""

    @wraps(method)
    def call(self: SyncModel, /, *args: P.args, **kwargs: P.kwargs) -> Events:
        ask: Callable[P, ReplyCall] = getattr(self.core, method.__name__)

        # Without this object in it: the loop may hold it a little longer.
        async def begin() -> ReplyCall:
            return ask(*args, **kwargs)

        # Made at once: a mistake of the caller's is told on the caller's line.
        return Events(self.loop, self.loop.run(begin))

    return _described(call, method, "Return the events of a call, to be iterated.")


def _described(call: Callable[P, T], like: object, effect: str) -> Callable[P, T]:
    """Return ``call`` with its signature, and the docstring of what it calls."""
    signature = inspect.signature(call)
    given = signature.return_annotation
    if effect.startswith("Return the events"):
        given = Events.__name__
    elif "PendingReply" in str(given):
        given = Reply.__name__
    changed = {"__signature__": signature.replace(return_annotation=given)}
    vars(call).update(changed)
    del vars(call)["__wrapped__"]
    call.__doc__ = f"{effect}\n\n{inspect.getdoc(like)}"
    return call


@final
class SyncModel:
    """An opened model whose calls wait: use it in a ``with`` block, or ``close`` it.

    Its methods take what those of the asynchronous model take; those in ``_events``
    return ``Events``.

    Args:
        core: The asynchronous model. To be closed here, and asked on this loop only.
    """

    def __init__(self, core: HuggingFaceModel, loop: _LoopThread) -> None:
        self._core = core
        self._loop = loop
        self._is_closed = False

    @property
    def core(self) -> HuggingFaceModel:
        """The asynchronous model, to be named in ``fallbacks`` of another."""
        return self._core

    @property
    def loop(self) -> _LoopThread:
        """Where its calls run. Raises ``Closed``."""
        if self._is_closed:
            raise Closed(
                text("calls.model_was_closed"), hint=text("calls.open_it_again")
            )
        return self._loop

    @property
    def name(self) -> str:
        """The name of the entry."""
        return self._core.name

    @property
    def model(self) -> str:
        """The id of the model."""
        return self._core.model

    chat = _answering(HuggingFaceModel.chat)
    chat_events = _streaming(HuggingFaceModel.chat)
    complete = _answering(HuggingFaceModel.complete)
    complete_events = _streaming(HuggingFaceModel.complete)
    fill = _answering(HuggingFaceModel.fill)
    fill_events = _streaming(HuggingFaceModel.fill)
    edit = _answering(HuggingFaceModel.edit)
    edit_events = _streaming(HuggingFaceModel.edit)
    apply = _answering(HuggingFaceModel.apply)
    apply_events = _streaming(HuggingFaceModel.apply)
    embed = _answering(HuggingFaceModel.embed)
    rerank = _answering(HuggingFaceModel.rerank)
    task = _answering(HuggingFaceModel.task)
    usage = _answering(HuggingFaceModel.usage)

    def close(self) -> None:
        """Give the connections back, within some seconds; safe to call again.

        Calls of other threads that still run are ended with ``Closed`` where this was
        the last open model.
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
            _give_back(self._loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SyncModel {self.name!r}: {self.model}>"

    def __del__(self) -> None:
        # As an open file does.
        if not self._is_closed:
            message = f"{self!r} was never closed"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)


def opener(make: Callable[P, HuggingFaceModel]) -> Callable[P, SyncModel]:
    """Return a function that opens a model as ``make`` does, for calls that wait."""

    @wraps(make)
    def open_model(*args: P.args, **kwargs: P.kwargs) -> SyncModel:
        loop = _take_loop()
        given = dict(kwargs)
        if given.get("runtime") is None:
            given["runtime"] = loop.runtime

        async def begin() -> HuggingFaceModel:
            return cast("Callable[..., HuggingFaceModel]", make)(*args, **given)

        try:
            return SyncModel(loop.run(begin), loop)
        except BaseException:
            _give_back(loop)
            raise

    return _described(open_model, make, "Open a model whose calls wait.")


open_model = opener(opening.open_model)
