"""The wait line tells how long a model has been loading."""

from __future__ import annotations

import io

import pytest

from bytebuddy_provider_hf.cli.waitline import WaitLine, wait_text
from bytebuddy_provider_hf.types import Loading


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("elapsed", "total", "line"),
    [
        (3.2, None, "hf-llama is loading… 3 s"),
        (12.0, 20.0, "hf-llama is loading… 12 s of about 20 s"),
        (
            25.0,
            20.0,
            "hf-llama is loading… 25 s, longer than the 20 s that were estimated",
        ),
    ],
)
def test_the_words(elapsed: float, total: float | None, line: str) -> None:
    """Elapsed, the estimate if there is one, and an estimate that was too short."""
    assert wait_text("hf-llama", elapsed, total) == line


def test_a_constant_estimate_does_not_move_the_end_away() -> None:
    """A server that says 20.0 at every look still means 20 s in all."""
    clock = Clock()
    line = WaitLine("m", clock, stream=io.StringIO())
    line.update(Loading(0.0, 20.0))
    clock.now += 12
    line.update(Loading(12.0, 20.0))
    assert line.text() == "m is loading… 12 s of about 20 s"


def test_a_pipe_is_told_once_and_at_the_end() -> None:
    """Without a terminal there is no redrawing: two lines, whatever the looks."""
    clock = Clock()
    out = io.StringIO()
    line = WaitLine("m\x1b[31m", clock, stream=out)
    for elapsed in range(5):
        clock.now = 100.0 + elapsed
        line.update(Loading(float(elapsed)))
    line.clear()
    line.clear()
    assert out.getvalue() == "m is loading… 0 s\nwaited 4 s for m\n"
