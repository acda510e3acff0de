from __future__ import annotations

import pytest
from edits.placing import placed

from bytebuddy_provider_hf.edits.formats.codex import read_codex

FILE = "def area(w, h):\n    return w * h\n\n\ndef main():\n    size = area(2, 3)\n"
FILE += "    print(size)\n    return size\n"
WANTED = FILE.replace("2, 3", "20, 30")
KNOWN = frozenset(FILE.split("\n"))
BODY = "*** Update File: a.py\n@@ def main():\n-    size = area(2, 3)\n"
BODY += "+    size = area(20, 30)\n     print(size)\n"
PATCH = f"*** Begin Patch\n{BODY}*** End Patch\n"

FORMS = {
    "whole": PATCH,
    "no last line": f"*** Begin Patch\n{BODY}",
    "no first line": BODY,
    "fenced": f"Here it is:\n```\n{PATCH}```\nDone.\n",
    "fenced, no last line": f"```diff\n*** Begin Patch\n{BODY}```\nDone.\n",
    "heredoc": f"apply_patch <<'EOF'\n{PATCH}EOF\n",
    "a bare @@": PATCH.replace("@@ def main():", "@@"),
    "no @@": PATCH.replace("@@ def main():\n", ""),
    "names of a diff as well": PATCH.replace(
        "@@ def", "--- a/a.py\n+++ b/a.py\n@@ def"
    ),
    "a blank line at the end": PATCH.replace("*** End", "\n*** End"),
    "CR LF": PATCH.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_patch_is_read_however_it_comes(form: str) -> None:
    """In a fence or a shell's text, with or without its first and last line."""
    patch = read_codex(FORMS[form], KNOWN)
    assert patch is not None
    assert patch.files == {"a.py"}
    assert placed(FILE, patch) == WANTED


def test_new_lines_may_come_before_the_old() -> None:
    """The hunk is the same change."""
    text = PATCH.replace("-    size = area(2, 3)\n", "")
    text = text.replace("     print", "-    size = area(2, 3)\n     print")
    patch = read_codex(text, KNOWN)
    assert patch is not None
    assert [line.sign for line in patch.hunks[0].lines] == ["+", "-", " "]


def test_headings_nest() -> None:
    """Each line of @@ names a place inside the one before it."""
    text = "*** Begin Patch\n*** Update File: a.py\n@@ class A:\n@@     def f(self):\n"
    text += "-x\n+y\n@@ def g():\n-z\n*** End of File\n*** End Patch\n"
    patch = read_codex(text)
    assert patch is not None
    assert [hunk.heading for hunk in patch.hunks] == [
        "class A:\ndef f(self):",
        "def g():",
    ]
    assert [hunk.at_end for hunk in patch.hunks] == [False, True]


def test_each_hunk_has_its_file() -> None:
    """New files and deleted ones are told, and a new name is."""
    text = f"*** Begin Patch\n{BODY}*** Move to: b.py\n*** Add File: c.py\n+x\n"
    text += "*** Delete File: d.py\n*** End Patch\n"
    patch = read_codex(text, KNOWN)
    assert patch is not None
    assert [hunk.file for hunk in patch.hunks] == ["a.py", "c.py"]
    assert patch.files == {"a.py", "c.py", "d.py", "/dev/null"}
    assert patch.moved == "b.py"


def test_lines_that_are_put_in_need_no_old_ones() -> None:
    """Their heading alone says where."""
    text = "*** Begin Patch\n*** Update File: a.py\n@@ def area(w, h):\n+    assert w\n"
    patch = read_codex(text, KNOWN)
    assert patch is not None
    assert [(hunk.old, hunk.heading) for hunk in patch.hunks] == [
        ((), "def area(w, h):")
    ]


@pytest.mark.parametrize(
    "text",
    [
        f'{FILE}HELP = """\n{PATCH}"""\n',
        f'HELP = """\n{PATCH}"""\n{FILE}',
        'x = "*** Begin Patch"\n',
        "*** important ***\ntext\n*** End ***\n",
        "*** Begin\n*** Update: x\n",
        "",
    ],
)
def test_ordinary_code_is_no_patch(text: str) -> None:
    """Whatever it quotes."""
    assert read_codex(text, KNOWN) is None


def test_markers_of_the_original_are_text() -> None:
    """A file about the format stays what it is."""
    assert read_codex(PATCH, frozenset(PATCH.split("\n"))) is None
