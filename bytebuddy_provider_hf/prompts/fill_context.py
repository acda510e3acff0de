"""Hold the code around a cursor, and cut it to the tokens that a prompt may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from attrs import evolve, frozen

# A token is seldom longer: a line of more is cut before its tokens are counted.
_LONGEST: Final = 16


@frozen
class FillContext:
    """What is known around a cursor.

    ``files`` are others of the same repository, as (path, text), the most useful last.
    """

    prefix: str
    suffix: str = ""
    path: str = ""
    language: str = ""
    repository: str = ""
    files: tuple[tuple[str, str], ...] = ()


def fit_context(
    context: FillContext,
    *,
    tokens: int,
    prefix_share: float = 0.3,
    suffix_share: float = 0.2,
    count: Callable[[str], int],
) -> FillContext:
    """Return the context with no more than ``tokens`` tokens of text, by ``count``.

    The end of the prefix, the beginning of the suffix and the last files are kept.
    Suffix and prefix get their shares, the files the rest; of what these do not need
    the prefix gets more, then the suffix. Cuts are at line borders; only a line that is
    too long by itself is cut inside: the cursor's own, never one of a file.

    ``count`` is asked for one line at a time, and a line counts one token at least.
    """
    most = max(0, tokens)
    prefix = _end(context.prefix, int(most * prefix_share), count)
    suffix = _beginning(context.suffix, int(most * suffix_share), count)
    left = most - _counted(prefix, count) - _counted(suffix, count)
    # The last file is the most useful: it is kept whole before the one in front of it.
    files: list[tuple[str, str]] = []
    used = 0
    for path, text in reversed(context.files):
        cost = _counted(path, count)
        head, taken = _lines(text, left - used - cost, count)
        if not head:
            break
        files.insert(0, (path, head))
        used += cost + taken
        if len(head) < len(text):
            break
    left -= used
    if left > 0 and len(prefix) < len(context.prefix):
        prefix = _end(context.prefix, _counted(prefix, count) + left, count)
        left = most - used - _counted(prefix, count) - _counted(suffix, count)
    if left > 0 and len(suffix) < len(context.suffix):
        suffix = _beginning(context.suffix, _counted(suffix, count) + left, count)
    return evolve(context, prefix=prefix, suffix=suffix, files=tuple(files))


def _lines(text: str, room: int, count: Callable[[str], int]) -> tuple[str, int]:
    """Return the first whole lines that fit in ``room`` tokens, and their tokens."""
    end, used = 0, 0
    for line in lines(text):
        cost = _cost(line, room - used, count)
        if used + cost > room:
            break
        used += cost
        end += len(line)
    return text[:end], used


def _beginning(text: str, room: int, count: Callable[[str], int]) -> str:
    head, _ = _lines(text, room, count)
    if head or not text or room <= 0:
        return head
    # Not one line fits: the beginning of the cursor's own is better than nothing.
    line = next(lines(text))[: room * _LONGEST]
    return line[: _longest(line, room, lambda size: count(line[:size]))]


def _end(text: str, room: int, count: Callable[[str], int]) -> str:
    start, used = len(text), 0
    for line in _backward(text):
        cost = _cost(line, room - used, count)
        if used + cost > room:
            break
        used += cost
        start -= len(line)
    if start < len(text) or not text or room <= 0:
        return text[start:]
    line = next(_backward(text))[-room * _LONGEST :]
    size = _longest(line, room, lambda size: count(line[len(line) - size :]))
    return line[len(line) - size :]


def _longest(line: str, room: int, cost: Callable[[int], int]) -> int:
    """Return how many characters of a line fit, by halving."""
    low, high = 0, len(line)
    while low < high:
        # Rounded up, so that the loop ends where low and high are neighbours.
        middle = (low + high + 1) // 2
        if cost(middle) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _cost(line: str, room: int, count: Callable[[str], int]) -> int:
    """Return a line's tokens; one that cannot fit is not counted to its end."""
    if len(line) > max(room, 1) * _LONGEST:
        return room + 1
    return max(1, count(line))


def _counted(text: str, count: Callable[[str], int]) -> int:
    return sum(max(1, count(line)) for line in lines(text))


def lines(text: str) -> Iterator[str]:
    """Yield the lines with their ends; a line feed alone ends a line."""
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        yield text[at:end]
        at = end


def _backward(text: str) -> Iterator[str]:
    end = len(text)
    while end:
        # The line end that closes this line is not the one that begins it.
        start = text.rfind("\n", 0, end - 1) + 1
        yield text[start:end]
        end = start
