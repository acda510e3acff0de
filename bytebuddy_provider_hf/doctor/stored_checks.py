"""Examine every file that is kept on a user's disk; nothing is written.

One check for each row of ``config/stored_files.py``: a row without one fails a test.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from glob import escape
from pathlib import Path
from typing import Final, TypeAlias

from attrs import evolve, frozen

from bytebuddy_provider_hf.config import stored_files as files
from bytebuddy_provider_hf.config.exposure import chown_command
from bytebuddy_provider_hf.config.stored_files import StoredFile
from bytebuddy_provider_hf.config.values import LogOptions
from bytebuddy_provider_hf.doctor.findings import Finding, Level, ok
from bytebuddy_provider_hf.failures.next_steps import human_time
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.storage.answers_file import size_text
from bytebuddy_provider_hf.storage.shared_database import (
    SQLITE_ERRORS,
    NewerDatabase,
    check_database,
    is_damage,
)
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.transport.credentials import token_file

_MEGABYTE: Final = 1_000_000
# The last line stands in so many bytes, and a log may be longer by one.
_LAST_LINES: Final = 16 * 1024
_STAMP: Final = re.compile(rb"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{3}Z ", re.MULTILINE)
# Prices and providers of another month mislead.
_OLD: Final = 30 * 86_400.0
# Writing a file takes less than an hour, and a demo ends within a day.
_HOUR: Final = 3_600.0
_DAY: Final = 86_400.0
# SQLite writes what is pending into the file long before it is so large.
_LARGE_JOURNAL: Final = 64 * 1024**2
_MOST_ANSWERS: Final = 500


@frozen
class Setting:
    """Where the files of a user lie, and what the configuration says of them."""

    home: Path
    project: Path
    env: Mapping[str, str]
    now: float
    log: LogOptions | None = None

    def folder_of(self, row: StoredFile) -> Path:
        """Return the folder of a row that names one."""
        return {
            files.STATE_FOLDER.folder: files.user_folder(self.home),
            files.CACHE_FOLDER.folder: files.cache_folder(self.env, self.home),
            files.PROJECT_CONFIG.folder: self.project,
            files.PROJECT_STATE_ENV.folder: self.project / files.STATE,
            files.MACHINE_CONFIG.folder: Path(files.MACHINE_CONFIG.folder),
        }[row.folder]

    def is_ours(self, path: Path) -> bool:
        """Whether a path is that of this package's folders, or in them."""
        folders = (
            files.user_folder(self.home),
            files.cache_folder(self.env, self.home),
            self.project / files.CONFIG.name,
        )
        return any(path.is_relative_to(folder) for folder in folders)

    def age_of(self, path: Path) -> float:
        """Return how long ago a file was written, in seconds."""
        return max(0.0, self.now - path.stat().st_mtime)


Check: TypeAlias = Callable[[StoredFile, Setting], Iterable[Finding]]


def stored_findings(setting: Setting) -> Iterator[Finding]:
    """Yield what is found of every row: what is wrong, and what is large or old."""
    closed: set[str] = set()
    for row, check in CHECKS.items():
        try:
            for finding in check(row, setting):
                if check is _folder:
                    closed.add(row.folder)
                yield finding
        except OSError as error:
            if isinstance(error, PermissionError) and row.folder in closed:
                continue  # told of the folder
            reason = error.strerror or type(error).__name__
            steps: tuple[str, ...] = ()
            if isinstance(error, PermissionError) and error.filename:
                there = _nearest(Path(error.filename))
                steps = (_access_step(there, setting),)
            yield evolve(_untold(row.place, reason), steps=steps)


def _folder(row: StoredFile, setting: Setting) -> Iterator[Finding]:
    """Whether what is written can be kept there, made or not."""
    path = setting.folder_of(row)
    there = _nearest(path)
    if not there.is_dir():
        yield _no_folder(there, setting)
    elif not _may(there, os.W_OK | os.X_OK):
        yield _read_only(path, there, setting)


def _plain(row: StoredFile, setting: Setting) -> Iterator[Finding]:
    """Whether a file is one, can be read, and is no larger than what is read of it."""
    state = files.user_folder(setting.home)
    path: Path | None = None
    if row is files.HUB_TOKEN:
        path = token_file(setting.env, state)
    else:
        path = setting.folder_of(row) / row.name
    if path is None:
        return
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL
        return
    if not path.is_file():
        yield _irregular(path, setting)
    elif not _may(path, os.R_OK):
        said = text("doctor.stored_unreadable", file=path)
        yield Finding(
            "files.unreadable", Level.WARNING, said, (_access_step(path, setting),)
        )
    elif row.most and path.stat().st_size > row.most:
        yield _too_large(path, row.most)


