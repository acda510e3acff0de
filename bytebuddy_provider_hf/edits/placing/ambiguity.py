"""Tell results that may be read in another way than the one they were made by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from bytebuddy_provider_hf.edits.definitions import definitions
from bytebuddy_provider_hf.edits.lines import is_distinctive
from bytebuddy_provider_hf.edits.placing.near_fit import words_of

# Lines in a row that a part may leave out, or twice as many as it writes there.
_MOST_GONE: Final = 6
_MOST_RENAMED: Final = 8


def may_be_insertion(
    texts: Sequence[str], start: int, end: int, lines: Sequence[int | str]
) -> bool:
    """Return whether what replaces lines ``start`` to ``end`` may be meant beside them.

    So it is where lines go and most new ones stand elsewhere in the text: a copy of
    what is there, with a line changed, looks like its replacement. So it is also where
    many lines go in a row and few come.
    """
    named = {
        it.name
        for at in range(start, end)
        for it in definitions(texts[at : at + 1], None)
    }
    made = [
        it.name
        for line in lines
        if isinstance(line, str)
        for it in definitions([line], None)
    ]
    # One that is defined in place of another, and much of its body: is it renamed, or
    # a copy of it that stands beside it?
    for name in made:
        if name not in named and named and len(lines) > _MOST_RENAMED:
            return True
    gone = come = 0
    done = start
    for piece in (*lines, end):
        if isinstance(piece, str):
            come += is_distinctive(piece)
            continue
        gone += sum(map(is_distinctive, texts[done:piece]))
        if gone > max(_MOST_GONE, 2 * come):
            return True
        if piece > done or gone or come:
            gone = come = 0
        done = piece + 1
    kept = {piece for piece in lines if isinstance(piece, int)}
    if not any(is_distinctive(texts[at]) for at in set(range(start, end)) - kept):
        return False
    new = [words_of(x) for x in lines if isinstance(x, str) and is_distinctive(x)]
    elsewhere = {
        words_of(text)
        for at, text in enumerate(texts)
        if not start <= at < end or at in kept
    }
    return 2 * sum(line in elsewhere for line in new) > len(new)


def may_be_moved(pieces: Sequence[int | str], texts: Sequence[str]) -> bool:
    """Return whether most new lines of a place stand once in the text, and stay.

    So it looks when they were moved, and a part does not show where they were.
    """
    counts = Counter(words_of(text) for text in texts)
    stays = {words_of(texts[at]) for at in pieces if isinstance(at, int)}
    group: list[bool] = []
    for piece in (*pieces, -1):
        if isinstance(piece, str):
            said = words_of(piece)
            if is_distinctive(piece):
                group.append(counts[said] == 1 and said in stays)
        elif group:
            if 2 * sum(group) > len(group):
                return True
            group = []
    return False
