"""Status line on stderr: what a call waits for, or how far it is."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self, TextIO, final

from attrs import frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import alert_line
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.types import (
    BudgetAlert,
    Event,
    Loading,
    Progress,
    Reasoning,
    Text,
    WaitReason,
)

if TYPE_CHECKING:
    from asyncio import Task

# Carriage return, then CSI 2 K of ECMA-48: erase the whole line.
ERASE: Final = "\r\x1b[2K"

# Seconds between two drawings: often enough for a count of seconds to look even.
_PERIOD: Final = 0.25
# Of a name at least so many columns stay, or nobody knows the model again.
_LEAST: Final = 6

# What stands on a stream and was not erased yet; a process has one stderr, on which
# records of the log are printed above the line.
_standing: Final[dict[TextIO, str]] = {}


@frozen
class WaitStatus:
    """A wait of a call, on the clocks of the status line.

    ``began`` and ``ends`` are seconds of the monotonic clock; ``ends`` is ``None``
    where nobody knows. ``until`` is the end as a time of day, in seconds since 1970;
    ``ahead`` counts the calls before this one.
    """

    reason: WaitReason
    began: float
    ends: float | None = None
    until: float | None = None
    ahead: int = 0

    @classmethod
    def updated(
        cls, before: WaitStatus | None, event: Loading, *, now: float, wall: float
    ) -> Self:
        """Return the status after ``event``, where ``before`` is the one so far."""
        same = before if before and before.reason == event.reason else None
        ends = until = None
        if event.estimate is not None:
            ends, until = now + event.estimate, wall + event.estimate
        ahead = event.waiters - 1
        if same is not None:
            # Whoever came later stands behind.
            ahead = min(ahead, same.ahead)
            if event.reason in ("loading", "waking") and same.ends is not None:
                # A constant estimate would move the end away with every probe.
                ends = same.ends if ends is None else min(ends, same.ends)
        began = same.began if same else now - event.elapsed
        return cls(event.reason, began, ends=ends, until=until, ahead=ahead)

    def text(self, name: str, now: float) -> str:
        """Return the text of the status line."""
        elapsed = _seconds(max(0.0, now - self.began))
        match self.reason:
            case "loading" | "waking":
                line = text(
                    "cli.loading" if self.reason == "loading" else "cli.waking",
                    model=name,
                    elapsed=elapsed,
                )
                if self.ends is None:
                    return line
                total = _seconds(self.ends - self.began)
                return text(
                    "cli.of_about" if now <= self.ends else "cli.longer",
                    line=line,
                    total=total,
                )
            case "rate limited" if self.until is not None:
                # Up, so that nobody comes back a moment too early.
                until = time.localtime(math.ceil(self.until))
                clock = time.strftime("%H:%M:%S", until)
                return text("cli.limited_until", model=name, clock=clock)
            case "starting" | "rate limited":
                return text(
                    "cli.starting" if self.reason == "starting" else "cli.limited",
                    model=name,
                    elapsed=elapsed,
                )
            case "queued":
                facts = {"model": name, "elapsed": elapsed}
                if self.ahead <= 0:
                    return text("cli.queued", **facts)
                return text("cli.queued_behind", ahead=self.ahead, **facts)
            case "retrying":
                left = 0 if self.ends is None else math.ceil(self.ends - now)
                if left <= 0:
                    return text("cli.retrying", model=name)
                return text("cli.retrying_in", model=name, left=_seconds(left))


def _seconds(count: float) -> LocalizedText:
    return text("time.seconds", count=f"{count:.0f}")


@final
class StatusLine:
    """Show on stderr what a call waits for, or how far it is.

    On a terminal it is one line that is redrawn. In a pipe each kind of waiting is
    said once, and progress never; with ``quiet`` nothing is said at all. With
    ``counts_lines`` the lines of code that came are counted, for code that is shown
    only in the end.

    ``clock`` gives seconds that never go back, ``wall`` those since 1970. Give every
    event to :meth:`event`, and call :meth:`clear` in the end.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        quiet: bool = False,
        counts_lines: bool = False,
        wall: Callable[[], float] = time.time,
        stream: TextIO | None = None,
    ) -> None:
        self.name = self._waits_for = sanitize_line(name)
        self.waited = 0.0
        self._clock = clock
        self._wall = wall
        self._quiet = quiet
        self._counts_lines = counts_lines
        self._stream = stream or sys.stderr
        self._live = not quiet and screen.is_terminal(self._stream)
        self._say: Callable[[str], str] | None = None
        self._ticker: Task[None] | None = None
        self._wait: WaitStatus | None = None
        self._began: float | None = None
        self._lines = 0
        # Of what was counted before the text comes again, whole, at the end.
        self._told = False

    def event(self, event: Event) -> None:
        """Show a wait, or end it when anything else comes; a budget's alert is said."""
        if self._quiet:
            return
        if isinstance(event, BudgetAlert):
            # The wait goes on below it.
            print_above(localized(alert_line(event)), self._stream)
            return
        if isinstance(event, Loading):
            now, wall, before = self._clock(), self._wall(), self._wait
            # A fallback that is waited for is named, and its wait is a new one.
            waits_for = sanitize_line(event.entry) if event.entry else self.name
            if waits_for != self._waits_for:
                self._waits_for, before = waits_for, None
            wait = WaitStatus.updated(before, event, now=now, wall=wall)
            self._wait = wait
            if self._began is None:
                # Several kinds of waiting in a row are one time of waiting.
                self._began = wait.began
            self._show(lambda name: wait.text(name, self._clock()))
            if not self._live and (before is None or before.reason != wait.reason):
                _write(f"{self.text()}\n", self._stream)
            return
        if self._wait is not None:
            self.clear()
        if not self._counts_lines or not isinstance(event, Text | Reasoning | Progress):
            return
        # Code that comes after the reasoning about it is what a person waits for.
        if isinstance(event, Progress):
            self._lines, self._told = event.lines, True
        elif isinstance(event, Text) and not self._told:
            self._lines += event.text.count("\n")
        if self._say is None:
            began = self._clock()

            def writing(name: str) -> str:
                return text(
                    "cli.writing_line" if self._lines == 1 else "cli.writing",
                    model=name,
                    count=self._lines,
                    elapsed=_seconds(self._clock() - began),
                )

            self._show(writing)

    def progress(self, done: int, count: int, items: str) -> None:
        """Show how many of the inputs are done."""
        self.clear()
        if self._live and done < count:
            facts = {"done": f"{done:,}", "count": f"{count:,}", "items": items}
            # It changes only with the next portion, so nothing redraws it meanwhile.
            self._show(
                lambda name: text("cli.progress", model=name, **facts), ticking=False
            )

    def text(self) -> str:
        """Return the line as it stands now."""
        return "" if self._say is None else localized(self._say(self._waits_for))

    def clear(self) -> None:
        """Erase the line; in a pipe, print how long the wait was."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        waited = 0.0 if self._began is None else self._clock() - self._began
        if self._say is not None:
            if self._live:
                _standing.pop(self._stream, None)
                _write(ERASE, self._stream)
            elif self._wait is not None:
                told = text(
                    "cli.waited", elapsed=_seconds(waited), model=self._waits_for
                )
                _write(f"{localized(told)}\n", self._stream)
        self.waited += waited
        self._say = self._wait = self._began = None

    def _show(self, say: Callable[[str], str], *, ticking: bool = True) -> None:
        self._say = say
        if not self._live:
            return
        self._draw(say)
        if ticking and self._ticker is None:
            # Imported here, as --help reaches this module and needs no event loop.
            from asyncio import create_task

            self._ticker = create_task(self._tick())

    def _draw(self, say: Callable[[str], str]) -> None:
        line = _standing[self._stream] = redraw(say, self._waits_for, self._stream)
        _write(line, self._stream)

    async def _tick(self) -> None:
        from asyncio import sleep

        while self._say is not None:
            await sleep(_PERIOD)
            self._draw(self._say)


def print_above(said: str, stream: TextIO) -> None:
    """Print ``said`` above the line that stands on ``stream``, if one does."""
    line = _standing.get(stream)
    _write(f"{said}\n" if line is None else f"{ERASE}{said}\n{line}", stream)


def redraw(say: Callable[[str], str], name: str, stream: TextIO) -> str:
    """Return what draws ``say(name)`` over the line that stands on ``stream``.

    A line that is wider than the terminal would go on in the next one, where it
    could not be erased: its name is shortened, then its end.
    """
    line = localized(say(name))
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # no terminal; a stream without a file
        width = 0
    if not width:  # some terminals do not tell it
        return f"{ERASE}{line}"
    # The last column stays free: some terminals go on in the next line there.
    over = _cells(line) - (width - 1)
    if over > 0:
        line = localized(say(_cut(name, max(_LEAST, _cells(name) - over))))
    return f"{ERASE}{_cut(line, width - 1)}"


def _cut(line: str, most: int) -> str:
    """Return ``line`` in ``most`` columns, with an ellipsis where it was cut."""
    if _cells(line) <= most:
        return line
    # No character is narrower than a column, but for those that combine.
    line = line[:most]
    while line and _cells(line) >= most:
        line = line[:-1]
    return f"{line}…"


def _cells(line: str) -> int:
    # rich knows the width of East Asian letters; it is heavy, and --help needs none.
    from rich.cells import cell_len

    return cell_len(line)


def _write(shown: str, stream: TextIO) -> None:
    stream.write(shown)
    stream.flush()
