"""Let one program of all that share a ledger do what is due."""

from __future__ import annotations

from pathlib import Path

from bytebuddy_provider_hf.storage.database import changing


def claim(folder: Path, name: str, *, now: float, until: float) -> bool:
    """Return whether ``name`` is due; then it is no more before ``until``. Blocks.

    Times are in seconds of the Unix clock. Raises ``ConfigError`` where the ledger
    cannot be written.
    """
    with changing(folder) as connection:
        row = connection.execute(
            "SELECT value FROM facts WHERE name = ?", (name,)
        ).fetchone()
        # A time far ahead is of a clock that was set back: it would hold for ever.
        if row is not None and now < row[0] <= now + 2 * (until - now):
            return False
        connection.execute(
            "INSERT INTO facts (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, until),
        )
    return True
