"""Notes of a good answer quote the server: never the key that it echoes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bytebuddy_provider_hf import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Reply

# Of no form that is known for one: only who sent it can tell it.
KEY = "tulip-harbour-lantern"
DONE = b"data: [DONE]\n\n"


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


SAID = event({"choices": [{"delta": {"content": "Hi"}}]})
END = event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
PART = {"choices": [{"delta": {"content": [{"type": KEY}]}}]}
ECHOES = {
    "a line of its own": SAID + f"authorization {KEY}\n\n".encode() + END,
    "the type of an event": SAID + event({"type": KEY}) + END,
    "the members of an event": SAID + event({KEY: 1}) + END,
    "the name of an event": SAID + f"event: {KEY}\ndata: x\n\n".encode() + END,
    "a text behind the end": SAID + END + f"data: {KEY}\n\n".encode(),
    "the reason": SAID + event({"choices": [{"delta": {}, "finish_reason": KEY}]}),
    "the type of a part": SAID + event(PART) + END,
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ECHOES)
@virtual_time
async def test_no_note_shows_the_key(name: str, *, streamed: bool) -> None:
    """In neither language, nor in the server's own word for the end."""

    async def echo(request: FakeRequest) -> FakeReply:
        assert KEY in request.headers["authorization"]
        headers = {"content-type": "text/event-stream"}
        return FakeReply(headers=headers, body=[ECHOES[name] + DONE])

    model = open_model(
        "m",
        api_key=KEY,
        api_base="http://127.0.0.1:9/v1",
        runtime=Runtime(connect=MemoryConnect(echo)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )
    reply: Reply | None = None
    if streamed:
        async with model.chat("hi") as events:
            async for each in events:
                reply = each.reply if isinstance(each, Done) else reply
    else:
        reply = await model.chat("hi")
    assert reply is not None
    assert reply.notes
    shown = [repr(reply), *(note.render("zh") for note in reply.notes)]  # type: ignore[attr-defined]  # each has a row
    assert not any(KEY in each for each in shown)
