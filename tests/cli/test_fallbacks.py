"""Fallbacks on the command line: what a check says, what an answer's reader sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from cli.process import Run
from click.testing import CliRunner, Result

from bytebuddy_provider_hf.cli.root import cli
from bytebuddy_provider_hf.cli.status_line import StatusLine
from bytebuddy_provider_hf.testing.behaviour import Behaviour, loads
from bytebuddy_provider_hf.testing.failures import not_supported, paused
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.types import Loading


def configured(home: Path, base: str, *entries: str) -> None:
    """Write the user's file: each entry is ``name, more keys``."""
    ours = f"provider: huggingfaceinferenceapi, apiBase: '{base}', "
    lines = [
        f"  - {{{'' if 'provider' in entry else ours}"
        f"model: {entry.partition(',')[0]}, name: {entry}}}"
        for entry in entries
    ]
    file = home / ".bytebuddy" / "config.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(["models:", *lines, ""]))


def test_who_answered_is_told_below_the_answer(
    run: Run, hub: FakeHub, base: str, home: Path
) -> None:
    """On stderr, in the language of the reader; as data with --json."""
    hub.set("a", Behaviour(always=paused()))
    hub.set("b", Behaviour(answer=lambda _: "from b"))
    configured(home, base, "a, fallbacks: [b]", "b")
    ran = run("chat", "-m", "a", "hi")
    assert (ran.code, ran.out) == (0, "from b\n")
    assert "note: 'b' answered instead of 'a', which failed: " in ran.err
    assert "b is asked instead of a: EndpointPaused" not in ran.out
    chinese = run("chat", "-m", "a", "hi", BYTEBUDDY_LANG="zh")
    assert "“b”代替“a”作了回答" in chinese.err
    whole = run("chat", "-m", "a", "hi", "--json")
    answer = json.loads(whole.out)
    assert answer["served"]["entry"] == "b"
    assert answer["notes"][0].startswith("'b' answered instead of 'a'")


def test_where_all_fail_the_first_is_told_and_what_the_others_said(
    run: Run, hub: FakeHub, base: str, home: Path
) -> None:
    """The exit code is that of the entry that was asked."""
    hub.set("a", Behaviour(always=paused()))
    hub.set("b", Behaviour(always=not_supported()))
    configured(home, base, "a, fallbacks: [b]", "b")
    ran = run("chat", "-m", "a", "hi")
    assert ran.code == 7
    assert "paused" in ran.err
    assert "'b' was asked instead, and failed too: " in ran.err


def test_the_one_that_is_waited_for_is_named(
    run: Run, hub: FakeHub, base: str, home: Path
) -> None:
    """Not the one that was asked at first."""
    hub.set("a", Behaviour(always=paused()))
    hub.set("b", Behaviour(cold_looks=1, cold_reply=loads()))
    configured(home, base, "a, fallbacks: [b]", "b")
    ran = run("chat", "-m", "a", "hi")
    assert "b is loading" in ran.err
    assert "a is loading" not in ran.err


def test_a_wait_for_another_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    """Its time is not that of the first."""
    clock = [0.0]
    line = StatusLine("a", lambda: clock[0], wall=lambda: clock[0])
    line.event(Loading(0.0, 20.0))
    clock[0] = 30.0
    line.event(Loading(0.0, 5.0, entry="b"))
    assert line.text() == "b is loading… 0 s of about 5 s"
    line.clear()
    assert capsys.readouterr().err.splitlines()[-1] == "waited 30 s for b"


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the home of a command that is run in this process."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    return home


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (("a, fallbacks: [bakcup]", "backup"), "do you mean 'backup'?"),
        (("a, fallbacks: [a]",), "no entry is a fallback of itself"),
        (("a, roles: [embed], fallbacks: [b]", "b"), "never answers for it as embed"),
        (("a, fallbacks: [b]", "b, provider: none"), "registers its provider none"),
    ],
)
def test_a_check_tells_what_cannot_be(
    here: Path, entries: Sequence[str], said: str
) -> None:
    """As a problem: exit 3, once, on the screen and as data."""
    configured(here, "http://127.0.0.1:9/v1", *entries)
    done = call("config", "check")
    assert done.exit_code == 3
    assert done.stderr.count(said) == 1
    found = json.loads(call("config", "check", "--json").stdout)
    assert sum(said in each for each in found["problems"]) == 1
    assert not any(said in each for each in found["warnings"])
    # It stops nothing: the entry is there.
    listed = json.loads(call("models", "--json").stdout)
    assert listed["models"][0]["state"] == "ready"
    assert sum(said in each for each in listed["warnings"]) == 1


def test_a_circle_is_no_problem(here: Path) -> None:
    """Two entries may stand in for each other."""
    base = "http://127.0.0.1:9/v1"
    configured(here, base, "a, fallbacks: [b]", "b, fallbacks: [a]")
    done = call("config", "check")
    assert done.exit_code == 0
    assert "in a circle: a, b;" in done.stderr
    shown = json.loads(call("config", "show", "--json").stdout)
    assert [each["fallbacks"] for each in shown["models"]] == [["b"], ["a"]]
