"""Merge a suggestion into a text by rule: the intended text, or nothing."""

from __future__ import annotations

from attrs import evolve

from bytebuddy_provider_hf.edits.formats.suggestion import Part, read_suggestion
from bytebuddy_provider_hf.edits.indentation import has_odd_tabs
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
    # Hunks in blocks of their own are of one text all the same, if it has their lines.
    patches = [
        part.patch for part in parts if part.patch is not None and part.patch.hunks
    ]
    if 1 < len(patches) == len(parts) and not any(patch.moved for patch in patches):
        hunks = tuple(hunk for patch in patches for hunk in patch.hunks)
        joined = evolve(patches[0], hunks=hunks)
        if apply_patch(original, joined).text is not None:
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
    if verdict.text is None or has_odd_tabs(
        lines_of(original).texts, lines_of(verdict.text).texts
    ):
        return Merged(None, tuple(part.text for part in parts))
    return Merged(verdict.text, (), how, tuple(doubts))


def _merge_part(original: str, part: Part, language: Language | None) -> Merged:
    """Return a text with one part merged into it; one that changes it, or none."""
    if part.patch is None:
        merged = merge_code(original, part, language)
    else:
        placed = Placed(None, (part.text,))
        hunks = part.patch.hunks
        # Nobody can move a file by a change of its text, and of a fence without its end
        # the last hunk may have lost lines.
        cut = part.unclosed and bool(hunks) and hunks[-1].is_cut
        if hunks and not part.patch.moved and not cut:
            placed = apply_patch(original, part.patch)
        how: How = "patch" if part.how == "code" else part.how
        merged = Merged(placed.text, placed.unplaced, how)
    if merged.text is None or (merged.text == original and merged.how != "whole"):
        # What changes nothing was not understood.
        return Merged(None, merged.unplaced or (part.text,))
    return merged
