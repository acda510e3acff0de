"""The rules for TGI's own protocol."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import meant_by, read_generated
from recorded import recorded

from bytebuddy_provider_hf.address import resolve
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
    Usage,
)
from bytebuddy_provider_hf.wire.filtered_stream import FilteredStream
from bytebuddy_provider_hf.wire.openai import CompletionRequest
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.tgi import build_generate
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream

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
    decoder: TgiStream | OpenAIStream | FilteredStream, stream: bytes, size: int = 10**6
) -> tuple[list[Event], Reply]:
    events: list[Event] = []
    for at in range(0, len(stream), size):
        events += decoder.feed(stream[at : at + size])
    last, reply = decoder.close(), decoder.reply()
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
    """The body does not say that a stream is wanted."""
    call = build_generate(request(), TARGET, stream=True)
    assert call.url == "https://tgi.example/generate_stream"
    assert call.accept == "text/event-stream"
    assert "stream" not in json.loads(call.body)


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
    assert reply == Reply(
        "two",
        model="m",
        finish_reason="stop",
        raw_finish_reason="eos_token",
        usage=Usage(1, 2, 3),
    )


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
        b'{"generated_text":null}',
    ],
)
def test_an_answer_without_a_reply_is_malformed(data: bytes) -> None:
    """Whatever else stands in it."""
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
    decoder = TgiStream(model="m")
    decoder.feed(token("a"))
    with pytest.raises(StreamFailed, match=r"`top_p` must be") as failed:
        decoder.feed(b"data:" + json.dumps(error).encode() + b"\n\n")
    assert (failed.value.partial, meant_by(failed.value).status) == ("a", 422)


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
        assert meant_by(failed.value).status == status


def test_a_native_stream_cut_anywhere_never_looks_finished() -> None:
    """At each byte before the end of the last event: an interruption."""
    stream = token("Ça ") + token("va 你好") + token("</s>", special=True, whole="x")
    # The last event counts without its blank line too.
    for cut in range(len(stream) - 2):
        decoder = TgiStream(model="m")
        decoder.feed(stream[:cut])
        with suppress(StreamInterrupted):
            decoder.close()
        with pytest.raises(StreamInterrupted) as interrupted:
            decoder.reply()
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
        assert meant_by(failed.value).status == 422
    assert len(records) == 2


def test_recorded_whole_answers() -> None:
    """Lists of one and objects give their text."""
    records = tapes("text_generation.json", "generated_text")
    for record in records:
        value = json.loads(record["body"])
        first = value[0] if isinstance(value, list) else value
        reply = read_generated(record["body"].encode())
        assert reply.text == first["generated_text"]
    assert len(records) == 29
