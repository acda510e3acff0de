"""A history that no longer fits: its middle goes, and the reply says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from client.page import ENDPOINT
from servers.engines import FakeVllm

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import ContextTooLong
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import Recorded
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Message

WORDS = "word " * 50
SYSTEM = Message("system", "Be brief.")
LAST = Message("user", "And now?")


def at(vllm: Recorded, base: str = ENDPOINT) -> HuggingFaceModel:
    return open_model(
        "org/name",
        api_key="hf_x",
        api_base=base,
        runtime=Runtime(connect=MemoryConnect(vllm)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )


def history(exchanges: int) -> list[Message]:
    """Return a talk: the system message, numbered exchanges, the last question."""
    turns = [SYSTEM]
    for number in range(exchanges):
        turns.append(Message("user", f"q{number} {WORDS}"))
        turns.append(Message("assistant", f"a{number} {WORDS}"))
    return [*turns, LAST]


def sent(vllm: Recorded) -> list[str]:
    """Return how each message began that was sent last."""
    messages = vllm.requests[-1].value("messages")
    assert isinstance(messages, list)
    return [str(message["content"]).split()[0] for message in messages]


@virtual_time
async def test_what_fits_is_sent_whole() -> None:
    """Nothing is left out of a talk within the window."""
    vllm = Recorded(FakeVllm("org/name", window=4_096))
    reply = await at(vllm).chat(history(3), max_tokens=50)
    assert len(sent(vllm)) == 8
    assert reply.notes == ()


@virtual_time
async def test_the_middle_goes_before_anything_is_refused() -> None:
    """System and last turn stay, the oldest exchanges go, and it is told."""
    vllm = Recorded(FakeVllm("org/name", window=1_000))
    reply = await at(vllm).chat(history(30), max_tokens=50)
    begun = sent(vllm)
    assert begun[0] == "Be"
    assert begun[-3:] == ["q29", "a29", "And"]
    assert 5 < len(begun) < 40
    assert "earlier messages were left out" in " ".join(reply.notes)
    assert len([r for r in vllm.requests if r.method == "POST"]) == 1


@virtual_time
async def test_a_server_that_counts_is_believed() -> None:
    """Nobody knew the window: the refusal's own numbers cut the talk, once."""
    vllm = Recorded(FakeVllm("org/name", window=1_000))
    reply = await at(vllm, f"{ENDPOINT}/v1").chat(history(30), max_tokens=50)
    assert sent(vllm)[-1] == "And"
    assert "1,000 tokens" in " ".join(reply.notes)
    assert len(vllm.requests) == 2


@virtual_time
async def test_a_question_that_is_too_long_by_itself_is_the_servers_to_refuse() -> None:
    """There is nothing to cut: the failure says what does not fit."""
    vllm = Recorded(FakeVllm("org/name", window=100))
    with pytest.raises(ContextTooLong):
        await at(vllm).chat([SYSTEM, Message("user", WORDS * 10)], max_tokens=5)
    assert len([r for r in vllm.requests if r.method == "POST"]) <= 2
