"""``edit`` in a process of its own: the diff, the question, the file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cli.process import OpenTerminal, Run

from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour, last_words
from bytebuddy_provider_hf.testing.failures import rate_limited
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

OLD = "def f(a):\n    return a\n\n\ndef g(a):\n    return a\n"
NEW = OLD.replace("return a", "return a + 1", 1)
DIFF = "-    return a\n+    return a + 1\n"


def fenced(code: str) -> str:
    return f"Here it is:\n```python\n{code}```\n"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Give a file in the folder where the command runs."""
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    path = folder / "code.py"
    path.write_bytes(OLD.encode())
    return path


@pytest.fixture
def asked(base: str, hub: FakeHub) -> tuple[str, ...]:
    """Give the command, with a model that changes the first function."""
    hub.set("any", Behaviour(answer=lambda _: fenced(NEW)))
    return ("edit", "code.py", "-i", "add one", "--base", base, "-m", "any")


def test_without_a_terminal_the_diff_is_printed(
    run: Run, code: Path, asked: tuple[str, ...]
) -> None:
    """Nothing is written, and stderr says how it would be; exit 0."""
    ran = run(*asked)
    assert ran.code == 0, ran.err
    assert DIFF in ran.out
    assert "code.py was not written; --yes writes it" in ran.err
    assert code.read_text() == OLD


