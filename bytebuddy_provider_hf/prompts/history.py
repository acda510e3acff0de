"""Truncate a conversation that no longer fits, by an estimate of its tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from bytebuddy_provider_hf.types import ImagePart, Message, Tool

# Marks and a role name round each turn: the longest official templates spend eight.
_TURN: Final = 8
# What an image costs depends on its size and the model; some take several thousand.
_IMAGE: Final = 1024

# Every match is taken for a token; a blank before a word is part of the word's.
_PIECE: Final = re.compile(
    r"[A-Za-z](?=[A-Za-z]{0,5}[0-9])|(?<=[0-9])[A-Za-z]"
    r"|[A-Za-z]{1,6}"
    r"|[0-9]| (?=[0-9])"
    r"|[ \t]{2,16}|[\t\x0b\x0c]|[\r\n]+"
    r"|[^A-Za-z0-9\s]"
)
# Scripts of which few letters, or none, have a token of their own.
_FAR: Final = re.compile("[\u0900-\U0010ffff]")
_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")


def estimate_tokens(text: str) -> int:
    """Return about how many tokens ``text`` is, rather too many than too few.

    No tokenizer is asked, and vocabularies differ. Measured against Mistral's first one
    (32,000 pieces, the size of Llama 2's) and its larger one (131,072), the estimate is
    1.06 to 1.25 and 1.2 to 1.4 times too high for Python, C, JavaScript, JSON and
    Markdown, 1.5 times for Chinese, 1.5 and 2.3 for Japanese, 1.2 and 3 for Korean and
    Hindi, 2.3 and 3.3 for Russian; too low, by up to a sixth, for base64, emoji and
    Arabic.
    GPT-2's vocabulary (DialoGPT, CodeGPT) has a token for every blank of an
    indentation: for code the estimate is too low there.
    """
    tokens = len(_PIECE.findall(text))
    # Code is mostly ASCII: the searches below would find nothing there.
    if text.isascii():
        return tokens
    far, astral = len(_FAR.findall(text)), len(_ASTRAL.findall(text))
    return tokens + (far + 1) // 2 + (3 * astral + 1) // 2


def truncate(
    messages: Sequence[Message],
    *,
    window: int,
    reserve: int,
    tools: Sequence[Tool] = (),
    count: Callable[[str], int] = estimate_tokens,
) -> tuple[tuple[Message, ...], int]:
    """Return the messages that fit, and how many were cut.

    ``window`` is what prompt and answer may take together, ``reserve`` what is kept for
    the answer, both in tokens as ``count`` counts them. The system messages stay, and
    so does the last turn: what the user asked last, with every call and result since.
    Between them whole exchanges go, the oldest first, so that no result loses its
    call and no answer its question. Where system and last turn alone are too much they
    are returned all the same, for the server to judge.
    """
    # An exchange begins where a user speaks; system messages belong to none.
    spoken = [i for i, m in enumerate(messages) if m.role != "system"]
    asked = [at for at, index in enumerate(spoken) if messages[index].role == "user"]
    bounds = sorted({0, *asked, len(spoken)})
    exchanges = [spoken[start:end] for start, end in pairwise(bounds)]
    room = window - reserve - sum(_tool_size(tool, count) for tool in tools)
    sizes = [_size(message, count) for message in messages]
    excess = sum(sizes) - room
    cut: set[int] = set()
    for exchange in exchanges[:-1]:
        if excess <= 0:
            break
        cut.update(exchange)
        excess -= sum(sizes[index] for index in exchange)
    kept = tuple(m for index, m in enumerate(messages) if index not in cut)
    return kept, len(cut)


def count_tokens(
    messages: Sequence[Message],
    tools: Sequence[Tool] = (),
    count: Callable[[str], int] = estimate_tokens,
) -> int:
    """Return about how many tokens a conversation is, its tools included."""
    offered = sum(_tool_size(tool, count) for tool in tools)
    return offered + sum(_size(message, count) for message in messages)


def _size(message: Message, count: Callable[[str], int]) -> int:
    size = _TURN
    if isinstance(message.content, str):
        size += count(message.content)
    else:
        for part in message.content:
            size += _IMAGE if isinstance(part, ImagePart) else count(part.text)
    for call in message.tool_calls:
        size += _TURN + count(call.name) + count(call.arguments)
    return size


def _tool_size(tool: Tool, count: Callable[[str], int]) -> int:
    schema = json.dumps(dict(tool.parameters), default=str, ensure_ascii=False)
    return _TURN + count(tool.name) + count(tool.description) + count(schema)
