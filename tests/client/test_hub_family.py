"""A model that nobody here knows: when the Hub is asked, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import define, field
from servers.fake_tgi import FakeTgi

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ApplyFailed, ConnectionRefused, UnsupportedRole
from bytebuddy_provider_hf.prompts import families
from bytebuddy_provider_hf.prompts.chat import render_chat
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.memory import MemoryClient, MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.http_client import Destination
from bytebuddy_provider_hf.types import Message

NEW = "somebody/new"
ENDPOINT = "https://x.us-east-1.aws.endpoints.huggingface.cloud"
PRIVATE = "https://models.example.com"
LOCAL = "http://127.0.0.1:8080"
HUB = "https://huggingface.co"
LLAMA = "meta-llama/Meta-Llama-3-8B-Instruct"
CODER = "bigcode/starcoder2-7b"
OF_LLAMA = {"id": NEW, "baseModels": {"models": [{"id": LLAMA}]}}
OF_CODER = {"id": NEW, "cardData": {"base_model": CODER}}


@define(eq=False)
class World:
    """An old TGI, the Hub, and what reached each of them."""

    said: Mapping[str, object] | FakeReply | Exception = field(
        factory=lambda: dict(OF_LLAMA)
    )
    tgi: FakeTgi = field(factory=lambda: FakeTgi("1.1.0", model="/repository"))
    origins: list[str] = field(factory=list)
    asked: list[FakeRequest] = field(factory=list)

    def __call__(self, destination: Destination) -> MemoryClient:
        """Connect; the Hub is the one at its own origin."""
        self.origins.append(destination.origin)
        at_hub = destination.origin == HUB
        return MemoryConnect(self._hub if at_hub else self.tgi.handle)(destination)

    async def _hub(self, request: FakeRequest) -> FakeReply:
        self.asked.append(request)
        if isinstance(self.said, Exception):
            raise self.said
        if isinstance(self.said, FakeReply):
            return self.said
        return json_reply(self.said)

    @property
    def sent(self) -> list[FakeRequest]:
        """The generations that were asked for."""
        return [request for request in self.tgi.requests if request.method == "POST"]

    @property
    def prompt(self) -> object:
        """What the server was to continue."""
        return self.sent[-1].value("inputs")

    def open(
        self, base: str = ENDPOINT, model: str = NEW, **env: str
    ) -> HuggingFaceModel:
        return open_model(
            model,
            api_key=None if base == LOCAL else "hf_of_a_user",
            api_base=base,
            runtime=Runtime(connect=self),
            request_options=RequestOptions(headers={"X-Team": Secret("a secret")}),
            env=env,
            state_dir=Path("/nonexistent/.bytebuddy"),
        )


@virtual_time
async def test_an_unknown_model_is_spoken_to_as_its_base_model() -> None:
    """The Hub says what it was made of; the template of that one is written here."""
    world = World()
    reply = await world.open().chat("Hello")
    family = families.family_by_id(LLAMA)
    assert family is not None
    written = render_chat(family, (Message("user", "Hello"),))
    assert world.prompt == written.prompt
    assert "<|start_header_id|>" in written.prompt
    assert any("llama-3" in note for note in reply.notes)


@virtual_time
async def test_a_stream_is_asked_in_the_same_words() -> None:
    """Streamed or whole, the template is the same."""
    world = World()
    async with world.open().chat("Hello") as events:
        async for _ in events:
            pass
    assert "<|start_header_id|>" in str(world.prompt)


@virtual_time
async def test_its_own_template_goes_before_its_base_models() -> None:
    """What was tuned to speak ChatML is spoken to in ChatML."""
    template = "<|im_start|>{{ role }}\n{{ content }}<|im_end|>"
    world = World({**OF_LLAMA, "config": {"chat_template_jinja": template}})
    await world.open().chat("Hello")
    assert "<|im_start|>user\nHello<|im_end|>" in str(world.prompt)


@virtual_time
async def test_the_hub_is_asked_once() -> None:
    """Many calls at once, and many after them: one question."""
    world = World()
    model = world.open()
    await asyncio.gather(*(model.chat(f"q{n}") for n in range(20)))
    await model.chat("once more")
    assert len(world.asked) == 1
    assert len(world.sent) == 21


@virtual_time
async def test_no_secret_goes_to_the_hub() -> None:
    """Neither the token, which is the endpoint's, nor the headers of the entry."""
    world = World()
    await world.open().chat("Hello")
    (asked,) = world.asked
    assert asked.path == f"/api/models/{NEW}"
    assert "authorization" not in asked.headers
    assert "x-team" not in asked.headers
    assert not any("secret" in value for value in asked.headers.values())


@pytest.mark.parametrize("base", [PRIVATE, LOCAL, f"{PRIVATE}:8443"])
@virtual_time
async def test_the_hub_is_not_asked_about_a_private_server(base: str) -> None:
    """Its models are nobody's business, and it works where the Hub is not reached."""
    world = World()
    model = world.open(base)
    with pytest.raises(UnsupportedRole, match="template"):
        await model.chat("Hello")
    await model.fill("a", "b")
    assert world.asked == []
    assert HUB not in world.origins


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
@virtual_time
async def test_the_hub_is_not_asked_where_its_clients_are_kept_off_it(
    name: str,
) -> None:
    """The variables that its own client reads."""
    world = World()
    with pytest.raises(UnsupportedRole):
        await world.open(**{name: "1"}).chat("Hello")
    assert HUB not in world.origins


