"""Cut the part of an answer that repeats what follows the cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from bytebuddy_provider_hf.prompts.fill_context import FillContext

# Characters of the suffix that are compared; also the most that is held back.
_COMPARED: Final = 2_000
# Lines that are not blank, and letters or digits in them, that end an answer.
_LINES: Final = 2
_TELLING: Final = 10

# How many round, square and curly brackets are open.
_Depth: TypeAlias = tuple[int, int, int]


class Overlap:
    """Pass an answer on without the beginning of the suffix at its end.

    1. Inside the answer: it ends where the lines that follow the cursor's come again,
       all characters equal, as many as hold two lines that are not blank and ten
       letters or digits. The rest of the cursor's line goes with them where it stands
       before them.
    2. At its end: the longest end of the answer that begins the suffix goes. A shorter
       one, or none, goes instead where only that leaves the brackets closed: ``bar(x)``
       between ``foo(`` and ``)`` keeps its own. Both the cursor's line and the whole
       text around it must come closer to balance so.

    Line ends are equal whether a carriage return stands in them or not.
    Of the suffix 2,000 characters are compared, and no more are ever held back.
    """

    def __init__(self, context: FillContext) -> None:
        suffix = context.suffix.replace("\r\n", "\n")
        before = context.prefix.rpartition("\n")[2]
        rest = suffix.partition("\n")[0]
        own_line = not before.strip()
        self._suffix = suffix[:_COMPARED]
        self._lines = _lines_after(suffix)
        # On a line of its own the answer may begin with the repeated lines, whose line
        # end and indentation stand before the cursor then.
        self._lead = f"\n{before}" if own_line else ""
        # The line end before the repeated lines stays where the rest of the cursor's
        # line follows it.
        self._keeps_break = own_line and bool(rest.strip())
        self._line = _depth(before + rest)
        self._around = _sum(_depth(context.prefix), _depth(context.suffix))
        self._shown: _Depth = (0, 0, 0)
        self._held = ""
        self.done = False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        if self.done:
            return ""
        text = self._held + text
        # A carriage return at the end may be the first half of a line end.
        known = text.removesuffix("\r")
        seen = known.replace("\r\n", "\n")
        led = self._lead + seen
        at = led.find(self._lines) if self._lines else -1
        if at >= 0:
            self.done = True
            after = len(led) - at - len(self._lines)
            text = _without(known, after)
            seen = seen[: len(seen) - after]
            # A longer end begins with the rest of the cursor's line.
            sizes = [n for n in _overlaps(seen, self._suffix) if n >= len(self._lines)]
            return self._cut(text, [*sizes, len(self._lines) - self._keeps_break])
        undecided = max(
            next(_overlaps(seen, self._suffix), 0), next(_overlaps(led, self._lines), 0)
        )
        shown = _without(known, undecided)
        if shown:
            self._lead = ""
            self._shown = _sum(self._shown, _depth(shown))
        self._held = text[len(shown) :]
        return shown

    def close(self) -> str:
        """Return what was held back and does not repeat the suffix."""
        if self.done:
            return ""
        self.done = True
        seen = self._held.replace("\r\n", "\n")
        return self._cut(self._held, [*_overlaps(seen, self._suffix), 0])

    def _cut(self, text: str, sizes: Sequence[int]) -> str:
        """Cut off the first of these ends, or a later that closes the brackets."""
        best = _without(text, sizes[0])
        line, around = self._unbalanced(best)
        for size in sizes[1:]:
            kept = _without(text, size)
            other_line, other_around = self._unbalanced(kept)
            # One that helps the line alone may take a bracket from elsewhere.
            if other_line < line and other_around < around:
                best, line, around = kept, other_line, other_around
        return best

    def _unbalanced(self, kept: str) -> tuple[int, int]:
        """Return how far from closed the cursor's line and the whole text would be."""
        answer = _sum(self._shown, _depth(kept))
        return (
            sum(map(abs, _sum(answer, self._line))),
            sum(map(abs, _sum(answer, self._around))),
        )


def _overlaps(text: str, pattern: str) -> Iterator[int]:
    """Yield the lengths of the ends of a text that begin ``pattern``, longest first."""
    # The pattern's first character stands at few places of a text. In plain Python that
    # is faster than the loop of Knuth, Morris and Pratt over every character.
    at = max(0, len(text) - len(pattern))
    while pattern and (at := text.find(pattern[0], at)) >= 0:
        if pattern.startswith(text[at:]):
            yield len(text) - at
        at += 1


def _lines_after(suffix: str) -> str:
    """Return the lines after the cursor's that end an answer, or nothing.

    A line end stands before the first, which is not blank, and after the last.
    """
    end = suffix.find("\n")
    while end >= 0:
        following = suffix.find("\n", end + 1)
        if following < 0:
            return ""
        if suffix[end:following].strip():
            break
        end = following
    if end < 0:
        return ""
    lines = telling = 0
    at = end
    while lines < _LINES or telling < _TELLING:
        following = suffix.find("\n", at + 1)
        if not 0 <= following < _COMPARED:
            return ""
        line = suffix[at + 1 : following]
        lines += bool(line.strip())
        telling += sum(map(str.isalnum, line))
        at = following
    return suffix[end : at + 1]


def _without(text: str, size: int) -> str:
    """Return the text without so many characters at its end, a line end being one."""
    if "\r\n" not in text:
        return text[: max(0, len(text) - size)]
    end = len(text)
    while size and end:
        end -= 1
        size -= 1
        if text[end] == "\n" and end and text[end - 1] == "\r":
            end -= 1
    return text[:end]


def _sum(first: _Depth, second: _Depth) -> _Depth:
    return (first[0] + second[0], first[1] + second[1], first[2] + second[2])


def _depth(text: str) -> _Depth:
    return (
        text.count("(") - text.count(")"),
        text.count("[") - text.count("]"),
        text.count("{") - text.count("}"),
    )
