"""The blocks of docs/testing.md run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


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
    )
    assert ran.returncode == 0, ran.stderr


def test_the_page_has_its_blocks() -> None:
    """The pattern finds the blocks; an empty list would pass everything."""
    assert len(BLOCKS) == 7
