"""All answers have ended, and the server does not: complete within two seconds."""

from __future__ import annotations

import asyncio
import json

import pytest
from client.harness import Bench, bench

from bytebuddy_provider_hf.errors import IdleTimeout, StreamInterrupted
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.script import FakeReply
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Reply, Usage

DONE = b"data: [DONE]\n\n"


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


SAID = event({"choices": [{"delta": {"content": "Hello"}}]})
END = event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
COUNTS = event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
PING = b": ping\n\n"


def stalling(*pieces: bytes, gap: float = 0.0) -> Behaviour:
    """Send the pieces, and then nothing, the connection left open."""
    size = sum(map(len, pieces))
    headers = {"content-type": "text/event-stream"}
    # One byte more than is sent, so that the end never comes.
    body = [*pieces, b"\n"]
    reply = FakeReply(headers=headers, body=body, gap=gap, ending="chunked")
    return Behaviour(always=reply.stall_after(size))


async def drain(stand: Bench) -> None:
    async with stand.model.chat("hi") as events:
        async for _ in events:
            pass


async def timed(behaviour: Behaviour, *, think: float = 0.0) -> tuple[Reply, float]:
    """Return the reply, and the seconds from the first event to it."""
    stand = bench(behaviour)
    loop = asyncio.get_running_loop()
    began = loop.time()
    reply: Reply | None = None
    async with stand.model.chat("hi") as events:
        async for each in events:
            if isinstance(each, Done):
                reply = each.reply
            else:
                await asyncio.sleep(think)
    took = loop.time() - began
    stand.settled()
    assert reply is not None
    return reply, took


@pytest.mark.parametrize("pieces", [(SAID, END), (SAID, END, PING)])
@virtual_time
async def test_silence_after_the_end_is_not_waited_for(
    pieces: tuple[bytes, ...],
) -> None:
    """vllm-mlx#101: no mark, the connection open. The counts are then unknown."""
    reply, took = await timed(stalling(*pieces))
    assert (reply.text, reply.finish_reason) == ("Hello", "stop")
    assert reply.usage is None
    assert "how many tokens" in " ".join(reply.notes)
    assert took <= 2.1


@virtual_time
async def test_counts_that_come_in_time_are_read() -> None:
    """And then nothing is noted."""
    reply, took = await timed(stalling(SAID, END, COUNTS, gap=0.5))
    assert reply.usage == Usage(1, 2, 3)
    assert reply.notes == ()
    assert took <= 4


@virtual_time
async def test_pings_do_not_keep_it_open() -> None:
    """A server that says nothing but that it lives has nothing more to say."""
    reply, took = await timed(stalling(SAID, END, *[PING] * 100, gap=0.5))
    assert reply.text == "Hello"
    assert took <= 4


@virtual_time
async def test_a_slow_caller_loses_no_counts() -> None:
    """Its own time is not the server's: what waits in the connection is read."""
    reply, _ = await timed(stalling(SAID, END, COUNTS), think=30)
    assert reply.usage == Usage(1, 2, 3)


@virtual_time
async def test_the_next_call_gets_another_connection() -> None:
    """One that was left in the middle of an answer is not used again."""
    stand = bench(stalling(SAID, END))
    for _ in range(2):
        async with stand.model.chat("hi") as events:
            assert isinstance([each async for each in events][-1], Done)
    assert len(stand.hub.records) == 2
    stand.settled()


@pytest.mark.parametrize(
    "end", [b"", event({"choices": [{"delta": {}, "finish_reason": "weird"}]})]
)
@virtual_time
async def test_an_answer_that_has_not_ended_is_waited_for(end: bytes) -> None:
    """Nor is one that ended by a word that nobody knows: it may have been cut."""
    stand = bench(stalling(SAID, end))
    with pytest.raises(IdleTimeout) as failed:
        await drain(stand)
    assert failed.value.partial == "Hello"


@pytest.mark.parametrize("reset", [False, True])
@virtual_time
async def test_an_unclean_close_after_the_end_is_a_good_end(*, reset: bool) -> None:
    """The last chunk is missing, and nothing else."""
    size = len(SAID + END)
    reply = FakeReply(
        headers={"content-type": "text/event-stream"},
        body=[SAID, END, DONE],
        ending="chunked",
    )
    found, _ = await timed(Behaviour(always=reply.cut_after(size, reset=reset)))
    assert (found.text, found.finish_reason) == ("Hello", "stop")
    stand = bench(Behaviour(always=reply.cut_after(len(SAID), reset=reset)))
    with pytest.raises(StreamInterrupted):
        await drain(stand)


def said(text: str, finish: str | None) -> bytes:
    return event({"choices": [{"delta": {"content": text}, "finish_reason": finish}]})


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([said(f"w{at} ", "stop") for at in range(8)], "w0 w1 w2 w3 w4 w5 w6 w7 "),
        (
            [
                event(
                    {
                        "choices": [
                            {"delta": {"reasoning": "hm"}, "finish_reason": "stop"}
                        ]
                    }
                ),
                said("The answer", None),
                END,
            ],
            "The answer",
        ),
    ],
)
@virtual_time
async def test_an_answer_that_goes_on_behind_a_reason_is_not_cut(
    pieces: list[bytes], text: str
) -> None:
    """A reason in every chunk, or behind the reasoning: litellm#2195, gcli2api#403."""
    headers = {"content-type": "text/event-stream"}
    body = [*pieces, DONE]
    reply = FakeReply(headers=headers, body=body, gap=1.9, ending="chunked")
    found, _ = await timed(Behaviour(always=reply))
    assert (found.text, found.notes) == (text, ())
