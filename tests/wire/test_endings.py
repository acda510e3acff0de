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
from bytebuddy_provider_hf.types import Reply, Text
from bytebuddy_provider_hf.wire.choices import NO_EXPECTATIONS, Expectations
from bytebuddy_provider_hf.wire.finish_reasons import _FAULTS, _KNOWN
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream

DONE = b"data: [DONE]\n\n"
TEXT = "The first step is"
# Where each comes from stands in finish_reasons.py; these are spelt as on the wire.
KNOWN = {
    "stop": [
        "stop",
        "STOP",
        "FinishReason.STOP",
        "eos_token",
        "stop_sequence",
        "end_turn",
        "COMPLETE",
    ],
    "length": ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens"],
    "content_filter": ["content_filter", "content-filter", "SAFETY", "sensitive"],
}
FAULTS = [
    *("abort", "error", "network_error", "insufficient_system_resource", "ERROR"),
    *("cancelled", "timeout", "server-error", "MALFORMED_FUNCTION_CALL"),
    *("engine_error", "ERROR_LIMIT", "USER_CANCEL", "FinishReason.ABORT"),
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
@example(["0" * 15, "0" * 15, "0" * 15, "0000."])
def test_any_other_word_is_kept_and_told(word: object) -> None:
    """Where the answer ended properly; else it may have been cut anywhere."""
    shown = word if isinstance(word, str) else json.dumps(word)
    named = shown.strip().rpartition(".")[2].lower()
    plain = named.replace("-", "_").replace(" ", "_")
    none_yet = not word or plain in ("", "none", "null")
    fault = plain in _FAULTS or "error" in plain or "cancel" in plain
    if none_yet or fault or {shown, plain} & _KNOWN.keys():
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


@pytest.mark.parametrize("word", [False, 0, {}, "null", "None", ""])
def test_a_word_for_not_yet_is_no_reason(word: object) -> None:
    """In every chunk: then only the end of the stream is one, and a note says so."""
    said = event({"choices": [{"delta": {"content": TEXT}, "finish_reason": word}]})
    with pytest.raises(StreamInterrupted):
        read(said)
    reply = read(said + DONE)
    assert (reply.finish_reason, reply.raw_finish_reason) == (None, None)
    assert "did not say why" in " ".join(reply.notes)


def test_an_end_mark_without_a_reason_is_told() -> None:
    """A note; and JSON that does not parse was broken off."""
    said = event({"choices": [{"delta": {"content": '{"a": [1,'}}]})
    assert "did not say why" in " ".join(read(said + DONE).notes)
    with pytest.raises(StreamInterrupted):
        read(said + DONE, wanted=Expectations(json=True))
    other = event({"choices": [{"index": 1, "delta": {"content": "b cut"}}]})
    both_of_them = read(streamed("stop", end=other + DONE), wanted=Expectations(n=2))
    assert "did not say why" in " ".join(both_of_them.notes)


@pytest.mark.parametrize(
    "more",
    [
        {"content": " more"},
        {"reasoning": "hm"},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]},
    ],
)
def test_an_answer_that_goes_on_behind_its_reason_has_not_ended(more: object) -> None:
    """Some servers write a reason into every chunk: only the stream's end counts."""
    decoder = OpenAIStream(model="m")
    decoder.feed(streamed("stop", end=b""))
    assert decoder.settled
    decoder.feed(event({"id": "c", "choices": [{"delta": more}]}))
    assert not decoder.settled
    with pytest.raises(StreamInterrupted):
        decoder.close(clean=False)
    # Once it did so, no later reason is believed before the end either.
    decoder = OpenAIStream(model="m")
    decoder.feed(streamed("stop", end=b"") * 2)
    assert not decoder.settled
    decoder.feed(DONE)
    assert (decoder.reply().text, decoder.reply().notes) == (TEXT * 2, ())


def test_text_on_the_fast_way_reopens_an_answer_too() -> None:
    """Plain chunks behind the reason, in one packet."""
    plain = [{"id": "c", "choices": [{"delta": {"content": "x"}}]}] * 9
    body = b"".join(event(each) for each in plain)
    decoder = OpenAIStream(model="m")
    decoder.feed(event(plain[0]) + streamed("stop", end=b"") + b": ping\n\n")
    assert decoder.settled
    decoder.feed(body)
    assert not decoder.settled


def test_a_message_behind_its_deltas_is_their_sum() -> None:
    """MiniMax ends a stream so: only what it adds is new."""
    deltas = [event({"choices": [{"delta": {"content": c}}]}) for c in ("Hel", "lo")]
    for content, text in (("Hello", "Hello"), ("Hello!", "Hello!"), ("Bye", "Hello")):
        message = {"role": "assistant", "content": content}
        last = {"choices": [{"message": message, "finish_reason": "stop"}]}
        reply = read(b"".join(deltas) + event(last) + DONE)
        assert (reply.text, reply.finish_reason) == (text, "stop")


def test_a_message_alone_is_the_answer_whatever_its_reason() -> None:
    """TGI's word beside a delta means the end mark of the model; not so here."""
    message = {"message": {"content": TEXT}, "finish_reason": "eos_token"}
    assert read(event({"choices": [message]}) + DONE).text == TEXT


def test_all_choices_of_a_chunk_are_read_before_a_fault_is_raised() -> None:
    """What the second says reaches the caller."""
    choices = [
        {"index": 0, "delta": {"content": "a"}, "finish_reason": "abort"},
        {"index": 1, "delta": {"content": "b"}},
    ]
    decoder = OpenAIStream(model="m", wanted=Expectations(n=2))
    told = decoder.feed(event({"choices": choices}))
    assert [each.text for each in told if isinstance(each, Text)] == ["a", "b"]
    assert isinstance(decoder.failure, StreamInterrupted)
