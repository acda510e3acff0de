"""Rows of text in columns, for people and for pipes."""

from __future__ import annotations

from collections.abc import Sequence

from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.secret import redact


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return ``rows``, tokens masked, each column as wide as its widest cell."""
    from rich.cells import cell_len

    cells = [[redact(sanitize_line(cell)) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell + " " * (width - cell_len(cell))
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)
