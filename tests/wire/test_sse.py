"""The rules of the event-stream decoder."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.wire.sse import STRAY, SseDecoder, SseEvent


def decode(stream: bytes, size: int | None = None) -> list[SseEvent]:
    """Feed ``stream`` in pieces of ``size`` bytes and return every event."""
    decoder = SseDecoder()
    step = size or max(1, len(stream))
    events = []
    for start in range(0, len(stream), step):
        events += decoder.feed(stream[start : start + step])
    return events + decoder.flush()


def data(*values: bytes) -> list[SseEvent]:
    """Return default events with these data."""
    return [SseEvent("", value) for value in values]


CASES = {
    "the common form": (b"data: a\n\ndata: b\n\n", data(b"a", b"b")),
    "no space after the colon": (b"data:a\n\n", data(b"a")),
    "only one space is taken": (b"data:  a\n\n", data(b" a")),
    "carriage return line feed": (b"data: a\r\n\r\ndata: b\r\n\r\n", data(b"a", b"b")),
    "carriage return": (b"data: a\r\rdata: b\r\r", data(b"a", b"b")),
    "mixed line ends": (
        b"data: a\n\r\ndata: b\r\n\ndata: c\r\n\r",
        data(b"a", b"b", b"c"),
    ),
    "several data lines": (b"data: a\ndata: b\n\n", data(b"a\nb")),
    "a comment": (b": ping\n\ndata: a\n\n", data(b"a")),
    "a comment between data": (b"data: a\n: ping\ndata: b\n\n", data(b"a\nb")),
    "an event name": (b"event: error\ndata: a\n\n", [SseEvent("error", b"a")]),
    "the name message": (b"event: message\ndata: a\n\n", data(b"a")),
    "a name ends with its event": (
        b"event: x\ndata: a\n\ndata: b\n\n",
        [SseEvent("x", b"a"), SseEvent("", b"b")],
    ),
    "an error field": (b'error: {"a":1}\n\n', [SseEvent("error", b'{"a":1}')]),
    "retry only": (b"retry: 10\n\ndata: a\n\n", data(b"a")),
    "id only": (b"id: 1\n\ndata: a\n\n", data(b"a")),
    "event only": (b"event: x\n\ndata: a\n\n", data(b"a")),
    "empty data": (b"data:\n\ndata: \n\ndata: a\n\n", data(b"a")),
    "data that is a keep-alive": (b"data: : keepalive\n\ndata: a\n\n", data(b"a")),
    "a byte order mark": (b"\xef\xbb\xbfdata: a\n\n", data(b"a")),
    "a mark later is data": (b"data: \xef\xbb\xbf\n\n", data(b"\xef\xbb\xbf")),
    "characters other splitters cut at": (
        "data: \u2028\u0085\x0b\x0c\x1c\n\n".encode(),
        data("\u2028\u0085\x0b\x0c\x1c".encode()),
    ),
    "a payload that begins like the field": (b"data:attention\n\n", data(b"attention")),
    "no blank line at the end": (b"data: a\n\ndata: b\n", data(b"a", b"b")),
    "no line end at the end": (b"data: a\n\ndata: b", data(b"a", b"b")),
    "a field without a colon": (b"data\n\ndata: a\n\n", data(b"a")),
    "a line of its own is told": (
        b"foo: bar\ndata: a\n\nstream timeout\n",
        [SseEvent(STRAY, b"foo: bar"), *data(b"a"), SseEvent(STRAY, b"stream timeout")],
    ),
    "blanks, NUL and marks before a line": (
        b" data: a\n\n\0data: b\n\n\xef\xbb\xbf\tdata: c\n\n",
        data(b"a", b"b", b"c"),
    ),
    "a line of blanks ends nothing": (b"data: a\n \ndata: b\n\n", data(b"a\nb")),
    "JSON without a field": (
        b'data: a\n\n{"error":"x"}\n\ndata: b\n\n',
        data(b"a", b'{"error":"x"}', b"b"),
    ),
    "one line feed between events": (
        b'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n',
        data(b'{"a":1}', b'{"b":2}', b"[DONE]"),
    ),
    "one line feed before a mark and one after": (
        b'data: {"a":1}\n\ndata: {"b":2}\ndata: [DONE]\n\ndata: {"c":3}\n\n',
        data(b'{"a":1}', b'{"b":2}', b"[DONE]", b'{"c":3}'),
    ),
    "JSON on several lines is one event": (
        b'data: {"a":\ndata: [{}]\ndata: }\n\n',
        data(b'{"a":\n[{}]\n}'),
    ),
    "an error's data in the next block": (
        b"event: error\n\ndata: a\n\ndata: b\n\n",
        [SseEvent("error", b"a"), *data(b"b")],
    ),
    "an error without data": (
        b"data: a\n\nevent: Error\n\n",
        [*data(b"a"), SseEvent("error", b"")],
    ),
    "a block of comments in the fast form": (
        b"data: a\n\n: ping\n\ndata: b\n\n: ping\ndata: c\n\n",
        data(b"a", b"b", b"c"),
    ),
}


@pytest.mark.parametrize("size", [None, 1, 2, 3, 7])
@pytest.mark.parametrize("name", CASES)
def test_a_stream_gives_the_same_events_however_it_is_cut(
    name: str, size: int | None
) -> None:
    """Chunks are not events: any cut gives the events of the specification."""
    stream, expected = CASES[name]
    assert decode(stream, size) == expected


PIECES = st.sampled_from(
    [
        b"data: x",
        b"data:",
        b":c",
        b"event: e",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"y",
        b" ",
    ]
)


@given(st.lists(PIECES, max_size=30), st.integers(1, 9))
def test_cutting_never_matters(pieces: list[bytes], size: int) -> None:
    """The fast form for whole blocks agrees with the general decoder."""
    stream = b"".join(pieces)
    assert decode(stream, size) == decode(stream, 1) == decode(stream)


@given(st.binary(max_size=300))
def test_any_bytes_give_events_and_nothing_else(stream: bytes) -> None:
    """No input makes the decoder raise."""
    for event in decode(stream, 5):
        assert event.data or event.is_error


def test_an_event_above_the_limit_is_refused() -> None:
    """A stranger's endless line is a typed error, not memory."""
    decoder = SseDecoder(max_event=1_000)
    decoder.feed(b"data: " + b"x" * 900)
    with pytest.raises(ResponseTooLarge):
        decoder.feed(b"x" * 200)


def test_many_lines_of_one_event_above_the_limit_are_refused() -> None:
    """The limit counts the event, not the line."""
    decoder = SseDecoder(max_event=1_000)
    with pytest.raises(ResponseTooLarge):
        decoder.feed(b"data: 0123456789\n" * 200)


@pytest.mark.measured
def test_single_bytes_cost_linear_time() -> None:
    """Four times the bytes take about four times as long, also one at a time."""

    def seconds(size: int) -> float:
        decoder = SseDecoder()
        started = time.process_time()
        for _ in range(size):
            decoder.feed(b"x")
        return time.process_time() - started

    small = min(seconds(50_000) for _ in range(3))
    large = min(seconds(200_000) for _ in range(3))
    assert large < small * 10
