"""What ``-v`` and ``-vv`` show, and the log file of a command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli.process import CANARY, OpenTerminal, Run

from bytebuddy_provider_hf.testing.behaviour import Behaviour, loads
from bytebuddy_provider_hf.testing.failures import omitted, string_error
from bytebuddy_provider_hf.testing.hub import FakeHub

LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (debug|info|warning) (.*)")
ASK = ("-m", "any", "hi")


def levels(err: str) -> list[str]:
    return [match[1] for match in map(LINE.fullmatch, err.splitlines()) if match]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("chat", *ASK), []),
        (("chat", "-v", *ASK), ["info"]),
        (("-v", "chat", *ASK), ["info"]),
        (("chat", "--verbose", *ASK), ["info"]),
        (("chat", "-vv", *ASK), ["debug", "info", "debug"]),
        (("-vv", "chat", *ASK), ["debug", "info", "debug"]),
        (("-v", "chat", *ASK, "-v"), ["debug", "info", "debug"]),
        (("-vv", "chat", "-vv", *ASK), ["debug", "info", "debug"]),
    ],
)
def test_one_v_is_waits_and_two_are_requests(
    run: Run, hub: FakeHub, base: str, arguments: tuple[str, ...], shown: list[str]
) -> None:
    """Before the command or after it, on stderr; the answer is as without."""
    hub.set("any", Behaviour(cold_looks=1, answer=lambda _: "fine"))
    ran = run(*arguments, "--base", base)
    assert (ran.code, ran.out) == (0, "fine\n")
    assert levels(ran.err) == shown
    assert ("attempt 2" in ran.err) is ("debug" in shown)


def test_json_stays_json(run: Run, base: str) -> None:
    """What is logged goes to stderr."""
    ran = run("chat", "-vv", "--json", "--base", base, *ASK)
    assert json.loads(ran.out)["text"]
    assert levels(ran.err) == ["debug"]


def test_a_failure_is_logged_once(run: Run, hub: FakeHub, base: str) -> None:
    """By the call, not by the command once more; both show no key."""
    hub.set("any", Behaviour(always=string_error(401, f"bad token {CANARY}")))
    ran = run("chat", "-vv", "--debug", "--base", base, *ASK, HF_TOKEN=CANARY)
    assert ran.code == 4
    assert levels(ran.err) == ["debug", "warning"]
    assert "Traceback" in ran.err
    assert CANARY not in ran.err


def test_a_terminal_keeps_its_line_whole(
    terminal: OpenTerminal, hub: FakeHub, base: str
) -> None:
    """A record stands on a line of its own, above the wait line, which is redrawn."""
    hub.set("any", Behaviour(cold_looks=2, cold_reply=loads(omitted)))
    screen = terminal("chat", "--base", base, "-vv", *ASK)
    assert screen.end() == 0
    shown = screen.text.replace("\r\n", "\n")
    # What a terminal shows of a line is what comes after the last time it was erased.
    lines = [line.rpartition("\x1b[2K")[2] for line in shown.split("\n")]
    plain = [re.sub(r"\x1b\[[\d;]*m", "", line).strip("\r") for line in lines]
    assert [m[1] for m in map(LINE.fullmatch, plain) if m].count("debug") == 3
    assert not [line for line in plain if "is loading" in line]
    # It was there, and came back after the line that was printed above it.
    assert re.search(
        r"any is loading… .*\x1b\[2K[^\n]*debug[^\n]*\n\r\x1b\[2Kany", shown
    )


def test_an_answer_is_not_torn(terminal: OpenTerminal, hub: FakeHub, base: str) -> None:
    """What is logged while it comes is shown when it has ended."""
    hub.set("any", Behaviour(answer=lambda _: "one two three four", cut=500))
    screen = terminal("chat", "--base", base, "-v", "--no-markdown", *ASK)
    assert screen.end() == 9
    shown = re.sub(r"\x1b\[[\d;]*[mK]", "", screen.text.replace("\r\n", "\n"))
    answer = next(line for line in shown.split("\n") if line.startswith("one"))
    assert "warning" not in answer
    assert shown.index("warning a call failed: StreamInterrupted") > shown.index("one")


def write_config(home: Path, base: str, log: str) -> Path:
    folder = home / ".bytebuddy"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        f"log: {log}\nmodels:\n  - name: mine\n    provider: huggingfaceinferenceapi\n"
        f"    model: org/m\n    apiBase: {base}\n    apiKey: ${{HF_API_KEY}}\n"
    )
    return folder / "logs" / "hf.log"


def test_the_file_has_the_errors_of_the_command_line(
    run: Run, hub: FakeHub, base: str, home: Path
) -> None:
    """Of calls, with what the server said, and of the command itself; each once."""
    log = write_config(home, base, "{path: logs/hf.log}")
    hub.set("org/m", Behaviour(always=string_error(401, f"bad token {CANARY}")))
    for model, code in (("mine", 4), ("nobody", 5)):
        ran = run("chat", "-m", model, "hi", HF_API_KEY=CANARY)
        assert ran.code == code
        assert levels(ran.err) == []
    said = [line.partition(" WARNING ")[2] for line in log.read_text().splitlines()]
    assert len(said) == 2
    assert (
        f"a call failed: TokenInvalid, status 401, {base[:-3]}, model org/m" in said[0]
    )
    assert "the command failed: UnknownModel: No model is named nobody" in said[1]
    assert CANARY not in log.read_text()


def test_a_log_that_cannot_be_opened_is_one_warning(
    run: Run, base: str, home: Path
) -> None:
    """The answer comes all the same."""
    write_config(home, base, "{path: /proc/none/a.log}")
    ran = run("chat", "-m", "mine", "hi", HF_API_KEY=CANARY)
    assert (ran.code, bool(ran.out)) == (0, True)
    (line,) = ran.err.splitlines()
    assert line.startswith("warning: ")
    assert "the log /proc/none/a.log cannot be opened" in line


def test_config_show_has_the_log(run: Run, base: str, home: Path) -> None:
    """With its file, line and column, and what was left open filled in."""
    log = write_config(home, base, "{path: logs/hf.log, level: info}")
    ran = run("config", "show", HF_API_KEY=CANARY)
    place = home / ".bytebuddy" / "config.yaml"
    assert ran.out.startswith(
        f"# {place}:1:1 (user)\nlog:\n  path: {log}\n  level: info\n  size: 5\n"
    )
    shown = json.loads(run("config", "show", "--json", HF_API_KEY=CANARY).out)
    assert shown["log"]["path"] == str(log)
