"""The question whether a project may decide where a key goes, on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.process import OpenTerminal

# The port of nobody: what is asked there fails at once.
ORIGIN = "http://192.0.2.1:9"
PROJECT = f"""\
models:
  - name: x
    provider: huggingfaceinferenceapi
    model: a/b
    apiBase: "{ORIGIN}"
"""
COMMANDS = [("config", "trust"), ("chat", "--timeout", "0.1", "hello")]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(PROJECT)
    return tmp_path


def trusted(home: Path) -> list[list[str]]:
    path = home / ".bytebuddy" / "trust.json"
    if not path.exists():
        return []
    return list(json.loads(path.read_text())["projects"].values())


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_ends_the_question_at_once(
    terminal: OpenTerminal, project: Path, home: Path, command: tuple[str, ...]
) -> None:
    """Once is enough, also within a call; nothing is trusted; the code is 130."""
    assert project.exists()
    asked = terminal(*command)
    asked.read_until("[y/N]")
    asked.type("\x03")
    assert asked.end() == 130
    assert "stopped" in asked.text
    assert trusted(home) == []


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_anything_but_yes_is_no(
    terminal: OpenTerminal, project: Path, home: Path, answer: str
) -> None:
    """The command that would trust it later is told, and nothing is kept."""
    assert project.exists()
    asked = terminal("chat", "hello")
    asked.read_until("[y/N]")
    asked.type(answer)
    assert asked.end() == 3
    assert "bytebuddy-hf config trust" in asked.text
    assert trusted(home) == []


def test_yes_is_remembered_and_asked_once(
    terminal: OpenTerminal, project: Path, home: Path
) -> None:
    """The second command goes on without a question."""
    assert project.exists()
    first = terminal("config", "trust")
    first.read_until("[y/N]")
    first.type("y\n")
    assert first.end() == 0
    assert trusted(home) == [[ORIGIN]]
    second = terminal("chat", "--timeout", "0.1", "hello")
    assert second.end() != 3
    assert "[y/N]" not in second.text
