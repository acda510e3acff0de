"""The rules for several answers, tokens' probabilities, and what ends oddly."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read_generated, read_reply

from bytebuddy_provider_hf.errors import StreamInterrupted
from bytebuddy_provider_hf.types import (
    Choice,
    Event,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    ToolCallDelta,
)
from bytebuddy_provider_hf.wire.choices import NO_EXPECTATIONS, RAW, Expectations
from bytebuddy_provider_hf.wire.filtered_stream import FilteredStream
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream

DONE = b"data: [DONE]\n\n"
TWO = Expectations(n=2)


def piece(delta: object, *, index: int = 0, finish: str | None = None) -> bytes:
    """Return one chunk of a chat stream."""
    return chunk({"index": index, "delta": delta, "finish_reason": finish})


def chunk(*choices: object) -> bytes:
    return b"data: " + json.dumps({"choices": choices}).encode() + b"\n\n"


def said(text: str, index: int = 0) -> bytes:
    return piece({"content": text}, index=index)


def read(
    stream: bytes, *, wanted: Expectations = NO_EXPECTATIONS, size: int = 10**6
) -> tuple[list[Event], Reply]:
    return drained(OpenAIStream(model="m", wanted=wanted), stream, size)


def drained(
    decoder: OpenAIStream | FilteredStream, stream: bytes, size: int = 10**6
) -> tuple[list[Event], Reply]:
    events: list[Event] = []
    for at in range(0, len(stream), size):
        events += decoder.feed(stream[at : at + size])
    last, reply = decoder.close(), decoder.reply()
    return events + last, reply


def whole(
    *choices: object,
    wanted: Expectations = NO_EXPECTATIONS,
    stops: tuple[str, ...] = (),
) -> Reply:
    data = json.dumps({"choices": choices}).encode()
    return read_reply(data, model="m", wanted=wanted, stops=stops)


def answer(
    finish: str = "stop",
    *,
    wanted: Expectations = NO_EXPECTATIONS,
    **message: Any,  # noqa: ANN401 - JSON
) -> Reply:
    """Return the reply in a whole answer of one message."""
    return whole({"message": message, "finish_reason": finish}, wanted=wanted)


# Several answers

# llama.cpp's order: the second may begin first (servers/README, "n=2").
BOTH = (
    said("b1", 1)
    + said("a1")
    + said("b2", 1)
    + piece({}, index=1, finish="length")
    + said("a2")
    + piece({}, finish="stop")
)


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_answers_that_interleave_are_told_apart(size: int) -> None:
    """Each event names its choice; the reply's own members are those of the first."""
    events, reply = read(BOTH + DONE, wanted=TWO, size=size)
    assert events == [Text("b1", 1), Text("a1"), Text("b2", 1), Text("a2")]
    assert (reply.text, reply.finish_reason) == ("a1a2", "stop")
    assert reply.choices == (
        Choice("a1a2", "stop", raw_finish_reason="stop"),
        Choice("b1b2", "length", raw_finish_reason="length"),
    )
    assert reply.notes == ()


