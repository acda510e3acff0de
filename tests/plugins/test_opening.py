"""Entries are opened once, by their provider's code, which may fail."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from scripted_provider import ScriptedModel, opened, opened_later

from bytebuddy_provider_hf.config.values import ModelEntry, RequestOptions
from bytebuddy_provider_hf.errors import (
    Closed,
    MissingToken,
    ProviderFailed,
)
from bytebuddy_provider_hf.plugins.protocols import Model, OpenContext
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.secret import Secret

Make = Callable[..., ModelRegistry]
CANARY = "canary-0123456789"


def test_an_entry_is_opened_once(scripted: Make) -> None:
    """The second look-up gives the very same model."""
    registry = scripted(opened)
    assert registry["x"] is registry["x"]


def test_a_provider_gets_its_context(registry_of: Make, tmp_path: Path) -> None:
    """Folders, log, clock, trust, provenance and the host's runtime are handed over."""
    runtime = object()
    model = registry_of(ModelEntry("x", "parrot", "m"), runtime=runtime)["x"]
    context: OpenContext = model.context  # type: ignore[attr-defined]  # the echo model keeps it
    assert context.state_dir == tmp_path / ".bytebuddy"
    assert context.cache_dir == tmp_path / ".cache" / "bytebuddy-hf"
    assert context.log is logging.getLogger("bytebuddy.echo")
    assert context.runtime is runtime
    assert context.trusted
    assert context.clock() <= context.clock()


def test_the_cache_folder_follows_the_desktop_s_variable(
    registry_of: Make, tmp_path: Path
) -> None:
    """``XDG_CACHE_HOME`` counts where it is an absolute path."""
    env = {"XDG_CACHE_HOME": str(tmp_path / "caches")}
    model = registry_of(ModelEntry("x", "echo", "m"), env=env)["x"]
    assert model.context.cache_dir == tmp_path / "caches" / "bytebuddy-hf"  # type: ignore[attr-defined]  # the echo model keeps it


@pytest.mark.asyncio
async def test_open_serves_every_provider(scripted: Make) -> None:
    """``await open`` takes plain and asynchronous factories alike."""
    for factory in (opened, opened_later):
        async with scripted(factory) as registry:
            assert await registry.open("x") is registry["x"]


@pytest.mark.asyncio
async def test_an_asynchronous_factory_is_not_called_by_a_look_up(
    scripted: Make,
) -> None:
    """``registry[name]`` says to await ``open`` instead, and leaves nothing behind."""

    def sly(entry: ModelEntry, context: OpenContext) -> Awaitable[Model]:
        return opened_later(entry, context)

    for factory in (opened_later, sly):
        with pytest.raises(ProviderFailed, match=r"await registry\.open\('x'\)"):
            scripted(factory)["x"]


@pytest.mark.asyncio
async def test_callers_at_the_same_time_get_one_model(scripted: Make) -> None:
    """Ten concurrent opens call the factory once."""
    calls: list[str] = []

    async def counted(entry: ModelEntry, context: OpenContext) -> Model:
        calls.append(entry.name)
        return await opened_later(entry, context)

    async with scripted(counted) as registry:
        models = await asyncio.gather(*(registry.open("x") for _ in range(10)))
        assert len({id(model) for model in models}) == 1
        assert calls == ["x"]


@pytest.mark.asyncio
async def test_a_cancelled_caller_takes_nobody_along(scripted: Make) -> None:
    """If who opens first is cancelled, the next one opens."""
    async with scripted(opened_later) as registry:
        tasks = [asyncio.create_task(registry.open("x")) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        assert done[1] is done[2] is registry["x"]


@pytest.mark.asyncio
async def test_callers_at_the_same_time_share_a_failure(scripted: Make) -> None:
    """The factory is asked once for all who wait, and once more for who comes later."""
    calls: list[str] = []

    async def failing(entry: ModelEntry, context: OpenContext) -> Model:
        calls.append(entry.name)
        await asyncio.sleep(0)
        raise OSError

    registry = scripted(failing)
    done = await asyncio.gather(
        *(registry.open("x") for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(each, ProviderFailed) for each in done)
    assert len(calls) == 1
    with pytest.raises(ProviderFailed):
        await registry.open("x")
    assert len(calls) == 2


def raising(error: BaseException) -> Callable[..., Model]:
    def factory(entry: ModelEntry, context: OpenContext) -> Model:
        secret = CANARY
        raise error from ValueError(secret)

    return factory


def raising_later(error: BaseException) -> Callable[..., Awaitable[Model]]:
    async def factory(entry: ModelEntry, context: OpenContext) -> Model:
        secret = CANARY
        await asyncio.sleep(0)
        raise error from ValueError(secret)

    return factory


@pytest.mark.asyncio
@pytest.mark.parametrize("make", [raising, raising_later])
@pytest.mark.parametrize("kind", [OSError, SystemExit])
@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": Secret(CANARY)},
        {"request_options": RequestOptions(headers={"X-Key": Secret(CANARY)})},
        {"env": {"KEY": CANARY}},
        {"extra": {"own": [{"key": CANARY}]}},
    ],
)
async def test_a_failure_keeps_the_type_and_no_secret(
    scripted: Make,
    make: Callable[[BaseException], object],
    kind: type[BaseException],
    fields: dict[str, object],
) -> None:
    """No sink of the error holds a secret of the entry, nor a chain that might."""
    registry = scripted(make(kind(f"refused {CANARY}")), **fields)
    with pytest.raises(ProviderFailed, match=f"{kind.__name__}: refused") as caught:
        await registry.open("x")
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The lines of this test hold the canary themselves.
    lines = [line for line in shown.format() if __file__ not in line]
    told = [str(error), repr(error), repr(error.args), repr(pickle.dumps(error))]
    assert CANARY not in "".join([*told, *lines])