def test_the_diff_can_be_applied(run: Run, code: Path, asked: tuple[str, ...]) -> None:
    """What is printed is a patch, byte by byte; ``patch`` takes it."""
    code.write_bytes(OLD.replace("\n", "\r\n").encode())
    ran = subprocess.run(
        ["git", "apply", "-"],
        input=run(*asked, "--diff").out.encode(),
        cwd=code.parent,
        check=False,
        capture_output=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert code.read_bytes() == NEW.replace("\n", "\r\n").encode()


def test_yes_writes(run: Run, code: Path, asked: tuple[str, ...]) -> None:
    """No question; the diff goes to stdout all the same."""
    ran = run(*asked, "--yes")
    assert (ran.code, code.read_text()) == (0, NEW)
    assert DIFF in ran.out
    assert ran.err.endswith("wrote code.py\n")


def test_the_instruction_the_code_and_the_name_are_sent(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """And not where the file lies on this machine."""
    run("edit", str(code), *asked[2:])
    sent = json.dumps(hub.records[-1].json)
    assert "add one" in sent
    assert "return a" in sent
    assert str(code.parent) not in sent


def test_json_is_one_object(run: Run, code: Path, asked: tuple[str, ...]) -> None:
    """What became of the file, its diff and the tokens; written only with --yes."""
    for yes in ((), ("--yes",)):
        ran = run(*asked, "--json", *yes)
        told = json.loads(ran.out)
        assert (told["file"], told["changed"]) == ("code.py", True)
        assert told["written"] is bool(yes)
        assert DIFF in told["diff"]
        assert told["usage"]["completion_tokens"] > 0
        assert (ran.err, ran.code) == ("", 0)
        assert code.read_text() == (NEW if yes else OLD)


def test_no_change_is_said(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """Nothing on stdout, the file is not touched, exit 0."""
    hub.set("any", Behaviour(answer=lambda _: fenced(OLD)))
    before = code.stat().st_mtime_ns
    ran = run(*asked, "--yes")
    assert (ran.out, ran.code) == ("", 0)
    assert "no change: code.py stays as it is" in ran.err
    assert code.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("content", "changed"),
    [
        (OLD.replace("\n", "\r\n"), NEW.replace("\n", "\r\n")),
        (f"\ufeff{OLD}", f"\ufeff{NEW}"),
        (OLD.rstrip("\n"), NEW.rstrip("\n")),
        (f"\ufeff{OLD}".replace("\n", "\r\n"), f"\ufeff{NEW}".replace("\n", "\r\n")),
    ],
    ids=["CRLF", "BOM", "no final newline", "BOM and CRLF"],
)
def test_only_what_was_asked_for_changes(
    run: Run, code: Path, asked: tuple[str, ...], content: str, changed: str
) -> None:
    """Line ends, byte order mark and the last line's end stay."""
    code.write_bytes(content.encode())
    assert run(*asked, "--yes").code == 0
    assert code.read_bytes() == changed.encode()


def test_lines_alone_are_changed(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """The diff counts the lines of the file, and the rest of it stays."""
    hub.set("any", Behaviour(answer=lambda _: fenced("def g(a):\n    return 0\n")))
    ran = run(*asked, "--lines", "5:6", "--yes")
    assert code.read_text() == OLD[: OLD.index("def g")] + "def g(a):\n    return 0\n"
    assert "@@ -3,4 +3,4 @@" in ran.out


@pytest.mark.parametrize(
    ("lines", "said"), [("5:6", "lines 5 to 6"), ("2", "lines 2 to 2")]
)
def test_lines_that_stay_as_they_are_are_an_error(
    run: Run,
    code: Path,
    hub: FakeHub,
    asked: tuple[str, ...],
    *,
    lines: str,
    said: str,
) -> None:
    """Whoever names lines wants them changed: exit 9, and which they are."""
    first, _, last = lines.partition(":")
    kept = OLD.splitlines(keepends=True)[int(first) - 1 : int(last or first)]
    hub.set("any", Behaviour(answer=lambda _: fenced("".join(kept))))
    ran = run(*asked, "--lines", lines, "--yes")
    assert (ran.code, ran.out, code.read_text()) == (9, "", OLD)
    assert said in ran.err


def cut(request: FakeRequest) -> FakeReply:
    if request.value("stream") is True:
        return chat_stream([fenced(NEW)[:-8]], finish_reason="length")
    return chat_reply(fenced(NEW)[:-8], finish_reason="length")


async def cut_short(request: FakeRequest) -> FakeReply:
    return cut(request)


async def filtered(request: FakeRequest) -> FakeReply:
    return chat_stream([fenced(NEW)[:-8]], finish_reason="content_filter")


@pytest.mark.parametrize(
    ("always", "said"),
    [(cut_short, "Raise --max-tokens"), (filtered, "'content_filter'")],
)
def test_an_answer_that_is_not_whole_is_never_written(
    run: Run,
    code: Path,
    hub: FakeHub,
    asked: tuple[str, ...],
    *,
    always: object,
    said: str,
) -> None:
    """An error with what to do, exit 9; the file and stdout stay as they were."""
    hub.set("any", Behaviour(always=always))
    ran = run(*asked, "--yes")
    assert (ran.code, ran.out, code.read_text()) == (9, "", OLD)
    assert "Nothing was written" in ran.err
    assert said in ran.err


def test_no_code_is_no_change(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """A model that answers nothing does not empty a file."""
    hub.set("any", Behaviour(answer=lambda _: ""))
    ran = run(*asked, "--yes")
    assert (ran.code, code.read_text()) == (9, OLD)
    assert "no code" in ran.err


def test_talk_is_shown_and_not_written(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """Exit 9, with what the model said, shortened; JSON has all of it."""
    talk = f"I'm sorry, but I cannot do that. {'It is not possible. ' * 50}"
    hub.set("any", Behaviour(answer=lambda _: talk))
    ran = run(*asked, "--yes")
    assert (ran.code, ran.out, code.read_text()) == (9, "", OLD)
    assert "The model answered: I'm sorry, but I cannot do that. It is" in ran.err
    assert max(map(len, ran.err.splitlines())) < 250
    error = json.loads(run(*asked, "--yes", "--json").out)["error"]
    assert error["partial"].strip() == talk.strip()


def test_a_file_that_changed_meanwhile_stays(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """Saved by somebody while the model wrote: exit 1, and nothing is written."""

    def saved(_: FakeRequest) -> str:
        code.write_text("saved meanwhile\n")
        return fenced(NEW)

    hub.set("any", Behaviour(answer=saved))
    ran = run(*asked, "--yes")
    assert (ran.code, code.read_text()) == (1, "saved meanwhile\n")
    assert "was changed or removed since it was read" in ran.err


def test_a_refusal_has_its_code(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """``--no-wait`` ends at a limit with 6, as in every command."""
    hub.set("any", Behaviour(always=rate_limited(retry_after=30)))
    ran = run(*asked, "--yes", "--no-wait", "--json")
    assert (ran.code, code.read_text()) == (6, OLD)
    assert json.loads(ran.out)["error"]["type"] == "RateLimited"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.py", "-i", "x"), "There is no file none.py"),
        (("code.py", "-i", " "), "the instruction is empty"),
        (("code.py", "-i", "x", "--yes", "--diff"), "give one of them"),
        (("code.py", "-i", "x", "--lines", "9:99"), "ends in line 7"),
        (("code.py", "-i", "x", "--lines", "2:1"), "forward"),
    ],
)
def test_wrong_usage_is_told(
    run: Run,
    code: Path,
    base: str,
    hub: FakeHub,
    *,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    """Exit 2, and no model is asked."""
    ran = run("edit", *arguments, "--base", base, "-m", "any")
    assert (ran.code, hub.records) == (2, [])
    assert said in ran.err


@pytest.mark.parametrize(("answer", "content"), [("y", NEW), ("n", OLD), ("", OLD)])
def test_a_person_is_asked(
    terminal: OpenTerminal,
    code: Path,
    asked: tuple[str, ...],
    answer: str,
    content: str,
) -> None:
    """The diff in colours, then the question; only a yes writes."""
    shown = terminal("edit", str(code), *asked[2:])
    came = shown.read_until("Apply? [y/N] ")
    assert "\x1b[32m+    return a + 1" in came
    assert code.read_text() == OLD
    shown.type(f"{answer}\r")
    assert (shown.end(), code.read_text()) == (0, content)
    assert ("wrote" if content == NEW else "was not written") in shown.text


@pytest.mark.parametrize(("key", "exit_code"), [("\x03", 130), ("\x04", 0)])
def test_leaving_the_question_writes_nothing(
    terminal: OpenTerminal,
    code: Path,
    asked: tuple[str, ...],
    key: str,
    exit_code: int,
) -> None:
    """Ctrl-C is stopped, Ctrl-D is no."""
    shown = terminal("edit", str(code), *asked[2:])
    shown.read_until("Apply? [y/N] ")
    shown.type(key)
    assert (shown.end(), code.read_text()) == (exit_code, OLD)


def test_a_person_sees_that_code_is_written(
    terminal: OpenTerminal, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """One line counts the lines that come, and goes away."""
    hub.set("any", Behaviour(answer=lambda _: fenced(NEW), gap=0.1))
    shown = terminal("edit", str(code), *asked[2:])
    shown.read_until("any is writing… ")
    shown.read_until("\x1b[2K\x1b[1m---")
    shown.read_until("Apply?")


def test_no_control_sequence_reaches_a_terminal(
    terminal: OpenTerminal, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """A diff shows by its number what would draw on the screen: it gets written."""
    evil = NEW.replace("+ 1", "+ '\x1b]0;owned\x07\x1b[2J'")
    hub.set("any", Behaviour(answer=lambda _: fenced(evil)))
    came = terminal("edit", str(code), *asked[2:]).read_until("[y/N]")
    assert "<U+001B>]0;owned<U+0007><U+001B>[2J" in came
    assert "\x1b[2J" not in came
    assert "\x07" not in came


def test_the_first_model_with_the_role_is_asked(
    run: Run, code: Path, hub: FakeHub, base: str, home: Path
) -> None:
    """The configuration decides where nobody says ``-m``."""
    folder = home / ".bytebuddy"
    folder.mkdir()
    entry = (
        "  - name: {0}\n    provider: huggingfaceinferenceapi\n    model: org/{0}\n"
        '    apiBase: "{1}"\n    roles: ["{2}"]\n'
    )
    rows = entry.format("one", base, "chat") + entry.format("two", base, "edit")
    (folder / "config.yaml").write_text(f"models:\n{rows}")
    hub.set("org/two", Behaviour(answer=lambda _: fenced(NEW)))
    assert run("edit", "code.py", "-i", "add one", "--yes").code == 0
    assert (hub.records[-1].model, code.read_text()) == ("org/two", NEW)
    assert "add one" in last_words(hub.records[-1].request)


def test_a_real_server_changes_no_file_without_a_yes(
    run: Run, code: Path, llama: str
) -> None:
    """Whatever a tiny model of llama.cpp writes; the failures have their codes."""
    server = ("--base", f"{llama}/v1", "-m", "tiny-chat", "--max-tokens", "16")
    ran = run("edit", "code.py", "-i", "add one", *server)
    assert ran.code in {0, 9}, ran.err
    ran = run("fill", "code.py:2:5", *server)
    assert ran.code == 0, ran.err
    assert code.read_text() == OLD


@pytest.fixture
def linked(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file outside of the folder that ``code.py`` is a link to."""
    target = tmp_path_factory.mktemp("far") / "elsewhere.py"
    code.rename(target)
    code.symlink_to(target)
    return target


@pytest.mark.parametrize("options", [(), ("--diff",), ("--yes",), ("--yes", "--json")])
def test_where_a_link_leads_is_said(
    run: Run, linked: Path, asked: tuple[str, ...], options: tuple[str, ...]
) -> None:
    """Out of the current folder only a yes writes, and stderr names the file."""
    ran = run(*asked, *options)
    assert ran.code == 0, ran.err
    assert f"code.py leads by a symbolic link to {linked}" in ran.err
    assert linked.read_text() == (NEW if "--yes" in options else OLD)


def test_a_person_sees_where_a_link_leads_before_the_question(
    terminal: OpenTerminal, linked: Path, code: Path, asked: tuple[str, ...]
) -> None:
    """And a no leaves that file alone."""
    shown = terminal("edit", str(code), *asked[2:])
    came = shown.read_until("Apply? [y/N] ")
    assert "elsewhere.py, outside the current folder" in " ".join(came.split())
    shown.type("n\r")
    assert (shown.end(), linked.read_text()) == (0, OLD)