def test_a_whole_answer_has_its_choices_in_order() -> None:
    """By their index, whatever the order on the wire."""
    reply = whole(
        {"index": 1, "message": {"content": "b"}, "finish_reason": "length"},
        {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"},
        wanted=TWO,
    )
    assert reply.choices == (
        Choice("a", "stop", raw_finish_reason="stop"),
        Choice("b", "length", raw_finish_reason="length"),
    )
    assert reply.text == "a"


def test_one_answer_is_no_choice() -> None:
    """``choices`` is for several."""
    assert whole({"message": {"content": "a"}}).choices == ()
    assert read(said("a") + DONE)[1].choices == ()


def test_fewer_answers_than_asked_for_are_told() -> None:
    """As transformers serve and many providers do: one, and not a word."""
    note = "The server gave 1 of 2 answers."
    ended = said("a") + piece({}, finish="stop") + DONE
    assert read(ended, wanted=TWO)[1].notes == (note,)
    one = {"message": {"content": "a"}, "finish_reason": "stop"}
    assert whole(one, wanted=TWO).notes == (note,)


def test_without_an_end_mark_each_answer_needs_its_reason() -> None:
    """A stream that ends between them was interrupted."""
    assert read(BOTH, wanted=TWO)[1].choices
    with pytest.raises(StreamInterrupted):
        read(BOTH[: BOTH.rindex(b"data:")], wanted=TWO)
    with pytest.raises(StreamInterrupted):
        read(said("b", 1) + said("a") + piece({}, finish="stop"), wanted=TWO)


def test_each_answer_has_its_own_tool_calls_and_reasoning() -> None:
    """Nothing of one ends up in another."""
    call = {"index": 0, "id": "x", "function": {"name": "f", "arguments": "{}"}}
    stream = piece({"tool_calls": [call]}, index=1) + said("<think>t</think>a")
    stream += piece({"reasoning": "r"}, index=2) + said("c", 2) + DONE
    events, reply = read(stream, wanted=Expectations(n=3))
    assert ToolCallDelta(0, "x", "f", "{}", 1) in events
    assert Reasoning("t", 0) in events
    first, second, third = reply.choices
    assert (first.reasoning, first.text, first.tool_calls) == ("t", "a", ())
    assert second.tool_calls == (ToolCall("x", "f", "{}"),)
    assert (third.reasoning, third.text) == ("r", "c")


def test_a_stop_ends_each_answer_on_its_own() -> None:
    """In streams that interleave, however cut, and in whole answers."""
    stream = said("a S") + said("b", 1) + said("TOP x") + said(" ST", 1)
    # The first is over: the other has more to say than last words.
    stream += said("-", 1) * 20 + said("S", 1) + said("TOP y", 1) + DONE
    for size in (1, 10**6):
        decoder = OpenAIStream(model="m", wanted=TWO)
        cutting = FilteredStream(decoder, stops=["STOP"], answers=2)
        events, reply = drained(cutting, stream, size)
        texts = ["", ""]
        for event in events:
            assert isinstance(event, Text)
            texts[event.choice] += event.text
        assert texts == ["a ", "b ST" + "-" * 20]
        assert [each.text for each in reply.choices] == texts
    reply = whole(
        {"index": 0, "message": {"content": "a STOP x"}, "finish_reason": "length"},
        {"index": 1, "message": {"content": "b"}, "finish_reason": "length"},
        wanted=TWO,
        stops=("STOP",),
    )
    assert reply.choices == (
        Choice("a ", "stop", raw_finish_reason="length"),
        Choice("b", "length", raw_finish_reason="length"),
    )
    assert (reply.text, reply.finish_reason) == ("a ", "stop")


def test_a_strangers_indices_are_bounded() -> None:
    """Of ten thousand choices those are kept that were asked for, whole or streamed."""
    stream = b"".join(said("x", index) for index in range(-5, 10_000)) + DONE
    reply = read(stream, wanted=TWO)[1]
    assert [choice.text for choice in reply.choices] == ["x", "x"]
    assert read(stream)[1].choices == ()
    several = [{"index": at, "message": {"content": str(at)}} for at in range(5_000)]
    reply = whole(*several, wanted=TWO)
    assert [choice.text for choice in reply.choices] == ["0", "1"]
    assert any("choices" in note for note in reply.notes)


@pytest.mark.measured
def test_many_calls_take_linear_time() -> None:
    """Each piece finds its call without looking at all of them."""
    calls = [
        {"index": at, "id": f"c{at}", "function": {"name": "f", "arguments": "{}"}}
        for at in range(1_024)
    ]
    stream = piece({"tool_calls": calls}) + DONE
    began = time.process_time()
    assert len(read(stream)[1].tool_calls) == 1_024
    assert time.process_time() - began < 0.25


# Reasoning


@pytest.mark.parametrize(
    "name", ["reasoning_content", "reasoning", "reasoning_text", "reasoning_details"]
)
def test_reasoning_goes_by_four_names(name: str) -> None:
    """Whole and streamed; OpenRouter's details are a list."""
    value: Any = "hm"
    if name == "reasoning_details":
        value = [{"type": "reasoning.text", "text": "h"}, {"summary": "m"}]
    events, reply = read(piece({name: value}) + said("a") + DONE)
    assert events == [Reasoning("hm"), Text("a")]
    assert reply.reasoning == "hm"
    message = {name: value, "content": "a"}
    assert whole({"message": message}).reasoning == "hm"


def test_reasoning_told_twice_is_taken_once() -> None:
    """OpenRouter sends the same in ``reasoning`` and ``reasoning_details``."""
    reply = answer(content="a", reasoning="hm", reasoning_details=[{"text": "hm"}])
    assert reply.reasoning == "hm"


def test_reasoning_may_be_a_part_of_the_content() -> None:
    """Mistral's list of parts."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
    ]
    reply = answer(content=parts)
    assert (reply.reasoning, reply.text) == ("hm", "a")


@pytest.mark.parametrize("size", [1, 3, 10**6])
def test_marks_in_the_text_are_split_in_a_stream(size: int) -> None:
    """Cut over events and over bytes; the events add up to the reply."""
    stream = (
        said("\n")
        + said("<th")
        + said("ink>h")
        + said("m</think")
        + said(">\n\na")
        + DONE
    )
    events, reply = read(stream, size=size)
    assert (reply.reasoning, reply.text) == ("hm", "a")
    assert events == [Reasoning("h"), Reasoning("m"), Text("a")]


def test_a_continuation_is_not_split() -> None:
    """What follows a prompt is a text as it stands."""
    reply = whole({"text": "<think>x</think>y"}, wanted=RAW)
    assert (reply.reasoning, reply.text) == ("", "<think>x</think>y")
    data = b'{"generated_text":"<think>x</think>y"}'
    assert read_generated(data).text == "<think>x</think>y"
    split = read_generated(data, wanted=NO_EXPECTATIONS)
    assert (split.reasoning, split.text) == ("x", "y")


def test_a_server_that_splits_is_not_second_guessed() -> None:
    """After its own reasoning, a mark in the text is a text."""
    reply = read(piece({"reasoning": "r"}) + said("<think>a") + DONE)[1]
    assert (reply.reasoning, reply.text) == ("r", "<think>a")
    opened = Expectations(opened="<think>")
    reply = read(piece({"reasoning": "r"}) + said("a") + DONE, wanted=opened)[1]
    assert (reply.reasoning, reply.text) == ("r", "a")
    reply = read(said(" <") + piece({"reasoning": "r"}) + said("a") + DONE)[1]
    assert (reply.reasoning, reply.text) == ("r", " <a")


def test_text_held_back_comes_when_the_stream_ends() -> None:
    """With the end mark, and with the end of the connection."""
    for end in (DONE, piece({}, finish="stop")):
        events, reply = read(said(" <") + end)
        assert events == [Text(" <")]
        assert reply.text == " <"
    decoder = OpenAIStream(model="m")
    assert decoder.feed(said(" <") + DONE) == [Text(" <")]
    assert decoder.close() == []


def test_an_answer_that_is_all_reasoning_is_not_lost() -> None:
    """As from vLLM with a reasoning parser: all of it there, the content null."""
    reply = answer(content=None, reasoning="4")
    assert (reply.text, reply.reasoning) == ("", "4")
    assert reply.notes == (
        "The whole answer came as reasoning: see the reply's reasoning.",
    )
    reply = answer("length", content="<think>h")
    assert reply.notes == (
        "The answer was cut at max_tokens while the model was thinking.",
    )


def test_json_that_came_as_reasoning_is_the_answer() -> None:
    """What keeps to the schema is what was asked for, wherever vLLM puts it."""
    asked = Expectations(json=True)
    reply = answer(content=None, reasoning='{"a":1}', wanted=asked)
    assert reply.text == '{"a":1}'
    assert "taken for the answer" in reply.notes[0]
    stream = piece({"reasoning": '{"a"'}) + piece({"reasoning": ":1}"}) + DONE
    events, reply = read(stream, wanted=asked)
    assert events[-1] == Text('{"a":1}')
    assert reply.text == '{"a":1}'
    assert answer(content=None, reasoning="no JSON", wanted=asked).text == ""
    assert answer(content="a", reasoning="{}", wanted=asked).text == "a"


@pytest.mark.parametrize("content", ["Sure!", "```json\n{}\n```", '{"a": 1', "{} {}"])
def test_an_answer_that_is_not_the_json_asked_for_is_told(content: str) -> None:
    """Many providers ignore the format; a caller parses what it was promised."""
    asked = Expectations(json=True)
    told = "JSON was asked for, and the answer is not JSON."
    assert answer(content=content, wanted=asked).notes == (told,)
    stream = piece({"content": content}) + piece({}, finish="stop") + DONE
    assert read(stream, wanted=asked)[1].notes == (told,)
    assert answer(content=content).notes == ()
    reply = answer("length", content='{"a": 1', wanted=asked)
    assert reply.notes == ("The JSON that was asked for was cut at max_tokens.",)
    assert answer(content=' {"a": [1]}\n', wanted=asked).notes == ()
    assert answer(tool_calls=[CALL], content="x", wanted=asked).notes == ()


# Ends

CALL = {"id": "a", "function": {"name": "f", "arguments": "{}"}}


def test_a_call_that_was_made_is_the_reason() -> None:
    """Where the request named the tool, vLLM says "stop"."""
    assert answer(content=None, tool_calls=[CALL]).finish_reason == "tool_calls"
    stream = piece({"tool_calls": [{**CALL, "index": 0}]}) + piece({}, finish="stop")
    assert read(stream + DONE)[1].finish_reason == "tool_calls"
    assert answer("length", tool_calls=[CALL]).finish_reason == "length"


def test_arguments_cut_short_are_told() -> None:
    """llama.cpp cut by max_tokens: ``{`` is no JSON."""
    call = {"id": "a", "function": {"name": "f", "arguments": "{"}}
    reply = answer("length", content="", tool_calls=[call])
    assert reply.notes == (
        "The arguments of the call to f are not JSON: cut at max_tokens.",
    )
    reply = answer(tool_calls=[call])
    assert reply.notes == ("The arguments of the call to f are not JSON.",)
    stream = piece({"tool_calls": [{**call, "index": 0}]}) + piece({}, finish="length")
    assert "cut at max_tokens" in read(stream + DONE)[1].notes[0]
    empty = {"id": "a", "function": {"name": "f", "arguments": ""}}
    assert answer(tool_calls=[empty, CALL]).notes == ()


DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.sampled_from(["a", " ", "<think>", "</think>", "<", "é"]),
        "reasoning": st.sampled_from(["r", " "]),
        "tool_calls": st.just([{**CALL, "index": 0}]),
    },
)


@given(
    st.lists(st.tuples(st.integers(0, 2), DELTAS), min_size=1, max_size=8),
    st.integers(1, 40),
)
def test_a_stream_cut_anywhere_gives_the_same_events(
    deltas: list[tuple[int, dict[str, object]]], size: int
) -> None:
    """And for each choice the events add up to its text and reasoning."""
    stream = b"".join(piece(delta, index=index) for index, delta in deltas) + DONE
    wanted = Expectations(n=3)
    events, reply = read(stream, wanted=wanted)
    assert read(stream, wanted=wanted, size=size) == (events, reply)
    for at, choice in enumerate(reply.choices):
        index = sorted({0, *(index for index, _ in deltas)})[at]
        mine = [
            e for e in events if isinstance(e, Text | Reasoning) and e.choice == index
        ]
        assert "".join(e.text for e in mine if isinstance(e, Text)) == choice.text
        thought = "".join(e.text for e in mine if isinstance(e, Reasoning))
        assert thought == choice.reasoning
