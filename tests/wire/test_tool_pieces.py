"""Pieces of tool calls find their calls: by index, by id, and as a name begins one."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.types import Event, Reply, ToolCall, ToolCallDelta
from bytebuddy_provider_hf.wire.choices import Expectations
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream

TOOLS = ("get_weather", "get_time", "edit_existing_file", "list", "list_files")
PARIS, CET = '{"city":"Paris"}', '{"tz":"CET"}'
DONE = b"data: [DONE]\n\n"
NEW = "new"


def piece(
    name: str | None = None, arguments: str | None = None, **more: object
) -> dict[str, object]:
    return {"function": {"name": name, "arguments": arguments}, **more}


def read(
    pieces: list[dict[str, object]], *, tools: tuple[str, ...] = TOOLS, at_once: bool
) -> tuple[list[Event], Reply]:
    # No event may have more pieces than a thousand.
    size = 1_000 if at_once else 1
    deltas = [pieces[at : at + size] for at in range(0, len(pieces), size)]
    chunks = [{"choices": [{"delta": {"tool_calls": each}}]} for each in deltas]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    decoder = OpenAIStream(model="m", wanted=Expectations(tools=tools))
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    events += decoder.feed(DONE)
    return events, decoder.reply()


WEATHER, TIME = ("get_weather", PARIS), ("get_time", CET)
CASES = {
    "by index, as OpenAI does": (
        [
            piece("get_weather", "", index=0, id="A"),
            piece("get_time", "", index=1, id="B"),
            piece(None, '{"city":', index=0),
            piece(None, CET, index=1),
            piece(None, '"Paris"}', index=0),
        ],
        [WEATHER, TIME],
    ),
    "LM Studio: a new id in each piece": (
        [
            piece("get_weather", "", index=0, id="A"),
            piece("", '{"city":', index=0, id="B"),
            piece(None, '"Paris"}', index=0, id="C"),
        ],
        [WEATHER],
    ),
    "LM Studio, the name in each piece too": (
        [
            piece("get_weather", '{"ci', index=0, id="A"),
            piece("get_weather", 'ty":', index=0, id="B"),
            piece("get_weather", '"Paris"}', index=0, id="C"),
        ],
        [WEATHER],
    ),
    "poolside: name and arguments under two ids": (
        [piece("get_weather", None, id="A"), piece(None, PARIS, id="B")],
        [WEATHER],
    ),
    "Ollama: one index for all": (
        [
            piece("get_weather", PARIS, index=0, id="A"),
            piece("get_time", CET, index=0, id="B"),
        ],
        [WEATHER, TIME],
    ),
    "no ids, no index": ([piece("get_weather", PARIS), piece("get_time", CET)], NEW),
    "no ids, index 0": (
        [piece("get_weather", PARIS, index=0), piece("get_time", CET, index=0)],
        NEW,
    ),
    "empty ids": (
        [piece("get_weather", PARIS, id=""), piece("get_time", CET, id="")],
        NEW,
    ),
    "the same id for both": (
        [piece("get_weather", PARIS, id="x"), piece("get_time", CET, id="x")],
        NEW,
    ),
    "ids alone, mixed": (
        [
            piece("get_weather", "", id="A"),
            piece("get_time", "", id="B"),
            piece(None, PARIS, id="A"),
            piece(None, CET, id="B"),
        ],
        [WEATHER, TIME],
    ),
    "the same function twice, no ids": (
        [piece("get_weather", PARIS), piece("get_weather", PARIS)],
        [WEATHER, WEATHER],
    ),
    "no arguments, no ids": (
        [piece("list", ""), piece("get_time", "")],
        [("list", ""), ("get_time", "")],
    ),
    "a name in pieces": (
        [
            piece("edit_ex", None, index=0, id="A"),
            piece("isting", None, index=0),
            piece("_file", "{}", index=0),
        ],
        [("edit_existing_file", "{}")],
    ),
    "a name in pieces, under new ids": (
        [
            piece("edit_ex", None, index=0, id="A"),
            piece("isting_file", "{}", index=0, id="B"),
        ],
        [("edit_existing_file", "{}")],
    ),
    "a name that grows": (
        [
            piece("get", None, index=0, id="A"),
            piece("get_wea", None, index=0),
            piece("get_weather", PARIS, index=0),
        ],
        [WEATHER],
    ),
    "a name that begins another": (
        [piece("list", "{}", id="A"), piece("list_files", "{}", id="B")],
        [("list", "{}"), ("list_files", "{}")],
    ),
    "the name comes late": (
        [piece(None, '{"city":', index=0), piece("get_weather", '"Paris"}', index=0)],
        [WEATHER],
    ),
    "the id comes late": (
        [
            piece("get_weather", '{"city":', index=0),
            piece(None, '"Paris"}', index=0, id="A"),
        ],
        [WEATHER],
    ),
    "a nameless piece at a new index": (
        [piece("get_weather", '{"city":', index=0), piece(None, '"Paris"}', index=1)],
        [WEATHER],
    ),
    "a last piece that repeats the name": (
        [piece("get_weather", PARIS, index=0, id="A"), piece("get_weather", "")],
        [WEATHER],
    ),
}


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_pieces_find_their_calls(name: str, *, at_once: bool) -> None:
    """In one delta or in several; the events add up to the calls."""
    pieces, expected = CASES[name]
    if expected == NEW:
        expected = [WEATHER, TIME]
    events, reply = read(pieces, at_once=at_once)
    assert [(call.name, call.arguments) for call in reply.tool_calls] == expected
    assert (reply.finish_reason, reply.notes) == ("tool_calls", ())
    added: dict[int, tuple[str, str]] = {}
    for event in events:
        assert isinstance(event, ToolCallDelta)
        before = added.get(event.index, ("", ""))
        added[event.index] = (
            before[0] + (event.name or ""),
            before[1] + event.arguments,
        )
    assert [*added.values()] == expected


def test_names_are_joined_where_no_tool_is_known() -> None:
    """As a proxy sees it, which offers none: names in pieces, and those repeated."""
    pieces = [piece("edit_ex", None, index=0), piece("isting", "{}", index=0)]
    _, reply = read(pieces, tools=(), at_once=False)
    assert [call.name for call in reply.tool_calls] == ["edit_existing"]
    pieces = [piece("f", "{", index=0), piece("f", "}", index=0)]
    _, reply = read(pieces, tools=(), at_once=False)
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [("f", "{}")]


@given(
    st.lists(
        st.tuples(st.sampled_from(TOOLS), st.dictionaries(st.text(), st.integers())),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["index", "ids", "both", "index 0", "new ids"]),
    st.integers(1, 9),
)
def test_calls_of_any_number_and_cut_come_back(
    calls: list[tuple[str, dict[str, int]]], style: str, size: int
) -> None:
    """Whichever of the marks a server sets, and wherever it cuts the arguments."""
    pieces = []
    for at, (name, value) in enumerate(calls):
        arguments = json.dumps(value)
        marks: dict[str, object] = {}
        if style in ("index", "both", "new ids"):
            marks["index"] = at
        if style == "index 0":
            marks["index"] = 0
        given_id = {} if style in ("index", "index 0") else {"id": f"c{at}"}
        pieces.append(piece(name, "", **marks, **given_id))
        for start in range(0, len(arguments), size):
            if style == "new ids":
                given_id = {"id": f"c{at}-{start}"}
            part = arguments[start : start + size]
            pieces.append(piece(None, part, **marks, **given_id))
    _, reply = read(pieces, at_once=False)
    found = [(call.name, json.loads(call.arguments)) for call in reply.tool_calls]
    assert found == calls


@pytest.mark.parametrize("whole", [False, True])
def test_the_old_function_call_is_a_call(*, whole: bool) -> None:
    """OpenAI's name before it called functions tools."""
    said = {"content": None, "function_call": {"name": "get_time", "arguments": CET}}
    member = "message" if whole else "delta"
    answer = {"choices": [{member: said, "finish_reason": "function_call"}]}
    body = json.dumps(answer).encode()
    if not whole:
        body = b"data: " + body + b"\n\n" + DONE
    reply = OpenAIStream(model="m").whole(body)
    assert reply.tool_calls == (ToolCall("", "get_time", CET),)
    assert reply.finish_reason == "tool_calls"


