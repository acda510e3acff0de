"""pyright, which most editors run, finds nothing wrong in a program that is right."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# With the packages of this Python, wherever it is.
PYRIGHT = (
    *(sys.executable, "-m", "pyright", "--outputjson"),
    *("--pythonpath", sys.executable),
)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("pyright") is None, reason="the extra dev has pyright")
@pytest.mark.parametrize("program", ["api.py", "strict.py"])
def test_a_program_is_clean(program: str) -> None:
    """Every call completes with its types, also in the strict mode."""
    path = ROOT / "tests" / "typing" / program
    command = [*PYRIGHT, str(path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] >= 1
    said = [it["message"] for it in found["generalDiagnostics"]]
    assert [each for each in said if "venv" not in each] == []


@pytest.mark.slow
@pytest.mark.skipif(find_spec("pyright") is None, reason="the extra dev has pyright")
def test_a_wrong_program_is_not(tmp_path: Path) -> None:
    """Types are known: a call that is misspelt, or wrongly filled, is told."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from bytebuddy_provider_hf import sync\n"
        "sync.SyncRegistry.load(paths='a')\n"
        "with sync.SyncRegistry.load() as registry:\n"
        "    registry.chat().chat('Hello', max_token=1)\n"
        "    registry.chat().chat(1)\n"
        "    registry.usage().attempt\n"
    )
    command = [*PYRIGHT, str(wrong)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = {
        it["range"]["start"]["line"]
        for it in json.loads(done.stdout)["generalDiagnostics"]
        if it["severity"] == "error"
    }
    assert {1, 3, 4, 5} <= lines
