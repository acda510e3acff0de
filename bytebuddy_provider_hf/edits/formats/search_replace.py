"""Read SEARCH/REPLACE blocks, as the models of aider, Cline and Roo write them."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.edits.formats.fences import Fence, fence_in, is_prose
from bytebuddy_provider_hf.edits.formats.file_names import named_file
from bytebuddy_provider_hf.edits.formats.hunks import Hunk, Numbers, Patch, hunk_of
from bytebuddy_provider_hf.edits.formats.numbered import read_numbered
from bytebuddy_provider_hf.edits.lines import any_known, is_distinctive, lines_of

# (aider, Roo: "<" and ">"; Cline: "-" and "+"; models write 5 to 9 of them.)
_OPENER: Final = re.compile(
    r"([ \t]*)(<{5,9}[ \t]*(?:SEARCH|ORIGINAL|OLD|BEFORE)|-{5,9}[ \t]*SEARCH)\b"
    r"(?: BLOCK)?(.{0,200})",
    re.IGNORECASE,
)
_CLOSER: Final = re.compile(
    r"[ \t]*(?:>{5,9}[ \t]*(?:(?:REPLACE|UPDATED|NEW|AFTER)\b.{0,60})?"
    r"|\+{5,9}[ \t]*REPLACE\b.{0,60})",
    re.IGNORECASE,
)
_DIVIDER: Final = re.compile(r"([ \t]*)(={5,9})[ \t]*")
_MARKER: Final = re.compile(r"<{5,9}|={5,9}|>{5,9}|-{5,9}|\+{5,9}")
# Roo states the place in front of the code, and ends that with a line of "-".
_PLACE: Final = re.compile(r"[ \t]*:?(start|end)_line:[ \t]*(\d{1,7})[ \t]*")
_RULE: Final = re.compile(r"[ \t]*-{5,9}[ \t]*")
_TAG: Final = re.compile(r"[ \t]*</?[A-Za-z_][^<>]{0,200}>.{0,300}")
_COMMENT: Final = ("#", "//", "--", "/*", "<!--", ";", "%", "...")

Line: TypeAlias = tuple[str, str]


@frozen
class _Block:
    """One block: its lines between the markers, and the file that it names."""

    body: tuple[Line, ...]
    indent: str
    signs: int
    file: str
    source: str = field(repr=False)


def read_search_replace(text: str, known: Container[str] = ()) -> Patch | None:
    """Return the blocks of a text as hunks; ``None`` where it has none.

    ``known`` are the lines of the original: markers among them are text, and a text
    that has others of them round its blocks is code in which blocks are quoted. A block
    that cannot be read leaves the patch without hunks: all of it or nothing.
    """
    if _MARKER.search(text) is None:
        return None
    lines = lines_of(text)
    blocks = _blocks(list(zip(lines.texts, lines.ends, strict=True)), known)
    if not blocks:
        return None
    files = frozenset(block.file for block in blocks if block and block.file)
    hunks: list[Hunk] = []
    growth = 0
    for block in blocks:
        hunk = _hunk(block, known, growth) if block else None
        if hunk is None:
            return Patch((), files, not lines.uniform)
        if hunk.numbers:
            growth += hunk.numbers.new_count - hunk.numbers.count
        hunks.append(hunk)
    return Patch(tuple(hunks), files, not lines.uniform)


def _blocks(lines: list[Line], known: Container[str]) -> list[_Block | None]:
    """Return the blocks of a text, ``None`` for one without its markers.

    There is no block where the text round them is code.
    """
    found: list[_Block | None] = []
    fence: Fence | None = None
    file, at = "", 0
    # The lines of the fence that is open: it holds blocks, or nothing of ours.
    inside: list[str] = []
    held = False
    while at < len(lines):
        line = lines[at][0]
        opener = _opener(line, known)
        if opener is not None:
            end, body_end = _end(lines, at + 1, fence, known)
            file = named_file(opener[3]) or file
            body = tuple(lines[at + 1 : max(body_end, at + 1)])
            source = "\n".join(text for text, _ in lines[at:end])
            signs = sum(char in "<-" for char in opener[2])
            whole = _Block(body, opener[1], signs, file, source)
            found.append(whole if body_end >= 0 else None)
            at, held = end, True
            continue
        mark = fence_in(line)
        if mark and fence is None:
            fence, inside, held = mark, [], False
            file = named_file(mark.info.partition(" ")[2] or mark.info) or file
        elif mark and fence and fence.closed_by(mark):
            if inside and not held:
                return []
            fence = None
        elif line.strip():
            named = named_file(line)
            file = named or file
            layout = named or line.strip().startswith(_COMMENT) or _TAG.fullmatch(line)
            if any_known([line], known) or (fence and not layout):
                return []
            if fence:
                inside.append(line)
        at += 1
    return found


def _opener(line: str, known: Container[str]) -> re.Match[str] | None:
    """Return the first marker of a block, if a line is one."""
    match = _OPENER.fullmatch(line.rstrip())
    if match is None or line in known:
        return None
    rest = match[3].strip(" \t#:>()0123456789")
    return match if not rest or named_file(rest) else None


def _end(
    lines: Sequence[Line], start: int, fence: Fence | None, known: Container[str]
) -> tuple[int, int]:
    """Return where a block ends and where its code does; -1 if nobody can tell."""
    cut: int | None = None
    end = len(lines)
    for at in range(start, len(lines)):
        line = lines[at][0]
        if line not in known and _CLOSER.fullmatch(line.rstrip()):
            return at + 1, at
        if _opener(line, known):
            end = at
            break
        mark = fence_in(line) if fence else None
        if cut is None and fence and mark and fence.closed_by(mark):
            cut = at
    divided = any(_DIVIDER.fullmatch(text) for text, _ in lines[start : cut or end])
    # The last marker is missing: the block ends with its fence, or with the text.
    if cut is not None:
        return cut, cut if divided else -1
    said = any(is_prose(text) for text, _ in lines[start:end])
    return end, end if divided and end == len(lines) and not said else -1


def _hunk(block: _Block, known: Container[str], growth: int) -> Hunk | None:
    """Return a block as a hunk, or ``None`` where its halves cannot be told apart."""
    body, start = block.body, 0
    while body and (match := _PLACE.fullmatch(body[0][0])):
        start = int(match[2]) if match[1] == "start" else start
        body = body[1:]
    if len(body) < len(block.body) and body and _RULE.fullmatch(body[0][0]):
        body = body[1:]
    at = _division(body, block, known)
    if at is None:
        return None
    search, replace = _half(body[:at], known), _half(body[at + 1 :], known)
    numbered = read_numbered([text for text, _ in search], known)
    if numbered is not None:
        start = start or numbered.first
        if numbered.gaps:
            return None
        search = _with_ends(numbered.lines, search)
        # What is new has the numbers of the old lines, as a rule.
        again = read_numbered([text for text, _ in replace])
        replace = _with_ends(again.lines, replace) if again else replace
    # Code may be indented with its markers, in a list: the file has it without.
    filled = [text for text, _ in (*search, *replace) if text.strip()]
    indent = block.indent if all(x.startswith(block.indent) for x in filled) else ""
    if indent and not any_known([text for text, _ in search], known):
        search = [(text.removeprefix(indent), end) for text, end in search]
        replace = [(text.removeprefix(indent), end) for text, end in replace]
    numbers = None
    if start:
        numbers = Numbers(start, len(search), start + growth, len(replace))
    lines = hunk_of(search, replace)
    return Hunk(lines, numbers, text=block.source, file=block.file)


def _division(body: Sequence[Line], block: _Block, known: Container[str]) -> int | None:
    """Return which line stands between what goes and what comes, if that is certain.

    A line of ``=`` also underlines a title. Of several the one divides before which all
    is of the original, with every conflict in it whole; there must be one such.
    """
    found = [
        (at, match[1], len(match[2]))
        for at, (text, _) in enumerate(body)
        if (match := _DIVIDER.fullmatch(text))
    ]
    if len(found) > 1:
        alike = [each for each in found if each[1:] == (block.indent, block.signs)]
        found = alike or found
    if len(found) == 1:
        return found[0][0]
    fitting: list[int] = []
    depth, checked = 0, 0
    for at, _, _ in found:
        part = [text for text, _ in body[checked:at]]
        checked = at
        if any(is_distinctive(text) and text not in known for text in part):
            break
        depth += sum(text.startswith("<" * 7) for text in part)
        depth -= sum(text.startswith(">" * 7) for text in part)
        if not depth:
            fitting.append(at)
    return fitting[0] if len(fitting) == 1 else None


def _half(body: Sequence[Line], known: Container[str]) -> list[Line]:
    r"""Return one side of a block as code, without a fence of its own.

    Nor has it the backslash that tells a line from a marker (``\=====``).
    """
    lines = [
        (text.replace("\\", "", 1), end)
        if text.lstrip().startswith("\\")
        and _MARKER.match(text.lstrip(), 1)
        and text not in known
        else (text, end)
        for text, end in body
    ]
    if len(lines) < 2:  # noqa: PLR2004 - both fences
        return lines
    first, last = fence_in(lines[0][0]), fence_in(lines[-1][0])
    if first is None or last is None or not first.closed_by(last):
        return lines
    if any_known([lines[0][0].rstrip()], known) or lines[-1][0].rstrip() in known:
        return lines
    return lines[1:-1]


def _with_ends(texts: Sequence[str], lines: Sequence[Line]) -> list[Line]:
    ends = (end for _, end in lines)
    return list(zip(texts, ends, strict=True))
