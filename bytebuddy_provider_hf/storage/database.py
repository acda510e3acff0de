"""Open the usage file: SQLite, private, set aside when it is damaged.

The file is made with its tables in one transaction. Attempts are kept as JSON arrays,
a row for each batch of one day and key: writing one takes a third of the time that a
row of its own takes. The view ``each_attempt`` shows them one by one.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from bytebuddy_provider_hf.config.disks import disk_of
from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.files import make_folder
from bytebuddy_provider_hf.config.stored_files import USAGE, USAGE_COUNTS, USAGE_DAMAGED
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.storage.shared_database import (
    SQLITE_ERRORS,
    NewerDatabase,
    Stamp,
    is_damage,
    is_network,
    open_database,
    open_readable,
    set_aside,
    stamp_of,
)
from bytebuddy_provider_hf.texts import LocalizedText, text

_log: Final = logging.getLogger(__name__)

# Days are numbered from 1970, in UTC.
DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()
# Seconds for which something is done at the most.
_LONGEST_CLAIM: Final = 2 * DAY
SCHEMA: Final = """
CREATE TABLE keys (
    id INTEGER PRIMARY KEY, identity TEXT NOT NULL, bill_to TEXT NOT NULL,
    origin TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
    role TEXT NOT NULL
);
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY, day INTEGER NOT NULL, key INTEGER NOT NULL,
    attempts INTEGER NOT NULL, rows TEXT NOT NULL
);
CREATE TABLE days (
    day INTEGER, key INTEGER, attempts INTEGER NOT NULL, calls INTEGER NOT NULL,
    failed INTEGER NOT NULL, absorbed INTEGER NOT NULL, cut INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    tokens_unknown INTEGER NOT NULL, seconds REAL NOT NULL, waited REAL NOT NULL,
    estimated INTEGER NOT NULL, priced INTEGER NOT NULL, ceilings INTEGER NOT NULL,
    reported INTEGER NOT NULL, reports INTEGER NOT NULL,
    billed INTEGER NOT NULL DEFAULT 0, bills INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, key)
) WITHOUT ROWID;
CREATE TABLE unpriced (
    day INTEGER, key INTEGER, reason TEXT, attempts INTEGER NOT NULL,
    PRIMARY KEY (day, key, reason)
) WITHOUT ROWID;
CREATE TABLE blocks (
    process TEXT PRIMARY KEY, day INTEGER NOT NULL, granted INTEGER NOT NULL,
    recorded INTEGER NOT NULL, place INTEGER
) WITHOUT ROWID;
CREATE TABLE budgets (
    name TEXT, unit TEXT, period TEXT, starts INTEGER, ends INTEGER NOT NULL,
    assumed INTEGER NOT NULL, hard INTEGER NOT NULL, amount INTEGER NOT NULL,
    raised INTEGER NOT NULL DEFAULT 0, used INTEGER NOT NULL DEFAULT 0,
    reserved INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (name, unit, period, starts)
) WITHOUT ROWID;
CREATE TABLE bills (
    session TEXT, bill_to TEXT, starts REAL, ends REAL NOT NULL,
    cost INTEGER NOT NULL, requests INTEGER NOT NULL, read_at REAL NOT NULL,
    is_whole INTEGER NOT NULL, day INTEGER, key INTEGER,
    PRIMARY KEY (session, bill_to, starts)
) WITHOUT ROWID;
CREATE TABLE bill_periods (
    bill_to TEXT, identity TEXT, starts REAL, ends REAL NOT NULL,
    used INTEGER NOT NULL, included INTEGER NOT NULL, most INTEGER,
    requests INTEGER NOT NULL, read_at REAL NOT NULL,
    PRIMARY KEY (bill_to, identity, starts)
) WITHOUT ROWID;
CREATE TABLE facts (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
CREATE VIEW each_attempt AS SELECT
    date(attempts.day * 86400, 'unixepoch') AS day, keys.identity, keys.bill_to,
    keys.origin, keys.model, keys.provider, keys.role,
    json_extract(each.value, '$[0]') AS at, json_extract(each.value, '$[1]') AS session,
    json_extract(each.value, '$[2]') AS number,
    json_extract(each.value, '$[3]') AS waited,
    json_extract(each.value, '$[4]') AS seconds,
    json_extract(each.value, '$[5]') AS outcome,
    json_extract(each.value, '$[6]') AS status,
    json_extract(each.value, '$[7]') AS failure,
    json_extract(each.value, '$[8]') AS prompt_tokens,
    json_extract(each.value, '$[9]') AS cached_tokens,
    json_extract(each.value, '$[10]') AS completion_tokens,
    json_extract(each.value, '$[11]') AS reasoning_tokens,
    json_extract(each.value, '$[12]') AS estimated,
    json_extract(each.value, '$[13]') AS priced_on,
    json_extract(each.value, '$[14]') AS reported,
    json_extract(each.value, '$[15]') AS is_ceiling,
    json_extract(each.value, '$[16]') AS is_pending,
    json_extract(each.value, '$[17]') AS unpriced
FROM attempts JOIN keys ON keys.id = attempts.key, json_each(attempts.rows) AS each
"""


# What reading or writing the file raises: also for a text or a value that is none.
FILE_ERRORS: Final = (*SQLITE_ERRORS, TypeError)


class OpenedFile(NamedTuple):
    """A connection to the usage file, which file that was, and on what kind of disk."""

    connection: sqlite3.Connection
    stamp: Stamp
    disk: str


# What was told of which file: each is told once by a process.
_told: Final[set[tuple[str, str]]] = set()


def warn_once(said: LocalizedText) -> None:
    """Log a warning about a file unless this process has done so before."""
    key = (said.id, said.facts["path"])
    if key not in _told:
        _told.add(key)
        _log.warning("%s", said)


def open_file(folder: Path) -> OpenedFile:
    """Open the usage file of ``folder``, made if it is missing.

    A damaged one is set aside, with a warning, and a new one begun. Raises
    ``NewerDatabase``, ``OSError`` or one of ``FILE_ERRORS`` for what cannot be used.
    """
    stamp = stamp_of(folder / USAGE.name)
    try:
        return _open(folder)
    except FILE_ERRORS as error:
        if not is_damage(error):
            raise
        set_damaged_aside(folder, stamp=stamp)
        return _open(folder)


def open_memory() -> sqlite3.Connection:
    """Return an empty database in memory, for where no file can be used."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    return connection


def open_to_read(folder: Path, *, quiet: bool = False) -> sqlite3.Connection | None:
    """Open the usage file of ``folder`` to read it, ``None`` where there is none.

    ``quiet`` is for :func:`open_readable`.

    Raises ``NewerDatabase``, ``PermissionError`` for one that others can change, or one
    of ``FILE_ERRORS``.
    """
    path = folder / USAGE.name
    if not path.is_file():
        return None
    check_exposed(path)
    return open_readable(path, USAGE.version, quiet=quiet)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Begin to write now, and commit at the end of the block, or undo all of it."""
    # A transaction that begins as a reader could not wait for a writer's end.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended it already.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def using(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the usage file for a block. Raises ``ConfigError`` where it cannot be."""
    path = folder / USAGE.name
    try:
        connection = open_file(folder).connection
        with contextlib.closing(connection):
            yield connection
    except NewerDatabase as error:
        raise ConfigError(text("storage.newer", path=path)) from error
    except (OSError, *FILE_ERRORS) as error:
        said = text("storage.unwritable", path=path, reason=reason_of(error))
        raise ConfigError(said) from error


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the usage file for one transaction. Raises ``ConfigError``."""
    with using(folder) as connection, transaction(connection):
        yield connection


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
        if row is not None and now < row[0] <= now + _LONGEST_CLAIM:
            return False
        connection.execute(
            "INSERT INTO facts (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, until),
        )
    return True


def set_damaged_aside(folder: Path, *, stamp: Stamp | None) -> None:
    """Move a damaged usage file away, in place of the one moved before, and tell it.

    Only the file of ``stamp``: another process may have done it already. Raises
    ``OSError``.
    """
    path, kept = folder / USAGE.name, folder / USAGE_DAMAGED.name
    # Places in the file of counts are of rows of the damaged file.
    counts = folder / USAGE_COUNTS.name
    if set_aside(path, kept, stamp=stamp, beside=counts):
        warn_once(text("storage.set_aside", path=path, kept=kept))


def day_number(day: date) -> int:
    """Return the number of a day, counted from 1970."""
    return day.toordinal() - _EPOCH


def day_of(number: int) -> date:
    """Return the day of a number."""
    return date.fromordinal(number + _EPOCH)


def reason_of(error: BaseException) -> str:
    """Return why a file cannot be used, as the system says it."""
    return getattr(error, "strerror", None) or str(error)


def _open(folder: Path) -> OpenedFile:
    make_folder(folder)
    path, disk = folder / USAGE.name, disk_of(folder)
    if is_network(disk):
        warn_once(text("storage.network_disk", path=path, kind=disk))
    connection, stamp = open_database(
        path, SCHEMA.split(";"), version=USAGE.version, disk=disk, shrinks=True
    )
    return OpenedFile(connection, stamp, disk)