def _json(row: StoredFile, setting: Setting) -> Iterator[Finding]:
    """Whether it can be read as well, and is of a version that is known here."""
    found = [*_plain(row, setting)]
    yield from found
    path = setting.folder_of(row) / row.name
    if found or not path.is_file():
        return
    value: object = None
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(read_regular_file(path, row.most + 1))
    version = value.get("version") if isinstance(value, dict) else None
    if isinstance(version, int) and version > row.version:
        yield _newer(path)
    elif not isinstance(value, dict):
        said = text("doctor.stored_damaged", file=path)
        yield Finding("files.damaged", Level.WARNING, said, (_removal_step(path),))


def _database(
    row: StoredFile,
    setting: Setting,
    *,
    name: str,
    damaged_step: Callable[[], LocalizedText],
) -> Iterator[Finding]:
    """Whether a file of SQLite is whole, and of a version that is known here."""
    found = [*_plain(row, setting)]
    yield from found
    path = setting.folder_of(row) / row.name
    if any(each.id != "files.too_large" for each in found) or not path.is_file():
        return
    try:
        check_database(path, row.version)
    except NewerDatabase:
        yield _newer(path)
    except SQLITE_ERRORS as error:
        if is_damage(error):
            said = text("doctor.stored_damaged", file=path)
            yield Finding("files.damaged", Level.WARNING, said, (damaged_step(),))
        else:
            yield _untold(path, str(error))
    else:
        yield _kept(name, path, setting)


def _journal(row: StoredFile, setting: Setting) -> Iterator[Finding]:
    """Whether what waits to be written grows: a program that hangs keeps it."""
    for name in row.name.split(", "):
        path = setting.folder_of(row) / name
        if path.is_file() and path.stat().st_size > _LARGE_JOURNAL:
            size = size_text(path.stat().st_size)
            said = text("doctor.stored_journal", file=path, size=size)
            steps = (text("doctor.stored_journal_step"),)
            yield Finding("files.too_large", Level.NOTE, said, steps)


def _set_aside(row: StoredFile, setting: Setting) -> Iterator[Finding]:
    path = setting.folder_of(row) / row.name
    if path.is_file():
        size, age = size_text(path.stat().st_size), human_time(setting.age_of(path))
        said = text("doctor.stored_set_aside", file=path, size=size, age=age)
        yield Finding("files.set_aside", Level.NOTE, said, (_removal_step(path),))


def _catalogue(row: StoredFile, setting: Setting) -> Iterator[Finding]:
    path = setting.folder_of(row) / row.name
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        yield _no_folder(path, setting)
        return
    if not _may(path, os.R_OK | os.W_OK | os.X_OK):
        yield _read_only(path, path, setting)
        return
    told = []
    for each in path.glob("*.answer"):
        # Another process may remove one meanwhile.
        with contextlib.suppress(OSError):
            told.append(each.stat())
    if not told:
        return
    size = sum(each.st_size for each in told)
    ages = sorted(max(0.0, setting.now - each.st_mtime) for each in told)
    said = text(
        "doctor.stored_catalogue",
        count=len(told),
        size=size_text(size),
        newest=human_time(ages[0]),
        oldest=human_time(ages[-1]),
    )
    if size > row.most or len(told) > _MOST_ANSWERS:
        yield Finding("files.too_large", Level.NOTE, said, (_removal_step(path),))
    elif ages[0] > _OLD:
        steps = (text("doctor.stored_catalogue_step"),)
        yield Finding("files.catalogue", Level.NOTE, said, steps)
    else:
        yield ok("files.catalogue", said)


def _model(row: StoredFile, setting: Setting) -> Iterator[Finding]:
    path = setting.folder_of(row) / row.name
    if not path.is_file():
        return
    if path.stat().st_size == row.most:
        yield _kept("files.model", path, setting)
        return
    size, most = size_text(path.stat().st_size), size_text(row.most)
    said = text("doctor.stored_cut", file=path, size=size, most=most)
    yield Finding("files.damaged", Level.WARNING, said, (_removal_step(path),))


