"""Have a server's own tokenizer count a prompt, where it has a route for that."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.json_cost import JsonBound, check_json_cost
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.wire.http_request import HttpRequest, json_body, root_url
from bytebuddy_provider_hf.wire.llamacpp import InfillRequest
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.typed_json import UNDECODED, fitted

Prompted: TypeAlias = ChatRequest | CompletionRequest | InfillRequest

# What is read of an answer: it lists every token, some with their text.
MAX_COUNT: Final = 16 * 1024 * 1024
COUNT_BOUND: Final = JsonBound(524_288)
# llama.cpp counts a text: a template's marks and role are added for each message.
_TURN: Final = 8


class _Counted(msgspec.Struct):
    """A count, or a list of tokens as they came."""

    count: int | None = None
    tokenize_response: list[msgspec.Raw] | None = None
    tokens: list[msgspec.Raw] | None = None


_count: Final = msgspec.json.Decoder(list[msgspec.Raw] | _Counted).decode


def tokenize_request(
    request: Prompted, target: Target, server: Server
) -> HttpRequest | None:
    """Return the call that has a prompt counted, ``None`` where no server can.

    Tools and images are not in every tokenizer's count: with them nothing is asked.
    """
    model = server.name_for(target.model)
    if isinstance(request, ChatRequest):
        if request.tools or not all(
            isinstance(message.content, str) and not message.tool_calls
            for message in request.messages
        ):
            return None
        found = server.count_chat(request.messages, model)
    elif isinstance(request, InfillRequest):
        files = "".join(path + text for path, text in request.files)
        found = server.count_text(f"{files}{request.prefix}{request.suffix}", model)
    else:
        found = server.count_text(request.prompt, model)
    if found is None:
        return None
    path, body = found
    return HttpRequest(url=root_url(target, path), body=json_body(body))


def read_token_count(data: bytes, request: Prompted) -> int | None:
    """Return how many tokens an answer counts, or ``None`` where it is no count."""
    check_json_cost(data, COUNT_BOUND.elements)
    found: object
    try:
        # The tokens are counted and not decoded: a long prompt has a hundred thousand.
        found = _count(data)
    except UNDECODED:
        found = loads(data)
    # TGI lists the tokens of a text, and those of a chat in a member.
    if isinstance(found, list):
        return len(found)
    if not isinstance(found, _Counted):
        found = fitted(found, _Counted)
    if found is None:
        return None
    # vLLM.
    if found.count is not None and found.count >= 0:
        return found.count
    if found.tokenize_response is not None:
        return len(found.tokenize_response)
    listed = found.tokens
    if listed is None:
        return None
    turns = len(request.messages) if isinstance(request, ChatRequest) else 0
    return len(listed) + _TURN * turns
