from __future__ import annotations

import pytest

from bytebuddy_provider_hf.edits.formats.hunks import read_patch
from bytebuddy_provider_hf.edits.placed import Placed
from bytebuddy_provider_hf.edits.placing.patch import apply_patch as apply_hunks
from bytebuddy_provider_hf.edits.udiff import unified


def apply_patch(original: str, diff: str) -> Placed:
    return apply_hunks(original, read_patch(diff))


FILE = "".join(f"line {n}\n" for n in range(1, 21))
HUNK = " line 4\n-line 5\n+line five\n line 6\n"
DONE = FILE.replace("line 5\n", "line five\n")

FORMS = {
    "as diff writes it": f"--- a/x\n+++ b/x\n@@ -4,3 +4,3 @@\n{HUNK}",
    "wrong line": f"--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n{HUNK}",
    "wrong counts": f"--- a/x\n+++ b/x\n@@ -4,9 +4,1 @@\n{HUNK}",
    "no names": f"@@ -4,3 +4,3 @@\n{HUNK}",
    "no numbers": f"--- a/x\n+++ b/x\n@@ ... @@\n{HUNK}",
    "a bare @@": f"@@\n{HUNK}",
    "no header": f"--- a/x\n+++ b/x\n{HUNK}",
    "a body only": HUNK,
    "noise of git": "diff --git a/x b/x\nindex 12..34 100644\n--- a/x\n+++ b/x\n"
    f"@@ -4,3 +4,3 @@ def f():\n{HUNK}",
    "a mail": f"From: me\nSubject: x\n---\n x | 2 +-\n\n--- a/x\n+++ b/x\n"
    f"@@ -4,3 +4,3 @@\n{HUNK}-- \n2.39.2\n",
    "blank lines round it": f"--- a/x\n+++ b/x\n@@ -4,3 +4,3 @@\n\n{HUNK}\n\n",
    "words after it": f"@@ -4,3 +4,3 @@\n{HUNK}This makes it five.\n",
    "trailing spaces": "@@ @@\n line 4   \n-line 5 \n+line five\n line 6\n",
    "CR LF": f"--- a/x\n+++ b/x\n@@ -4,3 +4,3 @@\n{HUNK}".replace("\n", "\r\n"),
    "context without spaces": "@@ @@\nline 4\n-line 5\n+line five\nline 6\n",
    "no end": f"@@ -4,3 +4,3 @@\n{HUNK}".removesuffix("\n"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_a_hunk_goes_where_its_lines_are(form: str, end: str, last: str) -> None:
    """However a model writes the diff; the file keeps its line ends and its end."""
    original, wanted = (
        text.removesuffix("\n").replace("\n", end) + last.replace("\n", end)
        for text in (FILE, DONE)
    )
    assert apply_patch(original, FORMS[form]).text == wanted


def test_several_hunks_are_placed_each() -> None:
    """In any order, with numbers that are all wrong."""
    patch = (
        "@@ -90,2 +90,3 @@\n line 18\n+new\n line 19\n"
        "@@ -90,3 +90,2 @@\n line 1\n-line 2\n line 3\n"
    )
    wanted = FILE.replace("line 2\n", "").replace("line 18\n", "line 18\nnew\n")
    assert apply_patch(FILE, patch).text == wanted


def test_hunks_may_share_context() -> None:
    """The last lines of one are the first of the next."""
    patch = (
        "@@ @@\n line 4\n-line 5\n+five\n line 6\n"
        "@@ @@\n line 6\n-line 7\n+seven\n line 8\n"
    )
    wanted = FILE.replace("line 5", "five").replace("line 7", "seven")
    assert apply_patch(FILE, patch).text == wanted


def test_a_hunk_that_fits_twice_is_not_placed() -> None:
    """A number alone does not decide: models make numbers up."""
    original = "a\nx\nb\n" * 3
    for line in (1, 2, 4, 7):
        patch = f"@@ -{line},3 +{line},3 @@\n a\n-x\n+y\n b\n"
        result = apply_patch(original, patch)
        assert result.text is None
        assert result.unplaced == (patch.removesuffix("\n"),)


def test_a_number_decides_where_another_hunk_bears_it_out() -> None:
    """All numbers are right, and one hunk fits one place only."""
    original = "a\nx\nb\n" * 3 + "c\nd\ne\n"
    wanted = "a\nx\nb\na\ny\nb\na\nx\nb\nc\nD\ne\n"
    patch = "@@ -4,3 +4,3 @@\n a\n-x\n+y\n b\n@@ -10,3 +10,3 @@\n c\n-d\n+D\n e\n"
    assert apply_patch(original, patch).text == wanted
    for wrong in ("@@ -9,3 +9,3", "@@ -10,4 +10,3", "@@ -10,3 +11,3"):
        assert (
            apply_patch(original, patch.replace("@@ -10,3 +10,3", wrong)).text is None
        )


@pytest.mark.parametrize(
    "patch",
    [
        "@@ -4,3 +4,3 @@\n line 4\n-line FIVE\n+x\n line 6\n",
        "@@ -4,3 +4,3 @@\n line 4\n-line 6\n+x\n line 5\n",
        "@@ -4,0 +5,1 @@\n+new\n",
        "--- a/x\n+++ b/x\n@@ @@\n line 4\n+n\n--- a/y\n+++ b/y\n@@ @@\n line 9\n+n\n",
        "--- a/x\n+++ /dev/null\n@@ @@\n-line 4\n",
        "@@ @@\n line 4\n-line 5\n+x\n@@ @@\n-line 5\n+y\n line 6\n",
        "@@ @@\n line 4\n+x\n@@ @@\n line 4\n+y\n",
        "no diff at all\n",
        "",
    ],
    ids=(
        *("another line", "another order", "no context", "two files", "a file goes"),
        *("the same line twice", "the same place twice", "prose", "nothing"),
    ),
)
def test_what_has_no_certain_place_is_not_placed(patch: str) -> None:
    """All of a patch or nothing."""
    result = apply_patch(FILE, patch)
    assert result.text is None
    assert result.unplaced


def test_the_hunk_without_a_place_is_named() -> None:
    """Only that one of several."""
    patch = "@@ @@\n line 4\n-line 5\n+x\n@@ @@\n nowhere\n+y\n"
    assert apply_patch(FILE, patch).unplaced == ("@@ @@\n nowhere\n+y",)


def test_a_hunk_that_is_indented_less_goes_in_with_its_indentation() -> None:
    """Where a line that goes shows how far, the new lines move as far."""
    original = "class A:\n    def f(self):\n        return 1\n\n    x = 1\n"
    patch = "@@ @@\n def f(self):\n-    return 1\n+    if self:\n+        return 2\n"
    assert apply_patch(original, patch).text == (
        "class A:\n    def f(self):\n"
        "        if self:\n            return 2\n\n    x = 1\n"
    )


@pytest.mark.parametrize(
    "patch",
    [
        "@@ @@\n def f(self):\n+    y = 1\n",
        "@@ @@\n def f(self):\n-        return 1\n+        return 2\n",
        "@@ @@\n     def f(self):\n-\treturn 1\n+\treturn 2\n",
    ],
    ids=["one line", "two shifts", "tabs for spaces"],
)
def test_an_indentation_that_nothing_shows_is_not_guessed(patch: str) -> None:
    """The new lines could be meant either way."""
    original = "class A:\n    def f(self):\n        return 1\n"
    assert apply_patch(original, patch).text is None


def test_lines_that_look_like_names_of_files_are_lines() -> None:
    """SQL comments that go, C that comes: the counts tell."""
    original = "-- a\nselect 1\n-- b\n"
    changed = "++ c\nselect 1\n-- b\n"
    assert apply_patch(original, unified(original, changed)).text == changed


@pytest.mark.parametrize(
    ("original", "changed"),
    [
        ("a\nb", "a\nb\n"),
        ("a\nb\n", "a\nb"),
        ("a\nb", "a\nc"),
        ("a", "a\nb\n"),
        ("", "a"),
    ],
)
def test_what_a_diff_says_of_the_last_line_end_counts(
    original: str, changed: str
) -> None:
    """The mark for a missing line end is part of the diff."""
    assert apply_patch(original, unified(original, changed)).text == changed


def test_the_mark_of_a_missing_line_end_tells_a_place() -> None:
    """Only the last line of a file has none."""
    patch = "@@ @@\n x\n-b\n\\ No newline at end of file\n+c\n"
    assert apply_patch("x\nb\nx\nb", patch).text == "x\nb\nx\nc\n"


def test_one_space_of_indentation_is_not_guessed() -> None:
    """It may be the sign of the context that a model left out."""
    assert apply_patch(" a\n b\n", "@@ @@\n a\n-b\n+c\n").text is None


def test_a_file_with_both_line_ends_keeps_each() -> None:
    """A new line ends as the diff says, or like the line before it."""
    original = "a\r\nb\nc\r\nd\n"
    changed = "a\r\nX\nb\nc\r\nY\r\nd\n"
    diff = unified(original, changed)
    assert apply_patch(original, diff).text == changed
    plain = diff.replace("\r", "")
    assert apply_patch(original, plain).text == "a\r\nX\r\nb\nc\r\nY\r\nd\n"
