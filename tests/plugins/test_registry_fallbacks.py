"""Fallbacks through a registry: opened when they are asked, closed with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from types import SimpleNamespace

import pytest
from attrs import define, field
from scripted_provider import ScriptedModel, ScriptedPlugin

from bytebuddy_provider_hf import plugin
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.plugins.protocols import Model, OpenContext
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import paused
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Event, Reply, Role, Text

FILE = """\
models:
  - {name: a, provider: huggingfaceinferenceapi, model: o/a, apiKey: hf_x,
     fallbacks: [missing, b, c, d]}
  - {name: b, provider: nobodys, model: o/b}
  - {name: c, provider: huggingfaceinferenceapi, model: o/c, apiKey: "${UNSET}"}
  - {name: d, provider: scripted, model: o/d}
"""


class TheirCall:
    def __await__(self) -> Generator[object, object, Reply]:
        return self._reply().__await__()

    async def _reply(self) -> Reply:
        await asyncio.sleep(0)
        return Reply("theirs")

    async def __aenter__(self) -> AsyncIterator[Event]:
        return self._events()

    async def _events(self) -> AsyncIterator[Event]:
        yield Text("theirs")
        yield Done(await self._reply())

    async def __aexit__(self, *exc: object) -> None:
        return None


class TheirModel(ScriptedModel):
    roles = (Role.CHAT, Role.EDIT, Role.APPLY)

    def chat(self, messages: str, **options: object) -> TheirCall:
        assert (messages, [*options]) == ("hi", ["timeout"])
        return TheirCall()


@define
class Provider:
    """A provider of somebody else's, that opens asynchronously."""

    opened: list[TheirModel] = field(factory=list)

    async def factory(self, entry: ModelEntry, context: OpenContext) -> Model:
        await asyncio.sleep(1)
        assert context.models is not None
        self.opened.append(TheirModel(entry.name))
        return self.opened[-1]


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Provider:
    provider = Provider()
    target = SimpleNamespace(script=provider)
    monkeypatch.setitem(sys.modules, "scripted_target", target)
    return provider


def registry(tmp_path: Path, hub: FakeHub) -> ModelRegistry:
    path = tmp_path / "config.yaml"
    path.write_text(FILE)
    return ModelRegistry.load(
        path,
        plugins=[plugin, ScriptedPlugin()],
        home=tmp_path,
        cwd=tmp_path,
        env={},
        runtime=Runtime(connect=MemoryConnect(hub)),
    )


@virtual_time
async def test_a_model_of_any_provider_answers(
    tmp_path: Path, theirs: Provider
) -> None:
    """Opened once, for the first call that needs it, and closed by the registry."""
    models = registry(tmp_path, FakeHub(default=Behaviour(always=paused())))
    async with models:
        model = models.chat("a")
        assert theirs.opened == []
        first, second = await asyncio.gather(model.chat("hi"), model.chat("hi"))
        assert (first.text, first.served_by) == ("theirs", "d")
        async with model.chat("hi") as events:
            *_, done = [event async for event in events]
        assert isinstance(done, Done)
        assert done.reply.served_by == "d"
        (opened,) = theirs.opened
        assert (second.served_by, opened.closed) == ("d", 0)
    assert opened.closed == 1
    notes = " ".join(first.notes)
    assert "'b' was not asked instead: No provider is named nobodys" in notes
    assert "'c' was not asked instead: " in notes


@virtual_time
async def test_what_could_never_be_opened_is_known_before(
    tmp_path: Path, theirs: Provider
) -> None:
    """A name nobody has, and a provider that is not there: a check tells both."""
    models = registry(tmp_path, FakeHub())
    told = [each.message for each in models.warnings if each.is_problem]
    assert len(told) == 2
    assert "names 'missing' as a fallback" in told[0]
    assert told[1].startswith("'b', a fallback of 'a', cannot be opened: no plugin")
    async with models:
        assert (await models.chat("a").chat("hi")).served_by is None
    assert theirs.opened == []
