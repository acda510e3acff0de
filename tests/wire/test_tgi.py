"""The rules for TGI's own protocol, and for reading its OpenAI dialects."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import recorded

from bytebuddy_provider_hf.errors import (
    InvalidOption,
    MalformedResponse,
    ResponseError,
    StreamFailed,
    StreamInterrupted,
)
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Event,
    Reply,
    Text,
    ToolCall,
    Usage,
)
from bytebuddy_provider_hf.wire.openai import CompletionRequest
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream, read_reply
from bytebuddy_provider_hf.wire.stops import CuttingStream
from bytebuddy_provider_hf.wire.target import resolve
from bytebuddy_provider_hf.wire.tgi import build_compatible, build_generate
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream, read_generated

TARGET = resolve("a/b", "https://tgi.example")


def request(
    prompt: str = "Hi",
    *,
    extra: dict[str, object] | None = None,
    **options: Any,  # noqa: ANN401 - options of any type
) -> CompletionRequest:
    return CompletionRequest(prompt, CompletionOptions(**options), extra or {})


def token(
    text: str,
    *,
    special: bool = False,
    whole: str | None = None,
    details: object = None,
    prefix: bytes = b"data: ",
) -> bytes:
    event = {
        "index": 1,
        "token": {"id": 1, "text": text, "logprob": -0.5, "special": special},
        "generated_text": whole,
        "details": details,
    }
    return prefix + json.dumps(event).encode() + b"\n\n"


def read(
    decoder: TgiStream | OpenAIStream | CuttingStream, stream: bytes, size: int = 10**6
) -> tuple[list[Event], Reply]:
    events: list[Event] = []
    for at in range(0, len(stream), size):
        events += decoder.feed(stream[at : at + size])
    last, reply = decoder.close()
    return events + last, reply


def native(stream: bytes, size: int = 10**6, **more: Any) -> Reply:  # noqa: ANN401 - as above
    events, reply = read(TgiStream(model="m", **more), stream, size)
    assert "".join(e.text for e in events if isinstance(e, Text)) == reply.text
    return reply


# Requests


def test_generate_asks_for_no_echo_and_for_details() -> None:
    """The prompt must not come back, the finish reason and the usage must."""
    call = build_generate(request(max_tokens=5), TARGET, stream=False)
    assert call.url == "https://tgi.example/generate"
    assert json.loads(call.body) == {
        "inputs": "Hi",
        "parameters": {
            "max_new_tokens": 5,
            "return_full_text": False,
            "details": True,
        },
    }


def test_a_stream_has_a_route_of_its_own() -> None:
    """Only ``/`` is told in the body that a stream is wanted."""
    call = build_generate(request(), TARGET, stream=True)
    assert call.url == "https://tgi.example/generate_stream"
    assert call.accept == "text/event-stream"
    assert "stream" not in json.loads(call.body)
    call = build_compatible(request(), TARGET, stream=True)
    assert call.url == "https://tgi.example/"
    assert json.loads(call.body)["stream"] is True


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://h", "https://h/generate"),
        ("https://h/v1", "https://h/generate"),
        ("https://h/v1/chat/completions", "https://h/generate"),
        ("https://h/generate_stream", "https://h/generate"),
        ("https://h/generate", "https://h/generate"),
        ("https://h/x/v1?key=1", "https://h/x/generate?key=1"),
    ],
)
def test_the_route_lies_beside_v1(base: str, url: str) -> None:
    """Whatever the apiBase names, TGI's own routes are at the root."""
    assert build_generate(request(), resolve("m", base), stream=False).url == url


def test_extra_parameters_join_the_others() -> None:
    """What extraBodyProperties says of ``parameters`` does not replace them."""
    extra: dict[str, object] = {"parameters": {"watermark": True}, "adapter": "x"}
    body = json.loads(build_generate(request(extra=extra), TARGET, stream=False).body)
    assert body["parameters"]["watermark"] is True
    assert body["parameters"]["details"] is True
    assert body["adapter"] == "x"


def test_what_json_cannot_hold_is_refused() -> None:
    """A lone surrogate never leaves."""
    with pytest.raises(InvalidOption):
        build_generate(request("\ud800"), TARGET, stream=False)


@given(
    st.builds(
        dict,
        temperature=st.none() | st.floats(0, 2),
        top_p=st.none() | st.floats(0, 1),
        stop=st.none() | st.lists(st.text()),
        seed=st.none() | st.integers(),
    )
)
def test_nulls_never_leave(options: dict[str, Any]) -> None:
    """TGI refuses null for stop, do_sample and others."""
    body = json.loads(build_generate(request(**options), TARGET, stream=True).body)
    assert None not in body.values()
    assert None not in body["parameters"].values()


