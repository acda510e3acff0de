"""Good answers: chat and completions, whole and streamed, and those of tasks."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.types import FinishReason, ToolCall, Usage

MODEL: Final = "simulated/model"
# A fixed time: two runs of a test give the same bytes.
CREATED: Final = 1_700_000_000
DONE: Final = b"data: [DONE]\n\n"
# Enough to tell texts apart, few enough to read in a failing test.
_DIMENSIONS: Final = 8


def json_reply(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> FakeReply:
    """Answer with ``value`` as JSON."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return FakeReply(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        body=body,
    )


def event(value: object) -> bytes:
    """Return one server-sent event; text goes out as it stands, all else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def event_stream(values: Iterable[object], *, done: bool = True) -> FakeReply:
    """Answer with a stream of events, one piece each."""
    pieces = [event(value) for value in values]
    return FakeReply(
        headers={"content-type": "text/event-stream"},
        body=[*pieces, DONE] if done else pieces,
        # No server knows the length of a stream beforehand.
        ending="chunked",
    )


def usage_json(usage: Usage, *, reported: float | None = None) -> dict[str, object]:
    """Return ``usage`` as the protocol writes it; ``reported`` is the cost in USD."""
    counted: dict[str, object] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens is not None:
        # OpenAI nests it; servers without a cache of prefixes leave it out.
        counted["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if reported is not None:
        # deepinfra's, of the router's providers.
        counted["estimated_cost"] = reported
    return counted


def _tool_json(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _envelope(kind: str, model: str) -> dict[str, object]:
    short = "chatcmpl" if kind.startswith("chat") else "cmpl"
    return {
        "id": f"{short}-simulated",
        "object": kind,
        "created": CREATED,
        "model": model,
    }


def chat_reply(
    text: str,
    *,
    model: str = MODEL,
    usage: Usage | None = None,
    finish_reason: FinishReason | str = "stop",
    tool_calls: Sequence[ToolCall] = (),
    reasoning: str = "",
    reported: float | None = None,
) -> FakeReply:
    """Answer ``/v1/chat/completions`` in one piece."""
    message: dict[str, object] = {"role": "assistant", "content": text}
    # The name is vLLM's, SGLang's and llama.cpp's; OpenAI shows no reasoning.
    if reasoning:
        message["reasoning_content"] = reasoning
    if tool_calls:
        message["tool_calls"] = [_tool_json(call) for call in tool_calls]
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    body = _envelope("chat.completion", model) | {"choices": [choice]}
    if usage is not None:
        body["usage"] = usage_json(usage, reported=reported)
    return json_reply(body)


def chat_stream(
    pieces: Iterable[str],
    *,
    model: str = MODEL,
    usage: Usage | None = None,
    finish_reason: FinishReason | str | None = "stop",
    done: bool = True,
    tool_calls: Sequence[ToolCall] = (),
    reasoning: Iterable[str] = (),
    reported: float | None = None,
) -> FakeReply:
    """Answer ``/v1/chat/completions`` as a stream, one event for each piece.

    ``finish_reason=None`` leaves the finishing event out; ``done=False`` the end
    mark ``[DONE]``: with neither, the stream is an interrupted one.
    """
    # The first event of OpenAI, vLLM and llama.cpp names the role alone.
    deltas: list[Mapping[str, object]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in reasoning]
    deltas += [{"content": piece} for piece in pieces]
    deltas += [
        {"tool_calls": [{"index": index, **_tool_json(call)}]}
        for index, call in enumerate(tool_calls)
    ]
    choices: list[dict[str, object]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    if finish_reason is not None:
        # The end has an event of its own, as at OpenAI.
        choices.append({"index": 0, "delta": {}, "finish_reason": finish_reason})
    counted = None if usage is None else usage_json(usage, reported=reported)
    return _stream("chat.completion.chunk", model, choices, usage=counted, done=done)


def completion_reply(
    text: str,
    *,
    model: str = MODEL,
    usage: Usage | None = None,
    finish_reason: FinishReason | str = "stop",
    reported: float | None = None,
) -> FakeReply:
    """Answer ``/v1/completions`` in one piece."""
    choice = {"index": 0, "text": text, "finish_reason": finish_reason}
    body = _envelope("text_completion", model) | {"choices": [choice]}
    if usage is not None:
        body["usage"] = usage_json(usage, reported=reported)
    return json_reply(body)


def completion_stream(
    pieces: Iterable[str],
    *,
    model: str = MODEL,
    usage: Usage | None = None,
    finish_reason: FinishReason | str | None = "stop",
    done: bool = True,
    reported: float | None = None,
) -> FakeReply:
    """Answer ``/v1/completions`` as a stream, one event for each piece."""
    choices: list[dict[str, object]] = [
        {"index": 0, "text": piece, "finish_reason": None} for piece in pieces
    ]
    if finish_reason is not None:
        choices.append({"index": 0, "text": "", "finish_reason": finish_reason})
    counted = None if usage is None else usage_json(usage, reported=reported)
    return _stream("text_completion", model, choices, usage=counted, done=done)


def _stream(
    kind: str,
    model: str,
    choices: Iterable[Mapping[str, object]],
    *,
    usage: Mapping[str, object] | None,
    done: bool,
) -> FakeReply:
    envelope = _envelope(kind, model)
    events = [envelope | {"choices": [choice]} for choice in choices]
    if usage is not None:
        # With include_usage the counts come last, in an event without a choice.
        events.append(envelope | {"choices": [], "usage": usage})
    return event_stream(events, done=done)


def models_reply(names: Iterable[str]) -> FakeReply:
    """Answer ``/v1/models`` with these names."""
    data = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "simulated"}
        for name in names
    ]
    return json_reply({"object": "list", "data": data})


def simulated_vector(text: str) -> list[float]:
    """Return a vector of length 1, the same for the same text."""
    numbers = [
        # Not hash(), which differs from process to process.
        zlib.crc32(f"{place}:{text}".encode()) / 2**31 - 1
        for place in range(_DIMENSIONS)
    ]
    length = math.sqrt(math.fsum(each * each for each in numbers)) or 1.0
    # As 32-bit floats, so that lists and base64 say the same.
    packed = struct.pack(f"<{_DIMENSIONS}f", *(each / length for each in numbers))
    return list(struct.unpack(f"<{_DIMENSIONS}f", packed))


def simulated_score(query: str, text: str) -> float:
    """Return how many of the query's words the text has, from 0 to 1."""
    asked = set(query.lower().split())
    return len(asked & set(text.lower().split())) / (len(asked) or 1)


