"""The command starts fast, and says what it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli.process import COMMAND, Run
from click.testing import CliRunner

from bytebuddy_provider_hf.cli.root import COMMANDS, cli

MISSING = """
import sys
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *rest: None if name == "rich" else find(name, *rest)
from bytebuddy_provider_hf.cli.main import main
main()
"""

HELP_IMPORTS = """
import sys
sys.argv = ["bytebuddy-hf", "--help"]
from bytebuddy_provider_hf.cli.main import main
try:
    main()
except SystemExit:
    pass
heavy = {"aiohttp", "rich", "ruamel", "cattrs", "msgspec", "asyncio"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def test_without_the_extra_it_names_the_extra() -> None:
    """One line on stderr, no traceback."""
    done = subprocess.run(
        [sys.executable, "-c", MISSING], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "bytebuddy-hf needs rich: pip install 'bytebuddy-provider-hf[cli]'\n"
    )


def test_help_imports_nothing_heavy() -> None:
    """``--help`` imports no command and none of what commands need."""
    done = subprocess.run(
        [sys.executable, "-c", HELP_IMPORTS], capture_output=True, text=True, check=True
    )
    assert "Commands:" in done.stdout
    assert done.stderr == "[]\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_help_that_cannot_be_printed_is_one_line() -> None:
    """A full disk under ``--help`` is told in one line, without a traceback."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


def test_every_command_has_help() -> None:
    """Each listed command exists and describes itself."""
    for name in COMMANDS:
        done = CliRunner().invoke(cli, [name, "--help"])
        assert done.exit_code == 0
        assert "Usage:" in done.output


def test_an_unknown_command_is_wrong_usage(run: Run) -> None:
    """A misspelt command ends with 2."""
    assert run("chatt").code == 2


def test_it_runs_as_a_module() -> None:
    """``python -m bytebuddy_provider_hf.cli`` is the command too."""
    for module in ("bytebuddy_provider_hf.cli", COMMAND[-1]):
        done = subprocess.run(
            [sys.executable, "-m", module, "--version"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.startswith("bytebuddy-hf, version ")
