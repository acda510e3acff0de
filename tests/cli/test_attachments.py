"""What goes along with a question: files, pictures, a schema, tools."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cli.process import OpenTerminal, Ran, Run
from click.testing import CliRunner

from bytebuddy_provider_hf.cli import attachments
from bytebuddy_provider_hf.cli.attachments import (
    MOST_TEXT,
    Attachments,
    read_files,
    read_images,
    read_schema,
    read_tools,
)
from bytebuddy_provider_hf.cli.chat import readable_content
from bytebuddy_provider_hf.cli.root import cli
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.types import ImagePart, TextPart, ToolCall

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
HELD = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
FUNCTION = {"name": "weather", "description": "of a town", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
TWICE = "```py\nx\n```\n"


@pytest.fixture
def project(run: Run, tmp_path: Path) -> Path:
    """Give the folder that ``run`` runs commands in, with something to send."""
    assert run
    folder = tmp_path / "project"
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2")
    (folder / "README").write_text(TWICE)
    (folder / "cat.png").write_bytes(PNG)
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    (folder / "tool.json").write_text(json.dumps(TOOL))
    return folder


@pytest.fixture
def ask(project: Path, run: Run, base: str) -> Run:
    """Run a command there, with a model of the test's server."""
    assert project.is_dir()

    def runner(command: str, *arguments: str, stdin: str = "") -> Ran:
        return run(command, "--base", base, "-m", "any", *arguments, stdin=stdin)

    return runner


def sent(hub: FakeHub) -> dict[str, Any]:
    record = hub.records[-1].json
    assert isinstance(record, dict)
    return record


def test_files_stand_before_the_question(ask: Run, hub: FakeHub) -> None:
    """Each by its name, in a fence that its text cannot close."""
    ran = ask("chat", "-f", "src/app.py", "--file", "README", "why?")
    assert ran.code == 0, ran.err
    assert sent(hub)["messages"] == [
        {
            "role": "user",
            "content": "src/app.py:\n```py\na = 1\nb = 2\n```\n\n"
            f"README:\n````\n{TWICE}````\n\nwhy?",
        }
    ]


def test_where_a_file_lies_is_nobodys_business(
    ask: Run, hub: FakeHub, tmp_path: Path
) -> None:
    """Of one outside of this folder only the name is sent."""
    (tmp_path / "notes.txt").write_text("n\n")
    ask("chat", "-f", str(tmp_path / "notes.txt"), "why?", stdin="and piped")
    content = sent(hub)["messages"][0]["content"]
    assert content == "notes.txt:\n```txt\nn\n```\n\nwhy?\n\nand piped"


def test_a_text_is_continued_behind_its_file(ask: Run, hub: FakeHub) -> None:
    """As both stand: nothing is put between, and a file alone is enough."""
    ask("complete", "-f", "src/app.py", " + 1")
    assert sent(hub)["prompt"] == "a = 1\r\nb = 2 + 1"
    assert ask("complete", "-f", "src/app.py").code == 0
    assert sent(hub)["prompt"] == "a = 1\r\nb = 2"


def test_pictures_go_along(ask: Run, hub: FakeHub) -> None:
    """A file in the message itself, an address as it is."""
    address = "https://example.org/dog.png"
    ran = ask("chat", "--image", "cat.png", "--image", address, "which?")
    assert ran.code == 0, ran.err
    text, *images = sent(hub)["messages"][0]["content"]
    assert text == {"type": "text", "text": "which?"}
    assert [each["image_url"]["url"] for each in images] == [HELD, address]


def test_a_model_that_sees_nothing_is_told(home: Path, base: str) -> None:
    """By the failure that such a call has everywhere."""
    (home / ".bytebuddy").mkdir()
    (home / ".bytebuddy" / "config.yaml").write_text(
        "models:\n  - {name: blind, provider: huggingfaceinferenceapi, model: any,"
        f' apiBase: "{base}", capabilities: [tool_use]}}\n'
    )
    ran = CliRunner(env={"HOME": str(home)}).invoke(
        cli, ["chat", "-m", "blind", "--image", HELD, "which?"]
    )
    assert ran.exit_code == 2
    assert "image_input" in ran.stderr


