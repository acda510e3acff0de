"""The OpenAI protocol: chat completions and completions, as requests.

https://platform.openai.com/docs/api-reference/chat; the router's documented fields are
in Hugging Face's docs/inference-providers/tasks/chat-completion.md. ``model`` stands
first in the body because the router resolves the provider from its first bytes
(huggingface_hub 2.4, ``inference/_providers/_common.py``). What was not asked for is
not sent: TGI turns a presence penalty of 0 into a repetition penalty of 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import define, field

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Message,
    ResponseFormat,
    Tool,
)
from bytebuddy_provider_hf.wire.choices import MAX_CHOICES, Expectations
from bytebuddy_provider_hf.wire.http_request import (
    EVENT_STREAM,
    JSON,
    HttpRequest,
    json_body,
)
from bytebuddy_provider_hf.wire.route_options import TEMPLATE
from bytebuddy_provider_hf.wire.server import TOOL_WORDS, Server
from bytebuddy_provider_hf.wire.supported_options import supported_options

# The member by which a stream is asked for its usage.
STREAM_OPTIONS: Final = "stream_options"
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
    # ``model`` first, for the router; see the top of this file.
    messages, notes = server.messages(request.messages)
    body: dict[str, object] = {"model": model or target.model, "messages": messages}
    if request.tools or request.tool_choice is not None:
        _check_tools(request.tools, request.tool_choice)
    if request.tools:
        part = server.tools(
            request.tools, request.tool_choice, parallel=request.parallel_tool_calls
        )
        body.update(part.body)
        notes += part.notes
    url = server.at(target).chat_url
    return _build(
        "chat", url, request, body, server, notes=notes, options=options, stream=stream
    )


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
    body: dict[str, object] = {
        "model": model or target.model,
        "prompt": request.prompt,
    }
    url = server.at(target).completions_url
    return _build(
        "completions", url, request, body, server, options=options, stream=stream
    )


def expectations(request: ChatRequest | CompletionRequest) -> Expectations:
    """Return how the answer to a request is to be read."""
    tool, split = "", True
    tools: tuple[str, ...] = ()
    if isinstance(request, ChatRequest) and request.tools:
        tools = tuple(each.name for each in request.tools)
    if isinstance(request, CompletionRequest):
        split = request.split
    elif request.tool_choice is not None and request.tool_choice not in TOOL_WORDS:
        tool = request.tool_choice
    # Old TGI gives its calls no name: where there is one tool, it is that one.
    elif len(request.tools) == 1:
        tool = request.tools[0].name
    # Members of a caller's own ask as well as options do.
    extra_n = request.extra.get("n")
    n = extra_n if isinstance(extra_n, int) else request.options.n
    return Expectations(
        n=max(1, min(n or 1, MAX_CHOICES)),
        logprobs=request.logprobs is not None or bool(request.extra.get("logprobs")),
        tools=tools,
        tool=tool,
        json=request.response_format is not None,
        split=split,
        opened=request.opened,
    )


def _check_tools(tools: Sequence[Tool], choice: str | None) -> None:
    """Raise ``InvalidOption`` for a choice that there is not among ``tools``."""
    names = [tool.name for tool in tools]
    if choice in (None, "none", *names) or (choice in TOOL_WORDS and tools):
        return
    if choice in TOOL_WORDS:
        raise InvalidOption(
            text("wire.choice_without_tools", choice=f"{choice!r}"),
            hint=text("wire.choice_without_tools_hint"),
        )
    raise InvalidOption(
        text("wire.no_such_tool", choice=f"{choice!r}"),
        hint=text("wire.no_such_tool_hint", names=", ".join(names)),
    )


def _build(
    route: str,
    url: str,
    request: ChatRequest | CompletionRequest,
    body: dict[str, object],
    server: Server,
    *,
    options: Mapping[str, object] | None,
    stream: bool,
    notes: tuple[str, ...] = (),
) -> HttpRequest:
    """Return the call with what both routes have in common added to ``body``."""
    n, logprobs, form = request.options.n, request.logprobs, request.response_format
    if n is not None or logprobs is not None or form is not None:
        part = server.answer_form(
            route,
            n=n,
            logprobs=logprobs,
            wanted=form,
            tools=isinstance(request, ChatRequest) and bool(request.tools),
        )
        body.update(part.body)
        notes = (*notes, *part.notes)
    # The order of the members is kept: recorded requests are compared by their bytes.
    if options is None:
        options = supported_options(request.options, server, route).body
    body.update(options)
    if stream:
        body["stream"] = True
        # Without it a stream ends without a count of its tokens.
        if STREAM_OPTIONS not in server.left_out:
            body[STREAM_OPTIONS] = {"include_usage": True}
    # The caller's variables of a template stand beside ours, not in their place.
    template, more = body.get(TEMPLATE), request.extra.get(TEMPLATE)
    body.update(request.extra)
    if isinstance(template, Mapping) and isinstance(more, Mapping):
        body[TEMPLATE] = {**template, **more}
    return HttpRequest(
        url=url,
        body=json_body(body),
        accept=EVENT_STREAM if stream else JSON,
        notes=notes,
        route=route,
    )
