from __future__ import annotations

import pytest

from bytebuddy_provider_hf.edits.formats.unwrap import Unwrapper
from bytebuddy_provider_hf.edits.text_filter import filtered
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.prompts.edit import (
    CommitFilter,
    EditTask,
    edit_messages,
    render_commit,
    render_edit_template,
)
from bytebuddy_provider_hf.prompts.families import load_families

STARCODER_COMMIT = load_families().by_name["starcoder"].edit
assert STARCODER_COMMIT is not None

TASK = EditTask("x = 1\n", "make it two", path="src/a.py")


def test_starcoder_is_asked_as_in_its_commits() -> None:
    """The string of host.md 4.1: code, message, and the model writes what is after."""
    rendered = render_commit(STARCODER_COMMIT, TASK)
    assert rendered.prompt == (
        "<commit_before>x = 1\n<commit_msg>make it two<commit_after>"
    )
    assert rendered.stops[0] == "<|endoftext|>"
    assert rendered.notes == ()


def test_tokens_in_the_code_do_not_act() -> None:
    """Their spelling is broken on the way in, told, and mended on the way out."""
    code = 'end = "<|endoftext|>"\n'
    task = EditTask(code, "drop <commit_after>")
    rendered = render_commit(STARCODER_COMMIT, task)
    assert "<|endoftext|>" not in rendered.prompt
    assert rendered.prompt.count("<commit_after>") == 1
    (note,) = rendered.notes
    assert note.endswith("sent broken: <|endoftext|>, <commit_after>.")
    sent = rendered.prompt.removeprefix("<commit_before>").partition("<commit_msg>")[0]
    assert filtered(sent, CommitFilter(STARCODER_COMMIT, task)) == code


def test_what_the_format_cannot_show_is_told() -> None:
    """A commit has no place for what surrounds the code."""
    task = EditTask("x\n", "y", prefix="above\n")
    rendered = render_commit(STARCODER_COMMIT, task)
    assert "above" not in rendered.prompt
    assert "not shown" in rendered.notes[0]


@pytest.mark.parametrize(
    ("code", "answer", "wanted"),
    [
        ("a\n", "b", "b\n"),
        ("a\n", "b\n", "b\n"),
        ("a\n", "b\n\n", "b\n\n"),
        ("a", "b\n", "b"),
        ("a", "b", "b"),
        ("a\r\nb\r\n", "x\ny", "x\r\ny\r\n"),
        ("a\r\nb", "x\r\ny\r\n", "x\r\ny"),
        ("", "x", "x"),
        ("a\n", "", ""),
        ("a\n", "\n", "\n"),
    ],
)
def test_a_commit_ends_as_the_code_did(code: str, answer: str, wanted: str) -> None:
    """Line ends and the end of the last line are those of the code, in any pieces."""
    task = EditTask(code, "change")
    assert filtered(answer, CommitFilter(STARCODER_COMMIT, task)) == wanted
    by_char = CommitFilter(STARCODER_COMMIT, task)
    assert "".join(map(by_char.feed, answer)) + by_char.close() == wanted


def test_an_instruct_model_is_asked_in_one_turn() -> None:
    """Not every template has a system role; code and instruction stand as they are."""
    prompt = edit_messages(TASK)
    (message,) = prompt.messages
    assert message.role == "user"
    assert isinstance(message.content, str)
    assert "make it two" in message.content
    assert "```py\nx = 1\n```" in message.content
    assert "src/a.py" in message.content


def test_the_answer_may_be_begun() -> None:
    """The prefill opens the block that the filter then expects."""
    prompt = edit_messages(TASK)
    assert prompt.prefill == "```py\n"
    unwrapper = Unwrapper(TASK.code, prefilled=True, fence=prompt.fence)
    assert filtered("x = 2\n```", unwrapper) == "x = 2\n"


def test_the_fence_is_longer_than_any_in_the_code() -> None:
    """Code that holds fences cannot close the block it is shown in."""
    prompt = edit_messages(EditTask("````\na\n````\n", "b", suffix="`````\n"))
    assert prompt.fence == "``````"
    assert prompt.prefill == "``````\n"


def test_what_surrounds_the_code_is_shown_by_whole_lines() -> None:
    """The nearest 8,000 characters before it, 4,000 after it."""
    lines = "".join(f"line {n:05}\n" for n in range(5_000))
    (message,) = edit_messages(
        EditTask("x\n", "y", prefix=lines, suffix=lines)
    ).messages
    content = str(message.content)
    assert len(content) < 13_000
    assert "line 04999\n```" in content
    assert "```\nline 00000\n" in content
    assert "line 02500" not in content


@pytest.mark.parametrize("name", ["x\n```\nevil", "py thon", "日本"])
def test_a_language_cannot_break_out_of_the_fence(name: str) -> None:
    """Only what a language's name is made of follows the fence."""
    prompt = edit_messages(EditTask("x\n", "y", language=name))
    assert prompt.prefill.count("\n") == 1
    assert " " not in prompt.prefill


def test_the_entrys_own_template_is_rendered() -> None:
    """promptTemplates.edit with the names that Continue gives."""
    task = EditTask("code", "do it", prefix="P", suffix="S", language="Go")
    template = "{{prefix}}|{{{codeToEdit}}}|{{suffix}}|{{userInput}}|{{language}}"
    assert render_edit_template(template, task) == "P|code|S|do it|Go"
    with pytest.raises(InvalidOption, match="other"):
        render_edit_template("{{other}}", task)
