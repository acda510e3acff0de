"""FakeHub's books: what calls cost, who pays, who may read it, and when it shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest

from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.failures import overloaded
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import ORG_BILLING, Account
from bytebuddy_provider_hf.testing.hub_catalogue import Provider
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

# 2026-11-20: the hub's clock begins at 1,000 s.
EPOCH = 1_795_131_000.0
PRICE = Price(200_000_000, 600_000_000)
ANN = Account(
    "ann",
    "hf_ann",
    organizations=("acme", "other"),
    scoped={"acme": frozenset({ORG_BILLING})},
)
ACME = Account("acme", included=2_000_000_000, limit=5_000_000_000)


def hub_of(
    *providers: Provider, accounts: tuple[Account, ...] = (ANN, ACME)
) -> FakeHub:
    return FakeHub(
        {"org/name": Behaviour(answer=echo)},
        catalogue={"org/name": providers},
        accounts=accounts,
        epoch=EPOCH,
    )


async def say(
    hub: FakeHub,
    text: str = "one two three",
    *,
    model: str = "org/name",
    token: str = "hf_ann",
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, object] | None = None,
) -> FakeReply:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    reply = await hub.handle(
        FakeRequest(
            "POST",
            "/v1/chat/completions",
            headers={"authorization": f"Bearer {token}", **(headers or {})},
            body=json.dumps({**body, **(extra or {})}).encode(),
        )
    )
    reply.ended(whole=True)
    return reply


async def read(
    hub: FakeHub, path: str, *, token: str = "hf_ann", **query: str
) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    reply = await hub.handle(FakeRequest("GET", path, query=query, headers=headers))
    reply.ended(whole=True)
    return reply.status, json.loads(reply.content)


async def used(hub: FakeHub, owner: str = "") -> dict[str, Any]:
    place = f"organizations/{owner}" if owner else "settings"
    status, said = await read(hub, f"/api/{place}/billing/usage-v2")
    assert status == 200
    found: dict[str, Any] = said["usage"]["inferenceProviders"]
    return found


@virtual_time
async def test_a_call_costs_its_tokens_at_the_price_of_who_served() -> None:
    """Two tokens read at 0.2 USD a million and three written at 0.6: 2,600 nano-USD."""
    hub = hub_of(Provider("groq", PRICE))
    reply = await say(hub, "one")
    assert reply.headers["x-inference-provider"] == "groq"
    (call,) = hub.bill.calls
    # The mark of the role and the word; the answer is the word.
    assert (call.prompt_tokens, call.completion_tokens) == (2, 1)
    assert call.cost == Fraction(2 * 200_000_000 + 600_000_000, 10**6)
    assert reply.headers["x-inference-id"] == call.inference_id


@virtual_time
async def test_a_call_is_a_placeholder_until_its_provider_tells_the_cost() -> None:
    """It is counted at once and costs nothing yet; a minute later its price stands."""
    hub = hub_of(Provider("groq", PRICE, told_after=60))
    await say(hub)
    before = await used(hub)
    await asyncio.sleep(61)
    after = await used(hub)
    assert (before["numRequests"], before["usedNanoUsd"]) == (1, 0)
    assert (after["numRequests"], after["usedNanoUsd"]) == (1, hub.bill.calls[0].cost)
    assert after["usedNanoUsd"] > 0


@pytest.mark.parametrize("told_after", [None, 1_801.0])
@virtual_time
async def test_what_a_provider_tells_too_late_is_never_charged(
    told_after: float | None,
) -> None:
    """Half an hour after the call its cost is 0, and stays so."""
    hub = hub_of(Provider("groq", PRICE, told_after=told_after))
    await say(hub)
    await asyncio.sleep(7_200)
    assert (await used(hub))["usedNanoUsd"] == 0


@virtual_time
async def test_a_failure_is_not_billed() -> None:
    """Only 2xx and 3xx are."""
    busy = Behaviour(always=overloaded())
    hub = hub_of(Provider("groq", PRICE, behaviour=busy))
    assert (await say(hub)).status == 503
    assert not hub.bill.calls


@virtual_time
async def test_a_changed_reply_is_billed_by_its_status() -> None:
    """``change`` may put a failure in the place of an answer, which then costs none."""
    replies = iter([overloaded(), None])
    changing = Behaviour(change=lambda _request, reply: next(replies) or reply)
    hub = hub_of(Provider("groq", PRICE, behaviour=changing))
    assert [(await say(hub)).status for _ in range(2)] == [503, 200]
    assert len(hub.bill.calls) == 1


@virtual_time
async def test_a_prompt_that_goes_on_is_cheaper_where_it_was_read_before() -> None:
    """The provider counts the longest beginning it has seen; another has seen none."""
    cheap = Provider("groq", PRICE, cached_price=20_000_000)
    hub = hub_of(cheap, Provider("novita", PRICE, cached_price=20_000_000))
    turns = [{"role": "user", "content": "one two"}]
    for provider in ("groq", "novita"):
        await say(hub, model=f"org/name:{provider}", extra={"messages": turns})
    turns += [
        {"role": "assistant", "content": "one two"},
        {"role": "user", "content": "three"},
    ]
    reply = await say(hub, model="org/name:groq", extra={"messages": turns})
    last = hub.bill.calls[-1]
    # Three of the question and three of its answer; the new question is two more.
    assert (last.prompt_tokens, last.cached_tokens) == (8, 6)
    assert last.cost == 2 * 200 + 6 * 20 + 600
    details = json.loads(reply.content)["usage"]["prompt_tokens_details"]
    assert details == {"cached_tokens": 6}


@virtual_time
async def test_a_free_model_costs_nothing_and_one_without_a_price_does() -> None:
    """``is_free`` is billed at 0; a price that no catalogue names is billed still."""
    free = Provider("groq", PRICE, is_free=True)
    hidden = Provider("novita", hidden_price=PRICE)
    hub = hub_of(free, hidden)
    for provider in ("groq", "novita"):
        await say(hub, model=f"org/name:{provider}")
    assert [call.cost > 0 for call in hub.bill.calls] == [False, True]
    listed = await read(hub, "/v1/models/org/name", token="")
    assert ["pricing" in each for each in listed[1]["providers"]] == [True, False]


@virtual_time
async def test_a_cost_that_the_answer_reports_is_the_billed_one() -> None:
    """Whole and streamed, as deepinfra does."""
    hub = hub_of(Provider("deepinfra", PRICE, reports_cost=True))
    whole = await say(hub)
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    streamed = await say(hub, extra=asked)
    cost = hub.bill.calls[0].cost / 10**9
    assert json.loads(whole.content)["usage"]["estimated_cost"] == cost
    assert f'"estimated_cost": {cost}'.encode() in streamed.content


@virtual_time
async def test_an_organization_pays_for_what_names_it() -> None:
    """X-HF-Bill-To puts a call on its bill, and off the caller's own."""
    hub = hub_of(Provider("groq", PRICE, told_after=0))
    await say(hub)
    await say(hub, headers={"x-hf-bill-to": "acme"})
    assert (await used(hub))["numRequests"] == 1
    assert (await used(hub, "acme"))["numRequests"] == 1
    assert (await used(hub, "acme"))["limitNanoUsd"] == 5_000_000_000


