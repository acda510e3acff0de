"""The command starts fast, and says what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.process import COMMAND, Run
from click.testing import CliRunner

from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.root import COMMANDS, cli

MISSING = """
import sys
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *rest: None if name == "rich" else find(name, *rest)
from bytebuddy_provider_hf.cli.__main__ import main
main()
"""

INTERRUPTED = """
import sys
from importlib.abc import MetaPathFinder

class Impatient(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "bytebuddy_provider_hf.cli.root":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Impatient())
from bytebuddy_provider_hf.cli.__main__ import main
main()
"""

HELP_IMPORTS = """
import sys
sys.argv = ["bytebuddy-hf", "--help"]
from bytebuddy_provider_hf.cli.__main__ import main
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


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["chta", "hi"], "Did you mean 'chat'?"),
        (["config", "shwo"], "Did you mean 'show'?"),
        (["chat", "--tempereture", "1"], "Did you mean '--temperature'?"),
        (["chat", "--modle", "x"], "Did you mean '--model'?"),
        (["xyzzy"], "No such command 'xyzzy'.\n"),
    ],
)
def test_a_misspelt_word_is_wrong_usage(run: Run, typed: list[str], meant: str) -> None:
    """It ends with 2 and names the nearest word that there is."""
    ran = run(*typed)
    assert ran.code == 2
    assert meant in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["chat", "--json", "--timeout", "soon", "hi"],
        ["chat", "--bogus", "--json"],
        ["chat", "--json"],
        ["chat", "--json", "--stream", "hi", "there"],
        ["chta", "hi", "--json"],
        ["embed", "--json"],
        ["fill", "nowhere", "--json"],
        ["--bogus", "models", "--json"],
    ],
)
def test_wrong_usage_is_json_too(run: Run, arguments: list[str]) -> None:
    """One object in the form of every failure, and nothing on stderr."""
    ran = run(*arguments)
    assert (ran.code, ran.err) == (2, "")
    error = json.loads(ran.out)["error"]
    assert error.keys() == {"type", "message", "hint", "status", "retry_after"}
    assert error["type"] == "UsageError"
    assert error["hint"].endswith(" --help")


def test_a_prompt_may_be_called_json(run: Run, base: str) -> None:
    """What stands behind ``--`` is no option."""
    ran = run("chat", "--base", base, "-m", "any", "--bogus", "--", "--json")
    assert (ran.code, ran.out) == (2, "")


def test_ctrl_c_during_the_start_is_quiet() -> None:
    """While the command is still being imported: one word and 130, no traceback."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (ExitCode.STOPPED, "stopped\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("word", ["--help", "--version", "models"])
def test_a_reader_that_is_gone_is_quiet(environment: dict[str, str], word: str) -> None:
    """``--help | true`` ends as every command does: with 141 and no complaint."""
    reader, writer = os.pipe()
    os.close(reader)
    arguments = [word] if word.startswith("-") else [word, "--json"]
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [*COMMAND, *arguments],
            stdout=gone,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
    assert (done.returncode, done.stderr) == (ExitCode.BROKEN_PIPE, b"")


def test_it_runs_as_a_module() -> None:
    """``python -m bytebuddy_provider_hf.cli`` is the command too."""
    done = subprocess.run(
        [*COMMAND, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("bytebuddy-hf, version ")
