"""The rules for llama.cpp's own protocol, and against a real server of it."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read_infill, read_reply
from recorded import recorded
from servers.asking import ask
from servers.llama import KeyedServer

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import Target, resolve
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.types import CompletionOptions, Event, Reply, Text, Usage
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.infill_reply import InfillStream
from bytebuddy_provider_hf.wire.llamacpp import (
    InfillRequest,
    build_infill,
    read_window,
)
from bytebuddy_provider_hf.wire.openai import CompletionRequest, build_completion
from bytebuddy_provider_hf.wire.stream import StreamDecoder

ADD = InfillRequest(
    "def add(a, b):\n",
    "\nprint(add(1, 2))",
    options=CompletionOptions(temperature=0, max_tokens=16),
)
FILLED = "    return a + b"


def event(content: str, *, stop: bool = False, **more: object) -> bytes:
    """Return one event of a stream."""
    said = {"index": 0, "content": content, "stop": stop, **more}
    return b"data: " + json.dumps(said).encode() + b"\n\n"


END = event(
    "",
    stop=True,
    model="tiny-chat",
    stop_type="limit",
    tokens_predicted=4,
    tokens_evaluated=6,
    timings={"cache_n": 5, "prompt_n": 1},
)
STREAM = event(" Ça") + event(" va") + event(" 你好") + END
WHOLE = Reply(
    " Ça va 你好",
    model="tiny-chat",
    finish_reason="length",
    raw_finish_reason="limit",
    usage=Usage(6, 4, 10, 5),
)


def read(stream: bytes, size: int | None = None) -> tuple[list[Event], Reply]:
    """Feed a stream and return its events and reply."""
    decoder: StreamDecoder = InfillStream(model="m")
    step = size or len(stream) or 1
    events: list[Event] = []
    for start in range(0, len(stream), step):
        events += decoder.feed(stream[start : start + step])
    last, reply = decoder.close(), decoder.reply()
    return events + last, reply


def test_infill_sends_what_was_asked() -> None:
    """Under llama.cpp's names, at its own route, and nothing else."""
    target = resolve("m", "http://localhost:1/v1")
    call = build_infill(InfillRequest("a", "b"), target, stream=False)
    assert call.url == "http://localhost:1/infill"
    assert call.accept == "application/json"
    assert json.loads(call.body) == {"input_prefix": "a", "input_suffix": "b"}
    request = InfillRequest(
        "a",
        "b",
        files=(("c.py", "c = 1"),),
        options=CompletionOptions(
            max_tokens=5, repetition_penalty=1.1, stop=("\n",), prompt_caching=True
        ),
        extra={"samplers": ["top_k"]},
    )
    call = build_infill(request, target, stream=True)
    assert call.accept == "text/event-stream"
    assert json.loads(call.body) == {
        "input_prefix": "a",
        "input_suffix": "b",
        "input_extra": [{"filename": "c.py", "text": "c = 1"}],
        "n_predict": 5,
        "repeat_penalty": 1.1,
        "stop": ["\n"],
        "cache_prompt": True,
        "stream": True,
        "samplers": ["top_k"],
    }


@pytest.mark.parametrize("size", [None, 1, 2, 3, 7, 11])
def test_a_stream_becomes_events_and_a_reply(size: int | None) -> None:
    """Text, usage, model and finish reason are read, however the stream is cut."""
    assert read(STREAM, size) == ([Text(" Ça"), Text(" va"), Text(" 你好")], WHOLE)


def test_a_stream_cut_anywhere_is_interrupted() -> None:
    """At each byte before the end: an interruption with the text so far."""
    # A last event may lack its blank line.
    for cut in range(len(STREAM) - 2):
        with pytest.raises(errors.StreamInterrupted) as caught:
            read(STREAM[:cut])
        assert WHOLE.text.startswith(caught.value.partial)
    assert read(STREAM[:-2])[1] == WHOLE


def test_nothing_is_read_after_the_end() -> None:
    """Whatever follows the event that says stop."""
    assert read(STREAM + event("more"))[1] == WHOLE
    assert read(STREAM + b"data: [DONE]\n\n")[1] == WHOLE


