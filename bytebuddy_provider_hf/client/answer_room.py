"""How many tokens are left for an answer, and the notes that say they are fewer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from attrs import define

from bytebuddy_provider_hf.client.knowledge import Knowledge
from bytebuddy_provider_hf.client.token_estimate import guess_tokens
from bytebuddy_provider_hf.prompts import history
from bytebuddy_provider_hf.types import ImagePart, Message, Tool
from bytebuddy_provider_hf.wire.llamacpp import InfillRequest
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.tokenize import Prompted

# A role and its marks around each message.
_TURN: Final = 8
# What an image costs depends on its size and the model.
_IMAGE: Final = 1_024
# By an estimate an answer is not cut below this part of the window: near its end the
# server's own count, which a refusal tells, leaves more.
_LEAST_SHARE: Final = 16
_NAMES: Final = frozenset(
    {"max_tokens", "max_completion_tokens", "max_new_tokens", "n_predict", "parameters"}
)


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
    if not _NAMES.isdisjoint(request.extra):
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
        about = "about " if counted is None else ""
        found.lowered = room
        found.note = (
            f"maxTokens was lowered from {asked:,} to {room:,}: the model's window is "
            f"{window:,} tokens, of which the prompt takes {about}{prompt:,}."
        )
    return found


def cut_note(lowered: int) -> str:
    """Return the note of an answer that ended at a lowered maxTokens."""
    return (
        f"The answer was cut at {lowered:,} tokens, all that the prompt left of the "
        "model's window. Shorten the prompt for a longer answer."
    )


def guess_prompt(request: Prompted, count: Callable[[str], int] = guess_tokens) -> int:
    """Return about how many tokens a request's prompt has, before any correction.

    ``count`` is asked for each text.
    """
    if isinstance(request, CompletionRequest):
        return count(request.prompt)
    if isinstance(request, InfillRequest):
        files = sum(count(path + text) + _TURN for path, text in request.files)
        return count(request.prefix) + count(request.suffix) + files
    messages = sum(_message(message, count) for message in request.messages)
    return messages + sum(_tool(tool, count) for tool in request.tools)


def _has_images(request: Prompted) -> bool:
    if not isinstance(request, ChatRequest):
        return False
    return any(
        isinstance(part, ImagePart)
        for message in request.messages
        if not isinstance(message.content, str)
        for part in message.content
    )


def _message(message: Message, count: Callable[[str], int]) -> int:
    tokens = _TURN
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
    return tokens


def _tool(tool: Tool, count: Callable[[str], int]) -> int:
    schema = json.dumps(dict(tool.parameters), default=str, ensure_ascii=False)
    return _TURN + count(f"{tool.name}{tool.description}{schema}")
