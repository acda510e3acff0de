"""llama.cpp's own protocol: ``/infill``, and the form of its native completions.

https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md; a stream has
no ``[DONE]``: its last event says ``"stop":true``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.failures.malformed import malformed
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Event,
    FinishReason,
    Reply,
    Text,
    Usage,
)
from bytebuddy_provider_hf.wire import decode
from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp
from bytebuddy_provider_hf.wire.event_stream import EventStreamDecoder, same
from bytebuddy_provider_hf.wire.floats import number
from bytebuddy_provider_hf.wire.http_request import (
    EVENT_STREAM,
    JSON,
    HttpRequest,
    json_body,
    root_url,
)
from bytebuddy_provider_hf.wire.supported_options import supported_options

_LLAMA: Final = LlamaCpp()


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


def build_infill(
    request: InfillRequest,
    target: Target,
    *,
    stream: bool,
    options: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call for ``/infill``; ``options`` are those legal there."""
    body: dict[str, object] = {
        "input_prefix": request.prefix,
        "input_suffix": request.suffix,
    }
    if request.files:
        files = [{"filename": name, "text": text} for name, text in request.files]
        body["input_extra"] = files
    if options is None:
        options = supported_options(request.options, _LLAMA, "infill").body
    body.update(options)
    if stream:
        body["stream"] = True
    # The caller's own members have the last word.
    body.update(request.extra)
    return HttpRequest(
        url=root_url(target, "/infill"),
        body=json_body(body),
        accept=EVENT_STREAM if stream else JSON,
        route="infill",
    )


def read_infill(data: bytes, *, model: str) -> Reply:
    """Return the reply in a whole answer.

    Raises ``MalformedResponse`` when there is none in it, also when the body is an
    error that came with status 200.
    """
    found = decode.native(data)
    if found is None or found.content is None or found.error:
        error = found is not None and bool(found.error)
        raise malformed(data, "completion", error=error)
    return Reply(
        text=found.content,
        model=found.model or model,
        finish_reason=found.finish_reason,
        usage=found.usage,
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


class InfillStream(EventStreamDecoder[decode.Native]):
    """Turn the bytes of a stream into events; the last step is ``close``.

    ``scrub`` takes secrets out of what the server says about errors. The event that
    says ``stop`` is the end.
    """

    mark_ends = False

    _decode = staticmethod(decode.native)

    def __init__(
        self,
        *,
        model: str,
        request_id: str | None = None,
        scrub: Callable[[str], str] = same,
    ) -> None:
        super().__init__(model=model, request_id=request_id, scrub=scrub)
        self._text: list[str] = []
        self._finish_reason: FinishReason | None = None
        self._usage: Usage | None = None

    @property
    def partial(self) -> str:
        """The text that has come so far."""
        return "".join(self._text)

    def reply(self) -> Reply:
        """Return the reply as far as it has come."""
        return Reply(
            text=self.partial,
            model=self._model,
            finish_reason=self._finish_reason,
            usage=self._usage,
            request_id=self._request_id,
        )

    def _take(self, piece: decode.Native, data: bytes, events: list[Event]) -> None:
        if piece.error:
            self._failed(data)
        if piece.content:
            self._text.append(piece.content)
            events.append(Text(piece.content))
        if piece.stop:
            self.done = True
            self._model = piece.model or self._model
            self._finish_reason = piece.finish_reason
            self._usage = piece.usage
