"""A call on many inputs: sent in portions, with a line that tells how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import update_wrapper
from pathlib import Path
from typing import Final, TextIO, TypeVar, final

import click
from attrs import frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.options import ModelChoice, json_option, model_options
from bytebuddy_provider_hf.cli.status_line import draw, erase
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.cli.waitline import WaitLine
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.types import Event, Loading

# So many inputs are handed over at once: enough to keep every permit busy, and few
# enough that what is printed keeps memory small.
CHUNK_SIZE: Final = 1_024

R = TypeVar("R")


@frozen
class WaitOptions:
    """How long a call may take (seconds), and whether it waits for the model."""

    timeout: float | None = None
    wait: bool = True


def call_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add options; call ``command`` with ``choice``, ``wait_options``, ``as_json``."""

    def gathered(
        *,
        model: str | None,
        base: str | None,
        config: Path | None,
        timeout: float | None,
        no_wait: bool,
        **own: object,
    ) -> None:
        command(
            choice=ModelChoice(name=model, base=base, config=config),
            wait_options=WaitOptions(timeout, wait=not no_wait),
            **own,
        )

    update_wrapper(gathered, command)
    for option in (
        click.option(
            "--no-wait",
            is_flag=True,
            help="Fail at once where the model is not ready or a limit is reached.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="For the whole call.",
        ),
    ):
        gathered = option(gathered)
    return model_options(json_option(gathered))


@final
class StatusLine:
    """What stands on stderr while a call runs: its wait, or how far it is.

    In a pipe, and with ``quiet``, only what a program can use is written: nothing of
    progress, and of waits what :class:`WaitLine` says there.
    """

    def __init__(self, name: str, *, quiet: bool, stream: TextIO | None = None) -> None:
        self._name = sanitize_line(name)
        self._wait = WaitLine(name, time.monotonic, stream=stream)
        self._stream = stream or sys.stderr
        self._live = not quiet and screen.is_terminal(self._stream)
        self._quiet = quiet
        self._drawn = False

    def event(self, event: Event) -> None:
        """Show what a call waits for."""
        if isinstance(event, Loading) and not self._quiet:
            self._erase()
            self._wait.update(event)

    def progress(self, done: int, count: int, items: str) -> None:
        """Show how many of the inputs are done."""
        self.close()
        if self._live and done < count:
            self._draw(f": {done:,} of {count:,} {items}…")

    def close(self) -> None:
        """Take the line away."""
        self._wait.clear()
        self._erase()

    def _draw(self, text: str) -> None:
        draw(lambda name: f"{name}{text}", self._name, self._stream)
        self._drawn = True

    def _erase(self) -> None:
        if self._drawn:
            erase(self._stream)
            self._drawn = False


async def chunks(
    inputs: Sequence[str],
    ask: Callable[[Sequence[str], float | None, OnEvent], Awaitable[R]],
    *,
    wait_options: WaitOptions,
    waiting: StatusLine,
    items: str,
) -> AsyncIterator[tuple[int, R]]:
    """Yield the answer for each portion of ``inputs``, with where the portion begins.

    ``ask`` gets a portion, the seconds that are left and whom to tell of waiting.
    """
    ends = (
        None
        if wait_options.timeout is None
        else time.monotonic() + wait_options.timeout
    )
    try:
        for start in range(0, len(inputs), CHUNK_SIZE):
            waiting.progress(start, len(inputs), items)
            left = None if ends is None else max(1e-3, ends - time.monotonic())
            answer = await ask(inputs[start : start + CHUNK_SIZE], left, waiting.event)
            waiting.close()
            yield start, answer
    finally:
        waiting.close()


@final
class NoteLog:
    """Notes for people, each said once however many portions have it."""

    def __init__(self) -> None:
        self.said: dict[str, None] = {}

    def add(self, notes: Sequence[str], *, quiet: bool = False) -> None:
        """Say the notes that are new; with ``quiet`` only keep them."""
        for text in notes:
            if text not in self.said:
                self.said[text] = None
                if not quiet:
                    screen.note(f"note: {text}", colour="yellow")
