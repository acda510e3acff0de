"""Bytes become values: typed first, tolerant second, total always.

msgspec with only the fields we read decodes a chunk in about 0.4 µs. It refuses what
real servers send now and then (``5.0`` for an int, NaN, a lone surrogate, broken
UTF-8), so what it refuses is decoded untyped and picked through by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec

from bytebuddy_provider_hf.types import FinishReason, ToolCall, Usage

_S = TypeVar("_S", bound=msgspec.Struct)

# Deeper than any answer; below the depth at which json's recursion fails.
_MAX_DEPTH: Final = 200

_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")

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


class FunctionPiece(msgspec.Struct):
    """The function part of a tool call, whole or in pieces."""

    name: str | None = None
    # TGI before 3.2 sends an object here instead of JSON text.
    arguments: str | dict[str, object] | None = None


class ToolPiece(msgspec.Struct):
    """A tool call, whole or in pieces."""

    index: int | None = None
    id: str | int | None = None
    function: FunctionPiece | None = None


class Content(msgspec.Struct):
    """What a message or a delta says."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolPiece] | None = None


class Choice(msgspec.Struct):
    """One choice; chat uses ``delta`` or ``message``, completions use ``text``."""

    index: int = 0
    delta: Content | None = None
    message: Content | None = None
    text: str | None = None
    finish_reason: str | None = None


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

    choices: list[Choice] | None = None
    usage: UsageBlock | None = None
    model: str | None = None
    id: str | None = None
    kind: str | None = msgspec.field(default=None, name="object")
    fingerprint: str | None = msgspec.field(default=None, name="system_fingerprint")
    error: object = None


class Token(msgspec.Struct):
    """One token of TGI's own stream; a special one is a mark, not text."""

    text: str | None = None
    special: bool = False


class GenerationDetails(msgspec.Struct):
    """What TGI tells of a generation; ``prefill`` is the prompt's tokens, if told."""

    finish_reason: str | None = None
    generated_tokens: int | None = None
    input_length: int | None = None
    prefill: list[msgspec.Raw] | None = None


class Generation(msgspec.Struct):
    """A whole answer of TGI's own protocol, or one event of its stream."""

    token: Token | None = None
    generated_text: str | None = None
    details: GenerationDetails | None = None
    error: object = None
    error_type: str | None = None


_decode_completion: Final = msgspec.json.Decoder(Completion).decode
_decode_generation: Final = msgspec.json.Decoder(Generation).decode


