"""The benchmarks of faults run, keep their bounds, and can miss them."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from rounds import LONG

from benchmarks.reliability import (
    cut_streams,
    faultmix,
    figures,
    herd,
    lifecycle,
    memory,
    outage,
    raw_server,
    release,
    soak,
    sse_matrix,
)
from bytebuddy_provider_hf.scheduling import cold_start, retry
from bytebuddy_provider_hf.scheduling.cold_start import ColdStart
from bytebuddy_provider_hf.scheduling.model_queue import ModelQueue
from bytebuddy_provider_hf.testing.virtual_time import run
from bytebuddy_provider_hf.transport.pool import AiohttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

Measure = Callable[..., dict[str, Any]]


@pytest.fixture
def measure(capsys: pytest.CaptureFixture[str]) -> Measure:
    """Give a function that runs a command and returns what it printed."""

    def measured(
        command: Callable[[Sequence[str]], int], *short: str, long: Sequence[str] = ()
    ) -> dict[str, Any]:
        code = command(long if LONG and long is not short else short)
        told = capsys.readouterr()
        line: dict[str, Any] = json.loads(told.out)
        assert told.out.count("\n") == 1
        assert code == (0 if line["met"] else 1)
        assert line["met"] == (not line["missed"])
        return line

    return measured


FEW = ("--n", "150", "--colds", "1", "--cold", "0.1")
NO_COLD = ("--n", "150", "--colds", "0")


def test_no_answer_is_wrong_and_none_is_lost(measure: Measure) -> None:
    """R1 and R23: a mix of faults costs what it must, and the ledger has it all."""
    found = measure(faultmix.main, *FEW)
    assert found["met"], found
    assert found["server_hits"] == found["ledger"] > 150
    assert found["faults"]["episodes"] == (2 if LONG else 1)


def test_an_answer_of_another_call_is_seen(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that gives each caller the answer of the one before it."""
    last = ["nobody 0 "]

    def late(text: str) -> dict[str, Any]:
        last.append(text)
        return raw_server.chat(last[-2])

    monkeypatch.setattr(faultmix, "chat", late)
    found = measure(faultmix.main, *NO_COLD, long=NO_COLD)
    assert set(found["missed"]) >= {"cross_wired", "success"}


