"""The bill, its sessions, the owner of a token and dedicated endpoints, as read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.hub import billing
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import (
    ENDPOINTS,
    INFERENCE,
    ORG_BILLING,
    USER_BILLING,
    Account,
)
from bytebuddy_provider_hf.testing.hub_catalogue import Provider
from bytebuddy_provider_hf.testing.hub_endpoints import ManagedEndpoint
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.http_client import Destination, HttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest, json_body

EPOCH = 1_795_131_000.0
TOKEN = Secret("hf_ann")
PARSERS: list[Callable[[bytes], object]] = [
    billing.parse_bill,
    billing.parse_sessions,
    billing.parse_whoami,
    billing.parse_hourly_prices,
    lambda data: billing.parse_endpoints(data, "ann"),
]


def client_of(hub: FakeHub, origin: str = HUB) -> HttpClient:
    return MemoryConnect(hub)(Destination(origin, TOKEN))


def hub_with(*permissions: str, **scoped: frozenset[str]) -> FakeHub:
    ann = Account(
        "ann",
        "hf_ann",
        permissions=(INFERENCE, *permissions),
        organizations=("acme",),
        scoped=scoped,
        included=100_000_000,
        limit=3_000_000_000,
    )
    price = Price(200_000_000, 600_000_000)
    return FakeHub(
        catalogue={"org/name": [Provider("groq", price, told_after=0)]},
        accounts=(ann, Account("acme")),
        endpoints=[ManagedEndpoint("mine", "ann", last_used=EPOCH)],
        epoch=EPOCH,
    )


async def spend(hub: FakeHub, session: str, *, bill_to: str = "") -> None:
    body = {"model": "org/name", "messages": [{"role": "user", "content": "Hi"}]}
    headers = [("x-hf-session-id", session)]
    headers += [("x-hf-bill-to", bill_to)] if bill_to else []
    call = HttpRequest(
        f"{HUB}/v1/chat/completions", json_body(body), headers=tuple(headers)
    )
    response = await client_of(hub).send(call)
    assert response.status == 200
    await response.read(10_000)


@virtual_time
async def test_the_bill_is_read_to_the_nano_dollar() -> None:
    """Used, included, limit, requests and the account's period."""
    hub = hub_with(USER_BILLING)
    await spend(hub, "a")
    bill = await billing.read_bill(client_of(hub), since=EPOCH, until=EPOCH + 9_999)
    assert bill.used == hub.bill.calls[0].cost
    assert (bill.included, bill.limit, bill.requests) == (100_000_000, 3_000_000_000, 1)
    assert (bill.starts, bill.ends) == (1_793_491_200.0, 1_796_083_200.0)


@virtual_time
async def test_an_organizations_bill_is_another() -> None:
    """What it pays for does not stand on the caller's own."""
    hub = hub_with(USER_BILLING, acme=frozenset({ORG_BILLING}))
    await spend(hub, "a", bill_to="acme")
    client, times = client_of(hub), {"since": EPOCH, "until": EPOCH + 9_999}
    own = await billing.read_bill(client, **times, organization=None)
    org = await billing.read_bill(client, **times, organization="acme")
    assert (own.requests, org.requests) == (0, 1)
    assert org.limit is None
    found = await billing.read_sessions(client, **times, organization="acme")
    assert [each.id for each in found] == ["a"]


@virtual_time
async def test_sessions_are_read_to_the_nano_dollar() -> None:
    """Cents with fractions are amounts of 10⁻⁹ USD, exactly."""
    hub = hub_with(USER_BILLING)
    for session in ("a", "b", "a"):
        await spend(hub, session)
    times = {"since": EPOCH, "until": EPOCH + 9_999}
    found = await billing.read_sessions(client_of(hub), **times)
    cost = hub.bill.calls[0].cost
    assert found == (
        billing.SessionBill("a", 2 * cost, 2, 1_793_491_200.0),
        billing.SessionBill("b", cost, 1, 1_793_491_200.0),
    )


