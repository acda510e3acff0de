"""Words of an answer that stand in unusual places, and halves of characters."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.errors import StreamFailed
from bytebuddy_provider_hf.types import Reply
from bytebuddy_provider_hf.wire.choices import Expectations
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.surrogates import join_surrogates
from bytebuddy_provider_hf.wire.thinking import split_closed

DONE = b"data: [DONE]\n\n"
NO = "I can't help with that."


def whole(message: object, finish: str = "stop", **wanted: object) -> Reply:
    body = {"choices": [{"message": message, "finish_reason": finish}]}
    decoder = OpenAIStream(model="m", wanted=Expectations(**wanted))  # type: ignore[arg-type]  # fields of it
    return decoder.whole(json.dumps(body).encode())


def streamed(*deltas: object, finish: str = "stop", **wanted: object) -> Reply:
    chunks = [{"choices": [{"delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    decoder = OpenAIStream(model="m", wanted=Expectations(**wanted))  # type: ignore[arg-type]  # fields of it
    for chunk in chunks:
        decoder.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    decoder.feed(DONE)
    return decoder.reply()


def both(said: dict[str, object]) -> Iterator[Reply]:
    yield whole(said)
    yield streamed(said)


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ({"type": "text", "text": "Hello"}, "Hello", ""),
        (["Hel", "lo"], "Hello", ""),
        ([{"type": "text", "text": "Hel"}, "lo"], "Hello", ""),
        ([{"type": "text", "text": {"value": "Hello"}}], "Hello", ""),
        ([{"type": "output_text", "text": "Hello"}], "Hello", ""),
        ([{"type": "thinking", "thinking": "hm"}, "Hello"], "Hello", "hm"),
        (
            [{"type": "thinking", "thinking": [{"text": "hm"}]}, {"text": "Hello"}],
            "Hello",
            "hm",
        ),
        ([{"type": "reasoning", "text": "hm"}, "Hello"], "Hello", "hm"),
        ([{"type": "reasoning", "reasoning": "hm"}, "Hello"], "Hello", "hm"),
        ([{"type": "text", "text": "Hello"}, {"text": ""}], "Hello", ""),
        (42, "42", ""),
        (4.5, "4.5", ""),
    ],
)
def test_words_in_any_form_are_the_text(
    content: object, text: str, reasoning: str
) -> None:
    """Objects, lists of texts, parts, numbers: whole and streamed."""
    for reply in both({"role": "assistant", "content": content}):
        assert (reply.text, reply.reasoning, reply.notes) == (text, reasoning, ())


@pytest.mark.parametrize(
    "said",
    [
        {"content": None, "refusal": NO},
        {"content": [{"type": "refusal", "refusal": NO}]},
    ],
)
def test_a_refusal_is_the_answer_and_is_told(said: dict[str, object]) -> None:
    """langchain4j#6113."""
    for reply in both(said):
        assert reply.text == NO
        assert "refused" in " ".join(reply.notes)
    pieces = streamed({"refusal": NO[:7]}, {"refusal": NO[7:]})
    assert pieces.text == NO


def test_parts_without_words_are_named() -> None:
    """And bounded, whatever a stranger calls them."""
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    for reply in both({"content": [image, {"text": "Hello"}, 5]}):
        assert reply.text == "Hello"
        assert "image_url, int" in " ".join(reply.notes)
    many = [{"type": f"{at}{'x' * 9_999}"} for at in range(99)]
    (note, *_) = whole({"content": [*many, "Hello"]}).notes
    assert len(note) < 400


