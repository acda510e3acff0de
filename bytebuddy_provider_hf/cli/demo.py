"""Command ``demo``: what it does, shown on this machine, without a token."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import click
from attrs import define, field

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.demo_server import (
    DemoServer,
    can_run_here,
    local_server,
    simulated_server,
)
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.model_source import require
from bytebuddy_provider_hf.cli.options import command, trouble_options
from bytebuddy_provider_hf.cli.render import Printer
from bytebuddy_provider_hf.cli.show_reply import show_reply
from bytebuddy_provider_hf.cli.status_line import StatusLine
from bytebuddy_provider_hf.cli.terminal import Sanitizer, sanitize
from bytebuddy_provider_hf.errors import ConnectionFailed
from bytebuddy_provider_hf.plugins.protocols import Complete, Model
from bytebuddy_provider_hf.testing.demo_prompts import (
    APPLY,
    CHAT,
    FILL,
    PROMPTS,
    DemoPrompt,
)
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions, Event, Text

if TYPE_CHECKING:
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

NAME: Final = "local-gemma"
# Modules that are imported only when an entry opens.
_NEEDED: Final = ("plugins.registry", "client.opening")

CONFIG: Final = """\
models:
  - name: "{name}"
    provider: "huggingfaceinferenceapi"
    model: "{model}"
    apiBase: "{base}"
    roles: ["chat", "autocomplete", "apply"]
    defaultCompletionOptions:
      temperature: 0
      maxTokens: 64
