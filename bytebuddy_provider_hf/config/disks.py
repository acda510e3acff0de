"""Tell on what kind of file system a folder is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
# Where a line of it names the place of a mount, in which blanks and the like are octal
# numbers (proc(5)).
_POINT: Final = 4
_OCTAL: Final = re.compile(r"\\([0-7]{3})")
# File systems that store neither owners nor modes: those told are made up at mounting.
_WITHOUT_MODES: Final = frozenset(
    {"drvfs", "exfat", "fuseblk", "msdos", "ntfs", "ntfs3", "umsdos", "UNC", "vfat"}
)


def disk_of(folder: Path, mounts: str | None = None) -> str:
    """Return the kind of file system of ``folder``, "" where it cannot be told.

    ``mounts`` is the text of ``/proc/self/mountinfo``, which only Linux has; it is read
    if not given.
    """
    path = folder.resolve()
    if path.drive.startswith("\\\\"):
        return "UNC"
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
        except OSError:
            mounts = ""
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
            # How WSL 2 shows a disk of Windows.
            if found == "9p" and "aname=drvfs" in after:
                found = "drvfs"
    return found


def has_modes(disk: str) -> bool:
    """Return whether a kind of file system keeps owners and modes of its files."""
    return disk not in _WITHOUT_MODES
