"""The part of ``docs/failures.md`` for scripts says what the command does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli.process import Run, serving
from servers.engines_hf import FakeToolkit

from bytebuddy_provider_hf.cli.exit_codes import table
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.hub import FakeHub

PAGE = Path(__file__).parents[2] / "docs" / "failures.md"
SECTION = PAGE.read_text("utf-8").partition("## In a script\n")[2]
ROWS = re.findall(r"^\| (.+?) \| (.+?) \|$", SECTION, re.MULTILINE)


def described(command: str) -> set[str]:
    """Return the keys that the page names for a command."""
    (said,) = [said for name, said in ROWS if name == command]
    return set(re.findall(r"`(\w+)`", said))


def test_the_exit_codes_are_those_of_the_command() -> None:
    """Each of them, in the words of ``--help``."""
    assert [row for row in ROWS if row[0].isdecimal()] == table()


def test_the_example_of_a_failure_is_what_is_printed(run: Run) -> None:
    """Word for word."""
    (shown,) = re.findall(r"```json\n(.*?)```", SECTION, re.DOTALL)
    ran = run("chat", "--config", "/etc/none.yaml", "--json", "hi")
    assert (ran.code, ran.out) == (3, shown)


def test_a_reply_has_the_keys_of_the_page(run: Run, base: str) -> None:
    """It may have more."""
    keys = described("`chat`, `complete`")
    assert "finish_reason" in keys
    for command in ("chat", "complete"):
        ran = run(command, "--base", base, "-m", "any", "--json", "hi")
        assert keys <= json.loads(ran.out).keys()


def test_events_have_the_types_of_the_page(run: Run, hub: FakeHub, base: str) -> None:
    """Those of a plain answer after a wait."""
    hub.set("any", Behaviour(cold_for=1.0))
    ran = run("chat", "--base", base, "-m", "any", "--json", "--stream", "hi")
    types = {json.loads(line)["type"] for line in ran.out.splitlines()}
    assert {"loading", "text", "done"} <= types
    assert types <= described("the same with `--stream`")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("`models`", ["models"]), ("`explain`", ["explain", "402", "--offline"])],
)
def test_an_object_has_the_keys_of_the_page(
    run: Run, command: str, arguments: list[str]
) -> None:
    """Neither more nor less."""
    ran = run(*arguments, "--json")
    assert json.loads(ran.out).keys() == described(command)


def test_a_task_has_the_keys_of_the_page(run: Run) -> None:
    """Neither more nor less."""
    with serving(FakeToolkit(task="text-classification")) as at:
        ran = run(
            *("task", "text-classification", "a", "--base", at),
            *("-m", "org/name", "--json"),
        )
    assert json.loads(ran.out).keys() == described("`task`")


@pytest.mark.parametrize("lang", ["C.UTF-8", "zh_CN.UTF-8"])
def test_a_failure_is_english_in_json(
    run: Run, hub: FakeHub, base: str, lang: str
) -> None:
    """A program reads the same words whoever runs it."""
    hub.set("any", Behaviour(always=string_error(422, "odd")))
    ran = run("chat", "--base", base, "-m", "any", "--json", "hi", LC_ALL=lang)
    assert ran.err == ""
    assert json.loads(ran.out)["error"]["message"].isascii()
