"""FakeHub: the simulated Hugging Face, asked without a socket, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from bytebuddy_provider_hf.testing import failures
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.behaviour import (
    Behaviour,
    echo,
    loads,
    loads_like_llama,
    sleeps,
    words,
)
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time


def request(
    path: str = "/v1/chat/completions",
    *,
    model: str = "a/b",
    text: str = "Hi",
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, object] | None = None,
) -> FakeRequest:
    asked = {"messages": [{"role": "user", "content": text}], "prompt": text}
    body = {"model": model, **asked, **(extra or {})}
    return FakeRequest(
        method, path, headers=headers or {}, body=json.dumps(body).encode()
    )


async def ask(hub: FakeHub, asked: FakeRequest | None = None) -> FakeReply:
    reply = await hub.handle(asked or request())
    reply.ended(whole=True)
    return reply


def parsed(reply: FakeReply) -> Any:  # noqa: ANN401  # a JSON document
    return json.loads(reply.content)


@virtual_time
async def test_the_usual_answer_says_that_it_is_simulated() -> None:
    """Nobody can take the answer for a model's; it is the same every time."""
    replies = [await ask(FakeHub()) for _ in range(2)]
    text = parsed(replies[0])["choices"][0]["message"]["content"]
    assert text.startswith("(simulated)")
    assert "“Hi”" in text
    assert replies[0].content == replies[1].content


@virtual_time
async def test_echo_answers_with_the_question() -> None:
    """Echo mode gives back the last message, whole and streamed."""
    hub = FakeHub({"a/b": Behaviour(answer=echo)})
    whole = parsed(await ask(hub, request(text="one two")))
    assert whole["choices"][0]["message"]["content"] == "one two"
    streamed = await ask(hub, request(text="one two", extra={"stream": True}))
    assert streamed.ending == "chunked"
    assert b'"content": " two"' in streamed.content


@virtual_time
async def test_usage_is_streamed_only_when_asked_for() -> None:
    """``stream_options.include_usage`` adds the last chunk."""
    hub = FakeHub()
    plain = await ask(hub, request(extra={"stream": True}))
    options = {"stream": True, "stream_options": {"include_usage": True}}
    counted = await ask(hub, request(extra=options))
    assert b"usage" not in plain.content
    assert b'"choices": [], "usage"' in counted.content


@virtual_time
async def test_the_routes() -> None:
    """Completions, the task route, models, whoami; 404 in plain text for the rest."""
    hub = FakeHub({"a/b": Behaviour(answer=echo)})
    completion = parsed(await ask(hub, request("/v1/completions")))
    assert completion["choices"][0]["text"] == "Hi"
    task = request("/hf-inference/models/a/b", extra={"inputs": "in"})
    assert parsed(await ask(hub, task)) == [{"generated_text": "Hi"}]
    models = parsed(await ask(hub, FakeRequest("GET", "/v1/models")))
    assert [model["id"] for model in models["data"]] == ["a/b"]
    token = {"authorization": "Bearer hf_x"}
    who = FakeRequest("GET", "/api/whoami-v2", headers=token)
    assert parsed(await ask(hub, who))["name"] == "simulated"
    assert (await ask(hub, FakeRequest("GET", "/api/whoami-v2"))).status == 401
    lost = await ask(hub, request("/nowhere"))
    assert (lost.status, lost.content) == (404, b"Not Found")


@virtual_time
async def test_a_suffix_of_the_router_is_the_same_model() -> None:
    """``org/name:fastest`` is served as ``org/name``."""
    hub = FakeHub({"a/b": Behaviour(answer=echo)}, default=None)
    assert (await ask(hub, request(model="a/b:fastest"))).status == 200
    assert hub.records[0].model == "a/b"
    refused = await ask(hub, request(model="c/d"))
    assert parsed(refused)["error"]["code"] == "model_not_supported"


@virtual_time
async def test_a_key_is_checked() -> None:
    """With a key set, only requests that carry it are answered."""
    hub = FakeHub(api_key="hf_right")
    for header, status in (
        ({}, 401),
        ({"authorization": "Bearer hf_wrong"}, 401),
        ({"authorization": "Bearer hf_right"}, 200),
    ):
        assert (await ask(hub, request(headers=header))).status == status


@virtual_time
async def test_a_cold_model_is_ready_after_its_seconds() -> None:
    """The first request wakes it; the estimate counts down as told."""
    hub = FakeHub({"a/b": Behaviour(cold_for=20)})
    seen = []
    for wait in (0, 5, 14.5, 0.5):
        await asyncio.sleep(wait)
        reply = await ask(hub)
        seen.append((reply.status, parsed(reply).get("estimated_time")))
    assert seen == [(503, 20), (503, 15), (503, 0.5), (200, None)]


@virtual_time
async def test_a_cold_model_is_ready_after_its_probes() -> None:
    """N probes are answered cold, whatever time passes; each estimate as asked."""
    constant = loads(failures.constant(20.0))
    hub = FakeHub({"a/b": Behaviour(cold_looks=2, cold_reply=constant)})
    replies = [await ask(hub) for _ in range(3)]
    assert [reply.status for reply in replies] == [503, 503, 200]
    assert parsed(replies[1])["estimated_time"] == 20.0


