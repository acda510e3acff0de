"""Writing a small file so that a reader sees the old one or the new, never half."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.secret import Secret

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700


def home_folder() -> Path:
    """Return the user's home folder; in a container a user may have none.

    Then it is one where no file is and none can be made: what is kept there is not
    found, and nothing fails that does not write.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


@contextlib.contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Wait until no other process changes a file of this folder in such a block.

    Whoever reads, adds and writes back would else undo what another added meanwhile.
    Does nothing where the folder cannot be locked: on Windows, on some network disks.
    """
    try:
        import fcntl  # POSIX only
    except ImportError:
        yield
        return
    handle = _lockable(path.parent)
    try:
        if handle is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lockable(folder: Path) -> int | None:
    # What is wrong with the folder is told by the write that follows.
    with contextlib.suppress(OSError, ConfigError):
        make_folder(folder)
        return os.open(folder, os.O_RDONLY)
    return None


def write_atomic(path: Path, content: Secret, *, exclusive: bool = False) -> None:
    """Replace ``path`` by ``content`` at once, with mode 0600 whatever the umask.

    Folders that are missing are made with mode 0700. Where ``path`` is a symbolic
    link, the file it points to is replaced and the link stays. ``exclusive`` refuses
    to replace. A failure leaves nothing behind and raises ``ConfigError``.
    """
    try:
        target = path.resolve()
        make_folder(target.parent)
        _write_beside(target, content, exclusive=exclusive)
    except FileExistsError as error:
        message = f"{path} exists already; nothing was changed"
        raise ConfigError(message) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = getattr(error, "strerror", None) or "its links form a loop"
        message = f"{path} cannot be written: {reason}"
        raise ConfigError(message) from error
    _sync_folder(target.parent)


def _write_beside(target: Path, content: Secret, *, exclusive: bool) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.reveal().encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(FILE_MODE)
        if exclusive:
            _claim(name, target)
        else:
            Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _claim(name: str, target: Path) -> None:
    try:
        os.link(name, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with target.open("xb"):
            pass
        Path(name).replace(target)
    else:
        Path(name).unlink()


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its missing parents, readable by nobody else."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=FOLDER_MODE)
        folder.chmod(FOLDER_MODE)


def _sync_folder(folder: Path) -> None:
    # Windows opens no folders, and some file systems refuse to sync one.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
