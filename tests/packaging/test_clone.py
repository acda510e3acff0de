"""From a clone to the last step before a first own chat, as a newcomer types it."""

from __future__ import annotations

import re
import secrets
import shutil
import string
import subprocess
from pathlib import Path
from typing import Final

import pytest
from rounds import LONG

ROOT: Final = Path(__file__).parents[2]
PATH: Final = "/usr/local/bin:/usr/bin:/bin"


@pytest.mark.skipif(not LONG, reason="BYTEBUDDY_LONG=1 runs it")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a checkout is cloned")
@pytest.mark.timeout(600)
def test_the_steps_that_a_clone_prints_can_be_typed(tmp_path: Path) -> None:
    """``make demo`` installs and says what next; only the chat needs a server."""
    git, python = shutil.which("git"), shutil.which("python3")
    assert git
    assert python
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    subprocess.run([git, "clone", "-q", ROOT, clone], check=True)
    env = {
        "HOME": str(home),
        "PATH": f"{Path(python).parent}:{PATH}",
        "LANG": "C.UTF-8",
    }

    def typed(command: str, answer: str = "") -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            input=answer,
            env=env,
            cwd=clone,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    shown = typed("make demo ARGS=--simulated")
    next_steps = shown.rpartition("\nNext:\n")[2]
    (activate,) = re.findall(r"^  (source \S+)", next_steps, re.MULTILINE)
    commands = re.findall(r"^  (bytebuddy-hf .*?)  ", next_steps, re.MULTILINE)
    assert commands[:3] == [
        "bytebuddy-hf login",
        "bytebuddy-hf config init",
        "bytebuddy-hf chat",
    ]
    letters = string.ascii_letters
    token = "hf_" + "".join(secrets.choice(letters) for _ in range(34))
    said = typed(f"{activate} && {commands[0]} --no-check", token)
    assert commands[1] in said
    assert commands[2] in typed(f"{activate} && {commands[1]}")
    assert "1 of 1 models can be opened" in typed(
        f"{activate} && bytebuddy-hf config check"
    )
