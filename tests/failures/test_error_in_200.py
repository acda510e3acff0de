"""Errors in answers of status 200: wherever they stand, whole and streamed alike."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import MalformedResponse, ResponseError, StreamFailed
from bytebuddy_provider_hf.failures.classify import classify_event
from bytebuddy_provider_hf.failures.error_in_200 import SIGNS_OF_LIFE, error_in
from bytebuddy_provider_hf.types import Event, Reply, Text
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream

OTHER = resolve("m", "https://api.example.com/v1")
WORDS = "GPU lost"
SAID = {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}
DONE = b"data: [DONE]\n\n"

# What servers send, and where each was met.
ERRORS: dict[str, object] = {
    "OpenAI": {"error": {"message": WORDS, "code": 500}},
    "a text": {"error": WORDS},
    "a list": {"error": [WORDS]},
    "genkit#6259": {"choices": [{"delta": {}, "error": {"message": WORDS}}]},
    "groq": {"choices": [{"delta": {}}], "x_groq": {"error": WORDS}},
    "old vLLM": {"object": "error", "message": WORDS, "code": 503},
    "FastAPI": {"detail": WORDS},
    "a list of FastAPI's": {"detail": [{"loc": ["body"], "msg": WORDS}]},
    "code and msg": {"code": 50501, "msg": WORDS},
    "status and message": {"status": "error", "message": WORDS},
    "MiniMax": {"base_resp": {"status_code": 1008, "status_msg": WORDS}},
    "MiniMax, beside choices": {
        "choices": [{"delta": {"content": ""}}],
        "base_resp": {"status_code": 1000, "status_msg": WORDS},
    },
    "Spring": {"timestamp": 1, "status": 500, "error": "Internal", "message": WORDS},
    "choices that are null": {"choices": None, "message": WORDS},
    "counts that are zero": {"code": 429, "msg": WORDS, "usage": {"total_tokens": 0}},
    "RFC 7807": {"title": WORDS, "status": 500},
}


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


BLOCKS = {name: event(value) for name, value in ERRORS.items()} | {
    "pi#8430": b'event: error\n\ndata: {"message": "GPU lost"}\n\n',
    "an event of that name": b'event: ERROR\ndata: {"note": "GPU lost"}\n\n',
    "llama.cpp's field": b'error: {"message":"GPU lost"}\n\n',
    "lemonade#2826": b'{"error": "GPU lost"}\n\n',
    "transformers serve": b'data: {"error": "no "quotes" and GPU lost"}\n\n',
    "not JSON": b"data: GPU lost\n\n",
}


def drained(stream: bytes, size: int) -> tuple[str, ResponseError | None]:
    """Return the text of the events, and the error that followed them."""
    decoder = OpenAIStream(model="m")
    events: list[Event] = []
    try:
        for at in range(0, len(stream), size):
            events += decoder.feed(stream[at : at + size])
        events += decoder.close()
        decoder.reply()
    except ResponseError as error:
        return "".join(e.text for e in events if isinstance(e, Text)), error
    return "".join(e.text for e in events if isinstance(e, Text)), None


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("name", BLOCKS)
def test_an_error_in_a_stream_is_raised_behind_its_text(name: str, size: int) -> None:
    """However it is cut: the text as events and as partial, then the server's words."""
    shown, error = drained(event(SAID) + BLOCKS[name] + DONE, size)
    assert isinstance(error, StreamFailed | MalformedResponse)
    assert shown == error.partial == "Hel"
    # An event of its own name may say it in a member that nobody knows.
    said = error.message + (error.event if isinstance(error, StreamFailed) else "")
    assert WORDS in said


@pytest.mark.parametrize("name", ERRORS)
def test_whole_and_streamed_errors_are_one(name: str) -> None:
    """The same class, status and words: there is one classifier."""
    body = json.dumps(ERRORS[name]).encode()
    with pytest.raises(StreamFailed) as whole:
        OpenAIStream(model="m").whole(body)
    _, streamed = drained(event(ERRORS[name]) + DONE, 10**6)
    assert isinstance(streamed, StreamFailed)
    assert whole.value.event == streamed.event
    found = classify_event(streamed.event.encode(), OTHER)
    assert found is not None
    assert WORDS in str(found)
    assert found.hint


