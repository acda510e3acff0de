"""Print tables that fit the terminal: whole words, whole ids, nothing cut.

Where the columns do not fit, cells are wrapped at the ends of words; where that does
not do either, each row becomes a block of ``label: value`` lines. In a pipe cells are
separated by a tab and nothing is padded or coloured, so that ``cut`` and ``awk`` work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.cli.wrapping import columns_of, pieces, wrap
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.secret import redact
from bytebuddy_provider_hf.texts import text

# A cell of what is not known; a block leaves it out.
UNKNOWN: Final = "-"
_GAP: Final = "  "
_INDENT: Final = "  "
# A row of more lines is easier to read as a block.
_MOST_LINES: Final = 3


@frozen
class Column:
    """Name a column; numbers stand at its right edge."""

    title: str
    is_number: bool = False


def home_as_tilde(said: str) -> str:
    """Return ``said`` with ``~`` for this user's home, as shells write it."""
    home = str(home_folder())
    # A home may be /, and another's name may begin as this one's.
    return re.sub(rf"{re.escape(home)}(?![\w.-])", "~", said) if len(home) > 1 else said


def terminal_width() -> int | None:
    """Return how many columns the terminal of stdout has; ``None`` in a pipe."""
    return columns_of(screen.stdout())


def print_note(said: str, *, colour: str | None = None) -> None:
    """Print a text on stderr, wrapped at the ends of words where that is a terminal."""
    screen.note(_clean(said), colour=colour)


def print_table(
    head: Sequence[Column | str], rows: Iterable[Sequence[str]], *, width: int | None
) -> None:
    """Print rows on stdout, made safe and in this process's language.

    ``width`` is what :func:`terminal_width` returns.
    """
    columns = [Column(each) if isinstance(each, str) else each for each in head]
    lines = table_lines(columns, rows, width=width)
    for line in lines:
        screen.emit(line)


def print_facts(facts: Iterable[tuple[str, str]], *, width: int | None) -> None:
    """Print ``label: value`` lines on stdout; a pair without a value is left out."""
    for line in fact_lines(facts, width=width):
        screen.emit(line)


def print_paragraph(
    said: str, *, width: int | None, indent: str = "", hanging: str = ""
) -> None:
    """Print a text on stdout, wrapped at the ends of words.

    ``indent`` stands before each line, ``hanging`` before all but the first, too.
    """
    room = None if width is None else width - len(indent)
    for line in wrap(_clean(said), room, hanging=hanging):
        screen.emit(f"{indent}{line}")


def table_lines(
    head: Sequence[Column], rows: Iterable[Sequence[str]], *, width: int | None
) -> list[str]:
    """Return the lines of a table that is ``width`` wide at most.

    Only a single word that is longer, such as an id, makes a longer line: it is never
    cut.
    """
    cells = [[_clean(cell) for cell in row] for row in rows]
    titles = [_clean(each.title) for each in head]
    if width is None:
        return ["\t".join(row) for row in (titles, *cells)]
    widths = _column_widths([titles, *cells], width)
    if widths is not None:
        laid = [
            _row_lines(row, widths, numbers=[each.is_number for each in head])
            for row in (titles, *cells)
        ]
        if all(len(lines) <= _MOST_LINES for lines in laid):
            return [line for lines in laid for line in lines]
    blocks: list[str] = []
    for row in cells:
        if blocks:
            blocks.append("")
        told = [pair for pair in zip(titles, row, strict=True) if pair[1] != UNKNOWN]
        blocks += fact_lines(told, width=width)
    return blocks


def fact_lines(
    facts: Iterable[tuple[str, str]], *, width: int | None, indent: str = ""
) -> list[str]:
    """Return ``label: value`` lines; a pair without a value is left out."""
    room = None if width is None else width - len(indent)
    return [
        f"{indent}{line}"
        for label, value in facts
        if (said := _clean(value))
        for line in wrap(
            _clean(text("models.fact", label=_clean(label), value=said)),
            room,
            hanging=_INDENT,
        )
    ]


def _clean(cell: str) -> str:
    return redact(sanitize_line(localized(cell)))


def _column_widths(rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Return how wide each column is, ``None`` where words would have to be cut."""
    from rich.cells import cell_len

    columns = list(zip(*rows, strict=True))
    least = [
        max(
            cell_len(piece) for cell in column for piece, _ in [("", ""), *pieces(cell)]
        )
        for column in columns
    ]
    room = width - len(_GAP) * (len(columns) - 1)
    if sum(least) > room:
        return None
    widths = [min(room, max(map(cell_len, column))) for column in columns]
    while sum(widths) > room:
        # The widest one that can become narrower: it has the fewest lines more by it.
        able = [at for at, size in enumerate(widths) if size > least[at]]
        widths[max(able, key=lambda at: widths[at])] -= 1
    return widths


def _row_lines(
    row: Sequence[str], widths: Sequence[int], *, numbers: Sequence[bool]
) -> list[str]:
    from rich.cells import cell_len

    wrapped = [wrap(cell, size) for cell, size in zip(row, widths, strict=True)]
    lines = []
    for parts in zip_longest(*wrapped, fillvalue=""):
        padded = []
        for part, size, is_number in zip(parts, widths, numbers, strict=True):
            blank = " " * (size - cell_len(part))
            padded.append(f"{blank}{part}" if is_number else f"{part}{blank}")
        lines.append(_GAP.join(padded).rstrip())
    return lines
