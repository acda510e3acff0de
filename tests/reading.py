"""Read answers that came in one piece, and what the errors of streams mean."""

from __future__ import annotations

from collections.abc import Sequence

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import APIError, StreamFailed
from bytebuddy_provider_hf.failures.classify import classify_event
from bytebuddy_provider_hf.types import Reply
from bytebuddy_provider_hf.wire.choices import NO_EXPECTATIONS, RAW, Expectations
from bytebuddy_provider_hf.wire.filtered_stream import FilteredStream
from bytebuddy_provider_hf.wire.infill_reply import InfillStream
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.stream import StreamDecoder
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream


def read_reply(
    data: bytes,
    *,
    model: str,
    wanted: Expectations = NO_EXPECTATIONS,
    stops: Sequence[str] = (),
) -> Reply:
    """Return the reply of an OpenAI-style server."""
    decoder: StreamDecoder = OpenAIStream(model=model, wanted=wanted)
    if stops:
        decoder = FilteredStream(decoder, stops=stops)
    return decoder.whole(data)


def read_generated(
    data: bytes, *, model: str = "", prompt: str = "", wanted: Expectations = RAW
) -> Reply:
    """Return the reply of TGI's own protocol."""
    return TgiStream(model=model, prompt=prompt, wanted=wanted).whole(data)


def read_infill(data: bytes, *, model: str) -> Reply:
    """Return the reply of llama.cpp's infilling."""
    return InfillStream(model=model).whole(data)


def meant_by(failure: StreamFailed) -> APIError:
    """Return the error that the event of a failed stream stands for."""
    target = resolve("a/b", "https://tgi.example")
    error = classify_event(failure.event.encode(), target)
    assert error is not None
    return error
