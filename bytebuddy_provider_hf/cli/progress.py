"""The line that tells how far a model is with code that is shown only in the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Final, TextIO, final

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.status_line import draw, erase
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.types import Event, Reasoning, Text

_PERIOD: Final = 0.25


@final
class Progress:
    """Count the lines that come, on one line of a terminal's stderr; else say nothing.

    A printer as those of answers; ``clock`` gives seconds that never go back.
    """

    def __init__(
        self, name: str, clock: Callable[[], float], *, stream: TextIO | None = None
    ) -> None:
        self._name = sanitize_line(name)
        self._clock = clock
        self._stream = stream or sys.stderr
        self._live = screen.is_terminal(self._stream)
        self._began = clock()
        self._lines = 0
        self._ticker: asyncio.Task[None] | None = None

    def event(self, event: Event) -> None:
        """Count what came of the code."""
        if not isinstance(event, Text | Reasoning):
            return
        if isinstance(event, Text):
            self._lines += event.text.count("\n")
        if self._live and self._ticker is None:
            self._began = self._clock()
            self._ticker = asyncio.create_task(self._tick())

    def text(self) -> str:
        """Return the line as it stands now."""
        return self._said(self._name)

    def _said(self, name: str) -> str:
        elapsed = self._clock() - self._began
        lines = "1 line" if self._lines == 1 else f"{self._lines} lines"
        return f"{name} is writing… {lines}, {elapsed:.0f} s"

    def close(self) -> None:
        """Take the line away."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
            erase(self._stream)

    async def _tick(self) -> None:
        while True:
            draw(self._said, self._name, self._stream)
            await asyncio.sleep(_PERIOD)
