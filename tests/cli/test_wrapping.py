"""Lines for people fit the terminal, and what is copied stays in one piece."""

from __future__ import annotations

import sys

import pytest
from cli.fitting import too_wide
from cli.process import CANARY, OpenTerminal

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.wrapping import wrap, wrap_lines

ID = "meta-llama/Llama-2-70b-chat-hf"
SUGGEST = f"`bytebuddy-hf models suggest {ID}`"
LONG = f"No provider serves {ID} for chat right now. Living models near it: {SUGGEST}."
CHINESE = f"目前没有服务商提供 {ID} 的对话服务。查看相近的可用模型：运行 {SUGGEST}。"


@pytest.mark.parametrize("width", [20, 50, 80, 160])
@pytest.mark.parametrize("said", [LONG, CHINESE])
def test_a_command_and_an_id_stay_in_one_piece(said: str, width: int) -> None:
    """Where they are too long for a line, on one of their own."""
    lines = wrap_lines(said, width)
    assert not too_wide(lines, width)
    assert any(SUGGEST in line for line in lines)
    assert "".join("".join(lines).split()) == "".join(said.split())


def test_what_fits_is_left_as_it_is() -> None:
    """Columns of a list, the lines of an example, and a pipe of any width."""
    listed = "  bytebuddy-hf login    store a token\n\nmodels:\n  - name: mine"
    assert wrap_lines(listed, 40) == listed.split("\n")
    assert wrap_lines(LONG, None) == [LONG]
    assert wrap(LONG, None) == [LONG]


def test_a_longer_line_goes_on_below_its_beginning() -> None:
    """Indented more than it is itself; columns that are parted lose their blanks."""
    assert wrap_lines("  a step of six words, or more", 20) == [
        "  a step of six",
        "    words, or more",
    ]
    assert wrap_lines("  bytebuddy-hf login    store a token", 24) == [
        "  bytebuddy-hf login",
        "    store a token",
    ]


def test_code_is_not_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a file or a model has stands as it is, also on a narrow terminal."""
    monkeypatch.setattr(screen, "columns_of", lambda _: 20)
    screen.quote(["value = compute(first, second, third)"])
    assert capsys.readouterr().err == "  | value = compute(first, second, third)\n"
    screen.note("a sentence of more than that")
    assert capsys.readouterr().err == "a sentence of more\n  than that\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are for POSIX")
@pytest.mark.parametrize("width", [50, 80])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_error_fits_a_real_terminal(
    terminal: OpenTerminal, width: int, lang: str
) -> None:
    """As the first call of a new user, and a warning of the environment."""
    for arguments in (["chat", "hi"], ["chat", "-m", "org/name", "hi"], ["chat", "-x"]):
        shown = terminal(
            *("--lang", lang, *arguments),
            COLUMNS=str(width),
            NO_COLOR="1",
            HTTPS_PROXY=f"http://127.0.0.1:1/{CANARY}",
        )
        assert shown.end() > 0
        lines = shown.text.replace("\r", "").splitlines()
        assert lines[0].startswith("error: " if lang == "en" else "错误：")
        assert not too_wide(lines, width)
