"""What the ledger tells of sessions, for a bill to be compared with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.money import Cost
from bytebuddy_provider_hf.storage.attempt import Attempt, Payer
from bytebuddy_provider_hf.storage.ledger import Ledger
from bytebuddy_provider_hf.storage.session_usage import (
    SessionUsage,
    read_session_usage,
)

NOON = 1_795_176_000.0
PAYER = Payer("ab12", "", "https://router.huggingface.co", "org/name")
PRICED = Cost(estimated=1_000, is_ceiling=True, reported=900, is_pending=True)


def attempt(
    session: str = "s", *, at: float = NOON, status: int | None = 200
) -> Attempt:
    return Attempt(
        PAYER,
        "chat",
        at,
        session,
        outcome="complete",
        status=status,
        provider="groq",
        cost=PRICED,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path, clock=lambda: NOON)
    yield made
    made.close()


def write(ledger: Ledger, *attempts: Attempt) -> None:
    for each in attempts:
        ledger.record(each)
    # What was recorded is on disk once it is closed.
    ledger.close()


def read(folder: Path, *, young_since: float = NOON + 1) -> tuple[SessionUsage, ...]:
    return read_session_usage(
        folder, since=NOON - 100, until=NOON + 100, young_since=young_since
    )


def test_attempts_are_summed_by_session_and_reason(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Amounts, ceilings, cut ones; those without an estimate on their own."""
    cut = attempt()
    cut.outcome, cut.cost = "cut", Cost(unpriced="answer cut")
    write(ledger, attempt(), attempt(), cut, attempt("other"))
    other, priced, unpriced = read(tmp_path)
    assert (other.session, other.answered) == ("other", 1)
    assert (priced.answered, priced.estimated, priced.reported) == (2, 2_000, 1_800)
    assert (priced.ceilings, priced.cut, priced.unpriced) == (2, 0, "")
    assert (unpriced.answered, unpriced.estimated, unpriced.cut) == (1, None, 1)
    assert unpriced.unpriced == "answer cut"
    assert (other.identity, other.provider) == ("ab12", "groq")


def test_what_cannot_cost_is_left_out(ledger: Ledger, tmp_path: Path) -> None:
    """Errors and probes; what nobody saw the end of may cost."""
    probe = evolve(attempt(), role="probe")
    write(ledger, attempt(status=429), attempt(status=500), probe, attempt(status=None))
    (found,) = read(tmp_path)
    assert (found.answered, found.unseen) == (0, 1)


def test_the_time_is_the_attempts_own(ledger: Ledger, tmp_path: Path) -> None:
    """From the first second on, not to the last; the young ones are counted."""
    times = (NOON - 101, NOON - 100, NOON, NOON + 99, NOON + 100)
    write(ledger, *(attempt(at=at) for at in times))
    (found,) = read(tmp_path, young_since=NOON)
    assert (found.answered, found.young) == (3, 2)


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    """And none is made."""
    assert read(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", [99, None])
def test_a_file_that_cannot_be_read_is_told_and_left(
    version: int | None,
    ledger: Ledger,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of a newer version, or damaged: nothing is told of it, and it stays."""
    write(ledger, attempt())
    path = tmp_path / USAGE.name
    if version is None:
        path.write_bytes(b"this is no database, and of some length" * 99)
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version={version}")
    before = path.read_bytes()
    assert read(tmp_path) == ()
    assert path.read_bytes() == before
    assert str(path) in caplog.text
