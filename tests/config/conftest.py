"""A home, a project and a machine of one's own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    for name in ("home", "project", "machine"):
        (tmp_path / name).mkdir()
    return World(tmp_path / "home", tmp_path / "project", tmp_path / "machine")
