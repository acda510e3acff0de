"""llama.cpp's own protocol: ``/infill``, and the form of its native completions.

https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md; a stream has
no ``[DONE]``: its last event says ``"stop":true``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NoReturn, TypeVar

import msgspec
from attrs import field, frozen

from bytebuddy_provider_hf.errors import (
    MalformedResponse,
    ResponseError,
    ResponseTooLarge,
    StreamFailed,
    StreamInterrupted,
)
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Event,
    FinishReason,
    Reply,
    Text,
    Usage,
)
from bytebuddy_provider_hf.wire import decode
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.encode import json_body
from bytebuddy_provider_hf.wire.floats import number
from bytebuddy_provider_hf.wire.malformed import malformed
from bytebuddy_provider_hf.wire.message import error_message
from bytebuddy_provider_hf.wire.routes import root_url
from bytebuddy_provider_hf.wire.sse import SseDecoder, SseEvent
from bytebuddy_provider_hf.wire.target import Target

MAX_STREAM: Final = 256 * 1024 * 1024

_E = TypeVar("_E", bound=ResponseError)

# Ours, and what llama.cpp calls it.
_NAMES: Final = (
    ("temperature", "temperature"),
    ("max_tokens", "n_predict"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("min_p", "min_p"),
    ("repetition_penalty", "repeat_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("stop", "stop"),
    ("seed", "seed"),
    ("prompt_caching", "cache_prompt"),
)

_FINISH: Final[Mapping[str, FinishReason]] = {"limit": "length"}


@frozen
class InfillRequest:
    """A gap to fill between ``prefix`` and ``suffix``.

    ``files`` are others of the same repository, as (name, text).
    """

    prefix: str
    suffix: str
    files: tuple[tuple[str, str], ...] = ()
    options: CompletionOptions = field(factory=CompletionOptions)
    extra: Mapping[str, object] = field(factory=dict)


def build_infill(request: InfillRequest, target: Target, *, stream: bool) -> Call:
    """Return the call for ``/infill``."""
    body: dict[str, object] = {
        "input_prefix": request.prefix,
        "input_suffix": request.suffix,
    }
    if request.files:
        files = [{"filename": name, "text": text} for name, text in request.files]
        body["input_extra"] = files
    body.update(_chosen(request.options))
    if stream:
        body["stream"] = True
    body.update(request.extra)
    accept = "text/event-stream" if stream else "application/json"
    return Call(url=root_url(target, "/infill"), body=json_body(body), accept=accept)


def read_infill(data: bytes, *, model: str) -> Reply:
    """Return the reply in a whole answer.

    Raises ``MalformedResponse`` when there is none in it, also when the body is an
    error that came with status 200.
    """
    found = _native(data)
    if found is None or found.content is None or found.error:
        error = found is not None and bool(found.error)
        raise malformed(data, "completion", error=error)
    return Reply(
        text=found.content,
        model=found.model or model,
        finish_reason=_finish_reason(found),
        usage=_usage(found),
    )


def read_window(data: bytes) -> int | None:
    """Return the tokens a prompt and its answer may have, from ``/props``, ``/slots``.

    Both say it for one slot, which is what a request gets.
    """
    value = decode.loads(data)
    if isinstance(value, list):
        value = value[0] if value else None
    elif isinstance(value, dict):
        value = value.get("default_generation_settings")
    window = number(value.get("n_ctx")) if isinstance(value, dict) else None
    return int(window) if window is not None and window >= 1 else None


class InfillStream:
    """Turn the bytes of a stream into events; the last step is :meth:`close`.

    ``scrub`` takes secrets out of what the server says about errors.
    """

    def __init__(
        self,
        *,
        model: str,
        request_id: str | None = None,
        scrub: Callable[[str], str] = str,
    ) -> None:
        self._sse = SseDecoder()
        self._scrub = scrub
        self._model = model
        self._request_id = request_id
        self._text: list[str] = []
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._size = 0
        # Whether the end mark came: nothing after it is read.
        self.done = False
        # Data events so far, so that a watch can tell pings from progress.
        self.events = 0

    @property
    def partial(self) -> str:
        """The text that has come so far."""
        return "".join(self._text)

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``.

        Raises ``StreamFailed`` for an error inside the stream, ``MalformedResponse``
        for data that is not JSON, ``ResponseTooLarge`` above 256 MiB.
        """
        self._size += len(chunk)
        if self._size > MAX_STREAM:
            raise self._with_partial(ResponseTooLarge("The stream exceeds 256 MiB."))
        events: list[Event] = []
        try:
            blocks = self._sse.feed(chunk)
        except ResponseTooLarge as error:
            raise self._with_partial(error) from None
        for block in blocks:
            if self.done:
                break
            self._read(block, events)
        return events

    def close(self) -> tuple[list[Event], Reply]:
        """Return the last events and the reply, the connection having ended well.

        Raises ``StreamInterrupted`` unless the event came that says stop.
        """
        events: list[Event] = []
        for block in () if self.done else self._sse.flush():
            # What lacks its blank line may be cut: then it is not JSON.
            if _native(block.data) is not None:
                self._read(block, events)
        if not self.done:
            message = "The stream ended before the answer was complete."
            raise self._with_partial(StreamInterrupted(message)) from None
        return events, self.reply()

    def reply(self) -> Reply:
        """Return the reply as far as it has come."""
        return Reply(
            text=self.partial,
            model=self._model,
            finish_reason=self._finish,
            usage=self._usage,
            request_id=self._request_id,
        )

    def _with_partial(self, error: _E) -> _E:
        error.partial = self.partial
        return error

    def _read(self, event: SseEvent, events: list[Event]) -> None:
        self.events += 1
        # Some proxies add OpenAI's end mark; here it ends nothing.
        if event.data.strip() == b"[DONE]":
            return
        found = _native(event.data)
        broken = found is None and event.data[:8] == b'{"error"'
        if event.name == "error" or broken or (found is not None and found.error):
            self._failed(event.data)
        if found is None:
            said = self._scrub(error_message(event.data))
            raise self._with_partial(
                MalformedResponse(f"The stream holds what is not JSON: {said}.")
            )
        if found.content:
            self._text.append(found.content)
            events.append(Text(found.content))
        if found.stop:
            self.done = True
            self._model = found.model or self._model
            self._finish = _finish_reason(found)
            self._usage = _usage(found)

    def _failed(self, data: bytes) -> NoReturn:
        said = self._scrub(error_message(data))
        raise self._with_partial(
            StreamFailed(f"The server reported an error inside the stream: {said}.")
        )


