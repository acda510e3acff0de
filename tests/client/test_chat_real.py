"""What a chat can ask for, against llama.cpp's own server."""

from __future__ import annotations

import json
import math

import pytest
from servers.llama import HELLO

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import (
    Done,
    Event,
    Message,
    Reasoning,
    Reply,
    Text,
    Tool,
    ToolCallDelta,
)

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool("get_weather", "Get the weather", {**CITY, "required": ["city"]})
CLOCK = Tool("get_time", "Get the time", {**CITY, "required": ["city"]})
PARIS = "What is the weather in Paris?"
BOTH = "What is the weather in Paris and Rome?"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


def local(url: str) -> HuggingFaceModel:
    return open_model("tiny-chat", api_base=url, env={})


async def events_of(call: object) -> tuple[list[Event], Reply]:
    """Return the events of a streamed call, and its reply."""
    async with call as stream:  # type: ignore[attr-defined]  # a PendingReply
        events: list[Event] = [event async for event in stream]
    done = events.pop()
    assert isinstance(done, Done)
    return events, done.reply


def cities(reply: Reply) -> list[str]:
    return [json.loads(call.arguments)["city"] for call in reply.tool_calls]


@pytest.mark.asyncio
async def test_one_tool_is_called_and_its_result_answered(llama: str) -> None:
    """Whole and streamed; the result goes back under the call's id."""
    async with local(llama) as model:
        reply = await model.chat(PARIS, tools=[WEATHER], temperature=0)
        call = model.chat(PARIS, tools=[WEATHER], temperature=0)
        events, streamed = await events_of(call)
        history = [
            Message("user", PARIS),
            Message("assistant", "", tool_calls=reply.tool_calls),
            Message("tool", "sunny", tool_call_id=reply.tool_calls[0].id),
        ]
        answer = await model.chat(history, tools=[WEATHER], temperature=0)
    for each in (reply, streamed):
        assert cities(each) == ["Paris"]
        assert each.finish_reason == "tool_calls"
        assert each.notes == ()
    pieces = [event for event in events if isinstance(event, ToolCallDelta)]
    assert pieces[0].name == "get_weather"
    assert pieces[0].id == streamed.tool_calls[0].id
    assert "".join(piece.arguments for piece in pieces) == (
        streamed.tool_calls[0].arguments
    )
    assert answer.text == "It is sunny in Paris."
    assert answer.finish_reason == "stop"


@pytest.mark.asyncio
async def test_two_tools_are_called_at_once(llama: str) -> None:
    """Each call has its own id and arguments, whole and streamed."""
    asked = {"tools": [WEATHER], "temperature": 0, "parallel_tool_calls": True}
    async with local(llama) as model:
        reply = await model.chat(BOTH, **asked)  # type: ignore[arg-type]  # as above
        events, streamed = await events_of(model.chat(BOTH, **asked))  # type: ignore[arg-type]  # as above
    for each in (reply, streamed):
        assert cities(each) == ["Paris", "Rome"]
        assert len({call.id for call in each.tool_calls}) == 2
    places = {event.index for event in events if isinstance(event, ToolCallDelta)}
    assert places == {0, 1}


@pytest.mark.asyncio
async def test_a_named_tool_is_the_one_that_is_called(llama: str) -> None:
    """The server itself would pass the name over and call the other."""
    tools = [WEATHER, CLOCK]
    async with local(llama) as model:
        free = await model.chat(PARIS, tools=tools, temperature=0)
        named = await model.chat(
            PARIS, tools=tools, tool_choice="get_time", temperature=0, max_tokens=60
        )
        none = await model.chat(
            PARIS, tools=tools, tool_choice="none", temperature=0, max_tokens=40
        )
        with pytest.raises(InvalidOption, match="No tool is called"):
            await model.chat(PARIS, tools=tools, tool_choice="get_tide")
    assert free.tool_calls[0].name == "get_weather"
    assert {call.name for call in named.tool_calls} == {"get_time"}
    assert none.tool_calls == ()


@pytest.mark.asyncio
async def test_a_call_cut_short_is_told(llama: str) -> None:
    """The arguments are not JSON, and the reply says why."""
    async with local(llama) as model:
        reply = await model.chat(PARIS, tools=[WEATHER], temperature=0, max_tokens=12)
    assert reply.finish_reason == "length"
    assert reply.tool_calls[0].arguments == "{"
    assert any("cut at max_tokens" in note for note in reply.notes)


