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
HELLO = """\
def greet(name):
    polite = name.strip().title()
    text = f"Hello {polite}"
    return text


def main(names):
    for name in sorted(names):
        print(greet(name))
    print("That is all.")
    return len(names)
"""
LINES = HELLO.splitlines(keepends=True)
FIRST, BEFORE, LAST = LINES[1:4]
AFTER = BEFORE.replace("Hello", "Good day,")
GOOD_DAY = HELLO.replace("Hello", "Good day,")
BLOCK = "".join(GOOD_DAY.splitlines(keepends=True)[:4])
# The formats of the page, each with the same change.
FORMATS = {
    "unified diff": f"@@ -90,9 +90,9 @@\n {FIRST}-{BEFORE}+{AFTER} {LAST}",
    "SEARCH/REPLACE": (
        f"<<<<<<< SEARCH\n{FIRST}{BEFORE}=======\n{FIRST}{AFTER}>>>>>>> REPLACE\n"
    ),
    "codex patch": (
        "*** Begin Patch\n*** Update File: greet.py\n@@\n"
        f" {FIRST}-{BEFORE}+{AFTER} {LAST}*** End Patch\n"
    ),
    "conflict markers": (
        f"{FIRST}<<<<<<< HEAD\n{BEFORE}=======\n{AFTER}>>>>>>> polite\n{LAST}"
    ),
    "before and after": (
        f"Before:\n\n```python\n{FIRST}{BEFORE}{LAST}```\n\n"
        f"After:\n\n```python\n{FIRST}{AFTER}{LAST}```\n"
    ),
    "numbered lines": f"1: {LINES[0]}2: {FIRST}3: {AFTER}4: {LAST}",
    "whole file": GOOD_DAY,
    "one block": BLOCK,
    "parts": f"{BLOCK}\n# ... existing code ...\n",
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
    assert merge(HELLO, suggestion, path="greet.py").text == GOOD_DAY
    said = f"Here it is:\n\n```\n{suggestion}```\n\nIt greets politely."
    if "```" not in suggestion:
        assert merge(HELLO, said, path="greet.py").text == GOOD_DAY


def test_the_page_has_its_commands() -> None:
    """The pattern finds them; an empty list would pass everything."""
    assert [command.split()[0] for command, _ in CONSOLE] == ["fill", "edit", "apply"]
    assert CONSOLE[0][1] == f"{FILLING}\n"


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    """It ends well and prints a diff, a note, what had no place, and a doubt."""
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
    assert "leave" in ran.stdout.splitlines()[-1]


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
