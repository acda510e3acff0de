"""Read a suggestion: which parts of it are code of the file, and in which format."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from attrs import evolve, frozen

from bytebuddy_provider_hf.edits.formats.before_after import pair_of, read_pairs
from bytebuddy_provider_hf.edits.formats.blocks import Block, blocks_of, without_tags
from bytebuddy_provider_hf.edits.formats.codex import read_codex
from bytebuddy_provider_hf.edits.formats.conflicts import read_conflicts
from bytebuddy_provider_hf.edits.formats.file_names import same_file
from bytebuddy_provider_hf.edits.formats.hunks import Patch, read_patch
from bytebuddy_provider_hf.edits.formats.numbered import numbered_text
from bytebuddy_provider_hf.edits.formats.relevance import File, relevant
from bytebuddy_provider_hf.edits.formats.search_replace import read_search_replace
from bytebuddy_provider_hf.edits.languages import Language
from bytebuddy_provider_hf.edits.lines import any_known, is_distinctive, lines_of

How: TypeAlias = Literal[
    "patch", "search_replace", "codex", "conflict", "before_after", "code"
]

_SEVERAL: Final = 2
_CHANGES: Final = ("+", "-")


@frozen
class Part:
    """One change that a suggestion makes, or one piece of code of it.

    ``text`` is what was said, for messages, and ``how`` its format. All but ``code``
    come as a ``patch``; one without hunks could not be read, or changes nothing.

    ``code`` is bare of fences, line numbers and preamble; ``info`` is what its fence
    said. Where numbers told its place it is from line ``first`` (counted from 1), with
    ``gaps`` where they jump, and the file goes on before it (``open_start``) or after
    it (``open_end``). An ``unclosed`` part is one whose fence has no end.
    """

    text: str
    how: How
    patch: Patch | None = None
    code: str = ""
    info: str = ""
    first: int | None = None
    gaps: bool = False
    open_start: bool = False
    open_end: bool = False
    unclosed: bool = False


def read_suggestion(
    original: str, suggestion: str, *, language: Language | None, path: str = ""
) -> tuple[Part, ...]:
    """Return the parts of a suggestion, in order; none where none is of this file.

    Blocks in another language or for another file, commands for a shell and examples
    of use are no parts. Markers that the original has itself are text.
    """
    lines = lines_of(original)
    file = File(original, frozenset(lines.texts), language, path)
    said = without_tags(original, suggestion)
    if found := _patch_in(Block(said), file, whole=True):
        parts = [found]
    else:
        parts = _parts(blocks_of(original, said), file)
    names = {name for part in parts if part.patch for name in part.patch.files}
    several = len(names) >= _SEVERAL
    own = {name for name in names if path and same_file(name, path)}
    # ``a/x.py`` and ``x.py`` are one file, ``src/x.py`` and ``lib/x.py`` are two.
    longest = max(own, key=len, default="")
    if several and not (own and all(same_file(name, longest) for name in own)):
        return ()
    kept: list[Part] = []
    for part in parts:
        patch = part.patch
        if patch:
            patch = patch.without_elisions(file.lines)
            # A new line that stands for others: the code that it means is not here.
            patch = evolve(patch, hunks=()) if patch.elides(file.lines) else patch
        if patch and patch.files and several:
            if not patch.files & own:
                continue
            patch = patch.of_files(own)
        kept.append(evolve(part, patch=patch))
    return tuple(kept)


def _parts(blocks: Sequence[Block], file: File) -> list[Part]:
    """Return what each block says, pairs of old and new code joined."""
    found: list[Part | Block] = []
    seen: set[tuple[str, How]] = set()
    at = 0
    while at < len(blocks):
        block = blocks[at]
        after = blocks[at + 1] if at + 1 < len(blocks) else None
        label = block.label(file.lines)
        part: Part | None
        if after and label == "before" and after.label(file.lines) == "after":
            both, patch = (
                f"{block.text}\n{after.text}",
                pair_of(block.text, after.text, file.lines),
            )
            part = Part(both, "before_after", patch, unclosed=after.unclosed)
            at += 1
        else:
            part = _patch_in(block, file)
        if part is None:
            found.append(block)
        elif (part.text, part.how) not in seen:
            seen.add((part.text, part.how))
            found.append(part)
        at += 1
    codes = [each for each in found if isinstance(each, Block)]
    kept = set(map(id, relevant(codes, file, several=len(found) > 1)))
    return [
        _code(each, file) if isinstance(each, Block) else each
        for each in found
        if isinstance(each, Part) or id(each) in kept
    ]


def _patch_in(block: Block, file: File, *, whole: bool = False) -> Part | None:
    """Return a block as hunks, if it is in one of the formats that name a change.

    Of a ``whole`` suggestion only those are read whose markers stand round fences too.
    """
    how: How = "codex"
    patch = read_codex(block.text, file.lines)
    if patch is None:
        how, patch = "search_replace", read_search_replace(block.text, file.lines)
    if patch is None and not whole:
        if block.is_diff:
            how, patch = "patch", read_patch(block.text)
            if any_known(patch.around, file.lines):
                # A text with lines of the original round a diff quotes it.
                return None
        else:
            how, patch = "conflict", read_conflicts(block.text, file.lines)
            # The context next to each change.
            edges = (
                line.text.strip()
                for hunk in (patch.hunks if patch else ())
                for pair in pairwise(hunk.lines)
                if (pair[0].sign in _CHANGES) != (pair[1].sign in _CHANGES)
                for line in pair
                if line.sign not in _CHANGES and is_distinctive(line.text)
            )
            if patch and not file.stripped.issuperset(edges):
                # Other code was changed as well, or a conflict is quoted in new code.
                patch = evolve(patch, hunks=())
        if patch is None:
            how, patch = "before_after", read_pairs(block.text, file.lines)
    if patch is None:
        return None
    return Part(block.text, how, patch, info=block.info, unclosed=block.unclosed)


def _code(block: Block, file: File) -> Part:
    """Return a block as code, bare of line numbers."""
    numbered = numbered_text(block.text, file.lines)
    part = Part(block.text, "code", code=block.text, info=block.info)
    part = evolve(part, unclosed=block.unclosed)
    if numbered is None:
        return part
    ends = lines_of(block.text).ends
    code = "".join(text + end for text, end in zip(numbered.lines, ends, strict=True))
    own = lines_of(file.text).texts
    last = next((text for text in reversed(numbered.lines) if text.strip()), "")
    end = next((text for text in reversed(own) if text.strip()), "")
    return evolve(
        part,
        code=code,
        first=numbered.first,
        gaps=numbered.gaps,
        open_start=numbered.first > 1,
        # Lines that are put in move the others: the last may have any number.
        open_end=numbered.last < len(own) and last != end,
    )
