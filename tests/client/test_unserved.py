"""A model that the router does not serve: the error says who does, or what is near."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from attrs import define, field

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ConnectionRefused,
    ModelNotFound,
    ModelNotSupported,
    UnsupportedRole,
)
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply, json_reply
from bytebuddy_provider_hf.testing.failures import (
    not_supported,
    object_error,
    string_error,
    unauthorized,
)
from bytebuddy_provider_hf.testing.memory import MemoryClient, MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.http_client import Destination

MODEL = "somebody/old"
LIVE = {"id": MODEL, "providers": [{"provider": "groq"}, {"provider": "novita"}]}
NEAR = {"data": [{"id": "somebody/old-2", "providers": [{"provider": "groq"}]}]}
GONE = json_reply({}, status=404)


@define(eq=False)
class World:
    """A server, the router's catalogue, and what reached each of them."""

    refusal: FakeReply = field(factory=lambda: not_supported(MODEL))
    told: FakeReply | Exception = field(factory=lambda: json_reply(LIVE))
    listed: FakeReply = field(factory=lambda: json_reply(NEAR))
    sent: list[FakeRequest] = field(factory=list)
    asked: list[FakeRequest] = field(factory=list)
    runtime: Runtime = field(init=False)

    @runtime.default
    def _runtime(self) -> Runtime:
        return Runtime(connect=self)

    def __call__(self, destination: Destination) -> MemoryClient:
        return MemoryConnect(self.answer)(destination)

    async def answer(self, request: FakeRequest) -> FakeReply:
        """Answer a model's call, or a question after who serves it."""
        if request.method == "POST":
            self.sent.append(request)
            return self.refusal
        self.asked.append(request)
        if request.path == "/v1/models":
            return self.listed
        if isinstance(self.told, Exception):
            raise self.told
        return self.told

    def open(
        self, base: str | None = None, model: str = MODEL, **env: str
    ) -> HuggingFaceModel:
        return open_model(
            model,
            api_key="hf_of_a_user",
            api_base=base,
            runtime=self.runtime,
            request_options=RequestOptions(
                headers={"X-Team": Secret("a secret")}, max_attempts=2
            ),
            env=env,
            state_dir=Path("/nonexistent/.bytebuddy"),
        )

    async def refused(self, model: HuggingFaceModel, *, wait: bool = True) -> APIError:
        with pytest.raises(APIError) as raised:
            await model.chat("Hello", wait=wait)
        return raised.value


@virtual_time
async def test_the_hint_names_who_serves_the_model() -> None:
    """And how to name one of them; programs read ``served_by``."""
    error = await (world := World()).refused(world.open())
    assert isinstance(error, ModelNotSupported)
    assert error.served_by == ("groq", "novita")
    assert error.hint is not None
    assert error.hint.startswith(f"Serving {MODEL} now: groq, novita. Enable one")
    assert error.hint.endswith(f"{MODEL}:groq")
    assert "not supported by any provider" in error.message


@virtual_time
async def test_a_stream_is_refused_in_the_same_words() -> None:
    """Streamed or whole, the error is the same."""
    world = World()
    async with world.open().chat("Hello") as events:
        with pytest.raises(ModelNotSupported, match="groq, novita"):
            await anext(events)


@virtual_time
async def test_where_nobody_serves_it_the_hint_names_what_is_near() -> None:
    """A model of a like name that somebody serves."""
    error = await (world := World(told=GONE)).refused(world.open())
    assert (error.served_by, error.neighbours) == ((), ("somebody/old-2",))
    assert "No provider serves somebody/old" in str(error)
    assert "somebody/old-2" in str(error)


@virtual_time
async def test_a_misspelt_model_is_told_its_neighbours() -> None:
    """404 of the router for a model: most often the id is wrong."""
    refusal = string_error(404, "Model somebody/old not found")
    error = await (world := World(refusal, told=GONE)).refused(world.open())
    assert isinstance(error, ModelNotFound)
    assert "somebody/old-2" in str(error)


@virtual_time
async def test_a_provider_that_has_it_not_is_one_of_several() -> None:
    """At hf-inference most language models are refused; others have them."""
    refusal = string_error(400, "Model not supported by provider hf-inference")
    base = "https://router.huggingface.co/hf-inference"
    error = await (world := World(refusal)).refused(world.open(base))
    assert error.hint is not None
    assert "groq, novita. Remove api_base" in error.hint


@virtual_time
async def test_no_secret_goes_to_the_catalogue() -> None:
    """Neither the token nor the headers of the entry: it wants none."""
    world = World()
    await world.refused(world.open())
    (asked,) = world.asked
    assert asked.path == f"/v1/models/{MODEL}"
    assert "authorization" not in asked.headers
    assert "x-team" not in asked.headers
    assert not any("secret" in value for value in asked.headers.values())


