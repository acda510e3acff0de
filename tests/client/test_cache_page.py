"""``docs/cache.md`` says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

from config_world import World

from bytebuddy_provider_hf.client import cached_call
from bytebuddy_provider_hf.client.roles import task
from bytebuddy_provider_hf.config.schema import SECTIONS
from bytebuddy_provider_hf.config.stored_files import ANSWERS, DAMAGED_ANSWERS
from bytebuddy_provider_hf.config.values import CacheOptions
from bytebuddy_provider_hf.storage.result_cache import MOST_IN_MEMORY
from bytebuddy_provider_hf.types import CacheUse
from bytebuddy_provider_hf.wire.tasks import Task

TEXT = (Path(__file__).parents[2] / "docs" / "cache.md").read_text("utf-8")
PLAIN = " ".join(TEXT.split())


def test_the_example_prints_what_the_page_shows() -> None:
    """Word for word, in a process of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    shown = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)[0]
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == shown


def test_the_file_of_the_page_is_read(tmp_path: Path) -> None:
    """Its entries have the caches that the page says."""
    (written,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    world = World(
        tmp_path / "home", tmp_path, tmp_path / "machine", {"HF_API_KEY": "k"}
    )
    caches = [entry.cache for entry in world.read(written).entries]
    assert caches == [CacheOptions("on"), CacheOptions("on", max_age=30 * 86_400)]


def test_every_key_and_every_use_is_on_the_page() -> None:
    """With its words."""
    for name in SECTIONS["cache"]:
        assert f"| `{name}` |" in TEXT
    for use in get_args(CacheUse):
        assert f'"{use}"' in TEXT
    for name in ("off", "on", "all", "read_write", "read_only", "write_only"):
        assert f"| `{name}` |" in TEXT


def test_each_task_is_on_the_page_as_it_is_kept() -> None:
    """Those that draw their words, those that search them, and the rest."""
    drawn = re.findall(r"\| the tasks (.*?) \| with", TEXT)[0]
    searched = re.findall(r"\| the tasks (.*?) \| unless", TEXT)[0]
    assert set(re.findall(r"`(.*?)`", drawn)) == task._DRAWN
    assert set(re.findall(r"`(.*?)`", searched)) == task._WRITTEN
    computed = re.findall(r"tasks that compute \((.*?), …\)", TEXT)[0]
    assert (
        set(re.findall(r"`(.*?)`", computed)) <= {*Task} - task._DRAWN - task._WRITTEN
    )


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    """Sizes, times and names of files."""
    assert f"more than {cached_call.LARGEST // 2**20} MiB" in PLAIN
    assert f"at most {MOST_IN_MEMORY // 2**20} MiB" in PLAIN
    assert f"| `size` | MB, {cached_call._USUAL_SIZE} by default |" in TEXT
    assert cached_call._PATIENCE == 1.0
    assert "nor for longer than a second on a stream" in PLAIN
    assert f"`{ANSWERS.name}`" in TEXT
    assert f"`{DAMAGED_ANSWERS.name}`" in TEXT
