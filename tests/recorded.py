"""Answers recorded elsewhere, for replaying; the project does not need them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def recorded(*parts: str) -> Path:
    """Return a recorded file, or skip the test where it is not at hand.

    It is looked for in the folder ``shared`` beside the clone, or in the one that
    ``BYTEBUDDY_SHARED`` names.
    """
    beside = Path(__file__).absolute().parents[2] / "shared"
    path = Path(os.environ.get("BYTEBUDDY_SHARED") or beside).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no recorded answers at {path}")
    return path