@virtual_time
async def test_the_catalogue_is_asked_once() -> None:
    """Many calls at once and after: one question, and each call its one request."""
    world = World()
    model = world.open()
    errors = await asyncio.gather(*(world.refused(model) for _ in range(50)))
    errors.append(await world.refused(model))
    assert all("groq, novita" in str(error) for error in errors)
    assert len(world.asked) == 1
    assert len(world.sent) == 51


@virtual_time
async def test_no_permit_is_held_while_the_catalogue_is_asked() -> None:
    """Calls that wait for a permit do not wait for the catalogue as well."""
    world = World(told=FakeReply(200, delay=2.0, body=b"{}"))
    call = asyncio.create_task(world.refused(world.open()))
    await asyncio.sleep(1.0)
    assert len(world.asked) == 1
    assert world.runtime.counters().permits == 0
    await call


def nothing_told() -> list[FakeReply | Exception]:
    return [
        ConnectionRefused("router.huggingface.co refused the connection."),
        FakeReply(500),
        FakeReply(delay=3_600.0),
        FakeReply(dropped=True),
        FakeReply(body=b"<html>"),
        unauthorized(),
    ]


@pytest.mark.parametrize("at", range(len(nothing_told())))
@virtual_time
async def test_a_catalogue_that_tells_nothing_changes_nothing(at: int) -> None:
    """The same error as without it, after three seconds at most."""
    world = World(told=nothing_told()[at])
    clock = asyncio.get_running_loop().time
    before = clock()
    error = await world.refused(world.open())
    assert clock() - before <= 3.1
    assert isinstance(error, ModelNotSupported)
    assert error.served_by is None
    assert "Check the id somebody/old" in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@virtual_time
async def test_the_deadline_of_a_call_is_kept() -> None:
    """A call of one second is over after one second, with its own error."""
    world = World(told=FakeReply(delay=3_600.0))
    clock = asyncio.get_running_loop().time
    before = clock()
    with pytest.raises(ModelNotSupported):
        await world.open().chat("Hello", timeout=1.0)
    assert clock() - before == pytest.approx(1.0, abs=0.1)


@virtual_time
async def test_a_call_that_does_not_wait_asks_nobody() -> None:
    """What is known already it tells."""
    world = World()
    model = world.open()
    assert (await world.refused(model, wait=False)).served_by is None
    assert world.asked == []
    await world.refused(model)
    assert (await world.refused(model, wait=False)).served_by == ("groq", "novita")


@virtual_time
async def test_a_call_that_is_cancelled_while_asking_leaves_nothing() -> None:
    """No permit, no task, no answer left open."""
    world = World(told=FakeReply(delay=3_600.0))
    call = asyncio.create_task(world.refused(world.open()))
    await asyncio.sleep(1.0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert world.runtime.counters().permits == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:8080/v1",
        "https://models.example.com/v1",
        "https://10.0.0.7:8443/v1",
        "https://x.us-east-1.aws.endpoints.huggingface.cloud/v1",
    ],
)
@virtual_time
async def test_the_router_is_not_asked_about_a_private_server(base: str) -> None:
    """Its models are nobody's business."""
    error = await (world := World()).refused(world.open(base))
    assert isinstance(error, ModelNotSupported)
    assert world.asked == []


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
@virtual_time
async def test_nobody_is_asked_where_the_clients_are_kept_off_the_hub(
    name: str,
) -> None:
    """The variables that its own client reads."""
    world = World()
    await world.refused(world.open(**{name: "1"}))
    assert world.asked == []


@pytest.mark.parametrize(
    "refusal",
    [unauthorized(), object_error(400, "temperature must be positive")],
    ids=["token", "parameter"],
)
@virtual_time
async def test_another_failure_asks_nobody(refusal: FakeReply) -> None:
    """Who serves the model has nothing to do with it."""
    world = World(refusal)
    await world.refused(world.open())
    assert world.asked == []


@virtual_time
async def test_an_answer_asks_nobody() -> None:
    """What works costs no question."""
    world = World(chat_reply("Hi"))
    assert (await world.open().chat("Hello")).text == "Hi"
    assert world.asked == []


@virtual_time
async def test_a_model_of_vectors_is_not_looked_for_among_those_that_chat() -> None:
    """The catalogue lists what is served for chat: of others it would say nobody."""
    world = World(string_error(404, "Model not found"))
    with pytest.raises(ByteBuddyError) as raised:
        await world.open().embed(["a"])
    assert isinstance(raised.value, ModelNotFound | UnsupportedRole)
    assert world.asked == []