@virtual_time
async def test_sessions_group_the_bill() -> None:
    """The calls of one X-HF-Session-id are one line of a month, in cents."""
    hub = hub_of(Provider("groq", PRICE, told_after=0))
    for session in ("a", "a", "b", ""):
        await say(hub, headers={"x-hf-session-id": session} if session else {})
    status, said = await read(hub, "/api/settings/billing/usage-by-inference-session")
    assert (status, said["currency"]) == (200, "USD")
    (period,) = said["periods"]
    assert period["period"] == "2026-11-01T00:00:00.000Z"
    assert [(each["id"], each["requestCount"]) for each in period["sessions"]] == [
        ("a", 2),
        ("b", 1),
    ]
    cost = 2 * hub.bill.calls[0].cost
    assert Fraction(repr(period["sessions"][0]["costCents"])) * 10**7 == cost


@virtual_time
async def test_the_bill_is_of_the_time_that_was_asked_for() -> None:
    """Seconds or ISO 8601; what came earlier or later is not on it."""
    hub = hub_of(Provider("groq", PRICE, told_after=0))
    for _ in range(3):
        await say(hub)
        await asyncio.sleep(3_600)
    path = "/api/settings/billing/usage-v2"
    at = int(hub.bill.calls[1].at)
    times = {"startDate": str(at), "endDate": str(at + 60)}
    said = (await read(hub, path, **times))[1]
    assert said["usage"]["inferenceProviders"]["numRequests"] == 1


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/api/settings/billing/usage-v2", "", 401),
        ("/api/settings/billing/usage-v2", "hf_nobody", 401),
        ("/api/settings/billing/usage-v2", "hf_poor", 403),
        ("/api/organizations/acme/billing/usage-v2", "hf_ann", 200),
        ("/api/organizations/other/billing/usage-v2", "hf_ann", 403),
        ("/api/organizations/acme/billing/usage-v2", "hf_poor", 403),
        ("/api/settings/billing/invoices", "hf_ann", 404),
    ],
)
@virtual_time
async def test_the_bill_is_for_those_who_may_read_it(
    path: str, token: str, status: int
) -> None:
    """The permissions user.billing.read and, for an organization, org.billing.read."""
    poor = Account("poor", "hf_poor", permissions=("inference.serverless.write",))
    hub = hub_of(Provider("groq", PRICE), accounts=(ANN, ACME, Account("other"), poor))
    headers = {"authorization": f"Bearer {token}"} if token else {}
    reply = await hub.handle(FakeRequest("GET", path, headers=headers))
    assert reply.status == status


