"""``edit`` stopped anywhere leaves the file as it was, or whole and new."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.process import COMMAND, PATIENCE, Ran
from click.testing import CliRunner
from rounds import LONG

from bytebuddy_provider_hf.cli.root import cli
from bytebuddy_provider_hf.client import opening
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.testing import virtual_time
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect

OLD = "def f(a):\n    return a\n"
NEW = "def f(a):\n    # é\n    return a + 1\n"
PIECES = ["```py\n", "def f(a):\n", "    # é\n    ret", "urn a + 1\n", "```\n"]
ANSWER = chat_stream(PIECES)
WHOLE = len(ANSWER.content)
# What comes after the block of code is not waited for.
CLOSED = ANSWER.content.rindex(b"```")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "code.py"
    path.parent.mkdir()
    path.write_bytes(OLD.encode())
    return path


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Let models that are named by address answer from memory, in virtual time."""
    hub = FakeHub()
    opener = opening.open_model

    def open_model(
        name: str, *, api_base: str | None, **_more: object
    ) -> HuggingFaceModel:
        runtime = Runtime(connect=MemoryConnect(hub))
        return opener(name, api_base=api_base, runtime=runtime, env={})

    monkeypatch.setattr(opening, "open_model", open_model)
    monkeypatch.setattr(asyncio, "run", virtual_time.run)
    return hub


def edit(code: Path) -> int:
    arguments = ("edit", str(code), "-i", "add one", "--yes")
    server = ("--base", "http://127.0.0.1:9/v1", "-m", "any")
    return CliRunner().invoke(cli, [*arguments, *server]).exit_code


def test_the_whole_answer_is_written(code: Path, in_memory: FakeHub) -> None:
    """What the cuts below are measured against."""
    in_memory.set("any", Behaviour(always=ANSWER))
    assert (edit(code), code.read_text("utf-8")) == (0, NEW)


@pytest.mark.parametrize("part", range(8))
def test_a_server_that_dies_at_any_byte_changes_nothing(
    code: Path, in_memory: FakeHub, part: int
) -> None:
    """Cuts of the stream, every one in the long form: the old file, or the new."""
    endings = set()
    for size in range(part, WHOLE, 8 if LONG else 24):
        in_memory.set("any", Behaviour(always=ANSWER.cut_after(size)))
        code.write_bytes(OLD.encode())
        ended = edit(code)
        assert code.read_text("utf-8") == (OLD if ended else NEW), size
        assert [each.name for each in code.parent.iterdir()] == ["code.py"]
        endings.add(ended)
    # Only behind its last byte is an answer known to be whole.
    assert 9 in endings
    assert endings <= {0, 9}


def stopped(arguments: list[str], hub: FakeHub, env: dict[str, str]) -> Ran:
    """Run the command, and press Ctrl-C when the model has answered what it will."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    ) as process:
        until = time.monotonic() + PATIENCE
        while hub.in_flight == 0 and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    return Ran(subprocess.CompletedProcess(arguments, process.returncode, out, err))


@pytest.mark.parametrize("after", range(0, CLOSED, 200 if LONG else 500))
def test_ctrl_c_changes_nothing(
    environment: dict[str, str], hub: FakeHub, base: str, code: Path, after: int
) -> None:
    """SIGINT while the model writes: exit 130, the old file, nothing beside it."""
    hub.set("any", Behaviour(always=ANSWER.stall_after(after)))
    server = ["--base", base, "-m", "any"]
    arguments = ["edit", str(code), "-i", "add one", "--yes", *server]
    ran = stopped(arguments, hub, environment)
    assert (ran.code, ran.out, ran.err) == (130, "", "stopped\n")
    assert code.read_text() == OLD
    assert [each.name for each in code.parent.iterdir()] == ["code.py"]


@pytest.mark.parametrize("command", [("edit", "-i", "add one", "--yes"), ("apply",)])
def test_ctrl_c_is_told_as_json(
    environment: dict[str, str],
    hub: FakeHub,
    base: str,
    code: Path,
    command: tuple[str, ...],
) -> None:
    """With ``--json`` one object says that it was stopped, and nothing written."""
    (code.parent / "change").write_text("Make it better, please.\n")
    hub.set("any", Behaviour(always=ANSWER.stall_after(CLOSED)))
    name, *rest = command
    more = [str(code.parent / "change")] if name == "apply" else []
    server = ["--base", base, "-m", "any", "--json"]
    ran = stopped([name, str(code), *more, *rest, *server], hub, environment)
    assert json.loads(ran.out) == {"stopped": True, "written": False}
    assert (ran.code, code.read_text()) == (130, OLD)