def test_a_request_that_is_not_counted_is_seen(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resets cost free resends: whoever does not count them has too few."""
    send = AiohttpClient.send

    async def silent(client: AiohttpClient, call: HttpRequest, **_: object) -> object:
        return await send(client, call)

    monkeypatch.setattr(AiohttpClient, "send", silent)
    found = measure(faultmix.main, *NO_COLD, long=NO_COLD)
    assert found["missed"] == ["ledger_less_server"]


def test_a_cut_stream_says_so(measure: Measure) -> None:
    """R2: the beginning of what was sent, and an error with the same text."""
    found = measure(faultmix.main, "--stream", "--n", "200", long=["--stream"])
    assert found["met"], found
    ends = found["ends"]
    assert ends["interrupted"] > ends["whole"] > 0
    assert set(found["sent"]) >= {"chunked", "length", "close", "chunked, whole"}


def test_a_stream_that_lost_an_event_is_seen(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event is missing in the middle, and the rest is as it should be."""

    def fewer(pieces: Sequence[str]) -> list[bytes]:
        return raw_server.events([*pieces[:7], *pieces[8:]])

    monkeypatch.setattr(cut_streams, "events", fewer)
    few = ("--stream", "--n", "40")
    found = measure(faultmix.main, *few, long=few)
    assert set(found["missed"]) >= {"no_prefix", "silently_cut"}


@pytest.mark.measured
def test_an_outage_is_not_amplified(measure: Measure) -> None:
    """R4: the library and the command line, 35 requests more than callers."""
    found = measure(
        outage.main, "--callers", "40", "--afterwards", "5", "--commands", "1"
    )
    assert found["met"], found
    assert found["500_requests"] > found["callers"]
    assert found["embed_requests"] > 3


def test_retries_that_cost_nothing_are_seen(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget that pays for every retry."""
    monkeypatch.setattr(retry, "_COST", 1)
    few = ("--callers", "40", "--afterwards", "1", "--commands", "0")
    found = measure(outage.main, *few, long=few)
    assert set(found["missed"]) >= {"500_requests", "reset_requests"}


def test_a_herd_asks_a_few_times(measure: Measure) -> None:
    """R6: 6, 17 and 34 requests more than the first eight, and all are served."""
    found = measure(herd.main, "--waiters", "150")
    assert found["met"], found
    assert found["cold_300"] > found["cold_20"] > 8


def test_probes_that_do_not_grow_apart_are_seen(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One every second is too many."""
    monkeypatch.setattr(cold_start, "_GROWTH", 1.0)
    few = ("--waiters", "50", "--cold", "20")
    assert measure(herd.main, *few, long=few)["missed"] == ["cold_20"]


def test_nobody_waits_for_one_who_left(measure: Measure) -> None:
    """R7: a tenth leaves, and whoever probes: one request more for each."""
    few = ("--cancel", "0.1", "--waiters", "150", "--seeds", "2")
    found = measure(herd.main, *few, long=("--cancel", "0.1"))
    assert found["met"], found
    assert found["cancelled"] > found["takeovers"] > 20


def test_a_probe_that_nobody_takes_over_is_seen(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the answer of one who left waits for ever."""
    monkeypatch.setattr(ColdStart, "on_probe_lost", lambda *_, **__: None)
    monkeypatch.setattr(cold_start, "PROBE_SILENCE", math.inf)
    few = ("--cancel", "0.1", "--waiters", "40", "--seeds", "1")
    assert "stuck" in measure(herd.main, *few, long=few)["missed"]


def test_a_herd_goes_on_as_fast_as_its_server_takes(measure: Measure) -> None:
    """R9: a server of 16 at once is told from one that loads."""
    few = ("--callers", "700", "--place", "elsewhere", "--busy", "overloaded")
    found = measure(release.main, *few, long=())
    assert found["met"], found
    assert found["most_elsewhere"] > release.CAPACITY


def test_a_busy_server_that_is_taken_for_loading_is_seen(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first refusal sends everybody back to wait."""
    monkeypatch.setattr(ModelQueue, "_is_busy", lambda *_: False)
    few = ("--callers", "200", "--place", "elsewhere", "--busy", "loading")
    found = measure(release.main, *few, long=few)
    assert "cold_again_elsewhere" in found["missed"]


def test_a_release_over_sockets() -> None:
    """The same server of this machine: all are served, in real time."""
    crowd, served = asyncio.run(release.over_sockets("overloaded", 100, 1))
    assert served == 100
    assert "loading" not in crowd.again
    assert crowd.refused > 0
    crowd, served = run(release.elsewhere("overloaded", 100, 1))
    assert served == 100


def test_clients_that_are_closed_leave_nothing(measure: Measure) -> None:
    """R13: no memory, no warning, no byte on stderr."""
    found = measure(lifecycle.main, "--clients", "20")
    assert found["met"], found


def test_clients_that_are_left_open_are_seen(measure: Measure) -> None:
    """They warn, and say so on stderr."""
    few = ("--clients", "5", "--leave-open")
    found = measure(lifecycle.main, *few, long=few)
    assert set(found["missed"]) >= {"resource_warnings", "stderr_bytes"}


def test_what_a_soak_took_comes_back(measure: Measure) -> None:
    """R12: permits, tasks, connections, descriptors; the long form has the memory."""
    found = measure(soak.main, "--minutes", "0.02")
    assert found["met"], found
    ends = found["ends"]
    assert min(ends[kind] for kind in ("whole", "stream", "left", "cancelled")) > 0
    assert ("rss_mib_an_hour" in found) == LONG


def test_a_task_that_a_soak_leaves_is_seen(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that sleeps for an hour."""
    kept: list[asyncio.Task[None]] = []
    call = soak.Load._call

    async def leaving(load: soak.Load) -> None:
        if not kept:
            kept.append(asyncio.create_task(asyncio.sleep(3_600)))
        await call(load)

    monkeypatch.setattr(soak.Load, "_call", leaving)
    few = ("--minutes", "0.002")
    assert measure(soak.main, *few, long=few)["missed"] == ["tasks_left"]


def test_streams_are_decoded_however_they_are_cut(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R16: every case in every size; a case that differs is named."""
    found = measure(sse_matrix.main)
    assert found["met"], found
    assert found["decoded"] == 5 * found["cases"]
    wrong = {**sse_matrix.CASES, "a comment": (b": ping\n\n", sse_matrix.data(b"a"))}
    monkeypatch.setattr(sse_matrix, "CASES", wrong)
    found = measure(sse_matrix.main)
    assert found["missed"] == ["wrong"]
    assert found["failed"] == [
        *(f"a comment, cut after {size}" for size in (1, 2, 3, 7)),
        "a comment, whole",
    ]


def test_a_callback_that_holds_the_loop_is_seen() -> None:
    """By the time that this thread computes, however long it waits."""
    held = soak.Held()

    async def work(seconds: float) -> None:
        for _ in range(3):
            await asyncio.sleep(0.11)
            until = time.thread_time() + seconds
            while time.thread_time() < until:
                pass

    async def measured() -> float:
        with held.measuring():
            await work(0.03)
        await asyncio.sleep(0)
        return held.p99_ms

    assert 30 <= asyncio.run(measured()) < 60


@pytest.mark.parametrize("value", [math.nan, 2])
def test_what_is_no_number_holds_no_bound(
    value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown is never good."""
    measured = {
        "most": figures.at_most(value, 1),
        "least": figures.at_least(math.nan, 1),
    }
    assert figures.judge("R0", measured, {}) == 1
    assert json.loads(capsys.readouterr().out)["missed"] == ["most", "least"]


def test_a_leak_has_a_trend_and_noise_has_none() -> None:
    """The interval of Theil-Sen: 5 % of memory an hour is seen below 1 % of noise."""
    chance = random.Random(1)
    hours = [at / 360 for at in range(120)]
    noise = [300_000 + chance.gauss(0, 1_000) for _ in hours]
    leak = [value + 15_000 * hour for value, hour in zip(noise, hours, strict=True)]
    assert memory.trend(hours, noise).is_flat
    found = memory.trend(hours, leak)
    assert 0 < found.low < 15_000 < found.high
    assert not memory.trend([1.0], [2.0]).low > -math.inf
    assert memory.resident() > memory.MIB
