"""Facts that a plan rests on: the server, the model's family, the tokens of prompts.

A guess of a prompt's tokens needs no tokenizer, and servers' counts correct it. Short
prompts teach what a server adds to every prompt (its template, a system prompt of its
own), long ones how much text makes a token there.
"""

from __future__ import annotations

import math
import re
from typing import Final

from attrs import define, evolve, frozen

from bytebuddy_provider_hf.errors import ContextTooLong
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.wire.server import Server

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

# Seconds after which a window is asked for again: servers restart with others.
WINDOW_AGE: Final = 3_600.0


@define
class TokenCounts:
    """The tokens of a prompt and of the window, as a server counted them."""

    prompt: int
    window: int


@define  # made once a call
class Knowledge:
    """What a plan may rest on; passed down, never written to.

    ``family`` is what the Hub told, ``no_template`` that the server has no chat
    template, ``token_counts`` what it counted when it refused this prompt for its
    length. ``window`` is what prompt and answer must fit, ``None`` where maxTokens goes
    out as it is. ``prompt_tokens`` is what the server's tokenizer counted, ``estimate``
    what stands for it where that was not asked.
    """

    server: Server
    family: Family | None = None
    no_template: bool = False
    token_counts: TokenCounts | None = None
    window: int | None = None
    estimate: TokenEstimate = UNCORRECTED
    prompt_tokens: int | None = None


@frozen
class ServerTokens:
    """What a server's refusals and counts told of a model there.

    ``context_length`` counts prompt and answer together, ``max_input`` the prompt
    alone; they were told at time ``at`` by a server of that ``server_identity``.
    ``tokenizes`` is false where it has no tokenizer to ask.
    """

    window: int | None = None
    max_input: int | None = None
    estimate: TokenEstimate = UNCORRECTED
    identity: str = ""
    at: float = 0.0
    tokenizes: bool = True

    def still_valid_for(self, server: Server, now: float) -> ServerTokens:
        """Return what still holds: of this server, its window for an hour."""
        if self is NOTHING_TOLD:
            return self
        if self.identity and self.identity != server_identity(server):
            return NOTHING_TOLD
        plain = self.window is None and self.max_input is None and self.tokenizes
        if plain or now - self.at < WINDOW_AGE:
            return self
        return evolve(self, window=None, max_input=None, tokenizes=True)

    def apply_to(self, server: Server) -> Server:
        """Return ``server`` with the limits that its refusals told."""
        if self.window is None and self.max_input is None:
            return server
        return evolve(
            server,
            context_length=self.window or server.context_length,
            max_input=self.max_input or server.max_input,
        )

    def without_tokenizer(self, server: Server, now: float) -> ServerTokens:
        """Return the same of a server that does not count prompts."""
        at = now if self.window is None and self.max_input is None else self.at
        return evolve(self, tokenizes=False, identity=server_identity(server), at=at)

    def after_refusal(
        self, failure: ContextTooLong, guess: int | None, server: Server, now: float
    ) -> ServerTokens:
        """Return what is known after a refusal of a prompt guessed at ``guess``.

        Its limit is the window where it refused the sum of prompt and answer; where
        the prompt alone is above it, it may be the limit of prompts.
        """
        limit, given = failure.limit, failure.given
        if limit is None or given is None:
            return self
        told = evolve(self, identity=server_identity(server), at=now)
        if given < limit or failure.asked is not None:
            told = evolve(told, window=limit)
        else:
            told = evolve(told, max_input=limit)
        # Some servers stop counting at their limit.
        if guess is None or given > limit or failure.at_least:
            return told
        return evolve(told, estimate=told.estimate.corrected(guess, given))


NOTHING_TOLD: Final = ServerTokens()


def server_identity(server: Server) -> str:
    """Return what makes a server the one that told something: program and model."""
    version = ".".join(map(str, server.version or ()))
    return f"{server.name} {version} {server.model or ''} {server.loaded_model or ''}"


def smallest(*limits: int | None) -> int | None:
    """Return the smallest limit of those that are known."""
    return min((limit for limit in limits if limit is not None), default=None)
