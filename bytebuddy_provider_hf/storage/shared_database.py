"""Open SQLite files that processes share, private to the user, set aside when damaged.

https://sqlite.org/wal.html: a write-ahead log needs memory that processes share, which
network file systems do not have; there the old journal is used.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.config.disks import disk_of
from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.files import make_folder, replace, sole_writer

# Seconds to wait for the transactions of other processes.
BUSY_SECONDS: Final = 5.0
# Changing the mode of the journal does not wait by itself.
_TRIES: Final = 250
_REST: Final = 0.02
_JOURNAL_BYTES: Final = 4 * 1024 * 1024
# File systems of one machine: any other one is taken for a network disk.
_LOCAL: Final = re.compile(
    "apfs|bcachefs|btrfs|exfat|ext[234]|f2fs|fuseblk|hfsplus|jfs|msdos|nilfs2|ntfs3?|"
    "overlay|ramfs|reiserfs|tmpfs|ubifs|ufs|vfat|xfs|zfs"
)

# What SQLite raises. Python makes a text of its messages, and fails where bytes of a
# damaged file stand in them.
SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)

# Which file a path leads to: its device and its number there.
Stamp = tuple[int, int]


class NewerDatabase(Exception):
    """A newer version of this package wrote the file: it stays as it is."""


def open_database(
    path: Path,
    schema: Sequence[str],
    *,
    version: int,
    disk: str | None = None,
    shrinks: bool = False,
    strict: bool = False,
) -> tuple[sqlite3.Connection, Stamp]:
    """Return a connection to a file of this ``version``, and which file that is.

    One that is missing is made; one that ``shrinks`` can give free pages back. ``disk``
    is the kind of file system, as :func:`disk_of` tells it. Transactions are the
    caller's: none is begun unasked. Raises ``NewerDatabase``, ``OSError``, also for one
    that others can change, members of its group too where that is ``strict``, and one
    of ``SQLITE_ERRORS`` for a file that is damaged, or of an older version.
    """
    make_folder(path.parent)
    for each in (path, *_beside(path)):
        check_exposed(each, strict=strict)
    disk = disk_of(path.parent) if disk is None else disk
    while True:
        if not path.exists():
            # Never by opening it here: closing it would drop the locks of another
            # connection of this process (https://sqlite.org/howtocorrupt.html, 2.2).
            with contextlib.suppress(FileExistsError):
                replace(path, b"", exclusive=True)
        stamp = stamp_of(path)
        # Its owner may close it at the end of the process, in another thread.
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            if version_of(connection, version) != version:
                with sole_writer(path):
                    _make(connection, schema, version, disk=disk, shrinks=shrinks)
            else:
                _set_journal(connection, disk)
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA journal_size_limit={_JOURNAL_BYTES}")
        except BaseException:
            connection.close()
            raise
        # Else another process has set the file aside meanwhile.
        if stamp is not None and stamp == stamp_of(path):
            return connection, stamp
        connection.close()


def open_readable(
    path: Path, version: int, *, quiet: bool = False
) -> sqlite3.Connection:
    """Open a file of SQLite, of at most ``version``, to read it.

    ``quiet`` makes no file beside it where no program has it open; what one that opens
    it meanwhile writes may then look like damage. Raises ``NewerDatabase``, or one of
    ``SQLITE_ERRORS``.
    """
    address = path.resolve().as_uri()
    # Locks are kept in such a file, and what is not in the database yet.
    settled = quiet and not _is_open(path)
    immutable = "&immutable=1"
    try:
        return _readable(f"{address}?mode=ro{immutable * settled}", version)
    except sqlite3.OperationalError:
        # Beside a file in a folder that is read-only no index of its log can be made.
        if os.access(path.parent, os.W_OK):
            raise
        return _readable(f"{address}?mode=ro{immutable}", version)


def check_database(path: Path, version: int) -> None:
    """Raise what is wrong with a file, as :func:`open_readable`; nothing is written.

    Takes a second for 500 MB.
    """
    try:
        found = _verdict(open_readable(path, version, quiet=True))
    except SQLITE_ERRORS:
        # Perhaps another program has begun to write just now.
        if not _is_open(path):
            raise
        found = _verdict(open_readable(path, version))
    if found != "ok":
        # SQLite gives a text, and no error, for what is damaged inside.
        raise sqlite3.DatabaseError(found)


def _verdict(connection: sqlite3.Connection) -> str:
    with contextlib.closing(connection):
        return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])


def _is_open(path: Path) -> bool:
    """Whether a program has a file open, or one was killed that had."""
    return any(each.exists() for each in _beside(path))


def _readable(address: str, version: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    try:
        version_of(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def stamp_of(path: Path) -> Stamp | None:
    """Return which file a path leads to, ``None`` where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked often
    except OSError:
        return None
    return found.st_dev, found.st_ino


def set_aside(
    path: Path, kept: Path, *, stamp: Stamp | None, beside: Path | None = None
) -> bool:
    """Move a damaged file to ``kept``, in place of what is there.

    Only the file of ``stamp``: another process may have done it already. What stands
    ``beside`` it is removed. Returns whether it was done here; raises ``OSError``.
    """
    with sole_writer(path):
        if stamp is None or stamp_of(path) != stamp:
            return False
        path.replace(kept)
        for each in _beside(path)[:2]:
            each.unlink(missing_ok=True)
        if beside is not None:
            beside.unlink(missing_ok=True)
    return True


def is_damage(error: Exception) -> bool:
    """Whether an error tells of a damaged file, and not of a full disk or a lock."""
    # The last two are faults of ours.
    ours = sqlite3.InterfaceError | sqlite3.ProgrammingError
    if isinstance(error, OSError | ours):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    # Without a code: what was read is no text. The others are tables or values that
    # this package would never write.
    return code is None or code & 0xFF in {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_FORMAT,
    }


def is_busy(error: Exception) -> bool:
    """Whether other processes hold the file."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_network(disk: str) -> bool:
    """Whether a kind of file system is none of this machine, or not known to be."""
    return bool(disk) and not _LOCAL.fullmatch(disk)


def version_of(connection: sqlite3.Connection, known: int) -> int:
    """Return the version of a file; raises ``NewerDatabase`` above ``known``."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > known:
        raise NewerDatabase
    if found < 0:
        message = "no version of this package has a negative number"
        raise sqlite3.DatabaseError(message)
    return found


def _beside(path: Path) -> tuple[Path, ...]:
    """Return what SQLite writes beside a file, and believes as the file itself."""
    ends = ("-wal", "-shm", "-journal")
    return tuple(path.with_name(path.name + end) for end in ends)


def _make(
    connection: sqlite3.Connection,
    schema: Sequence[str],
    version: int,
    *,
    disk: str,
    shrinks: bool,
) -> None:
    """Make the tables of an empty file; the lock of its folder is held."""
    if version_of(connection, version) == version:
        return
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        message = "the file is another program's, or of an older version"
        raise sqlite3.DatabaseError(message)
    if shrinks:
        # Before the first table: it decides how pages are laid out.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    _set_journal(connection, disk)
    connection.execute("BEGIN IMMEDIATE")
    for statement in schema:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={version}")
    connection.execute("COMMIT")


def _set_journal(connection: sqlite3.Connection, disk: str) -> None:
    mode = "DELETE" if is_network(disk) else "WAL"
    for left in reversed(range(_TRIES)):
        try:
            connection.execute(f"PRAGMA journal_mode={mode}")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or not left:
                raise
            time.sleep(_REST)
        else:
            return
