"""Merge code that is handed over without a format: parts, blocks, the whole text."""

from __future__ import annotations

from attrs import evolve

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.answers.sentences import without_talk
from bytebuddy_provider_hf.edits.definitions import definitions, gone
from bytebuddy_provider_hf.edits.formats.suggestion import Part
from bytebuddy_provider_hf.edits.indentation import with_tabs_like
from bytebuddy_provider_hf.edits.judging.judge import doubts_of
from bytebuddy_provider_hf.edits.languages import Language
from bytebuddy_provider_hf.edits.lines import lines_of
from bytebuddy_provider_hf.edits.placed import Merged
from bytebuddy_provider_hf.edits.placing.elided import (
    apply_elided,
    has_elisions,
    possible_elisions,
    with_sure_markers,
)
from bytebuddy_provider_hf.edits.placing.named_blocks import replace_blocks
from bytebuddy_provider_hf.edits.placing.wholefile import replace_file


def merge_code(original: str, part: Part, language: Language | None) -> Merged:
    """Return ``original`` with a part that is code: with markers, a block, or whole."""
    nowhere = Merged(None, (part.text,))
    before = lines_of(original).texts
    code = part.code
    if has_elisions(code):
        code = without_talk(code, original, language)
    own = lines_of(code)
    same = with_tabs_like(before, own.texts)
    # With numbers that jump, lines may be left out or meant to go; with those of most
    # of the text, its end as well.
    half = part.first == 1 and part.open_end and 2 * len(own.texts) > len(before)
    if part.gaps or half or same is None:
        return nowhere
    same = with_sure_markers(same, before)
    said = "".join(map("".join, zip(same, own.ends, strict=True)))
    part = evolve(part, code=said)
    marked = has_elisions(said)
    if marked or part.open_start or part.open_end:
        # With numbers a block is known by its name before its lines are.
        block = None if marked else replace_blocks(original, said, language, most=1)
        if block is not None:
            return Merged(block, (), "snippet")
        lazy = apply_elided(
            original, said, open_start=part.open_start, open_end=part.open_end
        )
        filled = [line for line in lines_of(said).texts if line.strip()]
        # A function whose middle is left out begins and ends where no marker tells so.
        if lazy.text is None and definitions(filled[:1], language):
            lazy = apply_elided(original, said, open_start=True, open_end=True)
        # Blank lines alone are no change that anybody would hand over so.
        if lazy.text is None or _filled(lazy.text) == _filled(original):
            return Merged(None, lazy.unplaced or (part.text,))
        return Merged(lazy.text, (), "lazy")
    if doubtful := possible_elisions(original, said):
        return Merged(None, doubtful)
    # It may differ in line ends alone, which are the original's business.
    if tuple(same) == before:
        return Merged(original, (), "whole")
    if (text := replace_file(original, said)) is not None:
        after = lines_of(text).texts
        names = gone(before, after, aligned(before, after), language)
        return Merged(text, (), "whole", doubts_of(names))
    block = replace_blocks(original, said, language)
    return nowhere if block is None else Merged(block, (), "snippet")


def _filled(text: str) -> list[str]:
    return [line for line in lines_of(text).texts if line.strip()]
