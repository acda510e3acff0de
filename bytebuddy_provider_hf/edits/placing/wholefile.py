"""Take a suggestion without markers for the whole new text, where it clearly is."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.formats.fences import is_prose
from bytebuddy_provider_hf.edits.lines import assemble, is_distinctive, lines_of

# Of the telling lines of the original, so many have to stand in a whole new text.
_SHARE: Final = 0.5
# Lines at an edge that were changed are as like their own as this.
_LIKENESS: Final = 0.6
_MOST_EDGE: Final = 8
_LONGEST: Final = 300


def replace_file(original: str, suggestion: str) -> str | None:
    """Return ``suggestion`` as the new text, where it clearly is all of it.

    It is where the original is blank. Else at least half of the original's telling
    lines stand in it, in order, and both edges are there: outside the first and the
    last line that both have, either the original has no telling line, or as many as
    the suggestion, each like the one in its place. Prose at an edge is refused.
    """
    before, after = lines_of(original), lines_of(suggestion)
    if not original.strip():
        return None if _prose(after.texts) else suggestion
    own = [line for line in before.texts if is_distinctive(line)]
    new = [line for line in after.texts if is_distinctive(line)]
    pairs = aligned(own, new)
    if not pairs or len(pairs) < _SHARE * len(own):
        return None
    (a, b), (a_end, b_end) = pairs[0], pairs[-1]
    starts = _edge_kept(own[:a], new[:b])
    if not starts or not _edge_kept(own[a_end + 1 :], new[b_end + 1 :]):
        return None
    if _prose(set(new[:b] + new[b_end + 1 :]) - set(own)):
        return None
    # Lines that were there keep their own ends, whatever those of the answer are.
    same = {new: old for old, new in aligned(before.texts, after.texts)}
    return assemble(before, [same.get(at, text) for at, text in enumerate(after.texts)])


def _edge_kept(own: Sequence[str], new: Sequence[str]) -> bool:
    if not own:
        return True
    if len(own) != len(new) or len(own) > _MOST_EDGE:
        return False
    return all(
        SequenceMatcher(None, one[:_LONGEST], other[:_LONGEST]).ratio() >= _LIKENESS
        for one, other in zip(own, new, strict=True)
    )


def _prose(lines: Sequence[str] | set[str]) -> bool:
    return any(is_prose(line) for line in lines)