@virtual_time
async def test_calls_want_a_known_token_and_a_payer_of_its_own() -> None:
    """401 for a stranger, 403 for the bill of an organization that is not theirs."""
    hub = hub_of(Provider("groq", PRICE))
    assert (await say(hub, token="hf_nobody")).status == 401
    assert (await say(hub, headers={"x-hf-bill-to": "foes"})).status == 403
    assert not hub.bill.calls


@virtual_time
async def test_nothing_is_served_beyond_the_credits_or_the_limit() -> None:
    """402 once the bill shows it: what is not billed yet does not count."""
    mean = Account("ann", "hf_ann", included=1, pays_more=False)
    hub = hub_of(Provider("groq", PRICE), accounts=(mean,))
    assert [(await say(hub)).status for _ in range(2)] == [200, 200]
    await asyncio.sleep(61)
    assert (await say(hub)).status == 402


@virtual_time
async def test_whoami_tells_the_period_the_organizations_and_the_permissions() -> None:
    """The calendar month where no other period is given."""
    hub = hub_of(Provider("groq", PRICE))
    status, who = await read(hub, "/api/whoami-v2")
    assert (status, who["name"], who["billingMode"]) == (200, "ann", "prepaid")
    assert who["periodEnd"] == 1_796_083_200  # 2026-12-01
    assert [each["name"] for each in who["orgs"]] == ["acme", "other"]
    scoped = who["auth"]["accessToken"]["fineGrained"]["scoped"]
    assert scoped[1] == {
        "entity": {"type": "org", "name": "acme"},
        "permissions": [ORG_BILLING],
    }
    assert (await read(hub, "/api/whoami-v2", token="hf_x"))[0] == 401


@virtual_time
async def test_a_task_of_hf_inference_is_billed_by_time() -> None:
    """Its headers tell the time, nobody tells the price; the bill has it."""
    hub = hub_of(Provider("groq", PRICE))
    path = "/hf-inference/models/org/name/pipeline/feature-extraction"
    headers = {"authorization": "Bearer hf_ann"}
    body = json.dumps({"inputs": "one two"}).encode()
    reply = await hub.handle(FakeRequest("POST", path, headers=headers, body=body))
    assert reply.headers["x-compute-type"] == "cpu"
    (call,) = hub.bill.calls
    assert call.provider == "hf-inference"
    # Four words at 1,000 a second, and 0.00012 USD a second.
    assert call.cost == 480
