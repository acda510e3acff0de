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

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Message,
    ResponseFormat,
    Tool,
)
from bytebuddy_provider_hf.wire.body_parts import EMPTY_PART, BodyPart, merge_parts
from bytebuddy_provider_hf.wire.choices import Expectations
from bytebuddy_provider_hf.wire.dialects import TEMPLATE
from bytebuddy_provider_hf.wire.encode import json_body
from bytebuddy_provider_hf.wire.grammar import response_format_param
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.messages import encode_messages
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.several import logprobs_param, n_param
from bytebuddy_provider_hf.wire.supported_options import supported_options
from bytebuddy_provider_hf.wire.tooling import only_tool, tools_param

EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"

_ANY: Final = Server()


@define
class ChatRequest:
    """A conversation to answer.

    With ``logprobs`` the tokens are asked for, and so many alternatives for each; how
    many answers is an option. ``tool_choice`` is auto, none, required or the name of
    a tool. ``response_format`` is "json" or a JSON schema. ``opened`` is the mark
    that opens the reasoning, where the template writes it itself.
    """

    messages: tuple[Message, ...]
    options: CompletionOptions = field(factory=CompletionOptions)
    tools: tuple[Tool, ...] = ()
    extra: Mapping[str, object] = field(factory=dict)
    logprobs: int | None = None
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    opened: str = ""


@define
class CompletionRequest:
    """A text to continue; ``logprobs`` and others are as in a conversation.

    ``split`` tells the reasoning in the answer from its text, for a prompt that is a
    conversation written out.
    """

    prompt: str
    options: CompletionOptions = field(factory=CompletionOptions)
    extra: Mapping[str, object] = field(factory=dict)
    logprobs: int | None = None
    response_format: ResponseFormat | None = None
    split: bool = False
    opened: str = ""


def build_chat(
    request: ChatRequest,
    target: Target,
    *,
    stream: bool,
    server: Server = _ANY,
    options: Mapping[str, object] | None = None,
    model: str | None = None,
) -> HttpRequest:
    """Return the call for ``/v1/chat/completions``, with notes on what is left out.

    ``options`` are those legal there, ``model`` the name the server goes by; without
    ``server`` it is taken for a plain OpenAI-style one. Raises ``InvalidOption`` for
    what is wrong anywhere, ``UnsupportedRole`` for what this server cannot do.
    """
    messages, told = encode_messages(request.messages, server)
    added = merge_parts(
        (
            BodyPart(notes=told) if told else EMPTY_PART,
            tools_param(
                request.tools,
                request.tool_choice,
                server,
                parallel=request.parallel_tool_calls,
            ),
            _shared(request, server, "chat", tools=bool(request.tools)),
        )
    )
    body: dict[str, object] = {"model": model or target.model, "messages": messages}
    if options is None:
        options = supported_options(request.options, server, "chat", base={}).body
    body.update(added.body)
    body.update(options)
    return _call("chat", target.chat_url, body, request.extra, added, stream=stream)


def build_completion(
    request: CompletionRequest,
    target: Target,
    *,
    stream: bool,
    server: Server = _ANY,
    options: Mapping[str, object] | None = None,
    model: str | None = None,
) -> HttpRequest:
    """Return the call for ``/v1/completions``, by the rules of :func:`build_chat`."""
    added = _shared(request, server, "completions")
    body: dict[str, object] = {
        "model": model or target.model,
        "prompt": request.prompt,
    }
    if options is None:
        options = supported_options(
            request.options, server, "completions", base={}
        ).body
    body.update(added.body)
    body.update(options)
    url = target.completions_url
    return _call("completions", url, body, request.extra, added, stream=stream)


def expectations(request: ChatRequest | CompletionRequest) -> Expectations:
    """Return how the answer to a request is to be read."""
    tool, split = "", True
    if isinstance(request, ChatRequest):
        tool = only_tool(request.tools, request.tool_choice)
    else:
        split = request.split
    return Expectations(
        n=request.options.n or 1,
        logprobs=request.logprobs is not None,
        tool=tool,
        json=request.response_format is not None,
        split=split,
        opened=request.opened,
    )


def _shared(
    request: ChatRequest | CompletionRequest,
    server: Server,
    route: str,
    *,
    tools: bool = False,
) -> BodyPart:
    return merge_parts(
        (
            n_param(request.options.n, server, route),
            logprobs_param(request.logprobs, server, route),
            response_format_param(request.response_format, server, route, tools=tools),
        )
    )


def _call(
    route: str,
    url: str,
    body: dict[str, object],
    extra: Mapping[str, object],
    added: BodyPart,
    *,
    stream: bool,
) -> HttpRequest:
    template = body.get(TEMPLATE)
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    body.update(extra)
    more = extra.get(TEMPLATE)
    if isinstance(template, Mapping) and isinstance(more, Mapping):
        body[TEMPLATE] = {**template, **more}
    accept = EVENT_STREAM if stream else JSON
    return HttpRequest(
        url=url,
        body=json_body(body),
        accept=accept,
        notes=added.notes,
        route=route,
    )
