"""The rules for answers that cost more than any such answer: each is a typed error."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable, Iterable

import pytest
from reading import read_reply

from bytebuddy_provider_hf.errors import ByteBuddyError, ResponseTooLarge
from bytebuddy_provider_hf.types import Text
from bytebuddy_provider_hf.wire.choices import Expectations, answer_ceiling
from bytebuddy_provider_hf.wire.filtered_stream import FilteredStream
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.sse import SseDecoder, is_whole
from bytebuddy_provider_hf.wire.stream import StreamDecoder
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream
from bytebuddy_provider_hf.wire.tool_calls import is_json

SHORT = Expectations(ceiling=answer_ceiling(10))
MEBIBYTE = 1024 * 1024


def event(delta: object, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, **more}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def played(decoder: StreamDecoder, pieces: Iterable[bytes]) -> tuple[str, Exception]:
    """Return the text that was told until a stream failed, and how it did."""
    told: list[str] = []
    try:
        for piece in pieces:
            told += [e.text for e in decoder.feed(piece) if isinstance(e, Text)]
        decoder.close()
    except ByteBuddyError as error:
        return "".join(told), error
    raise AssertionError("the stream was taken for an answer")


@pytest.mark.parametrize("tokens", [1, 10, 1_000])
def test_the_ceiling_is_that_of_the_tokens_asked_for(tokens: int) -> None:
    """1 MiB and 64 bytes a token, for each answer, 24 times that with probabilities."""
    assert answer_ceiling(tokens) == MEBIBYTE + 64 * tokens
    assert answer_ceiling(tokens, n=3) == MEBIBYTE + 64 * tokens * 3
    with_logprobs = answer_ceiling(tokens, logprobs=True)
    assert with_logprobs == 24 * answer_ceiling(tokens)


@pytest.mark.parametrize("said", ["word " * 100, "é" * 300])
@pytest.mark.parametrize("stops", [(), ("STOP",)])
def test_a_stream_without_end_keeps_what_was_told(
    said: str, stops: tuple[str, ...]
) -> None:
    """Above the ceiling it ends, and ``partial`` is what the caller has."""
    decoder: StreamDecoder = OpenAIStream(model="m", wanted=SHORT)
    if stops:
        decoder = FilteredStream(decoder, stops=stops)
    told, error = played(decoder, [event({"content": said})] * 8_000)
    assert isinstance(error, ResponseTooLarge)
    assert "1,049,216" in str(error)
    assert error.partial == told
    # Not much more than the ceiling came.
    assert MEBIBYTE < len(told.encode()) < 2 * MEBIBYTE


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning": "so " * 100},
        {"content": " " * 300},
        {"tool_calls": [{"index": 0, "function": {"arguments": "a" * 300}}]},
    ],
    ids=["thoughts", "blanks", "arguments"],
)
def test_whatever_is_kept_counts(delta: object) -> None:
    """Also what is held back, and what is no text."""
    _, error = played(OpenAIStream(model="m", wanted=SHORT), [event(delta)] * 8_000)
    assert isinstance(error, ResponseTooLarge)


def test_probabilities_count_where_they_are_kept() -> None:
    """Nobody asked: they are not even decoded."""
    told = {"content": [{"token": "a", "logprob": -1}] * 500}
    pieces = [event({"content": "a"}, logprobs=told)] * 420
    wanted = Expectations(logprobs=True, ceiling=24 * MEBIBYTE)
    _, error = played(OpenAIStream(model="m", wanted=wanted), pieces)
    assert isinstance(error, ResponseTooLarge)
    decoder = OpenAIStream(model="m", wanted=SHORT)
    for piece in pieces:
        decoder.feed(piece)
    decoder.feed(b"data: [DONE]\n\n")
    decoder.close()
    assert decoder.reply().logprobs == ()


def test_tgi_has_the_same_ceiling() -> None:
    """Its tokens are events as well."""
    piece = b'data: {"token":{"text":"' + b"a" * 300 + b'"}}\n\n'
    told, error = played(TgiStream(model="m", wanted=SHORT), [piece] * 8_000)
    assert isinstance(error, ResponseTooLarge)
    assert error.partial == told


def test_small_pieces_take_no_more_memory_than_their_text() -> None:
    """A stream of letters is one text, and not a million."""
    chunk = event({"content": "a"}) * 500
    decoder = OpenAIStream(model="m")
    for _ in range(40):
        decoder.feed(chunk)
    assert decoder.partial == "a" * 20_000
    assert len(decoder._first.text) < 5_000


@pytest.mark.parametrize(
    "pieces",
    [
        (event({"tool_calls": [{"index": at}]}) for at in range(3_000)),
        (
            event({"tool_calls": [{"function": {"name": f"f{at}", "arguments": "{}"}}]})
            for at in range(3_000)
        ),
        [event({"tool_calls": [{}] * 1_025})],
        [event({"content": ["a"] * 1_025})],
        [event({"reasoning": [{"text": "a"}] * 1_025, "content": 5})],
        [event({}, error=[{}] * 40_000)],
        [b"data:\n" * 70_000],
        [b'data: {"choices":[' + b"{}," * 40_000 + b"{}]}\n\n"],
        [b'{"choices":[' + b"{}," * 4_000] * 20,
    ],
    ids=range(9),
)
def test_what_no_answer_has_ends_a_stream(pieces: Iterable[bytes]) -> None:
    """Before it takes the time and the memory of its elements."""
    _, error = played(OpenAIStream(model="m"), pieces)
    assert isinstance(error, ResponseTooLarge)


def test_ids_that_are_ever_new_are_forgotten() -> None:
    """LM Studio sends one in every piece: the call goes on, and they are not kept."""
    first = {"index": 0, "id": "x", "function": {"name": "f", "arguments": "{"}}
    decoder = OpenAIStream(model="m")
    decoder.feed(event({"tool_calls": [first]}))
    for at in range(3_000):
        more = {"id": f"c{at}", "function": {"arguments": " "}}
        decoder.feed(event({"tool_calls": [more]}))
    decoder.feed(event({"tool_calls": [{"function": {"arguments": "}"}}]}))
    decoder.feed(event({}, finish_reason="tool_calls") + b"data: [DONE]\n\n")
    (call,) = decoder.reply().tool_calls
    assert (call.name, call.arguments.replace(" ", "")) == ("f", "{}")
    calls = decoder._first._calls
    assert calls is not None
    assert len(calls._with) <= 1_024


@pytest.mark.measured
@pytest.mark.parametrize(
    "body",
    [
        b'{"choices":[{"message":{"tool_calls":[' + b"{}," * 2_000_000,
        b'{"choices":[{"message":{"content":[' + b'"",' * 2_000_000,
        b'{"choices":[{"message":{"content":NaN,"a":[' + b"{}," * 30_000,
        b'{"error":[' + b"{}," * 2_000_000,
        b'{"choices":[{"message":{"content":"' + b"<|channel|>a<|message|>b" * 60_000,
    ],
    ids=["calls", "parts", "lenient", "errors", "marks"],
)
def test_a_whole_answer_is_judged_before_it_is_decoded(body: bytes) -> None:
    """However it is cut, no callback lasts: the best of three takes 0.1 s."""

    def took(data: bytes) -> float:
        began = time.thread_time()
        with pytest.raises(ByteBuddyError):
            read_reply(data, model="m")
        return time.thread_time() - began

    assert min(took(body) for _ in range(3)) < 0.1


def test_many_marks_of_harmony_are_text() -> None:
    """An answer has a handful: looking at a million would take a second."""
    said = "<|channel|>final<|message|>a<|end|>" * 50_000
    body = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
    reply = read_reply(body, model="m")
    assert reply.text.startswith("aaaa")
    assert len(reply.text) > MEBIBYTE


@pytest.mark.measured
@pytest.mark.parametrize("check", [is_json, lambda text: is_whole(text.encode())])
def test_to_tell_json_nothing_is_made_of_it(check: Callable[[str], bool]) -> None:
    """Arguments and lines of JSON are checked, not decoded."""
    text = '{"a":[' + "{}," * 400_000 + "{}]}"
    tracemalloc.start()
    assert check(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(text)
    assert not check(text[:-1])


def test_an_event_of_many_lines_is_refused() -> None:
    """It is told apart from one that is too long."""
    with pytest.raises(ResponseTooLarge, match="65,536 lines"):
        SseDecoder().feed(b"data:\n" * 65_537)
