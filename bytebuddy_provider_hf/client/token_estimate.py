"""How many tokens a prompt has: guessed by its text, corrected by servers' counts.

A guess needs no tokenizer. Short prompts teach what a server adds to every prompt (its
template, a system prompt of its own), long ones how much text makes a token there.
"""

from __future__ import annotations

import math
import re
from typing import Final

from attrs import evolve, frozen

# Chinese, Japanese and Korean letters and marks: about one token each.
_CJK: Final = re.compile(
    "[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
    "\U00020000-\U0003ffff]+"
)
_BYTES: Final = 3
# What templates write before and after the messages; some begin with a system prompt.
_OVERHEAD: Final = 32
# Guesses below this tell more of the overhead than of the text.
_SHORT: Final = 256
# A count corrects the guesses of prompts so many times as long as its own.
_FAR: Final = 4
_LEAST_RATIO: Final = 0.2
MOST_RATIO: Final = 4.0
# How much of the way down a short prompt's count moves the overhead.
_DOWN: Final = 0.25


def guess_tokens(text: str) -> int:
    """Return about how many tokens ``text`` is: one a CJK letter, and per 3 bytes."""
    if text.isascii():
        return -(-len(text) // _BYTES)
    rest = _CJK.sub("", text)
    size = len(rest.encode("utf-8", "replace"))
    return len(text) - len(rest) - (-size // _BYTES)


@frozen
class TokenEstimate:
    """What a server's counts taught about guesses; the first knows of none.

    A prompt has ``ratio`` times as many tokens as were guessed, and ``overhead`` more.
    ``longest`` is the longest guess that a server's count was compared with.
    """

    ratio: float = 1.0
    overhead: int = _OVERHEAD
    longest: int = 0

    def tokens(self, guess: int) -> int:
        """Return how many tokens a prompt has whose text was guessed to have some."""
        return math.ceil(self.ratio * guess) + self.overhead

    def trusted(self, guess: int) -> bool:
        """Whether a prompt nearly as long as this one was counted."""
        return guess <= _FAR * self.longest

    def corrected(self, guess: int, count: int) -> TokenEstimate:
        """Return the estimate that has learned that ``guess`` stood for ``count``.

        It goes up at once and comes down more slowly: too low a figure costs a
        request that is refused, one that is a little too high only the end of an
        answer.
        """
        longest = max(self.longest, guess)
        if guess < _SHORT:
            seen = max(0, math.ceil(count - self.ratio * guess))
            change = seen - self.overhead
            step = change if change > 0 else math.ceil(change * _DOWN)
            return evolve(self, overhead=self.overhead + step, longest=longest)
        ratio = min(MOST_RATIO, max(_LEAST_RATIO, (count - self.overhead) / guess))
        weight = 1.0 if ratio > self.ratio else guess / (guess + _SHORT)
        ratio = self.ratio + weight * (ratio - self.ratio)
        return evolve(self, ratio=ratio, longest=longest)


UNCORRECTED: Final = TokenEstimate()
