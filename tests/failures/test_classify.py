"""Every answer that is an error gives the class that says what it means."""

from __future__ import annotations

import json
import math
import pickle
import time
import tracemalloc

import pytest
from failures.bodies import ANSWERS, EVENTS, EventRow, Row
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.failures.body_text import error_message
from bytebuddy_provider_hf.failures.classify import classify, classify_event
from bytebuddy_provider_hf.failures.retry_after import loading_estimate, retry_after
from bytebuddy_provider_hf.failures.table import row_of
from bytebuddy_provider_hf.texts import placeholders

ROUTER = resolve("org/name")
ENDPOINT = resolve("org/name", "https://x.endpoints.huggingface.cloud")
LOCAL = resolve("name", "http://127.0.0.1:8080")
HUB = resolve("org/name", "https://huggingface.co")
OTHER = resolve("name", "https://api.example.com/v1")
JOB = resolve("org/name", "https://6a2b--8000.hf.jobs")
PLACES = {
    "ROUTER": ROUTER,
    "ENDPOINT": ENDPOINT,
    "LOCAL": LOCAL,
    "HUB": HUB,
    "OTHER": OTHER,
    "JOB": JOB,
}


def classified(row: Row) -> errors.APIError:
    headers = {"x-request-id": "r1", **dict(row.headers)}
    return classify(
        row.status,
        headers,
        row.body.encode(),
        PLACES[row.place],
        token_source="HF_TOKEN",
    )


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: f"{row.status} {row.kind}")
def test_an_answer_gives_its_class_and_its_next_step(row: Row) -> None:
    """One class each, with the status, one line of text, and what to do."""
    error = classified(row)
    assert type(error).__name__ == row.kind
    assert (error.status, error.request_id) == (row.status, "r1")
    assert row.hint in (error.hint or "")
    for name, value in row.told.items():
        found = getattr(error, name)
        assert (list(found) if isinstance(found, tuple) else found) == value, name
    assert "\n" not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - made here


@pytest.mark.parametrize("row", EVENTS, ids=lambda row: f"{row.origin} {row.kind}")
def test_an_error_event_gives_the_class_of_its_answer(row: EventRow) -> None:
    """Errors of a 200 stream are told apart as answers are, whatever they claim."""
    error = classify_event(row.data.encode(), LOCAL)
    assert error is not None
    assert (type(error).__name__, error.status) == (row.kind, row.status)


@pytest.mark.parametrize(
    "data",
    [
        "[DONE]",
        "",
        "text",
        "[]",
        "{}",
        '{"choices":[]}',
        '{"choices":[{"delta":{"content":"error"}}],"error":null}',
        '{"token":{"text":"a"},"message":"b","code":5}',
        '{"message":"still at work","status":"processing"}',
        '{"error":{"code":null,"message":""}}',
        '{"choices":[{"message":{"content":"a"}}],"base_resp":{"status_code":0}}',
        "\ufeff",
    ],
)
def test_what_is_no_error_is_none(data: str) -> None:
    """Events of a good stream are left alone, whatever they talk about."""
    assert classify_event(data.encode(), LOCAL) is None


def test_every_class_of_answers_is_told_apart() -> None:
    """No class is there that no answer leads to."""
    seen = {row.kind for row in ANSWERS} | {row.kind for row in EVENTS}
    seen |= {"APIError", "AuthenticationFailed", "TokenMissing"}
    assert {kind.__name__ for kind in every_class(errors.APIError)} == seen


def every_class(kind: type[errors.APIError]) -> list[type[errors.APIError]]:
    found = [kind]
    for below in kind.__subclasses__():
        if below.__module__.startswith(errors.__name__):
            found += every_class(below)
    return found


@pytest.mark.parametrize(
    "kind", every_class(errors.APIError), ids=lambda kind: kind.__name__
)
def test_the_last_alternative_needs_to_know_nothing(
    kind: type[errors.APIError],
) -> None:
    """Each class has a next step, however little the server said."""
    *_, last = row_of(kind).en.hint
    assert not placeholders(last)
    assert not last.startswith("[")


def test_the_numbers_of_the_server_are_attributes() -> None:
    """Who wants to mend the request reads numbers, not sentences."""
    body = (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. "
        "Given: 17 `inputs` tokens and 10000 `max_new_tokens`"
    )
    error = classify(422, {}, json.dumps({"error": body}).encode(), LOCAL)
    assert isinstance(error, errors.ContextTooLong)
    assert (error.limit, error.given, error.asked) == (4096, 17, 10000)


