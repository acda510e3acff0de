"""``docs/fallbacks.md`` says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from config_world import World

from bytebuddy_provider_hf.client.endpoint import MAX_ATTEMPTS
from bytebuddy_provider_hf.client.fallbacks import FALLBACK_AFTER
from bytebuddy_provider_hf.config.fallback_names import MOST_FALLBACKS

PAGE = Path(__file__).parents[2] / "docs" / "fallbacks.md"
TEXT = PAGE.read_text("utf-8")


def test_the_example_prints_what_the_page_shows() -> None:
    """Word for word, in a process of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == shown


def test_the_file_of_the_page_loads(tmp_path: Path) -> None:
    """It can be copied."""
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    world = World(tmp_path, tmp_path, tmp_path / "machine")
    config = world.read(block)
    assert config.warnings == ()
    assert config.entries[0].fallbacks == ("qwen", "local")


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    """Defaults and bounds."""
    said = " ".join(TEXT.split())
    assert f"`fallbackAfter` ({FALLBACK_AFTER:.0f} s)" in said
    assert (MAX_ATTEMPTS, MOST_FALLBACKS) == (3, 10)
    assert "of three attempts (`maxAttempts`) two are retries" in said
    assert "At most ten names count" in said


@pytest.mark.parametrize(
    ("readme", "folder"), [("README.md", "docs"), ("README.zh.md", "docs/zh")]
)
def test_the_readme_names_the_page(readme: str, folder: str) -> None:
    """It can be found."""
    assert f"({folder}/fallbacks.md)" in (PAGE.parents[1] / readme).read_text("utf-8")
