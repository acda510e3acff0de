"""Read the answers of llama.cpp's own protocol, as ``/infill`` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Event, FinishReason, Reply, Text, Usage
from bytebuddy_provider_hf.wire.stream import EventStreamDecoder, without_reply
from bytebuddy_provider_hf.wire.typed_json import struct_decoder

# The other values of stop_type (eos, word) are good ends.
_FINISH: Final[Mapping[str, FinishReason]] = {"limit": "length"}


class Timings(msgspec.Struct):
    """Where llama.cpp counts cached tokens."""

    cache_n: int | None = None


class Native(msgspec.Struct):
    """A whole answer, or one event of a stream; the last says ``stop``."""

    content: str | None = None
    stop: bool = False
    stop_type: str | None = None
    stopped_limit: bool = False
    model: str | None = None
    tokens_predicted: int | None = None
    tokens_evaluated: int | None = None
    timings: Timings | None = None
    error: object = None

    @property
    def finish_reason(self) -> FinishReason:
        """Why it ended; builds before 2025 say ``stopped_limit`` instead."""
        if self.stopped_limit:
            return "length"
        return _FINISH.get(self.stop_type or "", "stop")

    @property
    def usage(self) -> Usage | None:
        """The token counts."""
        if self.tokens_evaluated is None and self.tokens_predicted is None:
            return None
        # tokens_evaluated counts the whole prompt, the cached part of it included.
        prompt, answer = self.tokens_evaluated or 0, self.tokens_predicted or 0
        cached = None if self.timings is None else self.timings.cache_n
        return Usage(prompt, answer, prompt + answer, cached)


native: Final = struct_decoder(Native)


class InfillStream(EventStreamDecoder[Native]):
    """Turn the bytes of an answer into events; the last step is ``close``.

    A stream has no ``[DONE]``: the event that says ``stop`` is the end.
    """

    mark_ends = False

    _decode = staticmethod(native)

    def __init__(self, *, model: str) -> None:
        super().__init__(model=model)
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
        )

    def whole(self, body: bytes) -> Reply:
        """Return the reply in a whole answer; raises ``MalformedResponse``."""
        found = native(body)
        if found is None or found.content is None or found.error:
            raise without_reply(body, text("wire.llamacpp_server"))
        # Whether or not it says so, an answer in one piece is complete.
        found.stop = True
        self._take(found, body, [])
        return self.reply()

    def _take(self, piece: Native, data: bytes, events: list[Event]) -> None:
        if piece.error:
            raise self._failed(data)
        if piece.content:
            self._text.append(piece.content)
            events.append(Text(piece.content))
        if piece.stop:
            self.done = True
            self._model = piece.model or self._model
            self._finish_reason = piece.finish_reason
            self._usage = piece.usage
