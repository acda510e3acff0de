"""Hugging Face's own servers, called through the engine: a test for each wire quirk."""

from __future__ import annotations

import json

import pytest
from client.engines import WAYS, Asking, Way, at, counting
from servers.engines_hf import FakeCommunity, FakeHfServe, FakeToolkit, FakeTransformers
from servers.engines_tei import FakeTei

from bytebuddy_provider_hf.errors import (
    InputRefused,
    PipelineFailed,
    RouteNotFound,
    ServerError,
    StreamFailed,
    StreamInterrupted,
    UnsupportedRole,
    WrongServedModel,
)
from bytebuddy_provider_hf.testing.answers import MODEL
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions, Done, Tool

SIX = "one two three four five six"
OPTIONS = CompletionOptions(max_tokens=50)
TOOL = Tool("get_weather", "Tell the weather.", {"type": "object", "properties": {}})

each_way = pytest.mark.parametrize("way", WAYS)
whole_and_streamed = pytest.mark.parametrize("streamed", [False, True])


@whole_and_streamed
@virtual_time
async def test_transformers_serve_chats_though_it_cannot_list_its_models(
    streamed: bool,
) -> None:
    """Its stream ends without [DONE]; usage comes with the reason, always."""
    stand = at(FakeTransformers(answer=counting), name=MODEL)
    reply = await Asking(streamed=streamed)(stand.model)
    assert (reply.text, reply.finish_reason) == (SIX, "stop")
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 6


@whole_and_streamed
@virtual_time
async def test_what_transformers_serve_does_not_know_is_left_out(
    streamed: bool,
) -> None:
    """It refuses unknown fields by a set of names; the next call knows."""
    stand = at(FakeTransformers(answer=counting), name=MODEL)
    asking = Asking(streamed=streamed, options=CompletionOptions(top_k=5, min_p=0.1))
    for _ in range(2):
        reply = await asking(stand.model)
        assert reply.text == SIX
        assert any("min_p, top_k" in note for note in reply.notes)
    posts = [r for r in stand.engine.requests if r.method == "POST"]
    assert len(posts) == 3


@whole_and_streamed
@virtual_time
async def test_a_stop_that_transformers_serve_leaves_in_is_cut(
    streamed: bool,
) -> None:
    """Its text goes on to the stop and past it."""
    stand = at(FakeTransformers(answer=counting), name=MODEL)
    asking = Asking(streamed=streamed, options=CompletionOptions(stop=("three",)))
    reply = await asking(stand.model)
    assert reply.text == "one two "


@virtual_time
async def test_transformers_serve_is_pinned_to_a_model() -> None:
    """Asked for another it names its own, in the error and in the hint."""
    stand = at(FakeTransformers())
    with pytest.raises(WrongServedModel) as caught:
        await Asking()(stand.model)
    assert caught.value.served == MODEL
    assert MODEL in (caught.value.hint or "")


@pytest.mark.parametrize("said", ["out of luck", 'no "quotes" escaped'])
@virtual_time
async def test_transformers_serve_writes_errors_by_hand(said: str) -> None:
    """A quote breaks their JSON; the text so far and the cause are there."""
    stand = at(FakeTransformers(answer=counting, fails_with=said), name=MODEL)
    with pytest.raises(StreamFailed) as caught:
        await Asking(streamed=True)(stand.model)
    assert caught.value.partial == "one"
    assert isinstance(caught.value.__cause__, ServerError)


@whole_and_streamed
@virtual_time
async def test_a_call_that_transformers_serve_reads_is_one(streamed: bool) -> None:
    """Its id is that of the request; the marks stay in the text of a whole answer."""
    written = json.dumps({"name": "get_weather", "arguments": {"city": "Paris"}})
    stand = at(FakeTransformers(calls=written), name=MODEL)
    reply = await Asking(streamed=streamed, tools=(TOOL,))(stand.model)
    assert reply.finish_reason == "tool_calls"
    (call,) = reply.tool_calls
    assert (call.name, json.loads(call.arguments)) == (TOOL.name, {"city": "Paris"})


