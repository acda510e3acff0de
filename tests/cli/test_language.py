"""The command line speaks Chinese to whoever reads it; programs read English."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from cli.process import Run

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import language_of, localized
from bytebuddy_provider_hf.cli.print_error import print_error
from bytebuddy_provider_hf.cli.show_reply import print_notes
from bytebuddy_provider_hf.cli.status_line import StatusLine
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Loading, Reply, WaitReason

ZH = {"BYTEBUDDY_LANG": "zh", "PYTHONUTF8": "1"}
BROKEN = (
    "models:\n  - name: m\n    provider: huggingfaceinferenceapi\n    model: a/b\n"
    "    contextLength: none of it\n"
)


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYTEBUDDY_LANG", "zh")


@pytest.mark.parametrize(
    ("env", "lang"),
    [
        ({"BYTEBUDDY_LANG": "zh", "LC_ALL": "C.UTF-8"}, "zh"),
        ({"BYTEBUDDY_LANG": "en", "LC_ALL": "zh_CN.UTF-8"}, "en"),
        ({"BYTEBUDDY_LANG": "", "LANG": "zh_CN.UTF-8"}, "zh"),
    ],
)
def test_the_programs_own_variable_beats_the_locale(
    env: dict[str, str], lang: str
) -> None:
    """Who wants one program in another language need not change the locale."""
    assert language_of(env) == lang


def test_a_failure_is_said_in_chinese(run: Run) -> None:
    """Its own sentence, and the step that was written for the case: as in English."""
    ran = run("chat", "--base", " ", "-m", "any", "hi", **ZH)
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "错误：--base 为空",
        "  请写成 http://HOST:PORT/v1 的形式。",
    ]


@pytest.mark.usefixtures("chinese")
def test_what_a_server_answered_is_said_in_chinese(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Which failure, where, the status and the server's own words; then the hint."""
    body = b'{"error":"You have depleted your credits."}'
    print_error(classify(402, {}, body, resolve("org/name")))
    message, step = capsys.readouterr().err.splitlines()
    assert message == (
        "错误：账户的额度已用完（router.huggingface.co, 402）："
        "You have depleted your credits。"
    )
    assert step.startswith("  请在 https://huggingface.co/settings/billing 购买额度，")


@pytest.mark.usefixtures("chinese")
def test_the_step_of_the_case_is_no_general_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A hint of the table stands in the place of its class's steps, as in English."""
    print_error(InvalidOption("odd", hint=text("cli.save_utf_8")))
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  odd",
        "  请把它另存为 UTF-8。",
    ]


def test_wrong_usage_is_said_in_chinese(run: Run) -> None:
    """First what is wrong, then the next step; JSON stays English."""
    ran = run("edit", "app.py", "-i", " ", **ZH)
    assert ran.err == (
        "错误：指令为空：请用 -i 说明要改什么\n  用法请见：`bytebuddy-hf edit --help`\n"
    )
    told = json.loads(run("edit", "app.py", "-i", " ", "--json", **ZH).out)
    assert told["error"]["message"].startswith("the instruction is empty")


@pytest.mark.usefixtures("chinese")
def test_notes_and_warnings_are_said_in_chinese(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A note that has no row stays as it came."""
    print_notes(Reply("x", notes=("as it came",), finish_reason="length"))
    screen.warn(text("cli.set_twice", variable="HF_API_KEY"))
    assert capsys.readouterr().err == (
        "提示：as it came\n"
        "提示：回答因达到 token 上限（--max-tokens）而被截断。\n"
        "警告：当前环境变量中也设置了 HF_API_KEY，它优先生效\n"
    )


def test_a_problem_of_the_configuration_is_said_in_chinese(
    run: Run, tmp_path: Path
) -> None:
    """With the same place; in JSON it is English."""
    file = tmp_path / "config.yaml"
    file.write_text(BROKEN)
    arguments = ("config", "check", "--config", str(file))
    ran = run(*arguments, **ZH)
    assert ran.code == 3
    place = f"{file}:5:20: models[0].contextLength"
    assert f"  {place}: 应为不小于 1 的整数，实际是：none of it\n" in ran.err
    english = f"{place}: expected a whole number, 1 or more, found none of it"
    told = json.loads(run(*arguments, "--json", **ZH).out)
    assert told["error"]["problems"] == [english]
    assert f"  {english}\n" in run(*arguments, BYTEBUDDY_LANG="en").err


def test_what_a_model_lacks_is_said_in_chinese(run: Run, tmp_path: Path) -> None:
    """``config check`` tells each entry's problem and hint, and every warning."""
    file = tmp_path / "config.yaml"
    entry = BROKEN.partition("    contextLength")[0]
    file.write_text(f"{entry}    apiKey: ${{NOBODY_SET}}\n    contextLenght: 1\n")
    ran = run("config", "check", "--config", str(file), **ZH)
    assert ran.code == 3
    lines = ran.err.splitlines()
    assert lines[0].startswith(f"m: {file}:5:13: m 的 models[0].apiKey 需要变量")
    assert "请在环境变量或" in lines[0]
    assert lines[1] == (
        f"警告：{file}:6:5: models[0].contextLenght: 未知的键 contextLenght；"
        "是否想写 contextLength？"
    )
    assert lines[-1] == "1 个模型中有 0 个可以打开"


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("loading", "org/name 正在加载… 3 秒，预计约 60 秒"),
        ("starting", "org/name 没有回答，可能正在重启… 3 秒"),
        ("queued", "org/name 正在排队，前面还有 1 个… 3 秒"),
        ("retrying", "57 秒后重试 org/name…"),
    ],
)
def test_a_wait_is_said_in_chinese(reason: WaitReason, said: str) -> None:
    """Its line, and in a pipe how long it was."""
    pipe, now = io.StringIO(), 100.0
    line = StatusLine("org/name", lambda: now, stream=pipe)
    line.event(Loading(3.0, 57.0, waiters=2, reason=reason))
    assert line.text() == said
    now += 4
    line.clear()
    assert pipe.getvalue() == f"{said}\n等待 org/name 用了 7 秒\n"


@pytest.mark.usefixtures("chinese")
def test_a_plain_sentence_is_said_as_it_is() -> None:
    """What a server or another package wrote has no row."""
    assert localized("as it came") == "as it came"
    assert localized(text("cli.stopped")) == "已停止"
