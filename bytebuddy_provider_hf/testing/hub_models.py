"""Play what the Hub tells of models: each, its card, and the list with its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from attrs import frozen

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.failures import not_found
from bytebuddy_provider_hf.testing.hub_catalogue import Market
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

_LIST: Final = "/api/models"
_CARDS: Final = ("/raw/main/README.md", "/resolve/main/README.md")
# Shorter than the Hub's own page, so that a client's following shows.
_PAGE: Final = 100

Mappings = Mapping[str, Mapping[str, str]]


@frozen
class HubModels:
    """What the Hub knows of models: ``facts`` and ``cards`` by id, and new ids."""

    facts: Mapping[str, Mapping[str, object]]
    cards: Mapping[str, str]
    renamed: Mapping[str, str]

    def reply(
        self, request: FakeRequest, mappings: Mappings, market: Market
    ) -> FakeReply:
        """Answer a route of the Hub's, which wants no token for it.

        ``mappings`` are the providers' names for models.
        """
        path = request.path
        if path == _LIST:
            names = dict.fromkeys([*mappings, *self.facts, *market.offers])
            models = (self.model_json(name, mappings, market) for name in names)
            return list_reply(request.query, list(models))
        for card in _CARDS:
            model = path.removeprefix("/").removesuffix(card)
            if path.endswith(card) and model in self.cards:
                headers = {"content-type": "text/plain; charset=utf-8"}
                return FakeReply(headers=headers, body=self.cards[model].encode())
        if not path.startswith(f"{_LIST}/"):
            return not_found()
        model = path.removeprefix(f"{_LIST}/")
        # 307 with a relative address and plain text, as recorded.
        if model in self.renamed:
            place = f"{_LIST}/{self.renamed[model]}"
            said = f"Temporary Redirect. Redirecting to {place}"
            return FakeReply(307, headers={"location": place}, body=said.encode())
        return json_reply(self.model_json(model, mappings, market))

    def model_json(
        self, model: str, mappings: Mappings, market: Market
    ) -> dict[str, object]:
        """Return what the Hub says of a model; of an unknown one, that it is there."""
        found: dict[str, object] = {
            provider: {"status": "live", "providerId": name, "task": "conversational"}
            for provider, name in mappings.get(model, {}).items()
        }
        found |= market.mapping(model)
        facts = self.facts.get(model, {})
        return {"id": model, "inferenceProviderMapping": found, **facts}


def list_reply(query: Mapping[str, str], models: list[dict[str, object]]) -> FakeReply:
    """Answer ``/api/models``; the next page is named by ``Link``."""
    wanted = set(filter(None, query.get("inference_provider", "").split(",")))
    found = []
    for model in models:
        name, mapping = str(model["id"]), model["inferenceProviderMapping"]
        tags = model.get("tags")
        tags = [*tags] if isinstance(tags, list) else []
        served = {
            provider
            for provider, each in (mapping.items() if isinstance(mapping, dict) else ())
            if isinstance(each, dict) and each.get("status") == "live"
        }
        checks = (
            query.get("search", "").casefold() in name.casefold(),
            name.startswith(query.get("author", "")),
            query.get("pipeline_tag") in (None, model.get("pipeline_tag")),
            query.get("filter") in (None, *tags, model.get("pipeline_tag")),
            not wanted or bool(served if wanted == {"all"} else served & wanted),
            query.get("inference") in (None, "warm" if served else "cold"),
        )
        if all(checks):
            found.append(model)
    if order := query.get("sort"):
        # Counts, and dates, which sort as text; what is not known comes last.
        known = [
            each for each in found if isinstance(each.get(order), int | float | str)
        ]
        known.sort(key=lambda each: (str(type(each[order])), each[order]), reverse=True)
        found = known + [each for each in found if each not in known]
    limit, begin = int(query.get("limit", _PAGE)), int(query.get("cursor", 0))
    reply = json_reply(found[begin : begin + limit])
    if begin + limit >= len(found):
        return reply
    following = urlencode({**query, "cursor": begin + limit})
    return reply.with_headers(
        {"link": f'<{HUB}{_LIST}?{following}>; rel="next"'},
    )
