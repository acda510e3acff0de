"""The command in a process of its own, with nothing of this user's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.forking import AVAILABLE, Forks
from cli.process import COMMAND, PATIENCE, OpenTerminal, Ran, Run, Terminal, serving

from bytebuddy_provider_hf.testing.hub import FakeHub

# Of this user and this machine; PYTHONUNBUFFERED would hide what a buffer does.
_OTHERS = (
    *("HF_", "HUGGING", "BYTEBUDDY", "XDG", "LC_", "LANG", "PYTHON", "NO_COLOR"),
    *("COLUMNS", "LINES"),
)


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def base(hub: FakeHub) -> Iterator[str]:
    with serving(hub.handle) as url:
        yield f"{url}/v1"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    # Whatever the umask of a test: what everybody can write to is not read.
    folder.chmod(0o755)
    return folder


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {**_of_nobody(), "HOME": str(home)}


def _of_nobody() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OTHERS)
    }
    return {**kept, "LC_ALL": "C.UTF-8", "TERM": "xterm"}


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks | None]:
    """Give the process that forks commands, or ``None`` where there cannot be one."""
    if not AVAILABLE:
        yield None
        return
    forking = Forks(_of_nobody())
    yield forking
    forking.close()


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, forks: Forks | None) -> Run:
    """Run the command to its end in an empty folder, with nothing of this user's."""
    project = tmp_path / "project"
    project.mkdir()

    def runner(*arguments: str, stdin: str = "", **variables: str) -> Ran:
        given = stdin.encode("utf-8", "surrogateescape")
        env = {**environment, **variables}
        if forks and not any(name.startswith("PYTHON") for name in env):
            done = forks.run(
                arguments, stdin=given, env=env, cwd=project, timeout=PATIENCE * 2
            )
        else:
            done = subprocess.run(
                [*COMMAND, *arguments],
                input=given,
                capture_output=True,
                env=env,
                cwd=project,
                timeout=PATIENCE * 2,
                check=False,
            )
        return Ran(done)

    return runner


@pytest.fixture
def terminal(
    environment: dict[str, str], tmp_path: Path, forks: Forks | None
) -> Iterator[OpenTerminal]:
    """Run the command on a terminal."""
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals are for POSIX")
    opened: list[Terminal] = []

    def opener(*arguments: str, **variables: str) -> Terminal:
        env = {**environment, **variables}
        # What the interpreter reads while it starts wants a new one.
        started = {"LC_ALL", "LC_CTYPE", "LANG"} & variables.keys()
        fresh = started or any(name.startswith("PYTHON") for name in env)
        one = Terminal(list(arguments), env, tmp_path, None if fresh else forks)
        opened.append(one)
        return one

    yield opener
    for one in opened:
        one.close()
