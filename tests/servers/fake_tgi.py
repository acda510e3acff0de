"""A simulated text-generation-inference of any version, with that version's dialect.

Its routes, stream prefix, names, end marks and refusals are those of the git tags
v0.9.0 to v3.3.7. Time and words are simulated: a token is a word.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from attrs import define, field
from servers.tgi_checks import Limits, invalid, listed, unreadable
from servers.tgi_generation import FakeGeneration, token_of
from servers.tgi_tools import EOS, tool_call, tool_choices

from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import CREATED, MODEL, json_reply
from bytebuddy_provider_hf.testing.behaviour import Answer, friendly, last_words, words
from bytebuddy_provider_hf.testing.failures import empty_error, string_error
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

# One version of each generation that differs from the one before.
GENERATIONS: Final = (
    "1.1.0",
    "1.4.0",
    "1.4.5",
    "2.1.0",
    "2.2.0",
    "2.3.0",
    "2.4.1",
    "3.2.0",
)

_CHAT: Final = "/v1/chat/completions"
_COMPLETIONS: Final = "/v1/completions"
_TOKENIZE: Final = "/tokenize"
_CHAT_TOKENIZE: Final = "/chat_tokenize"
_COUNTING: Final = frozenset({_TOKENIZE, _CHAT_TOKENIZE})
_SINCE: Final[Mapping[str, tuple[int, ...]]] = {
    _CHAT: (1, 4),
    _COMPLETIONS: (1, 4, 5),
    _TOKENIZE: (1, 4),
    _CHAT_TOKENIZE: (2, 3),
}
_NEEDED: Final[Mapping[str, str]] = {
    _CHAT: "messages",
    _COMPLETIONS: "prompt",
    _CHAT_TOKENIZE: "messages",
}


@define(eq=False)
class FakeTgi:
    """Simulate a TGI server; :meth:`handle` answers one request.

    ``tool`` is the name and arguments of the call that a request with tools gets.
    ``overloaded`` refuses every generation. With ``api_key`` the POST routes want it.
    ``fails_after`` breaks a stream with an error event after so many tokens. ``tokens``
    is its tokenizer.
    """

    version: str = "3.2.0"
    answer: Answer = friendly
    model: str = MODEL
    limits: Limits = field(factory=Limits)
    tool: tuple[str, Mapping[str, object]] = ("get_weather", {"city": "Paris"})
    overloaded: bool = False
    api_key: Secret | None = None
    fails_after: int | None = None
    tokens: Callable[[str], list[str]] = words
    requests: list[FakeRequest] = field(factory=list)

    @property
    def _number(self) -> tuple[int, ...]:
        return tuple(map(int, self.version.split(".")))

    def serve(self) -> AbstractAsyncContextManager[str]:
        """Serve on 127.0.0.1 at a free port; the value is the base URL."""
        from bytebuddy_provider_hf.testing.serve import serve

        return serve(self.handle)

    async def handle(self, request: FakeRequest) -> FakeReply:
        """Answer one request as this version does."""
        self.requests.append(request)
        if request.method == "GET":
            return self._get(request.path)
        if not self._has(request.path) or request.method != "POST":
            return empty_error(404)
        # The real one guards every POST but this.
        if request.path != _CHAT_TOKENIZE and not self._allowed(request):
            return empty_error(401)
        needed = _NEEDED.get(request.path, "inputs")
        refused = unreadable(request, needed, nulls=self._number < (3, 2))
        if refused is None and request.path in _COUNTING:
            return listed(self.tokens(last_words(request)), chat=needed == "messages")
        return refused or self._generated(request)

    def info(self) -> dict[str, object]:
        """Return what ``/info`` says."""
        number = self._number
        length = "max_input_tokens" if number >= (2, 1) else "max_input_length"
        body: dict[str, object] = {
            "model_id": self.model,
            "model_sha": "0" * 40,
            "model_pipeline_tag": "text-generation",
            "max_concurrent_requests": 128,
            "max_best_of": 2,
            "max_stop_sequences": self.limits.stops,
            length: self.limits.input_tokens,
            "max_total_tokens": self.limits.total_tokens,
            "validation_workers": 2,
            "version": self.version,
            "sha": "0" * 40,
            "docker_label": "sha-simulated",
        }
        if number < (2, 3):
            body |= {"model_dtype": "torch.float16", "model_device_type": "cuda"}
        if number >= (2, 1):
            body["router"] = "text-generation-router"
        return body

    def _has(self, path: str) -> bool:
        known = {"/", "/generate", "/generate_stream", *_SINCE}
        return path in known and self._number >= _SINCE.get(path, (0,))

    def _allowed(self, request: FakeRequest) -> bool:
        if self.api_key is None:
            return True
        sent = Secret(request.headers.get("authorization", "").lower())
        return sent == Secret(f"Bearer {self.api_key.reveal()}".lower())

    def _get(self, path: str) -> FakeReply:
        if path == "/info":
            return json_reply(self.info())
        if path in {"/health", "/", "/ping"}:
            return empty_error(200)
        if path == "/v1/models" and self._number >= (2, 3):
            data = {"id": self.model, "object": "model", "owned_by": self.model}
            return json_reply({"object": "list", "data": [{**data, "created": 0}]})
        return empty_error(404)

    def _generated(self, request: FakeRequest) -> FakeReply:
        path = request.path
        body = request.json if isinstance(request.json, dict) else {}
        streamed = path == "/generate_stream" or (
            path != "/generate" and body.get("stream") is True
        )
        parameters, length = self._parameters(request, body)
        inputs = last_words(request)
        count = len(self.tokens(inputs))
        said = invalid(inputs, parameters, self.limits, length=length, count=count)
        if said is not None:
            return self._refused(path, said, "validation", streamed=streamed)
        if self.overloaded:
            text = "Model is overloaded"
            return self._refused(path, text, "overloaded", streamed=streamed)
        generation = self._generate(request, parameters, length)
        if path in _NEEDED:
            return self._openai(request, body, generation, streamed=streamed)
        return self._native(path, inputs, parameters, generation, streamed=streamed)

    def _parameters(
        self, request: FakeRequest, body: Mapping[str, object]
    ) -> tuple[dict[str, object], int]:
        """Return the parameters of the generation, and how many tokens it may have."""
        native = request.path not in _NEEDED
        given = body.get("parameters", {}) if native else body
        found = dict(given) if isinstance(given, Mapping) else {}
        if not native:
            found = self._from_openai(request.path, found)
        asked = found.get("max_new_tokens")
        if isinstance(asked, int):
            return found, asked
        used = len(self.tokens(last_words(request)))
        if self._number >= (3,):
            return found, max(0, self.limits.total_tokens - used)
        return found, 20 if self._number < (1, 4) else 100

    def _from_openai(self, path: str, body: dict[str, object]) -> dict[str, object]:
        """Return what the OpenAI routes make of a body."""
        names = ("temperature", "top_p", "frequency_penalty", "stop", "seed")
        found = {name: body[name] for name in names if body.get(name) is not None}
        most = body.get("max_tokens") or body.get("max_completion_tokens")
        found |= {"max_new_tokens": most} if most else {}
        if self._number >= (2, 0, 4) and found.get("temperature") == 0:
            del found["temperature"]
        if path == _COMPLETIONS:
            if (penalty := body.get("repetition_penalty")) is not None:
                found["repetition_penalty"] = penalty
            return found
        if self._number < (1, 4, 4):
            found.pop("stop", None)
        name = "presence_penalty" if self._number > (1, 4, 0) else "frequency_penalty"
        if isinstance(penalty := body.get(name), int | float):
            found["repetition_penalty"] = penalty + 2
        return found

    def _generate(
        self, request: FakeRequest, parameters: Mapping[str, object], length: int
    ) -> FakeGeneration:
        """Generate word by word; a stop counts where it ends a word, and stays in."""
        asked = len(self.tokens(last_words(request)))
        given = parameters.get("stop")
        stops = tuple(map(str, given)) if isinstance(given, list) else ()
        text = ""
        tokens: list[tuple[str, bool]] = []
        for word in words(self.answer(request)):
            if len(tokens) >= length:
                return FakeGeneration(tokens, "length", asked)
            tokens.append((word, False))
            text += word
            if stops and text.endswith(stops):
                return FakeGeneration(tokens, "stop_sequence", asked)
        if len(tokens) >= length:
            return FakeGeneration(tokens, "length", asked)
        return FakeGeneration([*tokens, (EOS, True)], "eos_token", asked)

    def _refused(self, path: str, said: str, kind: str, *, streamed: bool) -> FakeReply:
        if not streamed:
            status = {"validation": 422, "overloaded": 429}[kind]
            return string_error(status, said, error_type=kind)
        return self._stream([self._error(path, said, kind)], done=path in _NEEDED)

    def _error(self, path: str, said: str, kind: str) -> object:
        if path in _NEEDED and self._number >= (2, 4, 1):
            return {"error": {"message": said, "http_status_code": 422}}
        return {"error": said, "error_type": kind}

    def _stream(self, values: Iterable[object], *, done: bool) -> FakeReply:
        prefix = "data: " if self._number >= (2, 1) else "data:"
        texts = [
            json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            for value in values
        ]
        if done and self._number >= (2, 2):
            texts.append("[DONE]")
        headers = {
            "content-type": "text/event-stream",
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
            "x-compute-type": "gpu+optimized",
        }
        pieces = [f"{prefix}{text}\n\n".encode() for text in texts]
        return FakeReply(headers=headers, body=pieces, ending="chunked")

    def _broken(self, path: str, events: list[object]) -> list[object]:
        if self.fails_after is None:
            return events
        said = "Request failed during generation: Server error: CUDA out of memory"
        return [*events[: self.fails_after], self._error(path, said, "generation")]

    def _native(
        self,
        path: str,
        inputs: str,
        parameters: Mapping[str, object],
        generation: FakeGeneration,
        *,
        streamed: bool,
    ) -> FakeReply:
        # "/" gives the prompt back by default, the other routes do not.
        full = parameters.get("return_full_text", path == "/")
        text = (inputs if full else "") + generation.text
        detailed = parameters.get("details") is True
        details: dict[str, object] = {
            "finish_reason": generation.finish,
            "generated_tokens": len(generation.tokens),
            "seed": parameters.get("seed"),
        }
        if streamed:
            if self._number >= (2, 3):
                details["input_length"] = generation.asked
            events = self._token_events(generation, text, details if detailed else None)
            return self._stream(self._broken(path, events), done=False)
        reply: dict[str, object] = {"generated_text": text}
        if detailed:
            tokens = [token_of(*token) for token in generation.tokens]
            reply["details"] = {**details, "prefill": [], "tokens": tokens}
        return json_reply([reply] if path == "/" else reply)

    def _token_events(
        self, generation: FakeGeneration, text: str, details: object
    ) -> list[object]:
        last = len(generation.tokens)
        events: list[object] = []
        for at, token in enumerate(generation.tokens, 1):
            event: dict[str, object] = {"index": at} if self._number >= (1, 4) else {}
            event["token"] = token_of(*token)
            event["generated_text"] = text if at == last else None
            event["details"] = details if at == last else None
            events.append(event)
        return events

    def _openai(
        self,
        request: FakeRequest,
        body: Mapping[str, object],
        generation: FakeGeneration,
        *,
        streamed: bool,
    ) -> FakeReply:
        chat = request.path == _CHAT
        tools = chat and bool(body.get("tools")) and self._number >= (1, 4, 5)
        if not streamed:
            return self._openai_whole(generation, chat=chat, tools=tools)
        if tools:
            choices = tool_choices(self._number, *self.tool)
        elif chat:
            choices = self._chat_choices(generation)
        else:
            choices = self._completion_choices(generation)
        kind = "text_completion"
        if chat and self._number >= (2, 1):
            kind = "chat.completion.chunk"
        chunks: list[object] = [self._chunk(kind, [choice]) for choice in choices]
        if not chat and self._number >= (2, 3):
            chunks[-1] = self._chunk(kind, choices[-1:], usage=generation.usage)
        options = body.get("stream_options")
        counted = isinstance(options, Mapping) and options.get("include_usage") is True
        if chat and counted and self._number >= (2, 3):
            chunks.append(self._chunk(kind, [], usage=generation.usage))
        return self._stream(self._broken(request.path, chunks), done=True)

    def _chunk(
        self, kind: str, choices: object, *, usage: Mapping[str, int] | None = None
    ) -> dict[str, object]:
        chunk: dict[str, object] = {
            "id": "",
            "object": kind,
            "created": CREATED,
            "model": self.model,
            "system_fingerprint": f"{self.version}-sha-simulated",
            "choices": choices,
        }
        if usage is not None or self._number >= (2, 3):
            chunk["usage"] = usage
        return chunk

    def _reason(self, finish: str) -> str:
        mapped = finish == "eos_token" and self._number >= (2, 3)
        return "stop" if mapped else finish

    def _chat_choices(self, generation: FakeGeneration) -> list[dict[str, object]]:
        last = len(generation.tokens)
        choices: list[dict[str, object]] = []
        for at, (text, special) in enumerate(generation.tokens, 1):
            shown = "" if special and self._number >= (2, 3) else text
            choices.append(
                {
                    "index": at if self._number <= (1, 4, 3) else 0,
                    "delta": {"role": "assistant", "content": shown},
                    "logprobs": None,
                    "finish_reason": self._reason(generation.finish)
                    if at == last
                    else None,
                }
            )
        return choices

    def _completion_choices(
        self, generation: FakeGeneration
    ) -> list[dict[str, object]]:
        choices: list[dict[str, object]] = [
            {"index": 0, "text": text, "logprobs": None, "finish_reason": ""}
            for text, _special in generation.tokens
        ]
        # Before 2.3 this stream never says why it ended.
        if self._number >= (2, 3):
            choices[-1]["finish_reason"] = generation.finish
        return choices

    def _openai_whole(
        self, generation: FakeGeneration, *, chat: bool, tools: bool
    ) -> FakeReply:
        finish = self._reason(generation.finish)
        choice: dict[str, object] = {"index": 0, "logprobs": None}
        if tools:
            message = {
                "role": "assistant",
                "tool_calls": [tool_call(self._number, *self.tool)],
            }
            choice |= {"message": message, "finish_reason": self._reason("eos_token")}
        elif chat:
            message = {"role": "assistant", "content": generation.text}
            choice |= {"message": message, "finish_reason": finish}
        else:
            choice |= {"text": generation.text, "finish_reason": finish}
        kind = "text_completion"
        if chat and self._number >= (2, 1):
            kind = "chat.completion"
        return json_reply(self._chunk(kind, [choice], usage=generation.usage))
