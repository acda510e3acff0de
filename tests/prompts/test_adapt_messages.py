from __future__ import annotations

import pytest

from bytebuddy_provider_hf.prompts import families
from bytebuddy_provider_hf.prompts.chat import adapt_messages, render_chat
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.texts import render
from bytebuddy_provider_hf.types import ImagePart, Message, TextPart, ToolCall

SYSTEM = Message("system", "Be brief.")
HI = Message("user", "Hi")
HELLO = Message("assistant", "Hello")


def family(name: str) -> Family:
    found = families.family_by_name(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["mixtral", "mistral-v0.1", "gemma"])
def test_without_a_system_role_the_system_message_leads_the_first_turn(
    name: str,
) -> None:
    """Their templates raise on a system turn, so none is sent."""
    turns, notes = adapt_messages(family(name), [SYSTEM, HI, HELLO, HI])
    assert turns == (Message("user", "Be brief.\n\nHi"), HELLO, HI)
    assert notes == ()


@pytest.mark.parametrize("name", ["llama-2", "llama-3", "qwen2.5", "zephyr"])
def test_a_template_with_a_system_role_gets_it(name: str) -> None:
    """Llama 2 too: its template has marks of its own for it."""
    assert adapt_messages(family(name), [SYSTEM, HI]) == ((SYSTEM, HI), ())


def test_a_family_that_knows_no_system_message_loses_it_and_says_so() -> None:
    """DialoGPT would read it as something a person said."""
    turns, notes = adapt_messages(family("dialogpt"), [SYSTEM, HI])
    assert turns == (HI,)
    assert "system" in notes[0]


def test_neighbours_of_one_role_become_one_turn_where_roles_alternate() -> None:
    """Also where one of them shows an image."""
    picture = Message("user", (ImagePart("https://h.example/a.png"),))
    turns, _ = adapt_messages(family("mixtral"), [SYSTEM, HI, picture, HELLO, HELLO])
    assert turns[0].content == (
        TextPart("Be brief.\n\nHi"),
        ImagePart("https://h.example/a.png"),
    )
    assert turns[1:] == (Message("assistant", "Hello\n\nHello"),)


def test_a_system_message_alone_becomes_what_the_user_says() -> None:
    """There is no turn to lead, so it is one."""
    turns, _ = adapt_messages(family("gemma"), [SYSTEM])
    assert turns == (Message("user", "Be brief."),)


def test_tool_calls_and_results_stay_apart() -> None:
    """A result belongs to its call; nothing is joined over it."""
    call = Message("assistant", tool_calls=(ToolCall("1", "f", "{}"),))
    result = Message("tool", "4", tool_call_id="1")
    asked = [HI, call, result, call, result, HELLO]
    assert adapt_messages(family("mixtral"), asked)[0] == tuple(asked)


def test_a_family_known_by_its_kind_alone_is_said_in_words() -> None:
    """Its words are a fact of a note, in the note's language."""
    model = Family("a base model", ModelKind.BASE)
    (note,) = render_chat(model, [Message("user", "hi")]).notes
    assert note.startswith("a base model models have no chat template")
    assert render(note, "zh") == "基础模型 没有对话模板：对话已写成纯文本记录。"
