"""Explain any failure in words: what it means, what to do next, where to read on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.failures import error_details, next_steps
from bytebuddy_provider_hf.failures.body_text import MAX_BODY, error_message
from bytebuddy_provider_hf.failures.classify import classify, classify_event
from bytebuddy_provider_hf.failures.table import row_of
from bytebuddy_provider_hf.hub.router_models import Serving
from bytebuddy_provider_hf.texts import Language, LocalizedText, render

# Who serves a model now, by its id on the Hub; None for "cannot tell".
Catalogue: TypeAlias = Callable[[str], Serving | None]

# What an event of a stream came with: the failure is in its data.
_OK: Final = 200
_UNNAMED: Final = "owner/name"
# Chinese sentences end in signs that no URL has, and without a blank.
_URL: Final = re.compile(r"https://[^\s`'\"，。；）)]+")
# Codes that only the proxy of dedicated endpoints writes.
_PROXY_CODES: Final = frozenset({"SERVICE_UNAVAILABLE", "UNAUTHORIZED", "BAD_REQUEST"})
_SOME_ENDPOINT: Final = "https://name.endpoints.huggingface.cloud"


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
    # Nobody named the model or the server: what stood in for them is not shown.
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
    words = row_of(type(error)).words(lang)
    facts = next_steps.error_facts(error)
    general = [next_steps.first_step(step, facts, lang) for step in words.steps]
    steps = [step for step in general if step is not None]
    # A hint that has no row is English. Of what arose here it says all: it was
    # written for the case.
    hint = error.hint
    if hint and (lang == "en" or isinstance(hint, LocalizedText)):
        further = steps if isinstance(error, APIError) else []
        steps = [render(hint, lang), *further]
    links = dict.fromkeys(
        url.rstrip(".:,;") for step in steps for url in _URL.findall(step)
    )
    return Explanation(
        type(error).__name__,
        words.title,
        words.meaning,
        tuple(steps),
        tuple(links),
        said=said,
    )


def _guessed_base(data: bytes) -> str | None:
    """Return an address of the kind that writes such a body, where only one does."""
    try:
        code = json.loads(data).get("code")
    except (ValueError, AttributeError, RecursionError):
        return None
    proxy = isinstance(code, str) and code in _PROXY_CODES
    return _SOME_ENDPOINT if proxy else None
