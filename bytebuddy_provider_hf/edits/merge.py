"""Merge a suggestion into a text by rule: the intended text, or nothing."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.edits.elided import (
    apply_elided,
    has_elisions,
    possible_elisions,
)
from bytebuddy_provider_hf.edits.fences import Fence, fence_in
from bytebuddy_provider_hf.edits.hunks import is_patch, read_patch
from bytebuddy_provider_hf.edits.judge import judge
from bytebuddy_provider_hf.edits.lines import Placed, lines_of
from bytebuddy_provider_hf.edits.patch import apply_patch
from bytebuddy_provider_hf.edits.runs import runs_of_code
from bytebuddy_provider_hf.edits.text_filter import filtered
from bytebuddy_provider_hf.edits.unwrap import Unwrapper
from bytebuddy_provider_hf.edits.wholefile import replace_block, replace_file
from bytebuddy_provider_hf.errors import Doubt

How: TypeAlias = Literal["patch", "lazy", "whole", "snippet"]

# What the fence of a diff says, and how the lines before its first hunk begin.
_DIFFS: Final = ("diff", "patch", "udiff")
_DIFF_STARTS: Final = ("diff --git ", "--- ", "@@")


@frozen
class Merged(Placed):
    """A new text and how it came about; or ``None``, and what has no certain place."""

    how: How | None = None
    doubts: tuple[Doubt, ...] = ()


@frozen
class Block:
    """A fenced block of a suggestion, or all of it; ``info`` is what the fence said."""

    text: str
    info: str = ""


def merge(
    original: str, suggestion: str, *, path: str = "", language: str = ""
) -> Merged:
    """Return ``original`` with ``suggestion`` worked in, where only one result fits.

    A suggestion may be a unified diff, code with markers such as ``// ... existing code
    ...``, the whole new text, or one block that is there already; in a fence or not.
    Several fenced blocks are worked in one after the other. Line ends and the end of
    the last line are those of ``original``. A diff or a part that would change nothing
    is not placed: it was not understood.
    """
    blocks = blocks_of(original, suggestion)
    if not blocks:
        return Merged(None, (suggestion,))
    text = original
    how: How | None = None
    for block in blocks:
        merged = _merge_block(text, block)
        if merged.text is None:
            # Half a suggestion is no text that anybody intended.
            return merged
        text, how = merged.text, merged.how
    return Merged(text, (), how)


def blocks_of(original: str, suggestion: str) -> tuple[Block, ...]:
    """Return the code in a suggestion; nothing where a block is not closed.

    What is said round fenced blocks is left out. In a text that has fences itself one
    block is told for sure, and nothing is returned where more seem to follow.
    """
    # The lines of a diff may be fences themselves, where it changes a Markdown file: it
    # stands in none if it begins before the first.
    said = lines_of(suggestion).texts
    first_sign = next(
        (x for x in said if x.startswith(_DIFF_STARTS) or fence_in(x)), _DIFF_STARTS[0]
    )
    if is_patch(suggestion) and first_sign.startswith(_DIFF_STARTS):
        return (Block(suggestion, "diff"),)
    unwrapper = Unwrapper(original)
    text = filtered(suggestion, unwrapper)
    if not unwrapper.complete or unwrapper.followed:
        return ()
    if not unwrapper.fenced:
        # Nothing is known of it: it is read as it is, but for a line of preamble.
        return (Block(text),) if text.strip() else ()
    first = Block(text, unwrapper.info)
    found = [first] if unwrapper.nested else _fenced(suggestion)
    if found is not None and len(found) == 1:
        # Read as one block it has the line ends of the original already.
        found = [first]
    return tuple(block for block in found or () if block.text.strip())


def _fenced(suggestion: str) -> list[Block] | None:
    """Return every block that stands in a fence; ``None`` where one is left open."""
    found: list[Block] = []
    opened: Fence | None = None
    lines: list[str] = []
    for line in lines_of(suggestion).texts:
        fence = fence_in(line)
        if opened is None:
            opened, lines = fence, []
        elif fence is not None and opened.closed_by(fence):
            found.append(Block("".join(lines), opened.info))
            opened = None
        else:
            space = len(line) - len(line.lstrip(" "))
            lines.append(line[min(space, opened.indent) :] + "\n")
    return None if opened is not None else found


def _merge_block(original: str, block: Block) -> Merged:
    """Return a text with one block of a suggestion merged into it."""
    said = block.text
    if is_patch(said) or block.info.lower().startswith(_DIFFS):
        patched = apply_patch(original, read_patch(said))
        return _result(original, block, patched.text, "patch", patched.unplaced)
    if has_elisions(said):
        lazy = apply_elided(original, said)
        text = lazy.text
        if text is not None:
            runs = runs_of_code(lines_of(said).texts, whole=True)
            text = judge(original, [runs], text).text
        return _result(original, block, text, "lazy", lazy.unplaced)
    if doubtful := possible_elisions(original, said):
        return Merged(None, doubtful)
    # It may differ in line ends alone, which are the original's business.
    if lines_of(said).texts == lines_of(original).texts:
        return Merged(original, (), "whole")
    if (text := replace_file(original, said)) is not None:
        return _result(original, block, text, "whole")
    return _result(original, block, replace_block(original, said), "snippet")


def _result(
    original: str,
    block: Block,
    text: str | None,
    how: How,
    unplaced: tuple[str, ...] = (),
) -> Merged:
    """Return a result; a block that changes nothing was not understood."""
    if text is None or text == original:
        return Merged(None, unplaced or (block.text,))
    return Merged(text, (), how)
