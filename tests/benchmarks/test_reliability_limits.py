"""What limits, files and addresses promise is measured, and can be missed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from rounds import LONG

from benchmarks.reliability import (
    aimd,
    busy503,
    desync,
    disk,
    fuzz_config,
    importcheck,
    longstreams,
    overhead,
    urls,
)
from benchmarks.reliability.figures import Bound, judged
from bytebuddy_provider_hf.scheduling.limiter import Limiter

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command, as long as it is long, else with what makes it short."""

    def runs(
        main: Callable[[list[str]], int], *short: str, always: bool = False
    ) -> tuple[int, dict[str, Any]]:
        code = main(list(short) if always or not LONG else [])
        figures: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert figures["met"] is (code == 0)
        assert figures["met"] is not bool(figures["missed"])
        return code, figures

    return runs


def test_a_bound_is_told_beside_its_value() -> None:
    """What was not measured keeps no bound."""
    good, bad = Bound("a", 1, "<=", 1), Bound("b", None, "==", 0)
    assert judged("R0", good, seed=3) == {
        "figure": "R0",
        "seed": 3,
        "a": 1,
        "a_bound": "<= 1",
        "missed": [],
        "met": True,
    }
    assert judged("R0", good, bad)["missed"] == ["b"]


def test_sleepers_do_not_come_back_at_once(run: Run) -> None:
    """R20: at most as many as may be in flight, in any 100 ms."""
    code, figures = run(desync.main, "--sleepers", "150")
    assert code == 0, figures
    assert figures["woken"] == 6 * figures["sleepers"]


