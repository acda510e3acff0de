"""Answers and events of llama.cpp's own protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from bytebuddy_provider_hf.lenient_json import lenient_text, loads
from bytebuddy_provider_hf.types import FinishReason, Usage
from bytebuddy_provider_hf.wire.floats import number

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
        prompt, answer = self.tokens_evaluated or 0, self.tokens_predicted or 0
        cached = None if self.timings is None else self.timings.cache_n
        return Usage(prompt, answer, prompt + answer, cached)


_decode: Final = msgspec.json.Decoder(Native).decode


def native(data: bytes) -> Native | None:
    """Return an answer or an event; ``None`` where there is none.

    Several prompts get a list; only one is ever sent.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    value = loads(data)
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return None
    timings = value.get("timings")
    cached = timings.get("cache_n") if isinstance(timings, dict) else None
    return Native(
        content=lenient_text(value.get("content")),
        stop=value.get("stop") is True,
        stop_type=lenient_text(value.get("stop_type")),
        stopped_limit=value.get("stopped_limit") is True,
        model=lenient_text(value.get("model")),
        tokens_predicted=_count(value.get("tokens_predicted")),
        tokens_evaluated=_count(value.get("tokens_evaluated")),
        timings=Timings(_count(cached)),
        error=value.get("error"),
    )


def _count(value: object) -> int | None:
    found = number(value)
    return None if found is None else int(found)
