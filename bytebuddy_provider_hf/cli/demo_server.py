"""Servers of the demonstration: llama.cpp in a child process, or a simulation."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import cache_folder
from bytebuddy_provider_hf.errors import ConnectionFailed
from bytebuddy_provider_hf.testing.demo_prompts import CHAT, FILL, PROMPTS
from bytebuddy_provider_hf.texts import text

SIMULATED_MODEL: Final = "google/gemma-3-270m"
# Seconds, as a laptop takes them: to load the model, and from token to token.
_SIMULATED_LOAD: Final = 2.0
_SIMULATED_GAP: Final = 0.03
# Seconds in which a server that cannot load its model ends.
_LAST_BREATH: Final = 2.0


@frozen
class DemoServer:
    """A server that is up, its model perhaps not yet. ``base`` ends in ``/v1``.

    ``ended`` waits for the end of its process, where it has one of its own.
    """

    base: str
    model: str
    what: str
    simulated: bool = False
    ended: Callable[[], Awaitable[object]] | None = None


def can_run_here(gguf: Path | None) -> bool:
    """Tell whether the extra ``local`` is installed, as far as ``gguf`` needs it."""
    from bytebuddy_provider_hf.testing.llama_server import (
        gemma_installed,
        llama_installed,
    )

    return llama_installed() and (gguf is not None or gemma_installed())


@asynccontextmanager
async def local_server(
    gguf: Path | None, *, port: int = 0
) -> AsyncIterator[DemoServer]:
    """Run llama.cpp's server in a child process; its model is still loading."""
    from bytebuddy_provider_hf.testing.llama_server import (
        LocalServer,
        find_gemma,
        usual_threads,
    )

    path = gguf
    if path is None:
        folder = cache_folder(os.environ, home_folder())
        screen.note(text("cli.demo_checked", folder=folder))
        # Checking reads 253 MB, which would hold the event loop up.
        path = await asyncio.to_thread(find_gemma, folder)
    threads = usual_threads()
    server = LocalServer(path, threads=threads, port=port)
    try:
        await server.start()
        yield DemoServer(
            base=f"{server.url}/v1",
            model=path.stem if gguf else SIMULATED_MODEL,
            what=text(
                "cli.demo_llama", pid=server.pid, threads=threads, file=path.name
            ),
            ended=server.wait,
        )
    except ConnectionFailed:
        # It listens before it loads: a model it cannot load ends it in between.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait(), _LAST_BREATH)
        if server.returncode is None:
            raise
        message = text("cli.demo_ended", file=path.name)
        raise ConnectionFailed(message, hint=text("cli.demo_name_gguf")) from None
    finally:
        await server.stop()


@asynccontextmanager
async def simulated_server(*, port: int = 0) -> AsyncIterator[DemoServer]:
    """Serve answers recorded from Gemma, after loading as long as a real server."""
    from bytebuddy_provider_hf.testing.behaviour import (
        Behaviour,
        last_words,
        loads_like_llama,
    )
    from bytebuddy_provider_hf.testing.hub import FakeHub
    from bytebuddy_provider_hf.testing.script import FakeRequest
    from bytebuddy_provider_hf.testing.serve import serve

    seen = {each.prompt: each.seen for each in PROMPTS}

    def answer(request: FakeRequest) -> str:
        asked = last_words(request)
        if asked in seen:
            return seen[asked]
        # A question stands among the words of a transcript.
        for role in (CHAT, FILL):
            if role.asked.strip() in asked:
                return role.seen
        return "(simulated) Nothing was prepared."

    behaviour = Behaviour(
        answer=answer,
        cold_for=_SIMULATED_LOAD,
        cold_reply=loads_like_llama,
        gap=_SIMULATED_GAP,
    )
    hub = FakeHub({SIMULATED_MODEL: behaviour})
    async with serve(hub.handle, port=port) as base:
        what = text("cli.demo_simulation")
        yield DemoServer(f"{base}/v1", SIMULATED_MODEL, what, simulated=True)
