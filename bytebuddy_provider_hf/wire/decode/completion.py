"""Answers and chunks of OpenAI-style servers, of chat and of completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from bytebuddy_provider_hf.lenient_json import (
    lenient_integer,
    lenient_list,
    lenient_map,
    lenient_text,
    loads,
)
from bytebuddy_provider_hf.types import FinishReason, Usage
from bytebuddy_provider_hf.wire.decode.logprobs import Logprobs, lenient_logprobs
from bytebuddy_provider_hf.wire.decode.tool_calls import ToolPiece, lenient_tool

_FINISH: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class ReasoningDetail(msgspec.Struct):
    """One piece of ``reasoning_details``: text, or a summary of it."""

    text: str | None = None
    summary: str | None = None


class Content(msgspec.Struct):
    """What a message or a delta says; the reasoning goes by one of four names."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_text: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    tool_calls: list[ToolPiece] | None = None


class ChoiceData(msgspec.Struct):
    """One choice; chat uses ``delta`` or ``message``, completions use ``text``."""

    index: int = 0
    delta: Content | None = None
    message: Content | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class PromptDetails(msgspec.Struct):
    """Where vLLM, llama.cpp and others count cached tokens."""

    cached_tokens: int | None = None


class UsageBlock(msgspec.Struct):
    """Token counts as OpenAI-style servers send them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None


class Completion(msgspec.Struct):
    """A whole answer or one chunk of a stream, of chat or of completions.

    ``kind`` (``object`` on the wire) and ``error`` tell errors that come with
    status 200; ``fingerprint`` begins with TGI's version where TGI answers.
    """

    choices: list[ChoiceData] | None = None
    usage: UsageBlock | None = None
    model: str | None = None
    id: str | None = None
    kind: str | None = msgspec.field(default=None, name="object")
    fingerprint: str | None = msgspec.field(default=None, name="system_fingerprint")
    error: object = None


_decode: Final = msgspec.json.Decoder(Completion).decode


def completion(data: bytes) -> Completion | None:
    """Return the answer or chunk in ``data``, or ``None`` where it is not JSON."""
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    value = loads(data)
    return _pick_completion(value) if isinstance(value, dict) else None


def usage(block: UsageBlock | None) -> Usage | None:
    """Return the token counts, with the total added up where it is missing."""
    if block is None:
        return None
    prompt, answer = block.prompt_tokens or 0, block.completion_tokens or 0
    details = block.prompt_tokens_details
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=answer,
        total_tokens=block.total_tokens or prompt + answer,
        cached_tokens=None if details is None else details.cached_tokens,
    )


def finish_reason(name: str | None) -> FinishReason | None:
    """Return a server's finish reason in our words; an unknown one counts as stop.

    TGI's completions send an empty string until the end.
    """
    return _FINISH.get(name, "stop") if name else None


def reasoning_text(said: Content) -> str:
    """Return the reasoning in a message or delta, by whichever name it goes.

    ``reasoning_content`` is DeepSeek's name, which llama.cpp, SGLang and
    transformers took over; ``reasoning`` vLLM's from 0.12 on, Together's and
    OpenRouter's, which sends ``reasoning_details`` with the same text beside it.
    """
    found = said.reasoning_content or said.reasoning or said.reasoning_text
    if found or not said.reasoning_details:
        return found or ""
    return "".join(each.text or each.summary or "" for each in said.reasoning_details)


def _pick_completion(value: Mapping[str, object]) -> Completion:
    return Completion(
        choices=lenient_list(value.get("choices"), _pick_choice),
        usage=lenient_map(value.get("usage"), lenient_usage),
        model=lenient_text(value.get("model")),
        id=lenient_text(value.get("id")),
        kind=lenient_text(value.get("object")),
        fingerprint=lenient_text(value.get("system_fingerprint")),
        error=value.get("error"),
    )


def _pick_choice(value: Mapping[str, object]) -> ChoiceData:
    return ChoiceData(
        index=lenient_integer(value.get("index")) or 0,
        delta=lenient_map(value.get("delta"), _pick_content),
        message=lenient_map(value.get("message"), _pick_content),
        text=lenient_text(value.get("text")),
        finish_reason=lenient_text(value.get("finish_reason")),
        logprobs=lenient_map(value.get("logprobs"), lenient_logprobs),
    )


def _pick_content(value: Mapping[str, object]) -> Content:
    calls = value.get("tool_calls")
    if isinstance(calls, dict):
        # TGI before 3.2 streams one call, not in a list; its index counts tokens.
        calls = [{**calls, "index": None}]
    given = value.get("content")
    return Content(
        content=_said(given) if isinstance(given, list) else lenient_text(given),
        reasoning_content=lenient_text(value.get("reasoning_content")),
        reasoning=lenient_text(value.get("reasoning")) or _thinking(given),
        reasoning_text=lenient_text(value.get("reasoning_text")),
        reasoning_details=lenient_list(value.get("reasoning_details"), _pick_detail),
        tool_calls=lenient_list(calls, lenient_tool),
    )


def _said(parts: list[object]) -> str:
    """Join content given as a list of parts, as multi-modal servers send it."""
    return "".join(_texts(parts))


def _thinking(content: object) -> str | None:
    """Return the thinking parts of a list: Mistral's form for reasoning."""
    found: list[str] = []
    for part in content if isinstance(content, list) else ():
        inner = part.get("thinking") if isinstance(part, dict) else None
        found += [inner] if isinstance(inner, str) else _texts(inner)
    return "".join(found) or None


def _texts(parts: object) -> Iterator[str]:
    for part in parts if isinstance(parts, list) else ():
        said = part.get("text") if isinstance(part, dict) else None
        if isinstance(said, str):
            yield said


def _pick_detail(value: Mapping[str, object]) -> ReasoningDetail:
    return ReasoningDetail(
        lenient_text(value.get("text")), lenient_text(value.get("summary"))
    )


def lenient_usage(value: Mapping[str, object]) -> UsageBlock:
    """Return what can be used of token counts."""
    details = lenient_map(value.get("prompt_tokens_details"), dict)
    return UsageBlock(
        prompt_tokens=lenient_integer(value.get("prompt_tokens")),
        completion_tokens=lenient_integer(value.get("completion_tokens")),
        total_tokens=lenient_integer(value.get("total_tokens")),
        prompt_tokens_details=PromptDetails(
            cached_tokens=lenient_integer((details or {}).get("cached_tokens"))
        ),
    )
