"""``--timeout`` ends a command, whatever the server leaves unsaid."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bytebuddy_provider_hf.cli.root import COMMANDS, cli

TIMEOUT = 0.4
# The commands that have the option, each with what it needs to ask a model.
ASKING = {
    "chat": ("hi",),
    "complete": ("hi",),
    "fill": ("code.py:1",),
    "edit": ("code.py", "-i", "add one"),
    "apply": ("code.py", "suggestion.py"),
    "embed": ("a",),
    "rerank": ("a", "b", "c"),
    "task": ("fill-mask", "a [MASK]"),
}
SETTINGS = """
cache: {enabled: true}
ledger: true
budget: [{name: all, period: month, limit: 100 calls}]
models: []
"""


@pytest.fixture
def silent() -> Iterator[int]:
    """Give the port of a server that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # The system takes them; nobody reads what they send.
        listening.listen(16)
        yield listening.getsockname()[1]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder of nobody, with two files."""
    (tmp_path / "code.py").write_text("x = 1\n")
    (tmp_path / "suggestion.py").write_text("call f\n")
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HF_TOKEN": "hf_of_a_test_and_no_more",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def fail_in_time(*arguments: str) -> None:
    """Run a command that no one answers; it must fail in its time and a second."""
    # A machine that is busy, or what is imported first, may take longer, but once.
    for _ in range(2):
        began = time.monotonic()
        ran = CliRunner().invoke(cli, [*arguments, "--timeout", f"{TIMEOUT}"])
        took = time.monotonic() - began
        assert ran.exit_code == 8, ran.output
        assert "No answer within" in ran.output
        assert took >= TIMEOUT
        if took < TIMEOUT + 1:
            return
    pytest.fail(f"{took:.1f} s")


def test_every_command_with_the_option_is_here() -> None:
    """Whoever adds a command adds it to the list above."""
    with click.Context(cli) as context:
        having = {
            name
            for name in COMMANDS
            if (command := cli.get_command(context, name))
            and any("--timeout" in each.opts for each in command.params)
        }
    assert having == {*ASKING}


@pytest.mark.parametrize("command", ASKING)
def test_a_silent_server_is_left_in_time(silent: int, command: str) -> None:
    """It is asked what it is first, and is as silent then."""
    base = f"http://127.0.0.1:{silent}"
    fail_in_time(command, *ASKING[command], "--base", base, "-m", "m")


@pytest.mark.parametrize("way", ["chat route", "handshake", "proxy", "counted"])
def test_so_is_a_silent_step_before_the_answer(
    silent: int, way: str, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """The handshake, a proxy, and what is asked and read for counted calls."""
    base = ("--base", f"http://127.0.0.1:{silent}/v1")
    if way == "handshake":
        base = ("--base", f"https://127.0.0.1:{silent}/v1")
    elif way == "proxy":
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{silent}")
        base = ()
    elif way == "counted":
        state = folder / ".bytebuddy"
        state.mkdir()
        (state / "config.yaml").write_text(SETTINGS)
    fail_in_time("chat", "hi", *base, "-m", "org/name")
