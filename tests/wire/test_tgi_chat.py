"""The rules for reading the OpenAI routes of every TGI."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reading import read_reply
from recorded import recorded

from bytebuddy_provider_hf.errors import StreamInterrupted
from bytebuddy_provider_hf.types import Event, Reply, ToolCall
from bytebuddy_provider_hf.wire.choices import Expectations
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream


def read(stream: bytes, size: int = 10**6, *, n: int = 1) -> tuple[list[Event], Reply]:
    decoder = OpenAIStream(model="m", wanted=Expectations(n=n))
    events: list[Event] = []
    for at in range(0, len(stream), size):
        events += decoder.feed(stream[at : at + size])
    last, reply = decoder.close(), decoder.reply()
    return events + last, reply


def chunk(choice: object, kind: str, version: str, prefix: str = "data:") -> bytes:
    body = {
        "id": "",
        "object": kind,
        "model": "m",
        "system_fingerprint": f"{version}-sha-1",
        "choices": [choice],
    }
    return f"{prefix}{json.dumps(body)}\n\n".encode()


def chat(stream: bytes, *, n: int = 1) -> Reply:
    return read(stream, n=n)[1]


def said(text: str, *, index: int = 0, finish: str | None = None) -> dict[str, object]:
    delta = {"role": "assistant", "content": text}
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def test_an_index_that_counts_tokens_hides_no_text() -> None:
    """TGI up to 1.4.3, object text_completion, no space, no end mark, "</s>"."""
    stream = b"".join(
        chunk(choice, "text_completion", "1.4.3")
        for choice in (
            said(" The", index=1),
            said(" end", index=2),
            said("</s>", index=3, finish="eos_token"),
        )
    )
    reply = chat(stream)
    assert (reply.text, reply.finish_reason) == (" The end", "stop")


def test_another_index_is_another_answer_elsewhere() -> None:
    """Later TGI chats, and completions of any age, count answers there."""
    stream = chunk(said("a"), "chat.completion.chunk", "3.0.0")
    stream += chunk(said("b", index=1), "chat.completion.chunk", "3.0.0")
    reply = chat(stream + b"data: [DONE]\n\n", n=2)
    assert [choice.text for choice in reply.choices] == ["a", "b"]
    first = {"index": 0, "text": "a", "finish_reason": "stop"}
    other = {"index": 1, "text": "b", "finish_reason": "length"}
    stream = chunk(first, "text_completion", "1")
    reply = chat(stream + chunk(other, "text_completion", "1"), n=2)
    assert [choice.text for choice in reply.choices] == ["a", "b"]


def test_the_text_of_the_end_mark_is_no_text_in_completions() -> None:
    """TGI's completions from 2.3 end with the special token's text."""
    stream = chunk(
        {"index": 0, "text": "a", "finish_reason": ""}, "text_completion", "3.0.0"
    )
    end = {"index": 0, "text": "</s>", "finish_reason": "eos_token"}
    reply = chat(stream + chunk(end, "text_completion", "3.0.0"))
    assert (reply.text, reply.finish_reason) == ("a", "stop")


@pytest.mark.parametrize("version", ["1.4.5", "2.0.4", "2.1.0"])
def test_completions_of_old_tgi_end_without_a_mark(version: str) -> None:
    """They never say why they end: a good end of the connection is their end."""
    choice = {"index": 0, "text": "a", "finish_reason": ""}
    assert chat(chunk(choice, "text_completion", version)).text == "a"


@pytest.mark.parametrize("version", ["2.2.0", "3.2.0", ""])
def test_completions_of_later_tgi_need_their_mark(version: str) -> None:
    """From 2.2 on [DONE] comes, so that its absence means an interruption."""
    choice = {"index": 0, "text": "a", "finish_reason": ""}
    with pytest.raises(StreamInterrupted):
        chat(chunk(choice, "text_completion", version))


def test_a_tool_call_that_is_no_list_is_read() -> None:
    """Before 3.2 TGI streams an object, its index counting tokens."""
    pieces = []
    for at, text in enumerate(["{", '"city": ', '"Paris"}']):
        function = {"name": None if at else "f", "arguments": text}
        call = {"index": at, "id": "", "type": "function", "function": function}
        choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": call}}
        pieces.append(chunk(choice, "chat.completion.chunk", "3.1.0", "data: "))
    reply = chat(b"".join(pieces) + b"data: [DONE]\n\n")
    assert reply.tool_calls == (ToolCall("", "f", '{"city": "Paris"}'),)
    # The reason is never set on such a stream: that it made a call is one.
    assert reply.finish_reason == "tool_calls"


def test_the_name_of_a_call_is_found_in_what_the_grammar_made() -> None:
    """Before 2.4 the name is a member of the arguments, and the end mark is there."""
    pieces = []
    for text in ['{"function": {"_name": "f", ', '"city": "Paris"}}', "</s>"]:
        function = {"name": None, "arguments": text}
        call = {"index": 20, "id": "", "type": "function", "function": function}
        choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": call}}
        pieces.append(chunk(choice, "text_completion", "2.0.4"))
    end = {"index": 0, "delta": {}, "finish_reason": "eos_token"}
    pieces.append(chunk(end, "text_completion", "2.0.4"))
    reply = chat(b"".join(pieces))
    assert reply.tool_calls == (ToolCall("", "f", '{"city": "Paris"}'),)


def test_whole_arguments_may_be_an_object() -> None:
    """Before 3.2 arguments is JSON and the id a number."""
    function = {"description": None, "name": "f", "arguments": {"x": 1}}
    message = {"role": "assistant", "tool_calls": [{"id": 0, "function": function}]}
    data = json.dumps({"choices": [{"message": message, "finish_reason": "eos_token"}]})
    reply = read_reply(data.encode(), model="m")
    assert reply.tool_calls == (ToolCall("0", "f", '{"x": 1}'),)
    assert reply.finish_reason == "tool_calls"


def test_arguments_may_be_called_parameters() -> None:
    """TGI 1.4 and 2.0 call them so, and every function "tools"."""
    function = {"description": None, "name": "tools", "parameters": {"x": 1}}
    message = {"role": "assistant", "tool_calls": [{"id": 0, "function": function}]}
    data = json.dumps({"choices": [{"message": message, "finish_reason": "eos_token"}]})
    reply = read_reply(data.encode(), model="m")
    assert reply.tool_calls == (ToolCall("0", "tools", '{"x": 1}'),)


def test_a_call_without_a_name_is_to_the_tool_that_was_chosen() -> None:
    """The reader is told which one that was; a name that came is left alone."""
    wanted = Expectations(tool="get_weather")
    for name, found in (("tools", "get_weather"), ("", "get_weather"), ("f", "f")):
        function = {"name": name, "arguments": {"x": 1}}
        message = {"role": "assistant", "tool_calls": [{"id": 0, "function": function}]}
        data = json.dumps({"choices": [{"message": message}]}).encode()
        assert read_reply(data, model="m", wanted=wanted).tool_calls[0].name == found


def test_what_the_grammar_made_is_unwrapped_without_a_name_in_it() -> None:
    """Before 2.0.1 the arguments hold no name."""
    call = {"index": 1, "id": "", "function": {"name": None}}
    call["function"] = {"name": None, "arguments": '{"function": {"x": 1}}</s>'}
    choice = {"index": 0, "delta": {"tool_calls": call}, "finish_reason": "eos_token"}
    reply = chat(chunk(choice, "text_completion", "1.4.5"))
    assert reply.tool_calls == (ToolCall("", "", '{"x": 1}'),)


# What real servers answered


def tapes(name: str, shape: str) -> list[Any]:
    records: list[Any] = json.loads(recorded("tapes", name).read_text())
    return [
        record
        for record in records
        if shape in (record["shape"] or "") and not record.get("body_clipped")
    ]


def test_recorded_chat_streams() -> None:
    """Each has text, a finish reason, and no end mark of the model in its text."""
    records = tapes("sse_streams.json", "openai-chunk")
    for record in records:
        data = record["body"].encode()
        events, reply = read(data, 9)
        assert read(data) == (events, reply)
        assert reply.text or reply.tool_calls
        assert reply.finish_reason is not None
        assert "</s>" not in reply.text
    assert len(records) == 22


def test_recorded_chat_streams_of_old_tgi_lose_no_token() -> None:
    """Those that count tokens in the index, and those that do not."""
    records = tapes("sse_streams.json", "obj=text_completion")
    for record in records:
        chunks = [
            json.loads(line.removeprefix("data:"))
            for line in record["body"].splitlines()
            if line
        ]
        texts = [each["choices"][0]["delta"].get("content", "") for each in chunks]
        reply = chat(record["body"].encode())
        assert reply.text == "".join(texts).removesuffix("</s>")
    assert len(records) == 8
