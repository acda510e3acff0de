"""Why an answer ended: known words, words for a fault, and words that nobody knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bytebuddy_provider_hf.errors import (
    MalformedResponse,
    ResponseError,
    StreamInterrupted,
)
from bytebuddy_provider_hf.types import Reply
from bytebuddy_provider_hf.wire.choices import NO_EXPECTATIONS, Expectations
from bytebuddy_provider_hf.wire.finish_reasons import _FAULTS, _KNOWN
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream

DONE = b"data: [DONE]\n\n"
TEXT = "The first step is"
# Where each comes from stands in finish_reasons.py; these are spelt as on the wire.
KNOWN = {
    "stop": ["stop", "STOP", "eos_token", "stop_sequence", "end_turn", "COMPLETE"],
    "length": ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens"],
    "content_filter": ["content_filter", "content-filter", "SAFETY", "sensitive"],
}
FAULTS = [
    *("abort", "error", "network_error", "insufficient_system_resource", "ERROR"),
    *("cancelled", "timeout", "server-error", "MALFORMED_FUNCTION_CALL"),
]


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def streamed(word: object, *, text: str = TEXT, end: bytes = DONE) -> bytes:
    said = event({"choices": [{"delta": {"content": text}}]}) if text else b""
    return said + event({"choices": [{"delta": {}, "finish_reason": word}]}) + end


def whole(word: object, *, text: str = TEXT) -> bytes:
    message = {"message": {"content": text}, "finish_reason": word}
    return json.dumps({"choices": [message]}).encode()


def read(
    body: bytes, *, clean: bool = True, wanted: Expectations = NO_EXPECTATIONS
) -> Reply:
    """Read a stream; an error is raised by the reply at the latest."""
    decoder = OpenAIStream(model="m", wanted=wanted)
    with suppress(ResponseError):
        decoder.feed(body)
        if not decoder.done:
            decoder.close(clean=clean)
    return decoder.reply()


def both(word: object, *, text: str = TEXT) -> Iterator[Reply]:
    yield read(streamed(word, text=text))
    yield OpenAIStream(model="m").whole(whole(word, text=text))


@pytest.mark.parametrize(
    ("word", "ours"), [(word, ours) for ours, words in KNOWN.items() for word in words]
)
def test_a_known_word_is_in_our_terms(word: str, ours: str) -> None:
    """Whole and streamed; the server's own word is kept beside it."""
    for reply in both(word):
        assert (reply.finish_reason, reply.raw_finish_reason) == (ours, word)
        assert (reply.text, reply.notes) == (TEXT, ())


@pytest.mark.parametrize("word", FAULTS)
@pytest.mark.parametrize("member", ["finish_reason", "native_finish_reason"])
def test_a_word_for_a_fault_is_an_answer_that_broke_off(word: str, member: str) -> None:
    """Whatever ends the stream; with what came before it, and what to do."""
    choice = {"delta": {"content": TEXT}, "finish_reason": "stop", member: word}
    answer = {"choices": [choice]}
    for body in (event(answer) + DONE, json.dumps(answer).encode()):
        with pytest.raises(StreamInterrupted, match=word) as failed:
            OpenAIStream(model="m").whole(body)
        assert failed.value.partial == TEXT
        assert failed.value.hint
    with pytest.raises(StreamInterrupted):
        read(event(answer) + DONE)


@given(st.text(min_size=1, max_size=80) | st.integers() | st.lists(st.text()))
@example("repetition")
@example({"type": "stop"})
@example("x" * 5_000)
def test_any_other_word_is_kept_and_told(word: object) -> None:
    """Where the answer ended properly; else it may have been cut anywhere."""
    shown = word if isinstance(word, str) else json.dumps(word)
    plain = shown.strip().lower().replace("-", "_").replace(" ", "_")
    if plain in _FAULTS or {shown, plain} & _KNOWN.keys():
        return
    for reply in both(word):
        assert reply.finish_reason is None
        assert reply.raw_finish_reason
        assert shown.startswith(reply.raw_finish_reason)
        assert "may not be whole" in " ".join(reply.notes)
        assert reply.text == TEXT
    assert read(streamed(word, end=b"")).raw_finish_reason
    with pytest.raises(StreamInterrupted):
        read(streamed(word, end=b""), clean=False)


@pytest.mark.parametrize("word", ["stop", "length"])
def test_a_known_word_is_enough_where_the_connection_breaks(word: str) -> None:
    """Only the token counts can be missing then."""
    assert read(streamed(word, end=b""), clean=False).text == TEXT


@pytest.mark.parametrize(("text", "whole"), [('{"a": 1}', True), ('{"a": 1', False)])
def test_json_behind_an_unknown_word_is_judged_by_parsing(
    text: str, *, whole: bool
) -> None:
    """What is not JSON was broken off."""
    wanted = Expectations(json=True)
    body = streamed("weird", text=text)
    if whole:
        assert read(body, wanted=wanted).text == text
        return
    with pytest.raises(StreamInterrupted, match="weird") as failed:
        read(body, wanted=wanted)
    assert failed.value.partial == text


def test_a_tool_call_that_is_not_there_is_told() -> None:
    """vllm#53255, kilocode#7756: the reason says so, and the list is empty."""
    for reply in both("tool_calls"):
        assert (reply.finish_reason, reply.raw_finish_reason) == ("stop", "tool_calls")
        assert "sent no call" in " ".join(reply.notes)


@pytest.mark.parametrize("word", ["stop", "length", "content_filter", "weird"])
def test_an_answer_with_nothing_in_it_is_told(word: str) -> None:
    """Whole and streamed alike."""
    first, second = both(word, text="")
    assert first == second
    assert "answered with nothing" in " ".join(first.notes)


@pytest.mark.parametrize(
    "body", [DONE, event({"choices": [], "usage": {"prompt_tokens": 1}}) + DONE]
)
def test_an_answer_without_a_choice_is_none(body: bytes) -> None:
    """An end mark alone is no answer."""
    for read_it in (read, OpenAIStream(model="m").whole):
        with pytest.raises(MalformedResponse):
            read_it(body)


def test_all_of_several_answers_must_have_ended() -> None:
    """One that ended says nothing of the others, nor of those that never began."""
    for second in (b"", event({"choices": [{"index": 1, "delta": {"content": "b"}}]})):
        decoder = OpenAIStream(model="m", wanted=Expectations(n=2))
        decoder.feed(streamed("stop", end=second))
        assert not decoder.settled
        with pytest.raises(StreamInterrupted):
            decoder.close(clean=False)
