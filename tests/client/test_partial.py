"""What an error calls partial is what the caller was told, wherever a stream breaks."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import evolve, frozen

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import IdleTimeout, ResponseError
from bytebuddy_provider_hf.plugins.pending_reply import PendingReply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Text

CHAT = "org/name"
THINKER = "Qwen/QwQ-32B"
CODER = "bigcode/starcoder2-3b"


@frozen
class Case:
    """A streamed answer: its pieces, the model, and what is held back in it."""

    pieces: tuple[str, ...]
    model: str = CHAT
    stop: tuple[str, ...] = ()
    fills: bool = False


CASES: Mapping[str, Case] = {
    "chat": Case(("Hel", "lo é", "你", " end")),
    "stop texts": Case(
        ("one EN", "D two E", "N x END", " three"), stop=("END.", "EN y")
    ),
    "thinking": Case(("<thi", "nk>hm</th", "ink>", "\n\nsaid <", "th"), model=CHAT),
    "an opened thought": Case(("hm ", "so</th", "ink>", "an", "swer"), model=THINKER),
    "no thought at all": Case(("just ", "an answer"), model=THINKER),
    "a fill": Case(("x = 1\n", "    y = 2", "\n\n\n", "<|end", "z"), CODER, fills=True),
    "a fill between marks": Case(
        ("Here:\n<FI", "LL>\nx = 1", "\n\n", "</F", "IL"), fills=True
    ),
}


def body_of(case: Case) -> bytes:
    """Return the answer as a server streams it."""
    chunks = []
    for piece in case.pieces:
        route = case.fills and case.model == CODER
        said = {"text": piece} if route else {"delta": {"content": piece}}
        chunks.append({"choices": [said]})
    return b"".join(b"data: " + json.dumps(c).encode() + b"\n\n" for c in chunks)


async def told(model: HuggingFaceModel, case: Case) -> tuple[str, str]:
    """Return what the caller was told, and what the error says that was."""
    call: PendingReply
    if case.fills:
        call = model.fill("def f():\n    ", "\n    return x\n")
    else:
        call = model.chat("hi", stop=case.stop)
    seen = ""
    try:
        async with call as events:
            async for event in events:
                seen += event.text if isinstance(event, Text) else ""
    except (IdleTimeout, ResponseError) as error:
        return seen, error.partial
    # Complete all the same: a filter had its end.
    return "", ""


@pytest.mark.parametrize("stalls", [False, True], ids=["cut", "stalled"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@virtual_time
async def test_partial_is_what_was_told(case: Case, stalls: bool) -> None:
    """At every byte: as the connection breaks there, and as nothing comes any more."""
    body = body_of(case)
    headers = {"content-type": "text/event-stream"}
    whole = FakeReply(headers=headers, body=[body], ending="chunked")
    hub = FakeHub()
    model = open_model(
        case.model,
        api_base="https://tgi.test/v1",
        api_key="hf_test_key",
        runtime=Runtime(connect=MemoryConnect(hub), jitter=random.Random(0).random),
        request_options=RequestOptions(max_attempts=1, idle_timeout=5),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )
    most = ""
    for at in range(1, len(body)):
        broken = evolve(whole, stall=at) if stalls else evolve(whole, cut=at)
        hub.set(case.model, Behaviour(always=broken))
        seen, partial = await told(model, case)
        assert partial == seen, at
        most = max(most, seen, key=len)
    await model.aclose()
    # The test is one only where something was told.
    assert most
