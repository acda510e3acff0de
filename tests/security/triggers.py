"""One way to each error class, with the canary as the key in use."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.contract.registry import ModelRegistry
from bytebuddy_provider_hf.contract.spec import ProviderSpec, hookimpl
from bytebuddy_provider_hf.engine.model import HuggingFaceModel, open_model
from bytebuddy_provider_hf.secret import Environment, Secret
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.wire.failure import classify
from bytebuddy_provider_hf.wire.target import resolve

# Not shaped like a token: what masks hf_… must not be what hides it.
CANARY: Final = "Canary4711OfTheKey"
KEY: Final = Secret(CANARY)


@frozen
class World:
    """Where a trigger may write, and a port nobody listens on."""

    folder: Path
    free_port: int


Trigger = Callable[[World], Awaitable[object]]


def _said(request: FakeRequest) -> str:
    """Return what the most careless server would say: the key it was sent."""
    return f"bad request from {request.headers.get('authorization')}"


def status(code: int, body: str = '{{"error":"{said}"}}') -> Trigger:
    """Trigger by an answer with a status, the key echoed in its body."""

    async def handler(request: FakeRequest) -> FakeReply:
        text = body.format(said=_said(request))
        return FakeReply(code, {"x-request-id": "r"}, text.encode())

    async def trigger(_world: World) -> object:
        async with model_at(handler) as model:
            return await model.chat("a")

    return trigger


def stream(reply: Callable[[str], FakeReply], **options: float) -> Trigger:
    """Trigger by a streamed answer made from what the server says."""

    async def handler(request: FakeRequest) -> FakeReply:
        return reply(_said(request))

    async def trigger(_world: World) -> object:
        request_options = RequestOptions(**options)  # type: ignore[arg-type]  # only the times
        async with (
            model_at(handler, request_options) as model,
            model.chat("a") as events,
        ):
            return [event async for event in events]

    return trigger


@asynccontextmanager
async def model_at(
    handler: Callable[[FakeRequest], Awaitable[FakeReply]],
    options: RequestOptions | None = None,
) -> AsyncIterator[HuggingFaceModel]:
    """Open a model at a server that answers by ``handler``."""
    async with (
        serve(handler) as url,
        open_model("m", api_key=KEY, api_base=url, request_options=options) as model,
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
    return ModelRegistry.load(
        plugins=[Broken],
        cwd=world.folder / "project",
        home=world.folder,
        env=_environment(),
    )


def _environment() -> Mapping[str, str]:
    return Environment({"HF_TOKEN": CANARY})


class Broken:
    """A plugin whose provider fails with the key in its hands."""

    @staticmethod
    @hookimpl
    def bytebuddy_providers() -> tuple[ProviderSpec, ...]:
        return (ProviderSpec("broken", "security.triggers:fail"),)


def fail(entry: object, _context: object) -> object:
    """Raise with the key in the message."""
    raise ValueError(entry.api_key.reveal())  # type: ignore[attr-defined]  # an entry


ENTRY: Final = (
    "models:\n- name: x\n  provider: broken\n  model: a/b\n  apiKey: CANARY\n"
)


async def _closed(_world: World) -> object:
    model = open_model("a/b", api_key=KEY)
    await model.aclose()
    return await model.chat("a")


async def _queue_full(_world: World) -> object:
    async def slow(_request: FakeRequest) -> FakeReply:
        return FakeReply(delay=60)

    options = RequestOptions(max_concurrency=1, max_queue=1)
    async with model_at(slow, options) as model:
        tasks = [asyncio.create_task(_chat(model)) for _ in range(2)]
        await asyncio.sleep(0.05)
        try:
            return await model.chat("a")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _chat(model: HuggingFaceModel) -> object:
    return await model.chat("a")


async def _unreachable(_world: World) -> object:
    loop = asyncio.get_running_loop()

    async def refuse(*_args: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    loop.sock_connect = refuse  # type: ignore[method-assign]  # this loop ends with the test
    async with open_model("m", api_key=KEY, api_base="http://127.0.0.1:9") as model:
        return await model.chat("a")


async def _loading(_world: World) -> object:
    body = KEY.scrub(f'{{"error":"loading for {CANARY}","estimated_time":1}}')
    raise classify(503, {}, body.encode(), resolve("a/b"))


async def _silent(request: FakeRequest) -> FakeReply:
    reply = chat_stream([_said(request)])
    return FakeReply(200, reply.headers, reply.content, stall=10)


async def _idle(_world: World) -> object:
    options = RequestOptions(idle_timeout=0.05)
    async with model_at(_silent, options) as model, model.chat("a") as events:
        return [event async for event in events]


async def _large(_world: World) -> object:
    async def endless(_request: FakeRequest) -> FakeReply:
        return FakeReply(200, {"content-type": "application/json"}, [b" " * 2**20] * 65)

    async with model_at(endless) as model:
        return await model.chat("a")


async def _never_connects(_world: World) -> object:
    loop = asyncio.get_running_loop()

    async def wait(*_args: object) -> None:
        await asyncio.sleep(60)

    loop.sock_connect = wait  # type: ignore[method-assign]  # this loop ends with the test
    return await at("http://127.0.0.1:9", connect_timeout=0.05)(_world)


async def _missing(world: World) -> object:
    return load(
        world.folder / "none.yaml",
        cwd=world.folder,
        home=world.folder,
        env=_environment(),
    )


async def _tls(_world: World) -> object:
    async def handler(_request: FakeRequest) -> FakeReply:
        return FakeReply()

    async with serve(handler) as url:
        base = url.replace("http://", "https://")
        async with open_model("m", api_key=KEY, api_base=base) as model:
            return await model.chat("a")


def _error_event(said: str) -> FakeReply:
    return FakeReply(
        200,
        {"content-type": "text/event-stream"},
        f'data: {{"error":"{said}"}}\n\n'.encode(),
    )


def _cut(said: str) -> FakeReply:
    whole = chat_stream([said])
    return FakeReply(200, whole.headers, whole.content[:150])


TRIGGERS: Final[Mapping[type[errors.ByteBuddyError], Trigger]] = {
    errors.ConfigNotFound: _missing,
    errors.ConfigInvalid: configuration(
        ENTRY + "  defaultCompletionOptions:\n    temperature: 7\n", list
    ),
    errors.UnsetVariable: configuration(
        ENTRY.replace("CANARY", "${NOBODY_SET_THIS}"), lambda r: r["x"]
    ),
    errors.UntrustedProject: project(
        ENTRY + "  apiBase: https://evil.example\n", lambda r: r["x"]
    ),
    errors.UnknownModel: configuration(ENTRY, lambda r: r["y"]),
    errors.UnknownProvider: configuration(
        ENTRY.replace("broken", "nobody"), lambda r: r["x"]
    ),
    errors.NoModelForRole: configuration(ENTRY, lambda r: r.for_role("embed")),
    errors.ProviderFailed: configuration(ENTRY, lambda r: r["x"]),
    errors.Closed: _closed,
    errors.InvalidModelId: opening("../x"),
    errors.InvalidEndpoint: opening(api_base="https://user:pass@h.example"),
    errors.InsecureEndpoint: opening(api_base="http://h.example"),
    errors.InvalidOption: at("https://127.0.0.1:9", ca_bundle_path=("/none.pem",)),
    errors.MissingToken: opening(api_key=None),
    errors.InvalidToken: opening(api_key=Secret(f"{CANARY} with a space")),
    errors.QueueFull: _queue_full,
    errors.BadRequest: status(400),
    errors.ModelNotSupported: status(
        400, '{{"error":"not supported by provider x {said}"}}'
    ),
    errors.EndpointPaused: status(400, '{{"error":"The endpoint is paused {said}"}}'),
    errors.AuthenticationFailed: status(401),
    errors.QuotaExhausted: status(402),
    errors.PermissionDenied: status(403),
    errors.MissingPermission: status(403, "no sufficient permissions, {said}"),
    errors.GatedModel: status(403, "Access is restricted, {said}"),
    errors.ModelNotFound: status(404, "{said}"),
    errors.ServiceRetired: status(410),
    errors.RequestTooLarge: status(413),
    errors.UnprocessableRequest: status(422, '{{"detail":[{{"msg":"{said}"}}]}}'),
    errors.GenerationFailed: status(424),
    errors.RateLimited: status(429),
    errors.UnexpectedStatus: status(302),
    errors.ServerError: status(500, "<html><title>{said}</title></html>"),
    errors.ModelLoading: _loading,
    errors.ServerOverloaded: status(503, '{{"error":"overloaded {said}"}}'),
    errors.GatewayTimeout: status(504),
    errors.ColdStartTimeout: status(
        503, '{{"error":"loading {said}","estimated_time":9999}}'
    ),
    errors.ConnectTimeout: _never_connects,
    errors.DeadlineExceeded: stream(lambda _said: FakeReply(delay=60), timeout=0.05),
    errors.IdleTimeout: _idle,
    errors.ConnectionFailed: _unreachable,
    errors.ConnectionRefused: at("http://127.0.0.1:{port}"),
    errors.HostNotFound: at("https://no-such-host.invalid"),
    errors.TlsFailed: _tls,
    errors.ConnectionLost: stream(lambda _said: FakeReply(dropped=True)),
    errors.MalformedResponse: status(200, "<html>{said}</html>"),
    errors.ResponseTooLarge: _large,
    errors.StreamInterrupted: stream(_cut),
    errors.StreamFailed: stream(_error_event),
}