@pytest.mark.parametrize(
    ("value", "status"),
    [
        # A number that is a status comes first, also as text.
        ({"error": {"message": "overloaded", "code": 404}}, 404),
        ({"error": {"message": "x", "code": "429"}}, 429),
        ({"error": {"message": "x", "status_code": 400}}, 400),
        ({"status": 503, "message": "x"}, 503),
        # Then a code or type in words, then the sentence.
        ({"error": {"message": "x", "type": "rate_limit_error"}}, 429),
        ({"error": {"message": "x", "code": "RESOURCE_EXHAUSTED"}}, 429),
        ({"error": {"message": "x", "type": "invalid_request_error"}}, 400),
        ({"error": {"message": "x", "type": "overloaded_error"}}, 529),
        ({"error": "Model is overloaded"}, 429),
        # TGI's chat stream says 422 whatever the cause.
        ({"error": {"message": "Model is overloaded", "http_status_code": 422}}, 429),
        ({"error": {"message": "other", "http_status_code": 422}}, 422),
        # What is no status tells none.
        ({"code": 50501, "msg": "x"}, None),
        ({"error": {"message": "x", "code": True}}, None),
    ],
)
def test_the_status_of_an_error_is_read(value: object, status: int | None) -> None:
    """Machine-readable codes before words."""
    found = classify_event(json.dumps(value).encode(), OTHER)
    assert found is not None
    assert found.status == status


@pytest.mark.parametrize(
    "value",
    [
        *({"type": kind, "message": "on it"} for kind in sorted(SIGNS_OF_LIFE)),
        {"status": "QUEUED", "message": "position 3"},
        {"choices": [], "prompt_filter_results": [{"message": "ok"}]},
        {"choices": [], "x-router-metadata": {"provider": "groq"}},
        {"choices": [], "usage": {"prompt_tokens": 1}, "message": "counted"},
        {"id": "c", "object": "chat.completion.chunk"},
        {"id": "c", "object": "chat.title", "title": "A nice chat"},
        {"id": "c", "citations": ["u"], "search_results": [{"title": "x"}]},
        {"error": None},
        {"error": {"code": None, "message": ""}},
        {"choices": [{"delta": {"content": "error"}}], "base_resp": {"status_code": 0}},
    ],
)
def test_what_only_shows_that_the_server_works_is_no_error(value: object) -> None:
    """Pings, queues, counts and empty members."""
    assert error_in(value) is None
    end = event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    shown, error = drained(event(SAID) + event(value) + end + DONE, 10**6)
    assert error is None
    assert shown.startswith("Hel")


NAMES = st.sampled_from(
    [
        *("type", "kind", "note", "data", "payload", "status", "index", "event"),
        *("message", "detail", "msg", "reason", "object", "choices", "usage", "code"),
    ]
)
VALUES = st.none() | st.booleans() | st.integers(0, 600) | st.sampled_from(["", "x"])


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_any_event_is_read_told_or_known(value: dict[str, object]) -> None:
    """No member of an event disappears: an error, a note, or one of the protocol's."""
    known = {"choices", "usage", "object", "id", "model"}
    end = event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    decoder = OpenAIStream(model="m")
    reply: Reply | None = None
    with suppress(ResponseError):
        decoder.feed(event(SAID) + event(value) + end + DONE)
        reply = decoder.reply()
    if reply is None:
        return
    told = any("not read here" in note for note in reply.notes)
    assert told or value.keys() & known or value.get("type") in SIGNS_OF_LIFE


def test_events_without_end_are_told_in_a_few_words() -> None:
    """A stranger's kinds are counted, and not kept."""
    kinds = b"".join(event({"type": f"{at}{'k' * 200}"}) for at in range(1_000))
    end = event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    decoder = OpenAIStream(model="m")
    decoder.feed(event(SAID) + kinds + end + DONE)
    assert len(decoder.reply().notes) == 5
    assert all(len(note) < 200 for note in decoder.reply().notes)


@pytest.mark.parametrize(
    "more",
    [
        b"event: ping\ndata: ping\n\n",
        b"event: end\ndata: the end\n\n",
        b'data: "[DONE]"\n\n',
    ],
)
def test_words_that_are_no_part_of_an_answer_do_not_undo_it(more: bytes) -> None:
    """A ping in words, a farewell behind the end, a mark in quotes."""
    end = event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    for stream in (event(SAID) + more + end + DONE, event(SAID) + end + more):
        decoder = OpenAIStream(model="m")
        if b"DONE" in more and stream.endswith(DONE):
            continue
        decoder.feed(stream)
        if not decoder.done:
            decoder.close()
        assert decoder.reply().text == "Hel"
