"""``chat`` and ``complete`` in a process of their own, against a real socket."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import click
import pytest
from cli.process import CANARY, COMMAND, Run

from bytebuddy_provider_hf.cli.root import COMMANDS, cli
from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.hub import FakeHub


def asked(hub: FakeHub) -> object:
    record = hub.records[-1].json
    assert isinstance(record, dict)
    return record["messages"]


def test_one_shot_prints_the_answer_and_nothing_else(
    run: Run, hub: FakeHub, base: str
) -> None:
    """In a pipe: plain text on stdout, nothing on stderr, exit 0."""
    hub.set("any", Behaviour(answer=lambda _: "# Hi **you**"))
    ran = run("chat", "--base", base, "-m", "any", "hello")
    assert (ran.out, ran.err, ran.code) == ("# Hi **you**\n", "", 0)


def test_prompt_and_stdin_are_one_question(run: Run, hub: FakeHub, base: str) -> None:
    """The argument comes first, what is piped in follows."""
    run(
        "chat",
        "--base",
        base,
        "-m",
        "any",
        "--system",
        "be brief",
        "sum up",
        stdin="a\nb\n",
    )
    assert asked(hub) == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "sum up\n\na\nb"},
    ]


def test_the_options_reach_the_server(run: Run, hub: FakeHub, base: str) -> None:
    """Sampling options are sent as the protocol names them."""
    run(
        *("chat", "--base", base, "-m", "any", "hi", "--temperature", "0.5"),
        *(
            "--max-tokens",
            "7",
            "--seed",
            "42",
            "--top-p",
            "0.9",
            "--stop",
            "x",
            "--stop",
            "y",
        ),
        *("--reasoning-effort", "low", "--reasoning-budget", "9", "--no-reasoning"),
    )
    sent = hub.records[-1].json
    assert isinstance(sent, dict)
    assert sent["temperature"] == 0.5
    assert sent["max_tokens"] == 7
    assert sent["seed"] == 42
    assert sent["top_p"] == 0.9
    assert sent["stop"] == ["x", "y"]
    assert sent["reasoning_effort"] == "low"


def test_complete_sends_the_text_as_it_is(run: Run, hub: FakeHub, base: str) -> None:
    """No template and no message around a text to be completed."""
    hub.set("any", Behaviour(answer=lambda _: " world"))
    ran = run("complete", "--base", base, "-m", "any", stdin="hello\n")
    assert ran.out == " world\n"
    sent = hub.records[-1].json
    assert isinstance(sent, dict)
    assert sent["prompt"] == "hello\n"
    assert hub.records[-1].request.path == "/v1/completions"


def test_json_is_one_object(run: Run, base: str) -> None:
    """``--json`` prints the reply as one JSON object."""
    ran = run("chat", "--base", base, "-m", "any", "--json", "hi")
    reply = json.loads(ran.out)
    assert reply["finish_reason"] == "stop"
    assert reply["usage"]["completion_tokens"] > 0


def test_json_stream_is_one_event_a_line(run: Run, base: str) -> None:
    """``--json --stream`` prints the events, the last of them the whole reply."""
    ran = run("chat", "--base", base, "-m", "any", "--json", "--stream", "hi")
    events = [json.loads(line) for line in ran.out.splitlines()]
    text = "".join(each["text"] for each in events if each["type"] == "text")
    assert events[-1]["type"] == "done"
    assert events[-1]["reply"]["text"] == text


def test_a_cold_model_is_waited_for(run: Run, hub: FakeHub, base: str) -> None:
    """The wait is told on stderr; stdout holds the answer only."""
    hub.set("cold", Behaviour(answer=lambda _: "warm", cold_for=1.0))
    ran = run("chat", "--base", base, "-m", "cold", "hi")
    assert ran.out == "warm\n"
    assert ran.err.startswith("cold is loading… ")
    assert "waited" in ran.err
    assert "\x1b" not in ran.err


@pytest.mark.parametrize(
    ("status", "code"), [(401, 4), (402, 4), (403, 4), (404, 5), (422, 9)]
)
def test_the_exit_code_tells_the_failure(
    run: Run, hub: FakeHub, base: str, status: int, code: int
) -> None:
    """A refusal ends with its code, one block on stderr and nothing on stdout."""
    hub.set("any", Behaviour(always=string_error(status, "no")))
    ran = run("chat", "--base", base, "-m", "any", "hi")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err


def test_json_failures_are_json(run: Run, hub: FakeHub, base: str) -> None:
    """With ``--json`` a failure is an object on stdout, and stderr is empty."""
    hub.set("any", Behaviour(always=string_error(404, "no such model")))
    ran = run("chat", "--base", base, "-m", "any", "--json", "hi")
    assert ran.code == 5
    assert ran.err == ""
    assert json.loads(ran.out)["error"]["type"] == "ModelNotFound"


def test_nothing_listens_is_a_connection_failure(run: Run) -> None:
    """A refused connection ends with 8 and names the address."""
    ran = run("chat", "--base", "http://127.0.0.1:1/v1", "-m", "any", "hi")
    assert ran.code == 8
    assert "127.0.0.1:1" in ran.err


def test_an_answer_that_breaks_off_is_kept_and_told(
    run: Run, hub: FakeHub, base: str
) -> None:
    """The text so far stays on stdout; the exit code says it is not whole."""
    hub.set("any", Behaviour(answer=lambda _: "one two three", cut=400))
    ran = run("chat", "--base", base, "-m", "any", "hi")
    assert ran.code in {8, 9}
    assert ran.out.startswith("one")
    assert ran.err.startswith("error: ")


def test_no_control_sequence_passes(run: Run, hub: FakeHub, base: str) -> None:
    """Neither a model's text nor a server's error can draw on a terminal."""
    evil = "a\x1b]52;c;ZXZpbA==\x07b\x9b31mc\x1b[2Jd\u202ee"
    hub.set("any", Behaviour(answer=lambda _: evil))
    ran = run("chat", "--base", base, "-m", "any", "hi")
    assert ran.out == "abcd<U+202E>e\n"
    hub.set("any", Behaviour(always=string_error(422, evil)))
    ran = run("chat", "--base", base, "-m", "an\x1b[31my", "hi")
    assert not {"\x1b", "\x9b", "\x07"} & set(ran.out + ran.err)


def test_without_token_and_file_the_ways_on_are_told(run: Run) -> None:
    """The first call of a new user names login, a local server and the demo.

    Without a file also how it is begun; one that is there is not begun anew.
    """
    assert "bytebuddy-hf config init" in run("chat", "hi").err
    for arguments in (("chat", "hi"), ("chat", "-m", "org/name", "hi")):
        ran = run(*arguments)
        assert ran.code in {3, 4}
        for way in (
            "bytebuddy-hf login",
            "--base http://127.0.0.1",
            "bytebuddy-hf demo",
        ):
            assert way in ran.err


def test_the_three_ways_on_are_told_in_chinese(run: Run) -> None:
    """Where the locale is Chinese, the first message of a new user is as well."""
    ran = run("chat", "-m", "org/name", "hi", LC_ALL="zh_CN.UTF-8")
    assert ran.code == 4
    assert "三种办法" in ran.err
    assert "Three ways on" not in ran.err
    for way in ("login", "--base", "demo"):
        assert way in ran.err


def test_base_wants_a_model(run: Run) -> None:
    """``--base`` without ``-m`` is wrong usage."""
    assert run("chat", "--base", "http://127.0.0.1:1/v1", "hi").code == 2


def test_an_empty_base_is_not_the_router(run: Run) -> None:
    """``--base "$UNSET"`` is refused: a token must not go where nobody sent it."""
    ran = run("chat", "--base", "", "-m", "org/name", "hi", HF_TOKEN=CANARY)
    assert (ran.code, "--base is empty" in ran.err) == (2, True)


def test_a_dash_is_what_is_piped_in(run: Run, hub: FakeHub, base: str) -> None:
    """As for every command that reads a pipe."""
    ran = run("chat", "--base", base, "-m", "any", "-", stdin="piped")
    assert ran.code == 0
    assert json.loads(hub.records[-1].request.body)["messages"] == [
        {"role": "user", "content": "piped"}
    ]


def test_no_prompt_is_wrong_usage(run: Run, base: str) -> None:
    """An empty pipe is not a question."""
    ran = run("chat", "--base", base, "-m", "any", stdin=" \n")
    assert ran.code == 2
    assert "no prompt" in ran.err


def test_an_encoding_that_lacks_letters_is_no_failure(
    run: Run, hub: FakeHub, base: str
) -> None:
    """In an ASCII locale the missing letters are shown by their numbers."""
    hub.set("any", Behaviour(answer=lambda _: "Ça 你"))
    ascii_only = {
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    ran = run("chat", "--base", base, "-m", "any", "hi", **ascii_only)
    assert (ran.out, ran.code) == ("\\xc7a \\u4f60\n", 0)
    hub.set("cold", Behaviour(cold_looks=1))
    assert run("chat", "--base", base, "-m", "cold", "hi", **ascii_only).code == 0


def test_bytes_that_are_no_text_are_no_failure(
    environment: dict[str, str], hub: FakeHub, base: str
) -> None:
    """Invalid UTF-8 in the argument or the pipe becomes replacement characters."""
    hub.set("any", Behaviour(answer=echo))
    done = subprocess.run(
        [*COMMAND, "chat", "--base", base, "-m", "any", b"a\xff"],
        input=b"b\xff",
        capture_output=True,
        env=environment,
        check=True,
    )
    assert done.stdout.decode() == "a�\n\nb�\n"


def test_a_reader_that_leaves_is_quiet(
    environment: dict[str, str], hub: FakeHub, base: str
) -> None:
    """``| head -1`` ends the command with 141 and no complaint."""
    hub.set("any", Behaviour(answer=lambda _: "line\n" * 40, gap=0.02))
    with subprocess.Popen(
        [*COMMAND, "chat", "--base", base, "-m", "any", "hi"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"line\n"
        process.stdout.close()
        complaint = process.stderr.read()
        assert (process.wait(30), complaint) == (141, b"")


def test_ctrl_c_keeps_the_text(
    environment: dict[str, str], hub: FakeHub, base: str
) -> None:
    """SIGINT stops the stream, ends the line, says so, and exits with 130."""
    hub.set("any", Behaviour(answer=lambda _: "word " * 1000, gap=0.05))
    with subprocess.Popen(
        [*COMMAND, "chat", "--base", base, "-m", "any", "hi"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout
        first = process.stdout.read(4)
        process.send_signal(signal.SIGINT)
        rest, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert first == b"word"
    assert (first + rest).endswith(b"word\n")
    assert complaint == b"stopped\n"
    assert hub.closed_early == 1


def test_ctrl_c_ends_the_wait_for_a_pipe(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A configuration may be a pipe that somebody named, and nobody writes to."""
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [*COMMAND, "chat", "--config", str(pipe), "hi"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        until = time.monotonic() + 30
        writer = None
        while writer is None and time.monotonic() < until:
            # No one can write before the command waits to read.
            with suppress(OSError):
                writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            time.sleep(0.02)
        assert writer is not None
        process.send_signal(signal.SIGINT)
        try:
            _, complaint = process.communicate(timeout=10)
        finally:
            process.kill()
            os.close(writer)
    assert (process.returncode, complaint) == (130, b"stopped\n")


def test_ctrl_c_keeps_the_text_as_json_too(
    environment: dict[str, str], hub: FakeHub, base: str
) -> None:
    """With ``--json``, SIGINT prints one object with the text so far."""
    hub.set("any", Behaviour(answer=lambda _: "word " * 1000, gap=0.05))
    with subprocess.Popen(
        [*COMMAND, "chat", "--base", base, "-m", "any", "hi", "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        until = time.monotonic() + 30
        while hub.in_flight == 0 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    shown = json.loads(printed)
    assert shown["stopped"] is True
    assert "word" in shown["text"]


def test_no_option_takes_a_token() -> None:
    """A command line can be read by others: no option's name asks for a secret."""
    ctx = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(ctx, name)
        assert command
        subcommands = getattr(command, "commands", {}).values()
        for each in (command, *subcommands):
            for parameter in each.params:
                for spelling in parameter.opts:
                    assert not {"key", "token", "password"} & set(
                        spelling.strip("-").split("-")
                    )


def test_no_output_holds_the_token(
    run: Run, hub: FakeHub, base: str, home: Path
) -> None:
    """A server that echoes the token does not bring it to any output."""
    folder = home / ".bytebuddy"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        "models:\n  - name: mine\n    provider: huggingfaceinferenceapi\n"
        f'    model: org/name\n    apiBase: "{base}"\n    apiKey: "${{HF_API_KEY}}"\n'
    )
    hub.set("org/name", Behaviour(always=string_error(401, f"bad token {CANARY}")))
    for arguments in (
        ("--debug", "chat", "-m", "mine", "hi"),
        ("chat", "--debug", "--json", "hi"),
        ("models", "--json"),
        ("config", "show"),
        ("config", "check"),
    ):
        ran = run(*arguments, HF_API_KEY=CANARY)
        assert CANARY not in ran.out + ran.err
    sent = hub.records[0].request.headers["authorization"]
    assert sent == f"Bearer {CANARY}"


def test_debug_shows_the_place_of_an_error(run: Run, hub: FakeHub, base: str) -> None:
    """``--debug`` prints a traceback, without it there is none."""
    hub.set("any", Behaviour(always=string_error(422, "odd")))
    arguments = ("chat", "--base", base, "-m", "any", "hi")
    assert "Traceback" in run("--debug", *arguments).err
    assert "Traceback" in run(*arguments, "--debug").err
    assert "Traceback" not in run(*arguments).err


def test_closed_streams_are_no_failure(environment: dict[str, str], base: str) -> None:
    """With stdin, stdout or stderr closed the command still ends well."""
    command = f"{shlex.join(COMMAND)} chat --base {base} -m any hi"
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f"{command} {closed}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
