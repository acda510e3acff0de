"""Read a file that may be anything by now: a pipe, a device, a folder."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


class NotRegular(OSError):
    """A pipe, a device or a socket stands where a file of ours belongs."""


def read_regular_file(path: Path, most: int = -1) -> bytes:
    """Return the first ``most`` bytes of a file, or all.

    Never waits for another program: raises ``NotRegular`` for what is no regular file,
    and ``OSError`` for a folder and for what cannot be read.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:
        # Asked of what was opened: a path may be another file a moment later.
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NotRegular(errno.EINVAL, "not a regular file", str(path))
        return file.read(most)


def _open_without_waiting(path: str, flags: int) -> int:
    # A pipe that nobody writes to would be waited for in open(2) itself.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
