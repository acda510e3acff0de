"""Cut the part of an answer that repeats what follows the cursor."""

from __future__ import annotations

from itertools import accumulate
from typing import Final, TypeAlias

from bytebuddy_provider_hf.prompts.fill_context import FillContext

# Characters of the suffix that are compared; also the most that is held back.
_COMPARED: Final = 2_000
# Lines that are not blank, and letters or digits in them, that end an answer.
_LINES: Final = 2
_TELLING: Final = 10

_BRACKETS: Final = {
    "(": (1, 0, 0),
    ")": (-1, 0, 0),
    "[": (0, 1, 0),
    "]": (0, -1, 0),
    "{": (0, 0, 1),
    "}": (0, 0, -1),
}
_NONE: Final = (0, 0, 0)
# How many round, square and curly brackets are open.
_Depth: TypeAlias = tuple[int, int, int]


class _Matcher:
    """Tell how much of a text's beginning the text read so far ends with.

    (Knuth, Morris and Pratt, "Fast pattern matching in strings", 1977.)
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.matched = 0
        self._shorter = [0] * (len(pattern) + 1)
        matched = 0
        for at in range(1, len(pattern)):
            matched = self._next(matched, pattern[at])
            self._shorter[at + 1] = matched

    def step(self, char: str) -> None:
        """Read one more character."""
        self.matched = self._next(self.matched, char)

    def borders(self) -> list[int]:
        """Return the lengths that match at the end now, the longest first."""
        lengths = []
        length = self.matched
        while length:
            lengths.append(length)
            length = self._shorter[length]
        return lengths

    @property
    def whole(self) -> bool:
        """Whether the text read so far ends with the whole pattern."""
        return 0 < len(self.pattern) == self.matched

    def _next(self, matched: int, char: str) -> int:
        while matched and (
            matched == len(self.pattern) or self.pattern[matched] != char
        ):
            matched = self._shorter[matched]
        if self.pattern and self.pattern[matched] == char:
            matched += 1
        return matched


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
        self._at_end = _Matcher(suffix[:_COMPARED])
        self._inside = _Matcher(_lines_after(suffix))
        self._own_line = not before.strip()
        self._drop_break = not (rest.strip() and self._own_line)
        if self._own_line:
            for char in f"\n{before}":
                self._inside.step(char)
        self._line = _sum(_depth(before), _depth(rest))
        self._around = _sum(_depth(context.prefix), _depth(context.suffix))
        self._answer = _NONE
        self._held = ""
        # Whether the last character is a carriage return: it may belong to a line end.
        self._return = False
        self.done = False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        if self.done:
            return ""
        for at, char in enumerate(text):
            self._answer = _sum(self._answer, _of(char))
            if self._return and char != "\n":
                self._step("\r")
            self._return = char == "\r"
            if self._return:
                continue
            self._step(char)
            if self._inside.whole:
                self.done = True
                return self._kept(self._held + text[: at + 1], self._repeated())
        text = self._held + text
        known = text[:-1] if self._return else text
        shown = _without(known, max(self._at_end.matched, self._inside.matched))
        self._held = text[len(shown) :]
        return shown

    def close(self) -> str:
        """Return what was held back and does not repeat the suffix."""
        if self.done:
            return ""
        self.done = True
        if self._return:
            self._step("\r")
        return self._kept(self._held, [*self._ends(), (0, _NONE)])

    def _step(self, char: str) -> None:
        self._at_end.step(char)
        self._inside.step(char)

    def _ends(self) -> list[tuple[int, _Depth]]:
        """Return how long the ends are that begin the suffix, and their brackets."""
        sizes = self._at_end.borders()
        longest = self._at_end.pattern[: max(sizes, default=0)]
        depths = list(accumulate(map(_of, longest), _sum, initial=_NONE))
        return [(size, depths[size]) for size in sizes]

    def _repeated(self) -> list[tuple[int, _Depth]]:
        """Return the ends that may go, the lines after the cursor's repeated."""
        lines = self._inside.pattern
        size = len(lines) - (not self._drop_break)
        more = [end for end in self._ends() if end[0] >= len(lines)]
        return [*more, (size, _depth(lines))]

    def _kept(self, text: str, ends: list[tuple[int, _Depth]]) -> str:
        """Cut off the first of these ends, or a later that closes the brackets."""
        best, scores = ends[0][0], self._scores(ends[0][1])
        for size, depth in ends[1:]:
            other = self._scores(depth)
            if other[0] < scores[0] and other[1] < scores[1]:
                best, scores = size, other
        return _without(text, best)

    def _scores(self, cut: _Depth) -> tuple[int, int]:
        """Return how far from closed the cursor's line and the whole text are."""
        answer = tuple(a - b for a, b in zip(self._answer, cut, strict=True))
        return (
            sum(abs(a + b) for a, b in zip(answer, self._line, strict=True)),
            sum(abs(a + b) for a, b in zip(answer, self._around, strict=True)),
        )


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


def _of(char: str) -> _Depth:
    return _BRACKETS.get(char, _NONE)


def _sum(first: _Depth, second: _Depth) -> _Depth:
    if second is _NONE:
        return first
    return (first[0] + second[0], first[1] + second[1], first[2] + second[2])


def _depth(text: str) -> _Depth:
    return (
        text.count("(") - text.count(")"),
        text.count("[") - text.count("]"),
        text.count("{") - text.count("}"),
    )
