"""A change in doubt is shown, asked about, and not written by ``--yes`` alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from attrs import frozen
from cli.process import OpenTerminal, serving
from click.testing import CliRunner, Result

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.model_source import ModelSource
from bytebuddy_provider_hf.cli.root import cli
from bytebuddy_provider_hf.errors import Doubt, EditDoubtful
from bytebuddy_provider_hf.plugins.pending_reply import PendingReply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.types import Done, Event, Reply, Role, Text

OLD = "def f(a):\n    return a\n"
NEW = "def f(a):\n    return a + 1\n"
DIFF = "-    return a\n+    return a + 1\n"
GONE = Doubt("gone", "The function g is gone.", ("def g(a):\n", "    return a\n"))
# Its place is nobody's guess, so that a model is asked.
VAGUE = "Somewhere in there:\n\n    return a * 2\n"


def call(reply: Reply, error: EditDoubtful | None = None) -> PendingReply:
    async def whole() -> Reply:
        return reply

    async def stream() -> AsyncGenerator[Event, None]:
        yield Text(reply.text)
        if error is not None:
            raise error
        yield Done(reply)

    return PendingReply(whole, stream)


@frozen
class Scripted:
    """A model that changes every file in the same way, and doubts it."""

    doubts: tuple[Doubt, ...] = (GONE,)
    name: str = "scripted"
    model: str = "org/scripted"
    roles: tuple[Role, ...] = (Role.EDIT, Role.APPLY)
    capabilities: frozenset[str] = frozenset()

    async def aclose(self) -> None:
        pass

    def edit(self, code: str, instruction: str, **given: object) -> PendingReply:
        raise NotImplementedError

    def apply(self, original: str, suggestion: str, **given: object) -> PendingReply:
        raise NotImplementedError


class Knowing(Scripted):
    """Returns its doubts, where it is told to."""

    def edit(
        self, code: str, instruction: str, *, doubts: str = "raise", **_: object
    ) -> PendingReply:
        assert (code, bool(instruction), doubts) == (OLD, True, "return")
        return call(Reply(NEW, finish_reason="stop", doubts=self.doubts))

    def apply(
        self, original: str, suggestion: str, *, doubts: str = "raise", **_: object
    ) -> PendingReply:
        return self.edit(original, suggestion, doubts=doubts)


class Raising(Scripted):
    """Knows no such keyword, as models of other providers may not."""

    def edit(self, code: str, instruction: str, **given: object) -> PendingReply:
        assert "doubts" not in given
        assert (code, bool(instruction)) == (OLD, True)
        error = EditDoubtful("It may not be meant.")
        error.original, error.result, error.doubts = code, NEW, self.doubts
        return call(Reply(NEW), error)

    def apply(self, original: str, suggestion: str, **given: object) -> PendingReply:
        return self.edit(original, suggestion, **given)


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file in the folder where the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vague").write_text(VAGUE)
    path = tmp_path / "code.py"
    path.write_bytes(OLD.encode())
    return path


def run(
    monkeypatch: pytest.MonkeyPatch, model: Scripted, *arguments: str, lang: str = "en"
) -> Result:
    """Run a command on ``code.py`` with a model of that kind."""

    async def opened(_: ModelSource, *__: object, **___: object) -> Scripted:
        return model

    monkeypatch.setattr(ModelSource, "open", opened)
    # Not those of whoever runs the tests.
    env = {"BYTEBUDDY_LANG": lang, "HOME": str(Path.cwd())}
    return CliRunner(env=env).invoke(cli, arguments)


EDIT = ("edit", "code.py", "-i", "add one")
APPLY = ("apply", "code.py", "vague")


@pytest.fixture(params=[Knowing, Raising])
def model(request: pytest.FixtureRequest) -> Scripted:
    made: Scripted = request.param()
    return made


@pytest.mark.parametrize("command", [EDIT, APPLY], ids=["edit", "apply"])
def test_yes_does_not_write_a_change_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
    code: Path,
    model: Scripted,
    command: tuple[str, ...],
) -> None:
    """Exit 10: diff, doubt and the next step are shown, the file stays."""
    ran = run(monkeypatch, model, *command, "--yes")
    assert (ran.exit_code, code.read_text()) == (10, OLD)
    assert DIFF in ran.stdout
    lines = ran.stderr.splitlines()
    assert lines[-5:-2] == [
        "in doubt: The function g is gone.",
        "  | def g(a):",
        "  |     return a",
    ]
    assert lines[-2] == "error: code.py was not written: the change is in doubt."
    assert "--accept-doubts" in lines[-1]


@pytest.mark.parametrize("command", [EDIT, APPLY], ids=["edit", "apply"])
def test_accepted_doubts_are_written(
    monkeypatch: pytest.MonkeyPatch,
    code: Path,
    model: Scripted,
    command: tuple[str, ...],
) -> None:
    """With ``--yes``; the doubt is told all the same."""
    ran = run(monkeypatch, model, *command, "--yes", "--accept-doubts")
    assert (ran.exit_code, code.read_text()) == (0, NEW)
    assert "in doubt: The function g is gone." in ran.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "code.py was not written; --yes --accept-doubts writes it\n"),
        (("--accept-doubts",), "code.py was not written; --yes writes it\n"),
        (("--diff",), "  |     return a\n"),
    ],
)
def test_without_a_yes_doubts_are_shown(
    monkeypatch: pytest.MonkeyPatch,
    code: Path,
    model: Scripted,
    options: tuple[str, ...],
    said: str,
) -> None:
    """The diff on stdout and the doubt on stderr; nothing failed, so exit 0."""
    ran = run(monkeypatch, model, *EDIT, *options)
    assert (ran.exit_code, code.read_text()) == (0, OLD)
    assert ran.stdout.endswith(DIFF)
    assert "in doubt: The function g is gone." in ran.stderr
    assert ran.stderr.endswith(said)


@pytest.mark.parametrize(
    ("options", "exit_code"),
    [((), 0), (("--yes",), 10), (("--yes", "--accept-doubts"), 0)],
)
def test_json_has_the_doubts(
    monkeypatch: pytest.MonkeyPatch,
    code: Path,
    model: Scripted,
    options: tuple[str, ...],
    exit_code: int,
) -> None:
    """One object; where ``--yes`` was refused it holds the failure too."""
    ran = run(monkeypatch, model, *EDIT, "--json", *options)
    told = json.loads(ran.stdout)
    assert (ran.exit_code, ran.stderr) == (exit_code, "")
    assert told["doubts"] == [
        {
            "kind": "gone",
            "message": "The function g is gone.",
            "lines": ["def g(a):\n", "    return a\n"],
        }
    ]
    written = "--accept-doubts" in options
    assert (told["changed"], told["written"]) == (True, written)
    assert DIFF in told["diff"]
    assert code.read_text() == (NEW if written else OLD)
    assert told.get("error", {}).get("type") == ((exit_code and "EditDoubtful") or None)


def test_without_a_doubt_nothing_is_said_of_doubts(
    monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """``--yes`` writes as it always did, and JSON has an empty list."""
    model = Knowing(doubts=())
    ran = run(monkeypatch, model, *EDIT, "--yes")
    assert (ran.exit_code, code.read_text()) == (0, NEW)
    assert "doubt" not in ran.stderr
    code.write_text(OLD)
    assert json.loads(run(monkeypatch, model, *EDIT, "--json").stdout)["doubts"] == []


def test_an_error_without_reasons_is_a_doubt_of_its_own(
    monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """A provider that raises and says no more is believed."""
    ran = run(monkeypatch, Raising(doubts=()), *EDIT, "--yes")
    assert (ran.exit_code, code.read_text()) == (10, OLD)
    assert "in doubt: It may not be meant.\n" in ran.stderr


def test_a_doubt_is_told_in_chinese(
    monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """All but the sentence of a provider, which has one language."""
    ran = run(monkeypatch, Knowing(), *EDIT, "--yes", lang="zh")
    assert (ran.exit_code, code.read_text()) == (10, OLD)
    assert "存疑：The function g is gone.\n" in ran.stderr
    assert "没有写入 code.py：改动存疑。" in ran.stderr


def test_accepting_doubts_without_writing_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, code: Path
) -> None:
    """``--diff`` writes nothing, so there is nothing to accept."""
    ran = run(monkeypatch, Knowing(), *EDIT, "--diff", "--accept-doubts")
    assert (ran.exit_code, code.read_text()) == (2, OLD)
    assert "give one of them" in ran.stderr


def test_much_doubted_code_is_not_all_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Twenty lines of each doubt, without control sequences."""
    lines = tuple(f"line {n}\x1b[2J\n" for n in range(30))
    screen.print_doubts([Doubt("gone", "Much is gone.\x1b[2J", lines)])
    shown = capsys.readouterr().err
    assert shown.splitlines()[-1] == "  … and 10 more lines"
    assert len(shown.splitlines()) == 22
    assert "\x1b" not in shown


