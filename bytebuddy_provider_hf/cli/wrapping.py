"""Break lines for a terminal at the ends of words, counted in its columns.

What somebody copies stays in one piece: an id, an address, a command. A pipe has no
width, and gets each sentence as one line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final, TextIO

# Of a terminal that does not tell.
_USUAL_WIDTH: Final = 80
_INDENT: Final = "  "
# Where a line may end inside of a word: beside a letter that is written without blanks,
# but not before a mark that ends a phrase nor behind one that begins it (Unicode's
# UAX 14, classes ID, CL and OP, as far as Chinese needs them).
_OPENING: Final = "（「『《〈【“‘"
_CLOSING: Final = "，。、；：？！）」』》〉】”’…％"
_WIDE: Final = (
    "\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff60"
    "\U00020000-\U0003ffff"
)
# Stands between two characters where no line may end.
_JOINED: Final = "\ufffb"
_BREAK: Final = re.compile(
    rf"(?:(?<=[{_WIDE}])|(?=[{_WIDE}]))(?<![{_OPENING}{_JOINED}])(?![{_CLOSING}{_JOINED}])"
)
# A path is copied whole, in whatever letters: what has a slash between two blanks or
# marks of a sentence, or ends like the name of a file.
_IN_PATH: Final = rf"[^\s{_OPENING}{_CLOSING}]"
_PATH: Final = re.compile(
    rf"{_IN_PATH}*[/\\]{_IN_PATH}*|{_IN_PATH}*[{_WIDE}]\.[A-Za-z0-9]{_IN_PATH}*"
)
# A command is copied whole: one in backquotes, or one of ours that begins a column.
_COMMAND: Final = re.compile(r"`[^`\n]+`|(?:(?<=^)|(?<=  ))bytebuddy-hf .*?(?=  |$)")
# Stands for a blank where no line may end.
_KEPT: Final = "\ufffc"


def columns_of(stream: TextIO) -> int | None:
    """Return how many columns the terminal of ``stream`` has; ``None`` in a pipe."""
    if stream.closed or not stream.isatty():
        return None
    # shutil looks at descriptor 1, which need not be that of the answer.
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        return _USUAL_WIDTH


def wrap(said: str, width: int | None, *, hanging: str = "") -> list[str]:
    """Return ``said`` in lines of ``width`` at most, broken at the ends of words.

    All lines but the first begin with ``hanging``. A longer word or command has a line
    of its own, without it.
    """
    if width is None:
        return [said]
    return _laid(pieces(said), width, hanging)


def wrap_lines(said: str, width: int | None) -> list[str]:
    """Return the lines of ``said``, each of them ``width`` at most.

    A line that fits is left as it is. What a longer one goes on in is indented more
    than it is itself.
    """
    lines = said.split("\n")
    if width is None:
        return lines
    from rich.cells import cell_len

    shown: list[str] = []
    for line in lines:
        if cell_len(line) <= width:
            shown.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip(" "))]
        room = width - len(indent)
        # The blanks between columns stay, as long as both are on one line.
        laid = _laid(pieces(line.lstrip(" "), joined=False), room, _INDENT)
        # What is too long for any line is not moved further to the right.
        shown += [
            f"{indent}{each}" if cell_len(each) <= room else each for each in laid
        ]
    return shown


def pieces(said: str, *, joined: bool = True) -> Iterator[tuple[str, str]]:
    """Yield what a line may not be broken in, each with the blank before it.

    That is one blank at most, or with ``joined`` off as many as there are.
    """
    kept = _COMMAND.sub(lambda found: found[0].replace(" ", _KEPT), said)
    kept = _PATH.sub(lambda found: _JOINED.join(found[0]), kept)
    for found in re.finditer(r"(\s*)(\S+)", kept):
        blank = " " if joined and found[1] and found.start() else found[1]
        for piece in filter(None, _BREAK.split(found[2])):
            yield piece.replace(_KEPT, " ").replace(_JOINED, ""), blank
            blank = ""


def _laid(parts: Iterator[tuple[str, str]], width: int, hanging: str) -> list[str]:
    from rich.cells import cell_len

    lines: list[str] = []
    line = ""
    for piece, blank in parts:
        longer = f"{line}{blank}{piece}" if line else piece
        if not line or cell_len(longer) <= width:
            line = longer
        else:
            lines.append(line)
            begun = hanging if cell_len(hanging + piece) <= width else ""
            line = f"{begun}{piece}"
    return [*lines, line]
