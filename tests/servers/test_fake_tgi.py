"""FakeTgi speaks as each version of TGI does: a test for each row of the table."""

from __future__ import annotations

import json

import pytest
from servers.asking_tgi import (
    CHAT,
    COMPLETIONS,
    LATER,
    TEXT,
    WITH_COMPLETIONS,
    ask,
    chat,
    events,
    native,
    parsed,
    prompt,
    server,
    streamed,
)
from servers.fake_tgi import GENERATIONS, FakeTgi
from servers.tgi_checks import Limits

from bytebuddy_provider_hf.secret import Secret


@pytest.mark.parametrize("version", GENERATIONS)
@pytest.mark.parametrize(
    ("path", "body", "since"),
    [
        (CHAT, chat(), "1.4.0"),
        (COMPLETIONS, prompt(), "1.4.5"),
        ("/generate", native(), "1.1.0"),
        ("/generate_stream", native(), "1.1.0"),
        ("/", native(), "1.1.0"),
    ],
)
def test_routes(version: str, path: str, body: object, since: str) -> None:
    """Chat came with 1.4, completions with 1.4.5; what is missing is a bare 404."""
    reply = ask(server(version), path, body)
    known = GENERATIONS.index(version) >= GENERATIONS.index(since)
    assert reply.status == (200 if known else 404)
    assert known or not reply.content


@pytest.mark.parametrize("version", GENERATIONS)
def test_the_list_of_models(version: str) -> None:
    """It came with 2.3, and names the model as its owner."""
    reply = ask(server(version), "/v1/models", method="GET")
    if version in ("2.3.0", "2.4.1", "3.2.0"):
        (model,) = parsed(reply)["data"]
        assert model["owned_by"] == model["id"]
    else:
        assert reply.status == 404


@pytest.mark.parametrize("version", GENERATIONS)
def test_the_prefix_of_a_stream(version: str) -> None:
    """A space follows the colon from 2.1 on."""
    reply = ask(server(version), "/generate_stream", native())
    spaced = version not in ("1.1.0", "1.4.0", "1.4.5")
    assert reply.content.startswith(b"data: {" if spaced else b"data:{")


@pytest.mark.parametrize("version", LATER)
def test_the_object_of_a_chat_chunk(version: str) -> None:
    """Before 2.1 it calls itself a text completion."""
    old = version in ("1.4.0", "1.4.5")
    named = "text_completion" if old else "chat.completion.chunk"
    assert {e["object"] for e in streamed(version) if e != "[DONE]"} == {named}


@pytest.mark.parametrize("version", LATER)
def test_the_end_mark_of_a_chat(version: str) -> None:
    """[DONE] came with 2.2."""
    marked = version not in ("1.4.0", "1.4.5", "2.1.0")
    assert (streamed(version)[-1] == "[DONE]") == marked


def test_a_native_stream_has_no_end_mark() -> None:
    """Its last event has the whole text."""
    last = events(ask(server("3.2.0"), "/generate_stream", native()))[-1]
    assert last["generated_text"] == TEXT


@pytest.mark.parametrize("version", LATER)
def test_the_finish_reason_at_the_end_mark_of_the_model(version: str) -> None:
    """The reason "eos_token" became "stop" with 2.3, whole and streamed."""
    new = version in ("2.3.0", "2.4.1", "3.2.0")
    expected = "stop" if new else "eos_token"
    last = [e for e in streamed(version) if e != "[DONE]"][-1]
    assert last["choices"][0]["finish_reason"] == expected
    whole = parsed(ask(server(version), CHAT, chat()))
    assert whole["choices"][0]["finish_reason"] == expected


@pytest.mark.parametrize("version", ["1.4.0", "1.4.3", "1.4.4", "3.2.0"])
def test_the_index_of_a_chat_chunk(version: str) -> None:
    """It counts the tokens up to 1.4.3."""
    indexes = [e["choices"][0]["index"] for e in streamed(version) if e != "[DONE]"]
    counting = version in ("1.4.0", "1.4.3")
    assert indexes == ([1, 2, 3, 4] if counting else [0] * 4)


