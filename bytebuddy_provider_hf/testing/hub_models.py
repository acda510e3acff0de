"""Play the Hub's list of models: search, filters, order, and pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

# The Hub's own page is longer: so few show that a client follows.
PAGE: Final = 100


def list_reply(
    request: FakeRequest, models: Iterable[Mapping[str, object]]
) -> FakeReply:
    """Answer ``/api/models``; the next page is named by ``Link``."""
    query = request.query
    found = [each for each in models if _fits(each, query)]
    if order := query.get("sort"):
        found.sort(key=lambda each: _number(each.get(order)), reverse=True)
    limit = int(query.get("limit", PAGE))
    begin = int(query.get("cursor", 0))
    reply = json_reply(found[begin : begin + limit])
    if begin + limit >= len(found):
        return reply
    following = urlencode({**query, "cursor": begin + limit})
    return reply.with_headers(
        {"link": f'<{HUB}/api/models?{following}>; rel="next"'},
    )


def _fits(model: Mapping[str, object], query: Mapping[str, str]) -> bool:
    name, mapping = str(model["id"]), model["inferenceProviderMapping"]
    served = {
        provider
        for provider, each in (mapping.items() if isinstance(mapping, dict) else ())
        if isinstance(each, dict) and each.get("status") == "live"
    }
    wanted = set(filter(None, query.get("inference_provider", "").split(",")))
    tags = model.get("tags")
    checks = (
        query.get("search", "").casefold() in name.casefold(),
        name.startswith(f"{query['author']}/") if "author" in query else True,
        query.get("pipeline_tag") in (None, model.get("pipeline_tag")),
        not wanted or bool(served if wanted == {"all"} else served & wanted),
        query.get("inference") in (None, "warm" if served else "cold"),
        "filter" not in query
        or (isinstance(tags, list) and query["filter"] in tags)
        or query["filter"] == model.get("pipeline_tag"),
    )
    return all(checks)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
