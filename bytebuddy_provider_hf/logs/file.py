"""Write the log file: rotated by size, readable by its owner, never in the way."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, final

from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.files import FILE_MODE, make_folder, sole_writer
from bytebuddy_provider_hf.config.values import LogOptions
from bytebuddy_provider_hf.logs.line_format import LineFormatter
from bytebuddy_provider_hf.texts import text

_log: Final = logging.getLogger(__name__)

_MEGABYTE: Final = 1_000_000
# Windows would write a carriage return twice.
_APPEND: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


@final
class RotatingFile(RotatingFileHandler):
    """Write lines to a file that several processes may write to at once.

    A file that fills the disk, or can no longer be written, costs one warning.
    """

    def __init__(self, options: LogOptions) -> None:
        path = Path(options.path)
        make_folder(path.parent)
        if path.exists() and not path.is_file():
            # A pipe would be waited for, a device cannot be rotated.
            raise OSError(errno.EINVAL, text("logs.no_regular_file"))
        with suppress(OSError):  # another user's: told below
            _close_to_others(path)
        # In a folder of others the path may lead to any file of this user's.
        check_exposed(path)
        super().__init__(
            path,
            maxBytes=options.size * _MEGABYTE,
            backupCount=options.keep,
            encoding="utf-8",
            errors="backslashreplace",
        )
        self.setLevel(options.level.upper())
        self.setFormatter(LineFormatter())
        self._failed = False

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - logging's name
        """Return whether the file is full; one that was moved away is opened anew."""
        if self.stream is not None and self._moved():
            self.stream.close()
            self.stream = None
        return bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Begin a new file, unless another process has just done so."""
        with sole_writer(Path(self.baseFilename)):
            if not self._moved():
                super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's signature
        """Say once that the file cannot be written, and go on without."""
        if self._failed:
            return
        self._failed = True
        error = sys.exception()
        reason = getattr(error, "strerror", None) or type(error).__name__
        _log.warning("The log %s cannot be written: %s.", self.baseFilename, reason)

    def _open(self) -> TextIOWrapper:
        # As logging does, but never for an instant readable by others.
        handle = os.open(self.baseFilename, _APPEND, FILE_MODE)
        with suppress(OSError):  # root's: it was shared on purpose
            _close_to_others(Path(self.baseFilename))
        stream = os.fdopen(handle, "ab")
        return TextIOWrapper(stream, encoding=self.encoding, errors=self.errors)

    def _moved(self) -> bool:
        """Whether the path leads elsewhere by now: another process rotated the file."""
        if self.stream is None:  # the last rotation failed
            return False
        try:
            return not os.path.samestat(
                os.stat(self.baseFilename),  # noqa: PTH116 - as handed over by logging
                os.fstat(self.stream.fileno()),
            )
        except FileNotFoundError:
            return True


def _close_to_others(path: Path) -> None:
    """Give a log of this user's that is there the mode of a new one."""
    told = path.stat() if path.exists() else None
    if told is None or not stat.S_IMODE(told.st_mode) & ~FILE_MODE:
        return
    if sys.platform == "win32" or told.st_uid == os.geteuid():
        path.chmod(FILE_MODE)
