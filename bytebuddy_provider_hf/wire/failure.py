"""Any status, headers and bytes become one error class: total, never raising.

The wordings recognised here are those of wire bodies seen in public: see the table in
``tests/wire/test_failure.py``, each row with its origin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.wire import decode, hints
from bytebuddy_provider_hf.wire.message import MAX_BODY, error_message
from bytebuddy_provider_hf.wire.target import Place, Target

_BY_STATUS: Final[Mapping[int, type[errors.APIError]]] = {
    401: errors.AuthenticationFailed,
    402: errors.QuotaExhausted,
    403: errors.PermissionDenied,
    404: errors.ModelNotFound,
    410: errors.ServiceRetired,
    413: errors.RequestTooLarge,
    422: errors.UnprocessableRequest,
    424: errors.GenerationFailed,
    429: errors.RateLimited,
    504: errors.GatewayTimeout,
}

_BY_CLASS: Final[Mapping[int, type[errors.APIError]]] = {
    4: errors.BadRequest,
    5: errors.ServerError,
}

_LOADING: Final = re.compile(r"\bloading\b", re.IGNORECASE)
_OVERLOADED: Final = re.compile(r"overloaded", re.IGNORECASE)

# What a sentence says beats its status: first match wins.
_BY_WORDS: Final[tuple[tuple[int, re.Pattern[str], type[errors.APIError]], ...]] = (
    (
        400,
        re.compile(r"endpoint is paused|invalid state", re.IGNORECASE),
        errors.EndpointPaused,
    ),
    (
        400,
        re.compile(r"token seems invalid|^invalid token", re.IGNORECASE),
        errors.AuthenticationFailed,
    ),
    (
        400,
        re.compile(
            r"not supported by (any )?provider|model_not_supported", re.IGNORECASE
        ),
        errors.ModelNotSupported,
    ),
    (
        403,
        re.compile(r"sufficient permissions", re.IGNORECASE),
        errors.MissingPermission,
    ),
    (
        403,
        re.compile(r"restricted|gated repositories|awaiting a review", re.IGNORECASE),
        errors.GatedModel,
    ),
    (
        401,
        re.compile(r"access to model .* is restricted", re.IGNORECASE),
        errors.GatedModel,
    ),
    (503, _OVERLOADED, errors.ServerOverloaded),
    (429, re.compile(r"credits", re.IGNORECASE), errors.QuotaExhausted),
)

_LEADS: Final[Mapping[type[errors.APIError], str]] = {
    errors.AuthenticationFailed: "The token was refused",
    errors.QuotaExhausted: "The account's credits are used up",
    errors.PermissionDenied: "Access was refused",
    errors.MissingPermission: "The token lacks a permission",
    errors.GatedModel: "The model is gated",
    errors.ModelNotFound: "There is no such model or route",
    errors.ModelNotSupported: "No enabled provider serves this model",
    errors.EndpointPaused: "The endpoint is paused",
    errors.ServiceRetired: "This service was shut down",
    errors.RateLimited: "Too many requests",
    errors.ModelLoading: "The model is still loading",
    errors.ServerOverloaded: "The server is overloaded",
    errors.GatewayTimeout: "The gateway gave up waiting for the model",
}

_HINTS: Final[Mapping[type[errors.APIError], str]] = {
    errors.AuthenticationFailed: "Check the token, or make a new one with "
    "`bytebuddy-hf login`.",
    errors.QuotaExhausted: "Buy credits or subscribe at "
    "https://huggingface.co/settings/billing, or use an endpoint of your own.",
    errors.MissingPermission: "Make a token with 'Make calls to Inference Providers': "
    "`bytebuddy-hf login` prints the link.",
    errors.GatedModel: "Accept the model's licence on its page at "
    "https://huggingface.co, with the account of this token.",
    errors.ModelNotFound: "Check the model id and apiBase.",
    errors.ModelNotSupported: "Check the id, choose a model that is served, or enable "
    "a provider at https://huggingface.co/settings/inference-providers.",
    errors.EndpointPaused: "Resume it at https://endpoints.huggingface.co.",
    errors.ServiceRetired: "Remove apiBase from the entry to use the router.",
    errors.RateLimited: "Wait, or send fewer requests at once (maxConcurrency).",
    errors.GatewayTimeout: "Stream the answer, or ask for fewer tokens.",
}


def classify(
    status: int, headers: Mapping[str, str], body: bytes, target: Target
) -> errors.APIError:
    """Return the error that an answer stands for. Header names are lower case."""
    said = error_message(body)
    value = decode.loads(body[:MAX_BODY])
    found = value if isinstance(value, dict) else {}
    kind = _kind(status, said, found, target)
    error = kind(
        _sentence(kind, status, said, target),
        status=status,
        retry_after=hints.retry_after(headers) if status in (429, 503) else None,
        hint=_HINTS.get(kind),
        body=body[:2_000].decode("utf-8", "replace"),
        request_id=headers.get("x-request-id"),
    )
    if isinstance(error, errors.ModelLoading):
        error.estimate = hints.estimate(found.get("estimated_time"))
        error.asleep = target.place is Place.ENDPOINT
    return error


def _kind(
    status: int, said: str, found: Mapping[str, object], target: Target
) -> type[errors.APIError]:
    if _cold(status, said, found, target):
        return errors.ModelLoading
    words = f"{said} {_code(found)}"
    for known, pattern, kind in _BY_WORDS:
        if known == status and pattern.search(words):
            return kind
    return _BY_STATUS.get(status) or _BY_CLASS.get(
        status // 100, errors.UnexpectedStatus
    )


def _cold(status: int, said: str, found: Mapping[str, object], target: Target) -> bool:
    """Whether the model is not ready yet but will be (architecture: rules of waiting).

    A 503 that says loading or carries an estimate; any 502 or 503 of a dedicated
    endpoint's host, unless it says overloaded.
    """
    if status == 503 and _OVERLOADED.search(said):  # noqa: PLR2004
        return False
    if target.place is Place.ENDPOINT and status in (502, 503):
        return True
    if status != 503 or not found:  # noqa: PLR2004
        return False
    timed = hints.estimate(found.get("estimated_time")) is not None
    return timed or _LOADING.search(said) is not None


def _code(found: Mapping[str, object]) -> object:
    error = found.get("error")
    return error.get("code") if isinstance(error, dict) else None


def _sentence(
    kind: type[errors.APIError], status: int, said: str, target: Target
) -> str:
    lead = _LEADS.get(kind, "The server refused the request")
    if status >= 500 and kind not in _LEADS:  # noqa: PLR2004
        lead = "The server failed"
    where = target.origin.split("://", 1)[1]
    return f"{lead} ({where}, {status})" + (f": {said.rstrip('. ')}." if said else ".")
