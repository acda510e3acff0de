"""A provider that does what a test says: a factory and models of the test's own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bytebuddy_provider_hf.config.values import Config, ModelEntry
from bytebuddy_provider_hf.plugins.discovery import discover
from bytebuddy_provider_hf.plugins.protocols import Model, OpenContext
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.plugins.spec import ProviderSpec, hookimpl
from bytebuddy_provider_hf.types import Role


class ScriptedModel:
    roles: tuple[Role, ...] = ()
    capabilities: frozenset[str] = frozenset()
    model = "m"

    def __init__(self, name: str, *, error: BaseException | None = None) -> None:
        self.name = name
        self.error = error
        self.closed = 0

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1
        if self.error is not None:
            raise self.error


class ScriptedPlugin:
    @hookimpl
    def bytebuddy_providers(self) -> tuple[ProviderSpec, ...]:
        return (ProviderSpec("scripted", "scripted_target:script.factory"),)


def opened(entry: ModelEntry, context: OpenContext) -> Model:
    return ScriptedModel(entry.name)


async def opened_later(entry: ModelEntry, context: OpenContext) -> Model:
    for _ in range(3):
        await asyncio.sleep(0)
    return ScriptedModel(entry.name)


def scripted_registry(
    patch: pytest.MonkeyPatch,
    home: Path,
    factory: object,
    *names: str,
    **fields: object,
) -> ModelRegistry:
    """Make a registry of entries that ``factory`` opens."""
    target = SimpleNamespace(script=SimpleNamespace(factory=factory))
    patch.setitem(sys.modules, "scripted_target", target)  # type: ignore[arg-type]  # any object may stand there
    entries = [
        ModelEntry(name, "scripted", "m", **fields)  # type: ignore[arg-type]  # a test's own keywords
        for name in names or ("x",)
    ]
    found = discover(plugins=[ScriptedPlugin()], env={})
    return ModelRegistry(Config(tuple(entries)), found, home=home, env={})
