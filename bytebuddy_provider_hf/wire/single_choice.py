"""The base of decoders of one answer: TGI's own protocol and llama.cpp's own."""

from __future__ import annotations

from typing import TypeVar

from bytebuddy_provider_hf.types import Event, Reply, Usage
from bytebuddy_provider_hf.wire.choices import Expectations, PartialChoice, reply_of
from bytebuddy_provider_hf.wire.stream import EventStreamDecoder

_P = TypeVar("_P")


class SingleChoiceStream(EventStreamDecoder[_P]):
    """Collect one answer and its token counts."""

    def __init__(self, *, model: str, wanted: Expectations) -> None:
        super().__init__(model=model, wanted=wanted)
        self._choice = PartialChoice(0, wanted)
        self._usage: Usage | None = None

    @property
    def partial(self) -> str:
        """The text that has come so far."""
        return "".join(self._choice.text)

    def _reply(self) -> Reply:
        """Return what has come so far."""
        return reply_of(
            [self._choice],
            self._wanted,
            model=self._model,
            usage=self._usage,
            notes=self._notes(),
        )

    def _finish(self, events: list[Event]) -> None:
        self._choice.complete(events)

    def _kept(self) -> int:
        return self._choice.size()

    def _release(self, events: list[Event]) -> None:
        self._choice.release(events)
