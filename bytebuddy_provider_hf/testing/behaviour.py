"""Describe one simulated model: what it answers, and when it is not ready."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.testing.failures import (
    Estimate,
    asleep,
    countdown,
    loading,
    loading_llama,
    overloaded,
    rate_limited,
)
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler

Answer: TypeAlias = Callable[[FakeRequest], str]
Change: TypeAlias = Callable[[FakeRequest, FakeReply], FakeReply]
ColdReply: TypeAlias = Callable[[str, float], FakeReply]

# An answer stays on one line of a terminal.
_SHOWN: Final = 40
# Tokens begin with their space, as those of most tokenizers do.
_WORDS: Final = re.compile(r"\s*\S+|\s+")


def last_words(request: FakeRequest) -> str:
    """Return what was asked: the prompt, the inputs, or the last message's text."""
    for key in ("prompt", "inputs"):
        asked = request.value(key)
        if isinstance(asked, str):
            return asked
    messages = request.value("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    return content if isinstance(content, str) else ""


def friendly(request: FakeRequest) -> str:
    """Answer politely, always the same, and say that nobody thought about it."""
    asked = " ".join(last_words(request).split())
    shown = asked if len(asked) <= _SHOWN else asked[: _SHOWN - 1] + "…"
    return f"(simulated) Hello! No model is running here; I was asked: “{shown}”."


def echo(request: FakeRequest) -> str:
    """Answer with what was asked."""
    return last_words(request)


def words(text: str) -> list[str]:
    """Cut ``text`` as a stream would send it; joined, the pieces are the text."""
    return _WORDS.findall(text)


def loads(estimate: Estimate = countdown) -> ColdReply:
    """Be cold as the serverless API is: 503 with an estimate."""
    return lambda model, left: loading(left, model=model, estimate=estimate)


def loads_like_llama(_model: str, _left: float) -> FakeReply:
    """Be cold as llama.cpp is."""
    return loading_llama()


def sleeps(_model: str, _left: float) -> FakeReply:
    """Be cold as a dedicated endpoint is that scaled to zero."""
    return asleep()


@frozen
class Behaviour:
    """How a simulated model behaves. Every time is in seconds.

    Cold: for ``cold_for`` seconds from the first request (which wakes it), or for
    ``cold_looks`` answers, whichever ends later; again after ``sleeps_after`` seconds
    without a request. ``cold_reply`` makes the answer given meanwhile.

    Busy: above ``capacity`` requests in flight it gives ``busy_reply``; above
    ``rate`` requests in ``window`` seconds a 429, with hints when ``rate_hints``.

    Answers: ``replies`` first, one a request (a handler is called for its reply),
    then ``always`` where given, then what ``answer`` says, streamed when asked for.
    ``change`` is given each of the last kind and returns what is sent in its place: a
    failure now and then, a stream that is cut.
    The rest is how good answers travel: see :class:`FakeReply`.
    """

    answer: Answer = friendly
    replies: Sequence[FakeReply | Handler] = ()
    always: FakeReply | Handler | None = None
    change: Change | None = None
    cold_for: float = 0.0
    cold_looks: int = 0
    cold_reply: ColdReply = field(factory=loads)
    sleeps_after: float | None = None
    capacity: int | None = None
    busy_reply: FakeReply = field(factory=overloaded)
    rate: int | None = None
    window: float = 60.0
    rate_hints: bool = True
    delay: float = 0.0
    gap: float = 0.0
    split: int | None = None
    cut: int | None = None
    stall: int | None = None
    done_mark: bool = True

    def rate_reply(self, left: float) -> FakeReply:
        """Return the 429 for a caller who should wait ``left`` seconds."""
        if not self.rate_hints:
            return rate_limited()
        # Retry-After counts whole seconds; a 0 would be no hint at all.
        whole = max(1, round(left + 0.5))
        return rate_limited(retry_after=whole, reset=whole)
