"""Count requests before they are sent, so that a program that is killed loses none.

A process has a row in the table ``blocks``: up to ``granted`` requests may have been
sent, ``recorded`` are kept as attempts. Callers take counts in blocks of 64, and how
many are taken stands in a small file, which each process maps into its memory: what is
written there outlives the process, and writing it takes no call of the system. Where
there is no such file, no more than a block is granted, so that the row tells enough.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import sqlite3
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.files import FILE_MODE
from bytebuddy_provider_hf.config.stored_files import USAGE_COUNTS
from bytebuddy_provider_hf.regular_file import read_regular_file

# Requests that a process may have counted without sending them: a crash counts so many
# too much.
BLOCK: Final = 64
# When so few are left of a block that is all that is granted, another is asked for.
_LOW: Final = 8
# What is granted where the small file tells how many are taken, and when more is.
_AHEAD: Final = 8_192
_LOW_GRANT: Final = _AHEAD // 4

_NUMBER: Final = struct.Struct("<Q")
_PAGE: Final = mmap.ALLOCATIONGRANULARITY
# Disks on which a page that is there can be written even when they are full: on others
# that would kill the process (SIGBUS).
_SAFE_DISKS: Final = re.compile("ext[234]|overlay|tmpfs|xfs")

Buffer: TypeAlias = mmap.mmap | bytearray


class RequestCounter:
    """Hand out the counts of one process; ``ask_for_more`` is called when few are left.

    Callers of any thread take them; one thread, which writes the row, grants more.
    """

    def __init__(self, ask_for_more: Callable[[], object]) -> None:
        self._ask_for_more = ask_for_more
        self._lock = threading.Lock()
        # Counts that are taken of the grant, and by no call yet.
        self._ahead: deque[None] = deque()
        self._low = _LOW
        self._taken = 0
        self._buffer: Buffer = bytearray(_NUMBER.size)
        self._at = 0
        self.granted = 0
        self.recorded = 0

    def try_take(self) -> bool:
        """Take a count, if one is granted."""
        ahead = self._ahead
        while True:
            try:
                ahead.pop()
            except IndexError:
                with self._lock:
                    size = min(BLOCK, self.granted - self._taken)
                    if size <= 0 and not ahead:
                        return False
                    # Before anything of it is sent.
                    self._set_taken(self._taken + max(size, 0))
                    ahead.extend([None] * size)
                if self._low < 0 and self.is_low():
                    self._ask_for_more()
                # Another thread may have been faster.
                continue
            if len(ahead) == self._low:
                self._ask_for_more()
            return True

    def give_back(self) -> None:
        """Return a count that was taken."""
        self._ahead.append(None)

    def use_buffer(self, buffer: Buffer, at: int = 0, *, tells: bool) -> None:
        """Write into ``buffer`` from now on how many counts are taken.

        Unless it ``tells`` it to others, only one block is granted at a time.
        """
        with self._lock:
            _NUMBER.pack_into(buffer, at, self._taken)
            self._buffer, self._at = buffer, at
            self._low = -1 if tells else _LOW
            if not tells:
                self.granted = self._taken

    def leave_buffer(self) -> None:
        """Write into no file any more; it keeps what it says."""
        self.use_buffer(bytearray(_NUMBER.size), tells=False)

    def next_grant(self, asked: int) -> int:
        """Return up to which count the row is to grant, at least ``asked`` more."""
        taken = self._taken
        if self._low < 0:
            return max(self.granted, taken + asked + _AHEAD)
        return max(self.granted, taken + asked, taken - len(self._ahead) + BLOCK)

    def is_low(self) -> bool:
        """Whether more is to be granted before anybody waits for it."""
        left = self.granted - self._taken
        return left < _LOW_GRANT if self._low < 0 else left + len(self._ahead) <= _LOW

    def next_recorded(self, attempts: int) -> int:
        """Return how many counts are recorded with so many attempts more."""
        return min(self.recorded + attempts, self._taken)

    def grant(self, granted: int, recorded: int, *, asked: int = 0) -> None:
        """Set what the row says now; ``asked`` counts are taken for those who wait."""
        with self._lock:
            self.granted, self.recorded = granted, recorded
            self._set_taken(self._taken + asked)

    def return_rest(self) -> None:
        """Give up what no call has taken: what is granted is under way, or recorded."""
        with self._lock:
            rest = 0
            with contextlib.suppress(IndexError):
                while True:
                    self._ahead.pop()
                    rest += 1
            self._set_taken(max(self._taken - rest, self.recorded))
            self.granted = self._taken

    def _set_taken(self, taken: int) -> None:
        self._taken = taken
        _NUMBER.pack_into(self._buffer, self._at, taken)


class BlockRow:
    """The row of one process in ``blocks``, and its place in the file of counts."""

    def __init__(self, folder: Path, process: str, counter: RequestCounter) -> None:
        self._folder = folder
        self._process = process
        self._counter = counter
        self._place: int | None = None
        self._written: tuple[int, int, int] | None = None

    def claim(self, connection: sqlite3.Connection, disk: str) -> None:
        """Take a place in the file of counts, if there can be one, in a transaction.

        ``disk`` is the kind of file system, or "memory": then what is taken still
        stands in the place of a row that can no longer be written.
        """
        self._written = None
        if disk == "memory" and self._place is not None:
            return
        self._place = None
        buffer: Buffer = bytearray(_NUMBER.size)
        at = 0
        if _SAFE_DISKS.fullmatch(disk):
            found = connection.execute("SELECT place FROM blocks WHERE place NOTNULL")
            used = {place for (place,) in found}
            place = next(each for each in range(len(used) + 1) if each not in used)
            # On a full disk, or where there are too many, the row is enough.
            with contextlib.suppress(OSError, ValueError):
                buffer, at = map_place(self._folder, place)
                self._place = place
        tells = self._place is not None or disk == "memory"
        self._counter.use_buffer(buffer, at, tells=tells)

    def put(
        self, connection: sqlite3.Connection, *, day: int, granted: int, recorded: int
    ) -> None:
        """Write what is granted and recorded, or remove a row where nothing is open."""
        if granted == recorded:
            connection.execute("DELETE FROM blocks WHERE process = ?", (self._process,))
            self._written = None
        elif self._written != (day, granted, recorded):
            connection.execute(
                "INSERT INTO blocks VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (process) DO UPDATE SET day = excluded.day,"
                " granted = excluded.granted, recorded = excluded.recorded,"
                " place = excluded.place",
                (self._process, day, granted, recorded, self._place),
            )
            self._written = (day, granted, recorded)


def read_counts(folder: Path) -> bytes:
    """Return the content of the file of counts, empty where there is none."""
    try:
        check_exposed(folder / USAGE_COUNTS.name)
        return read_regular_file(folder / USAGE_COUNTS.name, USAGE_COUNTS.most)
    except OSError:
        return b""


def unaccounted(
    rows: Iterable[tuple[int, int, int | None]], counts: bytes
) -> list[int]:
    """Return for rows of ``blocks`` how many requests may have been sent unrecorded.

    A row is what is granted, what is recorded, and its place in the file of counts.
    """
    found = []
    for granted, recorded, place in rows:
        taken = granted
        if place is not None and len(counts) >= (place + 1) * _NUMBER.size:
            (taken,) = _NUMBER.unpack_from(counts, place * _NUMBER.size)
        # A place that says what cannot be was written by nobody, or by another.
        found.append((taken if recorded <= taken <= granted else granted) - recorded)
    return found


def map_place(folder: Path, place: int) -> tuple[mmap.mmap, int]:
    """Map the page of a place into memory, and return where in it the place is."""
    at = place * _NUMBER.size
    start = at // _PAGE * _PAGE
    if start + _PAGE > USAGE_COUNTS.most:
        message = "all places are taken"
        raise ValueError(message)
    check_exposed(folder / USAGE_COUNTS.name)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    file = os.open(folder / USAGE_COUNTS.name, flags, FILE_MODE)
    try:
        missing = start + _PAGE - os.fstat(file).st_size
        # Written, for a hole would need room on the disk when it is written to.
        if (
            missing > 0
            and os.pwrite(file, bytes(missing), start + _PAGE - missing) != missing
        ):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return mmap.mmap(file, _PAGE, offset=start), at - start
    finally:
        os.close(file)
