"""Open the usage file: SQLite, private, set aside when it is damaged.

The file is made with its tables in one transaction. Attempts are kept as JSON arrays,
a row for each batch of one day and key: writing one takes a third of the time that a
row of its own takes. The view ``each_attempt`` shows them one by one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from bytebuddy_provider_hf.config.files import make_folder, replace, sole_writer
from bytebuddy_provider_hf.config.stored_files import USAGE, USAGE_COUNTS, USAGE_DAMAGED
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.texts import LocalizedText, text

_log: Final = logging.getLogger(__name__)

# Days are numbered from 1970, in UTC.
DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()
# Seconds for which something is done at the most.
_LONGEST_CLAIM: Final = 2 * DAY
# Seconds to wait for another process's transaction.
BUSY: Final = 5.0
# Changing the mode of the journal does not wait by itself.
_TRIES: Final = 50
_REST: Final = 0.02
# File systems of one machine, on which processes can share memory, as WAL needs it
# (https://sqlite.org/wal.html): any other one is taken for a network disk.
_LOCAL: Final = re.compile(
    "apfs|bcachefs|btrfs|exfat|ext[234]|f2fs|fuseblk|hfsplus|jfs|msdos|nilfs2|ntfs3?"
    "|overlay|ramfs|reiserfs|tmpfs|ubifs|ufs|vfat|xfs|zfs"
)
_MOUNTS: Final = Path("/proc/self/mountinfo")
# Where a line of it names the place of a mount, in which blanks and the like are octal
# numbers (proc(5)).
_POINT: Final = 4
_OCTAL: Final = re.compile(r"\\([0-7]{3})")

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


class NewerFormat(Exception):
    """The file was written by a newer version of this package, and stays as it is."""


# What reading or writing the file raises: also for a text or a value that is none.
FILE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError, TypeError)


class OpenedFile(NamedTuple):
    """A connection to the usage file, which file that was, and on what kind of disk."""

    connection: sqlite3.Connection
    stamp: tuple[int, int]
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
    ``NewerFormat``, ``OSError`` or one of ``FILE_ERRORS`` for what cannot be used.
    """
    stamp = stamp_of(folder)
    try:
        return _open(folder)
    except FILE_ERRORS as error:
        if not is_damage(error):
            raise
        set_aside(folder, stamp=stamp)
        return _open(folder)


def open_memory() -> sqlite3.Connection:
    """Return an empty database in memory, for where no file can be used."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    return connection


def open_to_read(folder: Path) -> sqlite3.Connection | None:
    """Open the usage file of ``folder`` to read it, ``None`` where there is none.

    Raises ``NewerFormat`` or one of ``FILE_ERRORS``.
    """
    path = folder / USAGE.name
    if not path.is_file():
        return None
    address = path.resolve().as_uri()
    try:
        connection = _readable(f"{address}?mode=ro")
    except sqlite3.OperationalError:
        # Beside a file in a folder that is read-only no index of its log can be made.
        if os.access(folder, os.W_OK):
            raise
        connection = _readable(f"{address}?mode=ro&immutable=1")
    return connection


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
    except NewerFormat as error:
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


def set_aside(folder: Path, *, stamp: tuple[int, int] | None) -> None:
    """Move a damaged file away, in place of the one moved before, and tell it.

    Only the file of ``stamp``: another process may have done it already. Raises
    ``OSError``.
    """
    path, kept = folder / USAGE.name, folder / USAGE_DAMAGED.name
    with sole_writer(path):
        if stamp is None or stamp_of(folder) != stamp:
            return
        path.replace(kept)
        for end in ("-wal", "-shm"):
            beside = path.with_name(path.name + end)
            if end == "-wal" and beside.exists():
                beside.replace(kept.with_name(kept.name + end))
            beside.unlink(missing_ok=True)
        # Places in it are of rows of the damaged file.
        (folder / USAGE_COUNTS.name).unlink(missing_ok=True)
    warn_once(text("storage.set_aside", path=path, kept=kept))


def day_number(day: date) -> int:
    """Return the number of a day, counted from 1970."""
    return day.toordinal() - _EPOCH


def day_of(number: int) -> date:
    """Return the day of a number."""
    return date.fromordinal(number + _EPOCH)


def stamp_of(folder: Path) -> tuple[int, int] | None:
    """Return which file the usage file is now: it may have been replaced."""
    try:
        found = os.stat(folder / USAGE.name)  # noqa: PTH116 - before each transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_damage(error: Exception) -> bool:
    """Whether an error tells of a damaged file, and not of a full disk or a lock."""
    if isinstance(error, sqlite3.InterfaceError | sqlite3.ProgrammingError):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    # Without a code: what was read is no text or number. The last ones are of tables
    # or values that this package would never write.
    return code is None or code & 0xFF in {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
    }


def is_busy(error: Exception) -> bool:
    """Whether another process holds the file."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def reason_of(error: BaseException) -> str:
    """Return why a file cannot be used, as the system says it."""
    return getattr(error, "strerror", None) or str(error)


