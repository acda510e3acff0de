"""How much of a conversation fits: by the model's window, by what a server counted."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.client.knowledge import TokenCounts
from bytebuddy_provider_hf.prompts import history
from bytebuddy_provider_hf.types import Message
from bytebuddy_provider_hf.wire.openai import ChatRequest

# Kept free for the answer where nobody said how long it may be.
_USUAL_ANSWER: Final = 1_024
# An answer may claim so much of the window; a longer maxTokens is lowered later, by
# the server's own numbers. People are told to write the model's maximum there.
_LARGEST_SHARE: Final = 4
# What a server counted is exact, what is left of it after cutting is not.
_SAFETY: Final = 0.95


def truncate_history(
    request: ChatRequest,
    window: int | None,
    counted: TokenCounts | None,
    max_input: int | None = None,
) -> tuple[ChatRequest, tuple[str, ...]]:
    """Return the request with the middle of its history cut, and a note of it.

    ``max_input`` is what the server takes of a prompt, where that is less.
    """
    limit = window or max_input if counted is None else counted.window
    if limit is None:
        return request, ()
    asked = request.options.max_tokens or _USUAL_ANSWER
    reserve = min(asked, limit // _LARGEST_SHARE)
    if max_input is not None and counted is None and max_input <= limit - reserve:
        # TGI wants less than its limit.
        limit, reserve = max_input - 1, 0
    if counted is not None:
        limit = _in_our_count(request, limit, counted)
    elif not request.tools and _length(request.messages) <= limit - reserve:
        return request, ()
    kept, dropped = history.truncate(
        request.messages, window=limit, reserve=reserve, tools=request.tools
    )
    if not dropped:
        return request, ()
    note = (
        f"{dropped} earlier message{'s were' if dropped > 1 else ' was'} left out: "
        f"the model's window is {limit if counted is None else counted.window:,} "
        "tokens."
    )
    return evolve(request, messages=kept), (note,)


def _in_our_count(request: ChatRequest, limit: int, counted: TokenCounts) -> int:
    """Return the window in tokens as we estimate them, from the server's count."""
    ours = history.count_tokens(request.messages, request.tools)
    return max(1, int(limit * _SAFETY * ours / max(1, counted.prompt)))


def _length(messages: tuple[Message, ...]) -> int:
    """Count bytes: no text has more tokens, and this costs next to nothing."""
    total = 0
    for message in messages:
        content = message.content
        if not isinstance(content, str) or message.tool_calls:
            return 2**31
        total += len(content) if content.isascii() else len(content.encode())
    return total
