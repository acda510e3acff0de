"""Answers and events of TGI's own protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from bytebuddy_provider_hf.lenient_json import (
    lenient_integer,
    lenient_list,
    lenient_map,
    lenient_text,
    loads,
)
from bytebuddy_provider_hf.types import TokenLogprob
from bytebuddy_provider_hf.wire.floats import number


class Token(msgspec.Struct):
    """One token; a special one is a mark, not text."""

    text: str | None = None
    special: bool = False
    logprob: float | None = None


class GenerationDetails(msgspec.Struct):
    """What TGI tells of a generation; ``prefill`` is the prompt's tokens, if told."""

    finish_reason: str | None = None
    generated_tokens: int | None = None
    input_length: int | None = None
    prefill: list[msgspec.Raw] | None = None
    tokens: list[Token] | None = None
    top_tokens: list[list[Token]] | None = None


class Generation(msgspec.Struct):
    """A whole answer of TGI's own protocol, or one event of its stream."""

    token: Token | None = None
    top_tokens: list[Token] | None = None
    generated_text: str | None = None
    details: GenerationDetails | None = None
    error: object = None
    error_type: str | None = None


_decode: Final = msgspec.json.Decoder(Generation).decode


def generation(data: bytes) -> Generation | None:
    """Return the answer or event in ``data``; of a list, its first member.

    ``None`` where it is not a JSON object, nor a list that begins with one.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    value = loads(data)
    if isinstance(value, list) and value:
        value = value[0]
    return _pick_generation(value) if isinstance(value, dict) else None


def token_logprob(token: Token, others: list[Token] | None) -> TokenLogprob | None:
    """Return a token with its probability, if it is text and has one."""
    if token.text is None or token.logprob is None or token.special:
        return None
    alternatives = tuple(
        (each.text, each.logprob)
        for each in others or ()
        if each.text is not None and each.logprob is not None
    )
    return TokenLogprob(token.text, token.logprob, alternatives)


def detailed_logprobs(details: GenerationDetails) -> Iterator[TokenLogprob]:
    """Return the tokens of a whole answer with their probabilities."""
    tops = details.top_tokens or []
    for place, token in enumerate(details.tokens or ()):
        found = token_logprob(token, tops[place] if place < len(tops) else None)
        if found is not None:
            yield found


def _pick_generation(value: Mapping[str, object]) -> Generation:
    return Generation(
        token=lenient_map(value.get("token"), _pick_token),
        top_tokens=lenient_list(value.get("top_tokens"), _pick_token),
        generated_text=lenient_text(value.get("generated_text")),
        details=lenient_map(value.get("details"), _pick_details),
        error=value.get("error"),
        error_type=lenient_text(value.get("error_type")),
    )


def _pick_token(value: Mapping[str, object]) -> Token:
    return Token(
        text=lenient_text(value.get("text")),
        special=value.get("special") is True,
        logprob=number(value.get("logprob")),
    )


def _pick_details(value: Mapping[str, object]) -> GenerationDetails:
    prefill, tops = value.get("prefill"), value.get("top_tokens")
    return GenerationDetails(
        finish_reason=lenient_text(value.get("finish_reason")),
        generated_tokens=lenient_integer(value.get("generated_tokens")),
        input_length=lenient_integer(value.get("input_length")),
        prefill=[msgspec.Raw()] * len(prefill) if isinstance(prefill, list) else None,
        tokens=lenient_list(value.get("tokens"), _pick_token),
        top_tokens=[lenient_list(each, _pick_token) or [] for each in tops]
        if isinstance(tops, list)
        else None,
    )
