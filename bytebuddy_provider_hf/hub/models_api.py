"""Ask the Hub about models: what each is, what it was made of, who calls it what."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from attrs import frozen

from bytebuddy_provider_hf.address import (
    HUB,
    HUB_ID,
    OWNED_ID_AND_SUFFIX,
    HostKind,
    Target,
)
from bytebuddy_provider_hf.hub.answer_cache import (
    AnswerCache,
    AnswerStore,
    fetch_answer,
)
from bytebuddy_provider_hf.hub.model_card import CARD_BYTES, ModelCard, read_card
from bytebuddy_provider_hf.hub.model_facts import ModelFacts, ServedBy
from bytebuddy_provider_hf.hub.rate_limits import RateMemory
from bytebuddy_provider_hf.json_cost import MOST_ELEMENTS
from bytebuddy_provider_hf.lenient_json import lenient_integer, lenient_text, loads
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

# Seconds. Nobody's call waits longer to learn what it can do without.
LIMIT: Final = 10.0

_log: Final = logging.getLogger(__name__)

# A model's card and template change by commits, which are rare.
_DAY: Final = 86_400.0
_OK: Final = 200
# A model without a card, and one whose files need a licence accepted.
_NO_CARD: Final = frozenset({401, 403, 404})
# A model that was renamed: 307 as a rule, its Location relative.
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
# New models and likes come by the hour.
_HOUR: Final = 3_600.0
# Bounds of what a stranger's model card can make us keep.
_LARGEST_ANSWER: Final = 4 * 1024 * 1024
_LONGEST_TEMPLATE: Final = 64 * 1024
_LARGEST_WINDOW: Final = 2**31
_LONGEST_TEXT: Final = 200
_MOST_PARENTS: Final = 16
_MOST_PROVIDERS: Final = 100
_LONGEST_PROVIDER_ID: Final = 256
_MOST_TAGS: Final = 200
# A list comes in pages: of so many models, and no more pages than that are followed.
PAGE_SIZE: Final = 100
MOST_PAGES: Final = 5
# Routes of the router where a model goes by its id on the Hub.
_OWN_ROUTES: Final = frozenset({"", "v1", "hf-inference"})

# The names that the Hub expands: ExpandModelProperty_T of huggingface_hub 2.4
# (hf_api.py). Those of a list leave out what is large, such as templates.
_LISTED: Final = (
    "cardData",
    "downloads",
    "gated",
    "inference",
    "inferenceProviderMapping",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "safetensors",
    "tags",
)
_FIELDS: Final = (*_LISTED, "baseModels", "config", "gguf", "transformersInfo")
_QUERY: Final = "&".join(f"expand[]={name}" for name in _FIELDS)
_LIST: Final = "/api/models"
# RFC 8288; the Hub writes its own form of it (huggingface_hub 2.4, utils/_pagination).
_NEXT: Final = re.compile(r"<([^<>]{1,4000})>\s*;[^,]*\brel=\"?next\"?", re.IGNORECASE)
_DAY_OF: Final = re.compile(r"\d{4}-\d\d-\d\d")
_LOCATION: Final = re.compile(
    rf"(?:{re.escape(HUB)})?/api/models/([^?#]{{1,200}})(?:\?.*)?", re.ASCII
)


def repository(model: str) -> str | None:
    """Return the ``owner/name`` that a model's id is on the Hub, or ``None``."""
    # A router's ":provider" is not a part of the id.
    match = OWNED_ID_AND_SUFFIX.fullmatch(model)
    return None if match is None or ".." in model else match[1]


def provider_of(target: Target) -> str | None:
    """Return the provider that an address of the router names, where ids may differ.

    ``None`` for every other address, and for a model that is no id of the Hub's, which
    must be the provider's already.
    """
    if target.host_kind is not HostKind.ROUTER or repository(target.model) is None:
        return None
    provider = urlsplit(target.chat_url).path.lstrip("/").partition("/")[0]
    return None if provider in _OWN_ROUTES else provider


def info_request(model_id: str, origin: str = HUB) -> HttpRequest:
    """Return the question what the Hub knows of a model; it needs no token.

    ``origin`` is the Hub's, or that of a mirror of it.
    """
    return HttpRequest(f"{origin}/api/models/{model_id}?{_QUERY}", method="GET")


