"""Render changes as diffs: unified ones, as models vary them, and codex patches."""

from __future__ import annotations

import random
from functools import partial
from typing import Final, Literal

from benchmarks.edits.cases import Edit, Line, Suggestion
from benchmarks.edits.styles import (
    Group,
    Render,
    Style,
    fenced,
    grouped,
    signed,
    unclear,
)
from benchmarks.edits.syntax import functions

_Headers = Literal["plain", "git", "times", "svn", "none"]
_Numbers = Literal["right", "function", "dots", "bare", "none"]


def _diff(
    edit: Edit,
    rng: random.Random,
    *,
    context: int = 3,
    headers: _Headers = "plain",
    numbers: _Numbers = "right",
    fence: str | None = None,
    new_first: bool = False,
) -> Suggestion | None:
    groups = grouped(edit, context)
    # Without a line between them, nothing parts two hunks.
    if numbers == "none" and len(groups) > 1:
        return None
    lines = _headers(edit, headers, rng)
    for at, group in enumerate(groups):
        if numbers != "none":
            lines.append(Line(_numbers(edit, group, numbers), "header", "", at))
        lines += signed(edit, group, at, new_first=new_first)
    ambiguous = any(unclear(edit, group) for group in groups)
    # Which line a replacement takes away is told; whether it follows is not.
    ambiguous = ambiguous or (new_first and context == 0)
    if fence is not None:
        lines = fenced(edit.file, lines, fence)
    return Suggestion(
        tuple(lines), ambiguous, numbered=numbers in ("right", "function")
    )


def _headers(edit: Edit, headers: _Headers, rng: random.Random) -> list[Line]:
    path = edit.file.path
    git = (
        f"diff --git a/{path} b/{path}",
        f"index {rng.getrandbits(28):07x}..{rng.getrandbits(28):07x} 100644",
    )
    texts = {
        "plain": (f"--- a/{path}", f"+++ b/{path}"),
        "git": (*git, f"--- a/{path}", f"+++ b/{path}"),
        "times": (
            f"--- {path}\t2025-03-01 10:00:00",
            f"+++ {path}\t2025-03-02 11:30:00",
        ),
        "svn": (
            f"Index: {path}",
            "=" * 67,
            f"--- {path}\t(revision 41)",
            f"+++ {path}\t(working copy)",
        ),
        "none": (),
    }[headers]
    return [Line(text, "header") for text in texts]


def _numbers(edit: Edit, group: Group, numbers: _Numbers) -> str:
    if numbers == "bare":
        return "@@"
    if numbers == "dots":
        return "@@ ... @@"
    count, new_count = group.end - group.start, group.new_count
    # An empty range names the line before it.
    start = group.start + (count > 0)
    new_start = group.new_start + (new_count > 0)
    header = f"@@ -{start},{count} +{new_start},{new_count} @@"
    if numbers == "function" and (name := enclosing(edit, group.start)):
        header += f" {name.strip()}"
    return header


def enclosing(edit: Edit, at: int) -> str:
    """Return the line that begins the innermost function round a line, if any."""
    around = [each for each in functions(edit.file) if each.start <= at < each.end]
    return edit.file.lines[around[-1].defined] if around else ""


def headings(edit: Edit, group: Group) -> list[str]:
    """Return the lines that begin the classes and functions round a hunk, above it."""
    return [
        edit.file.lines[each.defined].strip()
        for each in functions(edit.file)
        if each.defined < group.start < each.end
    ]


