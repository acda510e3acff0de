"""Keep values in a file of SQLite that processes share: checked, bounded, by use.

Keys are digests; the file has an HMAC of each by a salt of its own, so that nobody who
reads it can tell what was asked, or by whom. The values are the caller's.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

from attrs import frozen

from bytebuddy_provider_hf.config.exposure import chown_command
from bytebuddy_provider_hf.config.stored_files import ANSWERS, DAMAGED_ANSWERS
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.storage.shared_database import (
    SQLITE_ERRORS,
    NewerDatabase,
    is_damage,
    open_database,
    set_aside,
    stamp_of,
)
from bytebuddy_provider_hf.texts import LocalizedText, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")

# Seconds for which a process believes what it saw of the file. ``clear`` waits so long
# before it returns: then nobody gives an answer any more that it removed.
LEASE: Final = 1.0

# What a row costs beside its value, about.
_ROW: Final = 200
_DIGEST: Final = 16
_MEGABYTE: Final = 1_000_000
# Rows that one transaction drops: other processes write between two of them.
_AT_ONCE: Final = 256

_SCHEMA: Final = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value)",
    """CREATE TABLE answers (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, at REAL NOT NULL,
        used REAL NOT NULL, hits INTEGER NOT NULL, size INTEGER NOT NULL,
        digest BLOB NOT NULL, value BLOB NOT NULL)""",
    "CREATE INDEX answers_by_use ON answers (used)",
    # Sums are kept as rows come and go: to add up a million of them takes a second.
    """CREATE TRIGGER answers_added AFTER INSERT ON answers BEGIN
        UPDATE facts SET value = value + NEW.size WHERE name = 'size'; END""",
    """CREATE TRIGGER answers_changed AFTER UPDATE OF size ON answers BEGIN
        UPDATE facts SET value = value + NEW.size - OLD.size WHERE name = 'size';
        END""",
    """CREATE TRIGGER answers_dropped AFTER DELETE ON answers BEGIN
        UPDATE facts SET value = value - OLD.size WHERE name = 'size'; END""",
    """INSERT INTO facts VALUES
        ('salt', randomblob(32)), ('generation', 1), ('size', 0)""",
)


@frozen
class KeptValue:
    """A value, and when it was kept, in seconds of the Unix clock."""

    value: bytes
    at: float

    def is_young(self, now: float, max_age: float | None) -> bool:
        """Whether it is not older than ``max_age`` seconds.

        One of a time to come is not: the clock was set back, and it would hold for
        ever.
        """
        age = now - self.at
        return age >= 0 and (max_age is None or age <= max_age)


class DamagedValue(Exception):
    """A row is not what was written; it was dropped."""


@frozen
class CacheStats:
    """What is kept: how many values of how many bytes, and how often they were used.

    ``oldest`` and ``newest`` are seconds of the Unix clock, ``on_disk`` the bytes of
    the files.
    """

    entries: int = 0
    size: int = 0
    hits: int = 0
    oldest: float | None = None
    newest: float | None = None
    on_disk: int = 0


class AnswersFile:
    """Hold a connection to the file; for one thread at a time.

    Methods raise what ``shared_database.SQLITE_ERRORS`` names, and ``OSError``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        _refuse_foreign(path)
        # Members of a group could answer in a server's place as well.
        found = open_database(path, _SCHEMA, version=ANSWERS.version, strict=True)
        self._database, self.stamp = found
        try:
            self._salt = self._fact("salt", bytes)
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._database.close()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    @property
    def is_current(self) -> bool:
        """Whether the file is still the one that was opened."""
        return stamp_of(self._path) == self.stamp

    def generation(self) -> int:
        """Return a number that changes whenever values were cleared."""
        return self._fact("generation", int)

    def find(self, key: bytes) -> tuple[int, KeptValue | None]:
        """Return the generation, and the value of a key; both of one moment.

        Raises ``DamagedValue``.
        """
        # A snapshot: nobody can clear between the two.
        with self._transaction("BEGIN"):
            generation = self.generation()
            row = self._database.execute(
                "SELECT id, at, digest, value FROM answers WHERE key = ?",
                (self._hidden(key),),
            ).fetchone()
        if row is None:
            return generation, None
        number, at, digest, value = row
        if (
            not isinstance(value, bytes)
            or not isinstance(at, float)
            or digest != _digest(key, at, value)
        ):
            with self._transaction("BEGIN IMMEDIATE"):
                self._database.execute("DELETE FROM answers WHERE id = ?", (number,))
            raise DamagedValue
        return generation, KeptValue(value, at)

    def put(
        self,
        key: bytes,
        kept: KeptValue,
        *,
        limit: int,
        uses: Mapping[bytes, int] | None = None,
    ) -> None:
        """Keep a value, and drop those used longest ago down to ``limit`` bytes.

        ``uses`` counts how often values were given since the last call.
        """
        size = len(kept.value) + _ROW
        if size > limit:
            return
        with self._transaction("BEGIN IMMEDIATE"):
            self._database.execute(
                "INSERT INTO answers (key, at, used, hits, size, digest, value) "
                "VALUES (?, ?, ?, 0, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                "at = excluded.at, used = excluded.used, size = excluded.size, "
                "digest = excluded.digest, value = excluded.value",
                (
                    self._hidden(key),
                    kept.at,
                    kept.at,
                    size,
                    _digest(key, kept.at, kept.value),
                    kept.value,
                ),
            )
            self._note_uses(uses or {}, kept.at)
            over = self._drop_oldest(limit)
        while over:
            with self._transaction("BEGIN IMMEDIATE"):
                over = self._drop_oldest(limit)

    def note_uses(self, uses: Mapping[bytes, int], now: float) -> None:
        """Note how often values were given: those used last are dropped last."""
        if uses:
            with self._transaction("BEGIN IMMEDIATE"):
                self._note_uses(uses, now)

    def stats(self) -> CacheStats:
        """Return what is kept."""
        with self._transaction("BEGIN"):
            entries, size, hits, oldest, newest = self._database.execute(
                "SELECT count(*), total(size), total(hits), min(CAST(at AS REAL)), "
                "max(CAST(at AS REAL)) FROM answers"
            ).fetchone()
        used = sum(file.stat().st_size for file in _files(self._path) if file.exists())
        return CacheStats(entries, int(size), int(hits), oldest, newest, used)

    def clear(self, *, before: float | None) -> tuple[int, int]:
        """Drop what was kept ``before`` a time, or all; return how many, their bytes.

        What was dropped is overwritten, and the file made smaller where no other
        process is at work in it.
        """
        database = self._database
        database.execute("PRAGMA secure_delete=ON")
        where, values = ("", ()) if before is None else (" WHERE at < ?", (before,))
        with self._transaction("BEGIN IMMEDIATE"):
            entries, size = database.execute(
                f"SELECT count(*), total(size) FROM answers{where}",  # noqa: S608 - constants
                values,
            ).fetchone()
            database.execute(f"DELETE FROM answers{where}", values)  # noqa: S608 - constants
            database.execute(
                "UPDATE facts SET value = value + 1 WHERE name = 'generation'"
            )
        with suppress(sqlite3.OperationalError):  # another process writes
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return entries, int(size)

    def _fact(self, name: str, kind: type[_T]) -> _T:
        row = self._database.execute(
            "SELECT value FROM facts WHERE name = ?", (name,)
        ).fetchone()
        if row is None or not isinstance(row[0], kind):
            message = f"the fact {name!r} is not what was written"
            raise sqlite3.DatabaseError(message)
        return row[0]

    def _hidden(self, key: bytes) -> bytes:
        return hmac.digest(self._salt, key, "sha256")

    def _note_uses(self, uses: Mapping[bytes, int], now: float) -> None:
        self._database.executemany(
            "UPDATE answers SET used = ?, hits = hits + ? WHERE key = ?",
            [(now, count, self._hidden(key)) for key, count in uses.items()],
        )

    def _drop_oldest(self, limit: int) -> bool:
        """Drop some values where there are too many; return whether there still are."""
        over = self._fact("size", int) - limit
        if over <= 0:
            return False
        dropped = []
        for number, size in self._database.execute(
            # A number, whatever a damaged row has there.
            "SELECT id, CAST(size AS INTEGER) FROM answers ORDER BY used LIMIT ?",
            (_AT_ONCE,),
        ):
            dropped.append((number,))
            over -= size
            if over <= 0:
                break
        self._database.executemany("DELETE FROM answers WHERE id = ?", dropped)
        return over > 0 and bool(dropped)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._database.execute(begin)
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # SQLite may have ended it itself, where the disk is full.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise


