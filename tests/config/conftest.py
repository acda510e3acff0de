"""A home, a project and a machine of one's own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    for name in ("home", "project", "machine"):
        # Whatever the umask of a test: what everybody can write to is not read.
        (tmp_path / name).mkdir(0o755)
        (tmp_path / name).chmod(0o755)
    return World(tmp_path / "home", tmp_path / "project", tmp_path / "machine")
