"""``bytebuddy-hf demo``: the whole way, on this machine, without a token."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path
from typing import Final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.demo_server import (
    PLATFORMS,
    DemoServer,
    can_run_here,
    local_server,
    simulated_server,
)
from bytebuddy_provider_hf.cli.demo_steps import run_steps
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.options import trouble_options

NAME: Final = "local-gemma"
_NEEDED: Final = ("plugins.registry", "client.opening")

CONFIG: Final = """\
models:
  - name: "{name}"
    provider: "huggingfaceinferenceapi"
    model: "{model}"
    apiBase: "{base}"
    roles: ["chat"]
    defaultCompletionOptions:
      temperature: 0
      maxTokens: 64
"""


@click.command(epilog=f"The extra serves {PLATFORMS}.")
@click.option(
    "--gguf",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Use this model instead of Gemma 3 270M.",
)
@click.option("--simulated", is_flag=True, help="Run no model; every reply says so.")
@trouble_options
def demo(*, gguf: Path | None, simulated: bool) -> ExitCode:
    """Run everything on this machine: no token, no network.

    llama.cpp's server starts in a child process and is asked while its model is still
    loading. It needs the extra "local"; without it the replies are simulated.
    """
    if simulated or not can_run_here(gguf):
        if not simulated:
            _explain()
        server = simulated_server()
    else:
        screen.note("llama.cpp's server starts in a child process…")
        server = local_server(gguf)
    return asyncio.run(_run(server))


def _explain() -> None:
    screen.note("No model can run here: the extra is not installed.", bold=True)
    screen.note("  pip install 'bytebuddy-provider-hf[local]'")
    screen.note(f"  It serves {PLATFORMS}.")
    screen.note("What follows is simulated, by a server in this process.\n")


async def _run(starting: AbstractAsyncContextManager[DemoServer]) -> ExitCode:
    # What imports only when an entry opens takes 0.5 s, and a model of 253 MB from the
    # disk's cache 1 s: the first request is to find it loading.
    for module in _NEEDED:
        import_module(f"bytebuddy_provider_hf.{module}")
    async with _ended_by_sigterm() as ended:
        try:
            async with starting as server:
                await _show(server)
        except asyncio.CancelledError:
            if not ended.is_set():
                raise
            screen.note("terminated")
            return ExitCode.TERMINATED
    return ExitCode.OK


@contextlib.asynccontextmanager
async def _ended_by_sigterm() -> AsyncIterator[asyncio.Event]:
    """Cancel this task on SIGTERM and SIGHUP, so that the child stops first."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    ended = asyncio.Event()

    def end() -> None:
        ended.set()
        if task is not None:
            task.cancel()

    if sys.platform == "win32":
        yield ended
        return
    # nohup's SIGHUP stays ignored.
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = (signal.SIGTERM, *(() if ignored else (signal.SIGHUP,)))
    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        yield ended
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _show(server: DemoServer) -> None:
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

    screen.emit(f"Server: {server.what}\n        {server.base}\n")
    with tempfile.TemporaryDirectory(prefix="bytebuddy-demo-") as folder:
        path = Path(folder) / "config.yaml"
        text = CONFIG.format(name=NAME, model=server.model, base=server.base)
        path.write_text(text, encoding="utf-8")
        screen.emit(f"{path}\n\n{text}")
        async with ModelRegistry.load(path) as registry:
            provider = registry.provider(registry.entry(NAME).provider)
            screen.emit(
                "The registry found the provider "
                f"{provider.name} by its entry point.\n"
                "The first request leaves now; until the model is loaded, the server "
                "answers 503.\n"
            )
            model = await registry.open(NAME)
            await run_steps(model, simulated=server.simulated, clock=time.monotonic)
