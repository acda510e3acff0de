"""``fill`` in a process of its own: the code at a place, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.process import CANARY, OpenTerminal, Run

from bytebuddy_provider_hf.testing.answers import chat_stream, completion_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import rate_limited
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

# A family with infilling tokens: the place of the cursor is in the prompt.
CODER = "bigcode/starcoder2-3b"
TEXT = "def greet(name):\n    é = \n\n\ngreet('you')\n"
FILLING = "f'Hello {name}'\n    print(é)"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Give a file in the folder where the command runs."""
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    path = folder / "code.py"
    path.write_bytes(TEXT.encode())
    return path


@pytest.fixture
def asked(base: str, hub: FakeHub) -> tuple[str, ...]:
    hub.set(CODER, Behaviour(answer=lambda _: FILLING))
    return ("--base", base, "-m", CODER)


def sent(hub: FakeHub) -> str:
    return json.dumps(hub.records[-1].json, ensure_ascii=False)


def test_the_filling_is_printed_and_nothing_else(
    run: Run, code: Path, asked: tuple[str, ...]
) -> None:
    """In a pipe: the code byte by byte, without a line feed of its own."""
    ran = run("fill", "code.py:2:9", *asked)
    assert (ran.out, ran.code) == (FILLING, 0)
    assert code.read_text("utf-8") == TEXT


