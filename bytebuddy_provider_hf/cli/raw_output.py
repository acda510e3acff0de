"""Code on stdout: to a program byte by byte, to people without control sequences."""

from __future__ import annotations

import sys
from typing import final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.render import PlainPrinter, Printer
from bytebuddy_provider_hf.cli.terminal import visible_controls
from bytebuddy_provider_hf.types import Event, Text


def raw_printer() -> Printer:
    """Return the printer of code that suits what stdout is."""
    return PlainPrinter() if screen.is_interactive(sys.stdout) else RawPrinter()


@final
class RawPrinter:
    """Text as it comes and nothing else, as UTF-8: an editor or ``patch`` reads it."""

    def event(self, event: Event) -> None:
        """Print a piece of text at once."""
        if isinstance(event, Text):
            _write(event.text)

    def close(self) -> None:
        """Leave nothing behind."""


def show_diff(diff: str) -> None:
    """Print a unified diff, coloured on a terminal."""
    if not screen.is_interactive(sys.stdout):
        _write(diff)
        return
    colours = screen.coloured(sys.stdout)
    lines = visible_controls(diff).removesuffix("\n").split("\n")
    screen.emit("\n".join(_coloured(lines) if colours else lines))


def _coloured(lines: list[str]) -> list[str]:
    shown, inside = [], False
    for line in lines:
        inside = inside or line.startswith("@@")
        shown.append(_style(line, inside=inside))
    return shown


def _style(line: str, *, inside: bool) -> str:
    if not inside:
        return click.style(line, bold=True)
    match line[:1]:
        case "+":
            return click.style(line, fg="green")
        case "-":
            return click.style(line, fg="red")
        case "@":
            return click.style(line, fg="cyan")
        case _:
            return line


def _write(text: str) -> None:
    # The text layer would change letters an encoding lacks, and line ends on Windows.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