@pytest.mark.parametrize("version", LATER)
def test_the_last_content_of_a_chat(version: str) -> None:
    """The end mark of the model is sent as text before 2.3."""
    last = [e for e in streamed(version) if e != "[DONE]"][-1]
    new = version in ("2.3.0", "2.4.1", "3.2.0")
    assert last["choices"][0]["delta"]["content"] == ("" if new else "</s>")


@pytest.mark.parametrize("version", LATER)
def test_usage_in_a_stream(version: str) -> None:
    """``stream_options.include_usage`` counts from 2.3 on."""
    found = streamed(version, stream_options={"include_usage": True})
    counted = [e for e in found if e != "[DONE]" and e.get("usage")]
    assert bool(counted) == (version in ("2.3.0", "2.4.1", "3.2.0"))
    assert all(event["choices"] == [] for event in counted)


@pytest.mark.parametrize("version", LATER)
def test_null_stream_options(version: str) -> None:
    """From 3.2 on a null is refused, in plain text."""
    reply = ask(server(version), CHAT, chat(stream_options=None))
    assert reply.status == (422 if version == "3.2.0" else 200)
    if reply.status == 422:
        assert reply.headers["content-type"].startswith("text/plain")
        assert reply.content.startswith(b"Failed to deserialize the JSON body")


@pytest.mark.parametrize("version", ["2.2.0", "2.3.0", "2.4.0", "2.4.1", "3.2.0"])
def test_an_error_event_of_a_chat(version: str) -> None:
    """Native before 2.4.1, then OpenAI-like and always 422; status 200 either way."""
    reply = ask(server(version), CHAT, chat(stream=True, top_p=1.0))
    assert reply.status == 200
    error, mark = events(reply)
    assert mark == "[DONE]"
    if version in ("2.4.1", "3.2.0"):
        assert error["error"]["http_status_code"] == 422
    else:
        assert error["error_type"] == "validation"


@pytest.mark.parametrize("version", ["1.4.0", "2.0.3", "2.0.4", "2.1.0", "3.2.0"])
def test_a_chat_temperature_of_zero(version: str) -> None:
    """Refused before 2.0.4."""
    reply = ask(server(version), CHAT, chat(temperature=0))
    assert reply.status == (422 if version in ("1.4.0", "2.0.3") else 200)


@pytest.mark.parametrize("version", WITH_COMPLETIONS)
def test_the_arguments_of_a_call(version: str) -> None:
    """An object and a number as id, until 3.2 made them text."""
    reply = parsed(ask(server(version), CHAT, chat(tools=[{"type": "function"}])))
    (call,) = reply["choices"][0]["message"]["tool_calls"]
    if version == "3.2.0":
        assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
        assert call["id"] == "0"
    else:
        assert call["function"]["arguments"] == {"city": "Paris"}
        assert call["id"] == 0


@pytest.mark.parametrize(
    ("version", "tokens"),
    [("1.1.0", 20), ("1.4.0", 100), ("2.4.1", 100), ("3.2.0", 199)],
)
def test_the_default_length(version: str, tokens: int) -> None:
    """20 words, then 100, then the rest of the context."""
    tgi = FakeTgi(
        version, answer=lambda _r: " a" * 500, limits=Limits(100, total_tokens=200)
    )
    reply = parsed(ask(tgi, "/generate", native(details=True)))
    assert reply["details"]["generated_tokens"] == tokens
    assert reply["details"]["finish_reason"] == "length"


@pytest.mark.parametrize("version", GENERATIONS)
def test_info(version: str) -> None:
    """The field of the prompt's length was renamed; the weights' type went."""
    info = parsed(ask(server(version), "/info", method="GET"))
    old = version in ("1.1.0", "1.4.0", "1.4.5")
    assert ("max_input_length" in info) == old
    assert ("max_input_tokens" in info) == (not old)
    assert ("model_dtype" in info) == (old or version in ("2.1.0", "2.2.0"))
    assert info["version"] == version