def test_the_end_mark_of_others_ends_nothing() -> None:
    """[DONE] without a stop is an interruption."""
    with pytest.raises(errors.StreamInterrupted):
        read(event("a") + b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "failure",
    [
        b'data: {"error":{"code":500,"message":"no more"}}\n\n',
        b'error: {"code":500,"message":"no more"}\n\n',
        b'event: error\ndata: {"message":"no more"}\n\n',
        b'data: {"error": "no "more""}\n\n',
    ],
    ids=["data", "field of old builds", "event", "not JSON"],
)
def test_an_error_inside_the_stream_is_raised(failure: bytes) -> None:
    """With the text that came before it."""
    with pytest.raises(errors.StreamFailed, match="more") as caught:
        read(event("a") + failure)
    assert caught.value.partial == "a"


def test_what_is_not_json_is_malformed() -> None:
    """Inside a stream as in a whole answer."""
    with pytest.raises(errors.MalformedResponse):
        read(event("a") + b"data: <html>\n\n")
    for data in (b"", b"<html>", b"[]", b'{"content":null}', b'{"x":1}'):
        with pytest.raises(errors.MalformedResponse):
            read_infill(data, model="m")
    for more, partial in ((b"", ""), (b',"content":"a","stop":true', "a")):
        body = b'{"error":{"message":"no infill"}' + more + b"}"
        with pytest.raises(errors.StreamFailed, match="no infill") as failed:
            read_infill(body, model="m")
        assert failed.value.partial == partial


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ({"stop_type": "eos"}, "stop"),
        ({"stop_type": "word", "stopping_word": "\n"}, "stop"),
        ({"stop_type": "limit"}, "length"),
        ({"stopped_eos": True, "stopped_limit": False}, "stop"),
        ({"stopped_eos": False, "stopped_limit": True}, "length"),
    ],
)
def test_the_finish_reason_is_read(said: dict[str, object], finish: str) -> None:
    """In today's words and those of builds before 2025."""
    body = json.dumps({"content": "a", "stop": True, **said}).encode()
    reply = read_infill(body, model="m")
    assert (reply.text, reply.finish_reason, reply.notes) == ("a", finish, ())
    assert read(event("a", stop=True, **said))[1].finish_reason == finish


def test_what_the_typed_decoder_refuses_is_picked_by_hand() -> None:
    """A float for an int, broken UTF-8, NaN, a list of one."""
    wanted = Reply(
        "a", "m", finish_reason="stop", raw_finish_reason="eos", usage=Usage(6, 1, 7)
    )
    body = b'{"content":"a","stop":true,"tokens_predicted":1.0,"tokens_evaluated":6}'
    assert read_infill(body, model="m") == wanted
    assert read_infill(b"[" + body + b"]", model="m") == wanted
    broken = body.replace(b'"a"', b'"\xff"').replace(b"1.0", b"NaN")
    assert read_infill(broken, model="m").text == "\ufffd"


def test_the_window_is_that_of_one_slot() -> None:
    """As /props and /slots tell it; anything else tells none."""
    props = b'{"default_generation_settings":{"n_ctx":2048},"total_slots":2}'
    assert read_window(props) == 2048
    assert read_window(b'[{"id":0,"n_ctx":2048},{"id":1,"n_ctx":2048}]') == 2048
    for data in (b"", b"{}", b"[]", b"[1]", b'[{"n_ctx":0}]', b'[{"n_ctx":"x"}]'):
        assert read_window(data) is None


@given(
    st.lists(
        st.binary(max_size=30)
        | st.sampled_from(
            [
                event("a"),
                END,
                b"data: ",
                b"\n\n",
                b"error: ",
                b'{"content":5,"stop":"x","timings":[]}',
                b'{"content":"\\ud800","tokens_predicted":1e400}',
                b"[" * 300,
            ]
        ),
        max_size=6,
    ),
    st.integers(1, 9),
)
def test_any_bytes_are_events_or_one_error(parts: list[bytes], size: int) -> None:
    """Total, and the same events however the bytes are cut."""
    stream = b"".join(parts)

    def outcome(step: int | None) -> object:
        try:
            return read(stream, step)
        except errors.ResponseError as error:
            return type(error), error.partial

    assert outcome(None) == outcome(size)
    with suppress(errors.ResponseError):
        read_infill(stream, model="m")
    read_window(stream)