# Whole answers


@pytest.mark.parametrize("listed", [False, True])
def test_a_whole_answer_is_an_object_or_a_list_of_one(listed: bool) -> None:
    """``/generate`` answers an object, ``/`` a list."""
    answer = {
        "generated_text": "two",
        "details": {
            "finish_reason": "eos_token",
            "generated_tokens": 2,
            "prefill": [{"id": 1, "text": "x"}],
        },
    }
    data = json.dumps([answer] if listed else answer).encode()
    reply = read_generated(data, model="m")
    assert reply == Reply("two", model="m", finish_reason="stop", usage=Usage(1, 2, 3))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("length", "length"),
        ("eos_token", "stop"),
        ("stop_sequence", "stop"),
        ("stop", "stop"),
    ],
)
def test_finish_reasons_are_mapped(name: str, ours: str) -> None:
    """TGI's own reasons become the usual ones."""
    details = {"finish_reason": name, "generated_tokens": 1, "input_length": 3}
    data = json.dumps({"generated_text": "", "details": details}).encode()
    assert read_generated(data).finish_reason == ours
    stream = token("x", whole="x", details=details)
    reply = native(stream)
    assert (reply.finish_reason, reply.usage) == (ours, Usage(3, 1, 4))


def test_an_echo_of_the_prompt_is_removed() -> None:
    """A server may put the prompt first whatever it was asked."""
    data = b'[{"generated_text":"one plus two equals three"}]'
    assert read_generated(data, prompt="one plus ").text == "two equals three"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"[1]",
        b"null",
        b"<html>",
        b'{"error":"Model is overloaded","error_type":"overloaded"}',
        b'{"generated_text":null}',
    ],
)
def test_an_answer_without_a_reply_is_malformed(data: bytes) -> None:
    """Also an error that came with status 200."""
    with pytest.raises(MalformedResponse):
        read_generated(data)


# Streams


@pytest.mark.parametrize("prefix", [b"data:", b"data: "])
@pytest.mark.parametrize("size", [1, 3, 10**6])
def test_tokens_become_text_and_special_ones_do_not(prefix: bytes, size: int) -> None:
    """With or without a space after the colon, however cut."""
    stream = token("Ça ", prefix=prefix) + token("va", prefix=prefix)
    stream += token("</s>", special=True, whole="Ça va", prefix=prefix)
    assert native(stream, size).text == "Ça va"


def test_the_echo_at_the_end_of_a_stream_is_not_text() -> None:
    """With return_full_text the last event begins with the prompt; tokens never do."""
    assert native(token("b", whole="ab"), prompt="a").text == "b"
    only = b'data: {"generated_text":"ab"}\n\n'
    assert native(only, prompt="a").text == "b"


def test_details_with_a_finish_reason_end_a_stream() -> None:
    """Either of the two marks is an end."""
    details = {"finish_reason": "length", "generated_tokens": 1}
    assert native(token("a", details=details)).finish_reason == "length"
    assert native(token("a", whole="a")).finish_reason is None


def test_nothing_after_the_end_is_read() -> None:
    """What a server sends after its last event is no part of the answer."""
    decoder = TgiStream(model="m")
    assert decoder.feed(token("a", whole="a") + token("b")) == [Text("a")]
    assert decoder.done


@pytest.mark.parametrize("error_type", ["validation", None])
def test_an_error_event_ends_a_stream_with_what_came_before(
    error_type: str | None,
) -> None:
    """It comes with status 200; the status it stands for is told."""
    error = {"error": "Input validation error: `top_p` must be > 0.0 and < 1.0"}
    if error_type:
        error["error_type"] = error_type
    decoder = TgiStream(model="m", scrub=lambda text: text.replace("top_p", "***"))
    decoder.feed(token("a"))
    with pytest.raises(StreamFailed, match=r"`\*\*\*` must be") as failed:
        decoder.feed(b"data:" + json.dumps(error).encode() + b"\n\n")
    assert (failed.value.partial, failed.value.status) == ("a", 422)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"error": "x", "error_type": "overloaded"}, 429),
        ({"error": "Model is overloaded"}, 429),
        ({"error": "x", "error_type": "generation"}, 424),
        ({"error": "x", "error_type": "incomplete_generation_stream"}, 500),
        ({"error": {"message": "Model is overloaded", "http_status_code": 422}}, 429),
        ({"error": {"message": "other", "http_status_code": 422}}, 422),
        ({"error": {"message": "x", "code": 500, "type": "server_error"}}, 500),
        ({"error": "x", "error_type": 7}, None),
        ({"error": ["x"]}, None),
    ],
)
def test_an_error_event_tells_its_status(event: object, status: int | None) -> None:
    """By the type, else by the words, else by the number: TGI's is always 422."""
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    for decoder in (TgiStream(model="m"), OpenAIStream(model="m")):
        with pytest.raises(StreamFailed) as failed:
            decoder.feed(data)
        assert failed.value.status == status


