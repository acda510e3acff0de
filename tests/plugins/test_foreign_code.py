"""Whatever a provider's code does, its entry alone is harmed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from scripted_provider import ScriptedModel

from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import ProviderFailed
from bytebuddy_provider_hf.plugins.protocols import Model, OpenContext
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

Make = Callable[..., ModelRegistry]


class Panic(BaseException):  # as extensions written in Rust raise it
    pass


class Rude(Exception):
    def __str__(self) -> str:
        raise SystemExit


class Faceless:  # a lazy proxy of nothing
    @property
    def __class__(self) -> type:
        raise RuntimeError("unbound")

    @__class__.setter
    def __class__(self, value: type) -> None: ...


class Half:
    name = "half"
    model = "m"


async def cancelled_by_itself() -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


def later(error: BaseException) -> Callable[..., object]:
    async def factory(entry: ModelEntry, context: OpenContext) -> Model:
        await asyncio.sleep(0)
        raise error

    return factory


def at_once(error: BaseException) -> Callable[..., object]:
    def factory(entry: ModelEntry, context: OpenContext) -> Model:
        raise error

    return factory


@pytest.mark.asyncio
@pytest.mark.parametrize("make", [at_once, later])
@pytest.mark.parametrize("kind", [Panic, Rude, SystemExit, asyncio.CancelledError])
async def test_no_kind_of_error_reaches_the_host(
    scripted: Make, make: Callable[[BaseException], object], kind: type[BaseException]
) -> None:
    """Panics, exits, cancellations nobody asked for: each is a ``ProviderFailed``."""
    registry = scripted(make(kind()))
    with pytest.raises(ProviderFailed, match=kind.__name__):
        await registry.open("x")


@pytest.mark.asyncio
async def test_a_factory_s_own_cancelled_task_does_not_cancel_its_caller(
    scripted: Make,
) -> None:
    """A cancellation that nobody asked for would end the caller in silence."""

    async def factory(entry: ModelEntry, context: OpenContext) -> Model:
        await cancelled_by_itself()
        return ScriptedModel(entry.name)

    registry = scripted(factory)
    with pytest.raises(ProviderFailed, match="CancelledError"):
        await asyncio.create_task(registry.open("x"))


@pytest.mark.asyncio
async def test_a_cancellation_that_was_asked_for_passes(scripted: Make) -> None:
    """A caller's own deadline ends an open that hangs, as a timeout."""

    async def factory(entry: ModelEntry, context: OpenContext) -> Model:
        await asyncio.Event().wait()
        return ScriptedModel(entry.name)

    registry = scripted(factory)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await registry.open("x")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Faceless(), "RuntimeError: unbound"),
        (Half(), "it lacks roles, capabilities, aclose"),
    ],
    ids=["faceless", "half"],
)
async def test_what_is_no_model_is_told_by_what_it_lacks(
    scripted: Make, value: object, words: str
) -> None:
    """An object that fails when looked at is refused like one that lacks a part."""
    registry = scripted(lambda *_: value)
    with pytest.raises(ProviderFailed, match=words):
        registry["x"]
    with pytest.raises(ProviderFailed, match=words):
        await registry.open("x")


async def hang() -> None:
    await asyncio.Event().wait()


def raising(error: BaseException) -> Callable[[], object]:
    async def close() -> None:
        raise error

    return close


def closing(how: Callable[[], object], made: dict[str, ScriptedModel]) -> object:
    """Return a factory whose model ``bad`` closes in a way of its own."""

    class Model(ScriptedModel):
        async def aclose(self) -> None:
            if self.name == "bad":
                await how()  # type: ignore[misc]  # a coroutine function
            await super().aclose()

    def factory(entry: ModelEntry, context: OpenContext) -> ScriptedModel:
        made[entry.name] = Model(entry.name)
        return made[entry.name]

    return factory


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "how",
    [
        raising(Panic()),
        raising(Rude()),
        raising(asyncio.CancelledError()),
        cancelled_by_itself,
    ],
    ids=["panics", "rude", "cancelled", "cancelled by itself"],
)
async def test_no_kind_of_error_keeps_the_others_open(
    scripted: Make, how: Callable[[], object]
) -> None:
    """Whatever one model raises as it closes, the others are closed."""
    made: dict[str, ScriptedModel] = {}
    registry = scripted(closing(how, made), "a", "bad", "z")
    for name in registry:
        registry[name]
    with pytest.raises(ProviderFailed, match="1 not closed: bad"):
        await registry.aclose()
    assert (made["a"].closed, made["z"].closed) == (1, 1)


@pytest.mark.asyncio
async def test_a_second_close_begins_with_those_not_yet_tried(scripted: Make) -> None:
    """A model that hangs until the caller gives up is last in the next attempt."""
    made: dict[str, ScriptedModel] = {}
    registry = scripted(closing(hang, made), "a", "bad", "z")
    for name in registry:
        registry[name]
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await registry.aclose()
    assert (made["a"].closed, made["z"].closed) == (1, 1)


@virtual_time
async def test_a_model_that_never_closes_has_half_a_minute(scripted: Make) -> None:
    """Nobody gives up for it: the registry does, closes the rest and names it."""
    made: dict[str, ScriptedModel] = {}
    registry = scripted(closing(hang, made), "a", "bad", "z")
    for name in registry:
        registry[name]
    before = asyncio.get_running_loop().time()
    with pytest.raises(ProviderFailed, match="1 not closed: bad: no end in 30 s"):
        await registry.aclose()
    assert asyncio.get_running_loop().time() - before == pytest.approx(30.0)
    assert (made["a"].closed, made["z"].closed) == (1, 1)
