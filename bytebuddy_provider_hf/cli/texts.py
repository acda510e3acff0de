"""Many texts from a command line: arguments, the lines of a file, or piped lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.errors import InvalidOption

_LARGEST: Final = 256 * 1024 * 1024
_PIPED: Final = "-"


def read_texts(arguments: tuple[str, ...], file: Path | None) -> list[str]:
    """Return the arguments and the lines of ``file``, ``-`` for what is piped in.

    Without either what is piped in is read. Empty lines are no texts. Raises
    ``InvalidOption`` where there is no such file, and ``OSError`` where it cannot be
    read.
    """
    texts = [_readable(argument) for argument in arguments]
    if file is None and not texts and not screen.is_interactive(sys.stdin):
        file = Path(_PIPED)
    if file is not None:
        texts += _lines(file)
    return texts


def _lines(file: Path) -> list[str]:
    raw = _read(file)
    if len(raw) > _LARGEST:
        message = f"{file} is larger than 256 MiB: cut it into several files"
        raise click.UsageError(message)
    lines = raw.decode("utf-8-sig", "replace").split("\n")
    return [text for line in lines if (text := line.removesuffix("\r")).strip()]


def _read(file: Path) -> bytes:
    if str(file) == _PIPED:
        return sys.stdin.buffer.read(_LARGEST + 1)
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise InvalidOption(f"There is no file {file}.") from error
    except IsADirectoryError as error:
        raise InvalidOption(f"{file} is not a file.") from error


def _readable(argument: str) -> str:
    # Bytes of the command line that are not text arrive as lone surrogates.
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
