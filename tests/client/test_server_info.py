"""Bare addresses: asked once what they are, and then as they want to be asked."""

from __future__ import annotations

import asyncio

import pytest
from client.harness import bench
from servers.llama import HELLO

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.errors import AuthenticationFailed, EndpointPaused
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour, sleeps
from bytebuddy_provider_hf.testing.failures import paused, unauthorized_endpoint
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

ENDPOINT = "https://x.endpoints.huggingface.cloud"
VLLM = json_reply(
    {"data": [{"id": "repo/name", "owned_by": "vllm", "max_model_len": 4096}]}
)


@virtual_time
async def test_a_bare_address_is_asked_once_for_all_calls() -> None:
    """A hundred calls at once: one question, and the name the server goes by."""
    stand = bench(base=ENDPOINT)
    hub = stand.hub
    inner = hub.handle

    async def handle(request: FakeRequest) -> FakeReply:
        reply = await inner(request)
        return VLLM if request.path == "/v1/models" else reply

    stand.connect._handler = handle
    await asyncio.gather(*(stand.model.chat(f"q{n}") for n in range(100)))
    paths = [request.path for request in hub.requests]
    assert paths.count("/v1/models") == 1
    assert paths.count("/v1/chat/completions") == 100
    asked = {r.value("model") for r in hub.requests if r.path != "/v1/models"}
    assert asked == {"repo/name"}


@virtual_time
async def test_a_sleeping_endpoint_is_woken_by_the_question() -> None:
    """Its 503 to the probe is waited out like any other; then it is asked again."""

    async def handle(request: FakeRequest) -> FakeReply:
        loop = asyncio.get_running_loop()
        if loop.time() < began + 42:
            return sleeps("x", 0)
        return VLLM if request.path == "/v1/models" else await inner(request)

    stand = bench(base=ENDPOINT)
    inner = stand.hub.handle
    stand.connect._handler = handle
    began = asyncio.get_running_loop().time()
    assert (await stand.model.chat("a")).text
    stand.settled()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(paused(), EndpointPaused), (unauthorized_endpoint(), AuthenticationFailed)],
)
@virtual_time
async def test_what_the_probe_meets_is_what_the_caller_is_told(
    reply: FakeReply, kind: type[Exception]
) -> None:
    """Paused and unauthorized are told after one request."""

    async def handle(_request: FakeRequest) -> FakeReply:
        return reply

    stand = bench(base=ENDPOINT)
    stand.connect._handler = handle
    with pytest.raises(kind):
        await stand.model.chat("a")
    assert stand.connect.sent == 1
    stand.settled()


@virtual_time
async def test_an_address_with_a_route_is_not_asked() -> None:
    """Whoever writes /v1 has said what stands there; the router needs no question."""
    for base in (None, f"{ENDPOINT}/v1"):
        stand = bench(Behaviour(), base=base)
        await stand.model.chat("a")
        assert [r.path for r in stand.hub.requests] == ["/v1/chat/completions"]


@pytest.mark.asyncio
async def test_llama_cpp_is_known_by_its_list_of_models(llama: str) -> None:
    """A real server at a bare address, asked by any name."""
    async with open_model("any/name", api_base=llama, env={}) as model:
        assert (await model.chat("Say hello", temperature=0)).text == HELLO
        detector = model._lease.state().detector
        server = detector.record(
            model._endpoint.target, model._endpoint.destination.account
        ).server
    assert server
    assert (server.name, server.model) == ("llama.cpp", "tiny-chat")
    assert server.context_length