@virtual_time
async def test_an_empty_range_is_none() -> None:
    """A second at least is asked about: Hugging Face refuses an empty range."""
    hub = hub_with(USER_BILLING)
    await billing.read_bill(client_of(hub), since=EPOCH, until=EPOCH)
    query = hub.requests[-1].query
    assert int(query["endDate"]) == int(query["startDate"]) + 1


@pytest.mark.parametrize(
    ("organization", "permission", "page"),
    [
        (None, USER_BILLING, f"?ownUserPermissions={USER_BILLING}&"),
        ("acme", ORG_BILLING, "/settings/tokens/new?tokenType=fineGrained"),
    ],
)
@virtual_time
async def test_a_token_that_may_not_read_the_bill_is_told_what_it_lacks(
    organization: str | None, permission: str, page: str
) -> None:
    """The permission by its name, and where a token with it is made."""
    hub = hub_with()
    for read in (billing.read_bill, billing.read_sessions):
        with pytest.raises(errors.MissingPermission) as caught:
            await read(client_of(hub), since=1, until=2, organization=organization)
        failure = caught.value
        assert (failure.permission, failure.status) == (permission, 403)
        assert f"`{permission}`" in failure.message
        assert page in str(failure.hint)
        assert "hf_ann" not in str(failure)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthenticationFailed),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (404, errors.APIError),
        (302, errors.APIError),
    ],
)
@virtual_time
async def test_a_failure_is_told_by_its_class(
    status: int, kind: type[errors.APIError]
) -> None:
    """And quotes nothing of the answer, which may echo the token."""

    async def answer(_request: FakeRequest) -> FakeReply:
        return json_reply({"error": "hf_ann"}, status=status)

    client = MemoryConnect(answer)(Destination(HUB, TOKEN))
    asked: list[Awaitable[object]] = [
        billing.read_bill(client, since=1, until=2),
        billing.read_sessions(client, since=1, until=2),
        billing.read_whoami(client),
        billing.read_endpoints(client, "ann"),
    ]
    for each in asked:
        with pytest.raises(kind) as caught:
            await each
        assert caught.value.status == status
        assert "hf_ann" not in f"{caught.value!r}{caught.value}{caught.value.body}"


@virtual_time
async def test_an_answer_that_is_no_bill_is_an_error() -> None:
    """It is never read as a bill of nothing."""

    async def answer(_request: FakeRequest) -> FakeReply:
        return json_reply({"usage": {}})

    client = MemoryConnect(answer)(Destination(HUB, TOKEN))
    for read in (billing.read_bill, billing.read_sessions):
        with pytest.raises(errors.MalformedResponse):
            await read(client, since=1, until=2)


@virtual_time
async def test_the_holder_of_a_token_and_what_it_may() -> None:
    """Permissions of a fine-grained token by whose account they are for."""
    hub = hub_with(USER_BILLING, acme=frozenset({ORG_BILLING}))
    found = await billing.read_whoami(client_of(hub))
    assert (found.name, found.organizations) == ("ann", ("acme",))
    assert found.period_ends == 1_796_083_200.0
    assert found.may(USER_BILLING) is True
    assert found.may(ENDPOINTS) is False
    assert found.may(ORG_BILLING, "acme") is True
    assert found.may(USER_BILLING, "acme") is False


def test_what_a_token_that_is_not_fine_grained_may_is_not_known() -> None:
    """Its role does not say; neither yes nor no is guessed."""
    said = {"name": "ann", "auth": {"accessToken": {"role": "write"}}}
    found = billing.parse_whoami(json.dumps(said).encode())
    assert found is not None
    assert found.may(USER_BILLING) is None


