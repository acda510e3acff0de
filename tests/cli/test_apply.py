"""``apply`` in a process of its own: by rule, by a model, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.process import OpenTerminal, Run

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.errors import ApplyFailed
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub

OLD = "def f(a):\n    return a\n\n\ndef g(a):\n    return a\n"
NEW = OLD.replace("return a", "return a + 1", 1)
PATCH = """\
--- a/code.py
+++ b/code.py
@@ -1,2 +1,2 @@
 def f(a):
-    return a
+    return a + 1
"""
# Two places fit equally, and lines of the file are nowhere: no rule is certain.
VAGUE = "Somewhere in there:\n\n    return a * 2\n"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Give a file in the folder where the command runs."""
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    path = folder / "code.py"
    path.write_bytes(OLD.encode())
    return path


@pytest.fixture
def asked(base: str) -> tuple[str, ...]:
    return ("--base", base, "-m", "any")


def test_a_piped_diff_is_worked_in(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """By rule: no model is asked, and stderr says so."""
    ran = run("apply", "code.py", "--yes", *asked, stdin=PATCH)
    assert (ran.code, code.read_text()) == (0, NEW)
    assert "+    return a + 1" in ran.out
    assert "no model was asked" in ran.err
    assert hub.records == []


@pytest.mark.parametrize("name", ["-", "change.diff"])
def test_a_suggestion_is_a_file_or_stdin(
    run: Run, code: Path, asked: tuple[str, ...], name: str
) -> None:
    """Without a terminal and ``--yes`` the diff is printed, nothing written."""
    (code.parent / "change.diff").write_text(PATCH)
    ran = run("apply", "code.py", name, *asked, stdin=PATCH if name == "-" else "")
    assert (ran.code, code.read_text()) == (0, OLD)
    assert "+    return a + 1" in ran.out
    assert "--yes writes it" in ran.err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD.replace("\n", "\r\n"), NEW.replace("\n", "\r\n")),
        (f"\ufeff{OLD}", f"\ufeff{NEW}"),
        (OLD.rstrip("\n"), NEW.rstrip("\n")),
    ],
    ids=["CRLF", "BOM", "no final newline"],
)
def test_the_file_keeps_its_form(
    run: Run, code: Path, asked: tuple[str, ...], *, old: str, new: str
) -> None:
    """A suggestion with line feeds fits a file with whatever ends."""
    code.write_bytes(old.encode())
    assert run("apply", "code.py", "--yes", *asked, stdin=PATCH).code == 0
    assert code.read_bytes() == new.encode()


def test_what_has_no_place_is_shown(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """Neither a rule nor the model placed it: exit 10, and the file stays."""
    hub.set("any", Behaviour(answer=lambda _: "```python\nx = 1\n```"))
    ran = run("apply", "code.py", "--yes", *asked, stdin=VAGUE)
    assert (ran.code, ran.out, code.read_text()) == (10, "", OLD)
    assert "\n  | " in ran.err
    ran = run("apply", "code.py", "--yes", "--json", *asked, stdin=VAGUE)
    error = json.loads(ran.out)["error"]
    assert (ran.code, error["type"]) == (10, "ApplyFailed")
    assert error["unplaced"]


def test_much_that_has_no_place_is_not_all_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Twenty lines on the screen, and how many there are more; JSON has them all."""
    error = ApplyFailed("no place", hint="ask again")
    error.unplaced = ("one\ntwo\n", *(f"line {n}\x1b[2J" for n in range(30)))
    screen.show_error(error)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == ["error: no place", "  ask again", "  | one", "  | two"]
    assert len(lines) == 23
    assert lines[-1] == "  … and 12 more lines"
    assert "\x1b" not in "".join(lines)
    shown = screen.error_object(error)["error"]
    assert isinstance(shown, dict)
    assert len(shown["unplaced"]) == 31


def test_a_change_that_is_there_already_is_none(
    run: Run, code: Path, asked: tuple[str, ...]
) -> None:
    """The whole file as it is: said, exit 0, and nothing on stdout."""
    ran = run("apply", "code.py", "--yes", *asked, stdin=OLD)
    assert (ran.code, ran.out, code.read_text()) == (0, "", OLD)
    assert "no change: code.py stays as it is" in ran.err


def test_a_person_is_asked(
    terminal: OpenTerminal, code: Path, asked: tuple[str, ...]
) -> None:
    """A suggestion from a file: the diff, the question, the file."""
    (code.parent / "change.diff").write_text(PATCH)
    shown = terminal("apply", str(code), str(code.parent / "change.diff"), *asked)
    shown.read_until("Apply? [y/N] ")
    shown.type("y\r")
    assert (shown.end(), code.read_text()) == (0, NEW)


def test_a_terminal_is_no_suggestion(
    terminal: OpenTerminal, code: Path, asked: tuple[str, ...]
) -> None:
    """Without one, the command does not wait for somebody to type a diff."""
    shown = terminal("apply", str(code), *asked)
    assert shown.end() == 2
    assert "there is no suggestion" in shown.text


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("none.py",), PATCH, "There is no file none.py"),
        (("code.py", "none.diff"), "", "There is no file none.diff"),
        (("code.py",), " \n", "the suggestion is empty"),
        (("code.py", "--yes", "--diff"), PATCH, "give one of them"),
    ],
)
def test_wrong_usage_is_told(
    run: Run,
    code: Path,
    asked: tuple[str, ...],
    *,
    arguments: tuple[str, ...],
    stdin: str,
    said: str,
) -> None:
    """Exit 2, and the file stays."""
    ran = run("apply", *arguments, *asked, stdin=stdin)
    assert (ran.code, code.read_text()) == (2, OLD)
    assert said in ran.err
