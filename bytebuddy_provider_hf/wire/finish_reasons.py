"""Read why an answer ended: the server's word for it, in our terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.errors import StreamInterrupted
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import FinishReason

# The words as servers and providers send them, in lower case with underscores. vLLM's
# are in vllm/v1/engine/__init__.py, llama.cpp's in tools/server/server-task.h.
_KNOWN: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    # TGI's own reasons, on its OpenAI routes too before 2.3.
    "eos_token": "stop",
    "stop_sequence": "stop",
    # llama.cpp's own protocol.
    "eos": "stop",
    "word": "stop",
    # Anthropic's.
    "end_turn": "stop",
    # Cohere's.
    "complete": "stop",
    "length": "length",
    "limit": "length",
    "max_length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    # Mistral's, and that of z.ai and Anthropic.
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    # OpenAI's before it called functions tools.
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # Anthropic's.
    "refusal": "content_filter",
    # Google's, and z.ai's word for the first of them.
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "sensitive": "content_filter",
}
# Such an answer is not whole, however well its stream ends: vLLM, Mistral, z.ai,
# DeepSeek, OpenRouter, Google.
_FAULTS: Final = frozenset(
    {
        "abort",
        "aborted",
        "fail",
        "failed",
        "failure",
        "insufficient_system_resource",
        "interrupted",
        "malformed_function_call",
        "timeout",
        "unavailable",
    }
)


# Whatever else stands in such a word: engine_error, ERROR_LIMIT, USER_CANCEL.
_OF_A_FAULT: Final = ("error", "cancel")


def finish_reason(word: str) -> FinishReason | None:
    """Return a server's word in our terms, ``None`` where it is not known."""
    return _KNOWN.get(word) or _KNOWN.get(_plain(word))


def is_none_yet(word: str) -> bool:
    """Whether a word only says that the answer goes on."""
    return word not in _KNOWN and _plain(word) in ("", "none", "null")


def check_finish(word: str) -> None:
    """Raise ``StreamInterrupted`` for a word that names a fault."""
    plain = _plain(word)
    if plain in _FAULTS or any(part in plain for part in _OF_A_FAULT):
        raise interrupted(word)


def interrupted(word: str | None) -> StreamInterrupted:
    """Return the error of an answer that broke off, with the server's word for why."""
    if word is None:
        return StreamInterrupted(text("wire.stream_ended"))
    return StreamInterrupted(
        text("wire.broken_off_by_server", reason=repr(word[:64])),
        hint=text("wire.broken_off_hint"),
    )


def _plain(word: str) -> str:
    # Some write the name of a class before it: FinishReason.STOP. A stop at the end,
    # where a long word was cut, names no class.
    bare = word.strip()
    word = bare.rpartition(".")[2] or bare
    return word.lower().replace("-", "_").replace(" ", "_")
