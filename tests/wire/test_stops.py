"""The rules for cutting stop texts on our side."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read_reply

from bytebuddy_provider_hf.errors import StreamFailed, StreamInterrupted
from bytebuddy_provider_hf.testing.answers import chat_stream, event
from bytebuddy_provider_hf.types import LONGEST_STOP, Event, Reply, Text, Usage
from bytebuddy_provider_hf.wire.filtered_stream import FilteredStream, StopFilter
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream


def pieces(cutter: StopFilter, chunks: list[str]) -> list[str]:
    return [cutter.feed(chunk) for chunk in chunks] + [cutter.close()]


def expected(text: str, stops: list[str]) -> str:
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(found)] if found else text


LETTERS = st.text("ab", max_size=30)
STOPS = st.lists(st.text("ab", min_size=1, max_size=5), max_size=5)


@given(st.lists(LETTERS, max_size=8), STOPS)
def test_any_text_in_any_chunks_is_cut_before_the_first_stop(
    chunks: list[str], stops: list[str]
) -> None:
    """The chunks make no difference; of overlapping stops the first to begin counts."""
    cutter = StopFilter(stops)
    text = "".join(chunks)
    assert "".join(pieces(cutter, chunks)) == expected(text, stops)
    assert cutter.done == any(stop in text for stop in stops)


@given(LETTERS, STOPS)
def test_no_more_is_held_back_than_may_become_a_stop(
    text: str, stops: list[str]
) -> None:
    """What is held back is how some stop begins, and never longer than needed."""
    cutter = StopFilter(stops)
    passed = ""
    for at, char in enumerate(text, 1):
        passed += cutter.feed(char)
        if cutter.done or any(stop in text[:at] for stop in stops):
            break
        held = text[len(passed) : at]
        assert not held or any(stop.startswith(held) for stop in stops)
        longest = next(
            (at - n for n in range(at) if any(s.startswith(text[n:at]) for s in stops)),
            0,
        )
        assert len(held) == longest


def test_a_stop_over_many_chunks_is_cut_and_nothing_after_it_leaks() -> None:
    """One character a chunk, and the rest of the last chunk, are handled."""
    cutter = StopFilter(["\n\nUser:"])
    chunks = ["Hi", "\n", "\nUs", "e", "r", ": no", "more"]
    assert pieces(cutter, chunks) == ["Hi", "", "", "", "", "", "", ""]
    assert cutter.done


def test_text_that_begins_like_a_stop_comes_as_soon_as_it_cannot_be_one() -> None:
    """Only the part that may still become a stop waits."""
    cutter = StopFilter(["\n\nUser:"])
    chunks = ["a\n", "\nU", "n", "\n"]
    assert pieces(cutter, chunks) == ["a", "", "\n\nUn", "", "\n"]
    assert not cutter.done


def test_the_stop_that_begins_first_counts_though_another_ends_first() -> None:
    """The stop "bc" is complete sooner, but "abcd" began before it."""
    assert pieces(StopFilter(["abcd", "bc"]), ["xa", "bc", "d"]) == ["x", "", "", ""]
    assert pieces(StopFilter(["abcd", "bc"]), ["xa", "bc", "e"]) == ["x", "", "a", ""]
    assert pieces(StopFilter(["abcd", "bc"]), ["xa", "bc"]) == ["x", "", "a"]


def test_no_stops_pass_everything_on() -> None:
    """Without stops, or with empty ones, nothing is held."""
    assert pieces(StopFilter(["", ""]), ["a", "b"]) == ["a", "b", ""]


@pytest.mark.measured
def test_it_takes_linear_time() -> None:
    """Characters that all but match the longest stops there may be, one a chunk."""
    stop = "a" * (LONGEST_STOP - 1) + "b"
    cutter = StopFilter([stop, "ab" * (LONGEST_STOP // 2)])
    began = time.process_time()
    total = 0
    for _ in range(30_000):
        total += len(cutter.feed("a"))
    total += len(cutter.close())
    assert total == 30_000
    assert time.process_time() - began < 2.5


def test_a_whole_reply_is_cut_and_says_stop() -> None:
    """The finish reason is that of a stop."""
    message = {"message": {"content": "one two three"}, "finish_reason": "length"}
    data = json.dumps({"choices": [message]}).encode()
    cut = read_reply(data, model="", stops=["two"])
    assert cut == Reply("one ", finish_reason="stop", raw_finish_reason="length")
    uncut = read_reply(data, model="", stops=["four"])
    assert uncut == Reply(
        "one two three", finish_reason="length", raw_finish_reason="length"
    )


def read(stream: bytes, stops: list[str], size: int) -> tuple[list[Event], Reply]:
    decoder = FilteredStream(OpenAIStream(model="m"), stops=stops)
    events: list[Event] = []
    for at in range(0, len(stream), size):
        if decoder.done:
            break
        events += decoder.feed(stream[at : at + size])
    if not decoder.done:
        events += decoder.close()
    return events, decoder.reply()


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_stream_is_cut_and_its_usage_still_read(size: int) -> None:
    """The usage comes after the stop, in the last events."""
    usage = Usage(1, 2, 3)
    stream = chat_stream(["a b", " ST", "OP c"], usage=usage, finish_reason="length")
    events, reply = read(stream.content, ["STOP"], size)
    assert "".join(e.text for e in events if isinstance(e, Text)) == "a b "
    assert (reply.text, reply.finish_reason, reply.usage) == ("a b ", "stop", usage)


def test_a_server_that_goes_on_after_a_stop_is_not_waited_for() -> None:
    """After a few events the stream is over."""
    decoder = FilteredStream(OpenAIStream(model="m"), stops=["x"])
    fed = 0
    for piece in chat_stream(["x", *["y"] * 1_000]).body:
        decoder.feed(piece)
        fed += 1
        if decoder.done:
            break
    assert decoder.done
    assert fed < 20
    assert decoder.reply().text == ""


@pytest.mark.parametrize("size", [1, 100_000])
def test_an_error_after_the_stop_is_none(size: int) -> None:
    """The answer was complete, also where the error came in the same chunk."""
    whole = chat_stream(["a", "x"], finish_reason=None, done=False).content
    stream = whole + event({"error": {"message": "boom"}})
    assert read(stream, ["x"], size)[1].text == "a"
    assert read(whole, ["x"], size)[1].finish_reason == "stop"


def test_an_error_before_any_stop_is_raised_with_all_that_came() -> None:
    """What was held back is a part of the partial text."""
    whole = chat_stream(["a", "x"], finish_reason=None, done=False).content
    with pytest.raises(StreamInterrupted) as interrupted:
        read(whole, ["xy"], 10)
    assert interrupted.value.partial == "ax"
    with pytest.raises(StreamFailed) as failed:
        read(whole + event({"error": "boom"}), ["xy"], 10)
    assert failed.value.partial == "ax"


def test_what_comes_behind_a_stop_is_none_of_the_answers_in_one_piece_too() -> None:
    """A fault there is none, and what came before it is cut as in a stream."""
    message = {"message": {"content": "abcSTOPdef"}, "finish_reason": "abort"}
    data = json.dumps({"choices": [message]}).encode()
    assert read_reply(data, model="m", stops=["STOP"]).text == "abc"
    with pytest.raises(StreamInterrupted) as failed:
        read_reply(data, model="m", stops=["END"])
    assert failed.value.partial == "abcSTOPdef"