def test_a_native_stream_cut_anywhere_never_looks_finished() -> None:
    """At each byte before the end of the last event: an interruption."""
    stream = token("Ça ") + token("va 你好") + token("</s>", special=True, whole="x")
    # The last event counts without its blank line too.
    for cut in range(len(stream) - 2):
        decoder = TgiStream(model="m")
        decoder.feed(stream[:cut])
        with pytest.raises(StreamInterrupted) as interrupted:
            decoder.close()
        assert "Ça va 你好".startswith(interrupted.value.partial)
    assert native(stream[:-2]).text == "Ça va 你好"


@given(st.lists(st.binary() | st.sampled_from([b"data: ", token("a"), b"\n\n", b"[1"])))
def test_any_bytes_give_events_or_one_error(chunks: list[bytes]) -> None:
    """No other exception, whatever comes."""
    decoder = TgiStream(model="m")
    with suppress(ResponseError):
        for chunk in chunks:
            decoder.feed(chunk)
        decoder.close()


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["token", "text", "special", "generated_text", "details", "error"]
            ),
            inner,
        )
    ),
)


@given(ODD)
def test_any_json_gives_events_or_one_error(value: object) -> None:
    """Members of unexpected types are passed over."""
    data = json.dumps(value).encode()
    for step in (
        lambda: TgiStream(model="m").feed(b"data: " + data + b"\n\n"),
        lambda: read_generated(data),
    ):
        with suppress(ResponseError):
            step()


# The dialects of TGI's OpenAI routes


def chunk(choice: object, kind: str, version: str, prefix: str = "data:") -> bytes:
    body = {
        "id": "",
        "object": kind,
        "model": "m",
        "system_fingerprint": f"{version}-sha-1",
        "choices": [choice],
    }
    return f"{prefix}{json.dumps(body)}\n\n".encode()


def chat(stream: bytes) -> Reply:
    return read(OpenAIStream(model="m"), stream)[1]


def said(text: str, *, index: int = 0, finish: str | None = None) -> dict[str, object]:
    delta = {"role": "assistant", "content": text}
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def test_an_index_that_counts_tokens_hides_no_text() -> None:
    """TGI up to 1.4.3, object text_completion, no space, no end mark, "</s>"."""
    stream = b"".join(
        chunk(choice, "text_completion", "1.4.3")
        for choice in (
            said(" The", index=1),
            said(" end", index=2),
            said("</s>", index=3, finish="eos_token"),
        )
    )
    reply = chat(stream)
    assert (reply.text, reply.finish_reason) == (" The end", "stop")


def test_another_choice_is_still_not_read() -> None:
    """Elsewhere an index other than 0 is another answer."""
    stream = chunk(said("a"), "chat.completion.chunk", "3.0.0")
    stream += chunk(said("b", index=1), "chat.completion.chunk", "3.0.0")
    assert chat(stream + b"data: [DONE]\n\n").text == "a"
    other = {"index": 1, "text": "b", "finish_reason": ""}
    stream = chunk(
        {"index": 0, "text": "a", "finish_reason": "stop"}, "text_completion", "1"
    )
    assert chat(stream + chunk(other, "text_completion", "1")).text == "a"


def test_the_text_of_the_end_mark_is_no_text_in_completions() -> None:
    """TGI's completions from 2.3 end with the special token's text."""
    stream = chunk(
        {"index": 0, "text": "a", "finish_reason": ""}, "text_completion", "3.0.0"
    )
    end = {"index": 0, "text": "</s>", "finish_reason": "eos_token"}
    reply = chat(stream + chunk(end, "text_completion", "3.0.0"))
    assert (reply.text, reply.finish_reason) == ("a", "stop")


@pytest.mark.parametrize("version", ["1.4.5", "2.0.4", "2.1.0"])
def test_completions_of_old_tgi_end_without_a_mark(version: str) -> None:
    """They never say why they end: a good end of the connection is their end."""
    choice = {"index": 0, "text": "a", "finish_reason": ""}
    assert chat(chunk(choice, "text_completion", version)).text == "a"


@pytest.mark.parametrize("version", ["2.2.0", "3.2.0", ""])
def test_completions_of_later_tgi_need_their_mark(version: str) -> None:
    """From 2.2 on [DONE] comes, so that its absence means an interruption."""
    choice = {"index": 0, "text": "a", "finish_reason": ""}
    with pytest.raises(StreamInterrupted):
        chat(chunk(choice, "text_completion", version))