def test_the_place_is_where_the_model_is_asked(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """What stands before and after the cursor, counted in characters."""
    run("fill", "code.py:2:5", *asked)
    sent_text = sent(hub)
    before, after = "def greet(name):\\n    <", ">é = \\n"
    assert before in sent_text
    assert after in sent_text
    run("fill", "code.py:2", *asked)
    assert "    é = <" in sent(hub)


def test_the_context_is_sent(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """Other files and the project's name, where the model's family knows them."""
    (code.parent / "other.py").write_text("LIMIT = 3\r\n")
    run("fill", "code.py:2:9", "--file", "other.py", "--repository", "shop", *asked)
    for part in ("other.py", "LIMIT = 3", "shop", "code.py"):
        assert part in sent(hub)


def test_one_line_ends_with_its_line(
    run: Run, code: Path, asked: tuple[str, ...]
) -> None:
    """``--one-line`` prints the rest of the line only."""
    ran = run("fill", "code.py:2:9", "--one-line", *asked)
    assert ran.out == "f'Hello {name}'"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_insert_writes_it_at_the_place(
    run: Run, code: Path, asked: tuple[str, ...], *, end: str, mark: str
) -> None:
    """The file's line ends and byte order mark stay; stdout has the filling too."""
    code.write_bytes(f"{mark}{TEXT}".replace("\n", end).encode())
    ran = run("fill", "code.py:2:9", "--insert", *asked)
    assert (ran.out, ran.code) == (FILLING, 0)
    assert ran.err.endswith("wrote code.py\n")
    new = TEXT.replace("é = ", f"é = {FILLING}", 1)
    assert code.read_bytes() == f"{mark}{new}".replace("\n", end).encode()


def test_a_file_that_changed_meanwhile_stays(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """The filling is printed; the file of somebody else is not touched."""

    def saved(_: FakeRequest) -> str:
        code.write_text("saved meanwhile\n")
        return FILLING

    hub.set(CODER, Behaviour(answer=saved))
    ran = run("fill", "code.py:2:9", "--insert", *asked)
    assert (ran.code, ran.out, code.read_text()) == (1, FILLING, "saved meanwhile\n")


def test_a_text_that_is_not_saved_is_piped_in(
    run: Run, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """With ``--stdin`` the file is only a name, and need not be there."""
    ran = run("fill", "new.py:1:5", "--stdin", *asked, stdin="x = \n")
    assert (ran.out, ran.code) == (FILLING, 0)
    assert "x = <" in sent(hub)


def test_json_is_one_object(run: Run, code: Path, asked: tuple[str, ...]) -> None:
    """The place, the text, why it ended, and whether it was written."""
    told = json.loads(run("fill", "code.py:2:9", "--json", *asked).out)
    assert (told["file"], told["line"], told["column"]) == ("code.py", 2, 9)
    assert (told["text"], told["inserted"]) == (FILLING, False)
    assert told["finish_reason"] == "stop"
    assert told["usage"]["completion_tokens"] > 0


def test_a_cut_filling_is_told(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """It is printed, and stderr says that it is not the end."""

    async def cut(request: FakeRequest) -> FakeReply:
        stream = chat_stream if "messages" in sent(hub) else completion_stream
        return stream([FILLING], finish_reason="length")

    hub.set(CODER, Behaviour(always=cut))
    ran = run("fill", "code.py:2:9", *asked)
    assert (ran.out, ran.code) == (FILLING, 0)
    assert "cut at its limit of tokens" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("code.py",), "FILE:LINE:COL"),
        (("code.py:9:1",), "ends in line 6"),
        (("code.py:1:99",), "has 16 characters"),
        (("none.py:1:1",), "There is no file none.py"),
        (("code.py:1:1", "--file", "none.py"), "There is no file none.py"),
        (("code.py:1:1", "--insert", "--stdin"), "--stdin reads none"),
        (("binary:1:1",), "is not text: a NUL in line 2"),
    ],
)
def test_wrong_usage_is_told(
    run: Run,
    code: Path,
    hub: FakeHub,
    asked: tuple[str, ...],
    *,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    """Exit 2, and no model is asked."""
    (code.parent / "binary").write_bytes(b"a\nb\0c")
    ran = run("fill", *arguments, *asked)
    assert (ran.code, ran.out, hub.records) == (2, "", [])
    assert said in ran.err


def test_no_wait_ends_at_a_limit(
    run: Run, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """As in every command: exit 6, one request."""
    hub.set(CODER, Behaviour(always=rate_limited(retry_after=30)))
    ran = run("fill", "code.py:2:9", "--no-wait", *asked)
    assert (ran.code, ran.out, len(hub.records)) == (6, "", 1)


def test_a_person_sees_no_control_sequence(
    terminal: OpenTerminal, code: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """On a terminal the filling never draws: what would is shown by its number."""
    hub.set(CODER, Behaviour(answer=lambda _: "a\x1b]0;owned\x07b = 1"))
    shown = terminal("fill", f"{code}:2:9", *asked)
    assert shown.end() == 0
    assert "\x07" not in shown.text
    assert "a<U+001B>]0;owned<U+0007>b = 1" in shown.text


def test_the_role_is_what_chooses_a_model(run: Run, home: Path, code: Path) -> None:
    """Without an entry for autocomplete the next step is told, exit 3."""
    folder = home / ".bytebuddy"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        "models:\n  - name: one\n    provider: huggingfaceinferenceapi\n"
        "    model: org/one\n"
    )
    ran = run("fill", "code.py:2:9", HF_TOKEN=CANARY)
    assert ran.code == 3
    assert "autocomplete" in ran.err


@pytest.fixture
def linked(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file outside of the folder that ``code.py`` is a link to."""
    target = tmp_path_factory.mktemp("far") / "elsewhere.py"
    code.rename(target)
    code.symlink_to(target)
    return target


def test_out_of_the_folder_nothing_is_inserted_unasked(
    run: Run, linked: Path, hub: FakeHub, asked: tuple[str, ...]
) -> None:
    """Where nobody can be asked: refused before the model is, unless --yes."""
    ran = run("fill", "code.py:2:9", "--insert", *asked)
    assert ran.code == 2
    assert f"code.py leads by a symbolic link to {linked}" in ran.err
    assert "add --yes" in ran.err
    assert hub.records == []
    assert linked.read_text("utf-8") == TEXT
    assert run("fill", "code.py:2:9", *asked).code == 0
    ran = run("fill", "code.py:2:9", "--insert", "--yes", *asked)
    assert ran.code == 0
    assert str(linked) in ran.err
    assert FILLING in linked.read_text("utf-8")


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_person_is_asked_before_a_link_is_followed(
    terminal: OpenTerminal,
    linked: Path,
    code: Path,
    asked: tuple[str, ...],
    answer: str,
) -> None:
    """Only a yes inserts."""
    shown = terminal("fill", f"{code}:2:9", "--insert", *asked)
    shown.read_until("Write there? [y/N] ")
    shown.type(f"{answer}\r")
    assert shown.end() == 0
    assert (FILLING in linked.read_text("utf-8")) == (answer == "y")
