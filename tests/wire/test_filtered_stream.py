from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.edits.text_filter import TextFilter
from bytebuddy_provider_hf.errors import StreamFailed, StreamInterrupted
from bytebuddy_provider_hf.testing.answers import completion_stream
from bytebuddy_provider_hf.types import Event, Reply, Text, Usage
from bytebuddy_provider_hf.wire.filtered_stream import FilteredStream
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream


class Upper:
    """Shout; enough after ten characters; a mark at the end."""

    def __init__(self) -> None:
        self.count = 0

    @property
    def done(self) -> bool:
        return self.count >= 10

    def feed(self, text: str) -> str:
        kept = text[: max(0, 10 - self.count)]
        self.count += len(kept)
        return kept.upper()

    def close(self) -> str:
        return "!"


class Shout:
    """Shout, to the end."""

    done = False

    def feed(self, text: str) -> str:
        return text.upper()

    def close(self) -> str:
        return ""


def texts(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def whole(text: str, filters: list[TextFilter], stops: Sequence[str] = ()) -> Reply:
    body = {"choices": [{"text": text, "finish_reason": "length"}]}
    decoder = FilteredStream(OpenAIStream(model="m"), stops=stops, filters=filters)
    return decoder.whole(json.dumps(body).encode())


def read(
    stream: bytes, through: TextFilter, size: int
) -> tuple[list[Event], Reply, FilteredStream]:
    decoder = FilteredStream(
        OpenAIStream(model="m"),
        filters=[through],
        finishes=[lambda reply, _filter: evolve(reply, diff="d")],
    )
    events: list[Event] = []
    for start in range(0, len(stream), size):
        if decoder.done:
            break
        events += decoder.feed(stream[start : start + size])
    if decoder.done:
        return events, decoder.reply(), decoder
    last, reply = decoder.close(), decoder.reply()
    return events + last, reply, decoder


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100_000])
def test_the_text_goes_through_and_its_end_comes_out(size: int) -> None:
    """However the bytes are cut, the filter's last words and the finish are there."""
    stream = completion_stream(["ab", "cd"], finish_reason="length").content
    events, reply, decoder = read(stream, Upper(), size)
    assert "".join(e.text for e in events if isinstance(e, Text)) == "ABCD!"
    assert (reply.text, reply.diff, reply.finish_reason) == ("ABCD!", "d", "length")
    assert not decoder.stopped_early


@pytest.mark.parametrize("size", [1, 50])
def test_a_filter_that_has_enough_ends_the_stream_well(size: int) -> None:
    """What the server still writes is not waited for."""
    stream = completion_stream([f"word{n}" for n in range(50)]).content
    events, reply, decoder = read(stream, Upper(), size)
    assert (
        reply.text
        == "WORD0WORD1!"
        == "".join(e.text for e in events if isinstance(e, Text))
    )
    assert reply.finish_reason == "stop"
    assert decoder.stopped_early


def test_a_stream_that_breaks_is_broken() -> None:
    """The filter makes no whole answer of it."""
    stream = completion_stream(["ab"], finish_reason=None, done=False).content
    with pytest.raises(StreamInterrupted):
        read(stream, Upper(), 10)


@pytest.mark.parametrize("size", [1, 100_000])
def test_an_error_after_enough_is_none(size: int) -> None:
    """The answer was complete, whether or not the two came in one piece."""
    stream = completion_stream(["word0word1word2"], finish_reason=None, done=False)
    broken = stream.content + b'data: {"error": {"message": "worker died"}}\n\n'
    events, reply, _ = read(broken, Upper(), size)
    assert reply.text == "WORD0WORD1!"
    assert reply.finish_reason == "stop"
    assert reply.text == "".join(e.text for e in events if isinstance(e, Text))


@pytest.mark.parametrize("size", [1, 100_000])
def test_what_came_before_an_error_is_kept_as_the_filter_left_it(size: int) -> None:
    """The partial text of the error is what the caller was shown, or would be."""
    stream = completion_stream(["ab"], finish_reason=None, done=False)
    broken = stream.content + b'data: {"error": {"message": "worker died"}}\n\n'
    with pytest.raises(StreamFailed) as caught:
        read(broken, Upper(), size)
    assert caught.value.partial == "AB"


def test_usage_that_comes_after_enough_is_read() -> None:
    """It comes last, behind what nobody wants to see."""
    usage = Usage(3, 2, 5)
    stream = completion_stream(["word0word1", "word2"], usage=usage).content
    _, reply, decoder = read(stream, Upper(), 7)
    assert reply.usage == usage
    assert not decoder.stopped_early


def test_a_whole_reply_is_filtered_in_the_same_way() -> None:
    """Its finish reason stays, unless the filter had enough."""
    short = whole("ab", [Upper()])
    assert (short.text, short.finish_reason) == ("AB!", "length")
    long = whole("a" * 99, [Upper()])
    assert (long.text, long.finish_reason) == ("A" * 10 + "!", "stop")


WORDS = st.lists(st.text("ab<", min_size=1, max_size=9), min_size=1, max_size=8)


@given(WORDS, st.integers(1, 40), st.sampled_from([[], ["<b", "ab<"]]))
def test_whole_and_streamed_answers_do_not_differ(
    words: list[str], size: int, stops: list[str]
) -> None:
    """The same text in one piece and in many, cut at stops and filtered."""
    stream = completion_stream(words, finish_reason="length").content
    decoder = FilteredStream(OpenAIStream(model="m"), stops=stops, filters=[Upper()])
    told = ""
    for start in range(0, len(stream), size):
        told += texts(decoder.feed(stream[start : start + size]))
    events, streamed = decoder.close(), decoder.reply()
    at_once = whole("".join(words), [Upper()], stops)
    assert (streamed.text, streamed.finish_reason) == (
        at_once.text,
        at_once.finish_reason,
    )
    assert told + texts(events) == streamed.text


@given(st.text("ab<", max_size=30), st.integers(1, 5))
def test_stops_end_a_text_before_it_is_filtered(text: str, size: int) -> None:
    """The first stop, over any cut; what it held back is filtered at the end."""
    stops = ["<b", "ab<"]
    words = [text[start : start + size] for start in range(0, len(text), size)]
    stream = completion_stream(words, finish_reason="length").content
    decoder = FilteredStream(OpenAIStream(model="m"), stops=stops, filters=[Shout()])
    shown = texts(decoder.feed(stream)) + texts(decoder.close())
    places = [at for stop in stops if (at := text.find(stop)) >= 0]
    assert shown == (text[: min(places)] if places else text).upper()
    assert (decoder.reply().finish_reason == "stop") == bool(places)
