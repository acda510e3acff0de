"""Whether what a command prints fits a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.cells import cell_len

_COMMAND = re.compile(r"`[^`]+`|^\s*bytebuddy-hf .*?(?=  |$)")


def too_wide(lines: Iterable[str], width: int) -> list[str]:
    """Return the lines that are wider, and could have been broken at a blank.

    A word, such as an id or an address, and a command are never cut: one of them may
    be wider than the terminal, on a line of its own.
    """
    wide = [line for line in lines if cell_len(line) > width]
    return [
        line
        for line in wide
        if " " in _COMMAND.sub(lambda found: found[0].replace(" ", "_"), line).strip()
    ]
