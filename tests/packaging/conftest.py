"""One wheel and one environment with it, built once for all tests of this folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
NAME = "bytebuddy-provider-hf"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel under test: the one named by BYTEBUDDY_WHEEL, or a new one."""
    if named := os.environ.get("BYTEBUDDY_WHEEL"):
        return Path(named)
    if not (ROOT / "bytebuddy_provider_hf").is_dir():
        pytest.skip("no sources here and no BYTEBUDDY_WHEEL")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("bytebuddy_provider_hf", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a Python whose environment has the wheel and its base dependencies only."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    scripts, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    python = folder / scripts / name
    _pip("--python", str(python), "install", "--no-index", "--no-deps", str(wheel))
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.check_output([python, "-I", "-c", code], text=True)
    for path in _dependencies(NAME, set()):
        target = Path(site.strip(), path.name)
        if not target.exists():
            target.symlink_to(path)
    return python


def _dependencies(name: str, seen: set[str]) -> Iterator[Path]:
    """Walk what ``name`` requires without extras; the files come without a download."""
    for line in metadata.requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if requirement.name in seen or (marker and not marker.evaluate({"extra": ""})):
            continue
        seen.add(requirement.name)
        distribution = metadata.distribution(requirement.name)
        for first in {file.parts[0] for file in distribution.files or ()}:
            if first not in {"..", "__pycache__"}:
                yield Path(str(distribution.locate_file(first)))
        yield from _dependencies(requirement.name, seen)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
