"""``docs/command-line.md`` says what the commands do."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cli.process import COMMAND, Run
from cli.test_attachments import PNG

from bytebuddy_provider_hf.cli.attachments import MOST_PICTURES, MOST_TEXT
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.textfile import LARGEST
from bytebuddy_provider_hf.config.stored_files import TALK
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.types import LARGEST_IMAGE, ToolCall, Usage

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
TEXT = PAGE.read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
CONSOLE = [body for name, body in BLOCKS if name == "console"]
SHELLS = [body for name, body in BLOCKS if name == "sh"]
FILES = dict(
    zip(
        ("config.yaml", "fib.py", "animal.json", "weather.json"),
        (body for name, body in BLOCKS if name in {"yaml", "python", "json"}),
        strict=True,
    )
)
MODEL = "Qwen/Qwen3-VL-8B-Instruct"


def answer(request: FakeRequest) -> FakeReply:
    """Answer as a model might, by what it was really sent."""
    sent = json.loads(request.body)
    assert sent["model"] == MODEL
    messages = sent["messages"]
    *before, (question, pictures) = map(said, messages)
    if "What does it return" in question:
        assert question.startswith(f"fib.py:\n```py\n{FILES['fib.py']}```\n\n")
        return whole("55")
    if "Which animal" in question:
        assert pictures == 1
        held = sent.get("response_format")
        return whole('{"animal": "cat"}' if held else "A cat.")
    if "weather" in question:
        name = sent["tools"][0]["function"]["name"]
        call = ToolCall("1", name, '{"town": "Bonn"}')
        return chat_stream([], tool_calls=[call], finish_reason="tool_calls")
    if "French" in question:
        assert before == [("Say hello.", 0), ("Hello!", 0)]
        return whole("Bonjour !")
    if "colour" in question:
        assert sent["seed"] == 7
        return whole("Blue.")
    assert question == "Say hello."
    return whole("Hello!")


def said(message: Mapping[str, object]) -> tuple[str, int]:
    """Return the text of a message, and how many pictures go along."""
    content = message["content"]
    if isinstance(content, str):
        return content, 0
    assert isinstance(content, list)
    return content[0]["text"], len(content) - 1


def whole(text: str) -> FakeReply:
    return chat_stream([text], model=MODEL, usage=Usage(6, 1, 7))


@pytest.fixture
def prepared(run: Run, hub: FakeHub, base: str, home: Path, tmp_path: Path) -> Run:
    """Give the command with the page's configuration and files."""
    project = tmp_path / "project"
    (home / ".bytebuddy").mkdir(mode=0o700)
    config = FILES["config.yaml"].replace("http://127.0.0.1:8080/v1", base)
    (home / ".bytebuddy" / "config.yaml").write_text(config)
    for name, content in FILES.items():
        if name != "config.yaml":
            (project / name).write_text(content)
    (project / "cat.png").write_bytes(PNG)

    async def reply(request: FakeRequest) -> FakeReply:
        return answer(request)

    hub.set(MODEL, Behaviour(always=reply))
    return run


@pytest.mark.parametrize("block", CONSOLE)
def test_a_command_of_the_page_prints_what_it_says(prepared: Run, block: str) -> None:
    """Word for word, but for the time that a call took."""
    _, *commands = re.split(r"^\$ bytebuddy-hf ", block, flags=re.MULTILINE)
    for each in commands:
        line, printed = each.split("\n", 1)
        ran = prepared(*shlex.split(line))
        assert ran.code == 0, ran.err
        shown = re.sub(r"\d+\.\d s$", "0.4 s", ran.out + ran.err, flags=re.MULTILINE)
        assert shown == printed


def test_the_page_has_its_commands() -> None:
    """The patterns find them; an empty list would pass everything."""
    assert len(CONSOLE) == 6
    assert [shlex.split(block)[2] for block in CONSOLE] == ["chat"] * 6


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_line_for_bash_turns_completion_on(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Bash then asks this program for what may follow."""
    program = tmp_path / "bytebuddy-hf"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    (block,) = SHELLS
    (line,) = re.findall(r"^eval .*bash_source.*$", block, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", f"{line}\ncomplete -p bytebuddy-hf"],
        env={**environment, "PATH": f"{tmp_path}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("bytebuddy-hf\n")
    assert done.stderr == ""
    assert [name for name in ("bash", "zsh", "fish") if f"{name}_source" in block] == [
        "bash",
        "zsh",
        "fish",
    ]


def test_the_figures_are_those_of_the_code() -> None:
    """Limits, modes and exit codes."""
    prose = " ".join(TEXT.split())
    for told in (
        f"at most {LARGEST // 2**20} MiB, all of them",
        f"all of them together {MOST_TEXT // 2**20} MiB",
        f"at most {LARGEST_IMAGE // 2**20} MiB",
        f"all together may have {MOST_PICTURES // 2**20} MiB",
        f"(mode {TALK.mode:04o}). It has at most {TALK.most // 2**20} MiB",
        f"exit code {int(ExitCode.CONFIG)}",
    ):
        assert told in prose, told