def test_an_answer_keeps_to_a_schema(ask: Run, hub: FakeHub) -> None:
    """It is sent as OpenAI's ``response_format``."""
    hub.set("any", Behaviour(answer=lambda _: '{"name": "_Ada_"}'))
    ran = ask("chat", "--schema", "schema.json", "who?")
    assert ran.out == '{"name": "_Ada_"}\n'
    wanted = sent(hub)["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"] == SCHEMA


def test_json_is_not_drawn_as_markdown(
    terminal: OpenTerminal, hub: FakeHub, base: str, tmp_path: Path
) -> None:
    """On a terminal: its underscores and line ends are its own."""
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    hub.set("any", Behaviour(answer=lambda _: '{"a": "_x_",\n"b": 1}'))
    schema = str(tmp_path / "schema.json")
    shown = terminal("chat", "--base", base, "-m", "any", "--schema", schema, "who?")
    assert shown.end() == 0
    assert '{"a": "_x_",\r\n"b": 1}\r\n' in shown.text


CALLS = (ToolCall("1", "weather", '{"town": "Bonn"}'), ToolCall("2", "a\x1b[2Jb", "no"))


def calling(*pieces: str, calls: Sequence[ToolCall] = CALLS) -> Behaviour:
    """Say ``pieces``, then call tools."""
    answer = chat_stream(pieces, tool_calls=calls, finish_reason="tool_calls")
    return Behaviour(always=answer)


def test_the_calls_of_tools_are_printed(ask: Run, hub: FakeHub, project: Path) -> None:
    """As the model wrote them, a line each; what could draw on a screen is taken out.

    A file holds one tool or a list of them.
    """
    (project / "tools.json").write_text(json.dumps([TOOL]))
    hub.set("any", calling())
    ran = ask("chat", "--tool", "tool.json", "weather in Bonn?")
    assert ran.out == 'weather {"town": "Bonn"}\nab no\n'
    assert ran.err == "note: The arguments of the call to ab are not JSON.\n"
    assert sent(hub)["tools"] == [TOOL]
    ran = ask("chat", "--tool", "tools.json", "--json", "weather in Bonn?")
    assert json.loads(ran.out)["tool_calls"][0]["name"] == "weather"
    assert sent(hub)["tools"] == [TOOL]


def test_the_calls_stand_below_the_text(
    terminal: OpenTerminal, hub: FakeHub, base: str, tmp_path: Path
) -> None:
    """On a terminal too, where the text is drawn."""
    (tmp_path / "tool.json").write_text(json.dumps(TOOL))
    hub.set("any", calling("I ask **now**", calls=CALLS[:1]))
    tool = str(tmp_path / "tool.json")
    shown = terminal("chat", "--base", base, "-m", "any", "--tool", tool, "hi")
    assert shown.end() == 0
    *_, text, call, _ = shown.text.split("\r\n")
    assert "now" in text
    assert call == 'weather {"town": "Bonn"}'


def test_what_was_not_given_is_not_sent(ask: Run, hub: FakeHub) -> None:
    """Nor is a model of another package asked to know it."""
    assert ask("chat", "hi").code == 0
    assert not {"tools", "response_format", "seed"} & set(sent(hub))
    assert Attachments().arguments == {}


WRONG = {
    "no file": (
        ["-f", "none.txt"],
        "There is no file none.txt.",
        "文件 none.txt 不存在。",
    ),
    "a folder": (["-f", "src"], "src is not a file.", "src 不是文件。"),
    "a device": (["-f", "/dev/zero"], "/dev/zero is not a file.", "不是文件"),
    "no text": (["-f", "cat.png"], "cat.png is not UTF-8 text", "不是 UTF-8 文本"),
    "no picture": (["--image", "README"], "no PNG, JPEG, GIF or WebP", "README"),
    "no picture there": (["--image", "no.png"], "no.png cannot be read", "no.png"),
    "no JSON": (
        ["--schema", "README"],
        "README is not JSON: line 1, column 1",
        "README 不是 JSON：第 1 行第 1 列有误",
    ),
    "deep JSON": (["--schema", "deep"], "nested too deeply", "嵌套过深"),
    "no schema": (
        ["--schema", "list"],
        "list holds no JSON schema",
        "没有 JSON schema",
    ),
    "no tools": (["--tool", "list"], "list holds no tool", "list 中没有工具"),
    "no tool": (["--tool", "schema.json"], "schema.json: ", "schema.json："),
    "a word": (["--tool", "word"], "word: ", "word："),
    "kept tool": (
        ["--tool", "tool.json", "--keep"],
        "--tool is for one",
        "--tool 只用于",
    ),
}