@pytest.mark.parametrize("path", ["/health", "/", "/ping"])
def test_health(path: str) -> None:
    """An empty 200."""
    reply = ask(server("3.2.0"), path, method="GET")
    assert (reply.status, reply.content) == (200, b"")


# Beside the table


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"temperature": 0}, "`temperature` must be strictly positive"),
        ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"top_p": 0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"top_k": 0}, "`top_k` must be strictly positive"),
        ({"repetition_penalty": 0}, "`repetition_penalty` must be strictly positive"),
        ({"frequency_penalty": 3}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"stop": list("abcdef")}, "`stop` supports up to 4 stop sequences. Given: 6"),
        (
            {"max_new_tokens": 10_000},
            (
                "`inputs` tokens + `max_new_tokens` must be <= 2048. "
                "Given: 1 `inputs` tokens and 10000 `max_new_tokens`"
            ),
        ),
    ],
)
def test_values_out_of_range(parameters: dict[str, object], words: str) -> None:
    """422 in TGI's words; in a stream the same words on a 200."""
    reply = ask(server("3.2.0"), "/generate", native(**parameters))
    error = {"error": f"Input validation error: {words}", "error_type": "validation"}
    assert (reply.status, parsed(reply)) == (422, error)
    reply = ask(server("3.2.0"), "/generate_stream", native(**parameters))
    assert (reply.status, events(reply)) == (200, [error])


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": ["a"]},
        {"inputs": {"text": "a"}},
        {"messages": []},
        {"inputs": "a", "parameters": None},
        native(stop=None),
        native(stop="a"),
        native(do_sample=None),
        native(seed=-1),
        native(max_new_tokens=2**32),
    ],
)
def test_a_body_of_the_wrong_form(body: object) -> None:
    """The refusal of axum is plain text."""
    reply = ask(server("2.3.0"), "/generate", body)
    assert reply.status == 422
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.content.startswith(b"Failed to deserialize the JSON body into the")


def test_no_json_and_no_content_type() -> None:
    """400 and 415, in plain text."""
    tgi = server("3.2.0")
    assert ask(tgi, "/generate").status == 400
    headers = {"content-type": "text/plain"}
    assert ask(tgi, "/generate", native(), headers=headers).status == 415


def test_a_key_is_wanted_on_post_routes_only() -> None:
    """401 without a body; the case of the key makes no difference."""
    tgi = server("3.2.0", api_key=Secret("Key"))
    refused = ask(tgi, "/generate", native())
    assert (refused.status, refused.content) == (401, b"")
    headers = {"authorization": "Bearer kEY"}
    assert ask(tgi, "/generate", native(), headers=headers).status == 200
    assert ask(tgi, "/info", method="GET").status == 200


def test_overload() -> None:
    """429, or an event on a 200."""
    tgi = server("3.2.0", overloaded=True)
    reply = ask(tgi, "/generate", native())
    assert (reply.status, parsed(reply)["error_type"]) == (429, "overloaded")
    reply = ask(tgi, "/generate_stream", native())
    assert (reply.status, events(reply)[0]["error_type"]) == (200, "overloaded")


def test_the_compatible_route_echoes_unless_told_not_to() -> None:
    """Its answer is a list of one."""
    (echoed,) = parsed(ask(server("3.2.0"), "/", native()))
    assert echoed == {"generated_text": f"Hi{TEXT}"}
    (plain,) = parsed(ask(server("3.2.0"), "/", native(return_full_text=False)))
    assert plain == {"generated_text": TEXT}


def test_a_presence_penalty_of_zero_is_a_repetition_penalty_of_two() -> None:
    """And one of -2 is refused as a repetition penalty."""
    reply = ask(server("3.2.0"), CHAT, chat(presence_penalty=-2))
    assert "repetition_penalty" in parsed(reply)["error"]
