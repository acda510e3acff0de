"""Cut the part of an answer that repeats what stands before the cursor."""

from __future__ import annotations

from itertools import islice
from typing import Final

# Characters at the end of the prefix that an answer may repeat before it goes on.
_REPEATED: Final = 2_000
# Lines of the prefix at which a repetition may begin.
_LINES: Final = 40
# Letters and digits that make repeated code more than a coincidence.
_TELLING: Final = 3
_LINE_ENDS: Final = "\r\n"
# A line that ends so is begun, whatever stands below it.
_OPENS: Final = (":", "{", "(", "[", ",", "\\", "->", "=>", "=")


class RepeatedPrefix:
    """Pass an answer on without what it repeats of the prefix at its beginning.

    ``by_chat`` the cursor's line or the last lines of the prefix go, with their
    indentation or without: the cursor's indentation, and code that has three letters or
    digits. Otherwise only the cursor's line goes, where no code can be meant: all of
    it comes again, with its indentation, or in the middle of a word, or as two words.
    """

    def __init__(self, prefix: str, *, by_chat: bool) -> None:
        line = prefix.rpartition("\n")[2]
        bare = line.lstrip(" \t")
        found: list[str] = []
        tail = prefix[-_REPEATED:] if by_chat else ""
        starts = [0] if by_chat and len(prefix) <= _REPEATED else []
        starts += [at + 1 for at, char in enumerate(tail) if char == "\n"][-_LINES:]
        for end in (tail[start:] for start in starts):
            if _telling(end) or (end and end == line and not bare):
                found.append(end)
            # One line above the cursor's may come again in another block.
            if (
                end == line
                or len([each for each in end.split("\n") if each.strip()]) > 1
            ):
                first = end.lstrip(" \t")
                indent = end[: len(end) - len(first)]
                outdented = end.replace(f"\n{indent}", "\n").removeprefix(indent)
                found += [each for each in (first, outdented) if _telling(each)]
        found += [each.replace("\r\n", "\n") for each in found]
        if not by_chat and _telling(line) and any(map(str.isalpha, line)):
            found = [line] if bare != line else []
            if len(bare.split()) > 1 or bare[-1].isalpha() or bare[-1] == "_":
                found.append(bare)
        self._known = tuple(dict.fromkeys(found))
        # A model that takes a new line to begin the cursor's line again.
        again = by_chat and _telling(line)
        self._lines = (line, bare) if again else ()
        self._opens = line.rstrip().endswith(_OPENS)
        self._held = ""
        self._passes = not self._known
        self.done = False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        return text if self._passes else self._take(text, ended=False)

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        return "" if self._passes else self._take("", ended=True)

    def _take(self, text: str, *, ended: bool) -> str:
        self._held += text
        held = self._held
        rest = held.lstrip(_LINE_ENDS)
        led = self._lines if rest != held or not held else ()
        # More of the answer may make it a longer repetition.
        if not ended and (
            _goes_on(held, self._known)
            or (led and (_goes_on(rest, led) or rest in led))
            or (led and not rest)
        ):
            return ""
        self._passes = True
        self._held = ""
        kept = _without(held, self._known)
        if led and kept == held:
            cut = _without(rest, led)
            # A whole line that comes again below itself may be meant.
            if cut != rest and (self._opens or cut[:1] not in ("", *_LINE_ENDS)):
                kept = cut
        return kept


def _telling(text: str) -> bool:
    return len(list(islice(filter(str.isalnum, text), _TELLING))) == _TELLING


def _goes_on(text: str, known: tuple[str, ...]) -> bool:
    return any(len(each) > len(text) and each.startswith(text) for each in known)


def _without(text: str, known: tuple[str, ...]) -> str:
    """Return the text without the longest of these that it begins with."""
    return text[
        max((len(each) for each in known if text.startswith(each)), default=0) :
    ]