def test_the_parameters_refused_are_attributes() -> None:
    """All of them, in the server's order; the first also alone."""
    body = "The following `model_kwargs` are not used by the model: ['stop', 'seed']"
    error = classify(400, {}, json.dumps({"error": body}).encode(), LOCAL)
    assert isinstance(error, errors.ParameterRefused)
    assert (error.parameter, error.parameters) == ("stop", ("stop", "seed"))


def test_without_a_name_for_the_token_the_hint_names_none() -> None:
    """Nothing is said about a place that nobody knows."""
    error = classify(401, {}, b"", ROUTER)
    assert isinstance(error, errors.TokenInvalid)
    assert "None" not in str(error)
    assert "{" not in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error":"a"}', "a"),
        ('{"error":["a","b"]}', "a; b"),
        ('{"error":{"message":"a","type":"t"}}', "a"),
        ('[{"error":"a"}]', "a"),
        ('{"message":"a","code":413}', "a"),
        ('{"detail":"a"}', "a"),
        ('{"detail":[{"loc":["body","x"],"msg":"a"}]}', "body.x: a"),
        ('{"object":"error","message":"a"}', "a"),
        ('{"title":"a","status":400}', "a"),
        ("plain\nwords", "plain words"),
        ("<html><head><title>502 Bad</title></head><body>x</body></html>", "502 Bad"),
        ("<p>Some &amp; <b>words</b></p>", "Some & words"),
        ("", ""),
        ("null", "null"),
        ("{}", ""),
    ],
)
def test_the_sentence_is_found_in_every_shape(body: str, said: str) -> None:
    """Every server words its errors its own way; people read one sentence."""
    assert " ".join(error_message(body.encode()).split()) == said


def test_a_message_is_cut_and_redacted() -> None:
    """A megabyte of error is a line of 500 characters, and holds no token."""
    body = json.dumps({"error": "hf_abcdefghijklmnop " + "x" * 100_000}).encode()
    said = error_message(body)
    assert len(said) <= 500
    assert "abcdefghijklmnop" not in said


HEADERS = st.dictionaries(
    st.sampled_from(
        ["retry-after", "ratelimit", "location", "x-error-code", "x-should-retry"]
    )
    | st.text(max_size=9),
    st.text(max_size=40),
    max_size=4,
)
PIECES = st.lists(
    st.sampled_from(
        [
            '{"error":',
            '"',
            "Input validation error: `",
            "` must be <= 9",
            "Given: 1",
            "model_kwargs` are not used by the model: ['",
            "maximum context length is 12",
            "overloaded",
            "access to model ",
            "<title>",
            "&#99999",
            "on behalf of org ",
            "huggingface.co/a/b",
            "{0}{model}",
            "}",
        ]
    )
    | st.text(max_size=9),
    max_size=12,
).map(lambda pieces: "".join(pieces).encode())


