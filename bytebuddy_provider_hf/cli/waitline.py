"""The line that tells what a call waits for, and how long."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Callable
from typing import TextIO, final

from attrs import frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.status_line import draw, erase
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.types import Loading, WaitReason

_PERIOD = 0.25


@frozen
class WaitStatus:
    """What is waited for, as the clocks of the wait line see it.

    ``began`` and ``ends`` are seconds of the monotonic clock; ``ends`` is ``None``
    where nobody knows. ``until`` is the end as a time of day, in seconds since 1970;
    ``ahead`` counts the calls before this one.
    """

    reason: WaitReason
    began: float
    ends: float | None = None
    until: float | None = None
    ahead: int = 0


@final
class WaitLine:
    """Show on stderr what is waited for: redrawn on a terminal, in a pipe said once.

    ``clock`` gives seconds that never go back, ``wall`` those since 1970. Call
    :meth:`update` for each ``Loading`` event and :meth:`clear` when anything else
    comes.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        *,
        wall: Callable[[], float] = time.time,
        stream: TextIO | None = None,
    ) -> None:
        self._name = sanitize_line(name)
        self._clock = clock
        self._wall = wall
        self._stream = stream or sys.stderr
        self._live = screen.is_terminal(self._stream)
        self._began: float | None = None
        self._wait: WaitStatus | None = None
        self._ticker: asyncio.Task[None] | None = None

    def update(self, event: Loading) -> None:
        """Take in what the call knows about its waiting."""
        before = self._wait
        self._wait = self._taken(event)
        if self._began is None:
            self._began = self._wait.began
        if self._live:
            self._draw()
            if self._ticker is None:
                self._ticker = asyncio.create_task(self._tick())
        elif before is None or before.reason != self._wait.reason:
            self._write(f"{self.text()}\n")

    def text(self) -> str:
        """Return the line as it stands now."""
        return self._said(self._name)

    def elapsed(self) -> float:
        """Return how long the call has been waiting, in seconds."""
        return 0.0 if self._began is None else self._clock() - self._began

    def clear(self) -> None:
        """Take the line away; in a pipe, say that the waiting is over."""
        if self._began is None:
            return
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        if self._live:
            erase(self._stream)
        else:
            self._write(f"waited {self.elapsed():.0f} s for {self._name}\n")
        self._began = self._wait = None

    def _said(self, name: str) -> str:
        if self._wait is None:
            return ""
        return wait_text(name, self._wait, now=self._clock())

    def _taken(self, event: Loading) -> WaitStatus:
        now = self._clock()
        before = self._wait
        same = before if before and before.reason == event.reason else None
        began = same.began if same else now - event.elapsed
        ends = until = None
        if event.estimate is not None:
            ends, until = now + event.estimate, self._wall() + event.estimate
        ahead = event.waiters - 1
        if same is not None:
            # Whoever came later stands behind.
            ahead = min(ahead, same.ahead)
            if event.reason in ("loading", "waking") and same.ends is not None:
                # A constant estimate would move the end away with every probe.
                ends = same.ends if ends is None else min(ends, same.ends)
        return WaitStatus(event.reason, began, ends=ends, until=until, ahead=ahead)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_PERIOD)
            self._draw()

    def _draw(self) -> None:
        draw(self._said, self._name, self._stream)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def wait_text(name: str, wait: WaitStatus, *, now: float) -> str:
    """Return the words of the wait line."""
    elapsed = f"{max(0.0, now - wait.began):.0f} s"
    match wait.reason:
        case "loading" | "waking":
            return _loading_text(name, wait, elapsed=elapsed, now=now)
        case "rate limited":
            if wait.until is None:
                return f"{name} is rate limited… {elapsed}"
            # Up, so that nobody comes back a moment too early.
            clock = time.strftime("%H:%M:%S", time.localtime(math.ceil(wait.until)))
            return f"{name} is rate limited until {clock}"
        case "starting":
            return f"{name} does not answer; perhaps it is restarting… {elapsed}"
        case "queued":
            behind = f" behind {wait.ahead}" if wait.ahead > 0 else ""
            return f"{name} is queued{behind}… {elapsed}"
        case "retrying":
            left = 0 if wait.ends is None else math.ceil(wait.ends - now)
            return f"retrying {name}{f' in {left} s' if left > 0 else ''}…"


def _loading_text(name: str, wait: WaitStatus, *, elapsed: str, now: float) -> str:
    doing = "loading" if wait.reason == "loading" else "waking up"
    line = f"{name} is {doing}… {elapsed}"
    if wait.ends is None:
        return line
    total = wait.ends - wait.began
    if now <= wait.ends:
        return f"{line} of about {total:.0f} s"
    return f"{line}, longer than the {total:.0f} s that were estimated"
