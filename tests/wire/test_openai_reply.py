"""The rules for reading answers of OpenAI-style servers."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read_reply

from bytebuddy_provider_hf.errors import (
    MalformedResponse,
    ResponseError,
    ResponseTooLarge,
    StreamFailed,
    StreamInterrupted,
)
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.types import (
    Event,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream


def chunk(delta: object, finish: str | None = None, **more: object) -> bytes:
    """Return one chunk of a chat stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


def read(stream: bytes, size: int | None = None) -> tuple[list[Event], Reply]:
    """Feed a stream and return its events and reply."""
    decoder = OpenAIStream(model="m")
    events: list[Event] = []
    for start in range(0, len(stream), size or len(stream) or 1):
        events += decoder.feed(stream[start : start + (size or len(stream))])
    last, reply = decoder.close(), decoder.reply()
    return events + last, reply


DONE = b"data: [DONE]\n\n"
STREAM = (
    chunk({"role": "assistant", "content": None}, id="c1", model="org/served")
    + chunk({"content": "Ça "})
    + chunk({"reasoning_content": "hm"})
    + chunk({"content": "va 你好"})
    + chunk({}, "stop")
    + b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,'
    b'"prompt_tokens_details":{"cached_tokens":2}}}\n\n' + DONE
)


@pytest.mark.parametrize("size", [None, 1, 2, 5, 11])
def test_a_stream_becomes_events_and_a_reply(size: int | None) -> None:
    """Text, reasoning, usage, model, id and finish reason are read, however cut."""
    events, reply = read(STREAM, size)
    assert events == [Text("Ça "), Reasoning("hm"), Text("va 你好")]
    assert reply == Reply(
        text="Ça va 你好",
        model="org/served",
        finish_reason="stop",
        usage=Usage(3, 4, 7, 2),
        reasoning="hm",
        id="c1",
        raw_finish_reason="stop",
    )


def test_a_stream_cut_anywhere_never_looks_finished() -> None:
    """At each byte: an interruption with a prefix, or an end the protocol allows."""
    whole = "Ça va 你好"
    interrupted = 0
    # From the finish reason on, an end of the connection is a good end.
    ended = STREAM.index(b'"finish_reason": "stop"')
    for cut in range(len(STREAM)):
        decoder = OpenAIStream(model="m")
        try:
            decoder.feed(STREAM[:cut])
            _, reply = decoder.close(), decoder.reply()
        except StreamInterrupted as error:
            interrupted += 1
            partial = error.partial
        else:
            partial = reply.text
            assert cut > ended
            assert reply.text == whole
        assert whole.startswith(partial)
    assert interrupted > ended


def test_a_stream_without_end_mark_but_with_finish_reason_is_complete() -> None:
    """Cerebras and transformers serve send no [DONE]."""
    _, reply = read(chunk({"content": "a"}) + chunk({}, "length"))
    assert (reply.text, reply.finish_reason) == ("a", "length")


def test_a_stream_with_end_mark_only_is_complete() -> None:
    """A server that never sets a finish reason still ends with [DONE]."""
    _, reply = read(chunk({"content": "a"}) + DONE)
    assert (reply.text, reply.finish_reason) == ("a", None)


@pytest.mark.parametrize(
    "mark", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [done] \n\n"]
)
def test_nothing_after_the_end_mark_is_read(mark: bytes) -> None:
    """What a server sends after its end mark is not a part of the answer."""
    events, _ = read(chunk({"content": "a"}) + mark + chunk({"content": "b"}))
    assert events == [Text("a")]


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error":{"code":500,"message":"went wrong","type":"x"}}\n\n',
        b'data: {"error":"went wrong","error_type":"overloaded"}\n\n',
        b'data: {"object":"error","message":"went wrong","code":400}\n\n',
        b"event: error\ndata: went wrong\n\n",
        b'error: {"code":500,"message":"went wrong"}\n\n',
        b'data: {"error": "it "went wrong" badly"}\n\n',
    ],
)
def test_an_error_inside_a_stream_is_raised_with_the_text_so_far(event: bytes) -> None:
    """Status 200 promises nothing: errors arrive as events, in six forms."""
    decoder = OpenAIStream(model="m")
    decoder.feed(chunk({"content": "so far"}))
    with pytest.raises(StreamFailed, match="went wrong") as caught:
        decoder.feed(event)
    assert caught.value.partial == "so far"


def test_data_that_is_no_json_is_malformed() -> None:
    """HTML in the place of events is a typed error."""
    decoder = OpenAIStream(model="m")
    with pytest.raises(MalformedResponse, match="502 Bad Gateway"):
        decoder.feed(b"data: <html><title>502 Bad Gateway</title>\n\n")


