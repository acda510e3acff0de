"""Cancel a coroutine at each of the places where it can be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, TypeVar, final

# A coroutine that never ends would be cancelled for ever.
_MANY: Final = 100_000

_T = TypeVar("_T")


@final
class _Steps:
    """Count suspensions, of a task and those it starts; cancel it at one of them."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._suspended = 0
        self.task: asyncio.Task[object] | None = None
        self.reached = False

    def suspended(self) -> None:
        """Note a suspension that is about to be."""
        self._suspended += 1
        if self.task is None or self._suspended != self._step or self.task.done():
            return
        self.reached = True
        # Before the suspension, so that whatever is awaited cannot win the race.
        self.task.cancel()

    def started(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, _T] | Generator[Any, None, _T],
        **more: Any,  # noqa: ANN401  # whatever this Python's tasks take
    ) -> asyncio.Task[_T]:
        """Make a task whose suspensions count: a task factory."""
        return asyncio.Task(_Counted(coroutine, self), loop=loop, **more)


@final
class _Counted(Coroutine[Any, Any, _T]):
    """A coroutine whose suspensions are counted."""

    def __init__(
        self,
        inner: Coroutine[Any, Any, _T] | Generator[Any, None, _T],
        steps: _Steps,
    ) -> None:
        self._inner = inner
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, _T]:
        raise NotImplementedError  # a task sends and throws

    def __getattr__(self, name: str) -> object:
        # Its name and its frame, for whoever tells of tasks.
        return getattr(self._inner, name)

    def send(self, value: Any) -> object:  # noqa: ANN401  # as coroutines have it
        waiting = self._inner.send(value)
        self._steps.suspended()
        return waiting

    def throw(self, *error: Any) -> object:  # noqa: ANN401  # of both forms
        waiting = self._inner.throw(*error)
        self._steps.suspended()
        return waiting

    def close(self) -> None:
        self._inner.close()


async def cancel_at_step(make: Callable[[], Awaitable[object]], step: int) -> bool:
    """Run what ``make`` returns and cancel it at suspension ``step``.

    Suspensions of the tasks that it starts count as well. Step 0 cancels it before
    its first line. Returns whether it had completed with fewer suspensions than that.
    Raises ``AssertionError`` where the cancellation was swallowed; any other error of
    the coroutine is raised as it is.
    """
    steps = _Steps(step)
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    # The suspensions of every task that is started meanwhile count.
    loop.set_task_factory(steps.started)
    try:
        steps.task = task = asyncio.ensure_future(make())
        # A task that is cancelled before it ran never enters its coroutine.
        if step == 0:
            task.cancel()
        await task
    except asyncio.CancelledError:
        current = asyncio.current_task()
        # Not the work was cancelled but the test itself.
        if current is not None and current.cancelling():
            raise
        return False
    finally:
        loop.set_task_factory(before)
    if steps.reached:
        message = f"the cancellation at step {step} was swallowed"
        raise AssertionError(message)
    return True


async def cancel_at_every_step(
    make: Callable[[], Awaitable[object]], *, check: Callable[[int], None]
) -> int:
    """Cancel at step 0, 1, … until it completes; return how many steps there were.

    ``check`` is called with the step after each cancellation, and after the end.
    """
    for step in range(_MANY):
        completed = await cancel_at_step(make, step)
        # Callbacks of what was cancelled run in the next turns of the loop.
        for _turn in range(3):
            await asyncio.sleep(0)
        check(step)
        if completed:
            return step
    message = f"no end after {_MANY} steps"
    raise AssertionError(message)