def completion(data: bytes) -> Completion | None:
    """Return the answer or chunk in ``data``, or ``None`` where it is not JSON."""
    try:
        return _decode_completion(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    value = loads(data)
    return _pick_completion(value) if isinstance(value, dict) else None


def generation(data: bytes) -> Generation | None:
    """Return the answer or event in ``data``; of a list, its first member.

    ``None`` where it is not a JSON object, nor a list that begins with one.
    """
    try:
        return _decode_generation(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    value = loads(data)
    if isinstance(value, list) and value:
        value = value[0]
    return _pick_generation(value) if isinstance(value, dict) else None


def loads(data: bytes) -> object:
    """Return the JSON value in ``data``, leniently; ``None`` where there is none.

    NaN and infinities become ``None``, broken UTF-8 is replaced.
    """
    if _too_deep(data):
        return None
    try:
        return json.loads(data.decode("utf-8", "replace"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


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


def arguments_text(value: str | dict[str, object] | None) -> str:
    """Return the arguments of a call as JSON text, whatever form they came in."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value or ""


def named_call(call_id: str, name: str, arguments: str) -> ToolCall:
    """Return a tool call; the name is taken out of the arguments where it is there.

    TGI 1.4.5 to 2.3 streams the text that its grammar made, the end mark of the
    model included: ``{"function": {"_name": "f", "x": 1}}</s>``.
    """
    if not name and arguments.lstrip()[:1] == "{":
        try:
            value, _ = json.JSONDecoder().raw_decode(arguments.lstrip())
        except (ValueError, RecursionError):
            value = None
        inner = value.get("function") if isinstance(value, dict) else None
        if isinstance(inner, dict) and isinstance(found := inner.get("_name"), str):
            rest = {key: inner[key] for key in inner if key != "_name"}
            return ToolCall(call_id, found, arguments_text(rest))
    return ToolCall(call_id, name, arguments)


def tool_call(piece: ToolPiece) -> ToolCall:
    """Return a whole tool call."""
    function = piece.function or FunctionPiece()
    return ToolCall(
        id="" if piece.id is None else str(piece.id),
        name=function.name or "",
        arguments=arguments_text(function.arguments),
    )


def _no_number(_name: str) -> None:
    return None


def _too_deep(data: bytes) -> bool:
    """Tell nesting that json could not follow."""
    if data.count(b"[") + data.count(b"{") <= _MAX_DEPTH:
        return False
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", data)):
        depth += 1 if bracket in (b"[", b"{") else -1
        if depth > _MAX_DEPTH:
            return True
    return False


def _pick_completion(value: Mapping[str, object]) -> Completion:
    choices = value.get("choices")
    return Completion(
        choices=_list(choices, _pick_choice),
        usage=_mapped(value.get("usage"), _pick_usage),
        model=_text(value.get("model")),
        id=_text(value.get("id")),
        kind=_text(value.get("object")),
        fingerprint=_text(value.get("system_fingerprint")),
        error=value.get("error"),
    )


def _pick_choice(value: Mapping[str, object]) -> Choice:
    return Choice(
        index=_int(value.get("index")) or 0,
        delta=_mapped(value.get("delta"), _pick_content),
        message=_mapped(value.get("message"), _pick_content),
        text=_text(value.get("text")),
        finish_reason=_text(value.get("finish_reason")),
    )


def _pick_content(value: Mapping[str, object]) -> Content:
    calls = value.get("tool_calls")
    if isinstance(calls, dict):
        # TGI before 3.2 streams one call, not in a list; its index counts tokens.
        calls = [{**calls, "index": None}]
    return Content(
        content=_content_text(value.get("content")),
        reasoning_content=_text(value.get("reasoning_content")),
        reasoning=_text(value.get("reasoning")),
        tool_calls=_list(calls, _pick_tool),
    )


def _pick_tool(value: Mapping[str, object]) -> ToolPiece:
    given = value.get("id")
    return ToolPiece(
        index=_int(value.get("index")),
        id=given if isinstance(given, str | int) else None,
        function=_mapped(value.get("function"), _pick_function),
    )


def _pick_function(value: Mapping[str, object]) -> FunctionPiece:
    given = value.get("arguments")
    return FunctionPiece(
        name=_text(value.get("name")),
        arguments=given if isinstance(given, str | dict) else None,
    )


def _pick_usage(value: Mapping[str, object]) -> UsageBlock:
    details = _mapped(value.get("prompt_tokens_details"), dict)
    return UsageBlock(
        prompt_tokens=_int(value.get("prompt_tokens")),
        completion_tokens=_int(value.get("completion_tokens")),
        total_tokens=_int(value.get("total_tokens")),
        prompt_tokens_details=PromptDetails(
            cached_tokens=_int((details or {}).get("cached_tokens"))
        ),
    )


def _pick_generation(value: Mapping[str, object]) -> Generation:
    return Generation(
        token=_mapped(value.get("token"), _pick_token),
        generated_text=_text(value.get("generated_text")),
        details=_mapped(value.get("details"), _pick_details),
        error=value.get("error"),
        error_type=_text(value.get("error_type")),
    )


def _pick_token(value: Mapping[str, object]) -> Token:
    return Token(text=_text(value.get("text")), special=value.get("special") is True)


def _pick_details(value: Mapping[str, object]) -> GenerationDetails:
    prefill = value.get("prefill")
    return GenerationDetails(
        finish_reason=_text(value.get("finish_reason")),
        generated_tokens=_int(value.get("generated_tokens")),
        input_length=_int(value.get("input_length")),
        prefill=[msgspec.Raw()] * len(prefill) if isinstance(prefill, list) else None,
    )


_T = TypeVar("_T")


def _mapped(value: object, pick: Callable[[Mapping[str, object]], _T]) -> _T | None:
    return pick(value) if isinstance(value, dict) else None


def _list(value: object, pick: Callable[[Mapping[str, object]], _S]) -> list[_S] | None:
    if not isinstance(value, list):
        return None
    return [pick(item) for item in value if isinstance(item, dict)]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _content_text(value: object) -> str | None:
    """Join content given as a list of parts, as multi-modal servers send it."""
    if isinstance(value, list):
        parts = [p.get("text") for p in value if isinstance(p, dict)]
        return "".join(p for p in parts if isinstance(p, str))
    return _text(value)


def _int(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if abs(value) < 2**53 else None