@pytest.mark.skipif(sys.platform == "win32", reason="devices of POSIX")
@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_cannot_be_sent_is_wrong_usage(
    ask: Run, hub: FakeHub, project: Path, case: str, lang: str
) -> None:
    """Told with what to do, before anybody is asked."""
    (project / "deep").write_text("[" * 200_000)
    (project / "list").write_text("[]")
    (project / "word").write_text('"weather"')
    arguments, english, chinese = WRONG[case]
    ran = ask("chat", *arguments, "hi", "--lang", lang)
    assert (ran.code, ran.out, hub.records) == (2, "", [])
    assert (english if lang == "en" else chinese) in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_pipe_is_not_waited_for(ask: Run, project: Path) -> None:
    """Nobody may ever write to it."""
    os.mkfifo(project / "pipe")
    for option in ("-f", "--image", "--schema", "--tool"):
        assert ask("chat", option, "pipe", "hi").code == 2


def test_all_together_has_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many files and pictures are named."""
    (tmp_path / "large").write_text("x" * (MOST_TEXT // 4))
    path = tmp_path / "large"
    assert len(read_files([path] * 4)) == 4
    with pytest.raises(InvalidOption, match="larger than 16 MiB together"):
        read_files([path] * 5)
    monkeypatch.setattr(attachments, "MOST_PICTURES", 2 * 1024**2)
    assert len(read_images([HELD] * 3)) == 3
    with pytest.raises(InvalidOption, match="larger than 2 MiB together"):
        read_images([f"data:{'x' * 1024**2}"] * 2)


def test_a_schema_and_tools_are_read_as_they_are(project: Path) -> None:
    """With what OpenAI's form has beside the name."""
    assert read_schema(project / "schema.json") == SCHEMA
    (tool,) = read_tools(project / "tool.json")
    assert (tool.name, tool.description, tool.parameters) == (
        "weather",
        "of a town",
        SCHEMA,
    )


def test_a_saved_picture_is_an_address_or_its_beginning() -> None:
    """Megabytes of one would bury the talk."""
    parts = (
        TextPart("which?"),
        ImagePart("https://a.example/b.png"),
        ImagePart(HELD * 9),
    )
    message = Attachments(images=parts[1:]).question("which?")
    assert message.content == parts
    first, second, third = readable_content(message).split("\n\n")
    assert (first, second) == ("which?", "![](https://a.example/b.png)")
    assert len(third) < 80


def test_in_a_talk_files_go_with_the_first_question(
    terminal: OpenTerminal, hub: FakeHub, base: str, tmp_path: Path
) -> None:
    """They are named at its begin, and sent again only as what was said."""
    (tmp_path / "a.txt").write_text("one\n")
    talk = terminal("chat", "--base", base, "-m", "any", "-f", str(tmp_path / "a.txt"))
    talk.read_until("the first question goes with: a.txt")
    for typed in ("first", "second"):
        talk.read_until("> ")
        talk.type(f"{typed}\r")
        talk.read_until("simulated")
    talk.read_until("> ")
    talk.type("exit\r")
    assert talk.end() == 0
    asked = [m["content"] for m in sent(hub)["messages"] if m["role"] == "user"]
    assert asked == ["a.txt:\n```txt\none\n```\n\nfirst", "second"]


@pytest.mark.parametrize("word", ["exit", "quit", "/exit", "/quit"])
def test_a_talk_is_left_as_a_shell_is(
    terminal: OpenTerminal, hub: FakeHub, base: str, word: str
) -> None:
    """By a word alone on a line; within a question it is a word."""
    talk = terminal("chat", "--base", base, "-m", "any")
    talk.read_until("> ")
    talk.type("how do I exit\r")
    talk.read_until("simulated")
    talk.read_until("> ")
    talk.type(f"{word}\r")
    assert talk.end() == 0
    assert sent(hub)["messages"][-1]["content"] == "how do I exit"