@frozen
class ModelQuery:
    """What a list of the Hub's models is asked for; empty is: whatever.

    ``text`` is looked for in ids, ``task`` is a ``pipeline_tag``; ``provider`` is one
    behind the router, or "all" for whatever is served by any. ``licence`` is a short
    name such as apache-2.0.
    """

    text: str = ""
    task: str = ""
    provider: str = ""
    licence: str = ""
    language: str = ""
    is_gated: bool | None = None
    is_warm: bool = False
    limit: int = PAGE_SIZE

    def url_at(self, origin: str = HUB) -> str:
        """Return the first question; the Hub, or its mirror, sorts by likes."""
        tags = [f"license:{self.licence}"] if self.licence else []
        asked = {
            "search": self.text,
            "pipeline_tag": self.task,
            "inference_provider": self.provider,
            "filter": ",".join([*tags, *filter(None, [self.language])]),
            "gated": "" if self.is_gated is None else str(self.is_gated).lower(),
            "inference": "warm" if self.is_warm else "",
            "sort": "likes",
            "limit": str(min(self.limit, PAGE_SIZE)),
        }
        given = urlencode({name: value for name, value in asked.items() if value})
        return f"{origin}{_LIST}?{given}&" + "&".join(f"expand[]={n}" for n in _LISTED)


def next_page(headers: Mapping[str, str], origin: str = HUB) -> str | None:
    """Return where the next page of a list is; only at the list of ``origin``."""
    match = _NEXT.search(headers.get("link", ""))
    if match is None:
        return None
    # A mirror may pass the Hub's own address on. Another origin would be told what is
    # searched for.
    place = match[1]
    if place.startswith(f"{HUB}{_LIST}?"):
        return origin + place.removeprefix(HUB)
    return place if place.startswith(f"{origin}{_LIST}?") else None


def read_model_list(data: bytes) -> tuple[ModelFacts, ...] | None:
    """Return the models of a page of ``/api/models``, or ``None``; total."""
    # Several pages are kept as one.
    value = loads(data, most=MOST_PAGES * MOST_ELEMENTS)
    if not isinstance(value, list):
        return None
    found = (_model_of(_map(each)) for each in value[: PAGE_SIZE * MOST_PAGES])
    return tuple(each for each in found if each is not None)


def read_model(data: bytes) -> ModelFacts | None:
    """Return what an answer of ``/api/models/{id}`` says, or ``None``; total."""
    return _model_of(_map(loads(data)))


def _model_of(value: Mapping[str, object]) -> ModelFacts | None:
    model_id = _id(value.get("id"))
    if model_id is None:
        return None
    config, gguf = _map(value.get("config")), _map(value.get("gguf"))
    window = lenient_integer(gguf.get("context_length"))
    card, tags = _map(value.get("cardData")), _words(value.get("tags"))
    served = tuple(_served_by(value.get("inferenceProviderMapping")))
    modified = lenient_text(value.get("lastModified")) or ""
    gate = lenient_text(value.get("gated")) or ""
    parents = (each for each in _parents(value, config) if each != model_id)
    return ModelFacts(
        model_id,
        pipeline_tag=_short(value.get("pipeline_tag")),
        library=_short(value.get("library_name")),
        base_models=tuple(dict.fromkeys(parents))[:_MOST_PARENTS],
        relation=_short(_map(value.get("baseModels")).get("relation")),
        chat_template=_template(config, gguf),
        model_type=_short(config.get("model_type")),
        auto_model=_short(_map(value.get("transformersInfo")).get("auto_model")),
        window=window if window is not None and 0 < window < _LARGEST_WINDOW else None,
        # Agreed to by itself or by hand: either way somebody has to agree.
        gated=value.get("gated") in ("auto", "manual", True),
        provider_ids={each.provider: each.provider_id for each in served},
        served_by=served,
        gate=gate if gate in ("auto", "manual") else "",
        is_warm=value.get("inference") == "warm",
        likes=_count(value.get("likes")),
        downloads=_count(value.get("downloads")),
        parameters=_count(_map(value.get("safetensors")).get("total"))
        or _count(gguf.get("total")),
        licence=_licence(card, tags),
        languages=_words(card.get("language")),
        tags=tags,
        modified=day[0] if (day := _DAY_OF.match(modified)) else "",
    )


