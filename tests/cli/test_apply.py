"""``apply`` in a process of its own: by rule, by a model, or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.process import OpenTerminal, Run

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.errors import ApplyFailed
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import rate_limited
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
IMPORTS = """
import sys
sys.argv = ["bytebuddy-hf", "apply", "code.py", "change.diff", "--yes"]
from bytebuddy_provider_hf.cli.__main__ import main
try:
    main()
except SystemExit:
    pass
heavy = {"aiohttp", "rich", "ruamel", "cattrs", "msgspec"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


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


def test_a_rule_needs_nothing_else(run: Run, code: Path) -> None:
    """No configuration, no model, no token: the diff is placed all the same."""
    (code.parent / "config.yaml").write_text("models: [this is no configuration")
    for options in ((), ("--config", "none.yaml"), ("-m", "org/name"), ("--base", "")):
        code.write_text(OLD)
        ran = run("apply", "code.py", "--yes", *options, stdin=PATCH)
        assert (ran.code, code.read_text()) == (0, NEW), ran.err
        assert "no model was asked" in ran.err
    told = json.loads(run("apply", "code.py", "--json", stdin=OLD).out)
    assert (told["model"], told["usage"], told["written"]) == ("", None, False)


def test_a_rule_imports_no_network(tmp_path: Path) -> None:
    """Nothing heavy is loaded for what is placed by rule: it starts fast."""
    (tmp_path / "code.py").write_text(OLD)
    (tmp_path / "change.diff").write_text(PATCH)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert (tmp_path / "code.py").read_text() == NEW
    assert done.stderr.splitlines()[-1] == "[]"


MODEL = """\
models:
  - name: talker
    provider: huggingfaceinferenceapi
    model: org/name
    roles: ["{role}"]
"""


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "`bytebuddy-hf config init`"),
        (MODEL.format(role="chat"), "the role apply"),
        (MODEL.format(role="apply"), "`bytebuddy-hf login`"),
    ],
    ids=["no configuration", "no role", "no token"],
)
def test_without_a_model_the_rules_have_the_last_word(
    run: Run, code: Path, home: Path, *, config: str | None, said: str
) -> None:
    """Exit 10 with what has no place, and what a model would need."""
    if config is not None:
        (home / ".bytebuddy").mkdir()
        (home / ".bytebuddy" / "config.yaml").write_text(config)
    ran = run("apply", "code.py", "--yes", stdin=VAGUE)
    assert (ran.code, ran.out, code.read_text()) == (10, "", OLD)
    assert "No rule could place this part of the suggestion" in ran.err
    assert said in ran.err
    assert "these need no model" in ran.err
    assert "  |     return a * 2\n" in ran.err
    error = json.loads(run("apply", "code.py", "--json", stdin=VAGUE).out)["error"]
    assert (error["type"], error["unplaced"]) == ("ApplyFailed", [VAGUE])


def test_a_model_that_fails_keeps_its_exit_code(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """And it is said why one was asked at all; so it is of a file that is not there."""
    hub.set("any", Behaviour(always=rate_limited(retry_after=30)))
    ran = run("apply", "code.py", "--yes", "--no-wait", *asked, stdin=VAGUE)
    assert (ran.code, code.read_text()) == (6, OLD)
    assert "No rule could place the suggestion" in ran.err
    ran = run("apply", "code.py", "--config", "none.yaml", stdin=VAGUE)
    assert (ran.code, code.read_text()) == (3, OLD)
    assert "none.yaml does not exist" in ran.err
    assert "No rule could place the suggestion" in ran.err


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
