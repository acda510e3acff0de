"""A line that is redrawn stays one line, however narrow the terminal is."""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from bytebuddy_provider_hf.cli.batch_commands import StatusLine
from bytebuddy_provider_hf.cli.status_line import ERASE, redraw
from bytebuddy_provider_hf.cli.waitline import WaitLine
from bytebuddy_provider_hf.types import Loading

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
    wait = WaitLine(LONG, lambda: 0.0, stream=screen.stream)
    wait.update(Loading(12.0, 8.0))
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
    waiting = StatusLine(LONG, quiet=False, stream=screen.stream)
    waiting.progress(1_024, 9_999, "texts")
    shown = screen.line()
    assert len(shown) < 40
    assert shown.endswith("…: 1,024 of 9,999 texts…")


def test_a_line_of_unknown_width_is_whole(screens: type[Screen]) -> None:
    """A terminal that does not tell its width, and a stream that has none."""
    for stream in (screens(0).stream, io.StringIO()):
        assert redraw(lambda name: name, LONG, stream) == f"{ERASE}{LONG}"
