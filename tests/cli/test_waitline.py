"""The wait line tells what is waited for, and how long."""

from __future__ import annotations

import io
import time
from typing import get_args

import pytest

from bytebuddy_provider_hf.cli.waitline import WaitLine
from bytebuddy_provider_hf.types import Loading, WaitReason


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
    line = WaitLine(name, clock, wall=clock.wall, stream=io.StringIO())
    line.update(event)
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
    line = WaitLine("m", clock, stream=io.StringIO())
    line.update(Loading(0.0, 20.0))
    clock.now += 12
    line.update(Loading(12.0, 20.0))
    assert line.text() == "m is loading… 12 s of about 20 s"


def test_a_limit_that_is_set_later_moves_the_time_of_day() -> None:
    """The server's latest word counts."""
    clock = Clock()
    line = WaitLine("m", clock, wall=clock.wall, stream=io.StringIO())
    line.update(Loading(0.0, 10.0, 1, "rate limited"))
    clock.now += 10
    line.update(Loading(10.0, 30.0, 1, "rate limited"))
    assert line.text() == "m is rate limited until 19:42:40"


def test_calls_that_come_later_stand_behind() -> None:
    """The number ahead never grows."""
    clock = Clock()
    line = WaitLine("m", clock, stream=io.StringIO())
    line.update(Loading(0.0, None, 4, "queued"))
    line.update(Loading(0.0, None, 9, "queued"))
    assert line.text() == "m is queued behind 3… 0 s"
    line.update(Loading(0.0, None, 2, "queued"))
    assert line.text() == "m is queued behind 1… 0 s"


def test_a_pipe_is_told_once_and_at_the_end() -> None:
    """Without a terminal there is no redrawing: two lines, however many probes."""
    clock = Clock()
    out = io.StringIO()
    line = WaitLine("m\x1b[31m", clock, stream=out)
    for elapsed in range(5):
        clock.now = 100.0 + elapsed
        line.update(Loading(float(elapsed)))
    line.clear()
    line.clear()
    assert out.getvalue() == "m is loading… 0 s\nwaited 4 s for m\n"


def test_a_pipe_is_told_of_each_kind_of_waiting() -> None:
    """One line where the reason changes, and the whole time at the end."""
    clock = Clock()
    out = io.StringIO()
    line = WaitLine("m", clock, wall=clock.wall, stream=out)
    line.update(Loading(0.0, 10.0, 1, "rate limited"))
    clock.now += 10
    line.update(Loading(0.0))
    clock.now += 3
    line.update(Loading(3.0))
    line.clear()
    assert out.getvalue().splitlines() == [
        "m is rate limited until 19:42:10",
        "m is loading… 0 s",
        "waited 13 s for m",
    ]
