"""FakeHub's Hub: models, cards, renamings, lists by pages; endpoints, status page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import ENDPOINTS, Account
from bytebuddy_provider_hf.testing.hub_catalogue import Provider
from bytebuddy_provider_hf.testing.hub_endpoints import ManagedEndpoint
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

FACTS: dict[str, dict[str, object]] = {
    "org/coder-7b": {"pipeline_tag": "text-generation", "likes": 5, "tags": ["gguf"]},
    "org/coder-1b": {"pipeline_tag": "text-generation", "likes": 50},
    "sent/vectors": {"pipeline_tag": "feature-extraction", "likes": 9},
}


def hub_of_models() -> FakeHub:
    return FakeHub(
        facts=FACTS,
        catalogue={"org/coder-7b": [Provider("groq", Price(1, 1))]},
        cards={"org/coder-7b": "# A model\n\n## Limitations\n\nIt guesses."},
        renamed={"coder-7b": "org/coder-7b"},
    )


async def get(
    hub: FakeHub, path: str, *, token: str = "", **query: str
) -> tuple[FakeReply, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    reply = await hub.handle(FakeRequest("GET", path, query=query, headers=headers))
    reply.ended(whole=True)
    json_type = reply.headers.get("content-type") == "application/json"
    return reply, json.loads(reply.content) if json_type else None


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["org/coder-7b", "org/coder-1b", "sent/vectors"]),
        ({"search": "CODER"}, ["org/coder-7b", "org/coder-1b"]),
        ({"author": "sent"}, ["sent/vectors"]),
        ({"pipeline_tag": "feature-extraction"}, ["sent/vectors"]),
        ({"inference_provider": "all"}, ["org/coder-7b"]),
        ({"inference_provider": "novita,groq"}, ["org/coder-7b"]),
        ({"inference_provider": "novita"}, []),
        ({"inference": "warm"}, ["org/coder-7b"]),
        ({"filter": "gguf"}, ["org/coder-7b"]),
        ({"sort": "likes"}, ["org/coder-1b", "sent/vectors", "org/coder-7b"]),
    ],
)
@virtual_time
async def test_the_list_is_searched_and_sorted(
    query: dict[str, str], names: list[str]
) -> None:
    """By the parameters of hub-api.md."""
    _, listed = await get(hub_of_models(), "/api/models", **query)
    assert [each["id"] for each in listed] == names


@virtual_time
async def test_the_list_has_pages() -> None:
    """The header ``Link`` names the next one, the last has none."""
    hub = hub_of_models()
    first, listed = await get(hub, "/api/models", limit="2")
    link = first.headers["link"]
    assert link == '<https://huggingface.co/api/models?limit=2&cursor=2>; rel="next"'
    last, rest = await get(hub, "/api/models", limit="2", cursor="2")
    assert "link" not in last.headers
    assert len(listed + rest) == 3


@virtual_time
async def test_a_model_is_shown_renamed_and_described() -> None:
    """Who serves it, where it moved, and its card."""
    hub = hub_of_models()
    _, found = await get(hub, "/api/models/org/coder-7b")
    assert found["inferenceProviderMapping"]["groq"]["status"] == "live"
    assert found["likes"] == 5
    moved, _ = await get(hub, "/api/models/coder-7b")
    assert (moved.status, moved.headers["location"]) == (
        307,
        "/api/models/org/coder-7b",
    )
    card, _ = await get(hub, "/org/coder-7b/raw/main/README.md")
    assert card.content.startswith(b"# A model")
    assert (await get(hub, "/org/other/raw/main/README.md"))[0].status == 404


@virtual_time
async def test_endpoints_are_managed_by_those_who_may() -> None:
    """State, replicas and time-out; prices stand with the hardware."""
    may = Account("ann", "hf_ann", permissions={ENDPOINTS})
    hub = FakeHub(
        accounts=(may, Account("poor", "hf_poor")),
        endpoints=[ManagedEndpoint("mine", "ann"), ManagedEndpoint("hers", "eve")],
    )
    _, listed = await get(hub, "/v2/endpoint/ann", token="hf_ann")
    (mine,) = listed["items"]
    assert mine["status"]["state"] == "running"
    assert mine["compute"]["scaling"]["scaleToZeroTimeout"] == 60
    _, prices = await get(hub, "/v2/provider/ann", token="hf_ann")
    compute = prices["vendors"][0]["regions"][0]["computes"][0]
    assert compute["pricePerHour"] == 0.8
    one, _ = await get(hub, "/v2/endpoint/ann/mine", token="hf_ann")
    assert one.status == 200
    for path, token, status in (
        ("/v2/endpoint/eve", "hf_ann", 403),
        ("/v2/endpoint/poor", "hf_poor", 403),
        ("/v2/endpoint/ann", "", 401),
        ("/v2/endpoint/ann/other", "hf_ann", 404),
    ):
        assert (await get(hub, path, token=token))[0].status == status, path


@virtual_time
async def test_without_accounts_endpoints_are_open() -> None:
    """A test that is not about tokens need not make any."""
    hub = FakeHub(endpoints=[ManagedEndpoint("mine", "ann")])
    _, listed = await get(hub, "/v2/endpoint/ann")
    assert [each["name"] for each in listed["items"]] == ["mine"]


@virtual_time
async def test_the_status_page() -> None:
    """Of everything, and of what is not operational."""
    hub = FakeHub()
    _, page = await get(hub, "/index.json")
    assert page["data"]["attributes"]["aggregate_state"] == "operational"
    hub.status, hub.affected = "degraded", {"Inference Providers": "downtime"}
    _, page = await get(hub, "/index.json")
    assert page["data"]["attributes"]["aggregate_state"] == "degraded"
    assert page["included"][0]["attributes"]["public_name"] == "Inference Providers"
