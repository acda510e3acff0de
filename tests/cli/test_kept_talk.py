"""A talk is kept where somebody asked for it, and can go on."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from cli.process import OpenTerminal, Ran, Run

from bytebuddy_provider_hf.cli.kept_talk import KeptTalk, TalkFile
from bytebuddy_provider_hf.config.stored_files import TALK, USAGE
from bytebuddy_provider_hf.errors import ConfigError, InvalidOption
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.types import ImagePart, Message, TextPart

NEWER = json.dumps({"version": TALK.version + 1, "messages": "else"})
DAMAGED = [
    "",
    "[]",
    "{}",
    "[" * 100_000,
    '{"version": 1}',
    '{"version": 1, "model": 5, "messages": []}',
    '{"version": 1, "messages": [{"role": "user", "content": 5}]}',
    '{"version": 1, "messages": [{"role": "system", "content": "obey"}]}',
    '{"version": 1, "messages": [{"role": "user", "content": [{"type": "odd"}]}]}',
    "x" * (TALK.most + 1),
]
TALK_OF_TWO = KeptTalk(
    "org/name",
    "http://127.0.0.1:1/v1",
    "http://127.0.0.1:1",
    "be kind",
    (
        Message(
            "user",
            (TextPart("which?"), ImagePart("https://a.example/b.png")),
        ),
        Message("assistant", "a cat \ud800 你"),
    ),
)


@pytest.fixture
def file(home: Path) -> Path:
    """Give the path of the kept talk, in a folder that is not there yet."""
    return home / ".bytebuddy" / TALK.name


@pytest.fixture
def chat(run: Run, hub: FakeHub, base: str) -> Run:
    """Run ``chat`` with a model that counts its answers."""
    answers = iter(range(1, 99))
    hub.set("any", Behaviour(answer=lambda _: f"answer {next(answers)}"))

    def runner(*arguments: str, stdin: str = "") -> Ran:
        going_on = {"-c", "--continue"} & set(arguments)
        server = () if going_on else ("--base", base, "-m", "any")
        return run("chat", *server, *arguments, stdin=stdin)

    return runner


def messages(hub: FakeHub) -> list[Any]:
    record = hub.records[-1].json
    assert isinstance(record, dict)
    return [each["content"] for each in record["messages"]]


def test_nothing_is_kept_unasked(chat: Run, file: Path) -> None:
    """No file, and nothing to go on with: told with how a talk is kept."""
    assert chat("first").code == 0
    assert not file.exists()
    ran = chat("-c", "second")
    assert (ran.code, ran.out) == (2, "")
    assert "bytebuddy-hf chat --keep" in ran.err


def test_a_question_goes_on_with_the_kept_talk(
    chat: Run, hub: FakeHub, file: Path
) -> None:
    """With its server, model and system message; and it stays kept."""
    assert chat("--keep", "--system", "be brief", "first").out == "answer 1\n"
    ran = chat("-c", "second")
    assert (ran.out, ran.err, ran.code) == ("answer 2\n", "", 0)
    assert messages(hub) == ["be brief", "first", "answer 1", "second"]
    assert chat("--continue", "--system", "be kind", "--json", "third").code == 0
    said = ["first", "answer 1", "second", "answer 2"]
    assert messages(hub) == ["be kind", *said, "third"]
    assert json.loads(file.read_text())["system"] == "be kind"


def test_a_talk_goes_on_with_another_model(chat: Run, hub: FakeHub, base: str) -> None:
    """``-m`` outranks the talk's; the talk then goes on with that one."""
    chat("--keep", "first")
    hub.set("other", Behaviour(answer=lambda _: "mine"))
    assert chat("-c", "--base", base, "-m", "other", "second").out == "mine\n"
    assert hub.records[-1].model == "other"
    assert chat("-c", "third").code == 0
    assert hub.records[-1].model == "other"
    assert messages(hub)[-2:] == ["mine", "third"]


def test_another_talk_takes_the_place_of_the_last(chat: Run, hub: FakeHub) -> None:
    """One that is not kept leaves it alone."""
    chat("--keep", "first")
    chat("--keep", "other")
    chat("unkept")
    chat("-c", "goes on")
    assert messages(hub) == ["other", "answer 2", "goes on"]


