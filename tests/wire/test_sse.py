"""The rules of the event-stream decoder."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.reliability.sse_matrix import CASES, SIZES, decode
from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.wire.sse import SseDecoder


@pytest.mark.parametrize("size", SIZES)
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
