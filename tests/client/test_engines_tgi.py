"""Every generation of TGI, called through the engine: a test for each of its rows."""

from __future__ import annotations

import asyncio
import json

import pytest
from client.engines import WAYS, Asking, Stand, Way, at, counting
from servers.fake_tgi import GENERATIONS, FakeTgi

from bytebuddy_provider_hf.errors import (
    ContextTooLong,
    ModelOverloaded,
    OutOfMemory,
    StreamFailed,
    TokenInvalid,
)
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions, Tool

CHATS = tuple(v for v in GENERATIONS if v != "1.1.0")
TOOL = Tool("get_weather", "Tell the weather.", {"type": "object", "properties": {}})
LONG = CompletionOptions(max_tokens=50)

each_version = pytest.mark.parametrize("version", CHATS)
each_way = pytest.mark.parametrize("way", WAYS)
whole_and_streamed = pytest.mark.parametrize("streamed", [False, True])


def tgi(version: str, **settings: object) -> tuple[Stand, FakeTgi]:
    made = FakeTgi(version, answer=counting, **settings)  # type: ignore[arg-type]  # its own fields
    return at(made.handle), made


@each_version
@each_way
@whole_and_streamed
@virtual_time
async def test_an_end_at_the_models_own_mark_is_stop(
    version: str, way: Way, streamed: bool
) -> None:
    """``eos_token``, or ``stop`` from 2.3; the mark itself is no text."""
    stand, _ = tgi(version)
    reply = await Asking(way, streamed, options=LONG)(stand.model)
    assert (reply.text, reply.finish_reason) == ("one two three four five six", "stop")


@each_version
@each_way
@whole_and_streamed
@virtual_time
async def test_an_end_at_the_limit_is_length(
    version: str, way: Way, streamed: bool
) -> None:
    """Named so in every version."""
    stand, _ = tgi(version)
    asking = Asking(way, streamed, options=CompletionOptions(max_tokens=3))
    reply = await asking(stand.model)
    assert (reply.text, reply.finish_reason) == ("one two three", "length")


@each_version
@each_way
@whole_and_streamed
@virtual_time
async def test_a_stop_text_ends_the_answer_and_is_no_part_of_it(
    version: str, way: Way, streamed: bool
) -> None:
    """TGI leaves it in, its chat before 1.4.4 does not know it; it is cut here."""
    stand, _ = tgi(version)
    options = CompletionOptions(max_tokens=50, stop=("three",))
    reply = await Asking(way, streamed, options=options)(stand.model)
    assert reply.text.rstrip() == "one two"
    assert reply.finish_reason == "stop"


@each_version
@virtual_time
async def test_usage_of_a_streamed_chat(version: str) -> None:
    """Asked for and given from 2.3 on; before, nothing is made up."""
    stand, _ = tgi(version)
    reply = await Asking(streamed=True, options=LONG)(stand.model)
    if tuple(map(int, version.split("."))) >= (2, 3):
        assert reply.usage is not None
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (2, 7)
    else:
        assert reply.usage is None


@each_version
@each_way
@virtual_time
async def test_no_null_leaves(version: str, way: Way) -> None:
    """3.2 refuses ``stream_options: null``; every version does in ``parameters``."""
    stand, _ = tgi(version)
    await Asking(way, streamed=True, options=LONG)(stand.model)
    parameters = stand.sent.get("parameters", {})
    assert isinstance(parameters, dict)
    assert None not in [*stand.sent.values(), *parameters.values()]


@each_version
@whole_and_streamed
@virtual_time
async def test_a_chat_temperature_of_zero(version: str, streamed: bool) -> None:
    """Refused before 2.0.4, which gets the least it takes; then sent."""
    stand, _ = tgi(version)
    options = CompletionOptions(max_tokens=50, temperature=0)
    reply = await Asking(streamed=streamed, options=options)(stand.model)
    old = tuple(map(int, version.split("."))) < (2, 0, 4)
    assert stand.sent["temperature"] == (0.01 if old else 0)
    assert bool(reply.notes) is old


