"""The particulars in an error's sentence: numbers, names, addresses.

Every pattern is bounded, and the sentences are: 500 characters at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import OWNED_ID_PATTERN
from bytebuddy_provider_hf.secret import one_line

_MOST_NAMES: Final = 16
_LONGEST_LOCATION: Final = 500
_LARGEST: Final = 10**9


def _any(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


_LIMIT: Final = _any(
    r"must be <= (\d{1,9})",  # TGI
    r"less than (\d{1,9}) tokens",  # TGI, TEI
    r"maximum context length (?:is|of) (\d{1,9})",  # vLLM, SGLang
    r"context (?:size|length) \((\d{1,9})",  # llama.cpp, SGLang
    r"maximum model length of (\d{1,9})",  # vLLM
    r"maximum (?:allowed )?length \((\d{1,9})",  # SGLang
    r"exceeds limit of (\d{1,9})",  # vLLM
    r"current batch size: (\d{1,9})",  # llama.cpp, of embeddings
)
_GIVEN: Final = _any(
    r"given: (\d{1,9}) `inputs`",  # TGI
    r"tokens\. given: (\d{1,9})",  # TGI, TEI
    r"\((\d{1,9}) in the (?:messages|prompt)",  # vLLM
    r"(\d{1,9}) input tokens",  # vLLM
    r"(\d{1,9}) tokens from the input",  # SGLang
    r"(?:input|request) \((\d{1,9}) tokens\)",  # SGLang, llama.cpp
    r"resulted in (\d{1,9}) tokens",  # OpenAI
    r"prompt \((?:length )?(\d{1,9})",  # vLLM
    r"input length \((\d{1,9}) tokens\)",  # SGLang
)
_ASKED: Final = _any(
    r"and (\d{1,9}) `max_new_tokens`",  # TGI
    r"`max_new_tokens` must be <= \d{1,9}\. given: (\d{1,9})(?! `inputs`)",  # TGI
    r"(\d{1,9}) (?:in|tokens for) the completion",  # vLLM, SGLang
    r"(\d{1,9}) output tokens",  # vLLM
    r"too large: (\d{1,9})",  # vLLM
)
_BATCH_LIMIT: Final = _any(
    r"maximum allowed batch size (?:of )?(\d{1,9})",
    r"max_client_batch_size\D{0,12}(\d{1,9})",
)
_BATCH_GIVEN: Final = _any(r"batch size (\d{1,9}) >", r"\((\d{1,9})\) exceeds")
_UP_TO: Final = _any(r"supports up to (\d{1,9})", r"must be <= (\d{1,9})")

_LIST: Final = re.compile(r"`model_kwargs` are not used by the model: \[([^\]]{1,400})")
# transformers serve: a set of names, as Python writes it.
_FIELDS: Final = re.compile(
    r"unexpected fields in the request: \{([^}]{1,400})", re.IGNORECASE
)
_QUOTED: Final = re.compile(r"'([A-Za-z_]\w{0,40})'", re.ASCII)
_NAME: Final = r"([A-Za-z_]\w{0,40})"
_REFUSED: Final = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        # TGI, and the transformers pipelines
        rf"validation error: `{_NAME}` (?:must|cannot|supports|is|can)\b",
        rf"error in `parameters\.{_NAME}",
        rf"error in `(?!inputs|parameters){_NAME}`",
        rf"received `{_NAME}` in `parameters`",
        # a JSON field of another type than the server reads
        rf"target type: {_NAME}[\w.\[\]]{{0,60}}: (?:invalid|unknown)",
        rf"unknown field `{_NAME}`",
        rf"field '{_NAME}': ",
        # FastAPI and pydantic
        rf"^body\.{_NAME}(?:\.[\w.]{{0,60}})?: ",
        rf"'loc': \('body', '{_NAME}'",
        rf"unexpected keyword argument '{_NAME}'",
        # OpenAI and those who follow it
        (
            rf"(?:unsupported|unknown|unrecognized|invalid) (?:request )?"
            rf"(?:parameter|argument|value)s?(?: supplied)?:? ?['\"`]?{_NAME}"
        ),
        (
            rf"(?:parameter|argument|property) ['\"`]{_NAME}['\"`] "
            rf"(?:is|was) (?:not|un)"
        ),
        rf"['\"`]{_NAME}['\"`] is (?:not supported|unsupported|not allowed)",
    )
)
_SUFFIX: Final = re.compile(r"suffix (?:is )?not supported", re.IGNORECASE)
_SCHEMA: Final = re.compile(r"json schema error|invalid grammar", re.IGNORECASE)
# "top_p must be in (0, 1]": vLLM writes the bare name.
_BARE: Final = re.compile(
    r"\b(temperature|top_p|top_k|min_p|repetition_penalty|presence_penalty"
    r"|frequency_penalty|max_tokens|max_new_tokens|max_completion_tokens"
    r"|top_logprobs|logprobs|response_format|logit_bias|stream_options"
    r"|reasoning_effort|thinking_token_budget|best_of)\b"
    r".{0,60}\b(?:must|not supported|unsupported|invalid|not permitted"
    r"|not allowed|not configured|out of range)\b",
    re.IGNORECASE,
)
# What the request is about is no parameter.
_CONTENT: Final = frozenset(
    {
        "model",
        "messages",
        "prompt",
        "input",
        "inputs",
        "query",
        "texts",
        "documents",
        "parameters",
        "body",
        "the",
        "for",
        "in",
        "is",
        "of",
    }
)

_FIELD: Final = _any(
    r"missing field `(\w{1,40})`",
    r"body\.(\w{1,40}): field required",
    r"'(\w{1,40})' is required",
    r"needs to provide an? (\w{1,40}) key",
    r"target type: (\w{1,40})",
)
_SERVED: Final = _any(
    r"pinned to ['\"`]?([\w./@\-]{1,200}[\w])",
)
_OWNER: Final = _any(r"on behalf of ((?:user|org) [\w.\-]{1,96})")
_MODEL: Final = _any(
    rf"\bmodel ['\"`]?({OWNED_ID_PATTERN})",
    rf"huggingface\.co/(?!settings/|api/|spaces/|docs/|join|pricing)"
    rf"({OWNED_ID_PATTERN})",
)


def set_details(
    error: errors.APIError,
    said: str,
    found: Mapping[str, object],
    headers: Mapping[str, str],
) -> None:
    """Set the attributes of ``error``'s class from what the server said."""
    if isinstance(error, errors.ContextTooLong):
        error.limit = find_number(_LIMIT, said) or int_field(found, "n_ctx")
        error.given = find_number(_GIVEN, said) or int_field(found, "n_prompt_tokens")
        error.asked = find_number(_ASKED, said)
    elif isinstance(error, errors.BatchTooLarge):
        error.limit = find_number(_BATCH_LIMIT, said)
        error.given = find_number(_BATCH_GIVEN, said)
    elif isinstance(error, errors.ParameterRefused):
        error.parameters = refused_parameters(said, found)
        error.parameter = next(iter(error.parameters), None)
        error.limit = find_number(_UP_TO, said)
    elif isinstance(error, errors.BodyRefused):
        error.field = find_text(_FIELD, said)
    elif isinstance(error, errors.WrongServedModel):
        error.served = find_text(_SERVED, said)
    elif isinstance(error, errors.MissingPermission):
        error.owner = find_text(_OWNER, said)
    elif isinstance(error, errors.Redirected):
        location = headers.get("location", "")
        error.location = one_line(location, limit=_LONGEST_LOCATION) or None