@pytest.mark.asyncio
async def test_an_answer_keeps_to_a_schema(llama: str) -> None:
    """By a schema, and any JSON; whole and streamed."""
    async with local(llama) as model:
        reply = await model.chat("Give JSON", response_format=PERSON, temperature=0)
        call = model.chat("Give JSON", response_format=PERSON, temperature=0)
        events, streamed = await events_of(call)
        free = await model.chat("Give JSON", response_format="json", temperature=0)
        forced = await model.chat(
            "Say hello", response_format=PERSON, temperature=0, max_tokens=200
        )
    assert json.loads(reply.text) == {"name": "Ada", "age": 36}
    assert streamed.text == reply.text
    assert "".join(e.text for e in events if isinstance(e, Text)) == reply.text
    assert isinstance(json.loads(free.text), dict)
    # Nothing this model would say of itself: the server held it to the schema.
    assert forced.text.lstrip().startswith("{")


@pytest.mark.asyncio
async def test_reasoning_is_told_from_the_answer(llama: str) -> None:
    """The server leaves the marks in the text; the events come in two kinds."""
    async with local(llama) as model:
        reply = await model.chat("Think", temperature=0)
        events, streamed = await events_of(model.chat("Think", temperature=0))
    for each in (reply, streamed):
        assert each.reasoning == "The user wants a thought. I will think once."
        assert each.text == "Done thinking."
    thought = [event.text for event in events if isinstance(event, Reasoning)]
    assert len(thought) > 1
    assert "".join(thought) == reply.reasoning
    assert "".join(e.text for e in events if isinstance(e, Text)) == reply.text


@pytest.mark.asyncio
async def test_thinking_cut_short_is_told(llama: str) -> None:
    """All of it is reasoning, and the reply says why there is no text."""
    async with local(llama) as model:
        reply = await model.chat("Think", temperature=0, max_tokens=8)
    assert reply.text == ""
    assert reply.reasoning
    assert any("while the model was thinking" in note for note in reply.notes)


@pytest.mark.asyncio
async def test_two_answers_are_two(llama: str) -> None:
    """Whole and streamed, where the server mixes their events."""
    async with local(llama) as model:
        reply = await model.chat("Say hello", n=2, temperature=0)
        events, streamed = await events_of(
            model.chat("Say hello", n=2, temperature=0, stop=["tiny"])
        )
    assert [choice.text for choice in reply.choices] == [HELLO, HELLO]
    assert reply.text == HELLO
    before = HELLO[: HELLO.index("tiny")]
    assert [choice.text for choice in streamed.choices] == [before, before]
    for index in (0, 1):
        mine = [e.text for e in events if isinstance(e, Text) and e.choice == index]
        assert "".join(mine) == before


@pytest.mark.asyncio
async def test_the_tokens_and_their_alternatives_are_told(llama: str) -> None:
    """Whole and streamed, in chats and in continuations."""
    async with local(llama) as model:
        reply = await model.chat("Say hello", logprobs=3, temperature=0, max_tokens=5)
        _, streamed = await events_of(
            model.chat("Say hello", logprobs=3, temperature=0, max_tokens=5)
        )
        plain = await model.chat("Say hello", temperature=0, max_tokens=5)
    for each in (reply, streamed):
        assert "".join(token.token for token in each.logprobs) == plain.text
        for token in each.logprobs:
            assert token.logprob <= 0
            assert len(token.alternatives) == 3
            # At temperature 0 the likeliest is the one that was taken.
            name, logprob = token.alternatives[0]
            assert (name, math.isclose(logprob, token.logprob)) == (token.token, True)
    assert plain.logprobs == ()


@pytest.mark.asyncio
async def test_the_same_seed_gives_the_same_answer(llama: str) -> None:
    """And another one, sooner or later, another."""
    asked = "Once upon a time"

    async def said(model: HuggingFaceModel, seed: int) -> str:
        reply = await model.chat(asked, seed=seed, temperature=2, max_tokens=12)
        return reply.text

    async with local(llama) as model:
        first = [await said(model, 7) for _ in range(3)]
        others = {await said(model, seed) for seed in range(20, 28)}
    assert len(set(first)) == 1
    assert len(others) > 1


@pytest.mark.asyncio
async def test_a_stop_ends_the_answer(llama: str) -> None:
    """Before its text, which is not part of the answer."""
    async with local(llama) as model:
        reply = await model.chat("Say hello", stop=["tiny"], temperature=0)
        events, streamed = await events_of(
            model.chat("Say hello", stop=["tiny"], temperature=0)
        )
    for each in (reply, streamed):
        assert each.text == HELLO[: HELLO.index("tiny")]
        assert each.finish_reason == "stop"
    assert "".join(e.text for e in events if isinstance(e, Text)) == reply.text