@pytest.mark.parametrize("version", [v for v in CHATS if v != "1.4.0"])
@whole_and_streamed
@virtual_time
async def test_a_tool_call(version: str, streamed: bool) -> None:
    """An object or text, named or in a grammar, one or a list: name and arguments."""
    stand, _ = tgi(version)
    reply = await Asking(streamed=streamed, tools=(TOOL,), options=LONG)(stand.model)
    call = reply.tool_calls[0]
    assert (call.name, json.loads(call.arguments)) == (
        "get_weather",
        {"city": "Paris"},
    )
    assert reply.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("version", "most"),
    [("1.1.0", 20), ("1.4.0", 100), ("2.4.1", 100), ("3.2.0", 200)],
)
@whole_and_streamed
@virtual_time
async def test_the_length_where_none_is_asked_for(
    version: str, most: int, streamed: bool
) -> None:
    """20, 100, or the rest of the context; how it ended is told."""
    made = FakeTgi(version, answer=lambda _request: "a " * 199 + "a")
    stand = at(made.handle)
    reply = await Asking("complete", streamed)(stand.model)
    assert len(reply.text.split()) == most
    assert reply.finish_reason == ("stop" if most == 200 else "length")


@pytest.mark.parametrize("version", GENERATIONS)
@virtual_time
async def test_its_limits_are_known(version: str) -> None:
    """``max_input_length`` became ``max_input_tokens`` with 2.1."""
    stand, _ = tgi(version)
    await Asking("complete", options=LONG)(stand.model)
    state = stand.model._lease.state()
    endpoint = stand.model._endpoint
    found = state.detector.record(endpoint.target, endpoint.destination.account).server
    assert found is not None
    assert (found.max_input, found.context_length, found.max_stops) == (1024, 2048, 4)
    assert found.version == tuple(map(int, version.split(".")))


@each_version
@each_way
@whole_and_streamed
@virtual_time
async def test_a_full_queue(version: str, way: Way, streamed: bool) -> None:
    """429, or an event of a 200 stream, native or 422 whatever the cause."""
    stand, _ = tgi(version, overloaded=True)
    with pytest.raises(ModelOverloaded) as caught:
        await Asking(way, streamed, options=LONG)(stand.model)
    assert caught.value.status == 429


@each_version
@each_way
@whole_and_streamed
@virtual_time
async def test_a_prompt_that_is_too_long(
    version: str, way: Way, streamed: bool
) -> None:
    """Its own numbers are the error's, wherever they came."""
    stand, _ = tgi(version)
    with pytest.raises(ContextTooLong) as caught:
        await Asking(way, streamed, options=LONG)(stand.model, "word " * 1_500)
    assert (caught.value.limit, caught.value.given) == (1024, 1501)


@each_version
@each_way
@virtual_time
async def test_a_failure_after_some_text(version: str, way: Way) -> None:
    """The text so far stays, and the cause is what the event stands for."""
    stand, _ = tgi(version, fails_after=2)
    with pytest.raises(StreamFailed) as caught:
        await Asking(way, streamed=True, options=LONG)(stand.model)
    assert caught.value.partial == "one two"
    assert isinstance(caught.value.__cause__, OutOfMemory)


@pytest.mark.parametrize("version", GENERATIONS)
@whole_and_streamed
@virtual_time
async def test_a_wrong_key(version: str, streamed: bool) -> None:
    """401 without a word, on the questions that generate only."""
    stand, _ = tgi(version, api_key=Secret("another"))
    with pytest.raises(TokenInvalid):
        await Asking("complete", streamed, options=LONG)(stand.model)


@pytest.mark.parametrize("version", GENERATIONS)
@virtual_time
async def test_the_prompt_is_never_given_back(version: str) -> None:
    """``return_full_text`` is false whatever the route's default."""
    stand, made = tgi(version)
    reply = await Asking("complete", options=LONG)(stand.model)
    assert reply.text == "one two three four five six"
    sent = made.requests[-1].value("parameters")
    assert isinstance(sent, dict)
    assert sent["return_full_text"] is False


@whole_and_streamed
@virtual_time
async def test_an_answer_that_begins_as_its_prompt_does_is_whole(
    streamed: bool,
) -> None:
    """Nothing was echoed, so nothing is taken off."""
    stand, _ = tgi("3.2.0")
    reply = await Asking("complete", streamed, options=LONG)(stand.model, "one two")
    assert reply.text == "one two three four five six"


@virtual_time
async def test_calls_at_once_ask_once_what_it_is() -> None:
    """What was found is shared: one look at the list of models and at /info."""
    stand, made = tgi("2.2.0")
    await asyncio.gather(*(Asking(options=LONG)(stand.model) for _ in range(20)))
    looks = [request.path for request in made.requests if request.method == "GET"]
    assert looks == ["/v1/models", "/info"]
