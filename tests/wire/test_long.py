"""Any bytes at all are one typed result: 2,000 values here, a million in the long run.

The long run (BYTEBUDDY_LONG=1) takes some minutes. An example of Hypothesis is a list
of a hundred values: a byte of a value stands for a word of the protocols, or itself.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reading import read_generated, read_reply
from rounds import rounds

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ResponseError,
    ResponseTooLarge,
)
from bytebuddy_provider_hf.failures.classify import classify, classify_event
from bytebuddy_provider_hf.hub.models_api import read_model
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.types import Reply
from bytebuddy_provider_hf.wire.infill_reply import native
from bytebuddy_provider_hf.wire.openai_json import completion
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.sse import SseDecoder, SseEvent
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream, generation
from bytebuddy_provider_hf.wire.vectors import embeddings

VALUES = rounds(2_000, long=1_000_000)
AT_ONCE = 100
LARGE = 200_000

TARGETS = (
    resolve("org/name"),
    resolve("org/name", "https://x.endpoints.huggingface.cloud"),
    resolve("name", "http://127.0.0.1:8080"),
)
STATUSES = (200, 307, 400, 401, 403, 404, 413, 422, 424, 429, 500, 502, 503, 504, 999)
DECODERS: tuple[Callable[[bytes], object], ...] = (
    loads,
    completion,
    generation,
    native,
    embeddings,
    read_model,
)

SINGLE = """
{ } [ ] , : " "" 0 -1 1e999 9999999999999999999 0.5 null true false \\ \\u00 é
{} [] [[ {{ {"error": "error": "message": "detail": "code": "type": "object":
"loc": "msg": "warnings": "estimated_time": "error_type": "choices":[ "delta":{
"message":{ "content": "text": "finish_reason": "index": "usage":{ "model":
"prompt_tokens": "completion_tokens": "tool_calls":[ "function":{ "arguments":
"name": "id": "token":{ "special": "logprob": "generated_text": "details":{
"generated_tokens": "prefill": "data":[ "embedding": "n_ctx": "param":
"inferenceProviderMapping": "providerId": "groq":{ "reasoning": "logprobs":
"stop" "length" "eos_token" data: event: id: retry: [DONE] overloaded loading
<html> <title> </title> &#9 restricted gated credits unauthorized
"""
LONGER = (
    "\n",
    "\r\n",
    "\n\n",
    "data: ",
    "data: [DONE]\n\n",
    "Input validation error: `",
    "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 17 `inputs`",
    "The following `model_kwargs` are not used by the model: ['",
    "maximum context length is 4096 tokens",
    "access to model a/b is restricted",
    " is not supported for task ",
    "400 Client Error: for url: ",
)
WORDS = [word.encode() for word in (*SINGLE.split(), *LONGER)]
assert len(WORDS) < 192  # so that a byte may stand for itself, too


def spelled(codes: bytes) -> bytes:
    return b"".join(
        WORDS[code] if code < len(WORDS) else bytes((code,)) for code in codes
    )


MANY = st.lists(st.binary(max_size=14), min_size=AT_ONCE, max_size=AT_ONCE)


def million(check: Callable[[bytes, int], None]) -> str:
    """Check so many values, each with its number; return how many and how long."""
    counted = 0

    @settings(
        max_examples=VALUES // AT_ONCE,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(MANY)
    def run(drawn: list[bytes]) -> None:
        nonlocal counted
        for codes in drawn:
            check(spelled(codes), counted)
            counted += 1

    began = time.perf_counter()
    run()
    return f"{counted:,} values in {time.perf_counter() - began:.0f} s"


def check_failure(body: bytes, number: int) -> None:
    target = TARGETS[number % len(TARGETS)]
    error = classify(STATUSES[number % len(STATUSES)], {}, body, target)
    assert isinstance(error, APIError)
    assert error.hint
    assert "\n" not in str(error)
    event = classify_event(body, target)
    assert event is None or isinstance(event, APIError)


def check_decode(data: bytes, number: int) -> None:
    for read in DECODERS:
        read(data)
    try:
        reply = read_generated(data) if number % 2 else read_reply(data, model="m")
    except ResponseError:
        return
    assert isinstance(reply, Reply)


def check_sse(stream: bytes, number: int) -> None:
    whole = events(stream, len(stream) or 1)
    assert whole == events(stream, 1 + number % 5)


def check_stream(stream: bytes, number: int) -> None:
    whole, cut = (played(stream, size, number) for size in (len(stream) or 1, 3))
    assert whole == cut


def events(stream: bytes, size: int) -> list[SseEvent]:
    decoder = SseDecoder()
    found: list[SseEvent] = []
    for start in range(0, len(stream), size):
        found += decoder.feed(stream[start : start + size])
    return found + decoder.flush()


def played(stream: bytes, size: int, number: int) -> tuple[str, object]:
    """Return the text of a stream and how it ended: a reply's reason, or an error."""
    reader = (OpenAIStream if number % 2 else TgiStream)(model="m")
    try:
        for start in range(0, len(stream), size):
            reader.feed(stream[start : start + size])
        _, reply = reader.close(), reader.reply()
    except ByteBuddyError as error:
        return reader.partial, type(error)
    return reply.text, reply.finish_reason


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    "check",
    [check_failure, check_decode, check_sse, check_stream],
    ids=["failure", "decode", "sse", "stream"],
)
def test_any_bytes_are_one_typed_result(
    check: Callable[[bytes, int], None], figure: Callable[[str], None]
) -> None:
    """No other exception; and a stream is the same however it is cut."""
    figure(million(check))


PIECES = [b"x", b" ", b"[", b"{", b'"', b"\\", b"\xff", b"\n", b"\r", b"data: ", b"9"]
PIECES += [b'{"choices":[', b'{"error":', b'[{"generated_text":"a"},', b'"a":{},']
PIECES += [b"data: {}\n\n", b"data:\n", b":\n", b"1,", b'{"a":', "错".encode()]


@pytest.mark.measured
@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("read", DECODERS)
def test_a_hostile_body_is_read_in_linear_time(
    read: Callable[[bytes], object], piece: bytes
) -> None:
    """Four times as much takes not much more than four times as long."""
    assert _is_linear(read, piece)


@pytest.mark.measured
@pytest.mark.parametrize("piece", PIECES)
def test_a_hostile_stream_is_bounded(piece: bytes) -> None:
    """In pieces of 4 KiB: linear time, and no more memory than a few copies."""

    def read(stream: bytes) -> None:
        decoder = SseDecoder()
        try:
            for start in range(0, len(stream), 4_096):
                decoder.feed(stream[start : start + 4_096])
            decoder.flush()
        except ResponseTooLarge:
            pass

    assert _is_linear(read, piece)
    # A quarter is enough for a ratio, and to be traced costs five times as much.
    tracemalloc.start()
    read(piece * (LARGE // 4 // len(piece)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * LARGE // 4


def _is_linear(read: Callable[[bytes], object], piece: bytes) -> bool:
    """Whether four times as much takes at most twelve times as long, at best of two."""
    short = min(_cost(read, piece, LARGE // 4) for _ in range(2))
    return any(_cost(read, piece, LARGE) < 0.05 + 12 * short for _ in range(2))


def _cost(read: Callable[[bytes], object], piece: bytes, size: int) -> float:
    """Return the seconds of this thread, whatever else the machine does."""
    data = piece * (size // len(piece))
    began = time.thread_time()
    with suppress(ResponseTooLarge):
        read(data)
    return time.thread_time() - began
