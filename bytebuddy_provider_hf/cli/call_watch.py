"""End a call of another package's model that heeds neither a limit nor Ctrl-C.

Such code blocks the event loop, or goes on after it was cancelled: then only a signal
reaches it. Windows has no alarm; there Ctrl-C has to be typed twice.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType
from typing import Final, NoReturn, Self

from attrs import define

from bytebuddy_provider_hf.errors import DeadlineExceeded
from bytebuddy_provider_hf.plugins.foreign_model import guard_of
from bytebuddy_provider_hf.plugins.protocols import Model
from bytebuddy_provider_hf.texts import text

# Seconds for a call to end by itself, once its time is over or it was stopped.
_PATIENCE: Final = 2.0
# Seconds until it is tried again: what is raised may be caught by the code itself.
_AGAIN: Final = 1.0


@define(eq=False)
class CallWatch:
    """Watch calls of foreign models, from outside of the event loop.

    Enter it around ``asyncio.run``: a coroutine that cannot be cancelled does not even
    leave a block of its own.
    """

    _error: BaseException | None = None
    _before: object = None

    def begin(self, model: Model, seconds: float | None) -> None:
        """Watch a call that may take so many seconds; one of ours needs no watch."""
        guard = guard_of(model)
        if guard is None or sys.platform == "win32":
            return
        self.end()
        signal.signal(signal.SIGALRM, self._late)
        self._before = signal.signal(signal.SIGINT, self._stopped)
        if seconds is not None:
            said = text(
                "plugins.heeds_no_limit",
                provider=guard.code.title,
                seconds=f"{seconds:,g}",
            )
            self._error = DeadlineExceeded(said, hint=text("plugins.more_time"))
            signal.setitimer(signal.ITIMER_REAL, seconds + _PATIENCE, _AGAIN)

    def end(self) -> None:
        """Watch no more."""
        if self._before is None or sys.platform == "win32":
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) == self._stopped:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]  # as it was given
        self._error = self._before = None

    def _late(self, _number: int, _frame: FrameType | None) -> NoReturn:
        raise self._error or KeyboardInterrupt

    def _stopped(self, number: int, frame: FrameType | None) -> None:
        # As a rule asyncio's, which cancels the task; then the code's own time begins.
        self._error = KeyboardInterrupt()
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE, _AGAIN)
        if callable(self._before):
            self._before(number, frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
