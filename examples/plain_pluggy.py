"""A host of its own making: only pluggy finds the plugin, no registry of ours.

    python examples/plain_pluggy.py

A host that already has a ``pluggy.PluginManager`` needs no more than this. It gives up
what our registry does: one broken plugin stops it. Replies are simulated.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from pathlib import Path

import pluggy

from bytebuddy_provider_hf import Chat, Model, ModelEntry, OpenContext, Source
from bytebuddy_provider_hf.testing.hub import FakeHub


def targets() -> dict[str, str]:
    """Return every provider's name and aliases, each with its factory's place."""
    plugins = pluggy.PluginManager("bytebuddy")
    plugins.load_setuptools_entrypoints("bytebuddy")
    return {
        name: spec.target
        for specs in plugins.hook.bytebuddy_providers()
        for spec in specs
        for name in (spec.name, *spec.aliases)
    }


def opened(entry: ModelEntry) -> Model:
    """Open an entry with its provider's factory, which may also be asynchronous."""
    module, _, name = targets()[entry.provider].partition(":")
    factory = getattr(importlib.import_module(module), name)
    state = Path.home() / ".bytebuddy"
    context = OpenContext(
        source=Source(),
        trusted=True,
        state_dir=state,
        cache_dir=state / "cache",
        log=logging.getLogger("my-host"),
        clock=time.monotonic,
    )
    model: Model = factory(entry, context)
    return model


async def main() -> None:
    """Open a model of a simulated hub and print its answer."""
    async with FakeHub().serve() as url:
        entry = ModelEntry(
            name="mine",
            provider="huggingface-tgi",
            model="example/model",
            api_base=url,
        )
        model = opened(entry)
        try:
            if isinstance(model, Chat):
                reply = await model.chat("Hello")
                print(f"{entry.provider} -> {reply.text}")
        finally:
            await model.aclose()


if __name__ == "__main__":
    asyncio.run(main())