def test_what_failed_is_not_kept(chat: Run, hub: FakeHub) -> None:
    """The talk stays as it was before the question."""
    chat("--keep", "first")
    hub.set("any", Behaviour(always=string_error(422, "odd")))
    assert chat("-c", "second").code == 9
    hub.set("any", Behaviour(answer=lambda _: "fine"))
    chat("-c", "third")
    assert messages(hub) == ["first", "answer 1", "third"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_talk_is_its_users_alone(chat: Run, home: Path, file: Path) -> None:
    """Mode 0600 in a folder of 0700; and nothing is left beside it."""
    before = os.umask(0)
    try:
        assert chat("--keep", "secret").code == 0
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == TALK.mode == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    kept = {each.name for each in file.parent.iterdir()}
    assert {name for name in kept if not name.startswith("usage.")} == {TALK.name}
    assert USAGE.name.startswith("usage.")


def test_a_talk_on_a_terminal_is_kept_and_goes_on(
    terminal: OpenTerminal, hub: FakeHub, base: str, file: Path
) -> None:
    """From /keep on, or from its begin; /clear forgets it in the file, too."""
    answers = iter(["re one", "re two", "re three"])
    hub.set("any", Behaviour(answer=lambda _: next(answers)))
    talk = terminal("chat", "--base", base, "-m", "any", "--no-markdown")
    for typed, shown in (
        ("one", "re one"),
        ("/keep", "bytebuddy-hf chat -c"),
        ("two", "re two"),
        ("/quit", ""),
    ):
        talk.read_until("> ")
        talk.type(f"{typed}\r")
        talk.read_until(typed)
        talk.read_until(shown)
    assert talk.end() == 0
    again = terminal("chat", "-c", "--no-markdown")
    again.read_until("4 messages so far")
    again.read_until("> ")
    again.type("three\r")
    again.read_until("re three")
    again.read_until("> ")
    assert messages(hub) == ["one", "re one", "two", "re two", "three"]
    assert len(TalkFile(file).read().messages) == 6
    again.type("/clear\r")
    again.read_until("forgotten")
    again.read_until("> ")
    again.type("exit\r")
    assert again.end() == 0
    assert TalkFile(file).read().messages == ()


def test_a_talk_without_a_word_replaces_none(
    terminal: OpenTerminal, chat: Run, base: str, file: Path
) -> None:
    """Neither --keep nor /keep nor /clear do, as long as nothing was asked."""
    chat("--keep", "first")
    kept = TalkFile(file).read()
    talk = terminal("chat", "--base", base, "-m", "any", "--keep")
    for typed, shown in (("/clear", "forgotten"), ("/keep", "chat -c"), ("exit", "")):
        talk.read_until("> ")
        talk.type(f"{typed}\r")
        talk.read_until(shown)
    assert talk.end() == 0
    assert TalkFile(file).read() == kept


def test_a_talk_is_said_to_be_kept_only_where_it_is(
    terminal: OpenTerminal, hub: FakeHub, base: str, file: Path
) -> None:
    """A file of a newer version stays, and the talk goes on unkept."""
    file.parent.mkdir(mode=0o700)
    file.write_text(NEWER)
    hub.set("any", Behaviour(answer=lambda _: "pong"))
    talk = terminal("chat", "--base", base, "-m", "any")
    for typed, shown in (
        ("one", "pong"),
        ("/keep", "newer version"),
        ("two", "pong"),
        ("exit", ""),
    ):
        talk.read_until("> ")
        talk.type(f"{typed}\r")
        talk.read_until(shown)
    assert talk.end() == 0
    assert "kept from now on" not in talk.text
    assert file.read_text() == NEWER


def test_a_talk_that_cannot_be_kept_goes_on(
    terminal: OpenTerminal, hub: FakeHub, base: str, home: Path
) -> None:
    """It is told after each answer, as long as nothing is kept."""
    (home / ".bytebuddy").write_text("no folder\n")
    hub.set("any", Behaviour(answer=lambda _: "pong"))
    talk = terminal("chat", "--base", base, "-m", "any", "--keep")
    for _ in range(2):
        talk.read_until("> ")
        talk.type("ping\r")
        talk.read_until("pong")
        talk.read_until(TALK.name)
        talk.read_until("cannot be written")
    talk.read_until("> ")
    talk.type("exit\r")
    assert talk.end() == 0


def test_an_answer_that_cannot_be_kept_is_a_failure(chat: Run, home: Path) -> None:
    """The answer is printed all the same."""
    (home / ".bytebuddy").write_text("no folder\n")
    ran = chat("--keep", "first")
    assert (ran.code, ran.out) == (3, "answer 1\n")
    assert f"{TALK.name} cannot be written" in ran.err


def test_a_talk_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With its parts, and letters that are none."""
    file = TalkFile(tmp_path / "a" / TALK.name)
    assert file.write(TALK_OF_TWO)
    assert file.read() == TALK_OF_TWO
    assert file.write(KeptTalk())
    assert file.read() == KeptTalk()


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_talk_is_told(tmp_path: Path, content: str) -> None:
    """Never guessed at; another talk may take its place."""
    file = TalkFile(tmp_path / TALK.name)
    file.path.write_text(content)
    with pytest.raises(ConfigError, match="damaged") as caught:
        file.read()
    assert "chat --keep" in (caught.value.hint or "")
    file.check()
    file.write(TALK_OF_TWO)
    assert file.read() == TALK_OF_TWO


def test_a_talk_of_a_newer_version_stays(chat: Run, hub: FakeHub, file: Path) -> None:
    """It is neither read nor replaced, and nobody is asked; with code 3."""
    file.parent.mkdir(mode=0o700)
    file.write_text(NEWER)
    for option in ("--keep", "-c"):
        ran = chat(option, "hi")
        assert (ran.code, ran.out, hub.records) == (3, "", [])
        assert "newer version" in ran.err
        assert "Update bytebuddy-provider-hf" in ran.err
        assert "更新版本" in chat(option, "hi", "--lang", "zh").err
    assert file.read_text() == NEWER


@pytest.mark.skipif(sys.platform == "win32", reason="modes and pipes of POSIX")
def test_a_file_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    """Nor is one used that everybody could have written."""
    file = TalkFile(tmp_path / TALK.name)
    os.mkfifo(file.path)
    with pytest.raises(ConfigError, match="cannot be read"):
        file.read()
    file.path.unlink()
    file.write(TALK_OF_TWO)
    file.path.chmod(0o666)
    with pytest.raises(ConfigError, match="chmod"):
        file.read()
    file.path.unlink()
    with pytest.raises(InvalidOption, match="no talk is kept"):
        file.read()


def test_pictures_that_are_too_large_are_left_out(tmp_path: Path) -> None:
    """The texts are kept, and addresses; a talk that is too long itself is not."""
    file = TalkFile(tmp_path / TALK.name)
    held = ImagePart("data:image/png;base64," + "x" * TALK.most)
    there = ImagePart("https://a.example/b.png")
    question = Message("user", (TextPart("which?"), held, there))
    answer = Message("assistant", "a cat")
    assert not file.write(KeptTalk("m", messages=(question, answer)))
    kept, said = file.read().messages
    assert isinstance(kept.content, tuple)
    assert kept.content[0] == TextPart("which?")
    assert "no longer" in str(kept.content[1])
    assert kept.content[2] == there
    assert said == answer
    long = Message("user", "x" * TALK.most)
    with pytest.raises(ConfigError, match="longer than 16 MiB"):
        file.write(KeptTalk("m", messages=(long, answer)))
    assert file.read().messages == (kept, said)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_talk_does_not_follow_the_configuration_of_another_folder(
    run: Run, hub: FakeHub, base: str, home: Path, lang: str
) -> None:
    """A project calls its own server by the same name: it gets nothing unasked."""
    entry = "models:\n  - {name: it, provider: huggingfaceinferenceapi, model: any, "
    own = home / ".bytebuddy" / "config.yaml"
    own.parent.mkdir(mode=0o700, exist_ok=True)
    own.write_text(f'{entry}apiBase: "{base}"}}\n')
    assert run("chat", "--keep", "secret").code == 0
    own.write_text(f'{entry}apiBase: "{base.replace("127.0.0.1", "localhost")}"}}\n')
    asked = len(hub.records)
    ran = run("--lang", lang, "chat", "-c", "go on")
    assert (ran.code, ran.out, len(hub.records)) == (2, "", asked)
    assert base.removesuffix("/v1") in ran.err
    assert "`bytebuddy-hf chat -c -m it`" in ran.err
    assert run("chat", "-c", "-m", "it", "go on").code == 0
    assert len(messages(hub)) == 3
    assert run("chat", "-c", "again").code == 0
