"""Merge a suggestion into a text by rule: the intended text, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from bytebuddy_provider_hf.edits.formats.hunks import Patch
from bytebuddy_provider_hf.edits.formats.suggestion import Part, read_suggestion
from bytebuddy_provider_hf.edits.indentation import indent_of
from bytebuddy_provider_hf.edits.judging.judge import judge, markers_in
from bytebuddy_provider_hf.edits.languages import Language, language_of
from bytebuddy_provider_hf.edits.lines import lines_of
from bytebuddy_provider_hf.edits.placed import How, Merged, Placed
from bytebuddy_provider_hf.edits.placing.merge_code import merge_code
from bytebuddy_provider_hf.edits.placing.patch import apply_patch
from bytebuddy_provider_hf.errors import Doubt


def merge(
    original: str, suggestion: str, *, path: str = "", language: str = ""
) -> Merged:
    """Return ``original`` with ``suggestion`` worked in, where only one result fits.

    A suggestion may be in any format of the room ``formats``: changes that are named,
    code with markers such as ``// ... existing code ...``, the whole new text, or
    blocks that are there already. Several parts are worked in one after the other.
    Line ends and the end of the last line are those of ``original``. A suggestion that
    would change nothing is not placed: it was not understood.
    """
    kind = language_of(path, language)
    parts = read_suggestion(original, suggestion, language=kind, path=path)
    if not parts:
        return Merged(None, (suggestion,))
    text = original
    if len(parts) > 1 and (joined := _joined(parts)) is not None:
        placed = apply_patch(original, joined)
        if placed.text is not None:
            parts = (evolve(parts[0], patch=joined),)
    doubts: list[Doubt] = []
    how: How | None = None
    for part in parts:
        merged = _merge_part(text, part, kind)
        if merged.text is None:
            # Half a suggestion is no text that anybody intended.
            return merged
        text, how = merged.text, merged.how
        doubts += merged.doubts
    if how == "whole" and len(parts) == 1:
        # It is the suggestion itself, and nothing of it is left to explain.
        marks = markers_in(original, text)
        return Merged(None, marks) if marks else Merged(text, (), how, tuple(doubts))
    verdict = judge(original, parts, text)
    if verdict.text is None or _has_odd_tabs(original, verdict.text):
        return Merged(None, tuple(part.text for part in parts))
    return Merged(verdict.text, (), how, tuple(doubts))


def _joined(parts: Sequence[Part]) -> Patch | None:
    """Return the hunks of all parts as one patch, if all are patches of one file."""
    patches = [part.patch for part in parts if part.patch is not None]
    if len(patches) < len(parts) or any(not x.hunks or x.moved for x in patches):
        return None
    hunks = tuple(hunk for patch in patches for hunk in patch.hunks)
    return evolve(patches[0], hunks=hunks)


def _has_odd_tabs(original: str, result: str) -> bool:
    """Return whether lines are indented by tabs in a text that has only blanks.

    A model that writes tabs for blanks does so in lines as well that show nowhere how
    the text has them.
    """
    signs = {indent_of(line)[:1] for line in lines_of(original).texts}
    if " " not in signs or "\t" in signs:
        return False
    return any(indent_of(line)[:1] == "\t" for line in lines_of(result).texts)


def _merge_part(original: str, part: Part, language: Language | None) -> Merged:
    """Return a text with one part merged into it; one that changes it, or none."""
    if part.patch is None:
        merged = merge_code(original, part, language)
    else:
        placed = Placed(None, (part.text,))
        # Nobody can move a file by a change of its text.
        if part.patch.hunks and not part.patch.moved and not _is_cut(part):
            placed = apply_patch(original, part.patch)
        how: How = "patch" if part.how == "code" else part.how
        merged = Merged(placed.text, placed.unplaced, how)
    if merged.text is None or (merged.text == original and merged.how != "whole"):
        # What changes nothing was not understood.
        return Merged(None, merged.unplaced or (part.text,))
    return merged


def _is_cut(part: Part) -> bool:
    """Return whether a patch ends before its last hunk and its fence do."""
    if part.patch is None or not part.unclosed:
        return False
    last = part.patch.hunks[-1]
    if last.numbers is None:
        return False
    old, new = len(last.old), sum(line.new for line in last.lines)
    return old < last.numbers.count or new < last.numbers.new_count