class _Timings(msgspec.Struct):
    cache_n: int | None = None


class _Native(msgspec.Struct):
    content: str | None = None
    stop: bool = False
    stop_type: str | None = None
    stopped_limit: bool = False
    model: str | None = None
    tokens_predicted: int | None = None
    tokens_evaluated: int | None = None
    timings: _Timings | None = None
    error: object = None


_decode: Final = msgspec.json.Decoder(_Native).decode


def _native(data: bytes) -> _Native | None:
    """Return an answer or a chunk: typed first, then what of it can be used."""
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    value = decode.loads(data)
    # Several prompts get a list; only one is ever sent.
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return None
    timings = value.get("timings")
    cached = timings.get("cache_n") if isinstance(timings, dict) else None
    return _Native(
        content=_text(value.get("content")),
        stop=value.get("stop") is True,
        stop_type=_text(value.get("stop_type")),
        stopped_limit=value.get("stopped_limit") is True,
        model=_text(value.get("model")),
        tokens_predicted=_count(value.get("tokens_predicted")),
        tokens_evaluated=_count(value.get("tokens_evaluated")),
        timings=_Timings(_count(cached)),
        error=value.get("error"),
    )


def _chosen(options: CompletionOptions) -> Iterator[tuple[str, object]]:
    for ours, theirs in _NAMES:
        value = getattr(options, ours)
        if value is not None:
            yield theirs, value


def _finish_reason(found: _Native) -> FinishReason:
    """Return why it ended; builds before 2025 say ``stopped_limit`` instead."""
    if found.stopped_limit:
        return "length"
    return _FINISH.get(found.stop_type or "", "stop")


def _usage(found: _Native) -> Usage | None:
    if found.tokens_evaluated is None and found.tokens_predicted is None:
        return None
    prompt, answer = found.tokens_evaluated or 0, found.tokens_predicted or 0
    cached = None if found.timings is None else found.timings.cache_n
    return Usage(prompt, answer, prompt + answer, cached)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    found = number(value)
    return None if found is None else int(found)