@pytest.mark.parametrize("model", ["tgi", "name", "a/b/c"])
@virtual_time
async def test_the_hub_is_not_asked_about_what_is_no_id_of_its(model: str) -> None:
    """An endpoint may be asked for by any name."""
    world = World()
    with pytest.raises(UnsupportedRole):
        await world.open(model=model).chat("Hello")
    assert HUB not in world.origins


@virtual_time
async def test_what_the_server_loaded_is_asked_about() -> None:
    """TGI says the id of its weights; the entry may say another."""
    world = World(tgi=FakeTgi("1.1.0", model="loaded/model"))
    await world.open().chat("Hello")
    assert [request.path for request in world.asked] == ["/api/models/loaded/model"]


@virtual_time
async def test_what_the_server_says_goes_before_the_hub() -> None:
    """A model that TGI names and that is known: nobody is asked."""
    world = World(tgi=FakeTgi("1.1.0", model="HuggingFaceH4/zephyr-7b-beta"))
    await world.open().chat("Hello")
    assert "<|user|>" in str(world.prompt)
    assert world.asked == []


@virtual_time
async def test_a_server_with_its_own_template_needs_no_word_of_the_hub() -> None:
    """TGI from 1.4 on applies the template itself."""
    world = World(tgi=FakeTgi("1.4.0", model="/repository"))
    await world.open().chat("Hello")
    assert world.sent[-1].path == "/v1/chat/completions"
    assert HUB not in world.origins


@virtual_time
async def test_a_server_that_says_it_has_no_template_makes_the_hub_asked() -> None:
    """Its chat route is there and of no use: the template is written here after all."""

    class Untemplated(FakeTgi):
        async def handle(self, request: FakeRequest) -> FakeReply:
            if request.path == "/v1/chat/completions":
                text = "Template error: template not found"
                return string_error(422, text, error_type="template_error")
            return await super().handle(request)

    world = World(tgi=Untemplated("2.0.0", model="/repository"))
    model = world.open()
    await model.chat("Hello")
    assert "<|start_header_id|>" in str(world.prompt)
    await model.chat("Hello")
    assert "<|start_header_id|>" in str(world.prompt)
    assert len(world.asked) == 1


def refused() -> Exception:
    return ConnectionRefused("huggingface.co refused the connection.")


@pytest.mark.parametrize(
    "failure",
    [
        refused,
        lambda: FakeReply(500),
        lambda: FakeReply(404),
        lambda: FakeReply(delay=3_600.0),
        lambda: FakeReply(body=b"<html>"),
        lambda: json_reply({"id": NEW}),
    ],
)
@virtual_time
async def test_a_hub_that_tells_nothing_changes_nothing(
    failure: Callable[[], Exception | FakeReply],
) -> None:
    """The same error as without a Hub, and a continuation where that can be done."""
    world = World(failure())
    model = world.open()
    with pytest.raises(UnsupportedRole, match="template of somebody/new is not known"):
        await model.chat("Hello")
    assert world.sent == []
    reply = await model.fill("def f():", "return 1")
    assert world.prompt == "def f():"
    assert reply.text
    assert len(world.asked) == 1


@virtual_time
async def test_a_silent_hub_takes_a_quarter_of_the_time_at_most() -> None:
    """The call has the rest: a fill that must be quick still comes."""
    world = World(FakeReply(delay=3_600.0))
    clock = asyncio.get_running_loop().time
    before = clock()
    reply = await world.open().fill("def f():", timeout=2.0)
    assert reply.text
    assert clock() - before == pytest.approx(0.5, abs=0.1)


@virtual_time
async def test_a_gap_is_filled_by_the_tokens_of_the_base_model() -> None:
    """A model made of StarCoder 2 knows its infilling tokens."""
    world = World(OF_CODER)
    await world.open().fill("def f():", "return 1")
    assert str(world.prompt).startswith("<fim_prefix>")
    assert str(world.prompt).endswith("<fim_middle>")


@pytest.mark.parametrize("role", ["edit", "apply"])
@virtual_time
async def test_code_is_changed_in_the_template_that_the_hub_told(role: str) -> None:
    """Every role that speaks to the model speaks so."""
    world = World()
    model = world.open()
    with suppress(ApplyFailed):  # what the simulated model answers is no such text
        if role == "edit":
            await model.edit("x = 1", "rename x")
        else:
            await model.apply("x = 1\n", "Please call it y.")
    assert "<|start_header_id|>" in str(world.prompt)


@virtual_time
async def test_a_base_model_is_not_made_to_edit() -> None:
    """The Hub tells of what: the refusal says so, instead of a missing template."""
    world = World(OF_CODER)
    with pytest.raises(UnsupportedRole, match="base model"):
        await world.open().edit("x = 1", "rename x")


@virtual_time
async def test_a_model_without_text_is_refused_by_what_it_does() -> None:
    """An embedding model behind an endpoint that chats not."""
    world = World({"id": NEW, "pipeline_tag": "sentence-similarity"})
    with pytest.raises(UnsupportedRole) as raised:
        await world.open().chat("Hello")
    assert "embed()" in str(raised.value)
