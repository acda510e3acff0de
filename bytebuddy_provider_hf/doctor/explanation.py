"""Any failure in words: what it means, what to do next, where to read on."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.doctor.description import ErrorDescription
from bytebuddy_provider_hf.doctor.words import en, zh
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.failures import error_details, error_facts, next_steps
from bytebuddy_provider_hf.failures.body_text import MAX_BODY, error_message
from bytebuddy_provider_hf.failures.classify import classify, classify_event
from bytebuddy_provider_hf.hub.router import Serving

Language: TypeAlias = Literal["en", "zh"]
# Who serves a model now, by its id on the Hub; None for "cannot tell".
Catalogue: TypeAlias = Callable[[str], Serving | None]

LANGUAGES: Final[Mapping[Language, Mapping[str, ErrorDescription]]] = {
    "en": en.WORDS,
    "zh": zh.WORDS,
}

_OK: Final = 200
_UNNAMED: Final = "owner/name"
_URL: Final = re.compile(r"https://[^\s`'\"，。；）)]+")
# Codes that only the proxy of dedicated endpoints writes.
_PROXY_CODES: Final = frozenset({"SERVICE_UNAVAILABLE", "UNAUTHORIZED", "BAD_REQUEST"})
_SOME_ENDPOINT: Final = "https://name.endpoints.huggingface.cloud"

_PAGES: Final[Mapping[str, str]] = {
    "new_token": next_steps.NEW_TOKEN,
    "billing": next_steps.BILLING,
    "pro": next_steps.PRO,
    "tokens": next_steps.TOKENS,
    "providers": next_steps.PROVIDERS,
    "gated_repos": next_steps.GATED_REPOS,
    "endpoints": next_steps.ENDPOINTS,
    "status_page": next_steps.STATUS,
}


@frozen
class Explanation:
    """A failure in words. ``kind`` is its class, ``said`` what the server said."""

    kind: str
    title: str
    meaning: str
    next_steps: tuple[str, ...]
    links: tuple[str, ...] = ()
    said: str = field(default="", kw_only=True)


def explain(
    status: int,
    body: bytes | str = b"",
    *,
    headers: Mapping[str, str] | None = None,
    model: str | None = None,
    base: str | None = None,
    lang: Language = "en",
    catalogue: Catalogue | None = None,
) -> Explanation:
    """Return what an answer means: its status, the start of its body, its headers.

    ``body`` may also be an event of a stream, with or without ``data:``; its status
    is 200. ``catalogue`` is asked only where Hugging Face said that the model is not
    served. Raises ``InvalidModelId`` and ``InvalidEndpoint``.
    """
    data = body.encode() if isinstance(body, str) else body
    data = data[:MAX_BODY].strip()
    if data.startswith(b"data:"):
        data = data.removeprefix(b"data:").strip()
    target = resolve(model or _UNNAMED, base or _guessed_base(data))
    error: APIError | None = None
    if status == _OK:
        error = classify_event(data, target)
    if error is None:
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        error = classify(status, lower, data, target)
    said = error_message(data)
    if model is None and error.model == _UNNAMED:
        error.model = error_details.model_named(said)
        error.hint = next_steps.next_step(error)
    if base is None and target.origin == _SOME_ENDPOINT:
        error.endpoint = target.origin.removeprefix("https://")
    unserved = next_steps.not_served_model(error)
    if catalogue is not None and unserved and (found := catalogue(unserved)):
        next_steps.set_alternatives(error, found.providers, found.neighbours)
    return explain_error(error, lang=lang, said=said)


def explain_error(
    error: ByteBuddyError, *, lang: Language = "en", said: str = ""
) -> Explanation:
    """Return what an error means, of whatever class of this package."""
    description = description_of(type(error), lang)
    facts = error_facts.error_facts(error, spoken=None if lang == "en" else _spoken_zh)
    steps = tuple(_steps(error, description, {**facts, **_PAGES}, lang))
    links = dict.fromkeys(
        url.rstrip(".:,;") for step in steps for url in _URL.findall(step)
    )
    return Explanation(
        type(error).__name__,
        description.title,
        description.meaning,
        steps,
        tuple(links),
        said=said,
    )


def description_of(kind: type[ByteBuddyError], lang: Language) -> ErrorDescription:
    """Return the words for a class: its own, or those of its nearest base."""
    table = LANGUAGES[lang]
    return next(table[base.__name__] for base in kind.__mro__ if base.__name__ in table)


def _steps(
    error: ByteBuddyError,
    description: ErrorDescription,
    facts: Mapping[str, str],
    lang: Language,
) -> Iterator[str]:
    """Yield the hint and what goes beyond it; the hint is written in English."""
    if lang == "en" and error.hint:
        yield error.hint
        if not isinstance(error, APIError):
            return
    for step in description.steps:
        if (said := next_steps.render_step(step, facts)) is not None:
            yield said


def _guessed_base(data: bytes) -> str | None:
    """Return an address of the kind that writes such a body, where only one does."""
    try:
        code = json.loads(data).get("code")
    except (ValueError, AttributeError, RecursionError):
        return None
    proxy = isinstance(code, str) and code in _PROXY_CODES
    return _SOME_ENDPOINT if proxy else None


def _spoken_zh(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{math.ceil(seconds)} 秒"
    if seconds < 7_200:  # noqa: PLR2004 - two hours
        return f"{math.ceil(seconds / 60)} 分钟"
    hours = seconds / 3_600
    return f"{math.ceil(hours)} 小时" if hours < 1e6 else "很久"  # noqa: PLR2004 - a century