FUNCTION = "def {0}(value):\n    return value + {1}\n\n\n"
THREE = "".join(FUNCTION.format(name, len(name)) for name in ("a", "bcd", "efghi"))
# One function changed, one gone.
TWO = THREE.replace(FUNCTION.format("bcd", 3), "").replace("value + 1", "value - 1")


@pytest.fixture
def base() -> Iterator[str]:
    """Give a server whose model leaves a function out."""
    behaviour = Behaviour(answer=lambda _: f"```python\n{TWO}```\n")
    with serving(FakeHub(default=behaviour).handle) as url:
        yield f"{url}/v1"


@pytest.mark.parametrize(
    ("answer", "content"), [("y", TWO.rstrip()), ("", THREE.rstrip())]
)
def test_a_function_that_goes_unnamed_is_asked_about(
    terminal: OpenTerminal, tmp_path: Path, base: str, *, answer: str, content: str
) -> None:
    """On a real terminal, with a model of this provider."""
    code = tmp_path / "code.py"
    code.write_text(THREE)
    shown = terminal(
        *("edit", str(code), "-i", "subtract in a", "--base", base, "-m", "any")
    )
    came = shown.read_until("Write it all the same? [y/N] ")
    assert came.index("+    return value - 1") < came.index("in doubt: ")
    assert "bcd" in came[came.index("in doubt: ") :]
    shown.type(f"{answer}\r")
    assert (shown.end(), code.read_text().rstrip()) == (0, content)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Let a person be there; what is written into the descriptor is typed."""
    reader, writer = os.pipe()
    monkeypatch.setattr(screen, "is_interactive", lambda _: True)
    with os.fdopen(reader, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writer
    os.close(writer)


@pytest.mark.parametrize(
    ("options", "question"),
    [
        ((), "Write it all the same? [y/N] "),
        (("--accept-doubts",), "Apply? [y/N] "),
    ],
)
@pytest.mark.parametrize(("answer", "content"), [("y\n", NEW), ("\n", OLD)])
def test_a_person_is_asked_once_more(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: Path,
    typed: int,
    *,
    options: tuple[str, ...],
    question: str,
    answer: str,
    content: str,
) -> None:
    """Diff, doubt, question; no is the default. Accepted, it is the usual question."""
    os.write(typed, answer.encode())
    monkeypatch.setenv("HOME", str(code.parent))
    monkeypatch.setenv("BYTEBUDDY_LANG", "en")

    async def opened(_: ModelSource, *__: object, **___: object) -> Scripted:
        return Knowing()

    monkeypatch.setattr(ModelSource, "open", opened)
    cli.main([*EDIT, *options], standalone_mode=False)
    shown = capsys.readouterr()
    assert question in shown.out
    assert "return a + 1" in shown.out
    assert "in doubt: The function g is gone." in shown.err
    assert code.read_text() == content
