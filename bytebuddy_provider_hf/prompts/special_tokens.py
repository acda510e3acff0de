"""Escape a model's own tokens inside a user's text, so that they do not act.

A tokenizer reads ``<fim_suffix>`` in somebody's source code as the token of that name.
Servers that take a raw prompt cannot be told otherwise, so the spelling is broken with
an invisible character on the way in, and unescaped in the answer on the way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from attrs import define, field

# U+2060 WORD JOINER: no width, no line break, in no token's spelling.
_BREAK: Final = "\u2060"


def escape(text: str, tokens: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Return ``text`` with every token's spelling broken, and the tokens found.

    The break stands after a token's first character. Tokens that overlap, or stand one
    in another, are all broken. Texts of one character are never taken for tokens.
    """
    chosen = sorted({t for t in tokens if len(t) > 1}, key=len, reverse=True)
    if not any(token in text for token in chosen):
        return text, ()
    found: dict[str, None] = {}

    def broken(match: re.Match[str]) -> str:
        found[match.group(1)] = None
        return match.group(1)[0] + _BREAK

    # A look-ahead takes one character only, so that every beginning is seen.
    begins = "|".join(map(re.escape, chosen))
    return re.sub(f"(?=({begins})).", broken, text, flags=re.DOTALL), tuple(found)


@define
class Escaper:
    """Escape the texts of one prompt, and remember which tokens they spelled."""

    tokens: tuple[str, ...]
    # A dict keeps the order in which they were found, for the notes.
    found: dict[str, None] = field(factory=dict)

    def escape(self, text: str) -> str:
        """Return ``text`` with every token's spelling broken."""
        safe, found = escape(text, self.tokens)
        self.found.update(dict.fromkeys(found))
        return safe


def unescape(text: str, tokens: Iterable[str]) -> str:
    """Return ``text`` with what :func:`escape` escaped as it was."""
    restoring = Unescape(tokens)
    return restoring.feed(text) + restoring.close()


class Unescape:
    """Unescape special tokens in a text that streams; nothing else changes.

    A break is taken out where a broken token begins one character before it. What is
    held back is at most twice as long as the longest token.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._after: dict[str, list[str]] = {}
        for token in dict.fromkeys(tokens):
            if len(token) > 1:
                self._after.setdefault(token[0], []).append(token[1:])
        self._last = ""
        # Empty, or a break and what followed it so far.
        self._held = ""

    @property
    def done(self) -> bool:
        """Whether the rest is not wanted: it always is."""
        return False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        return self._unescape(text, ended=False)

    def close(self) -> str:
        """Return what was held back, the text having ended."""
        return self._unescape("", ended=True)

    def _unescape(self, text: str, *, ended: bool) -> str:
        if not self._held and _BREAK not in text:
            # Nearly every piece: a break comes from us, or from a rare text.
            self._last = text[-1:] or self._last
            return text
        text, self._held = self._held + text, ""
        shown: list[str] = []
        at = 0
        while (found := text.find(_BREAK, at)) >= 0:
            shown.append(text[at:found])
            before = text[found - 1] if found else self._last
            broken = self._is_broken(before, text, found + 1)
            if broken is None and not ended:
                self._held = text[found:]
                self._last = before
                return "".join(shown)
            if not broken:
                shown.append(_BREAK)
            at = found + 1
        shown.append(text[at:])
        self._last = text[-1]
        return "".join(shown)

    def _is_broken(self, first: str, text: str, at: int) -> bool | None:
        """Return whether a token goes on at ``at``; ``None`` where the text ends."""
        # Another token may be escaped inside this one, so breaks within it are skipped,
        # but never two in a row: the second is the user's own.
        undecided = False
        for rest in self._after.get(first, ()):
            position, matched = at, 0
            while matched < len(rest) and position < len(text):
                if text[position] == rest[matched]:
                    matched += 1
                elif text[position] != _BREAK or text[position - 1] == _BREAK:
                    break
                position += 1
            if matched == len(rest):
                return True
            undecided = undecided or position == len(text)
        return None if undecided else False
