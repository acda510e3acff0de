"""The line that tells how long a model has been loading."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TextIO, final

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.types import Loading

_ERASE = "\r\x1b[2K"
_PERIOD = 0.25


@final
class WaitLine:
    """Show on stderr that a model loads: redrawn on a terminal, said once in a pipe.

    ``clock`` gives seconds. Call :meth:`update` for each ``Loading`` event and
    :meth:`clear` when anything else comes.
    """

    def __init__(
        self, name: str, clock: Callable[[], float], *, stream: TextIO | None = None
    ) -> None:
        self._name = sanitize_line(name)
        self._clock = clock
        self._stream = stream or sys.stderr
        self._live = screen.is_terminal(self._stream)
        self._began: float | None = None
        self._total: float | None = None
        self._ticker: asyncio.Task[None] | None = None

    def update(self, event: Loading) -> None:
        """Take in what the call knows about its waiting."""
        if event.estimate is not None:
            total = event.elapsed + event.estimate
            # A constant estimate would move the end away with every look.
            self._total = total if self._total is None else min(total, self._total)
        first = self._began is None
        if self._began is None:
            self._began = self._clock() - event.elapsed
        if self._live:
            self._draw()
            if self._ticker is None:
                self._ticker = asyncio.create_task(self._tick())
        elif first:
            self._write(f"{self.text()}\n")

    def text(self) -> str:
        """Return the line as it stands now."""
        return wait_text(self._name, self.elapsed(), self._total)

    def elapsed(self) -> float:
        """Return how long the model has been loading, in seconds."""
        return 0.0 if self._began is None else self._clock() - self._began

    def clear(self) -> None:
        """Take the line away; in a pipe, say that the waiting is over."""
        if self._began is None:
            return
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        if self._live:
            self._write(_ERASE)
        else:
            self._write(f"waited {self.elapsed():.0f} s for {self._name}\n")
        self._began = None
        self._total = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_PERIOD)
            self._draw()

    def _draw(self) -> None:
        self._write(f"{_ERASE}{self.text()}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def wait_text(name: str, elapsed: float, total: float | None) -> str:
    """Return the words of the wait line; ``total`` is when it should be ready."""
    line = f"{name} is loading… {elapsed:.0f} s"
    if total is None:
        return line
    if elapsed <= total:
        return f"{line} of about {total:.0f} s"
    return f"{line}, longer than the {total:.0f} s that were estimated"
