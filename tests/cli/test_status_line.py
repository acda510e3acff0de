"""The status line tells what is waited for, and stays one line on every terminal."""

from __future__ import annotations

import io
import os
import struct
import sys
import time
from collections.abc import Iterator
from typing import TextIO, get_args

import pytest

from bytebuddy_provider_hf.cli.status_line import ERASE, StatusLine, redraw
from bytebuddy_provider_hf.types import Loading, WaitReason

LONG = "org/a-rather-long-model-name-70B-Instruct-v0.1"


class Screen:
    """A terminal of so many columns; what is written to it is kept."""

    def __init__(self, columns: int) -> None:
        import fcntl
        import pty
        import termios

        self._parent, child = pty.openpty()
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(child, termios.TIOCSWINSZ, size)
        self.stream: TextIO = os.fdopen(child, "w", encoding="utf-8")

    def line(self) -> str:
        """Return what stands on the line that was drawn last."""
        return os.read(self._parent, 65_536).decode().rpartition(ERASE)[2]

    def close(self) -> None:
        self.stream.close()
        os.close(self._parent)


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Screen]]:
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals are for POSIX")
    monkeypatch.setenv("TERM", "xterm")
    made: list[Screen] = []

    class Made(Screen):
        def __init__(self, columns: int) -> None:
            super().__init__(columns)
            made.append(self)

    yield Made
    for each in made:
        each.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("columns", [30, 40, 79])
async def test_a_wait_line_fits_the_terminal(
    screens: type[Screen], columns: int
) -> None:
    """A wider one could not be erased: each redrawing would leave a line behind."""
    screen = screens(columns)
    wait = StatusLine(LONG, lambda: 0.0, stream=screen.stream)
    wait.event(Loading(12.0, 8.0))
    shown = screen.line()
    wait.clear()
    assert len(shown) < columns
    assert shown.startswith("org/")
    assert " is loading… 12 s" in shown


def test_the_name_is_cut_first(screens: type[Screen]) -> None:
    """What the line says is worth more than the end of a name."""
    line = redraw(lambda name: f"{name} waits 5 s", LONG, screens(30).stream)
    assert line == f"{ERASE}org/a-rather-long-… waits 5 s"


def test_a_wide_letter_takes_two_columns(screens: type[Screen]) -> None:
    """Chinese letters are counted as they are drawn."""
    line = redraw(lambda name: f"{name} 5 s", "模型" * 20, screens(20).stream)
    assert line == f"{ERASE}{'模型' * 3}模… 5 s"


def test_progress_fits_the_terminal(screens: type[Screen]) -> None:
    """How many of many, too."""
    screen = screens(40)
    waiting = StatusLine(LONG, stream=screen.stream)
    waiting.progress(1_024, 9_999, "texts")
    shown = screen.line()
    assert len(shown) < 40
    assert shown.endswith("…: 1,024 of 9,999 texts…")


def test_a_line_of_unknown_width_is_whole(screens: type[Screen]) -> None:
    """A terminal that does not tell its width, and a stream that has none."""
    for stream in (screens(0).stream, io.StringIO()):
        assert redraw(lambda name: name, LONG, stream) == f"{ERASE}{LONG}"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        """Begin a quarter of a second before 19:42:00, local time."""
        zero = time.mktime((2026, 11, 22, 19, 42, 0, 0, 0, -1))
        return zero - 0.25 + self.now - 100


def line_of(event: Loading, *, later: float = 0.0, name: str = "hf-llama") -> str:
    """Return the line ``later`` seconds after ``event`` came."""
    clock = Clock()
    line = StatusLine(name, clock, wall=clock.wall, stream=io.StringIO())
    line.event(event)
    clock.now += later
    return line.text()


