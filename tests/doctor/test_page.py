"""The page about failures shows what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bytebuddy_provider_hf import errors

PAGE = Path(__file__).parents[2] / "docs" / "failures.md"


@pytest.fixture
def page() -> str:
    if not PAGE.is_file():
        pytest.skip("the pages are not installed with the package")
    return PAGE.read_text(encoding="utf-8")


def test_the_python_of_the_page_runs(page: str) -> None:
    """It prints the answer and what was not sent."""
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-c", block], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "one two three" in ran.stdout
    assert "top_k is not sent" in ran.stdout


def test_the_tree_of_the_page_is_that_of_the_classes(page: str) -> None:
    """Every class stands below the one that catches it."""
    (block,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    root = errors.ByteBuddyError
    assert block.splitlines() == [root.__name__, *branches(root, "")]


def branches(kind: type[errors.ByteBuddyError], indent: str) -> Iterator[str]:
    below = [
        each
        for each in kind.__subclasses__()
        if each.__module__.startswith(errors.__name__)
    ]
    for each in below:
        last = each is below[-1]
        yield f"{indent}{'└── ' if last else '├── '}{each.__name__}"
        yield from branches(each, indent + ("    " if last else "│   "))


def test_the_console_of_the_page_is_what_is_printed(page: str) -> None:
    """Word for word."""
    (block,) = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    command, _, expected = block.partition("\n")
    match = re.fullmatch(r"\$ bytebuddy-hf explain 402 '(.*)'", command)
    assert match
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "bytebuddy_provider_hf.cli"),
            *("explain", "402", match[1]),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"LANG": "C.UTF-8", "PATH": ""},
    )
    assert ran.stdout == expected
