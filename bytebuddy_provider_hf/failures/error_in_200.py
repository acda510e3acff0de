"""Tell an error in an answer that came with status 200, whole or streamed.

Servers put it in many places: beside the choices, in one of them, in an event that has
nothing else, in the whole body. What stands in a known place of an answer is none; what
has no place and says something is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.errors import StreamFailed
from bytebuddy_provider_hf.failures.body_text import MAX_BODY, error_message, said_by
from bytebuddy_provider_hf.texts import text

# Members of which any makes an object an answer: OpenAI's, TGI's, llama.cpp's, those of
# embeddings, scores and tasks.
_ANSWERS: Final = (
    "choices",
    "usage",
    "token",
    "generated_text",
    "details",
    "content",
    "data",
    "results",
    "embedding",
    "embeddings",
    "score",
    "label",
    "labels",
    "answer",
)
_MOST_CHOICES: Final = 128
# Members in which only errors say something, and those that errors have beside others.
_SAYS_IT: Final = frozenset(
    {"message", "msg", "detail", "errors", "error_description", "error_msg"}
)
_CODES: Final = frozenset({"status", "code", "type", "status_code"})
# Such an object says that the server is at work.
SIGNS_OF_LIFE: Final = frozenset(
    {
        "heartbeat",
        "in_progress",
        "keep-alive",
        "keepalive",
        "pending",
        "ping",
        "processing",
        "progress",
        "queued",
    }
)


def error_in(value: object) -> Mapping[str, object] | None:
    """Return the error that a decoded answer or event reports; ``None`` if it is none.

    It is an object that holds the error in ``error``, or that is one. Servers put it
    into ``error`` (OpenAI, TGI, vLLM), ``choices[].error`` (genkit#6259),
    ``x_groq.error``, ``base_resp`` (MiniMax), or the object itself: as ``object:
    error`` (old vLLM, worker-vllm#57), or where it has no member of an answer and says
    something: ``{detail}``, ``{code, msg}``, ``{status, message}``.
    """
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return None
    if says_error(value.get("error")) or value.get("object") == "error":
        return value
    choices = value.get("choices")
    inside = choices[:_MOST_CHOICES] if isinstance(choices, list) else []
    for place in (value.get("x_groq"), *inside):
        found = place.get("error") if isinstance(place, dict) else None
        if says_error(found):
            return {"error": found}
    base = value.get("base_resp")
    if isinstance(base, dict) and base.get("status_code") not in (0, None):
        return {"error": base}
    # Counts that are all zero are no part of an answer.
    if any(says_error(value.get(name)) for name in _ANSWERS) or not said_by(value):
        return None
    # A title or a reason alone may be that of anything.
    if not (value.keys() & _SAYS_IT or value.keys() & _CODES):
        return None
    # What only tells that the server is at work says so of itself.
    kinds = (value.get("type"), value.get("status"), value.get("object"))
    lives = any(isinstance(k, str) and k.lower() in SIGNS_OF_LIFE for k in kinds)
    return None if lives else value


def says_error(value: object) -> bool:
    """Whether a member ``error`` holds one: not if it is empty, or empty all through.

    >>> says_error({"code": None, "message": ""}), says_error({"code": 500})
    (False, True)
    """
    if isinstance(value, Mapping):
        return any(map(says_error, value.values()))
    return bool(value)


def stream_failed(data: bytes) -> StreamFailed:
    """Return the error of an answer that reports one, what it says as it stands.

    Its ``event`` can be classified later, by who knows where it came from and can mask
    the secrets in it.
    """
    said = error_message(data) or text("failures.nothing_more")
    error = StreamFailed(text("failures.in_stream", said=said))
    error.event = data[:MAX_BODY].decode("utf-8", "replace")
    return error


def failed_by(found: Mapping[str, object]) -> StreamFailed:
    """Return the error of what :func:`error_in` found."""
    # Without the answer round it, which may be long: what is classified is bounded.
    return stream_failed(json.dumps(found).encode())
