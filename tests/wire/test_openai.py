"""The rules for asking for tools, JSON, several answers and logprobs, by server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.types import CompletionOptions, Message, Tool, ToolCall
from bytebuddy_provider_hf.wire.dialects.hf_inference import HfInference
from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp
from bytebuddy_provider_hf.wire.dialects.router import Router
from bytebuddy_provider_hf.wire.dialects.sglang import Sglang
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.dialects.transformers import Transformers
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.openai import (
    ChatRequest,
    CompletionRequest,
    build_chat,
    build_completion,
    expectations,
)
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.tgi import build_generate

TARGET = resolve("org/m", "https://h.example")
WEATHER = Tool("weather", "of a city", {"type": "object", "properties": {}})
CLOCK = Tool("clock")
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
NAMED = {"type": "function", "function": {"name": "clock"}}
STRICT = {"name": "answer", "schema": SCHEMA, "strict": True}
OPENAI_SCHEMA = {"type": "json_schema", "json_schema": STRICT}

OTHERS = [Server, Router, Vllm, Sglang, LlamaCpp]
CLEVER = [kind for kind in OTHERS if kind is not LlamaCpp]
QUIET = [Transformers, Tgi, HfInference]


def tgi(version: str) -> Server:
    return Tgi(version=tuple(map(int, version.split("."))))


def chat(server: Server | type[Server], **more: Any) -> HttpRequest:  # noqa: ANN401 - any field
    """Return the call of a chat; messages and options may be given."""
    messages = more.pop("messages", (Message("user", "hi"),))
    request = ChatRequest(messages, **more)
    known = server if isinstance(server, Server) else server()
    return build_chat(request, TARGET, stream=False, server=known)


def added(server: Server | type[Server], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return the members of a chat's body beside model and messages."""
    body: dict[str, Any] = json.loads(chat(server, **more).body)
    return {key: body[key] for key in body if key not in ("model", "messages")}


def continued(kind: type[Server], **more: Any) -> HttpRequest:  # noqa: ANN401 - as above
    request = CompletionRequest("def", **more)
    return build_completion(request, TARGET, stream=False, server=kind())


