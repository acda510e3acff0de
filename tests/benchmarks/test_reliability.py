"""The benchmarks of reliability run, keep their bounds, and can miss them."""

from __future__ import annotations

import json

import pytest
from rounds import LONG

from benchmarks.reliability import pin


def test_a_session_keeps_a_conversation_where_its_prompt_was_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """R45: of what could be hit 95 % is, by a session; without one far less."""
    count = 100 if LONG else 6
    assert pin.main(["--conversations", str(count)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["hit_share"] >= 0.95
    assert figures["unpinned_hit_share"] < 0.9
    assert (figures["moves"], figures["turns"]) == (0, 20)
    assert figures["unpinned_moves"] > count


def test_the_figure_is_missed_where_nothing_moves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A router that stays hits as much without a session: then nothing was measured."""
    assert pin.main(["--conversations", "2", "--turns", "4", "--moves", "0"]) == 1
    assert json.loads(capsys.readouterr().out)["met"] is False