def test_our_own_errors_pass_as_they_are(scripted: Make) -> None:
    """A provider that raises an error of this package means it."""
    with pytest.raises(MissingToken):
        scripted(raising(MissingToken("no token")))["x"]


@pytest.mark.parametrize("value", [None, 42, ScriptedModel])
def test_what_is_no_model_is_refused(scripted: Make, value: object) -> None:
    """A factory has to give a model."""
    kind = type(value).__name__
    with pytest.raises(ProviderFailed, match=f"a {kind}, which is not a model"):
        scripted(lambda *_: value)["x"]


def test_a_target_that_is_not_callable(scripted: Make) -> None:
    """A target that names a value is the provider's fault."""
    with pytest.raises(ProviderFailed, match="TypeError"):
        scripted(42)["x"]


@pytest.mark.asyncio
async def test_every_model_is_closed(scripted: Make) -> None:
    """Leaving the block closes all that was opened, once, and nothing else."""
    async with scripted(opened, "a", "b", "c") as registry:
        models = [registry["a"], registry["b"]]
    await registry.aclose()
    assert [model.closed for model in models] == [1, 1]  # type: ignore[attr-defined]  # scripted models count


@pytest.mark.asyncio
async def test_one_that_does_not_close_keeps_no_other_open(
    scripted: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Failures to close are logged and raised as one, after all were tried."""
    made: list[ScriptedModel] = []

    def factory(entry: ModelEntry, context: OpenContext) -> Model:
        failing = entry.name in {"a", "b"}
        error = OSError("stuck hf_canarycanary") if failing else None
        made.append(ScriptedModel(entry.name, error=error))
        return made[-1]

    registry = scripted(factory, "a", "b", "c")
    for name in registry:
        registry[name]
    with pytest.raises(ProviderFailed, match=r"2 .*b: OSError.*a: OSError") as caught:
        await registry.aclose()
    assert [model.closed for model in made] == [1, 1, 1]
    assert len(caplog.records) == 2
    assert "canary" not in str(caught.value) + caplog.text
    await registry.aclose()


@pytest.mark.asyncio
async def test_the_block_s_own_error_is_not_hidden(scripted: Make) -> None:
    """An error in the block comes through although a model fails to close."""

    def factory(entry: ModelEntry, context: OpenContext) -> Model:
        return ScriptedModel(entry.name, error=OSError())

    with pytest.raises(ValueError, match="substring"):
        async with scripted(factory) as registry:
            registry["x"].name.index("y")


@pytest.mark.asyncio
async def test_a_cancelled_close_can_be_finished(scripted: Make) -> None:
    """What a cancelled ``aclose`` left open is closed by the next one."""
    registry = scripted(opened, "a", "b")
    models = [registry["a"], registry["b"]]
    task = asyncio.create_task(registry.aclose())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await registry.aclose()
    assert [model.closed for model in models] == [1, 1]  # type: ignore[attr-defined]  # scripted models count


@pytest.mark.asyncio
async def test_a_closed_registry_opens_nothing(scripted: Make) -> None:
    """Use after close is a typed error, for open models too."""
    async with scripted(opened, "a", "b") as registry:
        registry["a"]
    with pytest.raises(Closed):
        registry["a"]
    with pytest.raises(Closed):
        await registry.open("b")
    with pytest.raises(Closed):
        registry.for_role("chat")
    with pytest.raises(Closed):
        await registry.__aenter__()


@pytest.mark.asyncio
async def test_a_model_that_opens_into_a_closed_registry_is_closed(
    scripted: Make,
) -> None:
    """Closing while an open is under way leaves no model behind."""
    made: list[ScriptedModel] = []

    async def factory(entry: ModelEntry, context: OpenContext) -> Model:
        await asyncio.sleep(0)
        made.append(ScriptedModel(entry.name))
        return made[-1]

    registry = scripted(factory)
    task = asyncio.create_task(registry.open("x"))
    await asyncio.sleep(0)
    await registry.aclose()
    with pytest.raises(Closed):
        await task
    assert [model.closed for model in made] == [1]


@pytest.mark.asyncio
async def test_open_cancelled_at_every_step(scripted: Make) -> None:
    """Cancelled after k steps, ``open`` leaves no task and can be called again."""
    registry = scripted(opened_later, *map(str, range(50)))
    for steps, name in enumerate(registry):
        task = asyncio.create_task(registry.open(name))
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.done():
            break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (await registry.open(name)).name == name
    assert steps > 0
    await registry.aclose()


def test_one_registry_in_two_event_loops(scripted: Make) -> None:
    """Loops one after another may use one registry; contention leaves no trace."""
    registry = scripted(opened_later, "a", "b")

    async def contend(*names: str) -> list[Model]:
        return await asyncio.gather(*(registry.open(name) for name in names))

    first = asyncio.run(contend("a", "a", "a"))
    second = asyncio.run(contend("a", "b", "b"))
    assert second[0] is first[0]
    asyncio.run(registry.aclose())
    assert [model.closed for model in (*first[:1], *second[1:2])] == [1, 1]  # type: ignore[attr-defined]  # scripted models count
