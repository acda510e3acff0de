"""Fit prompt and answer into the context length: cut the history, lower maxTokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from attrs import define, evolve

from bytebuddy_provider_hf.client.knowledge import (
    Knowledge,
    TokenCounts,
    guess_tokens,
)
from bytebuddy_provider_hf.prompts import history
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import ImagePart
from bytebuddy_provider_hf.wire.llamacpp import InfillRequest
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.tokenize import Prompted

# Kept free for the answer where nobody said how long it may be.
_USUAL_ANSWER: Final = 1_024
# An answer may claim so much of the window; a longer maxTokens is lowered later, by
# the server's own numbers. People are told to write the model's maximum there.
_LARGEST_SHARE: Final = 4
# What a server counted is exact, what is left of it after cutting is not.
_SAFETY: Final = 0.95
# A role and its marks around each message.
_TURN: Final = 8
# What an image costs depends on its size and the model.
_IMAGE: Final = 1_024
# By an estimate an answer is not cut below this part of the window: near its end the
# server's own count, which a refusal tells, leaves more.
_LEAST_SHARE: Final = 16
# A caller who writes one of these into the body decides the length of the answer.
_LENGTH_MEMBERS: Final = frozenset(
    {"max_tokens", "max_completion_tokens", "max_new_tokens", "n_predict", "parameters"}
)


def truncate_history(
    request: ChatRequest,
    window: int | None,
    counted: TokenCounts | None,
    max_input: int | None = None,
) -> tuple[ChatRequest, tuple[str, ...]]:
    """Return the request with the middle of its history cut, and a note of it.

    ``counted`` is what a server counted when it refused this prompt. ``max_input`` is
    what the server takes of a prompt, where that is less than the window.
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
        # The server's window, in tokens as they are estimated here.
        ours = history.count_tokens(request.messages, request.tools)
        limit = max(1, int(limit * _SAFETY * ours / max(1, counted.prompt)))
    elif not request.tools and _surely_fits(request, limit - reserve):
        return request, ()
    kept, dropped = history.truncate(
        request.messages, window=limit, reserve=reserve, tools=request.tools
    )
    if not dropped:
        return request, ()
    window_told = f"{limit if counted is None else counted.window:,}"
    if dropped == 1:
        note = text("calls.one_message_left_out", window=window_told)
    else:
        note = text("calls.messages_left_out", dropped=dropped, window=window_told)
    return evolve(request, messages=kept), (note,)


def _surely_fits(request: ChatRequest, limit: int) -> bool:
    """Compare bytes: no text has more tokens, and this costs next to nothing."""
    total = 0
    for message in request.messages:
        content = message.content
        if not isinstance(content, str) or message.tool_calls:
            return False
        total += len(content) if content.isascii() else len(content.encode())
    return total <= limit


@define
class AnswerRoom:
    """What the window leaves for an answer.

    ``guess`` is the prompt in guessed tokens, ``None`` where it is no guess to learn
    from. ``lowered`` is what maxTokens must become, and ``note`` says so; ``unsure``
    tells that the guess is too little to lower it by.
    """

    guess: int | None
    lowered: int | None = None
    note: str = ""
    unsure: bool = False


def room_for_answer(
    request: Prompted, length: int, knowledge: Knowledge
) -> AnswerRoom | None:
    """Return what is left for the answer to ``request``, whose body has ``length``.

    ``None`` where prompt and answer fit, or nobody knows the window: a prompt of text
    has no more tokens than its request has bytes.
    """
    asked, window = request.options.max_tokens, knowledge.window
    if asked is None or window is None or length + asked <= window:
        return None
    if not _LENGTH_MEMBERS.isdisjoint(request.extra):
        return None
    guess, images = guess_prompt(request), _has_images(request)
    counted = knowledge.prompt_tokens
    prompt = knowledge.estimate.tokens(guess) if counted is None else counted
    room = window - prompt
    found = AnswerRoom(None if images else guess)
    if room >= asked:
        return found
    least = 1
    if counted is None:
        least = max(1, window // _LEAST_SHARE)
        trusted = knowledge.estimate.trusted(guess) and not images
        if not trusted and 2 * room < min(asked, window):
            fits = guess_prompt(request, history.estimate_tokens) + asked <= window
            found.unsure = not fits
            return found
    if room >= least:
        found.lowered = room
        found.note = text(
            "calls.maxtokens_was_lowered_by_guess"
            if counted is None
            else "calls.maxtokens_was_lowered_from",
            asked=f"{asked:,}",
            room=f"{room:,}",
            window=f"{window:,}",
            prompt=f"{prompt:,}",
        )
    return found


def cut_note(lowered: int) -> str:
    """Return the note of an answer that ended at a lowered maxTokens."""
    return text("calls.answer_was_cut_at_tokens_all", lowered=f"{lowered:,}")


def guess_prompt(request: Prompted, count: Callable[[str], int] = guess_tokens) -> int:
    """Return about how many tokens a request's prompt has, before any correction.

    ``count`` is asked for each text.
    """
    if isinstance(request, CompletionRequest):
        return count(request.prompt)
    if isinstance(request, InfillRequest):
        files = sum(count(path + text) + _TURN for path, text in request.files)
        return count(request.prefix) + count(request.suffix) + files
    tokens = 0
    for message in request.messages:
        tokens += _TURN
        if isinstance(message.content, str):
            tokens += count(message.content)
        else:
            for part in message.content:
                if isinstance(part, ImagePart):
                    tokens += _IMAGE
                else:
                    tokens += count(part.text)
        for call in message.tool_calls:
            tokens += _TURN + count(call.name) + count(call.arguments)
    for tool in request.tools:
        schema = json.dumps(dict(tool.parameters), default=str, ensure_ascii=False)
        tokens += _TURN + count(f"{tool.name}{tool.description}{schema}")
    return tokens


def _has_images(request: Prompted) -> bool:
    return isinstance(request, ChatRequest) and any(
        isinstance(part, ImagePart)
        for message in request.messages
        if not isinstance(message.content, str)
        for part in message.content
    )