def _log(_: StoredFile, setting: Setting) -> Iterator[Finding]:
    """Whether the next line can be written, and a full file be replaced."""
    if setting.log is None:
        return
    path, most = Path(setting.log.path), setting.log.size * _MEGABYTE
    there = _nearest(path)
    if there == path and not path.is_file():
        yield _irregular(path, setting)
    elif there != path and not there.is_dir():
        yield _no_folder(there, setting)
    elif not _may(there, os.W_OK if there == path else os.W_OK | os.X_OK):
        said = text("doctor.log_unwritable", file=path)
        yield Finding("files.log", Level.WARNING, said, (_access_step(there, setting),))
    elif there != path:
        yield ok("files.log", text("doctor.log_empty", file=path))
    else:
        size = path.stat().st_size
        facts = {"file": path, "size": size_text(size), "most": size_text(most)}
        if size > most + _LAST_LINES:
            said = text("doctor.log_grows", **facts)
            steps = (text("doctor.log_grows_step", folder=path.parent),)
            yield Finding("files.log", Level.WARNING, said, steps)
        if not _may(path.parent, os.W_OK | os.X_OK):
            # What is full is renamed: that is the folder's to allow.
            said = text("doctor.log_stuck", **facts)
            step = _access_step(path.parent, setting)
            yield Finding("files.log", Level.WARNING, said, (step,))
        elif size <= most + _LAST_LINES:
            age = _age_of_last_line(path, setting)
            if age is None:
                said = text("doctor.log_empty", file=path)
            else:
                said = text("doctor.log", **facts, newest=human_time(age))
            yield ok("files.log", said)


def _age_of_last_line(path: Path, setting: Setting) -> float | None:
    """Return how old the newest line of a log is, ``None`` where it has none."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LAST_LINES))
        last = file.read(_LAST_LINES)
    found = _STAMP.findall(last)
    if not found:
        return setting.age_of(path) if last else None
    told = datetime.fromisoformat(found[-1].decode()).replace(tzinfo=UTC)
    return max(0.0, setting.now - told.timestamp())


def _old_logs(_: StoredFile, setting: Setting) -> Iterator[Finding]:
    """Whether more of them are left than the configuration keeps."""
    if setting.log is None:
        return
    path, most = Path(setting.log.path), setting.log.size * _MEGABYTE
    number = re.compile(rf"{re.escape(path.name)}\.(\d{{1,4}})")
    for each in sorted(path.parent.glob(f"{escape(path.name)}.*")):
        match = number.fullmatch(each.name)
        if match is None or not each.is_file():
            continue
        if int(match[1]) > setting.log.keep:
            said = text("doctor.log_left", file=each, keep=setting.log.keep)
            yield Finding("files.left", Level.NOTE, said, (_removal_step(each),))
        elif each.stat().st_size > most + _LAST_LINES:
            yield _too_large(each, most)


def _beside(_: StoredFile, setting: Setting) -> Iterator[Finding]:
    """Whether a program that was killed left a file that it was writing."""
    kept = [row for row in files.FILES if row.mode is not None and row.folder]
    places = {setting.folder_of(row) / row.name.rstrip("/") for row in kept}
    pattern = re.compile(r"\.(.+)\.[a-z0-9_]{8}")
    for folder in dict.fromkeys(place.parent for place in places):
        for each in sorted(folder.glob(".*.????????")):
            match = pattern.fullmatch(each.name)
            if match is None or folder / match[1] not in places:
                continue
            if each.is_file() and setting.age_of(each) > _HOUR:
                yield _left(each, setting)


def _folders_left(
    row: StoredFile, setting: Setting, *, pattern: str, longest: float
) -> Iterator[Finding]:
    """Whether a program that was killed left a folder that it worked in."""
    temporary = Path(tempfile.gettempdir())
    folder = setting.folder_of(row) if row.folder else temporary
    for each in sorted(folder.glob(pattern)):
        told = each.stat()
        # Those of others are theirs to remove.
        is_mine = sys.platform == "win32" or told.st_uid == os.geteuid()
        if is_mine and stat.S_ISDIR(told.st_mode) and setting.age_of(each) > longest:
            yield _left(each, setting)


def repair_step(path: Path, setting: Setting) -> LocalizedText | None:
    """Return what makes a file readable; ``None`` where rights are not the cause."""
    there = _nearest(path)
    if there == path and not path.is_file():
        return _moving_step(path, setting)
    if there == path and _may(path, os.R_OK):
        return None
    return _access_step(there, setting)


def _nearest(path: Path) -> Path:
    """Return the path, or what is there of those that it lies in."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def _may(path: Path, rights: int) -> bool:
    return os.access(path, rights, effective_ids=os.access in os.supports_effective_ids)