def disk_of(folder: Path, mounts: str) -> str:
    """Return the kind of file system of ``folder``, "" where it cannot be told.

    ``mounts`` is the text of ``/proc/self/mountinfo``, which only Linux has.
    """
    path = folder.resolve()
    if path.drive.startswith("\\\\"):
        return "UNC"
    found, longest = "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        columns = before.split(" ")
        if len(columns) <= _POINT or not after:
            continue
        point = _OCTAL.sub(lambda number: chr(int(number[1], 8)), columns[_POINT])
        # A later mount on the same place hides the earlier one.
        if len(point) >= longest and path.is_relative_to(point):
            found, longest = after.split(" ")[0], len(point)
    return found


def is_network(disk: str) -> bool:
    """Whether a kind of file system is none of this machine, or not known to be."""
    return bool(disk) and not _LOCAL.fullmatch(disk)


def _open(folder: Path) -> OpenedFile:
    path = folder / USAGE.name
    make_folder(folder)
    if not path.exists():
        # Never by opening it here: closing it would drop the locks that another
        # connection of this process holds (https://sqlite.org/howtocorrupt.html 2.2).
        with contextlib.suppress(FileExistsError):
            replace(path, b"", exclusive=True)
    try:
        mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        mounts = ""
    disk = disk_of(folder, mounts)
    if is_network(disk):
        warn_once(text("storage.network_disk", path=path, kind=disk))
    while True:
        stamp = stamp_of(folder)
        connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
        try:
            _prepare(connection, folder, disk)
        except BaseException:
            connection.close()
            raise
        # Else another process has set the file aside meanwhile.
        if stamp is not None and stamp == stamp_of(folder):
            return OpenedFile(connection, stamp, disk)
        connection.close()


def _prepare(connection: sqlite3.Connection, folder: Path, disk: str) -> None:
    version = _version(connection)
    journal = "DELETE" if is_network(disk) else "WAL"
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA journal_size_limit=4194304")
    if version:
        _set_journal(connection, journal)
        return
    with sole_writer(folder / USAGE.name):
        if _version(connection):
            return
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            message = "the file is another program's"  # so says user_version
            raise sqlite3.DatabaseError(message)
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        _set_journal(connection, journal)
        connection.executescript(
            f"BEGIN IMMEDIATE;{SCHEMA};PRAGMA user_version={USAGE.version};COMMIT"
        )


def _set_journal(connection: sqlite3.Connection, mode: str) -> None:
    for left in reversed(range(_TRIES)):
        try:
            connection.execute(f"PRAGMA journal_mode={mode}")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or not left:
                raise
            time.sleep(_REST)
        else:
            return


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > USAGE.version:
        raise NewerFormat
    if version < 0:
        message = "no version of this package has a negative number"
        raise sqlite3.DatabaseError(message)
    return version


def _readable(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=BUSY, isolation_level=None)
    try:
        _version(connection)
    except BaseException:
        connection.close()
        raise
    return connection