def read_stats(folder: Path) -> CacheStats:
    """Return what is kept in ``folder``; no file is made. Raises ``ConfigError``."""
    path = folder / ANSWERS.name
    if not path.exists():
        return CacheStats()
    with _failures_of(path), AnswersFile(path) as file:
        return file.stats()


def clear_answers(
    folder: Path,
    *,
    older_than: float | None = None,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[int, int]:
    """Drop the values older than so many seconds, or all; return how many, their bytes.

    When it returns, no process gives them any more. A damaged file goes whole. Raises
    ``ConfigError``.
    """
    path, damaged = folder / ANSWERS.name, folder / DAMAGED_ANSWERS.name
    if not (path.exists() or damaged.exists()):
        return 0, 0
    before = None if older_than is None else now() - older_than
    dropped = 0, 0
    with _failures_of(path):
        stamp = stamp_of(path)
        try:
            if stamp is not None:
                with AnswersFile(path) as file:
                    dropped = file.clear(before=before)
        except SQLITE_ERRORS as error:
            if not is_damage(error):
                raise
            set_aside(path, damaged, stamp=stamp)
        damaged.unlink(missing_ok=True)
    sleep(LEASE)
    return dropped


def size_text(count: int) -> LocalizedText:
    """Return so many bytes as people say it."""
    if 0 < count < _MEGABYTE // 10:
        return text("cache.size_small", count=f"{-(-count // 1_000)}")
    return text("cache.size", count=f"{count / _MEGABYTE:,.1f}")


def _refuse_foreign(path: Path) -> None:
    """Raise ``PermissionError`` for a file that somebody else made.

    Whoever can write it can answer in a server's place; and what root writes into a
    user's file, the user cannot write any more.
    """
    mine = getattr(os, "geteuid", lambda: None)()  # Windows has none
    if mine is None or not path.exists():
        return
    if path.stat().st_uid != mine:
        said = text("cache.foreign", command=chown_command(path))
        raise PermissionError(errno.EPERM, said)


@contextmanager
def _failures_of(path: Path) -> Iterator[None]:
    """Tell people what is wrong with the file."""
    try:
        yield
    except NewerDatabase as error:
        raise ConfigError(text("cache.newer_file", path=path)) from error
    except SQLITE_ERRORS as error:
        if is_damage(error):
            raise ConfigError(
                text("cache.damaged", path=path), hint=text("cache.damaged_hint")
            ) from error
        raise ConfigError(text("cache.busy", path=path, reason=error)) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(text("cache.busy", path=path, reason=reason)) from error


def _files(path: Path) -> Iterable[Path]:
    return [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]


def _digest(key: bytes, at: float, value: bytes) -> bytes:
    found = hashlib.blake2b(key, digest_size=_DIGEST)
    found.update(repr(at).encode())
    found.update(value)
    return found.digest()