def _access_step(path: Path, setting: Setting) -> LocalizedText:
    """Return how a user gets the rights to a file or folder, or does without."""
    if sys.platform != "win32":
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return text("doctor.stored_disk_step", file=path)
        if path.stat().st_uid != os.geteuid():
            if not setting.is_ours(path):
                return text("doctor.stored_elsewhere_step", file=path)
            return text("doctor.stored_access_step", command=chown_command(path))
    rights = "u+rwx" if path.is_dir() else "u+rw"
    command = f"chmod {rights} {shlex.quote(str(path))}"
    return text("doctor.stored_access_step", command=command)


def _moving_step(path: Path, setting: Setting) -> LocalizedText:
    if not setting.is_ours(path):
        # A device, or a file of the system's: nothing to be moved.
        return text("doctor.stored_elsewhere_step", file=path)
    # Whoever made it may want what is in it.
    old = path.with_name(f"{path.name}.old")
    command = f"mv {shlex.quote(str(path))} {shlex.quote(str(old))}"
    return text("doctor.stored_moving_step", command=command)


def _removal_step(path: Path) -> LocalizedText:
    flag = "-r " if path.is_dir() else ""
    command = f"rm {flag}{shlex.quote(str(path))}"
    return text("doctor.stored_removal_step", command=command)


def _kept(name: str, path: Path, setting: Setting) -> Finding:
    size, age = size_text(path.stat().st_size), human_time(setting.age_of(path))
    return ok(name, text("doctor.stored_kept", file=path, size=size, age=age))


def _untold(place: str | Path, reason: str) -> Finding:
    said = text("doctor.stored_untold", file=place, reason=reason)
    return Finding("files.untold", Level.UNKNOWN, said)


def _read_only(path: Path, there: Path, setting: Setting) -> Finding:
    said = text("doctor.stored_read_only", file=path)
    steps = (_access_step(there, setting),)
    return Finding("files.read_only", Level.WARNING, said, steps)


def _no_folder(path: Path, setting: Setting) -> Finding:
    said = text("doctor.stored_no_folder", file=path)
    return Finding(
        "files.no_folder", Level.WARNING, said, (_moving_step(path, setting),)
    )


def _irregular(path: Path, setting: Setting) -> Finding:
    said = text("doctor.stored_irregular", file=path)
    return Finding(
        "files.irregular", Level.WARNING, said, (_moving_step(path, setting),)
    )


def _too_large(path: Path, most: int) -> Finding:
    facts = {"size": size_text(path.stat().st_size), "most": size_text(most)}
    said = text("doctor.stored_large", file=path, **facts)
    steps = (text("doctor.stored_large_step", file=path),)
    return Finding("files.too_large", Level.WARNING, said, steps)


def _newer(path: Path) -> Finding:
    said = text("doctor.stored_newer", file=path)
    steps = (text("doctor.stored_newer_step"),)
    return Finding("files.newer", Level.WARNING, said, steps)


def _left(path: Path, setting: Setting) -> Finding:
    said = text("doctor.stored_left", file=path, age=human_time(setting.age_of(path)))
    return Finding("files.left", Level.NOTE, said, (_removal_step(path),))


CHECKS: Final[Mapping[StoredFile, Check]] = {
    files.STATE_FOLDER: _folder,
    files.CONFIG: _plain,
    files.ENV: _plain,
    files.TRUST: _json,
    files.TALK: _json,
    files.USAGE: partial(
        _database,
        name="files.usage",
        damaged_step=partial(text, "doctor.usage_damaged_step"),
    ),
    files.USAGE_JOURNAL: _journal,
    files.USAGE_COUNTS: _plain,
    files.USAGE_DAMAGED: _set_aside,
    files.USAGE_KEY: _plain,
    files.CACHE_FOLDER: _folder,
    files.SERVERS: _json,
    files.CATALOGUE: _catalogue,
    files.ANSWERS: partial(
        _database,
        name="files.answers",
        damaged_step=partial(text, "doctor.answers_damaged_step"),
    ),
    files.ANSWERS_LOG: _journal,
    files.DAMAGED_ANSWERS: _set_aside,
    files.GEMMA: _model,
    files.LOG: _log,
    files.OLD_LOGS: _old_logs,
    files.BESIDE: _beside,
    files.GEMMA_PARTS: partial(_folders_left, pattern=".gemma-????????", longest=_HOUR),
    files.DEMO_FOLDER: partial(
        _folders_left, pattern="bytebuddy-demo-????????", longest=_DAY
    ),
    files.PROJECT_CONFIG: _plain,
    files.PROJECT_ENV: _plain,
    files.PROJECT_STATE_ENV: _plain,
    files.MACHINE_CONFIG: _plain,
    files.HUB_TOKEN: _plain,
}
