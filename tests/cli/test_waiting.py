"""Waiting on the screen: what is said, how to refuse it, how to leave it."""

from __future__ import annotations

import json
import re
import time

import pytest
from cli.process import OpenTerminal, Run

from bytebuddy_provider_hf.testing.behaviour import Behaviour, loads
from bytebuddy_provider_hf.testing.failures import (
    omitted,
    overloaded,
    rate_limited,
    string_error,
)
from bytebuddy_provider_hf.testing.hub import FakeHub

CTRL_C = "\x03"
CTRL_D = "\x04"
ERASE = "\x1b[2K"
LIMITED = re.compile(r"any is rate limited until \d\d:\d\d:\d\d")
COLD = Behaviour(cold_for=600.0, cold_reply=loads(omitted))


@pytest.mark.parametrize("command", ["chat", "complete"])
def test_no_wait_ends_at_a_cold_model(
    run: Run, hub: FakeHub, base: str, command: str
) -> None:
    """One request, exit 7, and no line about waiting."""
    hub.set("any", COLD)
    ran = run(command, "--base", base, "-m", "any", "--no-wait", "hi")
    assert (ran.code, ran.out) == (7, "")
    assert ran.err.startswith("error: The model is still loading")
    assert "waited" not in ran.err
    assert len(hub.records) == 1


@pytest.mark.parametrize("command", ["chat", "complete"])
def test_no_wait_ends_at_a_limit(
    run: Run, hub: FakeHub, base: str, command: str
) -> None:
    """One request, exit 6; a script learns the seconds from ``--json``."""
    hub.set("any", Behaviour(always=rate_limited(retry_after=30)))
    ran = run(command, "--base", base, "-m", "any", "--no-wait", "--json", "hi")
    assert ran.code == 6
    error = json.loads(ran.out)["error"]
    assert (error["type"], error["retry_after"]) == ("RateLimited", 30)
    assert len(hub.records) == 1


def test_no_wait_answers_where_nothing_is_to_be_waited_for(
    run: Run, hub: FakeHub, base: str
) -> None:
    """It forbids waiting, not answering."""
    hub.set("any", Behaviour(answer=lambda _: "at once", delay=0.2))
    ran = run("chat", "--base", base, "-m", "any", "--no-wait", "hi")
    assert (ran.out, ran.err, ran.code) == ("at once\n", "", 0)


def test_a_time_for_the_whole_call_ends_the_waiting(
    run: Run, hub: FakeHub, base: str
) -> None:
    """``--timeout`` with a model that does not get ready: exit 7."""
    hub.set("any", COLD)
    began = time.monotonic()
    ran = run("chat", "--base", base, "-m", "any", "--timeout", "2", "hi")
    assert ran.code == 7
    assert time.monotonic() - began < 15
    assert "was not ready after 2 s" in ran.err


def test_a_limit_is_waited_out_until_a_time_of_day(
    run: Run, hub: FakeHub, base: str
) -> None:
    """In a pipe: until when, once; then the answer."""
    replies = [rate_limited(retry_after=1)]
    hub.set("any", Behaviour(answer=lambda _: "done", replies=replies))
    ran = run("chat", "--base", base, "-m", "any", "hi")
    assert (ran.out, ran.code) == ("done\n", 0)
    first, last = ran.err.splitlines()
    assert LIMITED.fullmatch(first)
    assert re.fullmatch(r"waited [12] s for any", last)


@pytest.mark.parametrize("failure", [string_error(500, "no"), overloaded()])
def test_a_retry_is_told(run: Run, hub: FakeHub, base: str, failure: object) -> None:
    """A failure that passes costs a line on stderr and nothing on stdout."""
    # Twice: how long is waited is random, and of no time at all nothing is told.
    hub.set("any", Behaviour(answer=lambda _: "done", replies=[failure] * 2))
    ran = run("chat", "--base", base, "-m", "any", "hi")
    assert (ran.out, ran.code) == ("done\n", 0)
    assert re.match(r"retrying any in [12] s…\nwaited ", ran.err)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (Behaviour(cold_looks=1), "loading"),
        (Behaviour(replies=[rate_limited(retry_after=1)]), "rate limited"),
        (Behaviour(replies=[string_error(500, "no")] * 2), "retrying"),
    ],
)
def test_events_say_what_is_waited_for(
    run: Run, hub: FakeHub, base: str, behaviour: Behaviour, reason: str
) -> None:
    """``--json --stream``: the reason is in the events, stderr stays empty."""
    hub.set("any", behaviour)
    ran = run("chat", "--base", base, "-m", "any", "--json", "--stream", "hi")
    events = [json.loads(line) for line in ran.out.splitlines()]
    waits = [each for each in events if each["type"] == "loading"]
    assert {each["reason"] for each in waits} == {reason}
    assert all(each["waiters"] == 1 and each["elapsed"] >= 0 for each in waits)
    assert (events[-1]["type"], ran.err, ran.code) == ("done", "", 0)


def test_ctrl_c_leaves_a_wait_at_once(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """While a model loads: the line goes, exit 130, well before the next probe."""
    hub.set("any", COLD)
    shown = terminal("chat", "--base", base, "-m", "any", "hi")
    shown.read_until("any is loading… 3 s")
    began = time.monotonic()
    shown.type(CTRL_C)
    assert shown.end() == 130
    assert time.monotonic() - began < 2
    assert shown.text.rpartition(ERASE)[2].split() == ["stopped"]


def test_ctrl_c_leaves_a_limit_at_once(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """While an account is limited for two minutes, too."""
    hub.set("any", Behaviour(always=rate_limited(retry_after=100)))
    shown = terminal("complete", "--base", base, "-m", "any", "hi")
    shown.read_until("any is rate limited until ")
    began = time.monotonic()
    shown.type(CTRL_C)
    assert shown.end() == 130
    assert time.monotonic() - began < 2
    assert len(hub.records) == 1


def test_a_talk_shows_the_wait_and_survives_its_end(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """Ctrl-C ends the waiting, not the talk; the next question is asked anew."""
    hub.set("any", COLD)
    talk = terminal("chat", "--base", base, "-m", "any", "--no-markdown")
    talk.read_until("> ")
    talk.type("hi\r")
    talk.read_until("any is loading… 1 s")
    talk.type(CTRL_C)
    talk.read_until("stopped")
    talk.read_until("> ")
    replies = [rate_limited(retry_after=1)]
    hub.set("any", Behaviour(answer=lambda _: "awake", replies=replies))
    talk.type("again\r")
    came = talk.read_until("awake")
    assert LIMITED.search(came)
    talk.read_until("> ")
    talk.type(CTRL_D)
    assert talk.end() == 0


def test_a_talk_may_refuse_to_wait(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """With ``--no-wait`` each question that would wait fails; the talk goes on."""
    hub.set("any", COLD)
    talk = terminal("chat", "--base", base, "-m", "any", "--no-wait", "--no-markdown")
    for _ in range(2):
        talk.read_until("> ")
        talk.type("hi\r")
        talk.read_until("still loading")
    talk.read_until("> ")
    hub.set("any", Behaviour(answer=lambda _: "awake"))
    talk.type("hi\r")
    talk.read_until("awake")
    talk.read_until("> ")
    talk.type(CTRL_D)
    assert talk.end() == 0
    assert "is loading…" not in talk.text