@given(st.text(max_size=30), st.integers(1, 3))
def test_halves_of_characters_are_joined(text: str, size: int) -> None:
    """Cut between any two UTF-16 units, text, reasoning and arguments come back."""
    data = text.encode("utf-16-le")
    parts = [
        data[at : at + 2 * size].decode("utf-16-le", "surrogatepass")
        for at in range(0, len(data), 2 * size)
    ]
    said = streamed(*({"content": part} for part in parts), split=False)
    assert said.text == text
    thought = streamed(*({"reasoning": part} for part in parts), {"content": "x"})
    assert thought.reasoning == text
    calls = [
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": part}}]}
        for part in parts
    ]
    assert "".join(call.arguments for call in streamed(*calls).tool_calls) == text


@pytest.mark.parametrize("half", [0xD83D, 0xDCAF])
def test_a_lone_half_is_replaced(half: int) -> None:
    """Where it cannot be printed, or sent back: in text and in errors."""
    unit = chr(half)
    for reply in both({"content": f"hi {unit}"}):
        assert reply.text == "hi \ufffd"
    then = streamed({"content": f"a{unit}"}, {"content": "b"})
    assert then.text == "a\ufffdb"
    body = json.dumps({"error": {"message": f"broke {unit}"}}).encode()
    with pytest.raises(StreamFailed) as failed:
        OpenAIStream(model="m").whole(body)
    str(failed.value).encode()


@given(st.text(st.characters(codec=None), max_size=20))
def test_what_is_joined_is_text(text: str) -> None:
    """Any units at all, and nothing is lost but lone halves."""
    joined, half = join_surrogates(text)
    joined.encode()
    assert len(half) <= 1
    plain = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert (joined + ("\ufffd" if half else "")) == plain


THOUGHT = "I think so.\n</think>\n\nHello"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (THOUGHT, ("I think so.", "Hello")),
        ("so</think>\nHello", ("so", "Hello")),
        ("</think>\n\nHello", ("", "Hello")),
        ("so</think>", ("so", "")),
        ("<think>so</think>\nHello", None),
        ("`</think>` closes it", None),
        ('say "</think>" then', None),
        ("the mark </think> in a sentence", None),
        ("Hello", None),
    ],
)
def test_reasoning_that_is_only_closed_is_told_apart(
    text: str, found: tuple[str, str] | None
) -> None:
    """Where a template has the mark: at the end of its line, and never quoted."""
    assert split_closed(text) == found


def test_a_whole_answer_is_split_for_certain() -> None:
    """vllm#31045: nothing of it was shown as text before."""
    reply = whole({"content": THOUGHT})
    assert (reply.text, reply.reasoning) == ("Hello", "I think so.")
    assert reply.notes == ()


def test_a_stream_is_split_where_the_template_is_known_to_open_it() -> None:
    """Else a note says what stands before the mark."""
    parts = [{"content": part} for part in ("I think so.\n</th", "ink>\n\nHel", "lo")]
    known = streamed(*parts, opened="<think>")
    assert (known.text, known.reasoning) == ("Hello", "I think so.")
    unknown = streamed(*parts)
    assert (unknown.text, unknown.reasoning) == (THOUGHT, "")
    assert "`</think>`" in " ".join(unknown.notes)


@pytest.mark.parametrize(("finish", "text"), [("stop", "Hello"), ("length", "")])
def test_what_was_taken_for_reasoning_is_the_answer(finish: str, text: str) -> None:
    """Some servers take the reasoning out and send no mark; nor does what was cut."""
    reply = streamed(
        {"content": "Hel"}, {"content": "lo"}, opened="<think>", finish=finish
    )
    assert reply.text == text
    assert reply.reasoning == ("" if text else "Hello")


@pytest.mark.parametrize(
    "thought", [["h", "m"], {"text": "hm"}, [{"type": "text", "text": "hm"}]]
)
def test_reasoning_in_any_form_is_read(thought: object) -> None:
    """A list, an object, parts."""
    for reply in both({"content": "Hello", "reasoning": thought}):
        assert (reply.text, reply.reasoning) == ("Hello", "hm")


def test_a_message_that_is_a_text_is_one() -> None:
    """No object round it."""
    assert whole("Hello").text == streamed("Hello").text == "Hello"
