"""``on_event`` is told of every event of a call that is awaited."""

from __future__ import annotations

import json
from typing import Any

import pytest
from client.harness import MODEL, bench

from bytebuddy_provider_hf.plugins.pending_reply import events_of
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.failures import not_supported
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import (
    Choice,
    Done,
    Event,
    Loading,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    ToolCallDelta,
)

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def answered(*messages: dict[str, Any]) -> Behaviour:
    """Return a model that gives these messages in one answer."""
    choices = [
        {"index": number, "message": message, "finish_reason": "stop"}
        for number, message in enumerate(messages)
    ]
    return Behaviour(always=json_reply({"choices": choices}))


def test_an_answer_of_one_piece_has_its_events() -> None:
    """Each answer's reasoning, text and calls in one piece each, then ``Done``."""
    call = ToolCall("c1", "f", "{}")
    reply = Reply("a", reasoning="r", tool_calls=(call,))
    delta = ToolCallDelta(0, "c1", "f", "{}")
    assert [*events_of(reply)] == [Reasoning("r"), Text("a"), delta, Done(reply)]
    assert [*events_of(Reply(""))] == [Done(Reply(""))]
    several = Reply("a", choices=(Choice("a"), Choice("b", tool_calls=(call, call))))
    assert [*events_of(several)] == [
        Text("a", 0),
        Text("b", 1),
        ToolCallDelta(0, "c1", "f", "{}", 1),
        ToolCallDelta(1, "c1", "f", "{}", 1),
        Done(several),
    ]


@virtual_time
async def test_an_awaited_call_tells_its_wait_and_its_answer() -> None:
    """What is told is what a stream gives, the text in one piece."""
    here = bench(Behaviour(cold_for=3, answer=echo))
    told: list[Event] = []
    reply = await here.model.chat("hello there", on_event=told.append)
    waits = [it for it in told if isinstance(it, Loading)]
    assert waits
    assert told == [*waits, Text("hello there"), Done(reply)]
    here.settled()


@pytest.mark.parametrize("ask", ["chat", "complete", "fill"])
@virtual_time
async def test_every_call_of_a_reply_tells_it(ask: str) -> None:
    """By the same rule, whatever was asked for."""
    here = bench()
    told: list[Event] = []
    reply = await getattr(here.model, ask)("def f(", on_event=told.append)
    assert told == [*events_of(reply)]
    assert isinstance(told[-1], Done)


@virtual_time
async def test_reasoning_and_calls_are_told() -> None:
    """As they stand in the reply."""
    message = {"content": "a", "reasoning_content": "hm", "tool_calls": [CALL]}
    here = bench(answered(message))
    told: list[Event] = []
    reply = await here.model.chat("hi", on_event=told.append)
    assert [type(it) for it in told] == [Reasoning, Text, ToolCallDelta, Done]
    assert told == [*events_of(reply)]


@virtual_time
async def test_a_change_tells_the_code_when_it_was_judged() -> None:
    """Of an edit by a model, and of a diff that is placed by rule."""
    code = "x = 1\n"
    here = bench(answered({"content": "```python\nx = 2\n```"}))
    told: list[Event] = []
    reply = await here.model.edit(code, "Set x to 2.", on_event=told.append)
    assert reply.text == "x = 2\n"
    assert told == [Text("x = 2\n"), Done(reply)]
    told.clear()
    diff = reply.diff
    reply = await here.model.apply(code, diff, on_event=told.append)
    assert told == [Text("x = 2\n"), Done(reply)]


@virtual_time
async def test_a_call_that_fails_tells_no_answer() -> None:
    """The error is the end; nothing is told that the caller does not get."""
    here = bench(Behaviour(always=not_supported(MODEL)))
    told: list[Event] = []
    with pytest.raises(Exception, match="support"):
        await here.model.chat("hi", on_event=told.append)
    assert told == []


@virtual_time
async def test_a_callback_that_fails_ends_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, and the others of its events are told."""
    told: list[Event] = []

    def broken(event: Event) -> None:
        told.append(event)
        raise KeyError(json.dumps("mine"))

    here = bench(Behaviour(answer=echo))
    assert (await here.model.chat("hi", on_event=broken)).text == "hi"
    assert len(told) == 2
    assert caplog.text.count("on_event raised") == 2