@virtual_time
async def test_other_kinds_of_cold() -> None:
    """Cold like llama.cpp, and like an endpoint that scaled to zero."""
    hub = FakeHub(
        {
            "llama": Behaviour(cold_looks=1, cold_reply=loads_like_llama),
            "asleep": Behaviour(cold_looks=1, cold_reply=sleeps),
        }
    )
    llama = parsed(await ask(hub, request(model="llama")))
    assert llama["error"]["message"] == "Loading model"
    asleep = parsed(await ask(hub, request(model="asleep")))
    assert asleep["code"] == "SERVICE_UNAVAILABLE"


@virtual_time
async def test_an_endpoint_falls_asleep_again() -> None:
    """After so long without a request it is cold anew."""
    hub = FakeHub({"a/b": Behaviour(cold_for=10, sleeps_after=100)})
    statuses = []
    for wait in (0, 10, 99, 101, 10):
        await asyncio.sleep(wait)
        statuses.append((await ask(hub)).status)
    assert statuses == [503, 200, 200, 503, 200]


@virtual_time
async def test_capacity_counts_what_is_in_flight() -> None:
    """Above its capacity a model refuses, until a reply is over."""
    hub = FakeHub({"a/b": Behaviour(capacity=2)})
    replies = [await hub.handle(request()) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 503]
    assert (hub.in_flight, hub.in_flight_max) == (3, 3)
    for reply in replies:
        reply.ended(whole=True)
    assert hub.in_flight == 0
    assert (await ask(hub)).status == 200


@virtual_time
async def test_a_rate_limit_with_and_without_hints() -> None:
    """The third request in a window is refused; the hint, if any, is true."""
    for hints in (True, False):
        limited = Behaviour(rate=2, window=60, rate_hints=hints)
        hub = FakeHub({"a/b": limited})
        statuses = [(await ask(hub)).status for _ in range(2)]
        await asyncio.sleep(10)
        refused = await ask(hub)
        assert [*statuses, refused.status] == [200, 200, 429]
        assert ("retry-after" in refused.headers) is hints
        await asyncio.sleep(float(refused.headers.get("retry-after", "51")))
        assert (await ask(hub)).status == 200


@virtual_time
async def test_a_rate_of_nothing_refuses_everything() -> None:
    """Also the first request; the hint is the whole window."""
    hub = FakeHub({"a/b": Behaviour(rate=0, window=60)})
    refused = [await ask(hub) for _ in range(2)]
    assert [reply.status for reply in refused] == [429, 429]
    assert refused[0].headers["retry-after"] == "60"


@virtual_time
async def test_scripted_replies_come_first() -> None:
    """Replies are given one a request, handlers asked; then the usual answer."""

    async def asked(_request: FakeRequest) -> FakeReply:
        return failures.paused()

    replies = (failures.gone(), asked, chat_reply("mine"))
    hub = FakeHub({"a/b": Behaviour(replies=replies)})
    seen = [await ask(hub) for _ in range(4)]
    assert [reply.status for reply in seen] == [410, 400, 200, 200]
    assert b"mine" in seen[2].content
    assert b"simulated" in seen[3].content


@virtual_time
async def test_always_the_same_error() -> None:
    """``always`` takes the place of the usual answer."""
    hub = FakeHub(default=Behaviour(always=failures.quota_exhausted()))
    assert [(await ask(hub)).status for _ in range(3)] == [402] * 3


@virtual_time
async def test_requests_are_recorded() -> None:
    """What arrived, when, how it ended."""
    hub = FakeHub()
    await asyncio.sleep(7)
    reply = await hub.handle(request(text="keep"))
    await asyncio.sleep(2)
    reply.ended(whole=False)
    (record,) = hub.records
    assert record.request.value("prompt") == "keep"
    assert (record.started, record.ended) == (1_007, 1_009)
    assert record.closed_early
    assert hub.closed_early == 1


@virtual_time
async def test_a_reply_ends_once() -> None:
    """Telling twice that a reply is over counts once."""
    hub = FakeHub()
    reply = await hub.handle(request())
    reply.ended(whole=True)
    reply.ended(whole=False)
    assert (hub.in_flight, hub.closed_early) == (0, 0)


@virtual_time
async def test_a_handler_that_fails_holds_nothing() -> None:
    """An error or a cancellation inside a handler gives the place back."""

    async def fails(_request: FakeRequest) -> FakeReply:
        raise ConnectionResetError

    hub = FakeHub(default=Behaviour(always=fails))
    with pytest.raises(ConnectionResetError):
        await hub.handle(request())
    assert hub.in_flight == 0


@virtual_time
async def test_a_clock_of_ones_own() -> None:
    """The hub takes the clock it is given."""
    hub = FakeHub(clock=lambda: 5.0)
    await ask(hub)
    assert hub.records[0].started == 5.0


def test_words_join_to_the_text() -> None:
    """The pieces of a stream lose nothing."""
    text = "  a b\n\nc 你好  "
    assert "".join(words(text)) == text
    assert len(words(text)) > 3
