"""Read git's conflict markers as a suggestion, and find markers that were left."""

from __future__ import annotations

import re
from collections.abc import Container
from enum import Enum
from typing import Final, TypeAlias

from bytebuddy_provider_hf.edits.formats.hunks import Hunk, HunkLine, Patch, hunk_of
from bytebuddy_provider_hf.edits.lines import lines_of

# (git merge-file: seven signs, and one more space before a label.)
_OPENER: Final = re.compile(r"<{5,9}(?: .*|[A-Z]+.*)?", re.DOTALL)
_BASE: Final = re.compile(r"\|{5,9}(?: .*)?", re.DOTALL)
_DIVIDER: Final = re.compile(r"={5,9}[ \t]*")
_CLOSER: Final = re.compile(r">{5,9}(?: .*|[A-Z]+.*)?", re.DOTALL)
_CLINE: Final = re.compile(r"-{5,9} SEARCH|\+{5,9} REPLACE")
_CODEX: Final = re.compile(
    r"\*\*\* (?:Begin Patch|End Patch|End of File|(?:Update|Add|Delete) File: .*"
    r"|Move to: .*)",
    re.DOTALL,
)
_DIFF: Final = re.compile(
    r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@.*|diff --git .*"
    r"|(?:--- a/|\+\+\+ b/|--- /dev/null|\+\+\+ /dev/null).*",
    re.DOTALL,
)
# All that marks a change, in any format; a line of "=" may be text.
_MARKERS: Final = (_OPENER, _CLOSER, _CLINE, _CODEX, _DIFF)

_Line: TypeAlias = tuple[str, str]


class _Side(Enum):
    """The part of a conflict that a line is in."""

    NONE = "around"
    OLD = "old"
    BASE = "base"
    NEW = "new"


def has_conflict_markers(text: str) -> bool:
    """Return whether a text has both ends of a conflict, not only a line of ``=``."""
    if "<<<<<" not in text or ">>>>>" not in text:
        return False
    lines = lines_of(text).texts
    return any(_OPENER.fullmatch(line) for line in lines) and any(
        _CLOSER.fullmatch(line) for line in lines
    )


def read_conflicts(text: str, known: Container[str] = ()) -> Patch | None:
    """Return conflicts as one hunk: the first side goes, the second comes.

    The code round them is context, and so is what both sides have. ``None`` where the
    text has no conflict, or one whose markers are among the ``known`` lines, those of
    the original. One that is not whole leaves the patch without hunks.
    """
    if not has_conflict_markers(text):
        return None
    lines = lines_of(text)
    unread = Patch((), frozenset(), not lines.uniform)
    hunk: list[HunkLine] = []
    side, found = _Side.NONE, False
    old: list[_Line] = []
    new: list[_Line] = []
    for line, end in zip(lines.texts, lines.ends, strict=True):
        opens, closes = _OPENER.fullmatch(line), _CLOSER.fullmatch(line)
        if (opens or closes) and line in known:
            return None
        if opens and side is _Side.NONE:
            side, found = _Side.OLD, True
            old, new = [], []
        elif closes and side is _Side.NEW:
            hunk += hunk_of(old, new)
            side = _Side.NONE
        elif opens or closes:
            return unread
        elif side is _Side.NONE:
            hunk.append(HunkLine(" " if line else "", line, end))
        elif side is _Side.OLD and _BASE.fullmatch(line):
            side = _Side.BASE
        elif side is not _Side.NEW and _DIVIDER.fullmatch(line):
            side = _Side.NEW
        elif side is _Side.NEW and _DIVIDER.fullmatch(line) and line not in known:
            return unread
        elif side is not _Side.BASE:
            (old if side is _Side.OLD else new).append((line, end))
    if not found or side is not _Side.NONE:
        return unread
    if all(line.sign not in ("+", "-") for line in hunk):
        return unread
    return Patch((Hunk(tuple(hunk), text=text),), frozenset(), not lines.uniform)


def left_markers(original: str, result: str) -> tuple[str, ...]:
    """Return lines of a result that mark a change instead of making it.

    They are markers of conflicts, of SEARCH/REPLACE blocks and of codex patches, and
    the headers of diffs. What the original has is text; and a line of ``=`` underlines
    a title, unless other markers are left as well.
    """
    known = frozenset(lines_of(original).texts)
    lines = [line for line in lines_of(result).texts if line not in known]
    found: set[str] = set()
    for line in lines:
        said = line.strip()
        # No marker is long, and a match of a whole megabyte is not needed.
        if len(said) < 5 or said[0] not in "<>|*@d-+":  # noqa: PLR2004 - the shortest
            continue
        if any(marker.fullmatch(said) for marker in _MARKERS):
            found.add(line)
    if not found:
        return ()
    return tuple(line for line in lines if line in found or _DIVIDER.fullmatch(line))