"""


@command(
    "bytebuddy-hf demo",
    "bytebuddy-hf demo --gguf model.gguf",
    "bytebuddy-hf demo --serve --port 8080",
)
@click.option(
    "--gguf",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Use this model instead of Gemma 3 270M.",
)
@click.option("--simulated", is_flag=True, help="Run no model; every reply says so.")
@click.option(
    "--serve",
    is_flag=True,
    help="Keep the server until Ctrl-C, and print the entry for it.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    metavar="NUMBER",
    help="Where the server listens (default: any free port).",
)
@trouble_options
def demo(*, gguf: Path | None, simulated: bool, serve: bool, port: int) -> ExitCode:
    """Run everything on this machine: no token, no network.

    llama.cpp's server starts in a child process and is asked while its model is still
    loading. It needs the extra "local", which is for Linux with glibc, macOS and
    Windows; without it the replies are simulated.
    """
    if not simulated and not can_run_here(gguf):
        screen.note(text("cli.demo_cannot_run"), bold=True)
        screen.note("  pip install 'bytebuddy-provider-hf[local]'")
        # The wheels of the pinned xllamacpp.
        screen.detail(text("cli.demo_platforms"))
        screen.note(text("cli.demo_simulated"))
        screen.note("")
        simulated = True
    if not simulated:
        screen.note(text("cli.demo_starts"))
    starting = (
        simulated_server(port=port) if simulated else local_server(gguf, port=port)
    )
    return asyncio.run(_run(starting, _serve if serve else _show))


async def _run(
    starting: AbstractAsyncContextManager[DemoServer],
    work: Callable[[DemoServer], Awaitable[None]],
) -> ExitCode:
    """Show the demonstration; end it on SIGTERM and SIGHUP, the child first."""
    # They take 0.5 s, and a model of 253 MB from the disk's cache 1 s: the first
    # request is to find it loading.
    for module in _NEEDED:
        import_module(f"bytebuddy_provider_hf.{module}")
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    terminated = asyncio.Event()

    def terminate() -> None:
        terminated.set()
        if task is not None:
            task.cancel()

    numbers: list[signal.Signals] = []
    if sys.platform != "win32":
        numbers = [signal.SIGTERM, signal.SIGHUP]
        # nohup's SIGHUP stays ignored.
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            numbers.remove(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, terminate)
    try:
        async with starting as server:
            await work(server)
    except asyncio.CancelledError:
        # Ctrl-C cancels this task, too; that is told by the root.
        if not terminated.is_set():
            raise
        screen.note(text("cli.terminated"))
        return ExitCode.TERMINATED
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
    return ExitCode.OK


async def _show(server: DemoServer) -> None:
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

    screen.say(text("cli.demo_server", what=server.what, base=server.base))
    screen.emit()
    with tempfile.TemporaryDirectory(prefix="bytebuddy-demo-") as folder:
        path = Path(folder) / "config.yaml"
        config = CONFIG.format(name=NAME, model=server.model, base=server.base)
        path.write_text(config, encoding="utf-8")
        screen.emit(f"{path}\n\n{config}")
        screen.reserve_stdout()
        async with ModelRegistry.load(path) as registry:
            provider = registry.provider(registry.entry(NAME).provider)
            screen.say(text("cli.demo_found", provider=provider.name))
            screen.emit()
            model = await registry.open(NAME)
            # One after the other: the first waits for the model, the others find it.
            for number, step in enumerate(PROMPTS, start=1):
                title = f"{number}. {localized(step.title)}"
                if server.simulated:
                    title = text("cli.demo_title", title=title)
                screen.emit(screen.styled(title, bold=True))
                screen.emit(screen.styled(step.prompt, dim=True), nl=False)
                figures = await _ask(model, step, simulated=server.simulated)
                screen.emit(f"\n  [{localized(figures)}]\n")
            await _show_roles(registry, len(PROMPTS) + 1, simulated=server.simulated)
    show_next_steps()


async def _show_roles(registry: ModelRegistry, number: int, *, simulated: bool) -> None:
    """Show chat, fill and apply, as far as a base model honestly does them."""
    options = CompletionOptions(temperature=0, max_tokens=24)
    for step in (CHAT, FILL, APPLY):
        title = f"{number}. {localized(step.title)}"
        number += 1
        # To apply, no model is asked.
        if simulated and step is not APPLY:
            title = text("cli.demo_title", title=title)
        screen.emit(screen.styled(title, bold=True))
        if step is CHAT:
            reply = await registry.chat(NAME).chat(step.asked, options=options)
            screen.emit(f"> {step.asked}\n{sanitize(reply.text.strip())}")
        elif step is FILL:
            call = registry.fill(NAME).fill(
                step.asked, step.behind, multiline=False, options=options
            )
            reply = await call
            filled = screen.styled(sanitize(reply.text), bold=True)
            before, behind = (
                screen.styled(part, dim=True) for part in (step.asked, step.behind)
            )
            screen.emit(f"{before}{filled}{behind}", nl=False)
        else:
            reply = await registry.apply(NAME).apply(step.asked, step.behind)
            screen.emit(sanitize(reply.diff or ""), nl=False)
        for note in reply.notes:
            screen.emit(f"  [{localized(note)}]")
        screen.emit()


async def _serve(server: DemoServer) -> None:
    """Keep the server until it is stopped; print the entry to paste."""
    config = CONFIG.format(name=NAME, model=server.model, base=server.base)
    screen.say(text("cli.demo_server", what=server.what, base=server.base))
    screen.emit()
    screen.say(text("cli.demo_paste"))
    screen.emit(f"\n{config}")
    command = f"bytebuddy-hf chat -m {server.model} --base {server.base} 'Hello'"
    screen.say(text("cli.demo_serves", command=command))
    if server.ended is None:
        await asyncio.Event().wait()
    else:
        await server.ended()
        # Nobody stopped it: whoever asks it now would be refused.
        raise ConnectionFailed(text("cli.demo_server_ended", base=server.base))


def show_next_steps() -> None:
    """Say what to do after the demonstration, in this environment."""
    screen.say(text("cli.demo_next"))
    activate = Path(sys.prefix) / "bin" / "activate"
    # Of an environment that no shell has entered, the command is not found.
    if shutil.which("bytebuddy-hf") is None and activate.is_file():
        screen.say(text("cli.demo_next_activate", command=f"source {activate}"))
    screen.say(text("cli.demo_next_steps"))


async def _ask(model: Model, step: DemoPrompt, *, simulated: bool) -> str:
    """Show the answer to one prompt; return in words how long it took."""
    line = StatusLine(model.name)
    printer = StepPrinter(streamed=step.streamed)
    options = CompletionOptions(
        temperature=step.temperature, max_tokens=step.max_tokens, stop=step.stop
    )
    call = require(model, Complete).complete(step.prompt, options=options)
    reply = await show_reply(call, line, printer)
    ended = time.monotonic()
    parts = []
    if line.waited:
        parts.append(text("cli.demo_loaded", seconds=f"{line.waited:.1f}"))
    if printer.began is None:
        parts.append(text("cli.demo_no_text"))
    elif reply.usage is not None and reply.usage.completion_tokens is not None:
        tokens = reply.usage.completion_tokens
        parts.append(text("cli.demo_tokens", count=tokens))
        working = ended - printer.began
        # The first token ends the reading of the prompt; the rest are measured.
        if working > 0 and tokens > 1 and not simulated:
            speed = f"{(tokens - 1) / working:.0f}"
            parts.append(text("cli.demo_speed", speed=speed))
    if simulated:
        parts.append(text("cli.demo_is_simulated"))
    return reduce(lambda one, more: text("cli.demo_and", first=one, second=more), parts)


@final
@define
class StepPrinter(Printer):
    """Print text behind its prompt, at once or at the end; time the first piece."""

    streamed: bool
    began: float | None = None
    _shown: str = ""
    _sanitizer: Sanitizer = field(factory=Sanitizer)

    def event(self, event: Event) -> None:
        """Print a piece of text, or keep it."""
        if not isinstance(event, Text):
            return
        if self.began is None:
            self.began = time.monotonic()
        piece = self._sanitizer.feed(event.text)
        if self.streamed:
            screen.emit(piece, nl=False)
        else:
            self._shown += piece

    def close(self) -> None:
        """Print what was kept."""
        screen.emit(self._shown, nl=False)
        self._shown = ""
