"""A shell completes the names of entries behind ``-m``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.process import COMMAND
from click.shell_completion import ShellComplete

from bytebuddy_provider_hf.cli.root import cli

CONFIG = """\
models:
  - {name: hf-llama, provider: huggingfaceinferenceapi, model: org/llama}
  - {name: hf-翻译, provider: huggingfaceinferenceapi, model: org/other}
  - {name: "two words", provider: huggingfaceinferenceapi, model: org/other}
  - {name: local, provider: another-plugin, model: org/x}
"""
NAMES = ["hf-llama", "hf-翻译", "local"]
VARIABLE = "_BYTEBUDDY_HF_COMPLETE"
LOOK = """\
import os, sys
from bytebuddy_provider_hf.cli.__main__ import main
try:
    main()
finally:
    heavy = {"aiohttp", "rich", "bytebuddy_provider_hf.plugins.registry"}
    sys.stderr.write(repr(heavy & set(sys.modules)))
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the user's file, in a home with nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".bytebuddy"
    folder.mkdir(mode=0o700)
    (folder / "config.yaml").write_text(CONFIG, "utf-8")
    return folder / "config.yaml"


def completed(*words: str, begun: str = "") -> list[str]:
    shell = ShellComplete(cli, {}, "bytebuddy-hf", VARIABLE)
    return [each.value for each in shell.get_completions(list(words), begun)]


@pytest.mark.parametrize(
    "words",
    [
        ["chat", "-m"],
        ["chat", "hello", "--model"],
        ["--lang", "zh", "edit", "a.py", "-v", "-m"],
        ["task", "fill-mask", "-m"],
        ["doctor", "-m", "local", "-m"],
        ["explain", "503", "-m"],
    ],
)
def test_entries_are_offered_behind_m(words: list[str]) -> None:
    """Of every command that has the option, whatever stands before it.

    A shell would take a name with a blank for two words.
    """
    assert completed(*words) == NAMES
    assert completed(*words, begun="hf-") == NAMES[:2]
    assert completed(*words, begun="none") == []


def test_the_file_that_is_named_counts(tmp_path: Path) -> None:
    """In place of the user's; and the names of a server's models nobody knows."""
    (tmp_path / "other.yaml").write_text(CONFIG.replace("hf-llama", "hf-mine"))
    other = ["chat", "--config", "other.yaml", "-m"]
    assert completed(*other, begun="hf-m") == ["hf-mine"]
    assert completed("chat", "--base", "http://127.0.0.1:1", "-m") == []
    assert completed("chat", "--config", "none.yaml", "-m") == []


@pytest.mark.parametrize(
    "content", ["models: [", "models: 5", "\0", "", "models:\n- {}"]
)
def test_a_broken_file_offers_nothing(
    place: Path, capfd: pytest.CaptureFixture[str], content: str
) -> None:
    """And no error gets into the line that is being typed."""
    place.write_text(content)
    assert completed("chat", "-m") == []
    assert "chat" in completed("chta", "-m")
    assert completed("chat", "--bogus", "x", "-m") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="modes and pipes of POSIX")
def test_a_file_that_cannot_be_used_is_quiet(
    place: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One that others can change, and a pipe that nobody writes to."""
    place.chmod(0o666)
    assert completed("chat", "-m") == []
    place.chmod(0o660)
    assert completed("chat", "-m") == NAMES
    os.mkfifo(tmp_path / "pipe")
    assert completed("chat", "--config", "pipe", "-m") == []
    place.unlink()
    os.mkfifo(place)
    assert completed("chat", "-m") == []
    assert capfd.readouterr() == ("", "")


def asked(program: list[str], words: str, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        program,
        env={
            **environment,
            VARIABLE: "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        capture_output=True,
        check=True,
    )
    return [done.stdout.decode(), done.stderr.decode()]


def test_completing_is_quick_and_light(
    environment: dict[str, str], place: Path
) -> None:
    """No plugin is looked for, no socket imported; a person waits for each TAB."""
    environment = {**environment, "HOME": str(place.parents[1])}
    program = [sys.executable, "-c", LOOK]
    shown, imported = asked(program, "bytebuddy-hf chat -m hf", environment)
    assert shown == "plain,hf-llama\nplain,hf-翻译\n"
    assert imported == "set()"
    took = []
    for _ in range(3):
        began = time.perf_counter()
        asked(COMMAND, "bytebuddy-hf chat -m ", environment)
        took.append(time.perf_counter() - began)
    assert min(took) < 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_how_to_complete(
    environment: dict[str, str], shell: str
) -> None:
    """The line of the page prints what the shell reads."""
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    done = subprocess.run(
        COMMAND,
        env={**environment, VARIABLE: f"{shell}_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{VARIABLE}={shell}_complete" in done.stdout
    assert done.stderr == ""
