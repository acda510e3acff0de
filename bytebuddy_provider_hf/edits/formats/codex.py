"""Read patches of codex: ``*** Begin Patch``, files by name, places by heading.

(Format: the grammar of ``apply_patch`` in openai/codex.)
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from bytebuddy_provider_hf.edits.formats.hunks import Hunk, OpenHunk, Patch
from bytebuddy_provider_hf.edits.lines import any_known, lines_of

_BEGIN: Final = "*** Begin Patch"
_END: Final = "*** End Patch"
_FILE: Final = re.compile(r"\*\*\* (Update|Add|Delete) File:[ \t]*(.{1,400})")
_MOVE: Final = re.compile(r"\*\*\* Move to:[ \t]*(.{1,400})")
_END_OF_FILE: Final = "*** End of File"
_NOWHERE: Final = "/dev/null"


def read_codex(text: str, known: Container[str] = ()) -> Patch | None:
    """Return the patches in a text; ``None`` where it has none.

    ``known`` are the lines of the original: a text that has some of them round a patch
    is code in which the patch is quoted. A file that is deleted makes ``files`` hold
    ``/dev/null``, as in a diff. What stands round a patch, such as a shell's ``<<EOF``,
    is left out.
    """
    if "*** " not in text:
        return None
    lines = lines_of(text)
    hunks: list[Hunk] = []
    files: set[str] = set()
    moved = ""
    current: OpenHunk | None = None
    file, action, begun, inside = "", "", False, False
    for line, end in zip(lines.texts, lines.ends, strict=True):
        said = line.rstrip()
        match = None if line in known else _FILE.fullmatch(said)
        if match or said in (_BEGIN, _END):
            if line in known:
                return None
            hunks += current.closed() if current else []
            begun, current = True, None
            inside = said != _END
            if match:
                file, action = match[2].strip(), match[1]
                files |= {file, _NOWHERE} if action == "Delete" else {file}
                # Lines may come without a header, and all of a new file's do.
                current = OpenHunk("", file=file)
        elif not inside:
            # After the last line of a patch, or before its first.
            if any_known([line], known):
                return None
        elif moves := _MOVE.fullmatch(said):
            moved = moves[1].strip()
        elif said == _END_OF_FILE:
            if current:
                current.at_end = True
        elif said == "@@" or said.startswith("@@ "):
            hunks += current.closed() if current else []
            outer = current.heading if current and current.is_empty else ""
            current = OpenHunk(said, file=file, outer=outer)
        elif current and not (
            current.is_empty and said.startswith(("--- ", "+++ ")) and action != "Add"
        ):
            if said.startswith(("```", "~~~")) and said.strip("`~") == "":
                # The fence ends a patch that has no last line.
                hunks += current.closed()
                current, inside = None, False
            else:
                current.add(line, end)
    hunks += current.closed() if current else []
    if not begun:
        return None
    return Patch(tuple(hunks), frozenset(files), not lines.uniform, moved)
