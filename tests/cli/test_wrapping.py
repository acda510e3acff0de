"""Lines for people fit the terminal, and what is copied stays in one piece."""

from __future__ import annotations

import sys

import pytest
from cli.fitting import too_wide
from cli.process import CANARY, OpenTerminal
from rich.cells import cell_len

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


PATHS = [
    "/home/李明/我的项目/配置文件/config.yaml",
    "~/文档/笔记.md",
    "D:\\用户\\李明\\项目说明.txt",
    "项目/说明",
    "一个名字很长的文件.yaml",
]


@pytest.mark.parametrize("width", [10, 30, 50, 80])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "said",
    [
        "没有文件 {0}。请检查路径是否正确。",
        "已写入“{0}”，接下来请运行命令。",
        "no {0} is there",
    ],
)
def test_a_path_with_chinese_letters_stays_in_one_piece(
    said: str, path: str, width: int
) -> None:
    """What somebody copies: the letters of the sentence around it may be parted."""
    lines = wrap_lines(said.format(path), width)
    assert any(path in line for line in lines), lines
    assert "".join("".join(lines).split()) == "".join(said.format(path).split())


def test_a_sentence_with_a_slash_is_still_broken() -> None:
    """Its marks end what may be a path."""
    said = "可以设置变量和/或写入文件，然后再次运行；也可以联系管理员，请他授予权限。"
    lines = wrap_lines(said, 30)
    assert not [line for line in lines if cell_len(line) > 30]


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
