"""The OpenAI protocol: chat completions and completions, as requests.

https://platform.openai.com/docs/api-reference/chat; the router's documented fields are
in Hugging Face's docs/inference-providers/tasks/chat-completion.md. ``model`` stands
first in the body because the router resolves the provider from its first bytes
(huggingface_hub 2.4, ``inference/_providers/_common.py``). What was not asked for is
not sent: TGI turns a presence penalty of 0 into a repetition penalty of 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import define, field

from bytebuddy_provider_hf.types import (
    CompletionOptions,
    ImagePart,
    Message,
    TextPart,
    Tool,
    ToolCall,
)
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.encode import json_body
from bytebuddy_provider_hf.wire.options import legal
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.target import Target

EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"


@define
class ChatRequest:
    """A conversation to answer."""

    messages: tuple[Message, ...]
    options: CompletionOptions = field(factory=CompletionOptions)
    tools: tuple[Tool, ...] = ()
    extra: Mapping[str, object] = field(factory=dict)


@define
class CompletionRequest:
    """A text to continue."""

    prompt: str
    options: CompletionOptions = field(factory=CompletionOptions)
    extra: Mapping[str, object] = field(factory=dict)


def build_chat(
    request: ChatRequest,
    target: Target,
    *,
    stream: bool,
    options: Mapping[str, object] | None = None,
    model: str | None = None,
) -> Call:
    """Return the call for ``/v1/chat/completions``.

    ``options`` are those legal there, ``model`` the name the server goes by; without
    them it is taken for a plain OpenAI-style server.
    """
    body: dict[str, object] = {
        "model": model or target.model,
        "messages": [_message(message) for message in request.messages],
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if options is None:
        options = legal(request.options, Server(), "chat", base={}).body
    return _call(target.chat_url, {**body, **options}, request.extra, stream=stream)


def build_completion(
    request: CompletionRequest,
    target: Target,
    *,
    stream: bool,
    options: Mapping[str, object] | None = None,
    model: str | None = None,
) -> Call:
    """Return the call for ``/v1/completions``, by the rules of :func:`build_chat`."""
    body: dict[str, object] = {
        "model": model or target.model,
        "prompt": request.prompt,
    }
    if options is None:
        options = legal(request.options, Server(), "completions", base={}).body
    return _call(
        target.completions_url, {**body, **options}, request.extra, stream=stream
    )


def _call(
    url: str, body: dict[str, object], extra: Mapping[str, object], *, stream: bool
) -> Call:
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    body.update(extra)
    accept = EVENT_STREAM if stream else JSON
    return Call(url=url, body=json_body(body), accept=accept)


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
