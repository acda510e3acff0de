"""Keep answers of Hugging Face's catalogues on disk, with their age: a file each.

A file is one line of JSON, ``{"version": 1, "key": …, "at": …, "sha256": …}``, and the
answer below it. One that was changed or cut is as none; one of a newer version is
another program's and stays, and then nothing is kept any more.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.files import make_folder, replace
from bytebuddy_provider_hf.config.stored_files import CATALOGUE
from bytebuddy_provider_hf.regular_file import read_regular_file

_log: Final = logging.getLogger(__name__)

# Older prices and providers mislead more than they help.
_OLDEST: Final = 90 * 86_400.0
_MOST_FILES: Final = 500
_LARGEST: Final = 5 * 1024 * 1024
_SUFFIX: Final = ".answer"


class KeptAnswers:
    """Keep the answers that were asked for last; nothing of it ever fails a call.

    ``clock`` tells the time of day, because files outlive the process. Reading and
    writing are done in threads.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        # Set when the folder cannot be used: told once, and not tried again.
        self._is_off = False

    async def get(self, key: str) -> tuple[bytes, float] | None:
        """Return an answer and its age in seconds."""
        if self._is_off:
            return None
        return await asyncio.to_thread(self._read, key)

    def put(self, key: str, answer: bytes) -> None:
        """Have an answer written by a thread; the end of the loop waits for it."""
        if not self._is_off and len(answer) < _LARGEST:
            loop = asyncio.get_running_loop()
            _ = loop.run_in_executor(None, self._write, key, answer)

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return self._folder / f"{name}{_SUFFIX}"

    def _read(self, key: str) -> tuple[bytes, float] | None:
        try:
            check_exposed(self._path(key), strict=True)
        except PermissionError as error:
            self._turn_off(error.strerror or str(error))
            return None
        try:
            kept = read_regular_file(self._path(key), _LARGEST + 1)
        except OSError:
            return None
        head, _, answer = kept.partition(b"\n")
        told: object = None
        with suppress(ValueError, RecursionError):
            told = json.loads(head)
        if not isinstance(told, dict):
            return None
        version, at = told.get("version"), told.get("at")
        if isinstance(version, int) and version > CATALOGUE.version:
            self._turn_off("it was written by a newer version")
            return None
        age = self._clock() - at if isinstance(at, int | float) else -1.0
        digest = hashlib.sha256(answer).hexdigest()
        # A time to come is of a clock that was set back: it would hold for ever.
        fits = 0 <= age < _OLDEST and version == CATALOGUE.version
        if not fits or told.get("key") != key or told.get("sha256") != digest:
            return None
        return answer, age

    def _write(self, key: str, answer: bytes) -> None:
        self._read(key)  # a newer version's file is not replaced
        if self._is_off:
            return
        head = {
            "version": CATALOGUE.version,
            "key": key,
            "at": self._clock(),
            "sha256": hashlib.sha256(answer).hexdigest(),
        }
        try:
            make_folder(self._folder)
            replace(self._path(key), json.dumps(head).encode() + b"\n" + answer)
            self._trim()
        except OSError as error:
            self._turn_off(error.strerror or str(error))

    def _trim(self) -> None:
        """Remove the oldest files where there are too many, or too much is in them."""
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            # Another process may remove one meanwhile.
            with suppress(OSError):
                told = path.stat()
                found.append((told.st_mtime, told.st_size, path))
        found.sort(key=lambda each: each[0], reverse=True)
        total = 0
        for count, (_, size, path) in enumerate(found, start=1):
            total += size
            if count > _MOST_FILES or total > CATALOGUE.most:
                with suppress(OSError):
                    path.unlink()

    def _turn_off(self, reason: str) -> None:
        if not self._is_off:
            self._is_off = True
            _log.warning(
                "%s cannot be used: %s. Answers about models are not kept.",
                self._folder,
                reason,
            )