class HubCatalogue:
    """Ask the Hub about each model once a day; ``clock`` tells seconds.

    Lists are asked for once an hour. ``store`` keeps answers for later processes, and
    ``rates`` what the Hub tells of its rate limit.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        store: AnswerStore | None = None,
        rates: RateMemory | None = None,
    ) -> None:
        self._store = store
        # Nobody else asks for what is kept then.
        self._rates = rates or RateMemory(clock=clock, store=None)
        source = "The Hub"
        self._facts = AnswerCache[ModelFacts](
            source, age=_DAY, clock=clock, store=store, read=read_model
        )
        self._lists = AnswerCache[tuple[ModelFacts, ...]](
            source, age=_HOUR, clock=clock, store=store, read=read_model_list
        )
        self._cards = AnswerCache[ModelCard](
            source, age=_DAY, clock=clock, store=store, read=read_card
        )

    async def facts(
        self, model: str, client: HttpClient, *, limit: float = LIMIT
    ) -> ModelFacts | None:
        """Return what the Hub says of a model within ``limit`` seconds, or ``None``.

        ``client`` leads to huggingface.co.
        """
        name = repository(model)
        return None if name is None else await self._ask(name, client, limit=limit)

    async def model(
        self, model: str, client: HttpClient | None, *, limit: float = LIMIT
    ) -> tuple[ModelFacts, float] | None:
        """Return what the Hub told last of ``model``, and its age in seconds.

        A name without an owner is one of the oldest models, which were renamed. Without
        ``client`` nobody is asked: only what is kept counts.
        """
        name = repository(model) or (model if _id(model) else None)
        if name is None:
            return None
        if client is not None:
            await self._ask(name, client, limit=limit)
        else:
            await self._facts.restore(name.lower(), _facts_key(name, HUB))
        return self._facts.known(name.lower())

    async def _ask(
        self, name: str, client: HttpClient, *, limit: float
    ) -> ModelFacts | None:
        key = _facts_key(name, client.origin)

        async def ask() -> ModelFacts | None:
            """Return what the Hub says, following one renaming."""
            asked = name
            status, headers, body = await fetch_answer(
                info_request(asked, client.origin), client, most=_LARGEST_ANSWER
            )
            self._rates.observe(client.origin, status, headers)
            # A mirror may write its own address there, or pass the Hub's on.
            location = headers.get("location", "").removeprefix(client.origin)
            match = _LOCATION.fullmatch(location)
            moved = None if match is None else _id(match[1])
            # Not followed further: a circle of names would never end.
            if status in _MOVED and moved is not None:
                asked = moved
                status, _, body = await fetch_answer(
                    info_request(asked, client.origin), client, most=_LARGEST_ANSWER
                )
            found = read_model(body) if status == _OK else None
            if found is None:
                _log.info("The Hub says nothing of %s: status %d", asked, status)
            elif self._store is not None:
                # Under the name that was asked for: it is asked for so again.
                self._store.put(key, body)
            return found

        # The Hub takes upper and lower case for one.
        return await self._facts.get(name.lower(), ask, limit=limit, key=key)

    async def models(
        self, query: ModelQuery, client: HttpClient | None, *, limit: float = LIMIT
    ) -> tuple[tuple[ModelFacts, ...], float] | None:
        """Return the models that a list has, as it was told last, and its age.

        At most five pages are read. Without ``client`` nobody is asked.
        """
        origin = HUB if client is None else client.origin
        first = query.url_at(origin)
        if client is None:
            await self._lists.restore(first, first)
            return self._lists.known(first)

        async def ask() -> tuple[ModelFacts, ...] | None:
            found: dict[str, ModelFacts] = {}
            kept: list[bytes] = []
            url: str | None = first
            for _ in range(MOST_PAGES):
                if url is None or len(found) >= query.limit:
                    break
                status, headers, body = await fetch_answer(
                    HttpRequest(url, method="GET"), client, most=_LARGEST_ANSWER
                )
                self._rates.observe(client.origin, status, headers)
                page = read_model_list(body) if status == _OK else None
                if page is None:
                    _log.info("The Hub gave no list: status %d", status)
                    break
                found |= {each.id: each for each in page}
                kept.append(body.strip().removeprefix(b"[").removesuffix(b"]"))
                url = next_page(headers, origin)
            if kept and self._store is not None:
                pages = b",".join(each for each in kept if each.strip())
                self._store.put(first, b"[" + pages + b"]")
            # A list of which the first page failed is none.
            return tuple(found.values()) if kept else None

        await self._lists.get(first, ask, limit=limit, key=first)
        return self._lists.known(first)

    async def card(
        self, model: str, client: HttpClient | None, *, limit: float = LIMIT
    ) -> tuple[ModelCard, float] | None:
        """Return what the card of a model says, and its age; ``model`` is its own id.

        Of its text only the beginning is read. Without ``client`` nobody is asked.
        """
        name = repository(model)
        if name is None:
            return None
        origin = HUB if client is None else client.origin
        url = f"{origin}/{name}/raw/main/README.md"
        if client is None:
            await self._cards.restore(name.lower(), url)
            return self._cards.known(name.lower())

        async def ask() -> ModelCard | None:
            call = HttpRequest(url, method="GET", accept="*/*")
            response = await client.send(call)
            body = b""
            try:
                async for chunk in response.chunks():
                    body += chunk
                    if len(body) >= CARD_BYTES:
                        break
            finally:
                response.close()
            if response.status in _NO_CARD:
                body = b""  # an answer: there is none to read
            elif response.status != _OK:
                return None
            if self._store is not None:
                self._store.put(url, body[:CARD_BYTES])
            return read_card(body)

        await self._cards.get(name.lower(), ask, limit=limit, key=url)
        return self._cards.known(name.lower())

    def forget(self, model: str) -> None:
        """Ask again about a model: something was missing that may be there by now."""
        self._facts.forget((repository(model) or "").lower())


def _facts_key(name: str, origin: str) -> str:
    return f"{origin}{_LIST}/{name.lower()}"


def _served_by(said: object) -> Iterator[ServedBy]:
    """Yield each provider with its id of the model.

    The Hub tells them as an object keyed by provider, newer answers as a list
    (huggingface_hub 2.4, ``hf_api.py``).
    """
    if isinstance(said, dict):
        entries = list(said.items())
    else:
        listed = said if isinstance(said, list) else []
        entries = [(_map(each).get("provider"), each) for each in listed]
    for provider, entry in entries[:_MOST_PROVIDERS]:
        told = _map(entry)
        name = told.get("providerId")
        if not isinstance(provider, str) or not isinstance(name, str):
            continue
        if 0 < len(name) <= _LONGEST_PROVIDER_ID:
            yield ServedBy(
                provider,
                name,
                _short(told.get("status")) or "",
                _short(told.get("task")) or "",
                is_model_author=told.get("isModelAuthor") is True,
            )


def _licence(card: Mapping[str, object], tags: Iterable[str]) -> str | None:
    """Return the licence that a card names; "other" has a name of its own."""
    said = card.get("license")
    named = _short(said[0] if isinstance(said, list) and said else said)
    if named in (None, "other"):
        named = _short(card.get("license_name")) or named
    marks = (tag.removeprefix("license:") for tag in tags if tag.startswith("license:"))
    return named or next(marks, None)


def _words(said: object) -> tuple[str, ...]:
    """Return the short texts of a list, or of one text."""
    listed = said if isinstance(said, list) else [said]
    found = (_short(each) for each in listed[:_MOST_TAGS])
    return tuple(each for each in found if each is not None)


def _count(said: object) -> int | None:
    found = lenient_integer(said)
    return found if found is not None and found >= 0 else None


def _parents(
    value: Mapping[str, object], config: Mapping[str, object]
) -> Iterator[str]:
    """Yield the ids of base models: the Hub's reading of the card, card, adapter."""
    said = value.get("baseModels")
    models = _map(said).get("models") if isinstance(said, dict) else said
    card = _map(value.get("cardData")).get("base_model")
    adapter = _map(config.get("peft")).get("base_model_name_or_path")
    for source in (models, card, adapter):
        for item in source if isinstance(source, list) else [source]:
            named = item.get("id") if isinstance(item, dict) else item
            if (model_id := _id(named)) is not None:
                yield model_id


def _template(config: Mapping[str, object], gguf: Mapping[str, object]) -> str | None:
    """Return the chat template: that of the weights, of its own file, of a config.

    The order is that of huggingface.js (packages/tasks/src/local-apps.ts).
    """
    places = (
        gguf.get("chat_template"),
        config.get("chat_template_jinja"),
        _map(config.get("tokenizer_config")).get("chat_template"),
        _map(config.get("processor_config")).get("chat_template"),
    )
    for said in places:
        place = said
        if isinstance(place, list):
            # Named templates: the one called default counts, or else the first.
            named = [_map(each) for each in place[:_MOST_PARENTS]]
            usual = [each for each in named if each.get("name") == "default"]
            place = (usual or named or [{}])[0].get("template")
        found = lenient_text(place)
        if found:
            return found[:_LONGEST_TEMPLATE]
    return None


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _id(value: object) -> str | None:
    found = lenient_text(value)
    if found is None or not HUB_ID.fullmatch(found) or ".." in found:
        return None
    return found


def _short(value: object) -> str | None:
    found = lenient_text(value)
    return found if found and len(found) <= _LONGEST_TEXT else None
