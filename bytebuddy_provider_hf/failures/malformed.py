"""Make the error of an answer that came with status 200 and cannot be used."""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf import lenient_json
from bytebuddy_provider_hf.errors import (
    MalformedResponse,
    StreamFailed,
)
from bytebuddy_provider_hf.failures.error_in_200 import error_in, failed_by
from bytebuddy_provider_hf.texts import text

# Members of which any shows an API of models: OpenAI's, Cohere's, TGI's, the tasks'.
_OF_AN_API: Final = frozenset(
    {"data", "results", "embedding", "embeddings", "scores", "model", "usage", "object"}
)
# A vector is no deeper: an object's list of objects, each with a list of lists.
_DEEPEST: Final = 6
_SHOWN: Final = 160
_MOST_READ: Final = 256 * 1024
# How a number that is missing is written.
_NULLS: Final = (b"NaN", b"null")


def malformed(data: bytes, wanted: str) -> StreamFailed | MalformedResponse:
    """Return the error for a whole answer that holds no ``wanted``.

    That is the error it reports, where it does; only then it is quoted at length,
    because anything else may be a megabyte of numbers.
    """
    value: object = None
    holds_null = False
    if len(data) <= _MOST_READ:
        value = lenient_json.loads(data, most=_MOST_READ)
        holds_null = _holds_null(value, 0)
    else:
        # A large batch is not decoded once more to find out what is missing.
        holds_null = any(mark in data for mark in _NULLS)
    found = error_in(value)
    if found is not None:
        return failed_by(found)
    shown = data[:_SHOWN].decode("utf-8", "replace") or text("failures.empty_body")
    if holds_null:
        return MalformedResponse(
            text("failures.holds_null", wanted=wanted, shown=shown),
            hint=text("failures.holds_null_hint"),
        )
    # The address is to blame only where nothing of an API was seen.
    seen = _OF_AN_API & value.keys() if isinstance(value, dict) else value
    return MalformedResponse(
        text("failures.holds_no", wanted=wanted, shown=shown),
        hint=text("failures.check_model")
        if seen and isinstance(value, dict | list)
        else text("failures.check_task_address"),
    )


def _holds_null(value: object, nesting: int) -> bool:
    """Whether numbers of an answer are missing: NaN, which JSON does not have."""
    if nesting > _DEEPEST:
        return False
    if isinstance(value, dict):
        return any(
            _holds_null(each, nesting + 1)
            for each in value.values()
            if isinstance(each, list)
        )
    if not isinstance(value, list):
        return False
    if None in value:
        return all(each is None or isinstance(each, int | float) for each in value)
    inner = (each for each in value if isinstance(each, dict | list))
    return any(_holds_null(each, nesting + 1) for each in inner)
