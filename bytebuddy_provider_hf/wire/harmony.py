"""gpt-oss's own format, where a server hands it on as it stands.

https://cookbook.openai.com/articles/openai-harmony: messages
``<|start|>assistant<|channel|>analysis<|message|>…<|end|>``; the channel ``final`` is
for the user, ``analysis`` and ``commentary`` are not.
"""

from __future__ import annotations

import re
from typing import Final

# How an answer begins: the prompt ends after "<|start|>assistant", or before it.
HARMONY: Final = ("<|channel|>", "<|start|>assistant<|channel|>")

_TOKENS: Final = (
    "<|start|>",
    "<|channel|>",
    "<|message|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
)
_TOKEN: Final = re.compile("|".join(map(re.escape, _TOKENS)))
_LONGEST: Final = max(map(len, _TOKENS))
_LONGEST_HEADER: Final = 256


class HarmonySplitter:
    """Split into pieces, each with whether it is reasoning.

    What stands where the format has no place for it is text, never lost.
    """

    def __init__(self) -> None:
        self._tail = ""
        # The header so far, or None in the body of a message and outside of one.
        self._header: str | None = None
        self._thought = False

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """Return the pieces that can be told now."""
        text = self._tail + text
        kept = len(text) - _begun_token(text)
        self._tail = text[kept:]
        pieces: list[tuple[bool, str]] = []
        at = 0
        for match in _TOKEN.finditer(text, 0, kept):
            self._say(text[at : match.start()], pieces)
            self._turn(match.group())
            at = match.end()
        self._say(text[at:kept], pieces)
        return pieces

    def close(self) -> list[tuple[bool, str]]:
        """Return what was held back, the answer having ended."""
        pieces: list[tuple[bool, str]] = []
        self._say(self._tail, pieces)
        self._tail, self._header = "", None
        return pieces

    def _turn(self, mark: str) -> None:
        if mark == "<|message|>":
            channel = (self._header or "final").split()[:1]
            self._header, self._thought = None, channel != ["final"]
        elif mark in ("<|start|>", "<|channel|>"):
            self._header = ""
        else:
            self._header, self._thought = None, False

    def _say(self, text: str, pieces: list[tuple[bool, str]]) -> None:
        if self._header is not None:
            self._header += text
            if len(self._header) <= _LONGEST_HEADER:
                return
            text, self._header, self._thought = self._header, None, False
        if text:
            pieces.append((self._thought, text))


def _begun_token(text: str) -> int:
    """Return how many characters at the end may begin a token."""
    start = text.rfind("<", max(0, len(text) - _LONGEST + 1))
    tail = text[start:] if start >= 0 else ""
    begun = any(token.startswith(tail) and token != tail for token in _TOKENS)
    return len(tail) if begun else 0
