"""Ways to provoke an error with the canary as the key in use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from attrs import field, frozen
from security.echoing import CANARY, FORMS

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.plugins.spec import ProviderSpec, hookimpl
from bytebuddy_provider_hf.secret import Environment, Secret
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve

KEY: Final = Secret(CANARY)


@frozen
class World:
    """Where a trigger may write, and a port nobody listens on.

    ``given`` are the files that hold the key because a user wrote it there; the server
    repeats the key in the ``form`` of that name, or as it is.
    """

    folder: Path
    free_port: int
    form: str = ""
    given: list[Path] = field(factory=list)


Trigger = Callable[[World], Awaitable[object]]


def said(request: FakeRequest, form: str = "") -> str:
    """Return what the most careless server would say: the key it was sent."""
    sent = str(request.headers.get("authorization"))
    # Without the scheme, by which anybody would see that it is a key.
    if form and CANARY in sent:
        sent = FORMS[form](CANARY)
    return f"bad request from {sent}"


def status(code: int, body: str = '{{"error":"{said}"}}') -> Trigger:
    """Trigger by an answer with a status, the key echoed in its body."""

    async def trigger(world: World) -> object:
        async def handler(request: FakeRequest) -> FakeReply:
            text = body.format(said=said(request, world.form))
            return FakeReply(code, {"x-request-id": "r"}, text.encode())

        async with model_at(handler, world=world) as model:
            return await model.chat("a")

    return trigger


def stream(reply: Callable[[str], FakeReply], **options: float) -> Trigger:
    """Trigger by a streamed answer made from what the server says."""

    async def trigger(world: World) -> object:
        async def handler(request: FakeRequest) -> FakeReply:
            return reply(said(request, world.form))

        request_options = RequestOptions(**options)  # type: ignore[arg-type]  # only the times
        async with (
            model_at(handler, request_options, world=world) as model,
            model.chat("a") as events,
        ):
            return [event async for event in events]

    return trigger


@asynccontextmanager
async def model_at(
    handler: Callable[[FakeRequest], Awaitable[FakeReply]],
    options: RequestOptions | None = None,
    *,
    world: World | None = None,
) -> AsyncIterator[HuggingFaceModel]:
    """Open a model at a server that answers by ``handler``.

    In a ``world`` it counts its calls and keeps its answers, in files.
    """
    more: dict[str, object] = {}
    if world is not None:
        more = {"state_dir": world.folder, "cache_dir": world.folder / "cache"}
        more |= {"ledger": True, "cache": "all"}
    async with (
        serve(handler) as url,
        open_model(
            "m",
            api_key=KEY,
            api_base=f"{url}/v1",
            request_options=options,
            **more,  # type: ignore[arg-type]  # as written above
        ) as model,
    ):
        yield model


def at(base: str, **options: object) -> Trigger:
    """Trigger by calling a base URL."""

    async def trigger(world: World) -> object:
        url = base.format(port=world.free_port)
        request_options = RequestOptions(**options)  # type: ignore[arg-type]  # only the times
        async with open_model(
            "m", api_key=KEY, api_base=url, request_options=request_options
        ) as model:
            return await model.chat("a")

    return trigger


def opening(model: str = "a/b", **more: object) -> Trigger:
    """Trigger by opening."""

    async def trigger(world: World) -> object:
        arguments = {"api_key": KEY, "env": {}, "state_dir": world.folder} | more
        return open_model(model, **arguments)  # type: ignore[arg-type]  # as written in the table

    return trigger


def configuration(text: str, then: Callable[[ModelRegistry], object]) -> Trigger:
    """Trigger by a user's file, loaded by the registry."""

    async def trigger(world: World) -> object:
        return then(_registry(world, text, ".bytebuddy/config.yaml"))

    return trigger


def project(text: str, then: Callable[[ModelRegistry], object]) -> Trigger:
    """Trigger by a project's file, which is not trusted."""

    async def trigger(world: World) -> object:
        return then(_registry(world, text, "project/config.yaml"))

    return trigger


def _registry(world: World, text: str, place: str) -> ModelRegistry:
    file = world.folder / place
    file.parent.mkdir(parents=True)
    (world.folder / "project").mkdir(exist_ok=True)
    file.write_text(text.replace("CANARY", CANARY))
    world.given.append(file)
    return ModelRegistry.load(
        plugins=[Broken],
        cwd=world.folder / "project",
        home=world.folder,
        env=environment(),
    )


def environment() -> Mapping[str, str]:
    return Environment({"HF_TOKEN": CANARY})


class Broken:
    """A plugin whose provider fails with the key in its hands."""

    @staticmethod
    @hookimpl
    def bytebuddy_providers() -> tuple[ProviderSpec, ...]:
        return (ProviderSpec("broken", "security.provoking:fail"),)


def fail(entry: object, _context: object) -> object:
    """Raise with the key in the message, in the form that the model's name counts."""
    key, number = entry.api_key.reveal(), entry.model.partition("/")[2]  # type: ignore[attr-defined]  # an entry
    form = [*FORMS.values()][int(number)] if number.isdecimal() else str
    raise ValueError(f"no such key: {form(key)} at all")


ENTRY: Final = (
    "models:\n- name: x\n  provider: broken\n  model: a/b\n  apiKey: CANARY\n"
)