def _codex(
    edit: Edit,
    rng: random.Random,
    *,
    context: int = 3,
    named: bool = False,
    nested: bool = False,
    wrap: Literal["none", "fence", "heredoc", "command"] = "none",
    whole: bool = True,
    end_of_file: bool = False,
) -> Suggestion | None:
    del rng
    groups = grouped(edit, context)
    reaches = groups[-1].end == len(edit.file.lines)
    if end_of_file and not reaches:
        return None
    lines = [
        Line("*** Begin Patch", "sign"),
        Line(f"*** Update File: {edit.file.path}", "sign"),
    ]
    for at, group in enumerate(groups):
        names = headings(edit, group) if named else []
        if nested and len(names) < 2:  # noqa: PLR2004 - a class and its method
            return None
        shown = names[-2:] if nested else names[-1:]
        lines += [Line(f"@@ {name}", "header", "", at) for name in shown]
        if not shown:
            lines.append(Line("@@", "header", "", at))
        lines += signed(edit, group, at)
    if end_of_file:
        lines.append(Line("*** End of File", "sign"))
    if whole:
        lines.append(Line("*** End Patch", "sign"))
    if wrap == "fence":
        lines = fenced(edit.file, lines, "")
    elif wrap == "heredoc":
        lines = [Line("apply_patch <<'EOF'", "open"), *lines, Line("EOF", "sign")]
    elif wrap == "command":
        lines = fenced(
            edit.file,
            [Line("apply_patch << 'PATCH'", "sign"), *lines, Line("PATCH", "sign")],
            "bash",
        )
    return Suggestion(tuple(lines), any(unclear(edit, group) for group in groups))


def _d(name: str, render: Render, *, bound: bool = True) -> Style:
    return Style(f"diff {name}", "diff", render, bound)


def _c(name: str, render: Render, *, bound: bool = True) -> Style:
    return Style(f"codex {name}", "codex", render, bound)


STYLES: Final = (
    _d("context 3", _diff),
    _d("context 1", partial(_diff, context=1)),
    _d("context 2", partial(_diff, context=2)),
    _d("context 0", partial(_diff, context=0), bound=False),
    _d("context 10", partial(_diff, context=10)),
    _d("all of the file as context", partial(_diff, context=10_000)),
    _d("git headers", partial(_diff, headers="git")),
    _d("headers with times", partial(_diff, headers="times")),
    _d("svn headers", partial(_diff, headers="svn")),
    _d("no headers", partial(_diff, headers="none")),
    _d("no headers, fenced", partial(_diff, headers="none", fence="diff")),
    _d("fenced", partial(_diff, fence="diff")),
    _d("fenced as patch", partial(_diff, fence="patch")),
    _d("fenced, git headers", partial(_diff, fence="diff", headers="git")),
    _d("function after numbers", partial(_diff, numbers="function")),
    _d("numbers as dots", partial(_diff, numbers="dots")),
    _d("bare @@", partial(_diff, numbers="bare")),
    _d(
        "bare @@, no headers, fenced",
        partial(_diff, numbers="bare", headers="none", fence="diff"),
    ),
    _d("bare @@, context 1", partial(_diff, numbers="bare", context=1)),
    _d("bare @@, context 0", partial(_diff, numbers="bare", context=0), bound=False),
    _d("no @@", partial(_diff, numbers="none")),
    _d(
        "no @@, no headers, fenced",
        partial(_diff, numbers="none", headers="none", fence="diff"),
    ),
    _d("+ before -", partial(_diff, new_first=True)),
    _d("+ before -, fenced", partial(_diff, new_first=True, fence="diff")),
    _d("+ before -, context 0", partial(_diff, new_first=True, context=0), bound=False),
    _c("plain", _codex),
    _c("named", partial(_codex, named=True)),
    _c("nested", partial(_codex, named=True, nested=True)),
    _c("context 1", partial(_codex, context=1)),
    _c("context 1, named", partial(_codex, context=1, named=True)),
    _c("end of file", partial(_codex, end_of_file=True)),
    _c("no end", partial(_codex, whole=False)),
    _c("fenced", partial(_codex, wrap="fence")),
    _c("heredoc", partial(_codex, wrap="heredoc")),
    _c("heredoc in bash", partial(_codex, wrap="command", named=True)),
)