@virtual_time
async def test_a_call_that_transformers_serve_cannot_read_is_no_answer() -> None:
    """An exception on its side: 500 in plain text, or a stream without an end."""
    stand = at(FakeTransformers(calls='{"name": "get_weather", '), name=MODEL)
    with pytest.raises(ServerError) as caught:
        await Asking(tools=(TOOL,))(stand.model)
    assert caught.value.status == 500
    with pytest.raises(StreamInterrupted) as broken:
        await Asking(streamed=True, tools=(TOOL,))(stand.model)
    assert broken.value.partial in ("", "Let me see.")


@whole_and_streamed
@virtual_time
async def test_transformers_serve_loads_its_model_while_a_call_waits(
    streamed: bool,
) -> None:
    """Without a word, for minutes: the call's own time is what bounds it."""
    stand = at(FakeTransformers(answer=counting, loads_for=500), name=MODEL)
    reply = await Asking(streamed=streamed)(stand.model)
    assert reply.text == SIX


@whole_and_streamed
@virtual_time
async def test_hf_serve_chats(streamed: bool) -> None:
    """By the OpenAI route that it has beside the task API."""
    stand = at(FakeHfServe(answer=counting))
    reply = await Asking(streamed=streamed)(stand.model)
    assert (reply.text, reply.finish_reason) == (SIX, "stop")
    assert stand.asked.path == "/v1/chat/completions"


@virtual_time
async def test_hf_serve_continues_no_text() -> None:
    """404 in detail: the error says that the route is missing."""
    stand = at(FakeHfServe())
    with pytest.raises(RouteNotFound):
        await Asking("complete")(stand.model)


@whole_and_streamed
@virtual_time
async def test_the_toolkit_continues_a_text_as_a_task(streamed: bool) -> None:
    """Its plain 404 makes us leave the OpenAI routes; it answers in one piece."""
    stand = at(FakeToolkit(answer=counting))
    for _ in range(2):
        reply = await Asking("complete", streamed, options=OPTIONS)(stand.model)
        assert reply.text == SIX
    paths = [r.path for r in stand.engine.requests if r.method == "POST"]
    assert paths == ["/v1/completions", "/", "/"]


@virtual_time
async def test_the_toolkit_does_not_chat() -> None:
    """Its own 404 is what the caller sees, with what to do next."""
    with pytest.raises(RouteNotFound) as caught:
        await Asking("chat")(at(FakeToolkit()).model)
    assert caught.value.hint


@virtual_time
async def test_whatever_goes_wrong_in_the_toolkit_is_a_400() -> None:
    """A mistake of its own code is told apart from one in the question."""
    broken = "'NoneType' object has no attribute 'deserialize'"
    with pytest.raises(PipelineFailed) as caught:
        await Asking("complete")(at(FakeToolkit(fails_with=broken)).model)
    assert caught.value.status == 400


@pytest.mark.parametrize("kind", ["embedding", "reranker", "classifier"])
@each_way
@virtual_time
async def test_tei_generates_no_text(kind: str, way: Way) -> None:
    """It is named, with what to do instead; nothing is asked in vain."""
    stand = at(FakeTei(kind))  # type: ignore[arg-type]  # of three
    with pytest.raises(UnsupportedRole, match="text-embeddings-inference") as caught:
        await Asking(way)(stand.model)
    assert caught.value.hint
    assert all(request.method == "GET" for request in stand.engine.requests)


@each_way
@virtual_time
async def test_community_pipelines_speak_another_protocol(way: Way) -> None:
    """A list of complaints about the missing inputs."""
    stand = at(FakeCommunity())
    with pytest.raises((InputRefused, UnsupportedRole)):
        await Asking(way)(stand.model)


@virtual_time
async def test_a_strict_transformers_serve_gets_no_member_of_ours() -> None:
    """What nobody asked for is taken back, and not sent again."""
    stand = at(FakeTransformers(strict=True), name=MODEL)
    for _ in range(2):
        async with stand.model.chat("hi") as events:
            seen = [event async for event in events]
        assert isinstance(seen[-1], Done)
    assert "stream_options" not in stand.sent
