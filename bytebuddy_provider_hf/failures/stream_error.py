"""An error inside a stream whose status was 200: what it says, and what it stands for.

TGI sends the headers before it looks at the request, so that even a refused parameter
arrives this way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bytebuddy_provider_hf import lenient_json
from bytebuddy_provider_hf.errors import StreamFailed
from bytebuddy_provider_hf.failures.body_text import MAX_BODY, error_message

# TGI's router/src/infer/mod.rs: the status the same error has without a stream.
_BY_TYPE: Final[Mapping[str, int]] = {
    "validation": 422,
    "template_error": 422,
    "missing_template_variable": 422,
    "tool_error": 422,
    "generation": 424,
    "overloaded": 429,
    "incomplete_generation": 500,
    "incomplete_generation_stream": 500,
    "stream_serialization_error": 500,
}
# From 2.4.1 TGI's OpenAI routes say 422 whatever the cause: the words tell more.
_BY_WORDS: Final[tuple[tuple[str, int], ...]] = (
    ("Input validation error", 422),
    ("Request failed during generation", 424),
    ("Model is overloaded", 429),
    ("Incomplete generation", 500),
)
_LONGEST_EVENT: Final = 2_000
_STATUSES: Final = range(400, 600)


def stream_failed(data: bytes, scrub: Callable[[str], str]) -> StreamFailed:
    """Return the error that an error event stands for.

    Its ``status`` is the one the answer would have had without a stream, where the
    event tells.
    """
    said = error_message(data)
    error = StreamFailed(
        f"The server reported an error inside the stream: {scrub(said)}.",
        status=_status(lenient_json.loads(data[:MAX_BODY]), said),
    )
    error.event = scrub(data[:MAX_BODY].decode("utf-8", "replace"))[:_LONGEST_EVENT]
    return error


def _status(value: object, said: str) -> int | None:
    found = value if isinstance(value, dict) else {}
    inner = found.get("error")
    told = inner if isinstance(inner, dict) else found
    kind = found.get("error_type")
    if isinstance(kind, str) and kind in _BY_TYPE:
        return _BY_TYPE[kind]
    for words, status in _BY_WORDS:
        if said.startswith(words):
            return status
    for key in ("http_status_code", "code", "status"):
        number = told.get(key)
        if isinstance(number, int) and number in _STATUSES:
            return number
    return None
