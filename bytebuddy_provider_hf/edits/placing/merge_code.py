"""Merge code that is handed over without a format: parts, blocks, the whole text."""

from __future__ import annotations

from attrs import evolve

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.answers.spoken import is_talk_line
from bytebuddy_provider_hf.edits.definitions import definitions, gone
from bytebuddy_provider_hf.edits.formats.fences import is_prose
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
    own = lines_of(_without_talk(original, part.code, language))
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


def _without_talk(original: str, said: str, language: Language | None) -> str:
    """Return a part with markers without the sentences before and after its code."""
    if not has_elisions(said):
        return said
    lines = said.split("\n")
    known = {line.strip() for line in lines_of(original).texts}
    prose = language is None or language.prose

    def is_talk(line: str) -> bool:
        if line.strip() in known:
            return False
        return is_talk_line(line, prose=prose) or (not prose and is_prose(line))

    for edge in (0, -1):
        kept = list(lines)
        while kept and (not kept[edge].strip() or is_talk(kept[edge])):
            if kept.pop(edge).strip():
                lines = list(kept)
    return "\n".join(lines)


def _filled(text: str) -> list[str]:
    return [line for line in lines_of(text).texts if line.strip()]
