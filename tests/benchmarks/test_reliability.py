"""The benchmarks of reliability run, keep their bounds, and can miss them."""

from __future__ import annotations

import json

import pytest
from rounds import LONG

from benchmarks.reliability import canary, doors, money, pin
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.secret import Secret


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


def test_what_is_estimated_is_billed(capsys: pytest.CaptureFixture[str]) -> None:
    """R44: to 0.1 %, at most where tokens were cached; each call is one thing."""
    calls = 10_000 if LONG else 300
    assert money.main(["--calls", str(calls)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["calls"] == calls
    assert figures["missed"] == []
    assert len(figures["providers"]) == 7
    # So few streams may all be whole.
    assert set(figures["unpriced"]) >= {"compute time", "no price"}
    assert figures["attempts"] > calls
    assert figures["worst_error"] <= money.TOLERANCE


def test_a_wrong_price_misses_the_bound(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bill is reckoned by nobody's code but its own."""
    right = Price.of

    def dear(self: Price, prompt_tokens: int, completion_tokens: int) -> int:
        return right(self, prompt_tokens, completion_tokens) * 2

    monkeypatch.setattr(Price, "of", dear)
    assert money.main(["--calls", "100"]) == 1
    missed = json.loads(capsys.readouterr().out)["missed"]
    assert "an estimate is off by more than 0.1 %" in missed


def test_every_door_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """R48: the ledger has what the server saw, of every role of the library."""
    assert doors.main([] if LONG else ["--library"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["sent"] == figures["counted"] > figures["doors"] >= 19


def test_a_command_is_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends at once has written down what it sent."""
    one = {"chat": doors.COMMANDS["chat"]}
    monkeypatch.setattr(doors, "COMMANDS", one)
    assert doors.main(["--commands"]) == 0
    assert json.loads(capsys.readouterr().out)["sent"] >= 1


def test_no_error_shows_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    """R30: of all paths some each time; every night all of them, in every sink."""
    every = 1 if LONG else 80
    assert canary.main(["--every", str(every)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["hits"], figures["without_an_error"]) == (0, 0)
    assert len([*canary.paths()]) >= canary.LEAST
    assert figures["sinks"] > figures["paths"] * 10


def test_a_key_that_leaks_is_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is masked, the errors show it, and the figure is missed."""
    some = [path for path in canary.paths() if path[0].startswith("TokenInvalid, ")]
    monkeypatch.setattr(canary, "paths", lambda: iter(some[:5]))
    monkeypatch.setattr(Secret, "scrub", lambda _self, text, **_: text)
    assert canary.main(["--every", "1"]) == 1
    printed = capsys.readouterr()
    assert "hits" in json.loads(printed.out)["missed"]
    assert ": command line" in printed.err
