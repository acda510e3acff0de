"""Attempts for the tests of the ledger, and what its file says."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.money import Cost
from bytebuddy_provider_hf.storage.attempt import Attempt, Payer
from bytebuddy_provider_hf.storage.usage_report import (
    Dimension,
    UsageReport,
    read_usage,
)
from bytebuddy_provider_hf.types import Usage

PAYER = Payer("0123456789abcdef", "", "https://router.huggingface.co", "a/b")
EACH = 32_800


def attempt(at: float | None = None, *, session: str = "s") -> Attempt:
    """Return an attempt that was answered: 28 and 100 tokens, 32,800 nano-USD."""
    return Attempt(
        PAYER,
        "chat",
        time.time() if at is None else at,
        session=session,
        seconds=0.25,
        outcome="complete",
        status=200,
        provider="groq",
        usage=Usage(28, 100, 128),
        cost=Cost(estimated=EACH, priced_on="2026-11-30", is_pending=True),
    )


def today() -> date:
    return datetime.now(UTC).date()


def usage(
    folder: Path,
    *,
    by: Dimension = "model",
    since: date | None = None,
    until: date | None = None,
    now: float | None = None,
) -> UsageReport:
    """Return the report of today, and of yesterday for a test at midnight."""
    return read_usage(
        folder,
        since=since or today() - timedelta(days=1),
        until=until or today(),
        by=by,
        now=now,
    )


def rows_of(folder: Path) -> list[dict[str, object]]:
    """Return the attempts one by one, by the view that people may use."""
    with closing(sqlite3.connect(folder / USAGE.name)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM each_attempt")]