async def stream_of(call: HttpRequest) -> tuple[list[Event], Reply]:
    """Ask a real server for a stream and read it."""
    status, data = await ask(call)
    assert status == 200
    return read(data, 5)


def at(url: str) -> Target:
    """Return the target of a real server."""
    return resolve("tiny-chat", url)


@pytest.mark.asyncio
async def test_a_real_server_fills_the_gap(llama: str) -> None:
    """Whole and streamed: the same text, tokens counted."""
    status, data = await ask(build_infill(ADD, at(llama), stream=False))
    assert status == 200
    reply = read_infill(data, model="m")
    assert reply.text == FILLED
    assert (reply.model, reply.finish_reason) == ("tiny-chat", "stop")
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 6
    events, streamed = await stream_of(build_infill(ADD, at(llama), stream=True))
    assert "".join(e.text for e in events if isinstance(e, Text)) == FILLED
    assert len(events) > 2
    assert (streamed.text, streamed.finish_reason) == (FILLED, "stop")
    assert streamed.usage is not None
    assert streamed.usage.prompt_tokens == reply.usage.prompt_tokens


@pytest.mark.asyncio
async def test_a_real_server_stops_at_the_limit(llama: str) -> None:
    """Then the finish reason is the length."""
    request = InfillRequest(
        ADD.prefix, ADD.suffix, options=CompletionOptions(temperature=0, max_tokens=2)
    )
    _events, reply = await stream_of(build_infill(request, at(llama), stream=True))
    assert reply.finish_reason == "length"
    assert FILLED.startswith(reply.text)


@pytest.mark.asyncio
async def test_a_real_server_completes(llama: str) -> None:
    """The OpenAI-style route of the same server continues a raw prompt."""
    options = CompletionOptions(temperature=0, max_tokens=32)
    call = build_completion(
        CompletionRequest("Once upon a time", options), at(llama), stream=False
    )
    status, data = await ask(call)
    assert status == 200
    reply = read_reply(data, model="m")
    assert reply.text.startswith(" there was a tiny server that spoke JSON.")


@pytest.mark.asyncio
async def test_a_real_server_tells_its_window(llama: str) -> None:
    """/props and /slots agree on what one request may use."""
    for route in ("/props", "/slots"):
        status, data = await ask(HttpRequest(url=llama + route, method="GET"))
        assert status == 200
        assert read_window(data) == 2048


@pytest.mark.asyncio
async def test_a_real_server_refuses(llama: str, llama_auth: KeyedServer) -> None:
    """A wrong key, and a gap in too long a text."""
    call = build_infill(ADD, at(llama_auth.url), stream=False)
    status, data = await ask(call, key="wrong")
    failure = classify(status, {}, data, at(llama_auth.url))
    assert isinstance(failure, errors.AuthenticationFailed)
    status, data = await ask(call, key=llama_auth.key)
    assert read_infill(data, model="m").text == FILLED
    options = CompletionOptions(max_tokens=1)
    # llama.cpp shortens the text round a gap by itself; a plain prompt it refuses.
    prompt = CompletionRequest("a " * 5_000, options)
    status, data = await ask(build_completion(prompt, at(llama), stream=False))
    assert status == 400
    assert b"exceed_context_size_error" in data


def test_recorded_answers_are_read() -> None:
    """Raw answers of this server; skipped where they are not at hand."""
    for name, body in (("infill", FILLED), ("completion-native-stream", None)):
        path = recorded("servers", "captures", "llama", f"{name}.txt")
        raw = path.read_bytes().partition(b"##### RESPONSE")[2]
        body_bytes = raw.partition(b"\r\n\r\n")[2].partition(b"\n##### READS")[0]
        if body is not None:
            assert read_infill(body_bytes, model="m").text == body
            continue
        lines = [line for line in body_bytes.split(b"\n") if line[:5] == b"data:"]
        stream = b"".join(line.rstrip() + b"\n\n" for line in lines)
        reply = read(stream)[1]
        assert reply.text == " there was a ti"
        assert reply.finish_reason == "length"
