"""Merge a suggestion into a text by rule: the intended text, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from attrs import evolve, frozen

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.definitions import definitions, gone
from bytebuddy_provider_hf.edits.elided import (
    apply_elided,
    has_elisions,
    possible_elisions,
    with_sure_markers,
)
from bytebuddy_provider_hf.edits.fences import is_prose
from bytebuddy_provider_hf.edits.hunks import Patch
from bytebuddy_provider_hf.edits.indentation import indent_of, with_tabs_like
from bytebuddy_provider_hf.edits.judge import doubts_of, judge, markers_in
from bytebuddy_provider_hf.edits.languages import Language, language_of
from bytebuddy_provider_hf.edits.lines import Placed, lines_of
from bytebuddy_provider_hf.edits.named_blocks import replace_blocks
from bytebuddy_provider_hf.edits.patch import apply_patch
from bytebuddy_provider_hf.edits.spoken import is_talk_line
from bytebuddy_provider_hf.edits.suggestion import Part, read_suggestion
from bytebuddy_provider_hf.edits.wholefile import replace_file
from bytebuddy_provider_hf.errors import Doubt

How: TypeAlias = Literal[
    "patch",
    "search_replace",
    "codex",
    "conflict",
    "before_after",
    "lazy",
    "whole",
    "snippet",
]


@frozen
class Merged(Placed):
    """A new text and how it came about; or ``None``, and what has no certain place.

    ``doubts`` are reasons to look at the text before it is written.
    """

    how: How | None = None
    doubts: tuple[Doubt, ...] = ()


def merge(
    original: str, suggestion: str, *, path: str = "", language: str = ""
) -> Merged:
    """Return ``original`` with ``suggestion`` worked in, where only one result fits.

    A suggestion may be in any format of
    :func:`~bytebuddy_provider_hf.edits.suggestion.read_suggestion`: changes that are
    named, code with markers such as ``// ... existing code ...``, the whole new text,
    or one block that is there already. Several parts are worked in one after the other.
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


def _filled(text: str) -> list[str]:
    return [line for line in lines_of(text).texts if line.strip()]


def _is_cut(part: Part) -> bool:
    """Return whether a patch ends before its last hunk and its fence do."""
    if part.patch is None or not part.unclosed:
        return False
    last = part.patch.hunks[-1]
    if last.numbers is None:
        return False
    old, new = len(last.old), sum(line.new for line in last.lines)
    return old < last.numbers.count or new < last.numbers.new_count


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
    indents = {indent_of(line)[:1] for line in lines_of(original).texts}
    if indents != {"", " "} and indents != {" "}:
        return False
    return any(indent_of(line)[:1] == "\t" for line in lines_of(result).texts)


def _merge_part(original: str, part: Part, language: Language | None) -> Merged:
    """Return a text with one part of a suggestion merged into it."""
    if part.patch is not None:
        # Nobody can move a file by a change of its text.
        placed = Placed(None, (part.text,))
        if part.patch.hunks and not part.patch.moved and not _is_cut(part):
            placed = apply_patch(original, part.patch)
        return _result(
            original, part, placed, "patch" if part.how == "code" else part.how
        )
    # With numbers that jump, lines may be left out or meant to go; with those of most
    # of the text, its end as well.
    half = 2 * len(lines_of(part.code).texts) > len(lines_of(original).texts)
    if part.gaps or (part.first == 1 and part.open_end and half):
        return Merged(None, (part.text,))
    own = lines_of(_without_talk(original, part.code, language))
    same = with_tabs_like(lines_of(original).texts, own.texts)
    if same is None:
        return Merged(None, (part.text,))
    same = with_sure_markers(same, lines_of(original).texts)
    said = "".join(map("".join, zip(same, own.ends, strict=True)))
    part = evolve(part, code=said)
    if part.first is not None and not has_elisions(said):
        block = replace_blocks(original, said, language, most=1)
        if block is not None:
            return _result(original, part, Placed(block), "snippet")
    if has_elisions(said) or part.open_start or part.open_end:
        lazy = _elided(original, part, language)
        if lazy.text is not None and _filled(lazy.text) == _filled(original):
            # Blank lines alone are no change that anybody would hand over so.
            lazy = Placed(None, (part.text,))
        return _result(original, part, lazy, "lazy")
    if doubtful := possible_elisions(original, said):
        return Merged(None, doubtful)
    # It may differ in line ends alone, which are the original's business.
    if lines_of(said).texts == lines_of(original).texts:
        return Merged(original, (), "whole")
    if (text := replace_file(original, said)) is not None:
        merged = _result(original, part, Placed(text), "whole")
        before, after = lines_of(original).texts, lines_of(text).texts
        names = gone(before, after, aligned(before, after), language)
        return Merged(merged.text, merged.unplaced, merged.how, doubts_of(names))
    block = replace_blocks(original, said, language)
    return _result(original, part, Placed(block), "snippet")


def _elided(original: str, part: Part, language: Language | None) -> Placed:
    """Return a text with a part that has markers merged into it."""
    placed = apply_elided(
        original, part.code, open_start=part.open_start, open_end=part.open_end
    )
    lines = [line for line in lines_of(part.code).texts if line.strip()]
    # A function whose middle is left out begins and ends where no marker tells so.
    if placed.text is None and definitions(lines[:1], language):
        placed = apply_elided(original, part.code, open_start=True, open_end=True)
    return placed


def _result(original: str, part: Part, placed: Placed, how: How) -> Merged:
    """Return a result; a part that changes nothing was not understood."""
    if placed.text is None or placed.text == original:
        return Merged(None, placed.unplaced or (part.text,))
    return Merged(placed.text, (), how)
