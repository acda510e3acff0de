"""Ask the Hub about models: what each is, what it was made of, who calls it what."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from bytebuddy_provider_hf.address import (
    HUB,
    HUB_ID,
    OWNED_ID_AND_SUFFIX,
    HostKind,
    Target,
)
from bytebuddy_provider_hf.hub.cache import AnswerCache, fetch_answer
from bytebuddy_provider_hf.hub.model_facts import ModelFacts
from bytebuddy_provider_hf.lenient_json import lenient_integer, lenient_text, loads
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

# Seconds. Nobody's call waits longer to learn what it can do without.
LIMIT: Final = 10.0

_log: Final = logging.getLogger(__name__)

# A model's card and template change by commits, which are rare.
_DAY: Final = 86_400.0
_OK: Final = 200
# A model that was renamed: 307 as a rule, its Location relative.
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
# Bounds of what a stranger's model card can make us keep.
_LARGEST_ANSWER: Final = 4 * 1024 * 1024
_LONGEST_TEMPLATE: Final = 64 * 1024
_LARGEST_WINDOW: Final = 2**31
_LONGEST_TEXT: Final = 200
_MOST_PARENTS: Final = 16
_MOST_PROVIDERS: Final = 100
_LONGEST_PROVIDER_ID: Final = 256
# Routes of the router where a model goes by its id on the Hub.
_OWN_ROUTES: Final = frozenset({"", "v1", "hf-inference"})

# The names that the Hub expands: ExpandModelProperty_T of huggingface_hub 2.4
# (hf_api.py).
_FIELDS: Final = (
    "baseModels",
    "cardData",
    "config",
    "gated",
    "gguf",
    "inferenceProviderMapping",
    "library_name",
    "pipeline_tag",
    "transformersInfo",
)
_QUERY: Final = "&".join(f"expand[]={name}" for name in _FIELDS)
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


def info_request(model_id: str) -> HttpRequest:
    """Return the question what the Hub knows of a model; it needs no token."""
    return HttpRequest(f"{HUB}/api/models/{model_id}?{_QUERY}", method="GET")


def read_model(data: bytes) -> ModelFacts | None:
    """Return what an answer of ``/api/models/{id}`` says, or ``None``; total."""
    value = _map(loads(data))
    model_id = _id(value.get("id"))
    if model_id is None:
        return None
    config, gguf = _map(value.get("config")), _map(value.get("gguf"))
    window = lenient_integer(gguf.get("context_length"))
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
        provider_ids=dict(_provider_ids(value.get("inferenceProviderMapping"))),
    )


class HubCatalogue:
    """Ask the Hub about each model once a day; ``clock`` tells seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._facts = AnswerCache[ModelFacts]("The Hub", age=_DAY, clock=clock)

    async def facts(
        self, model: str, client: HttpClient, *, limit: float = LIMIT
    ) -> ModelFacts | None:
        """Return what the Hub says of a model within ``limit`` seconds, or ``None``.

        ``client`` leads to huggingface.co.
        """
        name = repository(model)
        if name is None:
            return None

        async def ask() -> ModelFacts | None:
            """Return what the Hub says, following one renaming."""
            asked = name
            status, headers, body = await fetch_answer(
                info_request(asked), client, most=_LARGEST_ANSWER
            )
            match = _LOCATION.fullmatch(headers.get("location", ""))
            moved = None if match is None else _id(match[1])
            # Not followed further: a circle of names would never end.
            if status in _MOVED and moved is not None:
                asked = moved
                status, _, body = await fetch_answer(
                    info_request(asked), client, most=_LARGEST_ANSWER
                )
            found = read_model(body) if status == _OK else None
            if found is None:
                _log.info("The Hub says nothing of %s: status %d", asked, status)
            return found

        # The Hub takes upper and lower case for one.
        return await self._facts.get(name.lower(), ask, limit=limit)

    def forget(self, model: str) -> None:
        """Ask again about a model: something was missing that may be there by now."""
        self._facts.forget((repository(model) or "").lower())


def _provider_ids(said: object) -> Iterator[tuple[str, str]]:
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
        name = _map(entry).get("providerId")
        if not isinstance(provider, str) or not isinstance(name, str):
            continue
        if 0 < len(name) <= _LONGEST_PROVIDER_ID:
            yield provider, name


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
