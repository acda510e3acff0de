"""The bombs of R32 end as typed errors, and the figure can be missed."""

from __future__ import annotations

import json
import sys

import pytest
from rounds import LONG

from benchmarks.reliability import bombs

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    # Its bound is one of time.
    pytest.mark.measured,
]


@pytest.mark.parametrize(
    "only",
    [""] if LONG else ["many 64", "calls"],
)
def test_bombs_are_one_error_each(
    capsys: pytest.CaptureFixture[str], only: str
) -> None:
    """Little memory, no long callback; what is honest and large comes whole."""
    size = "57" if LONG else "4"
    assert bombs.main(["--megabytes", size, "--only", only]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["met"]
    assert figures["most_growth_mib"] < 64


def test_the_bounds_can_be_missed(capsys: pytest.CaptureFixture[str]) -> None:
    """Both figures are measured: hardly anything grows by nothing in no time."""
    strict = ["--most-growth", "0.01", "--longest", "0.01"]
    args = ["--megabytes", "4", "--only", "chat choices", *strict]
    assert bombs.main(args) == 1
    missed = json.loads(capsys.readouterr().out)["missed"]
    assert missed == ["most_growth_mib", "longest_callback_ms"]
