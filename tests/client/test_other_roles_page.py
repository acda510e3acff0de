"""The blocks of docs/other-roles.md run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from config_world import World

from bytebuddy_provider_hf.cli.root import COMMANDS, cli
from bytebuddy_provider_hf.wire.tasks import Task

PAGE = Path(__file__).parents[2] / "docs" / "other-roles.md"
TEXT = PAGE.read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_of_the_page_runs(number: int, tmp_path: Path) -> None:
    """Each block is a program of its own that ends well."""
    script = tmp_path / "block.py"
    script.write_text(BLOCKS[number], "utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path), "HF_TOKEN": ""},
    )
    assert ran.returncode == 0, ran.stderr


def test_the_page_has_its_blocks() -> None:
    """The pattern finds them; an empty list would pass everything."""
    assert len(BLOCKS) == 3


def test_every_task_is_on_the_page() -> None:
    """And each with what goes in and what comes out."""
    rows = TEXT.partition("| task | inputs | outcomes |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z0-9-]+)`", rows)) >= set(Task)


def test_the_commands_of_the_page_can_be_read() -> None:
    """Every option they use exists; nothing is run."""
    (block,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    lines = block.replace("\\\n", " ").strip().splitlines()
    assert len(lines) == 4
    for line in lines:
        _, name, *arguments = shlex.split(line)
        assert name in COMMANDS
        command = cli.get_command(None, name)  # type: ignore[arg-type]  # not looked at
        assert command is not None
        command.make_context(name, arguments)


def test_the_file_of_the_page_loads(tmp_path: Path) -> None:
    """It says what the text around it says."""
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (entry,) = World(tmp_path, tmp_path, tmp_path).read(block).entries
    assert entry.embed_options is not None
    assert entry.embed_options.max_batch_size == 16
    assert entry.embed_options.embedding_prefixes is not None
    assert entry.embed_options.embedding_prefixes.query == "query: "
