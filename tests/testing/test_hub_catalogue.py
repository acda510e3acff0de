"""FakeHub's router: what its catalogue shows, and which provider it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bytebuddy_provider_hf.hub.router_models import read_models
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import rate_limited
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_catalogue import PrefixCache, Provider
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

SLOW = Provider("novita", Price(100, 300), throughput=20, latency=900)
FAST = Provider("groq", Price(400, 800), throughput=500, latency=100)
FREE = Provider("together", is_free=True, throughput=1, supports_tools=False)
DEAD = Provider("cerebras", Price(1, 1), status="error", throughput=2_000)


def market(*providers: Provider) -> FakeHub:
    return FakeHub(catalogue={"org/name": providers or (SLOW, FAST, FREE, DEAD)})


async def ask(hub: FakeHub, model: str) -> FakeReply:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    request = FakeRequest(
        "POST", "/v1/chat/completions", body=json.dumps(body).encode()
    )
    reply = await hub.handle(request)
    reply.ended(whole=True)
    return reply


async def told(hub: FakeHub, path: str) -> Any:  # noqa: ANN401  # a JSON document
    reply = await hub.handle(FakeRequest("GET", path))
    return json.loads(reply.content)


@pytest.mark.parametrize(
    ("suffix", "provider"),
    [
        ("", "groq"),
        (":fastest", "groq"),
        (":cheapest", "together"),
        (":preferred", "novita"),
        (":novita", "novita"),
    ],
)
@virtual_time
async def test_the_policy_or_the_name_chooses(suffix: str, provider: str) -> None:
    """The fastest unless something else is asked for; never one that is not live."""
    reply = await ask(market(), f"org/name{suffix}")
    assert reply.headers["x-inference-provider"] == provider


@pytest.mark.parametrize("suffix", [":cerebras", ":nobody"])
@virtual_time
async def test_a_provider_that_is_not_live_is_refused(suffix: str) -> None:
    """As the router says it: not supported by any provider."""
    reply = await ask(market(), f"org/name{suffix}")
    assert json.loads(reply.content)["error"]["code"] == "model_not_supported"


@virtual_time
async def test_a_restless_router_moves_all_but_those_who_name_a_provider() -> None:
    """``moves`` is how often it takes another; a named one is nobody's to change."""
    hub = market()
    hub.market.moves = 1.0
    free = {
        (await ask(hub, "org/name")).headers["x-inference-provider"] for _ in range(30)
    }
    named = {
        (await ask(hub, "org/name:groq")).headers["x-inference-provider"]
        for _ in range(30)
    }
    assert free == {"novita", "groq", "together"}
    assert named == {"groq"}


@virtual_time
async def test_the_catalogue_is_as_the_router_writes_it() -> None:
    """Dollars for a million tokens, and only what is known."""
    hub = market()
    listed = await told(hub, "/v1/models")
    one = await told(hub, "/v1/models/org/name")
    assert listed["data"] == [one]
    slow, _, free, dead = one["providers"]
    assert slow["pricing"] == {"input": 1e-7, "output": 3e-7}
    assert "is_free" not in slow
    assert (free["is_free"], "pricing" in free) == (True, False)
    assert dead["status"] == "error"
    assert (await told(hub, "/v1/models/no/such"))["error"]


@virtual_time
async def test_the_client_reads_the_prices_back() -> None:
    """What stands in the catalogue is exactly what the bill reckons with."""
    hub = market(Provider("groq", Price(123_456_789, 7)))
    reply = await hub.handle(FakeRequest("GET", "/v1/models"))
    found = read_models(reply.content)
    assert found is not None
    assert found[0].offers[0].price == Price(123_456_789, 7)


@virtual_time
async def test_a_provider_may_behave_in_its_own_way() -> None:
    """One refuses; the others of the model do not."""
    refusing = Provider("groq", behaviour=Behaviour(always=rate_limited()))
    hub = market(refusing, SLOW)
    assert (await ask(hub, "org/name:groq")).status == 429
    assert (await ask(hub, "org/name:novita")).status == 200


def test_a_prefix_counts_to_the_first_other_token() -> None:
    """And never the whole prompt: the last token is always read."""
    cache = PrefixCache()
    assert cache.hits("abc") == 0
    cache.keep("abcd")
    assert cache.hits("abcd") == 3
    assert cache.hits("abxd") == 2
    assert cache.hits("bcd") == 0
    assert cache.hits("abcdef") == 4
