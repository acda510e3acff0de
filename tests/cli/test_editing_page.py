"""``docs/editing.md`` says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli.process import Run

from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.textfile import LARGEST
from bytebuddy_provider_hf.edits.merge import merge
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub

PAGE = Path(__file__).parents[2] / "docs" / "editing.md"
TEXT = PAGE.read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
CONSOLE = re.findall(r"```console\n\$ bytebuddy-hf (.*?)\n(.*?)```", TEXT, re.DOTALL)
(CONFIG,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
GREET, SUGGESTION, PROGRAM = PYTHON
FILLING = 'f"Hello {name}"'
POLITE = GREET.replace("text = \n", 'text = f"Good day, {name}"\n')
BEFORE, AFTER = (text.splitlines(keepends=True)[1] for text in (GREET, POLITE))
HEAD = "def greet(name):\n"
TAIL = "    return text\n"
# The formats of the page, each with the same change.
FORMATS = {
    "unified diff": f"@@ -90,9 +90,9 @@\n {HEAD}-{BEFORE}+{AFTER} {TAIL}",
    "SEARCH/REPLACE": (
        f"<<<<<<< SEARCH\n{HEAD}{BEFORE}=======\n{HEAD}{AFTER}>>>>>>> REPLACE\n"
    ),
    "codex patch": (
        "*** Begin Patch\n*** Update File: greet.py\n@@\n"
        f" {HEAD}-{BEFORE}+{AFTER} {TAIL}*** End Patch\n"
    ),
    "conflict markers": (
        f"{HEAD}<<<<<<< HEAD\n{BEFORE}=======\n{AFTER}>>>>>>> polite\n{TAIL}"
    ),
    "before and after": (
        f"Before:\n\n```python\n{HEAD}{BEFORE}{TAIL}```\n\n"
        f"After:\n\n```python\n{HEAD}{AFTER}{TAIL}```\n"
    ),
    "numbered lines": f"1 {HEAD}2 {AFTER}3 {TAIL}",
    "whole file": POLITE,
    "one block": f"{HEAD}{AFTER}{TAIL}",
    "parts": f"{HEAD}{AFTER}{TAIL}\n# ... existing code ...\n",
}


@pytest.fixture
def prepared(run: Run, hub: FakeHub, base: str, home: Path, tmp_path: Path) -> Run:
    """Give the command with the page's configuration and files."""
    folder = home / ".bytebuddy"
    folder.mkdir()
    config = re.sub(r"http://127\.0\.0\.1:\d+", base, CONFIG)
    (folder / "config.yaml").write_text(config)
    (tmp_path / "project" / "greet.py").write_text(GREET)
    (tmp_path / "project" / "suggestion.py").write_text(SUGGESTION)
    hub.set("bigcode/starcoder2-3b", Behaviour(answer=lambda _: FILLING))
    answer = f"```python\n{POLITE}```\n"
    hub.set("Qwen/Qwen2.5-Coder-7B-Instruct", Behaviour(answer=lambda _: answer))
    return run


@pytest.mark.parametrize(("command", "printed"), CONSOLE)
def test_a_command_of_the_page_prints_what_it_says(
    prepared: Run, command: str, printed: str
) -> None:
    """Word for word; the filling alone has no line feed of its own."""
    arguments = re.findall(r'"([^"]*)"|(\S+)', command)
    ran = prepared(*(quoted or word for quoted, word in arguments))
    assert ran.code == 0, ran.err
    assert ran.out == (FILLING if command.startswith("fill") else printed)


def test_the_page_names_the_formats_tried_here() -> None:
    """Each row of its table has an example below."""
    rows = re.findall(r"^\| (.+?) \| .+? \|$", TEXT, re.MULTILINE)
    formats = rows[rows.index("format") : rows.index("how the command runs")]
    assert formats == ["format", *FORMATS]


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_of_the_page_is_placed(name: str) -> None:
    """By rule, in a fence with words around it as well as alone."""
    suggestion = FORMATS[name]
    assert merge(GREET, suggestion, path="greet.py").text == POLITE
    said = f"Here it is:\n\n```\n{suggestion}```\n\nIt greets politely."
    if "```" not in suggestion:
        assert merge(GREET, said, path="greet.py").text == POLITE


def test_the_page_has_its_commands() -> None:
    """The pattern finds them; an empty list would pass everything."""
    assert [command.split()[0] for command, _ in CONSOLE] == ["fill", "edit", "apply"]
    assert CONSOLE[0][1] == f"{FILLING}\n"


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    """It ends well and prints a diff, a note and what had no place."""
    script = tmp_path / "block.py"
    script.write_text(PROGRAM, "utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "+    return f'Hello {name}'\n" in ran.stdout
    assert "no model was asked" in ran.stdout


def test_the_figures_are_those_of_the_code() -> None:
    """Exit codes and the limit of a file."""
    for said in (
        f"larger than {LARGEST // 2**20} MiB | {int(ExitCode.USAGE)} |",
        f"has no place | {int(ExitCode.UNPLACED)} |",
        f"it is read-only | {int(ExitCode.OTHER)} |",
        f"no code | {int(ExitCode.BAD_ANSWER)} |",
        f"`--lines` | {int(ExitCode.BAD_ANSWER)} |",
        f"`--yes` stands alone | {int(ExitCode.UNPLACED)} |",
        f"is not written: exit code {int(ExitCode.UNPLACED)} |",
        f"Ctrl-C | {int(ExitCode.STOPPED)} |",
    ):
        assert said in TEXT, said
