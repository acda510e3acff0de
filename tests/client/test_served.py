"""How a call was served travels with each kind of reply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.testing.answers import chat_reply, event_stream, json_reply
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import NOT_SERVED, Done, Reply, Served
from bytebuddy_provider_hf.wire.openai_json import reported_cost

KEY: Final = "hf_belongs_to_a_user"
HEADERS: Final = {
    "x-inference-provider": "deepinfra",
    "inference-id": "inf-1",
    "x-compute-type": "gpu",
    "x-compute-time": "0.25",
}
COMPUTE: Final = (("x-compute-type", "gpu"), ("x-compute-time", "0.25"))


def at(handler: Handler, base: str | None = None) -> HuggingFaceModel:
    return open_model(
        "org/name",
        api_key=KEY,
        api_base=base,
        runtime=Runtime(connect=MemoryConnect(handler), jitter=lambda: 1.0),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )


def always(reply: FakeReply) -> Handler:
    async def handle(_request: FakeRequest) -> FakeReply:
        return reply

    return handle


def costed(reply: FakeReply, cost: str) -> FakeReply:
    """Return an answer whose usage names a cost, written as it is given."""
    body = json.loads(reply.content)
    body["usage"] = {"prompt_tokens": 1, "estimated_cost": "COST"}
    written = json.dumps(body).replace('"COST"', cost)
    return FakeReply(headers=reply.headers, body=written.encode())


VECTORS: Final = {
    "data": [{"index": 0, "embedding": [0.5, 0.5]}],
    "usage": {"prompt_tokens": 1, "estimated_cost": 0.1},
}
EMBEDDED: Final = json_reply(VECTORS, headers=HEADERS)
RANKED: Final = json_reply(
    {"results": [{"index": 0, "relevance_score": 0.5}], "usage": VECTORS["usage"]},
    headers=HEADERS,
)
NAMED: Final = json_reply([{"label": "A", "score": 1.0}], headers=HEADERS)
PROVIDER: Final = "https://router.huggingface.co/deepinfra"
TASKS: Final = "https://router.huggingface.co/hf-inference"


@virtual_time
async def test_all_kinds_of_replies_say_how_they_were_served() -> None:
    """Who, under which number, at what cost, measured how."""
    chat = costed(chat_reply("hi"), "0.1").with_headers(HEADERS)
    replies = [
        (await at(always(chat)).chat("x")).served,
        (await at(always(EMBEDDED), PROVIDER).embed("x")).served,
        (await at(always(RANKED), PROVIDER).rerank("x", ["y"])).served,
    ]
    for served in replies:
        assert served.provider == "deepinfra"
        assert served.inference_id == "inf-1"
        assert served.reported_nano_usd == 100_000_000
        assert served.compute == COMPUTE
        assert (served.attempts, served.parts) == (1, ())
    named = await at(always(NAMED), TASKS).task("text-classification", "x")
    assert (named.served.provider, named.served.compute) == ("deepinfra", COMPUTE)
    assert named.served.reported_nano_usd is None


@virtual_time
async def test_a_stream_says_the_same() -> None:
    """The cost comes with the usage, in an event of its own."""
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
    counted = {"choices": [], "usage": {"prompt_tokens": 1, "estimated_cost": 2e-7}}
    stream = event_stream([{"id": "1", "choices": [choice]}, counted])
    async with at(always(stream.with_headers(HEADERS))).chat("x") as events:
        seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    served = seen[-1].reply.served
    assert (served.provider, served.reported_nano_usd) == ("deepinfra", 200)
    assert served.compute == COMPUTE


@pytest.mark.parametrize(
    ("metadata", "provider", "model"),
    [
        ({"route": "r", "model": "org/m", "provider": "groq"}, "groq", "org/m"),
        ({"provider": "a b"}, None, "org/name"),
        ({"provider": 7, "model": 7}, None, "org/name"),
        ({}, None, "org/name"),
        (5, None, "org/name"),
    ],
)
@virtual_time
async def test_the_first_chunk_of_the_router_is_read(
    metadata: object, provider: str | None, model: str
) -> None:
    """It has no choice in it, and is no event."""
    first = {"choices": [], "x-router-metadata": metadata}
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
    async with at(always(event_stream([first, {"choices": [choice]}]))).chat("x") as it:
        events = [event async for event in it]
    assert isinstance(events[-1], Done)
    reply = events[-1].reply
    assert (reply.text, reply.provider, reply.model) == ("hi", provider, model)


@pytest.mark.parametrize(
    ("written", "nano"),
    [
        ("0.000123", 123_000),
        ("1.5e-5", 15_000),
        ("0.1", 100_000_000),
        ("0.30000000000000004", 300_000_000),
        ("123456.123456789", 123_456_123_456_789),
        ("0", 0),
        ("-0.0", 0),
        ("1e-999999", 0),
        ("-1", None),
        ("1e999999", None),
        ("0." + "1" * 70, None),
        ("null", None),
        ("true", None),
        ('"0.1"', None),
        ("[0.1]", None),
        ("NaN", None),
        ("Infinity", None),
    ],
)
def test_a_cost_is_taken_as_it_is_written(written: str, nano: int | None) -> None:
    """In whole numbers; what is no amount is unknown and never nothing."""
    body = f'{{"usage": {{"prompt_tokens": 1, "estimated_cost": {written}}}}}'
    assert reported_cost(body.encode()) == nano


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x-inference-provider", "two words"),
        ("x-inference-provider", "x" * 65),
        ("x-inference-provider", "\x1b[31mgroq"),
        ("x-inference-provider", KEY),
        ("inference-id", "x" * 10_000),
        ("inference-id", f"id {KEY}"),
        ("x-request-id", "a\x1b[31mb" + "x" * 1_000),
        ("x-compute-type", "gpu\r\nx" + "é" * 500),
    ],
)
@virtual_time
async def test_what_a_header_says_is_bounded_and_clean(name: str, said: str) -> None:
    """No secret, no control character, no megabyte; a provider is a name."""
    reply = await at(always(chat_reply("hi").with_headers({name: said}))).chat("x")
    told = [reply.provider, reply.served.inference_id, reply.request_id]
    told += [value for _, value in reply.served.compute]
    assert reply.provider is None
    for each in filter(None, told):
        assert len(each) <= 256
        assert each.isprintable()
        assert KEY not in each


@virtual_time
async def test_attempts_and_times_are_counted() -> None:
    """Requests sent, seconds until the last left, seconds in all."""
    replies = [string_error(500, "No"), chat_reply("hi").slow(0, delay=2.0)]

    async def handle(_request: FakeRequest) -> FakeReply:
        return replies.pop(0)

    served = (await at(handle).chat("x")).served
    assert served.attempts == 2
    assert served.waited == pytest.approx(0.5, abs=0.01)
    assert served.elapsed == pytest.approx(2.5, abs=0.01)


def vectors(request: FakeRequest, provider: str, cost: float | None) -> FakeReply:
    inputs = request.value("input")
    count = len(inputs) if isinstance(inputs, list) else 1
    usage: Mapping[str, object] = {"prompt_tokens": count, "total_tokens": count}
    if cost is not None:
        usage = {**usage, "estimated_cost": cost}
    data = [{"index": at, "embedding": [1.0]} for at in range(count)]
    headers = {"x-inference-provider": provider, "inference-id": f"for {count}"}
    return json_reply({"data": data, "usage": usage}, headers=headers)


@pytest.mark.parametrize(
    ("providers", "costs", "provider", "cost"),
    [
        (("p", "p"), (0.1, 0.2), "p", 300_000_000),
        (("p", "q"), (0.1, 0.2), None, 300_000_000),
        (("p", "p"), (0.1, None), "p", None),
    ],
)
@virtual_time
async def test_several_requests_are_added_up(
    providers: tuple[str, str],
    costs: tuple[float, float | None],
    provider: str | None,
    cost: int | None,
) -> None:
    """What differs, or is not told of one, is unknown of the whole; each is kept."""

    async def handle(request: FakeRequest) -> FakeReply:
        second = len(request.body) < 300
        if request.method == "GET":
            return json_reply({"id": "org/name"})
        await asyncio.sleep(1.0)
        return vectors(request, providers[second], costs[second])

    found = await at(handle, PROVIDER).embed(["a text"] * 70)
    served = found.served
    assert len(found.vectors) == 70
    assert (served.provider, served.reported_nano_usd) == (provider, cost)
    assert (served.attempts, len(served.parts), served.inference_id) == (2, 2, None)
    assert [part.inference_id for part in served.parts] == ["for 64", "for 6"]
    assert served.elapsed == pytest.approx(1.0, abs=0.1)


@virtual_time
async def test_what_no_server_was_asked_for_was_served_by_nobody() -> None:
    """A change placed by rule."""
    diff = "--- a\n+++ b\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"
    reply = await at(always(FakeReply(500))).apply("a = 1\n", diff)
    assert (reply.text, reply.served) == ("a = 2\n", NOT_SERVED)


def test_how_it_was_served_makes_no_other_answer() -> None:
    """Two answers that say the same are equal."""
    assert Reply("x") == Reply("x", served=Served(elapsed=3.0))
