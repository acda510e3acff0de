"""Make the changes that are safe: one line of a file, or the mode of one."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.config.files import replace
from bytebuddy_provider_hf.config.stored_files import CONFIG
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.texts import text

_ITEM: Final = re.compile(r"(\s*)-(?=\s)")


def replace_in_line(path: Path, line: int, wanted: re.Pattern[str], by: str) -> None:
    """Replace what ``wanted`` finds in the entry that begins at ``line``.

    Raises ``ConfigError`` where the entry has no such line, or more than one.
    """
    lines, at = _line_of(path, line, wanted)
    lines[at] = wanted.sub(lambda _: by, lines[at], count=1)
    _write(path, lines)


def comment_out(path: Path, line: int, wanted: re.Pattern[str]) -> None:
    """Make a comment of the line that ``wanted`` begins, in the entry at ``line``.

    Raises ``ConfigError`` where the entry has no such line, or more than one, or where
    it is the line that begins the entry.
    """
    lines, at = _line_of(path, line, wanted)
    if _ITEM.match(lines[at]):
        # Without it, the next key would not begin an item of the list.
        raise ConfigError(text("doctor.fix_by_hand", file=path, line=at + 1))
    indent = len(lines[at]) - len(lines[at].lstrip())
    lines[at] = f"{lines[at][:indent]}# {lines[at][indent:]}"
    _write(path, lines)


def keep_from_others(path: Path) -> None:
    """Take the right to write to a file or folder from everybody but its owner."""
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode & ~(stat.S_IWGRP | stat.S_IWOTH))


def _line_of(path: Path, line: int, wanted: re.Pattern[str]) -> tuple[list[str], int]:
    raw = read_regular_file(path, CONFIG.most + 1).decode("utf-8")
    # Not splitlines: a value may hold a line separator of Unicode.
    lines = raw.split("\n")
    begin = line - 1
    if begin >= len(lines):
        raise ConfigError(text("doctor.fix_by_hand", file=path, line=line))
    # The first key stands behind the dash, or a line below it.
    item = _ITEM.match(lines[begin]) or _ITEM.match(lines[max(0, begin - 1)])
    depth = len(item[1]) if item else 0
    end = begin + 1
    while end < len(lines):
        found = _ITEM.match(lines[end])
        if found and len(found[1]) <= depth:
            break
        end += 1
    fitting = [
        at
        for at in range(begin, end)
        if wanted.search(lines[at].partition(" #")[0])
        and not lines[at].lstrip().startswith("#")
    ]
    if len(fitting) != 1:
        raise ConfigError(text("doctor.fix_by_hand", file=path, line=line))
    return lines, fitting[0]


def _write(path: Path, lines: list[str]) -> None:
    # The link's own file, so that a link to a file elsewhere stays one.
    target = path.resolve()
    mode = stat.S_IMODE(target.stat().st_mode)
    replace(
        target,
        "\n".join(lines).encode("utf-8"),
        prepare=lambda handle: os.fchmod(handle, mode),
    )
