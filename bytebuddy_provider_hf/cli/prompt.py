"""The prompt: an argument, what is piped in, or both."""

from __future__ import annotations

import sys
from typing import Final

import click

from bytebuddy_provider_hf.cli import screen

_LONGEST: Final = 16 * 1024 * 1024


def read_prompt(argument: str | None) -> str | None:
    """Return the argument and the piped text, in this order; ``None`` if neither.

    ``-`` is no argument but what is piped in. A terminal is not read: with no
    argument, the caller talks.
    """
    if argument == "-":
        argument = None
    parts = [] if argument is None else [_readable(argument)]
    if not screen.is_interactive(sys.stdin):
        piped = _piped()
        if piped.strip():
            parts.append(piped if argument is None else piped.rstrip("\n"))
    return "\n\n".join(parts) if parts else None


def require(prompt: str | None) -> str:
    """Return ``prompt``, or end with what to do when there is none."""
    if prompt is None or not prompt.strip():
        message = "there is no prompt: give one as an argument, or pipe it in"
        raise click.UsageError(message)
    return prompt


def _piped() -> str:
    raw = sys.stdin.buffer.read(_LONGEST + 1)
    if len(raw) > _LONGEST:
        message = "what is piped in is longer than 16 MiB; no model reads that much"
        raise click.UsageError(message)
    return raw.decode("utf-8", "replace")


def _readable(argument: str) -> str:
    # Bytes of the command line that are not text arrive as lone surrogates.
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
