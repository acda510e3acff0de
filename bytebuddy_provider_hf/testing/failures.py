"""Play answers that are errors, in the shapes that servers have been seen to send.

The wordings are those quoted in public issues and recorded by public test suites.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from bytebuddy_provider_hf.testing.answers import MODEL, event_stream, json_reply
from bytebuddy_provider_hf.testing.script import FakeReply

Headers: TypeAlias = Mapping[str, str] | None


def string_error(
    status: int, message: str, *, error_type: str | None = None, headers: Headers = None
) -> FakeReply:
    """``{"error": "…"}``, with ``error_type`` as TGI adds it."""
    body = {"error": message}
    if error_type is not None:
        body["error_type"] = error_type
    return json_reply(body, status=status, headers=headers)


def list_error(
    status: int, messages: Sequence[str], *, warnings: Sequence[str] = ()
) -> FakeReply:
    """``{"error": ["…"]}``: how the pipelines report validation."""
    body: dict[str, object] = {"error": list(messages)}
    # api-inference-community says what a model does not use in both places.
    if warnings:
        body["warnings"] = list(warnings)
    return json_reply(body, status=status)


def object_error(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    code: str | int | None = None,
) -> FakeReply:
    """``{"error": {"message", "type", "param", "code"}}``: OpenAI's shape."""
    inner = {"message": message, "type": kind, "param": param, "code": code}
    return json_reply({"error": inner}, status=status)


def message_error(status: int, message: str) -> FakeReply:
    """``{"message": "…", "code", "type"}``: TEI's shape, no ``error`` key at all."""
    body = {"message": message, "code": status, "type": "Validation"}
    return json_reply(body, status=status)


def detail_error(status: int, message: str) -> FakeReply:
    """``{"detail": "…"}``: FastAPI's shape."""
    return json_reply({"detail": message}, status=status)


def detail_list_error(status: int, message: str, *, field: str = "stop") -> FakeReply:
    """``{"detail": [{"loc", "msg", "type"}]}``: a validation error of FastAPI."""
    item = {"loc": ["body", field], "msg": message, "type": "value_error"}
    return json_reply({"detail": [item]}, status=status)


def flat_error(status: int, message: str) -> FakeReply:
    """``{"object": "error", "message", "type", …}``: older vLLM."""
    body = {
        "object": "error",
        "message": message,
        "type": "BadRequestError",
        "param": None,
        "code": status,
    }
    return json_reply(body, status=status)


def problem_error(status: int, message: str) -> FakeReply:
    """``application/problem+json`` (RFC 7807)."""
    body = {"title": "Error", "detail": message, "status": status}
    headers = {"content-type": "application/problem+json"}
    return json_reply(body, status=status, headers=headers)


def text_error(status: int, message: str) -> FakeReply:
    """``text/plain``."""
    headers = {"content-type": "text/plain; charset=utf-8"}
    return FakeReply(status=status, headers=headers, body=message.encode())


def html_error(status: int, message: str) -> FakeReply:
    """Make the page of a gateway."""
    page = f"<html><head><title>{message}</title></head><body>{message}</body></html>"
    headers = {"content-type": "text/html"}
    return FakeReply(status=status, headers=headers, body=page.encode())


def empty_error(status: int) -> FakeReply:
    """Answer with a status and nothing else."""
    return FakeReply(status=status)


def every_shape(status: int, message: str) -> dict[str, FakeReply]:
    """Return one reply of each shape, by the name of the shape."""
    return {
        "string": string_error(status, message),
        "list": list_error(status, [message]),
        "object": object_error(status, message),
        "message": message_error(status, message),
        "detail": detail_error(status, message),
        "detail list": detail_list_error(status, message),
        "flat": flat_error(status, message),
        "problem": problem_error(status, message),
        "text": text_error(status, message),
        "html": html_error(status, message),
        "empty": empty_error(status),
    }


# What a loading server writes as its estimate, from the seconds that are left.
Estimate: TypeAlias = Callable[[float], object]
_OMITTED: Final = object()


def constant(value: object = 20.0) -> Estimate:
    """Write the same value at every probe, whatever is left."""
    return lambda _left: value


def countdown(left: float) -> object:
    """Tell the truth."""
    return left


def omitted(_left: float) -> object:
    """Leave the estimate out."""
    return _OMITTED


