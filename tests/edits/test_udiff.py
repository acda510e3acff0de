from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from edits.generated import edits

from bytebuddy_provider_hf.edits.udiff import unified

PAIRS = {
    "changed": ("a\nb\nc\n", "a\nB\nc\n"),
    "no end before": ("a\nb", "a\nb\n"),
    "no end after": ("a\nb\n", "a\nb"),
    "no end on both": ("a\nb", "a\nc"),
    "added after no end": ("a", "a\nb"),
    "crlf": ("a\r\nb\r\nc\r\n", "a\r\nB\r\nc\r\n"),
    "crlf to lf": ("a\r\nb\r\n", "a\nb\n"),
    "from empty": ("", "a\nb\n"),
    "to empty": ("a\nb\n", ""),
    "other line separators": ("a\x0cb\u2028c\rd\n", "a\x0cb\u2028c\rD\n"),
    "looks like a diff": ("-- a\n++ b\n@@ x\n", "-- a\n++ c\n@@ x\n"),
    "far apart": (
        "".join(f"{n}\n" for n in range(60)),
        "".join(f"{n}\n" for n in range(60) if n not in {3, 11, 50}) + "end\n",
    ),
}


def test_equal_texts_have_no_diff() -> None:
    """Nothing changed is an empty text."""
    assert unified("a\n", "a\n", path="x") == ""


def test_the_form_is_that_of_diff() -> None:
    """Names with a/ and b/, three lines of context, counts of one left out."""
    before = "".join(f"{n}\n" for n in range(9))
    assert unified(before, before.replace("4\n", "four\n"), path="src/x.py") == (
        "--- a/src/x.py\n+++ b/src/x.py\n@@ -2,7 +2,7 @@\n"
        " 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n"
    )
    assert "@@ -1 +1,2 @@\n" in unified("a\n", "a\nb\n")


def test_a_last_line_without_end_is_marked() -> None:
    """As diff marks it, on the side that it is on."""
    assert unified("a", "b\n") == (
        "--- original\n+++ changed\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
    )


def test_a_path_cannot_break_out_of_its_line() -> None:
    """Control characters are written as git writes them; a name may hold spaces."""
    assert unified("a", "b", path='x\n+++ "y').startswith(
        '--- "a/x\\n+++ \\"y"\n+++ "b/x\\n+++ \\"y"\n@@'
    )
    assert unified("a", "b", path="my file").startswith("--- a/my file\t\n")


def test_lines_that_are_all_the_same_take_no_time() -> None:
    """Not the square of their number, which difflib would need."""
    before = "x = 1\n" * 50_000
    assert unified(before, before + "y\n").count("\n") == 7


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("tool", ["patch", "git"])
def test_the_tools_take_it(tool: str, name: str, tmp_path: Path) -> None:
    """Patch and git apply make of the one text the other."""
    before, after = PAIRS[name]
    assert _applied(tool, before, unified(before, after, path="x y"), tmp_path) == after


@pytest.mark.parametrize("tool", ["patch", "git"])
def test_the_tools_take_generated_edits(tool: str, tmp_path: Path) -> None:
    """Whatever the edit, the line ends and the script."""
    for edit in edits(5, 35):
        diff = unified(edit.original, edit.changed, path="x y")
        assert _applied(tool, edit.original, diff, tmp_path) == edit.changed


def _applied(tool: str, before: str, diff: str, folder: Path) -> str:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    file, patch = folder / "x y", folder / "x.patch"
    file.write_bytes(before.encode())
    patch.write_bytes(diff.encode())
    command = {
        "patch": ["patch", "--binary", "-s", "-p1", "-i", str(patch)],
        "git": ["git", "apply", "--whitespace=nowarn", str(patch)],
    }
    environment = {
        "PATH": "/usr/bin:/bin",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }
    subprocess.run(
        command[tool], cwd=folder, check=True, capture_output=True, env=environment
    )
    return file.read_bytes().decode() if file.exists() else ""