@pytest.mark.parametrize("offered", [False, True])
def test_a_tool_that_the_server_invented_is_text(*, offered: bool) -> None:
    """TGI 2.0.1 to 2.3.0 lets the model say that no tool fits by a call of its own."""
    told = json.dumps({"function": {"_name": "notify_error", "error": "no tool fits"}})
    pieces = [piece("", told[:9], index=0, id=0), piece("", told[9:], index=0, id=0)]
    tools = ("notify_error",) if offered else TOOLS
    _, reply = read(pieces, tools=tools, at_once=False)
    if offered:
        assert [call.name for call in reply.tool_calls] == ["notify_error"]
    else:
        assert (reply.text, reply.tool_calls) == ("no tool fits", ())
        assert reply.finish_reason == "stop"


@pytest.mark.measured
def test_many_pieces_that_end_like_json_take_linear_time() -> None:
    """A server that ends each with a bracket and repeats the name costs its length."""
    pieces = [piece("f", "{}", index=0)] + [piece("f", "}" * 20, index=0)] * 20_000
    _, reply = read(pieces, tools=(), at_once=True)
    assert len(reply.tool_calls) < 100


def test_an_index_as_text_and_arguments_in_a_list_are_read() -> None:
    """As sloppy servers write them; PHP writes an object without members as a list."""
    pieces = [
        piece("get_weather", "", index="0", id="A"),
        piece("get_time", "", index="1", id="B"),
        piece(None, PARIS, index="0"),
        piece(None, CET, index="1"),
    ]
    _, reply = read(pieces, at_once=False)
    found = [(call.name, call.arguments) for call in reply.tool_calls]
    assert found == [WEATHER, TIME]
    empty = {"function": {"name": "list", "arguments": []}, "id": "A"}
    _, reply = read([empty], at_once=True)
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [
        ("list", "{}")
    ]


def test_a_custom_call_has_a_text_as_input() -> None:
    """OpenAI's second kind of tool."""
    call = {"id": "A", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    _, reply = read([call], at_once=True)
    assert [(c.name, c.arguments) for c in reply.tool_calls] == [("sql", "SELECT 1")]


@pytest.mark.measured
@pytest.mark.parametrize("marks", [{"index": 0}, {}], ids=["one index", "none"])
def test_many_empty_pieces_take_linear_time(marks: dict[str, object]) -> None:
    """Pieces that say nothing are looked at once."""
    pieces = [piece("f", "", **marks)] * 40_000
    began = time.process_time()
    read(pieces, tools=(), at_once=True)
    assert time.process_time() - began < 5


@pytest.mark.measured
def test_a_name_without_end_is_bounded() -> None:
    """No tool has such a name."""
    pieces = [piece("ab"[at % 2] * 1_000, None, index=0) for at in range(4_000)]
    _, reply = read(pieces, tools=("search",), at_once=True)
    assert all(len(call.name) < 3_000 for call in reply.tool_calls)