def test_a_tool_call_that_is_no_list_is_read() -> None:
    """Before 3.2 TGI streams an object, its index counting tokens."""
    pieces = []
    for at, text in enumerate(["{", '"city": ', '"Paris"}']):
        function = {"name": None if at else "f", "arguments": text}
        call = {"index": at, "id": "", "type": "function", "function": function}
        choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": call}}
        pieces.append(chunk(choice, "chat.completion.chunk", "3.1.0", "data: "))
    reply = chat(b"".join(pieces) + b"data: [DONE]\n\n")
    assert reply.tool_calls == (ToolCall("", "f", '{"city": "Paris"}'),)
    assert reply.finish_reason is None


def test_the_name_of_a_call_is_found_in_what_the_grammar_made() -> None:
    """Before 2.4 the name is a member of the arguments, and the end mark is there."""
    pieces = []
    for text in ['{"function": {"_name": "f", ', '"city": "Paris"}}', "</s>"]:
        function = {"name": None, "arguments": text}
        call = {"index": 20, "id": "", "type": "function", "function": function}
        choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": call}}
        pieces.append(chunk(choice, "text_completion", "2.0.4"))
    end = {"index": 0, "delta": {}, "finish_reason": "eos_token"}
    pieces.append(chunk(end, "text_completion", "2.0.4"))
    reply = chat(b"".join(pieces))
    assert reply.tool_calls == (ToolCall("", "f", '{"city": "Paris"}'),)


def test_whole_arguments_may_be_an_object() -> None:
    """Before 3.2 arguments is JSON and the id a number."""
    function = {"description": None, "name": "f", "arguments": {"x": 1}}
    message = {"role": "assistant", "tool_calls": [{"id": 0, "function": function}]}
    data = json.dumps({"choices": [{"message": message, "finish_reason": "eos_token"}]})
    reply = read_reply(data.encode(), model="m")
    assert reply.tool_calls == (ToolCall("0", "f", '{"x": 1}'),)
    assert reply.finish_reason == "stop"


# What real servers answered


def tapes(name: str, shape: str) -> list[Any]:
    records: list[Any] = json.loads(recorded("tapes", name).read_text())
    return [
        record
        for record in records
        if shape in (record["shape"] or "") and not record.get("body_clipped")
    ]


def test_recorded_native_streams() -> None:
    """The text is that which the last event sums up, its prompt and blanks aside."""
    records = tapes("sse_streams.json", "tgi-token")
    for record in records:
        data = record["body"].encode()
        reply = native(data)
        assert native(data, 7) == reply
        last = json.loads(record["body"].strip().rpartition("data:")[2])
        assert reply.text.strip()
        assert last["generated_text"].endswith(reply.text.strip())
        assert "</s>" not in reply.text
    assert len(records) == 5


def test_recorded_native_errors() -> None:
    """Each is a validation that came with status 200."""
    records = tapes("sse_streams.json", "+error")
    for record in records:
        with pytest.raises(StreamFailed, match="Input validation error") as failed:
            native(record["body"].encode())
        assert failed.value.status == 422
    assert len(records) == 2


def test_recorded_chat_streams() -> None:
    """Each has text, a finish reason, and no end mark of the model in its text."""
    records = tapes("sse_streams.json", "openai-chunk")
    for record in records:
        data = record["body"].encode()
        events, reply = read(OpenAIStream(model="m"), data, 9)
        assert read(OpenAIStream(model="m"), data) == (events, reply)
        assert reply.text or reply.tool_calls
        assert reply.finish_reason is not None
        assert "</s>" not in reply.text
    assert len(records) == 22


def test_recorded_chat_streams_of_old_tgi_lose_no_token() -> None:
    """Those that count tokens in the index, and those that do not."""
    records = tapes("sse_streams.json", "obj=text_completion")
    for record in records:
        chunks = [
            json.loads(line.removeprefix("data:"))
            for line in record["body"].splitlines()
            if line
        ]
        texts = [each["choices"][0]["delta"].get("content", "") for each in chunks]
        reply = chat(record["body"].encode())
        assert reply.text == "".join(texts).removesuffix("</s>")
    assert len(records) == 8


def test_recorded_whole_answers() -> None:
    """Lists of one and objects give their text."""
    records = tapes("text_generation.json", "generated_text")
    for record in records:
        value = json.loads(record["body"])
        first = value[0] if isinstance(value, list) else value
        reply = read_generated(record["body"].encode())
        assert reply.text == first["generated_text"]
    assert len(records) == 29