def test_sleepers_of_one_tick_are_seen(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limiter that lets everybody wake misses the bound."""
    monkeypatch.setattr(Limiter, "may_wake", lambda _limiter: True)
    code, figures = run(desync.main, "--sleepers", "150", always=True)
    assert (code, figures["missed"]) == (1, ["most_in_100_ms"])


def test_a_capacity_is_found_and_held(run: Run) -> None:
    """R24: within 20 % in 60 round trips, then less than 3 % refused."""
    code, figures = run(aimd.main, "--seeds", "1", "--capacities", "2")
    assert code == 0, figures


def test_a_client_that_never_shrinks_is_seen(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its requests above the capacity is refused, for ever."""
    monkeypatch.setattr(Limiter, "on_overload", lambda *_, **__: None)
    monkeypatch.setattr(aimd, "_MOST", 6)
    asked = ("--seeds", "1", "--capacities", "2", "--round-trips", "10")
    code, figures = run(aimd.main, *asked, always=True)
    assert code == 1
    assert "worst_429" in figures["missed"]


def test_a_busy_endpoint_is_not_asleep(run: Run) -> None:
    """R47: nobody hears that it wakes up, or waits for a probe."""
    code, figures = run(busy503.main, "--callers", "200", "--capacities", "4")
    assert code == 0, figures
    assert figures["told"]["queued"] > 0


def test_an_endpoint_that_sleeps_is_told_so(run: Run) -> None:
    """The same bytes: then the command fails."""
    code, figures = run(busy503.main, "--callers", "20", "--asleep", always=True)
    assert code == 1
    assert {"told_as_not_ready", "probes"} <= set(figures["missed"])


def test_long_answers_do_not_wait_for_each_other(run: Run) -> None:
    """R46: in virtual time with the figure's own seconds."""
    code, figures = run(longstreams.main, "--elsewhere")
    assert code == 0, figures
    assert figures["seconds"] == [3.0, 10.0]


@pytest.mark.measured
def test_long_answers_are_read_from_a_real_server(run: Run) -> None:
    """Whether it is quick enough is asked at night, of a machine that does no more."""
    asked = ("--here", "--seconds", "0.3", "--callers", "4")
    _, figures = run(longstreams.main, *asked, always=True)
    assert figures["longer_than_one"] > 0
    assert "remote_round_trips" not in figures


def test_a_limit_that_nobody_asked_for_is_seen(run: Run) -> None:
    """32 callers who may have eight in flight go one after the other."""
    asked = ("--elsewhere", "--limit", "8", "--seconds", "3")
    code, figures = run(longstreams.main, *asked, always=True)
    assert code == 1
    assert set(figures["missed"]) == {"remote_round_trips", "longer_than_one"}


@pytest.mark.skipif(sys.platform == "win32", reason="limits and modes of POSIX")
def test_no_state_of_the_disk_fails_a_call(run: Run) -> None:
    """R27: damaged, full, read-only."""
    code, figures = run(disk.main, "--flips", "5", "--sizes", "1")
    assert code == 0, figures
    assert figures["hits"] > 0


@pytest.mark.skipif(sys.platform == "win32", reason="limits and modes of POSIX")
def test_an_answer_that_nobody_checks_is_wrong(run: Run) -> None:
    """Flipped bytes do reach what is answered, where the digest is not compared."""
    asked = ("--flips", "15", "--sizes", "0", "--unchecked")
    code, figures = run(disk.main, *asked, always=True)
    assert code == 1
    assert figures["wrong_answers"] > 0


@pytest.mark.measured
def test_any_configuration_is_read_or_refused_with_its_place(run: Run) -> None:
    """R28: soon, in little memory, and without a key."""
    code, figures = run(fuzz_config.main, "--n", "30", "--attacks", "10")
    assert code == 0, figures
    assert figures["ends"]["read"] > 0
    assert figures["ends"]["refused"] > 0


def test_the_attacks_are_two_hundred() -> None:
    """Each of another name; they hold the key that must not be shown."""
    made = dict(fuzz_config.attacks())
    assert len(made) == fuzz_config.ATTACKS
    assert sum(b"hf_k3y" in raw for raw in made.values()) > 100


@pytest.mark.measured
def test_a_loader_that_builds_everything_crashes(run: Run) -> None:
    """What another reader does with the same files is seen."""
    asked = ("--n", "30", "--attacks", "10", "--unsafe")
    code, figures = run(fuzz_config.main, *asked, always=True)
    assert code == 1
    assert "crashes" in figures["missed"]


def test_no_id_and_no_path_leads_elsewhere(run: Run) -> None:
    """R29: origin and path stay, or it is refused."""
    code, figures = run(urls.main, "--n", "1000")
    assert code == 0, figures
    assert figures["refused"] < figures["strings"]


def test_joined_strings_lead_elsewhere(run: Run) -> None:
    """As most programs join them."""
    code, figures = run(urls.main, "--n", "300", "--naive", always=True)
    assert (code, figures["missed"]) == (1, ["left_their_place"])


@pytest.mark.measured
def test_an_import_is_quick_and_does_nothing(run: Run) -> None:
    """R41: less than half of aiohttp's, and no socket, thread or file."""
    code, figures = run(importcheck.main, "--rounds", "1")
    assert code == 0, figures


def test_an_import_that_does_something_is_seen(run: Run) -> None:
    """asyncio.run makes a socket pair; the module of tests needs no more than that."""
    asked = ("--rounds", "1", "--module", "aiohttp.test_utils")
    code, figures = run(importcheck.main, *asked, always=True)
    assert code == 1
    assert "ratio" in figures["missed"]


@pytest.mark.measured
def test_the_ratios_are_told(run: Run) -> None:
    """R39: whether they are kept is asked at night; a call has not reached 1.20 yet."""
    asked = ("--rounds", "1", "--share", "100")
    _, figures = run(overhead.main, *asked, always=True)
    assert figures["call"] > 0
    assert figures["call_bound"] == "<= 1.2"
    assert figures["event_bound"] == "<= 0.45"


def test_a_dear_call_misses_its_bound() -> None:
    """Whatever an event costs."""
    pairs = {name: [(1.0, 0.4)] for name in ("call_of_32", "call_of_256", "event")}
    assert overhead.figures({**pairs, "call": [(1.0, 1.1)]}, 1)["met"] is True
    dear = overhead.figures({**pairs, "call": [(1.0, 1.3)]}, 1)
    assert dear["missed"] == ["call"]
