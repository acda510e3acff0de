"""A conversation as each family writes it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds

from bytebuddy_provider_hf.errors import InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.prompts.chat import render_chat, special_tokens_of
from bytebuddy_provider_hf.prompts.families import load_families
from bytebuddy_provider_hf.prompts.family import ModelKind
from bytebuddy_provider_hf.prompts.special_tokens import escape, unescape
from bytebuddy_provider_hf.types import ImagePart, Message, RoleName, TextPart

FAMILIES = load_families().by_name

WRITING = sorted(
    name
    for name, family in FAMILIES.items()
    if family.kind not in {ModelKind.MASK, ModelKind.EMBEDDING}
)


def said(*turns: tuple[RoleName, str]) -> list[Message]:
    return [Message(role, text) for role, text in turns]


def prompt(family: str, *turns: tuple[RoleName, str]) -> str:
    return render_chat(FAMILIES[family], said(*turns)).prompt


S: tuple[RoleName, str] = ("system", "Be brief.")
U: tuple[RoleName, str] = ("user", "Hi")
A: tuple[RoleName, str] = ("assistant", "Hello.")
V: tuple[RoleName, str] = ("user", "And now?")


def test_a_last_answer_is_left_open() -> None:
    """The model goes on with what was begun, to the letter."""
    begun: tuple[RoleName, str] = ("assistant", "```python\n")
    assert prompt("chatml", U, begun).endswith("<|im_start|>assistant\n```python\n")
    assert prompt("llama-2", U, begun) == "[INST] Hi [/INST] ```python\n"
    assert prompt("openchat", U, begun).endswith("Assistant: ```python\n")
    assert prompt("llama-3", U, begun).endswith("<|end_header_id|>\n\n```python\n")
    assert prompt("starcoder", U, begun) == "User: Hi\nAssistant: ```python\n"
    assert prompt("codellama-70b", U, begun).endswith(
        "Destination: user\n\n ```python\n"
    )


@pytest.mark.parametrize("family", ["llama-2", "codellama-70b", "llama-3", "gemma"])
def test_blanks_round_a_text_go_where_the_template_trims(family: str) -> None:
    """Other families get them as they are."""
    loose = (
        ("system", " Be brief.\n"),
        ("user", "\n Hi "),
        ("assistant", " Hello."),
        V,
    )
    assert prompt(family, *loose) == prompt(family, S, U, A, V)
    assert "user\n\n Hi <|im_end|>" in prompt("chatml", *loose)


def test_an_empty_last_answer_is_no_answer() -> None:
    """It opens the turn as if it were not there."""
    assert prompt("chatml", U, ("assistant", "")) == prompt("chatml", U)


def test_neighbours_are_joined_where_roles_must_alternate() -> None:
    """Two questions in a row are one turn."""
    assert prompt("gemma", U, V) == (
        "<start_of_turn>user\nHi\n\nAnd now?<end_of_turn>\n<start_of_turn>model\n"
    )
    assert prompt("chatml", U, V).count("<|im_start|>user") == 2


def test_an_answer_before_any_question_gets_an_empty_one() -> None:
    """A template that wants a user first would refuse it."""
    assert prompt("mixtral", A, U) == "[INST]  [/INST]Hello.</s>[INST] Hi [/INST]"


def test_a_system_message_alone_is_asked() -> None:
    """It stands in an otherwise empty question."""
    assert prompt("gemma", S).startswith("<start_of_turn>user\nBe brief.\n\n<end")


def test_a_later_system_message_speaks_in_its_place() -> None:
    """As a turn of its own, or inside the user's where there is no system role."""
    assert "system\nBe brief." in prompt("chatml", U, A, S, V)
    assert "user\nBe brief.\n\nAnd now?" in prompt("gemma", U, A, S, V)


def test_several_system_messages_are_one() -> None:
    """The templates know one at the beginning."""
    assert prompt("chatml", S, ("system", "Be kind."), U).startswith(
        "<|im_start|>system\nBe brief.\n\nBe kind.<|im_end|>"
    )


def test_an_empty_system_message_silences_the_default() -> None:
    """Qwen's template introduces itself only where nothing is said."""
    rendered = prompt("qwen2.5", ("system", ""), U)
    assert "Alibaba" not in rendered
    assert "Alibaba" in prompt("qwen2.5", U)