def task_reply(
    task: str,
    request: FakeRequest,
    text: str,
    *,
    pooled: bool = True,
    nested: bool = True,
) -> FakeReply:
    """Answer a task as a pipeline does; ``text`` is what a generation gives.

    ``pooled`` gives one vector a text and not one a token; ``nested`` puts the labels
    of a text into a list of their own.
    """
    inputs = request.value("inputs")
    texts = inputs if isinstance(inputs, list) else [inputs]
    if task == "text-generation":
        given = request.value("parameters")
        # transformers repeats the prompt unless it is told not to.
        full = not isinstance(given, dict) or given.get("return_full_text") is not False
        made = text if not full else str(inputs) + text
        return json_reply([{"generated_text": made}])
    if task == "feature-extraction":
        if pooled:
            vectors = [simulated_vector(str(each)) for each in texts]
            return json_reply(vectors if isinstance(inputs, list) else vectors[0])
        tokens = [[simulated_vector(token) for token in str(t).split()] for t in texts]
        return json_reply(tokens)
    if task == "sentence-similarity" and isinstance(inputs, dict):
        source = str(inputs.get("source_sentence"))
        scores = [simulated_score(source, str(s)) for s in inputs.get("sentences", [])]
        return json_reply(scores)
    labels: list[object] = [
        [{"label": "YES", "score": 0.75}, {"label": "NO", "score": 0.25}] for _ in texts
    ]
    return json_reply(labels if nested or isinstance(inputs, list) else labels[0])
