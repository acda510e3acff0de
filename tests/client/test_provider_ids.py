"""At a provider's own route a model goes by the provider's name for it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import ConnectionRefused
from bytebuddy_provider_hf.hub.models_api import provider_of, read_model
from bytebuddy_provider_hf.testing.answers import chat_reply, json_reply
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

TOGETHER = "https://router.huggingface.co/together"
MODEL = "meta-llama/Llama-3.1-8B-Instruct"
NAME = "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"
INFO = f"/api/models/{MODEL}"


def at(
    handler: Handler | FakeHub, base: str | None = TOGETHER, model: str = MODEL
) -> HuggingFaceModel:
    return open_model(
        model,
        api_key="hf_x",
        api_base=base,
        runtime=Runtime(connect=MemoryConnect(handler)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )


def paths(hub: FakeHub) -> list[str]:
    return [request.path.partition("?")[0] for request in hub.requests]


@virtual_time
async def test_the_hub_is_asked_once_for_the_providers_id() -> None:
    """A hundred calls at once: one question, without the token."""
    hub = FakeHub(mappings={MODEL: {"together": NAME}})
    model = at(hub)
    replies = await asyncio.gather(*(model.chat(f"q{n}") for n in range(100)))
    assert paths(hub).count(INFO) == 1
    assert "authorization" not in hub.requests[0].headers
    asked = [r for r in hub.requests if r.method == "POST"]
    assert {request.value("model") for request in asked} == {NAME}
    assert {request.path for request in asked} == {"/together/v1/chat/completions"}
    assert not any(reply.notes for reply in replies)


@pytest.mark.parametrize(
    ("base", "model"),
    [
        (None, MODEL),
        ("https://router.huggingface.co/v1", MODEL),
        ("https://router.huggingface.co/hf-inference/models/a/b", MODEL),
        (TOGETHER, "llama3.1-8b"),
        (TOGETHER, "accounts/together/models/llama"),
        ("https://x.endpoints.huggingface.cloud/together/v1", MODEL),
    ],
)
def test_elsewhere_a_model_goes_by_the_name_it_is_given(
    base: str | None, model: str
) -> None:
    """Where the Hub's ids are the right ones, or the id is none of the Hub's."""
    assert provider_of(resolve(model, base)) is None


@virtual_time
async def test_without_an_answer_the_id_goes_as_it_is_written() -> None:
    """The Hub out of reach, or silent, or without such a provider: a note tells."""

    async def refused(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            raise ConnectionRefused("x")
        return chat_reply(str(request.value("model")))

    async def silent(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            await asyncio.sleep(1_000)
        return chat_reply(str(request.value("model")))

    async def unknown(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            return json_reply({"id": MODEL, "inferenceProviderMapping": []})
        return chat_reply(str(request.value("model")))

    for handler in (refused, silent, unknown):
        reply = await at(handler).chat("hi", timeout=20)
        assert reply.text == MODEL
        assert "together" in " ".join(reply.notes)


@virtual_time
async def test_a_renamed_model_is_followed_once() -> None:
    """The Hub redirects to the new name, and nowhere else."""

    async def moved(request: FakeRequest) -> FakeReply:
        if request.path.partition("?")[0] == INFO:
            return FakeReply(307, headers={"location": "/api/models/new/name"})
        if request.method == "GET":
            listed = [{"provider": "together", "providerId": NAME}]
            return json_reply({"id": "new/name", "inferenceProviderMapping": listed})
        return chat_reply(str(request.value("model")))

    assert (await at(moved).chat("hi")).text == NAME


@pytest.mark.parametrize(
    ("mapping", "name"),
    [
        ({"together": {"providerId": "a"}}, "a"),
        ([{"provider": "x", "providerId": "b"}, {"provider": "together"}], None),
        ([7, {"provider": "together", "providerId": "c"}], "c"),
        ({"together": {"providerId": 7}}, None),
        ({"together": "a"}, None),
        ({"together": {"providerId": "x" * 300}}, None),
        (None, None),
        ("together", None),
    ],
)
def test_both_forms_of_the_mapping_are_read(mapping: object, name: str | None) -> None:
    """An object by provider, or a list; anything else is no answer."""
    body = json.dumps({"id": MODEL, "inferenceProviderMapping": mapping}).encode()
    facts = read_model(body)
    assert facts is not None
    assert facts.provider_ids.get("together") == name


@pytest.mark.parametrize("silence", [FakeReply(503), json_reply({"id": MODEL})])
@virtual_time
async def test_a_hub_that_did_not_say_is_asked_again_a_minute_later(
    silence: FakeReply,
) -> None:
    """Its silence is kept for a minute, what it says for good."""
    asked = 0

    async def handle(request: FakeRequest) -> FakeReply:
        nonlocal asked
        if request.method == "POST":
            return chat_reply("hello")
        asked += 1
        if asked == 1:
            return silence
        known = {"together": {"providerId": NAME}}
        return json_reply({"id": MODEL, "inferenceProviderMapping": known})

    model = at(handle)
    first = [await model.chat("a") for _ in range(3)]
    await asyncio.sleep(61)
    then = [await model.chat("b") for _ in range(3)]
    await asyncio.sleep(1_000)
    await model.chat("c")
    assert asked == 2
    assert all("id of" in " ".join(reply.notes) for reply in first)
    assert not any(reply.notes for reply in then)
