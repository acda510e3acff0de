"""Replace files at once: a reader sees the old one or the new, never a half."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.texts import text

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
    handle = None
    # What is wrong with the folder is told by the write that follows.
    with contextlib.suppress(OSError, ConfigError):
        make_folder(path.parent)
        handle = os.open(path.parent, os.O_RDONLY)
    try:
        if handle is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        # Closing gives the lock back, however the block ended.
        if handle is not None:
            os.close(handle)


def write_private(path: Path, content: Secret, *, exclusive: bool = False) -> None:
    """Replace ``path`` by ``content`` at once, with mode 0600 whatever the umask.

    Folders that are missing are made with mode 0700. Where ``path`` is a symbolic
    link, the file it points to is replaced and the link stays. ``exclusive`` refuses
    to replace. A failure leaves nothing behind and raises ``ConfigError``.
    """
    try:
        target = path.resolve()
        make_folder(target.parent)
        replace(target, content, exclusive=exclusive)
    except FileExistsError as error:
        raise ConfigError(text("config.exists", path=path)) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = getattr(error, "strerror", None) or text("config.link_loop")
        message = text("config.unwritable", path=path, reason=reason)
        raise ConfigError(message) from error


def replace(
    target: Path,
    content: Secret | bytes,
    *,
    exclusive: bool = False,
    prepare: Callable[[int], None] | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Replace a file by ``content`` at once, or raise ``OSError`` and change nothing.

    It is readable by its owner only unless ``prepare`` gives the handle of the new
    file another mode. ``check`` runs as late as can be and may raise to stop it.
    ``exclusive`` raises ``FileExistsError`` where the file is there already.
    """
    # In the same folder: a rename is atomic within one file system only.
    import tempfile  # with shutil, more than opening a model costs a program

    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:80]}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(
                content
                if isinstance(content, bytes)
                else content.reveal().encode("utf-8", "surrogateescape")
            )
            if prepare is not None:
                prepare(file.fileno())
            file.flush()
            # Else a crash may leave the new name with none of the bytes.
            os.fsync(file.fileno())
        if prepare is None:
            beside.chmod(FILE_MODE)
        if check is not None:
            check()
        if exclusive:
            # Renaming replaces, linking refuses to.
            try:
                os.link(beside, target)
            except FileExistsError:
                raise
            except OSError:  # a file system without hard links
                target.open("xb").close()
                beside.replace(target)
            else:
                beside.unlink()
        else:
            beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    # Windows opens no folders, and some file systems refuse to sync one.
    with contextlib.suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its missing parents, readable by nobody else."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=FOLDER_MODE)
        # mkdir takes the umask off.
        folder.chmod(FOLDER_MODE)
