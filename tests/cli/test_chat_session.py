"""``chat`` on a terminal: a talk, Markdown, the wait line, Ctrl-C and Ctrl-D."""

from __future__ import annotations

import json
import time
from pathlib import Path

from cli.process import CANARY, OpenTerminal, Terminal

from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.hub import FakeHub

CTRL_C = "\x03"
CTRL_D = "\x04"
ERASE = "\x1b[2K"
# xterm's "bracketed paste".
PASTES_ARE_MARKED = "\x1b[?2004h"


def messages(hub: FakeHub) -> list[dict[str, str]]:
    return json.loads(hub.records[-1].request.body)["messages"]


def interrupt(talk: Terminal) -> None:
    """Press Ctrl-C at a prompt, as late as a person would."""
    # CPython's readline loses a signal that comes between its writing and its waiting.
    time.sleep(0.3)
    talk.type(CTRL_C)


def test_a_talk_remembers_what_was_said(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """The second question is sent with the first one and its answer."""
    hub.set("any", Behaviour(answer=lambda _: "pong"))
    talk = terminal("chat", "--base", base, "-m", "any", "--system", "play")
    talk.read_until("/help")
    talk.read_until("> ")
    talk.type("ping\r")
    talk.read_until("pong")
    talk.read_until("> ")
    talk.type("again\r")
    talk.read_until("pong")
    talk.read_until("> ")
    talk.type("/quit\r")
    assert talk.end() == 0
    assert [each["content"] for each in messages(hub)] == [
        "play",
        "ping",
        "pong",
        "again",
    ]


def test_the_commands_of_a_talk(
    terminal: OpenTerminal, hub: FakeHub, base: str, tmp_path: Path
) -> None:
    """/model, /system, /save and /clear do what /help says."""
    hub.set("any", Behaviour(answer=lambda _: "one\x1b[31m"))
    hub.set("other", Behaviour(answer=echo))
    saved = tmp_path / "talk.md"
    talk = terminal("chat", "--base", base, "-m", "any")
    for typed, shown in (
        ("/help", "/system TEXT"),
        ("first", "one"),
        (f"/save {saved}", "saved 2 messages"),
        ("/clear", "forgotten"),
        ("/system be kind", "set"),
        ("/model other", "now talking with other"),
        ("/nonsense", "there is no /nonsense"),
        ("second", "second"),
    ):
        talk.read_until("> ")
        talk.type(f"{typed}\r")
        talk.read_until(typed)
        talk.read_until(shown)
    talk.read_until("> ")
    talk.type(CTRL_D)
    assert talk.end() == 0
    assert saved.read_text() == "## user\n\nfirst\n\n## assistant\n\none\n"
    assert [each["content"] for each in messages(hub)] == ["be kind", "second"]
    assert hub.records[-1].model == "other"


def test_ctrl_c_stops_an_answer_and_not_the_talk(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """The text so far stays on the screen and in the talk."""
    hub.set("any", Behaviour(answer=lambda _: "tick " * 1000, gap=0.05))
    talk = terminal("chat", "--base", base, "-m", "any", "--no-markdown")
    talk.read_until("> ")
    talk.type("go\r")
    talk.read_until("tick tick")
    talk.type(CTRL_C)
    talk.read_until("stopped")
    talk.read_until("> ")
    hub.set("any", Behaviour(answer=lambda _: "fine"))
    talk.type("still there?\r")
    talk.read_until("fine")
    talk.read_until("> ")
    talk.type(CTRL_D)
    assert talk.end() == 0
    assert messages(hub)[1]["content"].startswith("tick tick")


def test_ctrl_c_twice_leaves(terminal: OpenTerminal, base: str) -> None:
    """At the prompt the first Ctrl-C warns, the second ends the command."""
    talk = terminal("chat", "--base", base, "-m", "any")
    talk.read_until("> ")
    interrupt(talk)
    talk.read_until("Ctrl-C once more")
    talk.read_until("> ")
    interrupt(talk)
    assert talk.end() == 130


def test_a_failed_answer_does_not_end_the_talk(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """An error is shown, in red, and the question can be asked again."""
    hub.set("any", Behaviour(replies=[string_error(422, "odd")]))
    talk = terminal("chat", "--base", base, "-m", "any")
    talk.read_until("> ")
    talk.type("hi\r")
    assert "\x1b[31m" in talk.read_until("error: ")
    talk.read_until("> ")
    talk.type("hi\r")
    talk.read_until("simulated")
    talk.read_until("> ")
    talk.type(CTRL_D)
    assert talk.end() == 0
    assert len(messages(hub)) == 1


def test_code_on_a_terminal_is_what_the_model_wrote(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """Line for line, wider than the terminal too, as it comes and in the end."""
    long = "\techo " + "word " * 40 + "end"
    text = f"1. Write:\n   ```make\n   all:\n   {long}\n   ```\n"
    hub.set("any", Behaviour(answer=lambda _: text, gap=0.001))
    shown = terminal("chat", "--base", base, "-m", "any", "how?", NO_COLOR="1")
    assert shown.end() == 0
    assert shown.text.endswith(f"\r\nall:\r\n{long}\r\n")


def test_an_answer_on_a_terminal_is_markdown(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """Headings and emphasis are drawn, their marks are gone."""
    hub.set(
        "any", Behaviour(answer=lambda _: "# Top\n\nIt is **bold** [l](http://x.y)")
    )
    shown = terminal("chat", "--base", base, "-m", "any", "hi")
    shown.process.wait(30)
    assert shown.end() == 0
    assert "Top" in shown.text
    assert "**" not in shown.text
    assert "\x1b]" not in shown.text
    plain = terminal("chat", "--base", base, "-m", "any", "--no-markdown", "hi")
    assert plain.end() == 0
    assert "**bold**" in plain.text


def test_the_wait_line_is_redrawn(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """On a terminal the elapsed seconds move, and the line goes with the answer."""
    hub.set("cold", Behaviour(answer=lambda _: "warm", cold_for=2.0))
    shown = terminal("chat", "--base", base, "-m", "cold", "--no-markdown", "hi")
    assert shown.end() == 0
    assert f"{ERASE}cold is loading… 0 s of about 2 s" in shown.text
    assert f"{ERASE}cold is loading… 1 s of about 2 s" in shown.text
    assert shown.text.rstrip().endswith(f"{ERASE}warm")


def test_a_pasted_text_is_one_question(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """Its lines are not questions of their own, and none of them is a command."""
    hub.set("any", Behaviour(answer=lambda _: "seen"))
    talk = terminal("chat", "--base", base, "-m", "any")
    talk.read_until(PASTES_ARE_MARKED)
    talk.read_until("> ")
    talk.type("\x1b[200~/save x\ndef f():\n    pass\x1b[201~")
    talk.type("\r")
    talk.read_until("seen")
    talk.read_until("> ")
    talk.type(CTRL_D)
    assert talk.end() == 0
    assert [each["content"] for each in messages(hub)] == [
        "/save x\ndef f():\n    pass"
    ]


def test_a_dumb_terminal_is_sent_no_sequence(terminal: OpenTerminal, base: str) -> None:
    """Neither for pastes nor for the wait line."""
    talk = terminal("chat", "--base", base, "-m", "any", TERM="dumb")
    talk.read_until("> ")
    talk.type("hi\r")
    talk.read_until("> ")
    talk.type(CTRL_D)
    assert talk.end() == 0
    assert "\x1b" not in talk.text


def test_saving_never_replaces_what_the_talk_did_not_write(
    terminal: OpenTerminal, base: str, tmp_path: Path
) -> None:
    """A file that was there stays as it was; the talk's own grows with it."""
    (tmp_path / "old.md").write_text("dear")
    talk = terminal("chat", "--base", base, "-m", "any")
    for typed, shown in (
        ("/save old.md", "not saved: old.md is there already"),
        ("/save new.md", "saved 0 messages"),
        ("hi", "simulated"),
        ("/save new.md", "saved 2 messages"),
        ("/save ~nobody-of-this-name/x", "not saved: "),
        ("/save no/such/folder", "not saved: No such file"),
    ):
        talk.read_until("> ")
        talk.type(f"{typed}\r")
        talk.read_until(shown)
    talk.read_until("> ")
    talk.type(CTRL_D)
    assert talk.end() == 0
    assert (tmp_path / "old.md").read_text() == "dear"
    assert (tmp_path / "new.md").read_text().startswith("## user\n\nhi\n")


def test_ctrl_c_throws_a_half_typed_line_away(
    terminal: OpenTerminal, base: str
) -> None:
    """Also the second in a row: a talk is not lost for a line."""
    talk = terminal("chat", "--base", base, "-m", "any")
    talk.read_until("> ")
    interrupt(talk)
    talk.read_until("Ctrl-C once more")
    talk.read_until("> ")
    talk.type("half")
    talk.read_until("half")
    interrupt(talk)
    talk.read_until("Ctrl-C once more")
    talk.read_until("> ")
    interrupt(talk)
    assert talk.end() == 130


def test_a_talk_fails_in_the_language_of_the_person(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """As the command does."""
    hub.set("any", Behaviour(replies=[string_error(422, "odd")]))
    talk = terminal("chat", "--base", base, "-m", "any", LC_ALL="zh_CN.UTF-8")
    talk.read_until("> ")
    talk.type("hi\r")
    talk.read_until("错误：")
    talk.read_until("> ")
    talk.type(CTRL_D)
    assert talk.end() == 0


def test_no_colour_is_obeyed(terminal: OpenTerminal, base: str) -> None:
    """With NO_COLOR an error is not red."""
    shown = terminal("chat", "--base", base, "hi", NO_COLOR="1")
    assert shown.end() == 2
    assert "error: " in shown.text
    assert "\x1b[31m" not in shown.text


def test_a_project_is_asked_about_before_a_key_leaves(
    terminal: OpenTerminal, tmp_path: Path, hub: FakeHub
) -> None:
    """On a terminal, a project's strange address is asked about, once."""
    (tmp_path / "config.yaml").write_text(
        "models:\n  - name: odd\n    provider: huggingfaceinferenceapi\n"
        '    model: org/name\n    apiBase: "https://0.0.0.0:1"\n'
        '    apiKey: "${HF_API_KEY}"\n'
    )
    shown = terminal("chat", "-m", "odd", "hi", HF_API_KEY=CANARY)
    shown.read_until("https://0.0.0.0:1")
    shown.read_until("[y/N]")
    shown.type("n\r")
    assert shown.end() == 3
    agreed = terminal("chat", "-m", "odd", "hi", HF_API_KEY=CANARY)
    agreed.read_until("[y/N]")
    agreed.type("y\r")
    assert agreed.end() == 8
    again = terminal("chat", "-m", "odd", "hi", HF_API_KEY=CANARY)
    assert again.end() == 8
    assert "[y/N]" not in again.text
    assert CANARY not in shown.text + agreed.text + again.text
