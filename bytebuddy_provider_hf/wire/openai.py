"""The OpenAI protocol: chat completions and completions, as requests.

https://platform.openai.com/docs/api-reference/chat; the router's documented fields are
in Hugging Face's docs/inference-providers/tasks/chat-completion.md. ``model`` stands
first in the body because the router resolves the provider from its first bytes
(huggingface_hub 2.4, ``inference/_providers/_common.py``). What was not asked for is
not sent: TGI turns a presence penalty of 0 into a repetition penalty of 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from attrs import field, frozen

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    ImagePart,
    Message,
    TextPart,
    Tool,
    ToolCall,
)
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.target import Target

EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"

_NAMES: Final = (
    "temperature",
    "max_tokens",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "seed",
)

_encode: Final = msgspec.json.Encoder().encode


@frozen
class ChatRequest:
    """A conversation to answer."""

    messages: tuple[Message, ...]
    options: CompletionOptions = field(factory=CompletionOptions)
    tools: tuple[Tool, ...] = ()
    extra: Mapping[str, object] = field(factory=dict)


@frozen
class CompletionRequest:
    """A text to continue."""

    prompt: str
    options: CompletionOptions = field(factory=CompletionOptions)
    extra: Mapping[str, object] = field(factory=dict)


def build_chat(request: ChatRequest, target: Target, *, stream: bool) -> Call:
    """Return the call for ``/v1/chat/completions``."""
    body: dict[str, object] = {
        "model": target.model,
        "messages": [_message(message) for message in request.messages],
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    return _call(target.chat_url, body, request, stream=stream)


def build_completion(
    request: CompletionRequest, target: Target, *, stream: bool
) -> Call:
    """Return the call for ``/v1/completions``."""
    body: dict[str, object] = {"model": target.model, "prompt": request.prompt}
    return _call(target.completions_url, body, request, stream=stream)


def _call(
    url: str,
    body: dict[str, object],
    request: ChatRequest | CompletionRequest,
    *,
    stream: bool,
) -> Call:
    body.update(_chosen(request.options))
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    body.update(request.extra)
    try:
        encoded = _encode(body)
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError):
        encoded = None
    if encoded is None:
        raise InvalidOption(
            "The request cannot be written as JSON.",
            hint="Messages, tools and extraBodyProperties take text, numbers, lists "
            "and mappings with text keys; text must not hold lone surrogates.",
        )
    return Call(url=url, body=encoded, accept=EVENT_STREAM if stream else JSON)


def _chosen(options: CompletionOptions) -> Iterable[tuple[str, object]]:
    return [
        (name, value)
        for name in _NAMES
        if (value := getattr(options, name)) is not None
    ]


def _message(message: Message) -> dict[str, object]:
    content: object = message.content
    if not isinstance(message.content, str):
        content = [_part(part) for part in message.content]
    body: dict[str, object] = {"role": message.role, "content": content}
    if message.tool_calls:
        body["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        body["name"] = message.name
    return body


def _part(part: TextPart | ImagePart) -> dict[str, object]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": part.url}}


def _tool_call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: Tool) -> dict[str, object]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}