def model_named(said: str) -> str | None:
    """Return the Hub id that a sentence is about, or ``None``."""
    named = find_text(_MODEL, said)
    return None if named is None else named.rstrip(".")


def refused_parameters(said: str, found: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the parameters that a refusal is about."""
    if listed := _LIST.search(said) or _FIELDS.search(said):
        return tuple(_QUOTED.findall(listed.group(1))[:_MOST_NAMES])
    if _SUFFIX.search(said):
        return ("suffix",)
    if _SCHEMA.search(said):
        return ("response_format",)
    names = dict.fromkeys(name for name in _names(said) if name not in _CONTENT)
    if names:
        return tuple(names)[:_MOST_NAMES]
    inner = found.get("error")
    given = (inner if isinstance(inner, dict) else found).get("param")
    if isinstance(given, str) and given.isidentifier() and given not in _CONTENT:
        return (given[:40],)
    return ()


def _names(said: str) -> Iterator[str]:
    # A list of complaints is joined with "; ".
    for sentence in said.split("; ")[:_MOST_NAMES]:
        for pattern in _REFUSED:
            if match := pattern.search(sentence):
                yield match.group(1)
                break
        else:
            if match := _BARE.search(sentence):
                yield match.group(1).lower()


def find_number(patterns: tuple[re.Pattern[str], ...], said: str) -> int | None:
    """Return the first number that one of ``patterns`` finds."""
    digits = find_text(patterns, said)
    return None if digits is None else int(digits)


def find_text(patterns: tuple[re.Pattern[str], ...], said: str) -> str | None:
    """Return what the first of ``patterns`` that matches finds."""
    for pattern in patterns:
        if match := pattern.search(said):
            return match.group(1)
    return None


def int_field(found: Mapping[str, object], key: str) -> int | None:
    """Return a whole number of the error's JSON object, outer or inner."""
    inner = found.get("error")
    for place in (inner, found):
        value = place.get(key) if isinstance(place, dict) else None
        if isinstance(value, int) and not isinstance(value, bool):
            return value if 0 < value < _LARGEST else None
    return None
