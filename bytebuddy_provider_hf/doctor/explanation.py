"""Explain any failure in words: what it means, what to do next, where to read on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from http import HTTPStatus
from typing import Final, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.failures import error_details, next_steps
from bytebuddy_provider_hf.failures.body_text import MAX_BODY, error_message
from bytebuddy_provider_hf.failures.classify import classify, classify_event
from bytebuddy_provider_hf.failures.table import Words, failure_table, row_of
from bytebuddy_provider_hf.hub.router_models import Serving
from bytebuddy_provider_hf.texts import Language, LocalizedText, fill, in_file, render

# Who serves a model now, by its id on the Hub; None for "cannot tell".
Catalogue: TypeAlias = Callable[[str], Serving | None]

# "503", and "503 Service Unavailable" as browsers and libraries print it.
# "The token was refused (HOST, 401): …", as a failure is printed.
_OUR_LINE: Final = re.compile(
    r"[(（][^\s()（），,]+[,，]\s?(?P<status>[1-5][0-9]{2})[)）][:：]?(?P<said>.*)",
    re.DOTALL,
)
# "401 Client Error: … for url: …", "HTTP/1.1 429 Too Many Requests", "status code 404".
_OTHER_LINE: Final = re.compile(
    r"(?i:\s*(?:(?:http(?:/[0-9.]+)?|error|status|code)[\s:]+)*)(?P<status>[1-5][0-9]{2})\b"
    r"[\s:]*(?P<said>.*?)(?:\s+for url: \S*)?\s*",
    re.DOTALL,
)
_STATUS: Final = re.compile(r"([1-5][0-9]{2})(?:\s[A-Za-z \-']*)?", re.ASCII)
# Statuses whose answers mean different things, by their words; 404 stands last, because
# there any sentence with "model" in it is about one that is missing.
_TELLING: Final = (503, 402, 429, 403, 401, 400, 422, 500, 404)
# What an event of a stream came with: the failure is in its data.
_OK: Final = 200
_UNNAMED: Final = "owner/name"
# Chinese sentences end in signs that no URL has, and without a blank.
_URL: Final = re.compile(r"https://\w[^\s`'\"，。；）)]+")
# Codes that only the proxy of dedicated endpoints writes.
_PROXY_CODES: Final = frozenset({"SERVICE_UNAVAILABLE", "UNAUTHORIZED", "BAD_REQUEST"})
_SOME_ENDPOINT: Final = "https://name.endpoints.huggingface.cloud"


@frozen
class Explanation:
    """A failure in words. ``kind`` is its class, ``said`` what the server said.

    Options are named as the keys of a configuration file.
    """

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
    row = row_of(type(error))
    steps: list[str] = [*next_steps.steps_of(row, next_steps.error_facts(error))]
    if error.hint and isinstance(error, APIError):
        # It stands in place of the one that its class would say now.
        steps = [error.hint, *steps[1:]]
    elif error.hint and (lang == "en" or isinstance(error.hint, LocalizedText)):
        # Of what arose here the hint says all: it was written for the case.
        steps = [error.hint]
    elif error.hint:
        # Another program's has one language, and still says more than its class.
        steps = [error.hint, *steps]
    return _told(type(error).__name__, row.words(lang), steps, lang, said)


def meanings(
    status: int, *, model: str | None = None, lang: Language = "en"
) -> tuple[Explanation, ...]:
    """Return all that a status was seen to mean, the likeliest first.

    What a server says decides among them; without its words this is what is known.
    """
    table = failure_table()
    by_status = table.by_status.get(status)
    # A class of the whole family, such as "5xx", says least: it comes last.
    family = table.by_status.get(f"{status // 100}xx", table.by_status["other"])
    seen = [name for name, row in table.rows.items() if status in row.also_with]
    first = [name for name in seen if status in table.rows[name].likeliest]
    known = [by_status, *seen] if by_status else [*seen, family]
    return tuple(
        explain_kind(name, model=model, lang=lang)
        for name in dict.fromkeys([*first, *known])
    )


def explain_words(
    words: str, *, model: str | None = None, lang: Language = "en"
) -> tuple[Explanation, ...]:
    """Return what words mean: a class of errors, a title, or what a server says.

    "Template Missing", "ModelLoading", "503 Service Unavailable" and "insufficient
    credits" are all understood; words that nothing known says are no meaning at all.
    """
    table, asked = failure_table(), _letters(words)
    named = {_letters(name): name for name in table.rows}
    status = status_in(words)
    if status is not None and asked not in named:
        return meanings(status, model=model, lang=lang)
    for row_name, row in table.rows.items():
        for title in (row.en.title, row.en.lead, row.zh.title, row.zh.lead):
            named.setdefault(_letters(title), row_name)
    found = named.get(asked)
    if found is None:
        # As if a server had said it, with each status that words can change.
        body = json.dumps({"error": words}).encode()
        target = resolve(model or _UNNAMED)
        for status in _TELLING:
            kind = classify(status, {}, body, target)
            if type(kind) is not type(classify(status, {}, b"", target)):
                found = type(kind).__name__
                break
    if found is None:
        near = get_close_matches(asked, named, n=1, cutoff=0.7)
        found = named[near[0]] if near else None
    return () if found is None else (explain_kind(found, model=model, lang=lang),)


def status_in(words: str) -> int | None:
    """Return the status that words such as "503 Service Unavailable" name, if any."""
    number = _STATUS.fullmatch(words.strip())
    if number is not None:
        return int(number[1])
    asked = _letters(words)
    return next((s.value for s in HTTPStatus if _letters(s.phrase) == asked), None)


def pasted_answer(words: str) -> tuple[int, str] | None:
    """Return the status and what the server said in a line that was copied whole.

    One of our errors, in either language; of requests; or "HTTP 401: …" of a log.
    """
    found = _OUR_LINE.search(words) or _OTHER_LINE.fullmatch(words)
    return None if found is None else (int(found["status"]), found["said"].strip())


def explain_kind(
    name: str, *, model: str | None = None, lang: Language = "en"
) -> Explanation:
    """Return what a class of errors means, whoever answered."""
    kind: type[ByteBuddyError] = getattr(errors, name)
    # No object: some classes demand facts that nobody told here.
    row, facts = row_of(kind), {"huggingface": "yes", "router": "yes"}
    if model:
        facts["model"] = model
    return _told(name, row.words(lang), next_steps.steps_of(row, facts), lang)


def _letters(words: str) -> str:
    """Return what two spellings of one name have in common."""
    return "".join(each for each in words.casefold() if each.isalnum())


def _told(
    kind: str, words: Words, steps: Iterable[str], lang: Language, said: str = ""
) -> Explanation:
    shown = tuple(render(step, lang, in_file) for step in steps)
    links = dict.fromkeys(
        url.rstrip(".:,;") for step in shown for url in _URL.findall(step)
    )
    meaning = fill(words.meaning, {}, lang, in_file)
    return Explanation(kind, words.title, meaning, shown, tuple(links), said=said)


def _guessed_base(data: bytes) -> str | None:
    """Return an address of the kind that writes such a body, where only one does."""
    try:
        code = json.loads(data).get("code")
    except (ValueError, AttributeError, RecursionError):
        return None
    proxy = isinstance(code, str) and code in _PROXY_CODES
    return _SOME_ENDPOINT if proxy else None