def test_lenient_numbers_and_broken_text_are_read() -> None:
    """5.0 for an int, NaN, and bytes that are not UTF-8 do not end a stream."""
    stream = (
        b'data: {"choices":[{"index":0.0,"delta":{"content":"a\xff"},"x":NaN}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"eos_token"}],'
        b'"usage":{"prompt_tokens":5.0,"completion_tokens":null}}\n\n'
    )
    _, reply = read(stream)
    assert reply.text == "a�"
    assert reply.finish_reason == "stop"
    assert reply.usage == Usage(5)


def tool(index: int | None, **more: object) -> bytes:
    """Return a chunk with one piece of a tool call."""
    piece = {"function": more.pop("function", {}), **more}
    return chunk(
        {"tool_calls": [piece if index is None else {"index": index, **piece}]}
    )


def test_tool_calls_come_in_pieces() -> None:
    """Pieces belong together by id, then by index; arguments are joined text."""
    stream = (
        tool(0, id="a", function={"name": "f", "arguments": "{"})
        + tool(1, id="b", function={"name": "g"})
        + tool(0, function={"arguments": '"x":1}'})
        + tool(1, function={"arguments": "{}"})
        + chunk({}, "tool_calls")
    )
    events, reply = read(stream)
    assert reply.tool_calls == (
        ToolCall("a", "f", '{"x":1}'),
        ToolCall("b", "g", "{}"),
    )
    assert reply.finish_reason == "tool_calls"
    assert events[0] == ToolCallDelta(0, "a", "f", "{")
    assert [e.index for e in events if isinstance(e, ToolCallDelta)] == [0, 1, 0, 1]


def test_two_calls_at_one_index_stay_two() -> None:
    """Ollama gives every call index 0: a new id is a new call."""
    stream = (
        tool(0, id="a", function={"name": "f", "arguments": "{}"})
        + tool(0, id="b", function={"name": "g", "arguments": "{}"})
        + DONE
    )
    assert [call.id for call in read(stream)[1].tool_calls] == ["a", "b"]


def test_arguments_sent_as_an_object_become_json_text() -> None:
    """TGI before 2.4 sends the arguments as an object."""
    stream = tool(0, id=0, function={"name": "f", "arguments": {"x": 1}}) + DONE
    assert read(stream)[1].tool_calls == (ToolCall("0", "f", '{"x": 1}'),)


def test_a_whole_answer_is_read() -> None:
    """Chat and completions, with tools and null content."""
    message = {
        "content": None,
        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
    }
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    reply = read_reply(json.dumps(body).encode(), model="m")
    assert reply.tool_calls == (ToolCall("a", "f", "{}"),)
    assert (reply.text, reply.model) == ("", "m")
    body = {"choices": [{"text": "t", "finish_reason": ""}], "id": "x"}
    reply = read_reply(json.dumps(body).encode(), model="m")
    assert (reply.text, reply.finish_reason, reply.id) == ("t", None, "x")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html></html>",
        b"1",
    ],
)
def test_an_answer_without_a_reply_is_malformed(body: bytes) -> None:
    """Status 200 with nothing in it is not an empty answer."""
    with pytest.raises(MalformedResponse):
        read_reply(body, model="m")


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_any_bytes_give_events_or_a_response_error(chunks: list[bytes]) -> None:
    """The decoder is total: no foreign exception leaves it."""
    decoder = OpenAIStream(model="m")
    try:
        for piece in chunks:
            decoder.feed(piece)
        decoder.close()
    except ResponseError:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "choices",
                        "delta",
                        "message",
                        "content",
                        "text",
                        "index",
                        "usage",
                    ),
                    *("tool_calls", "function", "arguments", "id", "model"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_an_answer_or_a_response_error(value: object) -> None:
    """Members of any type are read or passed over, never a crash."""
    body = json.dumps(value).encode()
    decoder = OpenAIStream(model="m")
    try:
        decoder.feed(b"data: " + body + b"\n\n")
        decoder.close()
    except ResponseError:
        pass
    with suppress(ResponseError):
        read_reply(body, model="m")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'"[' * 10_000])
def test_deep_nesting_is_no_recursion(body: bytes) -> None:
    """A hundred thousand brackets are an error of ours, in no time."""
    with pytest.raises((MalformedResponse, ResponseTooLarge)):
        read_reply(body, model="m")


def test_the_simulated_hub_speaks_what_we_read() -> None:
    """The double's stream reads back as what it was made of."""
    reply = chat_stream(["a", "b"], usage=Usage(1, 2, 3), reasoning=["r"])
    body = reply.content
    events, read_back = read(body)
    assert [e for e in events if isinstance(e, Text)] == [Text("a"), Text("b")]
    assert read_back.usage == Usage(1, 2, 3)
