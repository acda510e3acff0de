"""Cancel a coroutine at each of the places where it can be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Final, final

_MANY: Final = 100_000


@final
class _CancelAt:
    """Await something, and cancel the running task at its ``step``-th suspension."""

    def __init__(self, inner: Awaitable[object], step: int) -> None:
        self._inner = inner
        self._step = step
        self.reached = False

    def __await__(self) -> Generator[object, object, None]:
        suspended = 0
        generator = self._inner.__await__()
        try:
            waiting = next(generator)
            while True:
                suspended += 1
                if suspended == self._step:
                    self._cancel()
                try:
                    sent = yield waiting
                except BaseException as error:  # noqa: BLE001  # passed on, whatever it is
                    waiting = generator.throw(error)
                else:
                    waiting = generator.send(sent)
        except StopIteration:
            return

    def _cancel(self) -> None:
        task = asyncio.current_task()
        if task is None:
            message = "there is no task to cancel"
            raise RuntimeError(message)
        self.reached = True
        # Before the suspension, so that whatever is awaited cannot win the race.
        task.cancel()


async def cancel_at_step(make: Callable[[], Awaitable[object]], step: int) -> bool:
    """Run what ``make`` returns and cancel it at suspension ``step``.

    Step 0 cancels it before its first line. Returns whether it had completed with
    fewer suspensions than that. Raises ``AssertionError`` where the cancellation was
    swallowed; any other error of the coroutine is raised as it is.
    """
    cancelling: list[_CancelAt] = []

    async def body() -> None:
        cancelling.append(_CancelAt(make(), step))
        await cancelling[0]

    task = asyncio.ensure_future(body())
    if step == 0:
        task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        return False
    if cancelling[0].reached:
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
