"""Any status, headers and bytes become one error class: total, never raising."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf import errors, lenient_json
from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.failures import error_details, next_steps, retry_after
from bytebuddy_provider_hf.failures.body_text import MAX_BODY, error_message
from bytebuddy_provider_hf.failures.error_rules import ErrorResponse, error_class

# Together's good answers carry Retry-After too: elsewhere it means nothing.
_HINTED: Final = frozenset({408, 429, 500, 502, 503, 504})
_VERDICTS: Final = {"true": True, "false": False}
_LONGEST_SHOWN: Final = 2_000

# What TGI and TEI call their errors, by the start of the sentence or by the type;
# TGI's chat stream says 422 whatever the cause (infer/mod.rs, into_openai_event).
_EVENT_STATUS: Final[tuple[tuple[re.Pattern[str], int], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), status)
    for pattern, status in (
        (r"overloaded", 429),
        (r"incomplete.generation|stream.serialization", 500),
        (r"^request failed during generation|\b(generation|backend)$", 424),
        (r"^(input validation|template|tool) error|\b(validation|tokenizer)$", 422),
    )
)

_LEADS: Final[Mapping[type[errors.APIError], str]] = {
    errors.TokenMissing: "A token is needed",
    errors.AuthenticationFailed: "The token was refused",
    errors.QuotaExhausted: "The account's credits are used up",
    errors.PermissionDenied: "Access was refused",
    errors.MissingPermission: "The token lacks a permission",
    errors.GatedModel: "The model is gated",
    errors.AccessPending: "Access was not granted yet",
    errors.OrganizationPolicy: "The organization must approve the token",
    errors.TokenRevoked: "The organization revoked the token",
    errors.ProOnly: "The model is for subscribers",
    errors.ModelDisabled: "The model was disabled",
    errors.ModelNotFound: "There is no such model",
    errors.WrongServedModel: "The server serves another model",
    errors.RouteNotFound: "There is no such route or model",
    errors.ModelNotSupported: "No enabled provider serves this model",
    errors.RouteNotSupported: "The model is not served at this route",
    errors.ModelTooLarge: "The model is too large for this service",
    errors.EndpointPaused: "The endpoint is paused",
    errors.InputRefused: "The server cannot use this input",
    errors.ServiceRetired: "This service was shut down",
    errors.RequestTooLarge: "The request is too large",
    errors.BatchTooLarge: "Too many texts at once",
    errors.ContextTooLong: "The model's window is too small for this",
    errors.ParameterRefused: "The server refuses a parameter",
    errors.StreamingNotSupported: "This model cannot stream",
    errors.BodyRefused: "The server expects another kind of request",
    errors.TemplateMissing: "The model has no chat template",
    errors.TemplateFailed: "The model's chat template refuses the messages",
    errors.ToolsRefused: "The server cannot use tools so",
    errors.ImagesNotSupported: "The model takes no images",
    errors.RateLimited: "Too many requests",
    errors.ModelOverloaded: "The model's queue is full",
    errors.GenerationFailed: "The model's worker failed",
    errors.OutOfMemory: "The model's GPU ran out of memory",
    errors.OutputRejected: "The server could not read its model's answer",
    errors.Redirected: "The address has moved",
    errors.ModelLoading: "The model is still loading",
    errors.ServerOverloaded: "The server is overloaded",
    errors.ServerUnhealthy: "The server is not well",
    errors.ServerBusy: "The model was too busy to answer",
    errors.PipelineFailed: "The model's own code failed",
    errors.GenerationIncomplete: "The answer broke off in the server",
    errors.BadGateway: "The gateway reached no server",
    errors.GatewayTimeout: "The gateway gave up waiting for the model",
    errors.ServerError: "The server failed",
    errors.APIError: "The server refused the request",
}


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
    *,
    token_sent: bool = True,
    token_source: str | None = None,
) -> errors.APIError:
    """Return the error that an answer stands for. Header names are lower case.

    ``token_source`` names the variable or file that held the token that was sent.
    """
    answer = ErrorResponse(
        status=status,
        said=error_message(body),
        target=target,
        found=_object(body),
        headers=headers,
        token_sent=token_sent,
    )
    error = _error(answer, body, token_source)
    error.request_id = headers.get("x-request-id")
    error.should_retry = _VERDICTS.get(headers.get("x-should-retry", "").lower())
    return error


def classify_event(
    data: bytes, target: Target, *, token_source: str | None = None
) -> errors.APIError | None:
    """Return the error that an event of a stream stands for, ``None`` if it is none.

    ``data`` is the event's data. The stream's own status was 200: ``status`` is the
    one the server would have given, or ``None`` where it cannot be told.
    """
    found = _object(data)
    if not _is_error(found, data):
        return None
    answer = ErrorResponse(
        status=None,
        said=error_message(data),
        target=target,
        found=found,
        in_stream=True,
    )
    answer = evolve(answer, status=_event_status(answer))
    return _error(answer, data, token_source)


def _error(
    answer: ErrorResponse, body: bytes, token_source: str | None
) -> errors.APIError:
    kind = error_class(answer)
    waits = answer.status in _HINTED
    error = kind(
        _sentence(kind, answer),
        status=answer.status,
        retry_after=retry_after.requested_wait(answer.headers) if waits else None,
        body=body[:_LONGEST_SHOWN].decode("utf-8", "replace"),
    )
    error.endpoint = _host(answer.target)
    error.model = error_details.model_named(answer.said) or answer.target.model
    error.found_in = token_source
    if isinstance(error, errors.ModelLoading):
        error.estimate = retry_after.loading_estimate(
            answer.found.get("estimated_time")
        )
        error.asleep = answer.target.host_kind is HostKind.ENDPOINT
    error_details.set_details(error, answer.said, answer.found, answer.headers)
    error.hint = next_steps.next_step(error)
    return error


def _object(body: bytes) -> Mapping[str, object]:
    value = lenient_json.loads(body[:MAX_BODY])
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _is_error(found: Mapping[str, object], data: bytes) -> bool:
    if not found:
        # transformers serve writes the message unescaped, so it may be no JSON.
        return data[:64].lstrip().startswith(b'{"error"')
    if found.get("error"):
        return True
    if "choices" in found or "token" in found:
        return False
    if found.get("object") == "error" or found.get("detail"):
        return True
    return bool(found.get("message")) and isinstance(found.get("code"), int)


def _event_status(answer: ErrorResponse) -> int | None:
    words = answer.words
    for pattern, status in _EVENT_STATUS:
        if pattern.search(words):
            return status
    inner = answer.found.get("error")
    for place in (inner, answer.found):
        if not isinstance(place, dict):
            continue
        for key in ("http_status_code", "code", "status"):
            value = place.get(key)
            if isinstance(value, int) and 400 <= value < 600:  # noqa: PLR2004 - HTTP's errors
                return value
    return None


def _sentence(kind: type[errors.APIError], answer: ErrorResponse) -> str:
    lead = next(_LEADS[base] for base in kind.__mro__ if base in _LEADS)
    where = _host(answer.target)
    shown = where if answer.status is None else f"{where}, {answer.status}"
    said = answer.said.rstrip(". ")
    return f"{lead} ({shown})" + (f": {said}." if said else ".")


def _host(target: Target) -> str:
    return target.origin.split("://", 1)[1]
