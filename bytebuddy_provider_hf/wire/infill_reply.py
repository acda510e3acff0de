"""Read the answers of llama.cpp's own protocol, as ``/infill`` gives them."""

from __future__ import annotations

from typing import Final

import msgspec

from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Event, Usage
from bytebuddy_provider_hf.wire.choices import RAW, Expectations
from bytebuddy_provider_hf.wire.single_choice import SingleChoiceStream
from bytebuddy_provider_hf.wire.typed_json import struct_decoder


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
    def finish_reason(self) -> str:
        """Why it ended, in its word; builds before 2025 say ``stopped_limit``."""
        return self.stop_type or ("limit" if self.stopped_limit else "eos")

    @property
    def usage(self) -> Usage | None:
        """The token counts."""
        if self.tokens_evaluated is None and self.tokens_predicted is None:
            return None
        # tokens_evaluated counts the whole prompt, the cached part of it included.
        prompt, answer = self.tokens_evaluated, self.tokens_predicted
        total = None if prompt is None or answer is None else prompt + answer
        cached = None if self.timings is None else self.timings.cache_n
        return Usage(prompt, answer, total, cached)


native: Final = struct_decoder(Native)


class InfillStream(SingleChoiceStream[Native]):
    """Turn the bytes of an answer into events; the last step is ``close``.

    A stream has no ``[DONE]``: the event that says ``stop`` is the end.
    """

    mark_ends = False

    _decode = staticmethod(native)

    def __init__(self, *, model: str, wanted: Expectations = RAW) -> None:
        super().__init__(model=model, wanted=wanted)

    @property
    def _server(self) -> str:
        return text("wire.llamacpp_server")

    def _take_whole(self, piece: Native, data: bytes, events: list[Event]) -> bool:
        # Whether or not it says so, an answer in one piece is complete.
        piece.stop = True
        self._take(piece, data, events)
        return piece.content is not None

    def _take(self, piece: Native, data: bytes, events: list[Event]) -> None:
        if piece.content:
            self.progress += 1
            self._choice.add_text(piece.content, events)
        if piece.error or not (piece.content or piece.stop):
            self._check(data)
        if piece.stop:
            self.done = True
            self._model = piece.model or self._model
            self._usage = piece.usage
            self._choice.end(piece.finish_reason)
