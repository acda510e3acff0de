"""Simulated vLLM and SGLang, as OpenAI-style engines answer, errors included.

Each is a handler: give it to ``serve``, to ``MemoryConnect``, or to a ``FakeHub`` as
``Behaviour(always=…)``.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Final, final, get_args

from attrs import frozen

from bytebuddy_provider_hf.testing.answers import (
    CREATED,
    MODEL,
    chat_reply,
    chat_stream,
    completion_reply,
    completion_stream,
    event_stream,
    json_reply,
    simulated_score,
    simulated_vector,
)
from bytebuddy_provider_hf.testing.behaviour import Answer, friendly, last_words, words
from bytebuddy_provider_hf.testing.failures import (
    detail_error,
    flat_error,
    object_error,
    string_error,
)
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.types import ReasoningEffort, ToolCall, Usage

CHAT: Final = "/v1/chat/completions"
COMPLETIONS: Final = "/v1/completions"
EMBEDDINGS: Final = "/v1/embeddings"
RERANK: Final = "/v1/rerank"
TOKENIZE: Final = "/tokenize"
_USUAL_MAX_TOKENS: Final = 16
_EFFORTS: Final = get_args(ReasoningEffort)


def _all_words(request: FakeRequest) -> str:
    """Return the text of every message, or the prompt."""
    messages = request.value("messages")
    if not isinstance(messages, list):
        return last_words(request)
    return " ".join(str(m.get("content")) for m in messages if isinstance(m, dict))


def lacks_key(request: FakeRequest, key: str | None) -> bool:
    """Whether a server that wants ``key`` did not get it."""
    return key is not None and request.headers.get("authorization") != f"Bearer {key}"


def texts_of(request: FakeRequest, key: str) -> list[str] | None:
    """Return the text or texts in a member of the body."""
    value = request.value(key)
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        return None
    return items


def embeddings_reply(request: FakeRequest, model: str) -> FakeReply:
    """Answer ``/v1/embeddings``; the input must have been checked."""
    texts = texts_of(request, "input") or []
    packed = request.value("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": place, "embedding": _vector(text, packed)}
        for place, text in enumerate(texts)
    ]
    tokens = sum(len(words(text)) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_reply({"object": "list", "data": data, "model": model, "usage": usage})


def _vector(text: str, packed: object) -> object:
    numbers = simulated_vector(text)
    if not packed:
        return numbers
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def generation_reply(
    request: FakeRequest,
    answer: Answer,
    model: str,
    *,
    done: bool = True,
    finish: str | None = None,
) -> FakeReply:
    """Answer chat or completions, cut to ``max_tokens``, streamed when asked for.

    ``finish`` is the reason of the end, where it is not the usual one.
    """
    pieces = words(answer(request))
    limit = request.value("max_tokens")
    cut = isinstance(limit, int) and limit < len(pieces)
    pieces = pieces[:limit] if isinstance(limit, int) else pieces
    finish = finish or ("length" if cut else "stop")
    asked = len(words(last_words(request)))
    usage = Usage(asked, len(pieces), asked + len(pieces))
    if request.value("stream") is not True:
        whole = chat_reply if request.path.endswith(CHAT) else completion_reply
        text = "".join(pieces)
        return whole(text, model=model, usage=usage, finish_reason=finish)
    streamed = chat_stream if request.path.endswith(CHAT) else completion_stream
    wanted = request.value("stream_options")
    counted = isinstance(wanted, dict) and wanted.get("include_usage") is True
    return streamed(
        pieces,
        model=model,
        usage=usage if counted else None,
        finish_reason=finish,
        done=done,
    )


@final
@frozen
class FakeVllm:
    """Simulate vLLM: it serves one model, by that name only.

    ``flat`` gives the error form of before mid-2025; ``fails_with`` puts an error into
    every stream after the first word; ``window`` counts words, and ``renderer`` words
    its refusal as vllm/renderers/params.py does, which counts no further than one word
    too many. Without ``reasoning_config`` a budget for reasoning is
    refused, and so is an effort that is not among ``efforts``: those of 2025 were low,
    medium and high. ``reasoning`` comes before every answer, in ``reasoning_member``;
    ``finish`` is the reason of every end: vllm/v1/engine/__init__.py has stop, length,
    abort, error and repetition. Tools are called where the request demands it.
    """

    model: str = MODEL
    answer: Answer = friendly
    window: int = 4_096
    api_key: str | None = None
    flat: bool = False
    fails_with: str | None = None
    reasoning_config: bool = True
    efforts: tuple[str, ...] = _EFFORTS
    renderer: bool = False
    reasoning: str = ""
    reasoning_member: str = "reasoning"
    finish: str | None = None

    async def __call__(  # noqa: PLR0911 - one for each case
        self, request: FakeRequest
    ) -> FakeReply:
        """Answer one request."""
        if lacks_key(request, self.api_key) and request.path.startswith("/v1/"):
            return string_error(401, "Unauthorized")
        if request.method == "GET":
            return self._get(request.path)
        if request.path == TOKENIZE:
            count = len(words(_all_words(request)))
            listed = list(range(count))
            window = self.window
            body = {"count": count, "max_model_len": window, "tokens": listed}
            return json_reply(body)
        if request.path not in {CHAT, COMPLETIONS, EMBEDDINGS, RERANK, "/rerank"}:
            return detail_error(404, "Not Found")
        refused = self._refused(request)
        if refused is not None:
            return refused
        if request.path == EMBEDDINGS:
            return embeddings_reply(request, self.model)
        if request.path.endswith("/rerank"):
            return self._rerank(request)
        if self.fails_with is not None and request.value("stream") is True:
            return self._broken(self.fails_with)
        if request.path == CHAT and (self.reasoning or _demanded(request)):
            return self._chat(request)
        return generation_reply(request, self.answer, self.model, finish=self.finish)

    def _chat(self, request: FakeRequest) -> FakeReply:
        """Answer with reasoning, or with a call, whose end is "stop" if it was named.

        chat_completion/serving.py: "tool_calls" is for calls that the model chose.
        """
        call = _demanded(request)
        chosen = call is not None and request.value("tool_choice") == "required"
        finish = self.finish or ("tool_calls" if chosen else "stop")
        text = "" if call else self.answer(request)
        calls = [call] if call else []
        if request.value("stream") is True:
            reply = chat_stream(
                words(text),
                model=self.model,
                finish_reason=finish,
                tool_calls=calls,
                reasoning=words(self.reasoning),
            )
        else:
            reply = chat_reply(
                text,
                model=self.model,
                finish_reason=finish,
                tool_calls=calls,
                reasoning=self.reasoning,
            )
        member = f'"{self.reasoning_member}"'.encode()
        parts = [part.replace(b'"reasoning_content"', member) for part in reply.body]
        return FakeReply(headers=reply.headers, body=parts)

    def _get(self, path: str) -> FakeReply:
        if path == "/v1/models":
            card = {
                "id": self.model,
                "object": "model",
                "created": CREATED,
                "owned_by": "vllm",
                "root": "/repository",
                "parent": None,
                "max_model_len": self.window,
            }
            return json_reply({"object": "list", "data": [card]})
        if path == "/version":
            return json_reply({"version": "0.9.0" if self.flat else "0.32.0"})
        if path in {"/health", "/ping"}:
            return FakeReply()
        return detail_error(404, "Not Found")

    def _refused(self, request: FakeRequest) -> FakeReply | None:
        """Return the refusal of a wrong model, an illegal option or too long a prompt.

        The ranges are those of vLLM's ``SamplingParams``.
        """
        asked = request.value("model")
        if asked != self.model:
            missing = f"The model `{asked}` does not exist."
            return self._error(404, missing, "NotFoundError")
        said = _illegal(request) or _unknown_effort(request, self.efforts)
        if said is None and not self.reasoning_config:
            said = _no_budget(request)
        if said is None and request.path in {CHAT, COMPLETIONS}:
            said = self._too_long(request)
        if said is None:
            return None
        param = "input_tokens" if "parameter=input_tokens" in said else None
        return self._error(400, said, "BadRequestError", param=param)

    def _too_long(self, request: FakeRequest) -> str | None:
        prompt = len(words(_all_words(request)))
        limit = request.value("max_tokens")
        answer = limit if isinstance(limit, int) else _USUAL_MAX_TOKENS
        if prompt + answer <= self.window:
            return None
        if self.renderer:
            most = self.window - answer
            passed = max(0, most) + 1
            return (
                f"You passed {passed} input tokens and requested {answer} output "
                f"tokens. However, the model's context length is only {self.window} "
                f"tokens, resulting in a maximum input length of {most} tokens. Please "
                "reduce the length of the input prompt. (parameter=input_tokens, "
                f"value={passed})"
            )
        return (
            f"This model's maximum context length is {self.window} tokens. However, "
            f"you requested {prompt + answer} tokens ({prompt} in the messages, "
            f"{answer} in the completion). Please reduce the length of the messages "
            "or completion."
        )

    def _error(
        self, status: int, said: str, kind: str, *, param: str | None = None
    ) -> FakeReply:
        if self.flat:
            return flat_error(status, said)
        return object_error(status, said, kind=kind, code=status, param=param)

    def _rerank(self, request: FakeRequest) -> FakeReply:
        query, documents = request.value("query"), texts_of(request, "documents")
        if not isinstance(query, str) or documents is None:
            return self._error(400, "query and documents are needed", "BadRequestError")
        results: list[Mapping[str, object]] = [
            {
                "index": place,
                "document": {"text": text, "multi_modal": None},
                "relevance_score": simulated_score(query, text),
            }
            for place, text in enumerate(documents)
        ]
        ranked = sorted(results, key=lambda item: -simulated_score(query, _text(item)))
        body = {"id": "rerank-simulated", "model": self.model, "results": ranked}
        return json_reply(body | {"usage": {"total_tokens": len(documents)}})

    def _broken(self, said: str) -> FakeReply:
        delta = {"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}
        first = {"object": "chat.completion.chunk", "choices": [delta]}
        error = {"message": said, "type": "InternalServerError", "code": 500}
        last = {"object": "error", **error} if self.flat else {"error": error}
        return event_stream([first, last])


def _text(item: Mapping[str, object]) -> str:
    document = item["document"]
    return str(document.get("text")) if isinstance(document, dict) else ""


def _illegal(request: FakeRequest) -> str | None:
    ranges: Sequence[tuple[str, float, float, str]] = (
        ("temperature", 0.0, math.inf, "temperature must be non-negative, got {}."),
        ("top_p", 1e-9, 1.0, "top_p must be in (0, 1], got {}."),
        ("max_tokens", 1, math.inf, "max_tokens must be at least 1, got {}."),
        ("repetition_penalty", 1e-9, math.inf, "repetition_penalty must be > 0."),
        ("presence_penalty", -2, 2, "presence_penalty must be in [-2, 2], got {}."),
        ("frequency_penalty", -2, 2, "frequency_penalty must be in [-2, 2], got {}."),
    )
    for name, low, high, said in ranges:
        value = request.value(name)
        if isinstance(value, int | float) and not low <= value <= high:
            return said.format(value)
    n = request.value("n")
    # The temperature that counts where none is sent is the model's own, mostly above 0.
    if isinstance(n, int) and n > 1 and request.value("temperature") == 0:
        return f"n must be 1 when using greedy sampling, got {n}."
    return None


def _demanded(request: FakeRequest) -> ToolCall | None:
    """Return a call of the tool that a request names, or of any where one must be."""
    choice, tools = request.value("tool_choice"), request.value("tools")
    named = choice.get("function") if isinstance(choice, dict) else None
    if choice == "required" and isinstance(tools, list):
        named = tools[0]["function"]
    if not isinstance(named, dict):
        return None
    return ToolCall(id="chatcmpl-tool-1", name=str(named["name"]), arguments="{}")


def _unknown_effort(
    request: FakeRequest, known: Sequence[str] = _EFFORTS
) -> str | None:
    """Return what pydantic says of a ``reasoning_effort`` that there is not."""
    effort = request.value("reasoning_effort")
    if effort is None or effort in known:
        return None
    listed = ", ".join(f"'{each}'" for each in known[:-1])
    said = f"Input should be {listed} or '{known[-1]}'"
    return (
        "1 validation error:\n  {'type': 'literal_error', 'loc': ('body', "
        f"'reasoning_effort'), 'msg': \"{said}\", 'input': {effort!r}}}"
    )


def _no_budget(request: FakeRequest) -> str | None:
    if request.value("thinking_token_budget") is None:
        return None
    return (
        "thinking_token_budget is set but reasoning_config is not configured. "
        "Please set --reasoning-config to use thinking_token_budget."
    )


@final
@frozen
class FakeSglang:
    """Simulate SGLang: every error is flat; ``/generate`` wants ``text``."""

    model: str = MODEL
    answer: Answer = friendly
    window: int = 4_096
    api_key: str | None = None

    async def __call__(self, request: FakeRequest) -> FakeReply:
        """Answer one request."""
        if lacks_key(request, self.api_key):
            return string_error(401, "Unauthorized")
        if request.method == "GET":
            return self._get(request.path)
        if request.path == "/generate":
            text = request.value("text")
            if not isinstance(text, str):
                return flat_error(400, "Either text or input_ids should be provided.")
            meta = {"finish_reason": {"type": "stop"}, "prompt_tokens": len(text)}
            return json_reply({"text": self.answer(request), "meta_info": meta})
        if request.path not in {CHAT, COMPLETIONS}:
            return detail_error(404, "Not Found")
        key = "messages" if request.path == CHAT else "prompt"
        if not request.value(key):
            return flat_error(400, f"{key} cannot be empty.")
        if said := _unknown_effort(request):
            return flat_error(400, said)
        return generation_reply(request, self.answer, self.model)

    def _get(self, path: str) -> FakeReply:
        if path == "/v1/models":
            card = {
                "id": self.model,
                "object": "model",
                "created": CREATED,
                "owned_by": "sglang",
                "root": self.model,
                "max_model_len": self.window,
            }
            return json_reply({"object": "list", "data": [card]})
        if path == "/get_model_info":
            return json_reply({"model_path": self.model, "is_generation": True})
        return FakeReply() if path == "/health" else detail_error(404, "Not Found")