LOADING = "hf-llama is loading… "
WAKING = "hf-llama is waking up… "
TOO_LONG = ", longer than the 20 s that were estimated"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Loading(3.2), f"{LOADING}3 s"),
        (Loading(12.0, 8.0), f"{LOADING}12 s of about 20 s"),
        (Loading(42.0, None, 1, "waking"), f"{WAKING}42 s"),
        (Loading(42.0, 18.0, 1, "waking"), f"{WAKING}42 s of about 60 s"),
        (
            Loading(1.0, 10.0, 9, "rate limited"),
            "hf-llama is rate limited until 19:42:10",
        ),
        (Loading(1.0, None, 9, "rate limited"), "hf-llama is rate limited… 1 s"),
        (Loading(2.0, None, 4, "queued"), "hf-llama is queued behind 3… 2 s"),
        (Loading(2.0, None, 1, "queued"), "hf-llama is queued… 2 s"),
        (Loading(2.0, 1.4, 1, "retrying"), "retrying hf-llama in 2 s…"),
        (Loading(2.0, None, 1, "retrying"), "retrying hf-llama…"),
    ],
)
def test_each_kind_of_waiting_has_its_words(event: Loading, line: str) -> None:
    """Loading, waking, rate limited until when, queued behind whom, retrying."""
    assert line_of(event) == line


def test_no_kind_of_waiting_is_without_words() -> None:
    """Whatever the engine waits for has a line of its own."""
    lines = {line_of(Loading(2.0, 1.0, 2, reason)) for reason in get_args(WaitReason)}
    assert len(lines) == len(get_args(WaitReason))


def test_an_estimate_that_was_too_short_is_told() -> None:
    """The line does not pretend that the model is nearly there."""
    assert line_of(Loading(0.0, 20.0), later=25) == f"{LOADING}25 s{TOO_LONG}"


def test_a_retry_that_is_due_names_no_seconds() -> None:
    """Neither zero nor less."""
    assert line_of(Loading(0.0, 1.0, 1, "retrying"), later=3) == "retrying hf-llama…"


def test_a_constant_estimate_does_not_move_the_end_away() -> None:
    """A server that says 20.0 at every probe still means 20 s in all."""
    clock = Clock()
    line = StatusLine("m", clock, stream=io.StringIO())
    line.event(Loading(0.0, 20.0))
    clock.now += 12
    line.event(Loading(12.0, 20.0))
    assert line.text() == "m is loading… 12 s of about 20 s"


def test_a_limit_that_is_set_later_moves_the_time_of_day() -> None:
    """The server's latest word counts."""
    clock = Clock()
    line = StatusLine("m", clock, wall=clock.wall, stream=io.StringIO())
    line.event(Loading(0.0, 10.0, 1, "rate limited"))
    clock.now += 10
    line.event(Loading(10.0, 30.0, 1, "rate limited"))
    assert line.text() == "m is rate limited until 19:42:40"


def test_calls_that_come_later_stand_behind() -> None:
    """The number ahead never grows."""
    clock = Clock()
    line = StatusLine("m", clock, stream=io.StringIO())
    line.event(Loading(0.0, None, 4, "queued"))
    line.event(Loading(0.0, None, 9, "queued"))
    assert line.text() == "m is queued behind 3… 0 s"
    line.event(Loading(0.0, None, 2, "queued"))
    assert line.text() == "m is queued behind 1… 0 s"


def test_a_pipe_is_told_once_and_at_the_end() -> None:
    """Without a terminal there is no redrawing: two lines, however many probes."""
    clock = Clock()
    out = io.StringIO()
    line = StatusLine("m\x1b[31m", clock, stream=out)
    for elapsed in range(5):
        clock.now = 100.0 + elapsed
        line.event(Loading(float(elapsed)))
    line.clear()
    line.clear()
    assert out.getvalue() == "m is loading… 0 s\nwaited 4 s for m\n"


def test_a_pipe_is_told_of_each_kind_of_waiting() -> None:
    """One line where the reason changes, and the whole time at the end."""
    clock = Clock()
    out = io.StringIO()
    line = StatusLine("m", clock, wall=clock.wall, stream=out)
    line.event(Loading(0.0, 10.0, 1, "rate limited"))
    clock.now += 10
    line.event(Loading(0.0))
    clock.now += 3
    line.event(Loading(3.0))
    line.clear()
    assert out.getvalue().splitlines() == [
        "m is rate limited until 19:42:10",
        "m is loading… 0 s",
        "waited 13 s for m",
    ]
