"""What a simulated TGI refuses, in TGI's words.

The wordings are those of router/src/validation.rs and of axum's extractors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from attrs import frozen

from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.failures import text_error
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest


@frozen
class Limits:
    """The limits of one server, in tokens and texts."""

    input_tokens: int = 1024
    total_tokens: int = 2048
    stops: int = 4


def unreadable(request: FakeRequest, needed: str, *, nulls: bool) -> FakeReply | None:
    """Return axum's plain refusal of a body of the wrong form, if it is one.

    ``nulls``: members that may be absent may be null too, ``stream_options`` and the
    like; the members of ``parameters`` that may not are always checked.
    """
    if "json" not in request.headers.get("content-type", "application/json"):
        text = "Expected request with `Content-Type: application/json`"
        return text_error(415, text)
    body = request.json
    if body is None:
        text = "Failed to parse the request body as JSON: expected value"
        return text_error(400, f"{text} at line 1 column 1")
    if not isinstance(body, dict) or needed not in body:
        return _mistyped(request, f"missing field `{needed}`")
    where = body.get("parameters", {}) if needed == "inputs" else body
    faults = chain(
        _wrong_form(body, needed, nulls=nulls),
        _wrong_parameters(where, own=needed == "inputs"),
    )
    fault = next(faults, None)
    return None if fault is None else _mistyped(request, fault)


def _mistyped(request: FakeRequest, fault: str) -> FakeReply:
    text = "Failed to deserialize the JSON body into the target type"
    return text_error(422, f"{text}: {fault} at line 1 column {len(request.body)}")


def _wrong_form(
    body: Mapping[str, object], needed: str, *, nulls: bool
) -> Iterator[str]:
    expected = {"inputs": str, "messages": list, "prompt": str | list}[needed]
    if not isinstance(body[needed], expected):
        yield f"{needed}: invalid type: {_kind(body[needed])}, expected a {needed}"
    parameters = body.get("parameters", {})
    if not isinstance(parameters, dict) and needed == "inputs":
        yield f"parameters: invalid type: {_kind(parameters)}, expected a map"
    for name in () if nulls else ("stream", "stream_options"):
        if name in body and body[name] is None:
            yield f"{name}: invalid type: null, expected a value"


def _wrong_parameters(where: Mapping[str, object], *, own: bool) -> Iterator[str]:
    stop = where.get("stop", [])
    # Only TGI's own parameters refuse a null here.
    if not isinstance(stop, list) and (own or stop is not None):
        yield f"stop: invalid type: {_kind(stop)}, expected a sequence"
    for name in ("do_sample", "watermark", "details", "decoder_input_details"):
        if own and not isinstance(where.get(name, False), bool):
            yield f"{name}: invalid type: {_kind(where[name])}, expected a boolean"
    for name, most in (
        ("seed", 2**64),
        ("max_new_tokens", 2**32),
        ("max_tokens", 2**32),
    ):
        value = where.get(name)
        if value is not None and (not isinstance(value, int) or not 0 <= value < most):
            yield f"{name}: invalid value: `{value}`, expected an unsigned integer"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = {dict: "map", list: "sequence", str: "string", bool: "boolean"}
    return kinds.get(type(value), "number")


def invalid(
    inputs: str,
    parameters: Mapping[str, object],
    limits: Limits,
    *,
    length: int,
    count: int,
) -> str | None:
    """Return what TGI's validation says about a generation, if it refuses it.

    ``length`` is how many tokens are asked for, ``count`` those of ``inputs``.
    """
    said = _out_of_range(parameters)
    stops = parameters.get("stop")
    given = len(stops) if isinstance(stops, list) else 0
    if said is None and given > limits.stops:
        said = f"`stop` supports up to {limits.stops} stop sequences. Given: {given}"
    elif said is None and not inputs:
        said = "`inputs` cannot be empty"
    elif said is None and count >= limits.input_tokens:
        said = f"`inputs` must have less than {limits.input_tokens} tokens."
        said += f" Given: {count}"
    elif said is None and count + length > limits.total_tokens:
        said = (
            f"`inputs` tokens + `max_new_tokens` must be <= {limits.total_tokens}."
            f" Given: {count} `inputs` tokens and {length} `max_new_tokens`"
        )
    return None if said is None else f"Input validation error: {said}"


def _out_of_range(parameters: Mapping[str, object]) -> str | None:
    number = {
        name: value
        for name, value in parameters.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    for name in ("temperature", "repetition_penalty", "top_k", "max_new_tokens"):
        if number.get(name, 1) <= 0:
            return f"`{name}` must be strictly positive"
    for name in ("top_p", "typical_p"):
        if not 0 < number.get(name, 0.5) < 1:
            return f"`{name}` must be > 0.0 and < 1.0"
    if not -2 <= number.get("frequency_penalty", 0) <= 2:
        return "`frequency_penalty` must be >= -2.0 and <= 2.0"
    return None


def listed(tokens: Iterable[str], *, chat: bool) -> FakeReply:
    """Return the answer of ``/tokenize``, or of ``/chat_tokenize``."""
    pieces = list(tokens)
    found = [{"id": len(piece), "text": piece} for piece in pieces]
    if not chat:
        return json_reply(found)
    text = "".join(pieces)
    return json_reply({"tokenize_response": found, "templated_text": text})
