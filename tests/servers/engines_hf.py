"""Simulated transformers serve, hf-serve, inference toolkit and community pipelines.

Wordings and forms are those that these programs were seen to send.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, final

from attrs import evolve, frozen
from servers.engines import (
    CHAT,
    EMBEDDINGS,
    embeddings_reply,
    generation_reply,
    texts_of,
)

from bytebuddy_provider_hf.testing.answers import (
    CREATED,
    MODEL,
    chat_reply,
    chat_stream,
    event_stream,
    json_reply,
    task_reply,
)
from bytebuddy_provider_hf.testing.behaviour import Answer, friendly, last_words, words
from bytebuddy_provider_hf.testing.failures import (
    detail_error,
    detail_list_error,
    list_error,
    string_error,
    text_error,
)
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.types import ToolCall

_OK: Final = 200
# What transformers' ``generate`` takes; anything else is named in its refusal.
_GENERATE: Final = frozenset(
    {
        "do_sample",
        "max_length",
        "max_new_tokens",
        "max_time",
        "min_length",
        "num_return_sequences",
        "repetition_penalty",
        "return_full_text",
        "temperature",
        "top_k",
        "top_p",
    }
)
_COMPUTE: Final = {
    "x-compute-time": "0.001",
    "x-compute-type": "cpu",
    "access-control-expose-headers": "x-compute-type, x-compute-time",
}
# Those it knows and has no use for: UNUSED_CHAT_COMPLETION_FIELDS of
# src/transformers/cli/serving/chat_completion.py, since 2026.
_UNUSED_FIELDS: Final = frozenset(
    {
        "logprobs",
        "max_completion_tokens",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "stream_options",
        "tool_choice",
        "top_logprobs",
    }
)
_CHAT_FIELDS: Final = frozenset(
    {
        "frequency_penalty",
        "max_tokens",
        "messages",
        "model",
        "n",
        "presence_penalty",
        "response_format",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
    }
)


@final
@frozen
class FakeTransformers:
    """Simulate ``transformers serve``: streams without ``[DONE]``, errors in detail.

    ``fails_with`` puts an error into every stream after the first word, written as the
    program does: by hand, so that a quote in it breaks the JSON. ``strict`` refuses
    fields that it has no use for. ``calls`` is what the model writes between the marks
    of a tool call where tools are offered; what is no JSON there is an exception: 500,
    or a stream that breaks off. ``loads_for`` is how long it loads its model, which
    it does while the first request waits: not a word before.
    """

    model: str = MODEL
    answer: Answer = friendly
    fails_with: str | None = None
    strict: bool = False
    calls: str | None = None
    loads_for: float = 0.0

    async def __call__(self, request: FakeRequest) -> FakeReply:
        """Answer one request."""
        reply = self._reply(request)
        if request.method == "POST" and reply.status == _OK:
            reply = reply.slow(reply.gap, delay=self.loads_for)
        return reply.with_headers({"x-request-id": "simulated-request"})

    def _reply(  # noqa: PLR0911 - one for each case
        self, request: FakeRequest
    ) -> FakeReply:
        if request.method == "GET" and request.path == "/health":
            return json_reply({"status": "ok"})
        if request.method == "GET" and request.path == "/v1/models":
            # Without a folder of downloaded models it cannot list them.
            return text_error(500, "Internal Server Error")
        if request.path != CHAT or request.method != "POST":
            return detail_error(404, "Not Found")
        body = request.json
        if not isinstance(body, dict):
            return detail_list_error(422, "JSON decode error", field="body")
        unknown = sorted(body.keys() - _CHAT_FIELDS)
        if unknown:
            said = f"Unexpected fields in the request: {set(unknown)}"
            return detail_error(422, said)
        if request.value("model") != self.model:
            return detail_error(400, f"Server is pinned to {self.model}")
        unused = sorted(body.keys() & _UNUSED_FIELDS) if self.strict else ()
        if unused:
            said = f"Unsupported fields in the request: {set(unused)}"
            return detail_error(422, said)
        messages = body.get("messages")
        if not isinstance(messages, list):
            return text_error(500, "Internal Server Error")
        if self.calls is not None and body.get("tools"):
            return self._call(request, self.calls)
        if request.value("stream") is not True:
            return generation_reply(request, self.answer, f"{self.model}@main")
        return self._stream(request)

    def _call(self, request: FakeRequest, written: str) -> FakeReply:
        """Answer with what the model wrote as a call, which stays in the text too."""
        streamed, model = request.value("stream") is True, f"{self.model}@main"
        call = None
        with suppress(ValueError, KeyError, AttributeError):
            parsed = json.loads(written)
            arguments = json.dumps(parsed.get("arguments", {}))
            call = ToolCall("simulated-request_tool_call", parsed["name"], arguments)
        if call is None and not streamed:
            return text_error(500, "Internal Server Error")
        if not streamed:
            return chat_reply(
                f"<tool_call>{written}</tool_call>",
                model=model,
                tool_calls=[call] if call else [],
                finish_reason="tool_calls",
            )
        reply = chat_stream(
            ["Let me see."],
            model=model,
            tool_calls=[call] if call else [],
            finish_reason="tool_calls",
            done=False,
        )
        if call is not None:
            return reply
        # An exception in the generator: the chunked body has no end.
        return evolve(reply, ending="chunked").cut_after(len(b"".join(reply.body[:2])))

    def _stream(self, request: FakeRequest) -> FakeReply:
        pieces = words(self.answer(request))
        envelope = {
            "id": "simulated-request",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": f"{self.model}@main",
        }
        deltas: list[Mapping[str, object]] = [{"role": "assistant"}]
        deltas += [{"content": piece} for piece in pieces]
        events: list[object] = [
            envelope | {"choices": [{"index": 0, "delta": delta}]} for delta in deltas
        ]
        if self.fails_with is not None:
            broken = '{"error": "' + self.fails_with + '"}'
            return event_stream([*events[:2], broken], done=False)
        prompt = len(words(last_words(request)))
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": len(pieces),
            "total_tokens": prompt + len(pieces),
        }
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        events.append(envelope | {"choices": [last], "usage": usage})
        return event_stream(events, done=False)


@final
@frozen
class FakeHfServe:
    """Simulate hf-serve, which replaces the inference toolkit."""

    task: str = "text-generation"
    model: str = MODEL
    answer: Answer = friendly

    async def __call__(  # noqa: PLR0911 - one for each case
        self, request: FakeRequest
    ) -> FakeReply:
        """Answer one request."""
        if request.method == "GET":
            return self._get(request.path)
        if request.path not in {"/", "/predict", CHAT, EMBEDDINGS}:
            return detail_error(404, "Not Found")
        if not isinstance(request.json, dict):
            return detail_list_error(422, "JSON decode error", field="body")
        if request.path == CHAT:
            if not request.value("messages"):
                return detail_list_error(422, "Field required", field="messages")
            return generation_reply(request, self.answer, self.model)
        if request.path == EMBEDDINGS:
            if texts_of(request, "input") is None:
                return detail_list_error(422, "Field required", field="input")
            return embeddings_reply(request, self.model)
        if request.value("inputs") is None:
            return detail_list_error(422, "Field required", field="inputs")
        unused = _unused(request)
        if unused:
            return detail_error(400, unused)
        return task_reply(self.task, request, self.answer(request))

    def _get(self, path: str) -> FakeReply:
        if path == "/health":
            return json_reply({"status": "ok"})
        if path == "/v1/models":
            card = {"id": self.model, "object": "model", "owned_by": "hf-serve"}
            return json_reply({"object": "list", "data": [card]})
        return detail_error(404, "Not Found")


@final
@frozen
class FakeToolkit:
    """Simulate the inference toolkit: whatever goes wrong is a 400."""

    task: str = "text-generation"
    answer: Answer = friendly
    fails_with: str | None = None

    async def __call__(self, request: FakeRequest) -> FakeReply:
        """Answer one request."""
        if request.path not in {"/", "/predict", "/health", "/metrics"}:
            return text_error(404, "Not Found")
        if request.method == "GET":
            if request.path == "/predict":
                return text_error(405, "Method Not Allowed")
            return json_reply({"message": "OK"})
        if request.path in {"/health", "/metrics"}:
            return text_error(405, "Method Not Allowed")
        said = self._wrong(request)
        if said is not None:
            return string_error(400, said)
        return task_reply(
            self.task, request, self.answer(request), pooled=False, nested=False
        )

    def _wrong(self, request: FakeRequest) -> str | None:
        """Return what goes wrong; the header ``Accept`` chooses the serializer."""
        accepted = request.headers.get("accept", "*/*")
        if not any(kind in accepted for kind in ("application/json", "*/*")):
            return f"Accept type '{accepted}' is not supported."
        if request.value("inputs") is None:
            return f"Body needs to provide a inputs key, received: {request.body!r}"
        return self.fails_with or _unused(request) or None


@final
@frozen
class FakeCommunity:
    """Simulate api-inference-community: errors in lists, warnings, x-compute headers.

    It answers on every path. The input ``boom`` fails inside the pipeline.
    """

    task: str = "text-generation"
    answer: Answer = friendly

    async def __call__(self, request: FakeRequest) -> FakeReply:
        """Answer one request."""
        if request.method == "GET":
            return json_reply({"ok": "ok"})
        body = request.json
        if not isinstance(body, dict):
            # What is no JSON is taken as the text itself.
            inputs = request.body.decode("utf-8", "replace")
            body = {"inputs": inputs}
        checked = FakeRequest(
            request.method, request.path, body=json.dumps(body).encode()
        )
        invalid = self._invalid(body)
        if invalid is not None:
            return invalid
        if body.get("inputs") == "boom":
            warned = {
                "error": "unknown error",
                "warnings": ["There was an inference error: boom", "boom"],
            }
            return json_reply(warned, status=500, headers=_COMPUTE)
        unused = _unused(checked)
        if unused:
            warned = {
                "error": unused,
                "warnings": [f"There was an inference error: {unused}"],
            }
            return json_reply(warned, status=400, headers=_COMPUTE)
        size = {"x-compute-characters": str(len(last_words(checked)))}
        reply = task_reply(self.task, checked, self.answer(checked))
        return reply.with_headers(_COMPUTE | size)

    def _invalid(self, body: Mapping[str, object]) -> FakeReply | None:
        if body.get("stream") is True:
            said = "`stream` is not supported for this model"
            return list_error(400, [f"Error in `stream`: {said}"])
        if "inputs" not in body:
            said = "Input should be a valid string"
            return list_error(400, [f"{said}: received `{body}` in `parameters`"])
        parameters = body.get("parameters")
        wrong = [
            f"Input should be greater than or equal to 0: received `{name}` in "
            "`parameters`"
            for name in ("temperature", "top_p", "repetition_penalty")
            if isinstance(parameters, dict)
            and isinstance(value := parameters.get(name), int | float)
            and value < 0
        ]
        return list_error(400, wrong) if wrong else None


def _unused(request: FakeRequest) -> str:
    """Return transformers' refusal of parameters it does not know."""
    given = request.value("parameters")
    names = sorted(given.keys() - _GENERATE) if isinstance(given, dict) else []
    if not names:
        return ""
    return (
        f"The following `model_kwargs` are not used by the model: {names} (note: typos "
        "in the generate arguments will also show up in this list)"
    )
