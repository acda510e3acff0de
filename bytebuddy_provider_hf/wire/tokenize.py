"""Have a server's own tokenizer count a prompt, where it has a route for that.

TGI: router/src/server.rs, ``/chat_tokenize`` from 2.3 on; vLLM:
vllm/entrypoints/openai; llama.cpp: tools/server/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.wire.encode import json_body
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.llamacpp import InfillRequest
from bytebuddy_provider_hf.wire.messages import encode_messages
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.routes import root_url
from bytebuddy_provider_hf.wire.server import Engine, Server

Prompted: TypeAlias = ChatRequest | CompletionRequest | InfillRequest

# What is read of an answer: it lists every token, some with their text.
MAX_COUNT: Final = 16 * 1024 * 1024

_TOKENIZE: Final = "/tokenize"
_CHAT: Final = "/chat_tokenize"
_CHAT_SINCE: Final = (2, 3)
# llama.cpp counts a text: a template's marks and role are added for each message.
_TURN: Final = 8


def tokenize_request(
    request: Prompted, target: Target, server: Server
) -> HttpRequest | None:
    """Return the call that has a prompt counted, ``None`` where no server can.

    Tools and images are not in every tokenizer's count: with them nothing is asked.
    """
    text: str | None
    if isinstance(request, CompletionRequest):
        text = request.prompt
    elif isinstance(request, InfillRequest):
        files = "".join(path + text for path, text in request.files)
        text = f"{files}{request.prefix}{request.suffix}"
    elif not _is_text(request):
        return None
    elif server.engine is Engine.LLAMA_CPP:
        text = "\n".join(str(message.content) for message in request.messages)
    else:
        return _chat_call(request, target, server)
    return _text_call(text, target, server)


def read_token_count(data: bytes, request: Prompted) -> int | None:
    """Return how many tokens an answer counts, or ``None`` where it is no count."""
    found = loads(data)
    if isinstance(found, list):
        return len(found)
    if not isinstance(found, dict):
        return None
    count = found.get("count")
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
        return count
    listed = found.get("tokenize_response")
    if isinstance(listed, list):
        return len(listed)
    listed = found.get("tokens")
    if not isinstance(listed, list):
        return None
    turns = len(request.messages) if isinstance(request, ChatRequest) else 0
    return len(listed) + _TURN * turns


def _text_call(text: str, target: Target, server: Server) -> HttpRequest | None:
    body: Mapping[str, object]
    match server.engine:
        case Engine.TGI:
            body = {"inputs": text}
        case Engine.VLLM:
            body = {"model": server.name_for(target.model), "prompt": text}
        case Engine.LLAMA_CPP:
            body = {"content": text, "add_special": True}
        case _:
            return None
    return _call(_TOKENIZE, body, target)


def _chat_call(
    request: ChatRequest, target: Target, server: Server
) -> HttpRequest | None:
    if server.engine is Engine.VLLM:
        route = _TOKENIZE
    elif server.engine is Engine.TGI and (server.version or (0,)) >= _CHAT_SINCE:
        route = _CHAT
    else:
        return None
    messages, _ = encode_messages(request.messages, server)
    body = {"model": server.name_for(target.model), "messages": messages}
    return _call(route, body, target)


def _call(route: str, body: Mapping[str, object], target: Target) -> HttpRequest:
    return HttpRequest(url=root_url(target, route), body=json_body(dict(body)))


def _is_text(request: ChatRequest) -> bool:
    """Whether a conversation is text alone."""
    return not request.tools and all(
        isinstance(message.content, str) and not message.tool_calls
        for message in request.messages
    )
