"""Place suggestions without markers: the whole new text, or one block of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.fences import is_prose
from bytebuddy_provider_hf.edits.lines import assemble, is_distinctive, lines_of

# Of the telling lines of the original, so many have to stand in a whole new text.
_SHARE: Final = 0.5
# What follows a block at its own depth and yet belongs to it: brackets, branches.
_CLOSERS: Final = re.compile(
    r"\s*(?:[)\]}]|(?:end|else|elsif|elif|except|finally|catch|rescue|ensure)\b)"
)
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


def replace_block(original: str, suggestion: str) -> str | None:
    """Return ``original`` with one block replaced, where that is beyond doubt.

    The suggestion is one block: a first line, deeper lines, and its closing bracket.
    Its first line stands once in the original, as it is; at least half of that block's
    telling lines are kept, and no line comes from elsewhere. More than half of the
    original is outside the block, so that the suggestion cannot be all of it.
    """
    before, after = lines_of(original), lines_of(suggestion)
    filled = [at for at, line in enumerate(after.texts) if line.strip()]
    # Blank lines round a block are the answer's layout.
    new = after.texts[filled[0] : filled[-1] + 1] if filled else ()
    if len(new) < 2 or _block_end(new, 0) != len(new):  # noqa: PLR2004 - a block
        return None
    counts = Counter(before.texts)
    if not is_distinctive(new[0]) or counts[new[0]] != 1:
        return None
    start = before.texts.index(new[0])
    end = _block_end(before.texts, start)
    old = before.texts[start:end]
    inside = sum(map(is_distinctive, old))
    total = sum(map(is_distinctive, before.texts))
    pairs = aligned(old, new)
    kept = sum(is_distinctive(old[at]) for at, _ in pairs)
    # Of a text that is mostly this block, the suggestion could be all that shall stay.
    if inside * 2 >= total or kept < max(2, _SHARE * inside):
        return None
    if new[-1] != old[-1] and not (is_distinctive(new[-1]) and is_distinctive(old[-1])):
        return None
    # A line from elsewhere would stand twice: the suggestion moves it, or is more.
    outside = set(before.texts[:start] + before.texts[end:]) - set(old)
    if any(is_distinctive(line) and line in outside for line in new):
        return None
    same = {new: start + old for old, new in pairs}
    pieces: list[int | str] = [*range(start)]
    pieces += [same.get(at, text) for at, text in enumerate(new)]
    pieces += range(end, len(before.texts))
    return assemble(before, pieces)


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


def _block_end(lines: Sequence[str], start: int) -> int:
    """Return the place after the block that a line begins: what is indented more.

    Brackets and branches at the same depth belong to it. A line with nothing deeper is
    no block; its end is its start.
    """
    depth = _depth(lines[start])
    end, deeper = start, False
    for at in range(start + 1, len(lines)):
        line = lines[at]
        if not line.strip():
            continue
        if _depth(line) < depth:
            break
        if _depth(line) == depth and _CLOSERS.match(line) is None:
            break
        deeper = deeper or _depth(line) > depth
        end = at + 1
    return end if deeper else start


def _depth(line: str) -> int:
    spaces = line.expandtabs()
    return len(spaces) - len(spaces.lstrip())
