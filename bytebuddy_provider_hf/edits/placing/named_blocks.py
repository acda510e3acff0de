"""Replace functions and classes that a suggestion gives whole, found by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.definitions import definitions
from bytebuddy_provider_hf.edits.indentation import common_shift, indent_of
from bytebuddy_provider_hf.edits.languages import Language
from bytebuddy_provider_hf.edits.lines import assemble, is_distinctive, lines_of
from bytebuddy_provider_hf.edits.placing.ambiguity import may_be_insertion
from bytebuddy_provider_hf.edits.placing.near_fit import alike, words_of

# What follows a block at its own depth and yet belongs to it: brackets, branches.
_CLOSERS: Final = re.compile(
    r"\s*(?:[)\]}]|(?:end|else|elsif|elif|except|finally|catch|rescue|ensure)\b)"
)
# What stands above a definition and belongs to it.
_ABOVE: Final = re.compile(r"\s*(?:@|#|//|/\*|\*|--|\[\w)")
# Of the telling lines of a block, so many have to stay.
_SHARE: Final = 0.5
# Telling lines outside the block: of a text that is all block, a block may be all.
_FEWEST_OUTSIDE: Final = 2
_DEEPEST: Final = 3


def replace_blocks(
    original: str, suggestion: str, language: Language | None, *, most: int = 100
) -> str | None:
    """Return ``original`` with one block or more replaced, where that is beyond doubt.

    A block is a function, a class or the like: its first line, deeper lines, and its
    closing bracket. One with its name stands once in the original; at least half of
    that block's telling lines are kept, the last among them or one like it, and no
    new line comes from elsewhere. There are at ``most`` so many. All blocks may be
    indented less than they were. A class with some of its functions stands for these.
    """
    before = lines_of(original)
    said = lines_of(suggestion).texts
    lines = [line.rstrip() for line in said]
    if len(_blocks(lines)) > most:
        return None
    pieces = _replaced(
        [line.rstrip() for line in before.texts], lines, language, _DEEPEST
    )
    if pieces is None:
        return None
    # New lines have the trailing blanks that they were written with.
    written = {line.rstrip(): line for line in said}
    return assemble(
        before,
        [x if isinstance(x, int) else written.get(x, x) for x in pieces],
    )


def _replaced(
    texts: Sequence[str], lines: Sequence[str], language: Language | None, depth: int
) -> list[int | str] | None:
    blocks = _blocks(lines)
    if not blocks or not depth:
        return None
    regions: list[tuple[int, int, list[int | str]]] = []
    for block in blocks:
        region = _region(texts, block, language)
        if region is None and len(blocks) == 1:
            # A class with its head as it was, and some members: these are replaced.
            heads = [x for x in texts if words_of(x) == words_of(block[0])]
            inner = [line for line in block[1:] if _CLOSERS.fullmatch(line) is None]
            if len(heads) == 1 and any(indent_of(line) for line in inner):
                return _replaced(texts, inner, language, depth - 1)
        if region is None:
            return None
        regions.append(region)
    regions.sort(key=lambda region: region[0])
    pieces: list[int | str] = []
    done = 0
    for start, end, new in regions:
        if start < done:
            return None
        pieces += [*range(done, start), *new]
        done = end
    return [*pieces, *range(done, len(texts))]


def _blocks(lines: Sequence[str]) -> list[Sequence[str]]:
    """Split lines into blocks: each has one head, and what stands right above it."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    if not filled:
        return []
    least = min(depth_of(lines[at]) for at in filled)
    blocks: list[Sequence[str]] = []
    start = at = filled[0]
    while at <= filled[-1]:
        if not lines[at].strip():
            at += 1
            continue
        if depth_of(lines[at]) != least:
            return []
        if _ABOVE.match(lines[at]) and block_end(lines, at) == at:
            at += 1
            continue
        end = block_end(lines, at)
        if end == at:
            return []
        blocks.append(lines[start:end])
        at = end
        while at <= filled[-1] and not lines[at].strip():
            at += 1
        start = at
    return blocks if start > filled[-1] else []


def _region(
    texts: Sequence[str], block: Sequence[str], language: Language | None
) -> tuple[int, int, list[int | str]] | None:
    """Return the lines that a block replaces, and what they become."""
    head = next(
        (at for at in range(len(block)) if block_end(block, at) > at), len(block)
    )
    if head == len(block):
        return None
    start = _place(texts, block[head], language)
    if start is None:
        return None
    end = block_end(texts, start)
    if head:
        # Decorators and comments are part of it where the suggestion gives any.
        first = start
        while start and _ABOVE.match(texts[start - 1]):
            start -= 1
        # Those above the first that it has stay as they are.
        given = {words_of(line) for line in block[:head]}
        while start < first and words_of(texts[start]) not in given:
            start += 1
    old = texts[start:end]
    pairs = aligned([words_of(x) for x in old], [words_of(x) for x in block])
    shift = common_shift([(block[new], old[at]) for at, new in pairs])
    if shift is None:
        return None
    made = [shift.apply(line) for line in block]
    inside = sum(map(is_distinctive, old))
    kept = sum(is_distinctive(old[at]) for at, _ in pairs)
    outside = sum(map(is_distinctive, texts)) - inside
    if kept < max(1, _SHARE * inside) or outside < _FEWEST_OUTSIDE or None in made:
        return None
    # Without its end it may be half a block.
    last = next(at for at in reversed(range(len(old))) if old[at].strip())
    replaced = alike(old[last], block[-1]) and (
        depth_of(shift.apply(block[-1]) or "") == depth_of(old[last])
    )
    if last not in {at for at, _ in pairs} and not replaced:
        return None
    same = {new: start + at for at, new in pairs}
    new: list[int | str] = [
        same.get(at, line) for at, line in enumerate(made) if line is not None
    ]
    if may_be_insertion(texts, start, end, new):
        return None
    return start, end, new


def _place(texts: Sequence[str], head: str, language: Language | None) -> int | None:
    """Return the one line that begins the block of this head."""
    named = definitions([head], language)
    if named:
        found = [
            it.at for it in definitions(texts, language) if it.name == named[0].name
        ]
    else:
        found = [
            at for at, text in enumerate(texts) if words_of(text) == words_of(head)
        ]
    blocks = [at for at in found if block_end(texts, at) > at]
    exact = [at for at in blocks if words_of(texts[at]) == words_of(head)]
    return blocks[0] if len(blocks) == 1 else exact[0] if len(exact) == 1 else None


def block_end(lines: Sequence[str], start: int) -> int:
    """Return the place after the block that a line begins: what is indented more.

    Brackets and branches at the same depth belong to it. A line with nothing deeper is
    no block; its end is its start.
    """
    depth = depth_of(lines[start])
    end, deeper = start, False
    for at in range(start + 1, len(lines)):
        line = lines[at]
        if not line.strip():
            continue
        if depth_of(line) < depth:
            break
        if depth_of(line) == depth and _CLOSERS.match(line) is None:
            break
        deeper = deeper or depth_of(line) > depth
        end = at + 1
    return end if deeper else start


def depth_of(line: str) -> int:
    """Return by how many columns a line is indented."""
    spaces = line.expandtabs()
    return len(spaces) - len(spaces.lstrip())
