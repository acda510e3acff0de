"""``docs/logs.md`` says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from config_world import World

import bytebuddy_provider_hf
from bytebuddy_provider_hf.config.schema import SECTIONS

PAGE = Path(__file__).parents[2] / "docs" / "logs.md"
TEXT = PAGE.read_text("utf-8")
# The package that is tested, which is not always that of this checkout.
PACKAGE = Path(bytebuddy_provider_hf.__file__).parent


@pytest.fixture
def world(tmp_path: Path) -> World:
    for name in ("home", "project"):
        (tmp_path / name).mkdir()
    return World(tmp_path / "home", tmp_path / "project", tmp_path / "machine")


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    """It prints the answer, and on stderr the line that the page shows."""
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    script = tmp_path / "block.py"
    script.write_text(block, "utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("(simulated)")
    (shown,) = re.findall(r"`(DEBUG POST .*?)`", TEXT)
    logged = [line for line in ran.stderr.splitlines() if "POST" in line]
    assert [re.sub(r"\d+", "0", line) for line in logged] == [
        re.sub(r"\d+", "0", shown)
    ]


def test_the_file_of_the_page_loads(world: World) -> None:
    """It can be copied, and has every key with its default."""
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    config = world.read(block)
    assert config.warnings == ()
    assert config.log is not None
    assert config.log.path == str(world.home / ".bytebuddy/logs/hf.log")
    for key in SECTIONS["log"].values():
        assert f"  {key.name}: " in block
        if not key.required:
            assert str(getattr(config.log, key.field)) == key.default


@pytest.mark.parametrize(
    ("readme", "folder"), [("README.md", "docs"), ("README.zh.md", "docs/zh")]
)
def test_the_readme_names_the_page(readme: str, folder: str) -> None:
    """It can be found."""
    assert f"({folder}/logs.md)" in (PAGE.parents[1] / readme).read_text("utf-8")


def test_every_logger_has_the_name_of_its_module() -> None:
    """But for the one that a provider of another package is handed."""
    made = {
        (path.name, name)
        for path in PACKAGE.rglob("*.py")
        for name in re.findall(r"getLogger\((.*?)\)", path.read_text("utf-8"))
        if name != "__name__"
    }
    assert made == {
        ("conformance.py", 'f"bytebuddy.{spec.name}"'),
        ("install.py", "name"),
        ("registry.py", "_PROVIDERS"),
        ("registry.py", 'f"{_PROVIDERS}.{provider.name}"'),
    }