@given(st.integers(0, 999), HEADERS, st.binary(max_size=200) | PIECES)
def test_any_answer_gives_one_class(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    """Any status, headers and bytes: one typed error of one line, no exception."""
    for target in (ROUTER, ENDPOINT, LOCAL):
        error = classify(status, headers, body, target)
        assert isinstance(error, errors.APIError)
        assert error.hint
        assert "\n" not in str(error)


@given(st.binary(max_size=200) | PIECES)
def test_any_event_is_an_error_or_none(data: bytes) -> None:
    """Any bytes: one typed error or nothing."""
    error = classify_event(data, LOCAL)
    assert error is None or isinstance(error, errors.APIError)


LARGE = 1_000_000


@pytest.mark.measured
@pytest.mark.parametrize(
    "piece",
    [
        b"x",
        b" ",
        b"<",
        b"<title",
        b"<title>",
        b"<script",
        b"<p>&#9",
        b"[",
        b'{"error":',
        b'"\\',
        b'{"error":"',
        b"model a/",
        b"access to model ",
        b"9",
        b"`inputs` tokens. Given: 9",
        b"'stop',",
        b"\xff",
        b"\n",
        "错".encode(),
    ],
)
def test_a_hostile_megabyte_costs_little(piece: bytes) -> None:
    """A body of 1 MB is classified in less than 50 ms and 2 MB of memory."""
    body = (piece * (LARGE // len(piece) + 1))[:LARGE]
    for wrapped in (body, b'{"error":"' + body, b'{"error":"' + body + b'"}'):
        tracemalloc.start()
        classify(400, {}, wrapped, LOCAL)
        classify_event(wrapped, LOCAL)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        spent = min(_seconds(wrapped) for _ in range(5))
        assert spent < 0.05
        assert peak < 4_000_000


def _seconds(body: bytes) -> float:
    began = time.process_time()
    classify(400, {}, body, LOCAL)
    return time.process_time() - began


@pytest.mark.measured
def test_a_hostile_header_costs_little() -> None:
    """A megabyte of header is cut before it is looked at."""
    value = "a, " * 300_000
    names = ("retry-after", "ratelimit", "location", "x-error-code", "date")
    began = time.process_time()
    error = classify(307, dict.fromkeys(names, value), b"", LOCAL)
    assert time.process_time() - began < 0.05
    assert len(str(error)) < 3_000


def test_a_character_number_too_long_for_python_is_no_exception() -> None:
    """int() refuses 4,300 digits; a page may hold them."""
    assert error_message(b"<p>&#" + b"9" * 5_000 + b";</p>")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "message", "detail", "estimated_time", "loc", "code"]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=10,
    )
)
def test_any_json_gives_one_class(value: object) -> None:
    """Members of any type in any place are read or passed over."""
    body = json.dumps(value).encode()
    error = classify(503, {}, body, ROUTER)
    assert isinstance(error, errors.ServerError)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20.0", 20.0),
        ("1809.18", 1809.18),
        ("0.5", 0.5),
        ("0", None),
        ("-3", None),
        ("true", None),
        ('"20"', None),
        ("[20]", None),
        ("null", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e999", None),
        ("1" + "0" * 400, None),
    ],
)
def test_only_a_positive_finite_number_is_an_estimate(
    text: str, value: float | None
) -> None:
    """Servers also send NaN, text and constants; those are no estimate."""
    body = f'{{"error":"loading","estimated_time":{text}}}'.encode()
    error = classify(503, {}, body, ROUTER)
    assert isinstance(error, errors.ModelLoading)
    assert error.estimate == value


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans()))
def test_an_estimate_is_in_range_or_nothing(value: object) -> None:
    """The parser is total."""
    found = loading_estimate(value)
    assert found is None or 0 < found < math.inf


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("Model org/name is currently loading", errors.ModelLoading),
        ("The model is still being loaded.\n", errors.ModelLoading),
        ("model org/name is loading", errors.ModelLoading),
        ("Loading model", errors.ModelLoading),
        ("Error loading the page", errors.ServerError),
        ("<title>Loading</title><p>The model page</p>", errors.ServerError),
        ("The model failed while loading", errors.ServerError),
        ("Model x is loading " + "x" * 300, errors.ServerError),
        ("", errors.ServerError),
    ],
)
def test_a_sentence_alone_may_say_that_the_model_loads(
    body: str, kind: type[errors.APIError]
) -> None:
    """As a proxy sends it, or a person pastes it; a page with the word is none."""
    assert type(classify(503, {}, body.encode(), ROUTER)) is kind


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
LATER = "Wed, 21 Oct 2026 07:28:20 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-10"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "0x10"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "9" * 35}, math.inf),
        ({"retry-after": LATER, "date": DATE}, 20.0),
        ({"retry-after": DATE, "date": LATER}, 0.0),
        ({"retry-after": LATER}, None),
        ({"retry-after": "Zun, 29 Sep 2015 16:26:57 GMT", "date": DATE}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_from_seconds_and_dates(
    headers: dict[str, str], seconds: float | None
) -> None:
    """Dates count from the server's own clock; what is no number is nothing."""
    assert retry_after(headers) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_retry_after_is_a_time_or_nothing(after: str, date: str) -> None:
    """The parser is total and never gives a negative time."""
    seconds = retry_after({"retry-after": after, "date": date})
    assert seconds is None or seconds >= 0


def test_a_refusal_without_a_token_says_that_none_was_sent() -> None:
    """Nobody should check a token that never left."""
    error = classify(401, {}, b"", LOCAL, token_sent=False)
    assert "No token was sent" in str(error)


@pytest.mark.parametrize(
    ("seconds", "spoken"),
    [
        ("7", "7 s"),
        ("300", "5 minutes"),
        ("36000", "10 hours"),
        ("9" * 30, "very long"),
    ],
)
def test_the_time_to_wait_is_in_the_hint(seconds: str, spoken: str) -> None:
    """A rate limit with a time says the time."""
    error = classify(429, {"retry-after": seconds}, b"", ROUTER)
    assert f"Wait {spoken}" in str(error)


def test_retry_after_is_read_where_it_means_something() -> None:
    """Together's answers carry it with status 200; it counts on 429 and 503 only."""
    headers = {"retry-after": "7"}
    assert classify(429, headers, b"", ROUTER).retry_after == 7
    for status in (301, 400, 402, 404):
        assert classify(status, headers, b"", ROUTER).retry_after is None
