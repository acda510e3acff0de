from __future__ import annotations

import pytest
from edits.placing import placed

from bytebuddy_provider_hf.edits.formats.conflicts import (
    has_conflict_markers,
    left_markers,
    read_conflicts,
)

FILE = "def main():\n    size = area(2, 3)\n    print(size)\n    return size\n"
WANTED = FILE.replace("2, 3", "20, 30")
KNOWN = frozenset(FILE.split("\n"))
OLD, NEW = "    size = area(2, 3)\n", "    size = area(20, 30)\n"
CONFLICT = f"<<<<<<< HEAD\n{OLD}=======\n{NEW}>>>>>>> fix\n"

FORMS = {
    "all of the file": FILE.replace(OLD, CONFLICT),
    "no names": FILE.replace(OLD, CONFLICT.replace(" HEAD", "").replace(" fix", "")),
    "with its base": FILE.replace(
        OLD, CONFLICT.replace("=======", f"||||||| base\n{OLD}=======")
    ),
    "alone": CONFLICT,
    "equal lines in both": CONFLICT.replace(
        "=======", "    print(size)\n======="
    ).replace(">>>", "    print(size)\n>>>", 1),
    "CR LF": CONFLICT.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_second_side_comes(form: str) -> None:
    """The first goes; the code round both is context."""
    patch = read_conflicts(FORMS[form], KNOWN)
    assert patch is not None
    assert placed(FILE, patch) == WANTED


@pytest.mark.parametrize(
    "text",
    [
        CONFLICT.replace("=======\n", ""),
        f"{CONFLICT}<<<<<<< HEAD\nx\n",
        f">>>>>>> x\n{CONFLICT}",
        CONFLICT.replace("=======", "=======\n<<<<<<< x"),
        CONFLICT.replace("=======", "=======\n======="),
        CONFLICT.replace(NEW, OLD),
    ],
)
def test_a_conflict_that_is_not_whole_leaves_no_hunk(text: str) -> None:
    """Nor does one whose sides are equal."""
    patch = read_conflicts(text, KNOWN)
    assert patch is not None
    assert patch.hunks == ()


@pytest.mark.parametrize(
    "text",
    [
        "Title\n=======\n\ntext\n",
        "<<<<<<< only an opener\n=======\n",
        "quoted:\n>>>>>> deeply\n",
        'x = "<<<<<<< HEAD"\ny = ">>>>>>> x"\n',
        "cat <<<EOF\n",
        "a <<<<<<< b\n=======\nc >>>>>>> d\n",
        "",
    ],
)
def test_a_text_without_both_ends_has_no_conflict(text: str) -> None:
    """A line of = underlines a title."""
    assert not has_conflict_markers(text)
    assert read_conflicts(text) is None


def test_markers_of_the_original_are_text() -> None:
    """A file in conflict stays what it is, until someone says how to end that."""
    assert read_conflicts(CONFLICT, frozenset(CONFLICT.split("\n"))) is None


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (CONFLICT, ["<<<<<<< HEAD", "=======", ">>>>>>> fix"]),
        ("Title\n=======\n", []),
        ("------- SEARCH\nx\n=======\n", ["------- SEARCH", "======="]),
        ("+++++++ REPLACE\n", ["+++++++ REPLACE"]),
        ("    <<<<<<< SEARCH\n", ["    <<<<<<< SEARCH"]),
        ("*** Begin Patch\n*** Update File: a\nx\n", None),
        ("@@ -1,2 +1,3 @@ def f():\n+++ b/x\n", None),
        ("-- Search\n# --- a\n* * *\n@decorated\n@@ text\n", []),
        ("a = b << c >> d\n", []),
    ],
)
def test_markers_that_are_left_in_a_result_are_found(
    result: str, found: list[str] | None
) -> None:
    """Of every format; the code round them is none."""
    lines = [line for line in result.splitlines() if line != "x"]
    assert list(left_markers(FILE, result)) == (lines if found is None else found)
    assert left_markers(result, result) == ()
