"""A stream that says nothing ends after noDataTimeout, however often it says so."""

from __future__ import annotations

import asyncio
import json

import pytest
from client.harness import Bench, bench

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import NoDataTimeout
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.script import FakeReply
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Reply, Text

LIMIT = 30.0


def delta(delta: object, **more: object) -> object:
    """Return a chunk of a chat."""
    return {"id": "x", "choices": [{"index": 0, "delta": delta}], **more}


COUNTED = {"prompt_tokens": 3, "completion_tokens": 1}
SAID = delta({"content": "Hello"})
# What carries nothing, as honest servers and others send it.
EMPTY = {
    "an empty delta": delta({}),
    "no text": delta({"content": ""}),
    "null": delta({"content": None}),
    "the role": delta({"role": "assistant"}),
    "the role and no text": delta({"role": "assistant", "content": ""}),
    "no reasoning": delta({"reasoning_content": ""}),
    "no refusal": delta({"refusal": ""}),
    "no call": delta({"tool_calls": []}),
    "an empty call": delta({"tool_calls": [{"index": 0, "function": {}}]}),
    "no argument": delta({"tool_calls": [{"index": 0, "function": {"arguments": ""}}]}),
    "no choice": {"id": "x", "choices": []},
    "an empty completion": {"id": "x", "choices": [{"index": 0, "text": ""}]},
    "the same counts": delta({}, usage=COUNTED),
    "counts of nothing": delta({}, usage={"prompt_tokens": 0, "completion_tokens": 0}),
    "no reason": {"id": "x", "choices": [{"delta": {}, "finish_reason": ""}]},
    "a ping in data": {"type": "ping"},
    "something else": {"weather": "fine"},
}
# What carries something, in a chunk of its own.
PROGRESS = {
    "text": delta({"content": "a"}),
    "reasoning": delta({"reasoning_content": "a"}),
    "a refusal": delta({"refusal": "a"}),
    "an argument": delta(
        {"tool_calls": [{"index": 0, "function": {"arguments": "a"}}]}
    ),
    "a completion": {"id": "x", "choices": [{"index": 0, "text": "a"}]},
}


def streaming(*events: object, gap: float) -> Behaviour:
    """Send each event after ``gap`` seconds, and the end mark."""
    pieces = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in events]
    headers = {"content-type": "text/event-stream"}
    body = [*pieces, b"data: [DONE]\n\n"]
    return Behaviour(always=FakeReply(headers=headers, body=body, gap=gap))


async def reply_of(stand: Bench) -> Reply:
    """Return the reply of a streamed chat."""
    async with stand.model.chat("hi") as stream:
        (done,) = [each async for each in stream if isinstance(each, Done)]
    stand.settled()
    return done.reply


@pytest.mark.parametrize("empty", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("first", [None, SAID], ids=["at once", "after text"])
@virtual_time
async def test_what_carries_nothing_is_no_progress(
    empty: object, first: object
) -> None:
    """From the last piece of the answer on, and from the beginning where none came."""
    options = RequestOptions(no_data_timeout=LIMIT, idle_timeout=10, max_attempts=1)
    events = [empty] * 99 if first is None else [first, *([empty] * 99)]
    stand = bench(streaming(*events, gap=1), request_options=options)
    loop = asyncio.get_running_loop()
    began, seen = loop.time(), [""]

    async def ask() -> None:
        async with stand.model.chat("hi") as reply:
            async for each in reply:
                seen[0] += each.text if isinstance(each, Text) else ""

    with pytest.raises(NoDataTimeout) as caught:
        await ask()
    assert loop.time() - began == pytest.approx(LIMIT, abs=3)
    assert caught.value.partial == seen[0] == ("" if first is None else "Hello")
    stand.settled()


@pytest.mark.parametrize("some", PROGRESS.values(), ids=PROGRESS)
@virtual_time
async def test_what_carries_something_may_take_its_time(some: object) -> None:
    """Between two of them a server may say that it lives, for hours in all."""
    options = RequestOptions(no_data_timeout=LIMIT, idle_timeout=10)
    events = [some, *([delta({})] * 4)] * 9
    stand = bench(streaming(*events, gap=5), request_options=options)
    reply = await reply_of(stand)
    assert reply.text or reply.reasoning or reply.tool_calls


@virtual_time
async def test_counts_that_grow_are_progress() -> None:
    """As of a server that counts the tokens of reasoning that it does not show."""
    options = RequestOptions(no_data_timeout=LIMIT, idle_timeout=10)
    counts = [
        delta({}, usage={"prompt_tokens": 3, "completion_tokens": count})
        for count in range(1, 40)
    ]
    stand = bench(streaming(*counts, SAID, gap=5), request_options=options)
    assert (await reply_of(stand)).text == "Hello"


@virtual_time
async def test_blanks_in_a_whole_answer_are_no_progress() -> None:
    """A server that cannot stream may write blanks for ever behind its first byte."""
    options = RequestOptions(no_data_timeout=LIMIT, idle_timeout=10, max_attempts=1)
    headers = {"content-type": "text/event-stream"}
    body = [b'{"choices":', *([b" \n"] * 99)]
    always = FakeReply(headers=headers, body=body, gap=1)
    stand = bench(Behaviour(always=always), request_options=options)
    with pytest.raises(NoDataTimeout):
        await reply_of(stand)
    stand.settled()


@virtual_time
async def test_the_default_leaves_five_minutes_for_hidden_thoughts() -> None:
    """Honest servers send empty deltas while a model thinks what it does not show."""
    quiet = [delta({})] * 28
    stand = bench(streaming(*quiet, SAID, *quiet, SAID, gap=10))
    assert (await reply_of(stand)).text == "HelloHello"
