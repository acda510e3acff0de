"""The probabilities of an answer's tokens, in OpenAI's two forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bytebuddy_provider_hf.lenient_json import lenient_list, lenient_map, lenient_text
from bytebuddy_provider_hf.types import TokenLogprob
from bytebuddy_provider_hf.wire.floats import number


class Alternative(msgspec.Struct):
    """A token that might have stood there."""

    token: str | None = None
    logprob: float | None = None


class TokenItem(msgspec.Struct):
    """A token of a chat's answer."""

    token: str | None = None
    logprob: float | None = None
    top_logprobs: list[Alternative] | None = None


class Logprobs(msgspec.Struct):
    """``content`` in chats; the three lists in completions, one place for a token."""

    content: list[TokenItem] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float | None] | None] | None = None


def logprobs(found: Logprobs) -> Iterator[TokenLogprob]:
    """Return the tokens with their probabilities; one without a number is left out."""
    for item in found.content or ():
        if item.token is not None and item.logprob is not None:
            others = ((each.token, each.logprob) for each in item.top_logprobs or ())
            yield TokenLogprob(item.token, item.logprob, _known(others))
    told = found.token_logprobs or []
    for place, (token, value) in enumerate(zip(found.tokens or (), told, strict=False)):
        tops = found.top_logprobs or []
        others_here = tops[place] if place < len(tops) else None
        if value is not None:
            yield TokenLogprob(token, value, _known((others_here or {}).items()))


def lenient_logprobs(value: Mapping[str, object]) -> Logprobs:
    """Return what can be used of either form."""
    tokens, told = value.get("tokens"), value.get("token_logprobs")
    tops = value.get("top_logprobs")
    return Logprobs(
        content=lenient_list(value.get("content"), _pick_item),
        tokens=[str(each) for each in tokens] if isinstance(tokens, list) else None,
        token_logprobs=[number(each) for each in told]
        if isinstance(told, list)
        else None,
        top_logprobs=[lenient_map(each, _pick_tops) for each in tops]
        if isinstance(tops, list)
        else None,
    )


def _pick_item(value: Mapping[str, object]) -> TokenItem:
    return TokenItem(
        token=lenient_text(value.get("token")),
        logprob=number(value.get("logprob")),
        top_logprobs=lenient_list(value.get("top_logprobs"), _pick_alternative),
    )


def _pick_alternative(value: Mapping[str, object]) -> Alternative:
    return Alternative(lenient_text(value.get("token")), number(value.get("logprob")))


def _pick_tops(value: Mapping[str, object]) -> dict[str, float | None]:
    return {key: number(found) for key, found in value.items()}


def _known(
    pairs: Iterable[tuple[str | None, float | None]],
) -> tuple[tuple[str, float], ...]:
    return tuple(
        (token, value)
        for token, value in pairs
        if token is not None and value is not None
    )
