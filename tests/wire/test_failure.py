"""Every answer that is an error gives the class that says what it means.

The bodies are those of Hugging Face's services and of the servers behind them, as
quoted in public issues and recorded by public test suites.
"""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.wire.failure import classify
from bytebuddy_provider_hf.wire.hints import estimate, retry_after
from bytebuddy_provider_hf.wire.message import error_message
from bytebuddy_provider_hf.wire.target import Target, resolve

ROUTER = resolve("org/name")
ENDPOINT = resolve("org/name", "https://x.endpoints.huggingface.cloud")
LOCAL = resolve("name", "http://127.0.0.1:8080")

TABLE: list[tuple[int, str, Target, type[errors.APIError]]] = [
    # huggingface_hub issue 2507
    (
        400,
        '{"error":"Authorization header is correct, but the token seems invalid"}',
        ROUTER,
        errors.AuthenticationFailed,
    ),
    # api-inference-community issue 38
    (400, '{"error":"invalid token"}', ROUTER, errors.AuthenticationFailed),
    # cline issue 5098
    (
        400,
        (
            '{"error":{"message":"The requested model \'o/n\' is not supported by any '
            'provider you have enabled.","type":"invalid_request_error",'
            '"param":"model","code":"model_not_supported"}}'
        ),
        ROUTER,
        errors.ModelNotSupported,
    ),
    (
        400,
        '{"error":{"message":"no","code":"model_not_supported"}}',
        ROUTER,
        errors.ModelNotSupported,
    ),
    (
        400,
        '{"error":"Model not supported by provider hf-inference"}',
        ROUTER,
        errors.ModelNotSupported,
    ),
    # measured on a paused endpoint, October 2026; the second wording is of 2024
    (
        400,
        (
            '{"error":"Bad Request: The endpoint is paused, ask a maintainer to '
            "restart "
            'it","code":"BAD_REQUEST"}'
        ),
        ENDPOINT,
        errors.EndpointPaused,
    ),
    (400, '{"error":"Bad Request: Invalid state"}', ENDPOINT, errors.EndpointPaused),
    (400, '{"error":["Error in `stream`: not supported"]}', ROUTER, errors.BadRequest),
    (
        401,
        '{"error":"Invalid username or password."}',
        ROUTER,
        errors.AuthenticationFailed,
    ),
    (401, "", LOCAL, errors.AuthenticationFailed),
    (401, '{"error":"401 Unauthorized"}', ENDPOINT, errors.AuthenticationFailed),
    (
        401,
        (
            "Access to model a/b is restricted. You must have access to it and be "
            "authenticated to access it. Please log in."
        ),
        ROUTER,
        errors.GatedModel,
    ),
    (
        402,
        '{"error":"You have depleted your monthly included credits."}',
        ROUTER,
        errors.QuotaExhausted,
    ),
    # agents-course issue 558
    (
        403,
        (
            '{"error":"This authentication method does not have sufficient '
            "permissions to "
            'call Inference Providers on behalf of user NAME"}'
        ),
        ROUTER,
        errors.MissingPermission,
    ),
    (
        403,
        (
            "Access to model a/b is restricted and you are not in the authorized list. "
            "Visit https://huggingface.co/a/b to ask for access."
        ),
        ROUTER,
        errors.GatedModel,
    ),
    (
        403,
        '{"error":"The model is too large to be loaded"}',
        ROUTER,
        errors.PermissionDenied,
    ),
    (404, "Not Found", ROUTER, errors.ModelNotFound),
    (404, '{"detail":"Not Found"}', LOCAL, errors.ModelNotFound),
    (
        410,
        '{"error":"https://api-inference.huggingface.co is no longer supported."}',
        ROUTER,
        errors.ServiceRetired,
    ),
    (413, "", LOCAL, errors.RequestTooLarge),
    (
        422,
        (
            '{"error":"Input validation error: `top_p` must be > 0.0 and < 1.0",'
            '"error_type":"validation"}'
        ),
        LOCAL,
        errors.UnprocessableRequest,
    ),
    (
        424,
        '{"error":"Request failed during generation","error_type":"generation"}',
        LOCAL,
        errors.GenerationFailed,
    ),
    (429, '{"error":"Rate limit reached."}', ROUTER, errors.RateLimited),
    (
        429,
        '{"error":"Model is overloaded","error_type":"overloaded"}',
        LOCAL,
        errors.RateLimited,
    ),
    (429, '{"error":"insufficient credits"}', ROUTER, errors.QuotaExhausted),
    (500, '{"error":"unknown error","warnings":["x"]}', ROUTER, errors.ServerError),
    (502, "<html><title>502 Bad Gateway</title></html>", ROUTER, errors.ServerError),
    (502, "<html>502</html>", ENDPOINT, errors.ModelLoading),
    (
        503,
        '{"error":"503 Service Unavailable","code":"SERVICE_UNAVAILABLE"}',
        ENDPOINT,
        errors.ModelLoading,
    ),
    (
        503,
        '{"error":"Model a/b is currently loading","estimated_time":20.0}',
        ROUTER,
        errors.ModelLoading,
    ),
    (
        503,
        '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}',
        LOCAL,
        errors.ModelLoading,
    ),
    (503, '{"error":"wait","estimated_time":3}', ROUTER, errors.ModelLoading),
    (503, '{"error":"overloaded"}', ROUTER, errors.ServerOverloaded),
    (
        503,
        '{"error":"overloaded","estimated_time":20}',
        ROUTER,
        errors.ServerOverloaded,
    ),
    (503, '{"error":"Service Unavailable"}', ROUTER, errors.ServerError),
    (503, "<html>maintenance</html>", ROUTER, errors.ServerError),
    (503, "", ROUTER, errors.ServerError),
    (
        504,
        "<html><title>504 Gateway Time-out</title></html>",
        ROUTER,
        errors.GatewayTimeout,
    ),
    (418, "", ROUTER, errors.BadRequest),
    (302, "", ROUTER, errors.UnexpectedStatus),
    (204, "", ROUTER, errors.UnexpectedStatus),
    (101, "", ROUTER, errors.UnexpectedStatus),
]


@pytest.mark.parametrize(("status", "body", "target", "kind"), TABLE)
def test_an_answer_gives_its_class(
    status: int, body: str, target: Target, kind: type[errors.APIError]
) -> None:
    """One class each, carrying the status, the words and one line of text."""
    error = classify(status, {"x-request-id": "r1"}, body.encode(), target)
    assert type(error) is kind
    assert (error.status, error.request_id) == (status, "r1")
    assert "\n" not in str(error)


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


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_gives_one_class(status: int, body: bytes) -> None:
    """Any status and any bytes: one typed error, no exception."""
    for target in (ROUTER, ENDPOINT, LOCAL):
        error = classify(status, {}, body, target)
        assert isinstance(error, errors.APIError)


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
    found = estimate(value)
    assert found is None or 0 < found < math.inf


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


def test_retry_after_is_read_where_it_means_something() -> None:
    """Together's answers carry it with status 200; it counts on 429 and 503 only."""
    headers = {"retry-after": "7"}
    assert classify(429, headers, b"", ROUTER).retry_after == 7
    assert classify(400, headers, b"", ROUTER).retry_after is None
