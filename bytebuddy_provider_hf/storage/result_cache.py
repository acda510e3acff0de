"""Keep answers between calls: in memory for a moment, in a file for as long as it fits.

Memory is asked first, because a look into the file costs a visit to its thread. It is
believed for a second after such a visit saw that nobody has cleared the file; see
``answers_file.LEASE``. Nothing here fails a call: what goes wrong is told once, and the
answer is as one that was never kept.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from bytebuddy_provider_hf.config.stored_files import ANSWERS, DAMAGED_ANSWERS
from bytebuddy_provider_hf.storage.answers_file import (
    LEASE,
    AnswersFile,
    DamagedValue,
    KeptValue,
)
from bytebuddy_provider_hf.storage.shared_database import (
    SQLITE_ERRORS,
    NewerDatabase,
    Stamp,
    is_busy,
    is_damage,
    set_aside,
    stamp_of,
)
from bytebuddy_provider_hf.texts import LocalizedText, text

_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T")

# Bytes of values that a process has in memory, and that may wait to be written.
MOST_IN_MEMORY: Final = 16 * 1024 * 1024
MOST_WAITING: Final = 32 * 1024 * 1024
# What is noted of uses goes to the file with the next value, or when it is so many.
_MOST_USES: Final = 256
# Seconds after which a disk that was full is tried again.
_REST: Final = 60.0
# Damaged files that are put aside before the file is given up.
_MOST_DAMAGED: Final = 3


class ResultCache:
    """Keep values by key in one folder; no file or thread is made before the first.

    Any thread and any event loop may use it, and the child of a fork.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = folder / ANSWERS.name
        self.now = clock
        self._monotonic = monotonic
        self._has_told = False
        self._begin()

    def _begin(self) -> None:
        """Set what belongs to one process: a child cannot use its parent's."""
        self._pid = os.getpid()
        self._lock = Lock()
        # The value used last comes last.
        self._memory: dict[bytes, KeptValue] = {}
        self._size = 0
        self._trusted_until = -math.inf
        self._generation: int | None = None
        self._uses: dict[bytes, int] = {}
        self._waiting = 0
        self._thread: ThreadPoolExecutor | None = None
        self._file: AnswersFile | None = None
        # Held while the file is used: a thread may still close what the next one opens.
        self._file_lock = Lock()
        self._is_off = False
        self._damaged = 0
        self._writes_after = -math.inf

    def recall(self, key: bytes, *, max_age: float | None = None) -> KeptValue | None:
        """Return a value that is in memory and known to hold still."""
        if self._pid != os.getpid() or self._monotonic() >= self._trusted_until:
            return None
        with self._lock:
            return self._in_memory(key, max_age)

    async def find(
        self, key: bytes, *, max_age: float | None = None
    ) -> KeptValue | None:
        """Return a value that is not older than ``max_age`` seconds."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker(), self._find, key, max_age)

    def keep(
        self,
        key: bytes,
        kept: KeptValue,
        *,
        limit: int,
        allowed: Callable[[], bool] = lambda: True,
    ) -> None:
        """Keep a value, soon: nothing waits for it. ``limit`` bounds all, in bytes.

        ``allowed`` may refuse it; it is asked beside the event loop.
        """
        size = len(kept.value)
        worker = self._worker()
        with self._lock:
            if self._waiting + size > MOST_WAITING:
                return  # the disk is slower than the answers come
            self._waiting += size
            # What was kept before is not given any more.
            self._drop(key)
        worker.submit(self._keep, key, kept, limit, allowed)

    async def aclose(self) -> None:
        """Write what waits and close the file; it is opened again when it is needed."""
        thread = self._taken()
        if thread is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(thread, self._close_file)
            thread.shutdown(wait=False)

    def close(self) -> None:
        """Do the same as ``aclose``, and block meanwhile."""
        thread = self._taken()
        if thread is not None:
            # At the end of the process its threads have ended already.
            thread.shutdown(wait=True)
            self._close_file()

    def _worker(self) -> ThreadPoolExecutor:
        if self._pid != os.getpid():
            # Closing a connection of the parent's could drop its locks: it is leaked.
            self._leaked = self._file
            self._begin()
        with self._lock:
            if self._thread is None:
                # One: SQLite has one writer, and what is kept is found afterwards.
                self._thread = ThreadPoolExecutor(1, "bytebuddy-answers")
                atexit.register(self.close)
            return self._thread

    def _taken(self) -> ThreadPoolExecutor | None:
        if self._pid != os.getpid():
            return None
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                atexit.unregister(self.close)
            return thread

    def _in_memory(self, key: bytes, max_age: float | None) -> KeptValue | None:
        """Return a value in memory and note its use; the lock is held."""
        kept = self._memory.pop(key, None)
        if kept is None:
            return None
        self._memory[key] = kept
        if not kept.is_young(self.now(), max_age):
            return None
        self._uses[key] = self._uses.get(key, 0) + 1
        if len(self._uses) == _MOST_USES and self._thread is not None:
            self._thread.submit(self._note_uses)
        return kept

    def _remember(self, key: bytes, kept: KeptValue) -> None:
        """Have a value in memory; the lock is held."""
        self._drop(key)
        self._memory[key] = kept
        self._size += len(kept.value)
        while self._size > MOST_IN_MEMORY:
            self._drop(next(iter(self._memory)))

    def _drop(self, key: bytes) -> None:
        before = self._memory.pop(key, None)
        if before is not None:
            self._size -= len(before.value)

    def _find(self, key: bytes, max_age: float | None) -> KeptValue | None:
        """Look into the file, or only whether memory may still be believed."""
        since = self._monotonic()

        def look(file: AnswersFile) -> tuple[int, KeptValue | None]:
            generation = file.generation()
            if generation == self._generation and key in self._memory:
                return generation, None
            return file.find(key)

        looked = self._attempt(look)
        with self._lock:
            if looked is not None:
                generation, kept = looked
                if generation != self._generation:
                    self._memory.clear()
                    self._size, self._generation = 0, generation
                self._trusted_until = since + LEASE
                if kept is not None:
                    self._remember(key, kept)
            elif not self._is_off:
                return None
            return self._in_memory(key, max_age)

    def _keep(
        self, key: bytes, kept: KeptValue, limit: int, allowed: Callable[[], bool]
    ) -> None:
        try:
            if not allowed():
                return
            with self._lock:
                self._remember(key, kept)
                uses, self._uses = self._uses, {}
            if self._monotonic() >= self._writes_after:
                self._attempt(lambda file: file.put(key, kept, limit=limit, uses=uses))
        finally:
            with self._lock:
                self._waiting -= len(kept.value)

    def _note_uses(self) -> None:
        with self._lock:
            uses, self._uses = self._uses, {}
        if uses and self._monotonic() >= self._writes_after:
            self._attempt(lambda file: file.note_uses(uses, self.now()))

    def _close_file(self) -> None:
        if self._file is not None:
            self._note_uses()
        with self._file_lock:
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def _attempt(self, action: Callable[[AnswersFile], _T]) -> _T | None:
        """Do something with the file; ``None`` where that failed."""
        with self._file_lock:
            while not self._is_off:
                stamp: Stamp | None = None
                try:
                    file = self._file
                    if file is not None and not file.is_current:
                        # Somebody removed it: what was in it is gone.
                        self._close(file)
                        file = None
                    if file is None:
                        stamp = stamp_of(self._path)
                        file = self._file = AnswersFile(self._path)
                    stamp = file.stamp
                    return action(file)
                except NewerDatabase:
                    self._turn_off()
                    self._tell(text("cache.newer", path=self._path))
                except DamagedValue:
                    self._tell(text("cache.answer_damaged", path=self._path))
                    return None
                except (*SQLITE_ERRORS, OSError) as error:
                    if not is_damage(error):
                        self._on_failure(error)
                        return None
                    # A new one is begun, in which it is tried again.
                    self._set_aside(stamp)
            return None

    def _on_failure(self, error: Exception) -> None:
        """Make the best of a failure that is none of the file's content."""
        reason = getattr(error, "strerror", None) or str(error)
        if is_busy(error):
            _log.debug("%s is held by other processes: passed over", self._path)
        elif self._file is None:
            self._turn_off()
            self._tell(text("cache.unusable", path=self._path, reason=reason))
        else:
            self._writes_after = self._monotonic() + _REST
            self._tell(text("cache.unwritable", path=self._path, reason=reason))

    def _set_aside(self, stamp: Stamp | None) -> None:
        """Put the damaged file of ``stamp`` aside, unless another process did."""
        if self._file is not None:
            self._close(self._file)
        kept = self._path.with_name(DAMAGED_ANSWERS.name)
        self._tell(text("cache.set_aside", path=self._path, kept=kept))
        self._damaged += 1
        if self._damaged == _MOST_DAMAGED:
            self._turn_off()
        try:
            set_aside(self._path, kept, stamp=stamp)
        except OSError:
            self._turn_off()

    def _close(self, file: AnswersFile) -> None:
        self._file = self._generation = None
        file.close()

    def _turn_off(self) -> None:
        """Keep answers in memory only, for the rest of this process."""
        self._is_off, self._trusted_until = True, math.inf

    def _tell(self, said: LocalizedText) -> None:
        """Log what is wrong with the file: once, whatever it is."""
        level = logging.DEBUG if self._has_told else logging.WARNING
        self._has_told = True
        _log.log(level, "%s", said)


_opened: Final[dict[Path, ResultCache]] = {}


def open_result_cache(folder: Path) -> ResultCache:
    """Return the cache of a folder: one for all models of a process."""
    return _opened.setdefault(folder, ResultCache(folder))
