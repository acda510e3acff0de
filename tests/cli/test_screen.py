"""Lines for people are safe to show, whoever wrote them."""

from __future__ import annotations

import io
import json
import math
import sys

import pytest
from cli.process import CANARY

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.errors import ByteBuddyError, ConfigInvalid


def test_a_note_holds_no_control_sequence(capsys: pytest.CaptureFixture[str]) -> None:
    """Names of models and files are shown without sequences."""
    screen.note("a\x1b]0;owned\x07b\x9b31mc\u202e")
    assert capsys.readouterr().err == "abc<U+202E>\n"


def test_an_error_is_a_block(capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong, the next step, and the notes, each on its line."""
    error = ByteBuddyError("it broke", hint="mend it")
    error.add_note("or not")
    screen.show_error(error)
    assert capsys.readouterr().err == "error: it broke\n  mend it\n  or not\n"


def test_every_problem_of_a_file_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration's problems stand one below the other."""
    screen.show_error(ConfigInvalid("2 problems", problems=("f:1:1: a", "f:2:1: b")))
    assert capsys.readouterr().err == "error: 2 problems\n  f:1:1: a\n  f:2:1: b\n"


def test_what_is_typed_and_is_no_text_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A letter of another encoding ends no talk."""
    typed = io.TextIOWrapper(io.BytesIO(b"caf\xe9"), encoding="utf-8")
    for name, stream in (
        ("stdin", typed),
        ("stdout", io.StringIO()),
        ("stderr", io.StringIO()),
    ):
        monkeypatch.setattr(sys, name, stream)
    screen.prepare_streams()
    assert typed.read() == "caf\ufffd"


def test_an_error_is_json_whatever_the_server_asked_for() -> None:
    """Infinity is no JSON; a time too long to be written is left out."""
    for wait, shown in ((7.5, 7.5), (math.inf, None), (None, None)):
        line = screen.to_json(
            screen.error_object(ByteBuddyError("x", retry_after=wait))
        )
        assert (
            json.loads(line, parse_constant=pytest.fail)["error"]["retry_after"]
            == shown
        )


def test_a_traceback_holds_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens are masked by their form, and other secrets by the environment's names."""
    error = ValueError(f"{CANARY} and plain-secret-value")
    screen.show_traceback(error, env={"SOME_TOKEN": "plain-secret-value"})
    shown = capsys.readouterr().err
    assert "ValueError" in shown
    for secret in (CANARY, "plain-secret-value"):
        assert secret not in shown


def test_a_stdout_that_is_no_file_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test runner's holds the answer, and whatever else is printed."""
    given = io.StringIO()
    monkeypatch.setattr(sys, "stdout", given)
    monkeypatch.setattr(screen, "_is_prepared", True)
    monkeypatch.setattr(screen, "_answer", None)
    screen.reserve_stdout()
    assert screen.stdout() is given