@virtual_time
async def test_endpoints_are_read_with_their_prices() -> None:
    """State, replicas, the time-out in seconds, the last use, an hour's price."""
    hub = hub_with(ENDPOINTS)
    client = client_of(hub, billing.ENDPOINTS_API)
    (found,) = await billing.read_endpoints(client, "ann")
    assert (found.name, found.state, found.replicas) == ("mine", "running", 1)
    assert (found.idle_after, found.last_used) == (3_600, EPOCH)
    assert found.hourly == 800_000_000
    assert found.origin == "https://mine.us-east-1.aws.endpoints.huggingface.cloud"


@virtual_time
async def test_an_endpoint_without_a_listed_price_has_none() -> None:
    """Unknown is not nothing."""
    hub = hub_with(ENDPOINTS)
    hub.endpoints = [ManagedEndpoint("mine", "ann", hourly=None, idle_minutes=None)]
    client = client_of(hub, billing.ENDPOINTS_API)
    (found,) = await billing.read_endpoints(client, "ann")
    assert (found.hourly, found.idle_after, found.last_used) == (None, None, None)


@virtual_time
async def test_prices_that_cannot_be_read_leave_the_endpoints() -> None:
    """They are still named."""

    async def answer(request: FakeRequest) -> FakeReply:
        if "/provider/" in request.path:
            return json_reply({}, status=500)
        return json_reply({"items": [ManagedEndpoint("mine", "ann").json()]})

    client = MemoryConnect(answer)(Destination(billing.ENDPOINTS_API, TOKEN))
    (found,) = await billing.read_endpoints(client, "ann")
    assert (found.name, found.hourly) == ("mine", None)


@virtual_time
async def test_endpoints_that_may_not_be_seen() -> None:
    """The permission is named."""
    with pytest.raises(errors.MissingPermission) as caught:
        await billing.read_endpoints(client_of(hub_with()), "ann")
    assert caught.value.permission == ENDPOINTS


@pytest.mark.parametrize(
    ("cents", "cost"),
    [
        (0, 0),
        (0.1, 1_000_000),
        (12.3456789, 123_456_789),
        ("25", 250_000_000),
        (1e-7, 1),
        (-1, None),
        (True, None),
        ("x", None),
        (None, None),
    ],
)
def test_cents_are_exact(cents: object, cost: int | None) -> None:
    """No float takes part; what is no amount is unknown."""
    session = {"id": "a", "requestCount": 1, "costCents": cents}
    said = {"currency": "USD", "periods": [{"sessions": [session]}]}
    found = billing.parse_sessions(json.dumps(said).encode())
    assert found == (billing.SessionBill("a", cost, 1),)


def test_another_currency_tells_no_amount() -> None:
    """Euros are not taken for dollars."""
    session = {"id": "a", "requestCount": 1, "costCents": 5}
    said = {"currency": "EUR", "periods": [{"sessions": [session]}]}
    found = billing.parse_sessions(json.dumps(said).encode())
    assert found is not None
    assert found[0].cost is None


@pytest.mark.parametrize("nano", [1.5, -1, "5", True, None, 2**60])
def test_an_amount_that_is_no_whole_number_is_unknown(nano: object) -> None:
    """Never 0, and never cut to something."""
    said = {"usage": {"inferenceProviders": {"usedNanoUsd": nano}}}
    assert billing.parse_bill(json.dumps(said).encode()) == billing.Bill()


@pytest.mark.parametrize("parse", PARSERS)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            *(
                                "usage",
                                "inferenceProviders",
                                "usedNanoUsd",
                                "periodEnd",
                            ),
                            *("periods", "sessions", "id", "costCents", "currency"),
                            *("items", "name", "status", "compute", "scaling", "orgs"),
                            *("vendors", "regions", "computes", "pricePerHour", "auth"),
                            *("accessToken", "fineGrained", "scoped", "entity", "data"),
                            *("attributes", "included", "global", "permissions"),
                        ]
                    ),
                    inner,
                    max_size=6,
                )
            ),
            max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_the_readers_are_total(parse: Callable[[bytes], object], data: bytes) -> None:
    """Any bytes at all are read, or are no answer."""
    parse(data)
