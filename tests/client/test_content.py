"""What an answer is, its bytes tell: any label, awaited or streamed, cut anywhere."""

from __future__ import annotations

import json

import pytest
from client.harness import MODEL, Bench, bench

from bytebuddy_provider_hf.errors import ByteBuddyError, MalformedResponse
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.script import FakeReply
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Event, Reply, Text

DONE = b"data: [DONE]\n\n"
WHOLE = json.dumps(
    {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
).encode()
DELTAS: list[dict[str, object]] = [
    {"choices": [{"delta": {"content": "Hel"}}]},
    {"choices": [{"delta": {"content": "lo"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
]
LINES = [json.dumps(delta).encode() for delta in DELTAS]
EVENTS = b"".join(b"data: " + line + b"\n\n" for line in LINES)

BODIES = {
    "JSON": WHOLE,
    "pretty JSON": json.dumps(json.loads(WHOLE), indent=2).encode(),
    "a mark behind JSON": WHOLE + DONE,
    "a mark behind JSON, on its line": WHOLE + b"\n\n" + DONE,
    "blanks before JSON": b"\xef\xbb\xbf \r\n\0" + WHOLE,
    "JSON as an event": b"data: " + WHOLE + b"\n\n" + DONE,
    "events": EVENTS + DONE,
    "events without a mark": EVENTS,
    "blanks before events": b"\xef\xbb\xbf\n \0" + EVENTS + DONE,
    "a blank before each field": EVENTS.replace(b"data:", b" data:") + b"\n" + DONE,
    "one line feed between events": EVENTS.replace(b"\n\n", b"\n") + DONE,
    "one line feed before the mark": EVENTS[:-1] + DONE,
    "no line feed at the end": EVENTS + DONE.rstrip(),
    "a comment first": b": hello\n\n" + EVENTS + DONE,
    "the field twice": EVENTS.replace(b"data: ", b"data: data: ") + DONE,
    "NUL before the data": EVENTS.replace(b"data: ", b"data: \0") + DONE,
    "lines of JSON": b"\n".join(LINES) + b"\n",
    "lines of JSON, no last feed": b"\n".join(LINES),
}
LABELS = [
    *("text/event-stream", "application/json", "text/plain", "application/x-ndjson"),
    *("text/html; charset=utf-8", "application/octet-stream", None),
]


def answering(body: bytes, label: str | None, *, size: int | None = None) -> Bench:
    headers = {} if label is None else {"content-type": label}
    reply = FakeReply(headers=headers, body=[body], ending="chunked")
    return bench(Behaviour(always=reply if size is None else reply.split(size)))


async def streamed(stand: Bench) -> Reply:
    """Return the reply of a streamed call, whose events say the same."""
    async with stand.model.chat("hi") as events:
        seen: list[Event] = [event async for event in events]
    last = seen[-1]
    assert isinstance(last, Done)
    told = "".join(event.text for event in seen if isinstance(event, Text))
    assert told == last.reply.text
    return last.reply


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("name", BODIES)
@virtual_time
async def test_content_comes_before_its_label(name: str, label: str | None) -> None:
    """One request, one answer, nothing paid twice: in one piece and byte by byte."""
    for size in (None, 1):
        for whole in (True, False):
            stand = answering(BODIES[name], label, size=size)
            reply = await (stand.model.chat("hi") if whole else streamed(stand))
            assert (reply.text, reply.finish_reason) == ("Hello", "stop")
            assert reply.notes == ()
            assert len(stand.hub.records) == 1
            stand.settled()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "an empty body"),
        (b" \r\n\0", "an empty body"),
        (b"upstream connect error", "upstream connect error"),
        (b"<html><title>502 Bad Gateway</title>", "502 Bad Gateway"),
        (b'"a text"', "a text"),
        (b"[]", "[]"),
        (b"{}", "{}"),
        (b'{"choices": []}', "choices"),
    ],
)
@virtual_time
async def test_what_is_no_answer_is_shown(body: bytes, said: str) -> None:
    """Awaited and streamed: the start of what came; api_base is blamed with reason."""
    for whole in (True, False):
        stand = answering(body, "text/event-stream")
        with pytest.raises(ByteBuddyError) as failed:
            await (stand.model.chat("hi") if whole else streamed(stand))
        error = failed.value
        assert error.hint
        if body.strip(b" \r\n\0") or whole:
            assert isinstance(error, MalformedResponse)
            assert said in error.message
            assert ("api_base" in error.hint) is (b"choices" not in body)
        stand.settled()


@virtual_time
async def test_an_answer_labelled_json_may_begin_late() -> None:
    """It is made before it is sent: its silence is bounded by the call's own time."""
    headers = {"content-type": "application/json"}
    reply = FakeReply(headers=headers, body=[WHOLE], gap=0.0, ending="chunked")
    stand = bench(Behaviour(always=reply.slow(200.0)))
    assert (await streamed(stand)).text == "Hello"
    assert stand.hub.records[0].model == MODEL