def test_dialogpt_says_that_it_left_the_system_message_out() -> None:
    """It would be taken for a speaker."""
    rendered = render_chat(FAMILIES["dialogpt"], said(S, U))
    assert rendered.prompt == "Hi<|endoftext|>"
    assert "system message" in rendered.notes[0]


def test_a_base_model_says_that_it_got_a_transcript() -> None:
    """Nobody should take it for a chat model."""
    rendered = render_chat(FAMILIES["bloom"], said(S, U))
    assert rendered.prompt == "Be brief.\n\nUser: Hi\nAssistant:"
    assert rendered.stops == ("\nUser:",)
    assert "transcript" in rendered.notes[0]


def test_flan_gets_a_single_question_as_it_is() -> None:
    """It was trained on instructions without any mark."""
    rendered = render_chat(FAMILIES["flan-t5"], said(U))
    assert (rendered.prompt, rendered.stops, rendered.notes) == ("Hi", (), ())
    assert prompt("flan-t5", S, U) == "Be brief.\n\nHi"
    assert prompt("flan-t5", U, A, V) == (
        "User: Hi\nAssistant: Hello.\nUser: And now?\nAssistant:"
    )


@pytest.mark.parametrize(
    ("family", "way"), [("bert", "fill-mask"), ("embedding", "embed")]
)
def test_models_that_cannot_write_refuse(family: str, way: str) -> None:
    """With what they are for."""
    with pytest.raises(UnsupportedRole, match=way):
        prompt(family, U)


def test_images_are_refused_with_the_way_out() -> None:
    """A raw prompt is text."""
    picture = Message("user", (TextPart("What is it?"), ImagePart("https://x/y.png")))
    with pytest.raises(UnsupportedRole, match="own template"):
        render_chat(FAMILIES["llava"], [picture])


def test_parts_of_text_are_lines() -> None:
    """As engines join them."""
    parts = Message("user", (TextPart("a"), TextPart("b")))
    assert "a\nb" in render_chat(FAMILIES["chatml"], [parts]).prompt


def test_no_message_is_an_error() -> None:
    """There is nothing to answer."""
    with pytest.raises(InvalidOption, match="message"):
        prompt("chatml")


@pytest.mark.parametrize("family", WRITING)
def test_tokens_in_a_text_cannot_act(family: str) -> None:
    """Each is broken, named in a note, and mended in an answer."""
    tokens = special_tokens_of(FAMILIES[family])
    for role in ("system", "user"):
        before = said((role, "x"), V) if role == "system" else said(("user", "x"))
        plain = render_chat(FAMILIES[family], before).prompt
        for token in tokens:
            text = f"x{token}x"
            after = [Message(role, text), *before[1:]]  # type: ignore[arg-type]  # both are roles
            rendered = render_chat(FAMILIES[family], after)
            if role == "system" and family == "dialogpt":
                continue
            assert rendered.prompt.count(token) == plain.count(token), token
            assert repr(token) in rendered.notes[-1]
            assert text in unescape(rendered.prompt, tokens)


@pytest.mark.parametrize("family", WRITING)
def test_no_prompt_begins_with_what_the_tokenizer_adds(family: str) -> None:
    """One BOS, and that is the server's."""
    form = FAMILIES[family].chat
    if form is not None and form.bos:
        assert not prompt(family, S, U, A, V).startswith(form.bos)
        assert not prompt(family, U).startswith(form.bos)


TEXTS = st.text(min_size=1, max_size=40).filter(lambda text: text == text.strip())


@settings(deadline=None, max_examples=rounds(100, long=3_000))
@given(family=st.sampled_from(WRITING), texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_every_text_stands_in_the_prompt(family: str, texts: list[str]) -> None:
    """Once each and in order, its tokens broken, whatever is in it."""
    roles: tuple[RoleName, ...] = ("user", "assistant")
    marked = [f"«{place}»{text}" for place, text in enumerate(texts)]
    messages = [Message(roles[i % 2], text) for i, text in enumerate(marked)]
    rendered = render_chat(FAMILIES[family], messages).prompt
    at = 0
    for text in marked:
        clean = escape(text, special_tokens_of(FAMILIES[family]))[0]
        found = rendered.find(clean, at)
        assert found >= at
        at = found + len(clean)
