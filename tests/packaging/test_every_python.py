"""``every_python.txt`` is what ``.ci/run`` runs on every Python but its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SELECTED: Final = (ROOT / "tests" / "every_python.txt").read_text("utf-8").split()


@pytest.mark.parametrize("path", SELECTED)
def test_what_is_selected_has_tests(path: str) -> None:
    """A file that was renamed is not left out in silence."""
    place = ROOT / path
    files = [place] if place.is_file() else list(place.glob("test_*.py"))
    assert files
    assert all("def test_" in file.read_text("utf-8") for file in files)


@pytest.mark.parametrize(
    "used",
    [
        *(".chat(", ".complete(", ".fill(", ".edit(", ".apply(", ".embed("),
        *(".rerank(", ".task(", "MemoryConnect(", "serve(", "_hf.cli"),
    ],
)
def test_every_role_both_transports_and_the_command_are_selected(used: str) -> None:
    """Each is used in one of the files at least."""
    files = [ROOT / path for path in SELECTED if path.endswith(".py")]
    assert any(used in file.read_text("utf-8") for file in files)
