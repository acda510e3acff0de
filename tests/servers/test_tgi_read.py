"""Each generation of TGI, as FakeTgi plays it, is read by our own decoders."""

from __future__ import annotations

import json

import pytest
from reading import meant_by, read_generated, read_reply
from servers.asking_tgi import LATER, TEXT, WITH_COMPLETIONS, chat, server
from servers.fake_tgi import GENERATIONS, FakeTgi

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import StreamFailed, StreamInterrupted
from bytebuddy_provider_hf.testing.script import FakeReply, request_to
from bytebuddy_provider_hf.testing.virtual_time import run
from bytebuddy_provider_hf.types import CompletionOptions, Reply
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.filtered_stream import FilteredStream
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.openai import (
    ChatRequest,
    CompletionRequest,
    build_chat,
    build_completion,
)
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.supported_options import supported_options
from bytebuddy_provider_hf.wire.tgi import build_generate
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream


def sent(tgi: FakeTgi, call: HttpRequest) -> FakeReply:
    headers = {"content-type": "application/json"}
    request = request_to(call.url, method=call.method, headers=headers, body=call.body)
    return run(tgi.handle(request))


def read(decoder: TgiStream | OpenAIStream | FilteredStream, reply: FakeReply) -> Reply:
    for piece in reply.body:
        decoder.feed(piece)
    decoder.close()
    return decoder.reply()


TARGET = resolve("a/b", "https://tgi.example")
ASKED = CompletionRequest("Hi", CompletionOptions(temperature=0, max_tokens=50))


@pytest.mark.parametrize("version", GENERATIONS)
def test_every_generation_is_read_natively(version: str) -> None:
    """Whole and streamed: the same text, reason and count."""
    tgi = server(version)
    whole = read_generated(
        sent(tgi, build_generate(ASKED, TARGET, stream=False)).content
    )
    decoder = TgiStream(model="")
    streaming = read(decoder, sent(tgi, build_generate(ASKED, TARGET, stream=True)))
    for reply in (whole, streaming):
        assert (reply.text, reply.finish_reason) == (TEXT, "stop")
        assert reply.usage is not None
        assert reply.usage.completion_tokens == 4


@pytest.mark.parametrize("version", LATER)
def test_every_generation_is_read_as_a_chat(version: str) -> None:
    """Whole and streamed, with the options that this version may have."""
    options = CompletionOptions(temperature=0, top_p=1.0, presence_penalty=0)
    number = tuple(map(int, version.split(".")))
    found = supported_options(options, Tgi(version=number), "chat")
    request = ChatRequest((), extra={**found.body, **chat()})
    tgi = server(version)
    reply = sent(tgi, build_chat(request, TARGET, stream=False))
    whole = read_reply(reply.content, model="m")
    reply = sent(tgi, build_chat(request, TARGET, stream=True))
    streaming = read(OpenAIStream(model="m"), reply)
    assert (whole.text, whole.finish_reason) == (TEXT, "stop")
    assert (streaming.text, streaming.finish_reason) == (TEXT, "stop")


@pytest.mark.parametrize("version", WITH_COMPLETIONS)
def test_every_generation_is_read_as_a_completion(version: str) -> None:
    """Before 2.3 the stream gives neither a reason nor a way to tell its end mark."""
    request = CompletionRequest("Hi", CompletionOptions(max_tokens=50))
    tgi = server(version)
    whole = sent(tgi, build_completion(request, TARGET, stream=False))
    assert read_reply(whole.content, model="m").text == TEXT
    stream = sent(tgi, build_completion(request, TARGET, stream=True))
    reply = read(OpenAIStream(model="m"), stream)
    old = version in ("1.4.5", "2.1.0", "2.2.0")
    assert reply.text == (f"{TEXT}</s>" if old else TEXT)
    assert reply.finish_reason == (None if old else "stop")


@pytest.mark.parametrize("version", WITH_COMPLETIONS)
def test_every_generations_tool_calls_are_read(version: str) -> None:
    """Name and arguments, whole and streamed, whatever the way they come."""
    request = ChatRequest((), extra={**chat(), "tools": [{"type": "function"}]})
    tgi = server(version)
    answer = sent(tgi, build_chat(request, TARGET, stream=False)).content
    stream = sent(tgi, build_chat(request, TARGET, stream=True))
    for reply in (read_reply(answer, model="m"), read(OpenAIStream(model="m"), stream)):
        (call,) = reply.tool_calls
        assert call.name == "get_weather"
        assert json.loads(call.arguments) == {"city": "Paris"}


@pytest.mark.parametrize("version", GENERATIONS)
def test_a_stream_that_breaks_is_never_taken_for_whole(version: str) -> None:
    """An error event, or an end without the last event, in every dialect."""
    call = build_generate(ASKED, TARGET, stream=True)
    with pytest.raises(StreamFailed, match="CUDA") as failed:
        read(TgiStream(model="m"), sent(server(version, fails_after=2), call))
    assert (meant_by(failed.value).status, failed.value.partial) == (424, "One two")
    reply = sent(server(version), call)
    decoder = TgiStream(model="m")
    for piece in reply.body[:-1]:
        decoder.feed(piece)
    with pytest.raises(StreamInterrupted):
        decoder.close()


@pytest.mark.parametrize("version", GENERATIONS)
def test_a_stop_that_tgi_leaves_in_is_cut(version: str) -> None:
    """TGI stops at "three." and sends it; the reader never sees it."""
    options = CompletionOptions(stop=("three.", "a", "b", "c", "d"))
    request = CompletionRequest("Hi", options)
    found = supported_options(options, Tgi(), "generate")
    stream = sent(server(version), build_generate(request, TARGET, stream=True))
    reply = read(FilteredStream(TgiStream(model="m"), stops=found.cuts), stream)
    assert (reply.text, reply.finish_reason) == ("One two ", "stop")
