from __future__ import annotations

import pytest
from edits.placing import placed

from bytebuddy_provider_hf.edits.formats.before_after import (
    label_of,
    pair_of,
    read_pairs,
)

FILE = "import os\n\n\ndef main():\n    size = area(2, 3)\n    print(size)\n"
WANTED = FILE.replace("2, 3", "20, 30")
KNOWN = frozenset(FILE.split("\n"))
OLD, NEW = "    size = area(2, 3)\n", "    size = area(20, 30)\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Before:", "After:"),
        ("**Before**", "**After**"),
        ("### Old code", "### New code"),
        ("Original:", "Updated version:"),
        ("Replace this:", "with:"),
        ("Replace the line in `main()`:", "With this code:"),
        ("Find this code:", "Replace it with:"),
        ("1. Change", "to"),
        ("# ❌ Before", "# ✅ After"),
        ("修改前:", "修改后："),
        ("原来的代码", "改为"),
        ("将以下代码:", "替换为:"),
        ("<!-- before -->", "<!-- after -->"),
        ("// Old", "// New"),
    ],
)
def test_a_label_says_which_code_comes(before: str, after: str) -> None:
    """In English or Chinese, as a heading, bold or a comment."""
    assert (label_of(before), label_of(after)) == ("before", "after")


@pytest.mark.parametrize(
    "line",
    [
        *("Replace main with this:", "Here is the updated code for you:", "x = 1"),
        *("import os", "The old code was slow.", "before_all()", "", "def new():"),
        *("Before you run it, install x:", "after(10)", "a" * 200),
    ],
)
def test_other_lines_are_no_labels(line: str) -> None:
    """Whatever words they hold."""
    assert label_of(line) is None


@pytest.mark.parametrize("label", ["", "# Before\n"])
def test_a_pair_is_a_hunk(label: str) -> None:
    """Labels in the code are left out."""
    patch = pair_of(label + OLD, label.replace("Before", "After") + NEW, KNOWN)
    assert placed(FILE, patch) == WANTED


def test_a_pair_of_equals_changes_nothing() -> None:
    """It leaves no hunk."""
    assert pair_of(OLD, OLD).hunks == ()


@pytest.mark.parametrize("space", ["", "\n"])
def test_one_block_may_hold_pairs(space: str) -> None:
    """Comments tell the halves; a blank line before a comment is layout."""
    first = f"# Before\n{OLD}{space}# After\n{NEW}"
    second = f"{space}# Before\nimport os\n{space}# After\nimport sys\n"
    patch = read_pairs(first + second, KNOWN)
    assert patch is not None
    assert placed(FILE, patch) == WANTED.replace("import os", "import sys")


@pytest.mark.parametrize(
    "text",
    [
        f"# Before\n{OLD}",
        f"# After\n{NEW}# Before\n{OLD}",
        f"x = 1\n# Before\n{OLD}# After\n{NEW}",
        "old = 1\nnew = 2\n",
        "before\nafter\n",
        f"# Before\n{OLD}# After\n{NEW}# After\n",
        "",
    ],
)
def test_code_without_a_pair_has_none(text: str) -> None:
    """The labels alternate from the first line on, or they are comments."""
    assert read_pairs(text, KNOWN) is None


def test_comments_of_the_original_are_code() -> None:
    """A file may have such labels itself."""
    text = f"# Before\n{OLD}# After\n{NEW}"
    assert read_pairs(text, frozenset(text.split("\n"))) is None