def body_of(call: HttpRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(call.body)
    return body


# Tools


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("choice", [None, "auto", "none", "required"])
def test_the_words_of_a_choice_are_sent_as_they_are(
    kind: type[Server], choice: str | None
) -> None:
    """And no choice is sent where none was made."""
    found = added(kind, tools=(WEATHER,), tool_choice=choice)
    function = {
        "name": "weather",
        "description": "of a city",
        "parameters": {"type": "object", "properties": {}},
    }
    assert found.pop("tools") == [{"type": "function", "function": function}]
    assert found == ({} if choice is None else {"tool_choice": choice})


@pytest.mark.parametrize("kind", CLEVER)
def test_a_named_tool_is_an_object(kind: type[Server]) -> None:
    """OpenAI's form."""
    found = added(kind, tools=(WEATHER, CLOCK), tool_choice="clock")
    assert found["tool_choice"] == NAMED
    assert len(found["tools"]) == 2


def test_llama_cpp_gets_the_named_tool_alone_and_must_call_it() -> None:
    """It takes an object for "auto", and would call another tool."""
    found = added(LlamaCpp, tools=(WEATHER, CLOCK), tool_choice="clock")
    assert found["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in found["tools"]] == ["clock"]


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_calls_are_asked_for_or_forbidden(
    kind: type[Server], parallel: bool
) -> None:
    """Only with tools, and only when the caller says so."""
    found = added(kind, tools=(CLOCK,), parallel_tool_calls=parallel)
    assert found["parallel_tool_calls"] is parallel
    assert added(kind, parallel_tool_calls=parallel) == {}


@pytest.mark.parametrize("server", [*OTHERS, *QUIET])
def test_a_choice_that_there_is_not_is_refused(server: type[Server]) -> None:
    """Before anything is sent, with the names that there are."""
    with pytest.raises(InvalidOption, match="No tool is called 'clok'") as refused:
        chat(server, tools=(WEATHER, CLOCK), tool_choice="clok")
    assert "weather, clock" in str(refused.value.hint)
    with pytest.raises(InvalidOption, match="without tools"):
        chat(server, tool_choice="required")
    assert added(server, tool_choice="none") == {}


@pytest.mark.parametrize("version", ["1.4.3", "2.0.0", "2.1.0", "2.3.0", "3.3.7"])
def test_tgi_takes_the_name_of_a_tool_as_a_text(version: str) -> None:
    """The one form that all versions read."""
    found = added(tgi(version), tools=(WEATHER, CLOCK), tool_choice="clock")
    assert found["tool_choice"] == "clock"


@pytest.mark.parametrize(
    ("version", "count", "choice", "sent"),
    [
        # Tools without a choice are left out before 2.1.
        ("1.4.5", 1, None, "clock"),
        ("2.0.4", 2, None, "auto"),
        ("2.0.4", 2, "required", "auto"),
        # "auto" is looked for among the tools: a panic.
        ("2.1.1", 1, "auto", "clock"),
        ("2.2.0", 2, "auto", "auto"),
        ("2.3.0", 1, "required", "clock"),
        ("2.4.0", 2, "required", "auto"),
        ("2.4.1", 2, "required", "required"),
        ("3.3.7", 2, None, None),
        ("3.3.7", 1, "auto", "auto"),
    ],
)
def test_tgi_is_told_in_the_words_of_its_version(
    version: str, count: int, choice: str | None, sent: str | None
) -> None:
    """What "auto" and "required" mean changed several times."""
    tools = (CLOCK, WEATHER)[:count]
    found = added(tgi(version), tools=tools, tool_choice=choice)
    assert found.get("tool_choice") == sent


def test_old_tgi_is_said_to_always_call() -> None:
    """Before 2.4 there is no answer in words once there are tools."""
    calls = chat(tgi("2.3.0"), tools=(CLOCK, WEATHER))
    assert any("always calls a tool" in note for note in calls.notes)
    assert chat(tgi("3.2.0"), tools=(CLOCK, WEATHER)).notes == ()


@pytest.mark.parametrize("version", ["1.4.5", "2.1.1"])
def test_tgi_that_cannot_choose_among_tools_is_not_asked_to(version: str) -> None:
    """1.4 would not tell which it called, 2.1 would panic."""
    with pytest.raises(UnsupportedRole) as refused:
        chat(tgi(version), tools=(CLOCK, WEATHER))
    assert "tool_choice" in str(refused.value.hint)


@pytest.mark.parametrize("version", ["2.1.1", "2.4.0", "3.3.7"])
def test_tgi_gets_no_tools_where_none_may_be_called(version: str) -> None:
    """The word itself is unknown before 2.2."""
    assert added(tgi(version), tools=(CLOCK,), tool_choice="none") == {}


def test_tgi_before_tools_is_refused() -> None:
    """1.4.2 would ignore them."""
    with pytest.raises(UnsupportedRole, match="call tools"):
        chat(tgi("1.4.2"), tools=(CLOCK,))


def test_tgi_calls_one_tool_at_a_time() -> None:
    """Asking for more is told, asking for one needs no word."""
    call = chat(Tgi, tools=(CLOCK,), parallel_tool_calls=True)
    assert call.notes == ("text-generation-inference calls one tool at a time.",)
    call = chat(Tgi, tools=(CLOCK,), parallel_tool_calls=False)
    assert call.notes == ()
    assert "parallel_tool_calls" not in body_of(call)


def test_transformers_cannot_be_told_which_tool() -> None:
    """It would pass the choice over."""
    with pytest.raises(UnsupportedRole, match="which tool"):
        chat(Transformers, tools=(CLOCK,), tool_choice="clock")
    assert added(Transformers, tools=(CLOCK,), tool_choice="none") == {}
    found = added(Transformers, tools=(CLOCK,), tool_choice="auto")
    assert found.keys() == {"tools"}


# History with tool calls

HISTORY = (
    Message("user", "time?"),
    Message("assistant", "Let me see.", tool_calls=(ToolCall("7", "clock", "{}"),)),
    Message("tool", "noon", tool_call_id="7"),
)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_call_and_its_result_go_back_as_they_came(kind: type[Server]) -> None:
    """With the id that ties them."""
    sent = body_of(chat(kind, messages=HISTORY))["messages"]
    function = {"name": "clock", "arguments": "{}"}
    assert sent[1]["tool_calls"] == [
        {"id": "7", "type": "function", "function": function}
    ]
    assert sent[1]["content"] == "Let me see."
    assert sent[2] == {"role": "tool", "content": "noon", "tool_call_id": "7"}


def test_tgi_reads_no_text_beside_a_call() -> None:
    """From 3.2 on content would win over the calls."""
    call = chat(tgi("3.2.0"), messages=HISTORY)
    message = body_of(call)["messages"][1]
    assert "content" not in message
    assert message["tool_calls"]
    assert any("no text beside" in note for note in call.notes)


def test_older_tgi_reads_a_call_as_text() -> None:
    """Before 3.2 a message has content only."""
    call = chat(tgi("3.1.0"), messages=HISTORY)
    message = body_of(call)["messages"][1]
    assert message == {
        "role": "assistant",
        "content": 'Let me see.\n{"name": "clock", "parameters": {}}',
    }
    assert any("forgets tool calls" in note for note in call.notes)


# JSON


@pytest.mark.parametrize("kind", OTHERS)
def test_json_is_asked_for_in_openais_words(kind: type[Server]) -> None:
    """Any JSON, and JSON by a schema."""
    assert added(kind, response_format="json") == {
        "response_format": {"type": "json_object"}
    }
    assert added(kind, response_format=SCHEMA) == {"response_format": OPENAI_SCHEMA}


def test_a_schema_in_openais_wrapping_is_known() -> None:
    """Name and strictness are kept; a schema's title becomes a legal name."""
    inner = {"name": "n", "schema": SCHEMA, "strict": False}
    given = {"type": "json_schema", "json_schema": inner}
    assert added(Vllm, response_format=given) == {"response_format": given}
    titled = {**SCHEMA, "title": "Größe & Farbe!"}
    found = added(Vllm, response_format=titled)
    assert found["response_format"]["json_schema"]["name"] == "Gr_e_Farbe"
    found = added(Vllm, response_format={"type": "json_object"})
    assert found == {"response_format": {"type": "json_object"}}
    found = added(tgi("3.0.0"), response_format=given)
    assert found["response_format"]["value"] == SCHEMA


@pytest.mark.parametrize(
    "wrong", ["xml", {}, {"type": "json_schema", "json_schema": {"name": "n"}}]
)
def test_what_is_no_format_is_refused(wrong: Any) -> None:  # noqa: ANN401 - the wrong type
    """Anything but "json" and a schema."""
    with pytest.raises(InvalidOption):
        chat(Server, response_format=wrong)


@pytest.mark.parametrize("version", ["2.1.0", "2.4.1", "3.2.3", "3.3.7"])
def test_tgi_has_its_own_words_for_a_schema(version: str) -> None:
    """In every version that has the member; OpenAI's form is none of them."""
    expected = {"response_format": {"type": "json", "value": SCHEMA}}
    assert added(tgi(version), response_format=SCHEMA) == expected


@pytest.mark.parametrize(
    ("server", "given", "error"),
    [
        (tgi("2.0.4"), SCHEMA, UnsupportedRole),
        (tgi("3.3.7"), "json", UnsupportedRole),
        (tgi("3.3.7"), {"type": "array"}, InvalidOption),
        (Transformers(), SCHEMA, UnsupportedRole),
    ],
)
def test_a_server_that_cannot_hold_to_json_is_not_asked_to(
    server: Server,
    given: Any,  # noqa: ANN401 - a format
    error: type[Exception],
) -> None:
    """It would answer in words, or with a 422."""
    with pytest.raises(error) as refused:
        chat(server, response_format=given)
    assert getattr(refused.value, "hint", "")


def test_tgi_takes_tools_or_a_schema_never_both() -> None:
    """A 422 otherwise."""
    with pytest.raises(UnsupportedRole, match="together"):
        chat(tgi("3.3.7"), tools=(CLOCK,), response_format=SCHEMA)


def test_a_continuation_is_held_to_json_where_the_server_can() -> None:
    """Each in its own words; the others refuse."""
    found = body_of(continued(Vllm, response_format=SCHEMA))
    assert found["response_format"] == OPENAI_SCHEMA
    found = body_of(continued(LlamaCpp, response_format=SCHEMA))
    assert found["json_schema"] == SCHEMA
    found = body_of(continued(Sglang, response_format="json"))
    assert found["json_schema"] == '{"type":"object"}'
    request = CompletionRequest("def", response_format=SCHEMA)
    call = build_generate(request, TARGET, stream=True, server=tgi("1.4.1"))
    assert body_of(call)["parameters"]["grammar"] == {"type": "json", "value": SCHEMA}
    for kind in (Server, Tgi, Transformers):
        with pytest.raises(UnsupportedRole):
            continued(kind, response_format=SCHEMA)
    with pytest.raises(UnsupportedRole):
        build_generate(request, TARGET, stream=True, server=tgi("1.4.0"))


# Several answers, and the tokens' probabilities


@pytest.mark.parametrize("kind", OTHERS)
def test_several_answers_and_logprobs_are_asked_for(kind: type[Server]) -> None:
    """In chats and in continuations."""
    options = CompletionOptions(n=3)
    assert added(kind, options=options, logprobs=2) == {
        "n": 3,
        "logprobs": True,
        "top_logprobs": 2,
    }
    found = body_of(continued(kind, options=options, logprobs=2))
    assert (found["n"], found["logprobs"]) == (3, 2)


def test_the_tokens_alone_can_be_asked_for() -> None:
    """0 alternatives; llama.cpp then would tell no tokens, and gets 1."""
    assert added(Vllm, logprobs=0) == {"logprobs": True}
    assert added(LlamaCpp, logprobs=0)["top_logprobs"] == 1
    assert body_of(continued(Vllm, logprobs=0))["logprobs"] == 0


@pytest.mark.parametrize("kind", QUIET)
def test_a_server_with_one_answer_is_not_asked_for_two(kind: type[Server]) -> None:
    """It says nothing and gives one: told before."""
    call = chat(kind, options=CompletionOptions(n=2))
    assert "n" not in body_of(call)
    assert call.notes == (f"n is not sent: {kind.name} gives one answer.",)


def test_tgi_tells_five_alternatives_at_most() -> None:
    """By its default; natively they go by another name."""
    call = chat(tgi("3.3.7"), logprobs=9)
    assert body_of(call)["top_logprobs"] == 5
    assert any("sent as 5" in note for note in call.notes)
    request = CompletionRequest("def", CompletionOptions(n=2), logprobs=3)
    native = build_generate(request, TARGET, stream=True)
    assert body_of(native)["parameters"]["top_n_tokens"] == 3
    assert any(note.startswith("n is not sent") for note in native.notes)


@pytest.mark.parametrize("server", [tgi("1.4.0"), Transformers()])
def test_a_server_that_tells_no_logprobs_is_not_asked(server: Server) -> None:
    """TGI 1.4.0 gave numbers without tokens."""
    call = chat(server, logprobs=1)
    assert "logprobs" not in body_of(call)
    assert any(note.startswith("logprobs is not sent") for note in call.notes)


@pytest.mark.parametrize(("n", "logprobs"), [(0, None), (129, None), (1, -1), (1, 21)])
def test_numbers_out_of_range_are_refused(n: int, logprobs: int | None) -> None:
    """1 to 128 answers, 0 to 20 alternatives."""
    with pytest.raises(InvalidOption):
        chat(Server, options=CompletionOptions(n=n), logprobs=logprobs)


def test_what_was_asked_for_is_known_to_the_reader() -> None:
    """The tool that a call without a name is to, how many answers, JSON, reasoning."""
    request = ChatRequest(
        (),
        CompletionOptions(n=2),
        tools=(CLOCK,),
        logprobs=0,
        response_format="json",
        opened="<think>",
    )
    found = expectations(request)
    assert (found.n, found.tool, found.logprobs, found.json) == (2, "clock", True, True)
    assert (found.split, found.opened) == (True, "<think>")
    assert expectations(ChatRequest((), tools=(CLOCK, WEATHER))).tool == ""
    assert not expectations(CompletionRequest("x")).split
