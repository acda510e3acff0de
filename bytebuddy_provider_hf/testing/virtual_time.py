"""Run an event loop whose clock jumps to the next timer when nothing else can happen.

It is meant for the in-memory transport. While work of an executor is pending the
clock stands still; while a real socket, pipe or child is watched it runs as real time
does, so that nothing times out that was not given its time.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, TypeVarTuple, final

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")

# Not zero: code that mistakes a time of 0.0 for "never" should not pass here only.
START: Final = 1_000.0
# An endless retry shows within a blink, not after hours.
ONE_DAY: Final = 86_400.0
# Real seconds that pending work of an executor may take.
PATIENCE: Final = 30.0
# Real seconds in which another thread may still call in before it counts as stuck.
GRACE: Final = 0.5


class Stuck(RuntimeError):
    """Virtual time cannot go on: nothing is ready and nothing will ever be."""


@final
class _JumpingSelector(selectors.BaseSelector):
    """Wait on the real selector only where something real is awaited."""

    def __init__(self, limit: float) -> None:
        self.inner: selectors.BaseSelector = selectors.DefaultSelector()
        self.now = START
        self.limit = limit
        self.executing = 0
        # The loop watches one socket of its own, to be woken from other threads.
        self.own = 0

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        events = self.inner.select(0)
        # What is ready goes first; time passes only when nothing is.
        if events or (timeout is not None and timeout <= 0):
            return events
        if self.executing:
            events = self.inner.select(PATIENCE)
            if not events:
                message = (
                    f"work in an executor did not finish within {PATIENCE:g} s; time "
                    "stands still meanwhile, so it must not wait for a timer of this "
                    "loop"
                )
                raise Stuck(message)
        elif len(self.inner.get_map()) > self.own:
            before = time.monotonic()
            events = self.inner.select(timeout)
            passed = time.monotonic() - before
            # Without events the timer is due, whatever the kernel's clock rounds to.
            self.now += passed if events or timeout is None else timeout
        elif timeout is None:
            # Only another thread can call in now.
            events = self.inner.select(GRACE)
            if not events:
                message = "nothing is ready, no timer is set and no input is awaited"
                raise Stuck(message)
        elif self.now + timeout > START + self.limit:
            message = f"{self.limit:g} virtual seconds passed and the work goes on"
            raise Stuck(message)
        else:
            # The next timer is due: nothing else could happen before it.
            self.now += timeout
        return events

    def register(
        self,
        fileobj: FileDescriptorLike,
        events: int,
        data: object = None,
    ) -> selectors.SelectorKey:
        return self.inner.register(fileobj, events, data)

    def unregister(
        self,
        fileobj: FileDescriptorLike,
    ) -> selectors.SelectorKey:
        return self.inner.unregister(fileobj)

    def modify(
        self,
        fileobj: FileDescriptorLike,
        events: int,
        data: object = None,
    ) -> selectors.SelectorKey:
        return self.inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self.inner.get_map()

    def close(self) -> None:
        self.inner.close()


@final
class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; ``limit`` virtual seconds are its whole life."""

    def __init__(self, *, limit: float = ONE_DAY) -> None:
        self._jumping = _JumpingSelector(limit)
        super().__init__(self._jumping)
        self._jumping.own = len(self._jumping.get_map())

    def time(self) -> float:
        """Return the virtual time; it starts at 1,000 s."""
        return self._jumping.now

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run ``func`` in a thread; time stands still until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.executing += 1

        def executed(_future: asyncio.Future[T]) -> None:
            self._jumping.executing -= 1

        future.add_done_callback(executed)
        return future

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let no time pass in a block that waits for another thread.

        The ledger asks for it, since its thread is none of an executor's.
        """
        self._jumping.executing += 1
        try:
            yield
        finally:
            self._jumping.executing -= 1

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        """Wait for the threads of the executor; time stands still meanwhile."""
        with self.standing_still():
            await super().shutdown_default_executor(*timeout)


def run(main: Coroutine[Any, Any, T], *, limit: float = ONE_DAY) -> T:
    """Run ``main`` in virtual time and return its value.

    Raises :class:`Stuck` where a real loop would wait for ever, and when more than
    ``limit`` virtual seconds pass.
    """
    # A Runner, as asyncio.run has no loop_factory before Python 3.12.
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(limit=limit)) as runner:
        try:
            return runner.run(main)
        except Stuck as stuck:
            stuck.add_note("tasks that wait:")
            for task in asyncio.all_tasks(runner.get_loop()):
                place = "?"
                if frames := task.get_stack(limit=1):
                    name = frames[-1].f_code.co_qualname
                    file = frames[-1].f_code.co_filename
                    place = f"{file}:{frames[-1].f_lineno} in {name}"
                stuck.add_note(f"  {task.get_name()} at {place}")
            raise


def virtual_time(
    test: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Make an ``async def`` test a plain one that runs in virtual time.

    Its fixtures must not be asynchronous: those live on a loop of their own.
    """

    @wraps(test)
    def in_virtual_time(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return in_virtual_time
