"""What the screen shows is what the file gets: nothing hidden is written untold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.process import OpenTerminal, Run

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.changes import hidden_added
from bytebuddy_provider_hf.errors import Doubt
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub

CODER = "bigcode/starcoder2-3b"
OLD = "def f(a):\n    return a\n"
# What a terminal draws over the line, and Python runs.
RETURN = "x #\rimport os; os.getcwd()"
TROJAN = "a  # \u202e\u2066begin\u2069"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    path = folder / "code.py"
    path.write_bytes(OLD.encode())
    return path


def answering(hub: FakeHub, base: str, answer: str) -> tuple[str, ...]:
    hub.set(CODER, Behaviour(answer=lambda _: answer))
    return ("--base", base, "-m", CODER)


def editing(hub: FakeHub, base: str, new: str) -> tuple[str, ...]:
    hub.set("any", Behaviour(answer=lambda _: f"```python\n{new}```"))
    return ("-i", "add one", "--base", base, "-m", "any")


@pytest.mark.parametrize("control", ["\r", "\x00", "\x08", "\x0c", "\x1b[2J", "\x7f"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_insertion_with_controls_is_refused(
    run: Run, code: Path, hub: FakeHub, base: str, *, control: str, end: str
) -> None:
    """Of C0 a file gets line feed and tab; a return ends its lines or is none."""
    code.write_bytes(OLD.replace("\n", end).encode())
    asked = answering(hub, base, RETURN.replace("\r", control))
    ran = run("fill", "code.py:2:5", "--insert", *asked)
    assert ran.code == 9
    assert code.read_bytes() == OLD.replace("\n", end).encode()
    assert f"U+{ord(control[0]):04X} (line 2, 1 in all)" in ran.err
    assert "code.py was not written" in ran.err


def test_the_refusal_in_json_has_the_text(
    run: Run, code: Path, hub: FakeHub, base: str
) -> None:
    """Escaped: a program reads what a screen would not show."""
    asked = answering(hub, base, RETURN)
    told = json.loads(run("fill", "code.py:2:5", "--insert", "--json", *asked).out)
    assert told["error"]["partial"] == RETURN
    assert code.read_bytes() == OLD.encode()


def test_a_line_end_of_the_model_is_no_control(
    run: Run, code: Path, hub: FakeHub, base: str
) -> None:
    """CR LF is written as the file ends its lines."""
    asked = answering(hub, base, "x = 1\r\n    y\t= 2")
    assert run("fill", "code.py:2:5", "--insert", *asked).code == 0
    assert b"x = 1\n    y\t= 2" in code.read_bytes()


def test_what_is_inserted_is_seen_by_its_number(
    terminal: OpenTerminal, code: Path, hub: FakeHub, base: str
) -> None:
    """A return does not draw over the line that it hides."""
    shown = terminal("fill", f"{code}:2:5", "--insert", *answering(hub, base, RETURN))
    assert shown.end() == 9
    assert "x #<U+000D>import os" in shown.text


@pytest.mark.parametrize("insert", [True, False])
def test_hidden_characters_of_a_filling_are_told(
    run: Run, code: Path, hub: FakeHub, base: str, *, insert: bool
) -> None:
    """Where no preview is, a note is: with their numbers and their line."""
    asked = answering(hub, base, TROJAN)
    more = ("--insert",) if insert else ()
    ran = run("fill", "code.py:2:5", *more, *asked)
    assert (ran.code, ran.out) == (0, TROJAN)
    for number in ("U+202E", "U+2066", "U+2069"):
        assert f"{number} (line 2, 1 in all)" in ran.err
    assert (TROJAN in code.read_text("utf-8")) is insert
    code.write_text(OLD)
    told = json.loads(run("fill", "code.py:2:5", "--json", *asked).out)
    assert "U+202E" in told["notes"][-1]


@pytest.mark.parametrize("command", ["edit", "apply"])
def test_a_change_with_controls_is_in_doubt(
    run: Run, code: Path, hub: FakeHub, base: str, command: str
) -> None:
    """``--yes`` alone does not write it; who has read the diff may."""
    new = OLD.replace("return a", "return a + len('\x1b[2J')")
    if command == "edit":
        asked = editing(hub, base, new)
    else:
        (code.parent / "new.py").write_text(f"```python\n{new}```\n")
        asked = ("new.py",)
    ran = run(command, "code.py", "--yes", *asked)
    assert (ran.code, code.read_text()) == (10, OLD)
    assert "control characters" in ran.err
    assert "  |     return a + len('<U+001B>[2J')" in ran.err
    assert "a screen hides" not in ran.err
    assert run(command, "code.py", "--yes", "--accept-doubts", *asked).code == 0
    assert code.read_text() == new


def test_an_edit_tells_what_it_hides(
    run: Run, code: Path, hub: FakeHub, base: str
) -> None:
    """Written without being looked at, and told."""
    new = OLD.replace("return a", f"return {TROJAN}")
    asked = editing(hub, base, new)
    ran = run("edit", "code.py", "--yes", *asked)
    assert (ran.code, code.read_text("utf-8")) == (0, new)
    assert "U+202E (line 2, 1 in all)" in ran.err


def test_what_the_file_had_is_no_addition(
    run: Run, code: Path, hub: FakeHub, base: str
) -> None:
    """A form feed between two functions, a mark of direction in a word."""
    old = f"# \u200fa\n\x0c\n{OLD}"
    code.write_text(old, "utf-8")
    new = old.replace("return a", "return a + 1")
    ran = run("edit", "code.py", "--yes", *editing(hub, base, new))
    assert (ran.code, code.read_text("utf-8")) == (0, new)
    assert "U+" not in ran.err


def test_the_diff_on_a_terminal_shows_numbers(
    terminal: OpenTerminal, code: Path, hub: FakeHub, base: str
) -> None:
    """Of formats and separators, not only of controls."""
    new = OLD.replace("return a", "return a  # \u200b\u2028\U000e0041\u3164")
    came = terminal("edit", str(code), *editing(hub, base, new)).read_until("Apply?")
    assert "# <U+200B><U+2028><U+E0041><U+3164>" in came


def test_a_quoted_line_hides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of a doubt, or of what has no place, are previews too."""
    screen.print_doubts([Doubt("gone", "Gone.", ("a #\rimport os\u200b\n",))])
    assert "  | a #<U+000D>import os<U+200B>\n" in capsys.readouterr().err


def test_what_is_hidden_is_told_in_chinese_too(
    run: Run, code: Path, hub: FakeHub, base: str
) -> None:
    """With all of its parts."""
    asked = answering(hub, base, TROJAN)
    err = run("--lang", "zh", "fill", "code.py:2:5", *asked).err
    assert "屏幕上看不见的字符：U+202E（第 2 行，共 1 个）、U+2066（第 2 行" in err


def test_the_lines_that_came_with_the_change_are_named() -> None:
    """Not those that had such a character before."""
    before = "a\u200b\nb\n"
    assert hidden_added(before, "x\u200by\na\u200b\nb\n") == {"\u200b": [1]}
    assert hidden_added(before, "b\na\u200b\n") == {}
    assert hidden_added("", "\r\x00\r") == {"\r": [1, 1], "\x00": [1]}
