"""Read the text file that a command changes; replace it whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.lines import assemble, lines_of
from bytebuddy_provider_hf.errors import ByteBuddyError, InvalidOption
from bytebuddy_provider_hf.regular_file import NotRegular, read_regular_file
from bytebuddy_provider_hf.texts import text

# Bytes; longer code than that fits into no model's context.
LARGEST: Final = 4 * 1024 * 1024
# An editor on Windows wants it back; a model takes it for a letter.
_BOM: Final = "\ufeff"


@frozen
class TextFile:
    """A file as it was read; ``text`` is all of it but a byte order mark.

    ``raw`` are its bytes, by which it is told later whether somebody changed it.
    """

    path: Path
    text: str = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def label(self) -> str:
        """The name a model and a diff get: below this folder, or the last part only.

        Where a project lies on this machine is nobody's business.
        """
        path = Path(os.path.normpath(self.path))
        if path.is_absolute():
            with contextlib.suppress(ValueError, OSError):
                path = path.relative_to(Path.cwd())
        outside = path.is_absolute() or ".." in path.parts
        label = path.name if outside else path.as_posix()
        # A name need not be text; what is sent must be.
        return label.encode("utf-8", "replace").decode()

    def stored(self, content: str) -> str:
        """Return ``content`` as the file would hold it: with its byte order mark."""
        return f"{_BOM}{content}" if self.raw.startswith(_BOM.encode()) else content


def no_file(path: Path) -> InvalidOption:
    """Return the error for a file that is not there, which says where it was sought."""
    return InvalidOption(
        text("cli.no_file", file=path), hint=text("cli.check_file", folder=Path.cwd())
    )


def read_text_file(path: Path) -> TextFile:
    """Read a file of text.

    Raises ``InvalidOption`` where it is not there, no UTF-8 text, or larger than
    4 MiB, and ``OSError`` where it cannot be read.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise no_file(path) from error
    # A pipe would be waited for, and could not be replaced.
    if not stat.S_ISREG(mode):
        raise InvalidOption(text("cli.not_a_file", file=path))
    # It may have become one since it was looked at.
    raw = read_regular_file(path, LARGEST + 1)
    return TextFile(path, decode(raw, str(path)), raw)


def read_input_file(path: Path) -> TextFile:
    """Read a file of text that is only read: it may be a pipe, as a shell's ``<(…)``.

    Raises as ``read_text_file`` does, and waits for who writes; Ctrl-C ends it.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise no_file(path) from error
    except IsADirectoryError as error:
        raise InvalidOption(text("cli.not_a_file", file=path)) from error
    return TextFile(path, decode(raw, str(path)), raw)


def piped_file(path: Path) -> TextFile:
    """Read what is piped in as the text of ``path``; raises as for a file."""
    raw = sys.stdin.buffer.read(LARGEST + 1)
    return TextFile(path, decode(raw, text("cli.piped")), raw)


def decode(raw: bytes, name: str) -> str:
    """Return ``raw`` as text without its byte order mark.

    Raises ``InvalidOption`` where it is no UTF-8 text, or larger than 4 MiB.
    """
    if len(raw) > LARGEST:
        raise InvalidOption(
            text("cli.too_large", file=name, size=LARGEST // 2**20),
            hint=text("cli.name_smaller"),
        )
    try:
        content = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = f"{raw[error.start]:02X}"
        raise InvalidOption(
            text("cli.not_utf_8", file=name, byte=byte, line=line),
            hint=text("cli.save_utf_8"),
        ) from error
    if "\0" in content:
        line = content.count("\n", 0, content.index("\0")) + 1
        raise InvalidOption(text("cli.nul", file=name, line=line))
    return content.removeprefix(_BOM)


def outside_target(path: Path) -> Path | None:
    """Return where symbolic links lead ``path``, if that is outside this folder.

    ``None`` where nobody can be surprised: no link, or one to another file below the
    current folder.
    """
    here = Path.cwd().resolve()
    target = path.resolve()
    written = Path(os.path.normpath(here / path))
    if not written.is_relative_to(here):
        # Named outside on purpose; the way to its folder may have links of its own,
        # as /tmp is one on macOS.
        written = written.parent.resolve() / written.name
    return None if target == written or target.is_relative_to(here) else target


def replace_text(file: TextFile, content: str) -> None:
    """Replace the file's text at once: who reads it sees the old one or the new.

    Its mode and byte order mark stay; where it is a symbolic link, the file it leads
    to is replaced. Raises ``ByteBuddyError`` where it is no longer as it was read, or
    may not be written, and ``OSError``; then the file is as it was and nothing is
    left beside it.
    """
    try:
        new = file.stored(content).encode()
    except UnicodeEncodeError as error:
        raise ByteBuddyError(
            text("cli.half_character"), hint=text("cli.damaged")
        ) from error
    try:
        target = file.path.resolve(strict=True)
    except (FileNotFoundError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise _changed(file) from error
    # The folder may allow to replace it; whoever made it read-only did not mean that.
    if not os.access(target, os.W_OK):
        raise ByteBuddyError(
            text("cli.read_only", file=file.path), hint=text("cli.make_writable")
        )
    # Not `config.files.write_private`: that one makes private files of its own; this
    # one keeps owner and mode, and looks whether somebody else wrote meanwhile.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:80]}.")
    try:
        with os.fdopen(handle, "wb") as beside:
            beside.write(new)
            _copy_owner_and_mode(beside.fileno(), target.stat())
            beside.flush()
            os.fsync(beside.fileno())
        # As late as can be: a person may have saved it in an editor meanwhile.
        _check_unchanged(file, target)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    # A power cut could take back the renaming itself. Windows opens no folders, and
    # some file systems refuse to sync one.
    with contextlib.suppress(OSError):
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _copy_owner_and_mode(handle: int, before: os.stat_result) -> None:
    if os.name != "posix":
        return
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        # Only root may give files away; the text matters more.
        with contextlib.suppress(PermissionError):
            os.fchown(handle, before.st_uid, before.st_gid)
    # After the owner: changing that one clears the set-user-ID bit.
    os.fchmod(handle, stat.S_IMODE(before.st_mode))


def _check_unchanged(file: TextFile, target: Path) -> None:
    try:
        same = read_regular_file(target, LARGEST + 1) == file.raw
    except (FileNotFoundError, NotRegular):
        same = False
    if not same:
        raise _changed(file)


def _changed(file: TextFile) -> ByteBuddyError:
    return ByteBuddyError(
        text("cli.changed_meanwhile", file=file.path), hint=text("cli.run_again")
    )


def with_line_feeds(content: str) -> str:
    """Return ``content`` with a line feed for every CR LF."""
    return content.replace("\r\n", "\n")


def with_line_ends_of(original: str, changed: str) -> str:
    """Return ``changed``, written with line feeds, with the ends of ``original``.

    Where ``original`` has both ends, a line that is still there keeps its own.
    """
    before = lines_of(original)
    if before.uniform:
        return changed.replace("\n", before.usual)
    after = lines_of(changed)
    same = {new: old for old, new in aligned(before.texts, after.texts)}
    pieces = (same.get(at, line) for at, line in enumerate(after.texts))
    return assemble(before, pieces, ended=after.ended)


def ended_like(original: str, changed: str) -> str:
    """Return ``changed`` with a last line that ends as that of ``original`` does.

    Models add a line feed after the last line, or leave it away, as they like.
    """
    if not original or not changed:
        return changed
    ended = original.endswith("\n")
    if ended == changed.endswith("\n"):
        return changed
    return f"{changed}\n" if ended else changed.removesuffix("\n")
