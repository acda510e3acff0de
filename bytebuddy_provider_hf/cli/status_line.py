"""One line of a terminal, redrawn: what is too long is cut, its name first."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, TextIO

ERASE: Final = "\r\x1b[2K"

_LEAST: Final = 6

# What stands on a stream and was not erased yet.
_standing: Final[dict[TextIO, str]] = {}


def draw(say: Callable[[str], str], name: str, stream: TextIO) -> None:
    """Draw ``say(name)`` over the line that stands on ``stream``."""
    line = _standing[stream] = redraw(say, name, stream)
    _write(line, stream)


def erase(stream: TextIO) -> None:
    """Take the line away that stands on ``stream``."""
    _standing.pop(stream, None)
    _write(ERASE, stream)


def print_above(text: str, stream: TextIO) -> None:
    """Print ``text`` above the line that stands on ``stream``, if one does."""
    line = _standing.get(stream)
    _write(f"{text}\n" if line is None else f"{ERASE}{text}\n{line}", stream)


def redraw(say: Callable[[str], str], name: str, stream: TextIO) -> str:
    """Return what draws ``say(name)`` over the line that stands on ``stream``.

    A line that is wider than the terminal would go on in the next one, where it
    could not be erased: its name is shortened, then its end.
    """
    line, width = say(name), _width(stream)
    if width is None:
        return f"{ERASE}{line}"
    # The last column stays free: some terminals go on in the next line there.
    over = _cells(line) - (width - 1)
    if over > 0:
        line = say(_cut(name, max(_LEAST, _cells(name) - over)))
    return f"{ERASE}{_cut(line, width - 1)}"


def _write(text: str, stream: TextIO) -> None:
    stream.write(text)
    stream.flush()


def _width(stream: TextIO) -> int | None:
    """Return the columns of a terminal, ``None`` where it does not tell."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # no terminal; a stream without a file
        return None


def _cut(text: str, most: int) -> str:
    """Return ``text`` in ``most`` columns, with an ellipsis where it was cut."""
    if _cells(text) <= most:
        return text
    # No character is narrower than a column, but for those that combine.
    text = text[:most]
    while text and _cells(text) >= most:
        text = text[:-1]
    return f"{text}…"


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
