"""Tell which files others can change: by their owners, their modes and their folders.

Whoever can write to a file, or replace it in its folder, decides what it says: where a
key goes, which project is trusted, what a server answered.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.config.disks import disk_of, has_modes
from bytebuddy_provider_hf.texts import LocalizedText, text

_log: Final = logging.getLogger(__name__)

# Set to 1 where modes say nothing, and nobody else can tell: a disk that a virtual
# machine shares, a container that runs under a number of its own.
ALLOW: Final = "BYTEBUDDY_ALLOW_MODES"

# What was logged by this process, each once.
_told: Final[set[str]] = set()


@frozen
class Exposure:
    """A file or folder that others can change, and why, with the command that ends it.

    ``is_refused``: everybody can, or another user owns it. Else the members of a group
    can.
    """

    path: Path
    message: LocalizedText
    is_refused: bool


def exposures(path: Path) -> tuple[Exposure, ...]:
    """Return how others can change what ``path`` leads to, which need not exist.

    Nothing is found where files have no modes (Windows, FAT), or where
    ``BYTEBUDDY_ALLOW_MODES`` is 1.
    """
    if sys.platform == "win32" or os.environ.get(ALLOW) == "1":
        return ()
    found = tuple(dict.fromkeys(_found(path)))
    # Asked last: reading what is mounted takes longer than all of the above.
    if not found:
        return ()
    return tuple(each for each in found if has_modes(disk_of(each.path.parent)))


def check_exposed(path: Path, *, strict: bool = False) -> None:
    """Raise ``PermissionError`` for a file that others can change, and say how.

    Where only the members of a group can, it is logged as a warning, once; that raises
    too if it is ``strict``.
    """
    for each in exposures(path):
        if each.is_refused or strict:
            raise PermissionError(errno.EPERM, each.message, str(path))
        if each.message not in _told:
            _told.add(each.message)
            _log.warning("%s", each.message)


def _found(path: Path) -> Iterator[Exposure]:
    """Yield what is wrong with a file, the folders it is in, and those above them."""
    if sys.platform == "win32":
        return
    try:
        # Where the file is, and where its name is: a link can be replaced as well.
        places = (path.resolve(), Path(os.path.abspath(path)))  # noqa: PTH100 - no links followed
    except (OSError, RuntimeError, ValueError):
        return  # reading it says what is wrong
    yield from _of(places[:1], folder=False)
    yield from _of(dict.fromkeys(place.parent for place in places), folder=True)
    above = dict.fromkeys(each for it in places for each in it.parents)
    # Above them only who can rename a folder matters, and whole systems share those.
    for each in _of(above, folder=True):
        if each.message.id == "config.exposed_world":
            yield each


def _of(paths: Iterable[Path], *, folder: bool) -> Iterator[Exposure]:
    if sys.platform == "win32":
        return
    for path in paths:
        told = None
        with suppress(OSError):  # none is there yet, or reading it says what is wrong
            told = path.stat()
        # A pipe that a shell hands over, or a device, is nobody's file.
        if told is None or not (stat.S_ISDIR if folder else stat.S_ISREG)(told.st_mode):
            continue
        quoted = shlex.quote(str(path))
        if told.st_uid not in (os.geteuid(), 0):
            message = text(
                "config.exposed_owner", path=path, command=chown_command(path)
            )
            yield Exposure(path, message, is_refused=True)
        # There only a file's owner may replace it: /tmp and the like.
        if folder and told.st_mode & stat.S_ISVTX:
            continue
        command = f"chmod go-w {quoted}"
        if told.st_mode & stat.S_IWOTH:
            message = text("config.exposed_world", path=path, command=command)
            yield Exposure(path, message, is_refused=True)
        elif told.st_mode & stat.S_IWGRP and _has_others(told.st_gid):
            message = text("config.exposed_group", path=path, command=command)
            yield Exposure(path, message, is_refused=False)


def chown_command(path: Path) -> str:
    """Return the command that makes a file this user's; POSIX only."""
    user = os.geteuid() if sys.platform != "win32" else 0
    command = f"chown {user} {shlex.quote(str(path))}"
    # Only root may give files away.
    return f"sudo {command}" if user else command


def _has_others(group: int) -> bool:
    """Return whether somebody but this user and root is in a group, or may be."""
    import grp  # POSIX only
    import pwd

    members: set[str | int] = set()
    try:
        for name in grp.getgrgid(group).gr_mem:
            with suppress(KeyError):  # a name without a user
                members.add(pwd.getpwnam(name).pw_uid)
    except KeyError:
        return True  # a group that this machine does not know: of whom, nobody can tell
    members.update(each.pw_uid for each in pwd.getpwall() if each.pw_gid == group)
    return not members <= {os.geteuid(), 0}