ESTIMATES: Final[Mapping[str, Estimate]] = {
    "constant": constant(),
    "countdown": countdown,
    "missing": omitted,
    "null": constant(None),
    # Python's json writes these two although JSON has neither.
    "nan": constant(math.nan),
    "infinite": constant(math.inf),
    "text": constant("20 seconds"),
    "negative": constant(-1.0),
    "bool": constant(value=True),
}


def loading(
    left: float = 20.0, *, model: str = MODEL, estimate: Estimate = countdown
) -> FakeReply:
    """503 of a model being loaded; no Retry-After, as none was ever recorded."""
    body: dict[str, object] = {"error": f"Model {model} is currently loading"}
    written = estimate(left)
    if written is not _OMITTED:
        body["estimated_time"] = written
    return json_reply(body, status=503)


def loading_llama() -> FakeReply:
    """503 of llama.cpp while it loads."""
    return object_error(503, "Loading model", kind="unavailable_error", code=503)


def overloaded() -> FakeReply:
    """503 of a server whose queue is full; it is not cold."""
    return string_error(503, "overloaded")


def asleep() -> FakeReply:
    """503 of a dedicated endpoint that scaled to zero; the request wakes it."""
    body = {"error": "503 Service Unavailable", "code": "SERVICE_UNAVAILABLE"}
    return json_reply(body, status=503)


def paused() -> FakeReply:
    """400 of a dedicated endpoint that somebody paused."""
    message = "Bad Request: The endpoint is paused, ask a maintainer to restart it"
    return json_reply({"error": message, "code": "BAD_REQUEST"}, status=400)


def rate_limited(
    *, retry_after: float | str | None = None, reset: int | None = None
) -> FakeReply:
    """429; ``retry_after`` and ``reset`` are the hints, seconds, where given.

    ``reset`` is written as the draft's ``RateLimit`` and ``RateLimit-Policy``.
    """
    headers: dict[str, str] = {}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    if reset is not None:
        # In the form of version 8 of the draft and later, as huggingface.co sends it.
        headers["ratelimit"] = f'"api";r=0;t={reset}'
        headers["ratelimit-policy"] = '"fixed window";"api";q=500;w=300'
    text = "Rate limit reached. Please log in or use a HF access token"
    return string_error(429, text, headers=headers)


def unauthorized() -> FakeReply:
    """401 of the Hub and the router for a bad token, or none."""
    text = "Invalid username or password."
    # The Hub repeats its sentence in a header.
    return string_error(401, text, headers={"x-error-message": text})


def unauthorized_endpoint() -> FakeReply:
    """401 of a dedicated endpoint."""
    body = {"error": "401 Unauthorized", "code": "UNAUTHORIZED"}
    return json_reply(body, status=401)


def quota_exhausted() -> FakeReply:
    """402: the credits are used up."""
    text = (
        "You have depleted your monthly included credits. Purchase pre-paid credits"
        " to continue using Inference Providers. Alternatively, subscribe to PRO to"
        " get 20x more included usage."
    )
    return string_error(402, text)


def gated(model: str = MODEL) -> FakeReply:
    """403: the licence of the model was not accepted."""
    text = (
        f"Access to model {model} is restricted and you are not in the authorized"
        f" list. Visit https://huggingface.co/{model} to ask for access."
    )
    # The code is the Hub's own verdict, whatever the sentence says.
    return text_error(403, text).with_headers({"x-error-code": "GatedRepo"})


def not_supported(model: str = MODEL) -> FakeReply:
    """400 of the router: no enabled provider serves the model."""
    text = (
        f"The requested model '{model}' is not supported by any provider you have"
        " enabled."
    )
    return object_error(400, text, param="model", code="model_not_supported")


def not_found() -> FakeReply:
    """404 of the router: plain text."""
    return text_error(404, "Not Found")


def gone() -> FakeReply:
    """410 of the host that was shut down."""
    text = (
        "https://api-inference.huggingface.co is no longer supported. Please use"
        " https://router.huggingface.co instead."
    )
    return string_error(410, text)


def error_in_stream(*before: object) -> FakeReply:
    """Make TGI's 200 stream that ends in an error event, then ``[DONE]``."""
    # 422 whatever the cause, on TGI's OpenAI routes from 2.4.1 on.
    error = {"message": "Input validation error", "http_status_code": 422}
    return event_stream([*before, {"error": error}])
