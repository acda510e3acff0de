"""The Hub's answers about models: what each is, and what it was made of."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bytebuddy_provider_hf.address import HUB, HUB_ID, OWNED_ID_AND_SUFFIX
from bytebuddy_provider_hf.hub.cache import AnswerCache, fetch_answer
from bytebuddy_provider_hf.hub.model_facts import ModelFacts
from bytebuddy_provider_hf.lenient_json import lenient_integer, lenient_text, loads
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

# Seconds. Nobody's call waits longer to learn what it can do without.
LIMIT: Final = 10.0

_log: Final = logging.getLogger(__name__)

_DAY: Final = 86_400.0
_OK: Final = 200
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_LARGEST_ANSWER: Final = 4 * 1024 * 1024
_LONGEST_TEMPLATE: Final = 64 * 1024
_LARGEST_WINDOW: Final = 2**31
_LONGEST_TEXT: Final = 200
_MOST_PARENTS: Final = 16

# The names that the Hub expands: ExpandModelProperty_T of huggingface_hub 2.4
# (hf_api.py).
_FIELDS: Final = (
    "baseModels",
    "cardData",
    "config",
    "gated",
    "gguf",
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
        window=_window(gguf.get("context_length")),
        gated=value.get("gated") in ("auto", "manual", True),
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
        return await self._facts.get(
            name.lower(), lambda: _asked(name, client), limit=limit
        )


async def _asked(name: str, client: HttpClient) -> ModelFacts | None:
    """Return what the Hub says, following one renaming."""
    asked = name
    status, headers, body = await fetch_answer(
        info_request(asked), client, most=_LARGEST_ANSWER
    )
    if status in _MOVED and (moved := _moved_to(headers)) is not None:
        asked = moved
        status, _, body = await fetch_answer(
            info_request(asked), client, most=_LARGEST_ANSWER
        )
    found = read_model(body) if status == _OK else None
    if found is None:
        _log.info("The Hub says nothing of %s: status %d", asked, status)
    return found


def _moved_to(headers: Mapping[str, str]) -> str | None:
    """Return the present id of a model that was renamed."""
    match = _LOCATION.fullmatch(headers.get("location", ""))
    return None if match is None else _id(match[1])


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
    for place in places:
        found = lenient_text(
            _named_default(place) if isinstance(place, list) else place
        )
        if found:
            return found[:_LONGEST_TEMPLATE]
    return None


def _named_default(templates: list[object]) -> object:
    """Return the template called default out of a list of named ones, or the first."""
    named = [_map(each) for each in templates[:_MOST_PARENTS]]
    usual = [each for each in named if each.get("name") == "default"]
    return (usual or named or [{}])[0].get("template")


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


def _window(value: object) -> int | None:
    found = lenient_integer(value)
    return found if found is not None and 0 < found < _LARGEST_WINDOW else None
