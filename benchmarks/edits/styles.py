"""Register the styles in which models hand over a change, by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

from attrs import frozen

from benchmarks.edits.cases import Edit, File, Line, Op, Suggestion, code
from bytebuddy_provider_hf.edits.formats.fences import fence_for

# How a style says what stays, which decides what slips can do to it.
Family: TypeAlias = Literal[
    "diff",
    "part",
    "search",
    "codex",
    "conflict",
    "pair",
    "numbered",
    "whole",
    "function",
    "several",
]
Render: TypeAlias = Callable[[Edit, random.Random], Suggestion | None]
# Languages whose files are sentences, or unknown: nothing tells code from talk.
PROSE: Final = ("markdown", "restructuredtext", "text", "")


@frozen
class Style:
    """A way to hand over a change; ``render`` gives ``None`` where it cannot say it."""

    name: str
    family: Family
    render: Render
    # Whether a bound says that it is placed by rule nine times in ten.
    bound: bool = False


@frozen
class Group:
    """Changes that lie near each other: lines ``start`` to ``end`` of the original."""

    start: int
    end: int
    ops: tuple[Op, ...]
    new_start: int

    @property
    def new_count(self) -> int:
        """How many lines it has after the change."""
        return self.end - self.start + sum(op.growth for op in self.ops)


def grouped(edit: Edit, context: int) -> list[Group]:
    """Return the changes of an edit with so many lines of context, as ``diff`` does."""
    found: list[list[Op]] = []
    for op in edit.ops:
        if found and op.start - found[-1][-1].end <= 2 * context:
            found[-1].append(op)
        else:
            found.append([op])
    groups, growth = [], 0
    last = len(edit.file.lines)
    for ops in found:
        start = max(0, ops[0].start - context)
        end = min(last, ops[-1].end + context)
        groups.append(Group(start, end, tuple(ops), start + growth))
        growth += sum(op.growth for op in ops)
    return groups


def signed(edit: Edit, group: Group, at: int, *, new_first: bool = False) -> list[Line]:
    """Return a group as the lines of a diff."""
    lines, done = edit.file.lines, group.start
    found: list[Line] = []
    for op in group.ops:
        found += code(lines[done : op.start], "context", " ", at)
        old = code(lines[op.start : op.end], "old", "-", at)
        new = code(op.new, "new", "+", at)
        found += [*new, *old] if new_first else [*old, *new]
        done = op.end
    return [*found, *code(lines[done : group.end], "context", " ", at)]


def side(edit: Edit, group: Group, at: int, *, new: bool) -> list[Line]:
    """Return a group as it was, or as it becomes, each line with its role."""
    lines, done = edit.file.lines, group.start
    found: list[Line] = []
    for op in group.ops:
        found += code(lines[done : op.start], "context", "", at)
        if new:
            found += code(op.new, "new", "", at)
        else:
            found += code(lines[op.start : op.end], "old", "", at)
        done = op.end
    found += code(lines[done : group.end], "context", "", at)
    return found


def unclear(edit: Edit, group: Group) -> bool:
    """Whether the old lines of a group stand elsewhere in the file, too."""
    return edit.file.places(edit.file.lines[group.start : group.end]) != 1


def fenced(
    file: File, lines: Sequence[Line], info: str | None = None, group: int = 0
) -> list[Line]:
    """Return lines between fences that nothing in them can close."""
    fence = fence_for("\n".join(line.written for line in lines))
    said = INFO.get(file.language, file.language) if info is None else info
    return [
        Line(f"{fence}{said}", "open", "", group),
        *lines,
        Line(fence, "close", "", group),
    ]


INFO: Final = {"text": "", "ini": "ini", "restructuredtext": "rst"}


def comment(file: File, said: str) -> str:
    """Return a comment in the language of a file; the bare words, if it has none."""
    return _COMMENTS.get(file.language, "{}").format(said)


_COMMENTS: Final = {
    **dict.fromkeys(("python", "yaml", "toml", "bash", "makefile"), "# {}"),
    **dict.fromkeys(("ini", "dockerfile", "powershell"), "# {}"),
    **dict.fromkeys(("c", "json", "javascript", "cpp"), "// {}"),
    **dict.fromkeys(("markdown", "html", "xml"), "<!-- {} -->"),
    "css": "/* {} */",
    "restructuredtext": ".. {}",
}


def all_styles() -> tuple[Style, ...]:
    """Return every style; the names are stable and each stands once."""
    from benchmarks.edits import style_blocks, style_diffs, style_parts, style_texts

    return (
        *style_diffs.STYLES,
        *style_parts.STYLES,
        *style_blocks.STYLES,
        *style_texts.STYLES,
    )
