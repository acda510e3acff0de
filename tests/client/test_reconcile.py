"""Reconciling: the bill is read, kept beside the ledger, and compared with it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from attrs import evolve
from billed_world import ALL, NOON, World

from bytebuddy_provider_hf.address import ROUTER
from bytebuddy_provider_hf.client.reconcile import reconcile
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.errors import AuthenticationFailed, MissingPermission
from bytebuddy_provider_hf.hub.billing import ENDPOINTS_API
from bytebuddy_provider_hf.money import Cost, Unpriced
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.attempt import Attempt, Payer
from bytebuddy_provider_hf.testing.hub_bill import INFERENCE, USER_BILLING, Account
from bytebuddy_provider_hf.testing.hub_endpoints import ManagedEndpoint
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.transport.credentials import Credential

pytestmark = pytest.mark.asyncio


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.ledger.close()


async def test_what_was_estimated_is_billed(world: World) -> None:
    """To the nano-USD, by session; the ledger has it too."""
    for session in ("a", "a", "b"):
        await world.call(session, text=f"words of {session} {world.now}")
        world.now += 60
    world.now += 3_600
    found = await world.reconcile()
    truth = sum(call.cost for call in world.hub.bill.calls)
    assert (found.since, found.until) == (date(2026, 11, 1), date(2026, 11, 30))
    assert [(each.session, each.settled) for each in found.sessions] == [
        ("a", 2),
        ("b", 1),
    ]
    assert found.total.billed == truth
    assert found.owner == "ann"
    assert found.total.pending == found.total.unmatched == 0
    report = await asyncio.to_thread(world.usage)
    assert report.total.billed == truth
    assert report.settlement.get("billed") == 3


async def test_cached_tokens_are_why_less_is_billed(world: World) -> None:
    """The estimate was a ceiling, and said so."""
    for _ in range(2):
        await world.call()
    world.now += 3_600
    found = await world.reconcile()
    (session,) = found.sessions
    assert session.is_ceiling
    (difference,) = found.differences
    assert difference.cause == "cached tokens"
    billed, estimated = session.billed or 0, session.estimated or 0
    assert difference.amount == billed - estimated < 0


async def test_what_is_not_told_yet_is_pending_and_not_nothing(world: World) -> None:
    """The bill shows a placeholder of $0: nothing of it is kept."""
    await world.call()
    found = await world.reconcile()
    assert (found.total.pending, found.total.billed) == (1, None)
    assert [each.cause for each in found.differences] == ["pending"]
    report = await asyncio.to_thread(world.usage)
    assert report.total.billed is None
    # The same call half an hour later.
    world.now += 1_801
    again = await world.reconcile()
    assert (again.total.pending, again.total.settled) == (0, 1)


@pytest.mark.parametrize(
    ("unpriced", "cause"),
    [
        ("no price", "no estimate"),
        ("answer cut", "answer cut"),
        ("compute time", "compute time"),
    ],
)
async def test_the_bill_prices_what_the_catalogue_cannot(
    world: World, unpriced: Unpriced, cause: str
) -> None:
    """Hidden prices, cut answers, compute time: named, and billed."""
    await world.call(model="org/hidden", unpriced=unpriced)
    world.now += 3_600
    found = await world.reconcile()
    assert found.total.estimated is None
    assert found.total.billed == world.hub.bill.calls[0].cost
    assert [each.cause for each in found.differences] == [cause]


async def test_other_programs_are_told_apart(world: World) -> None:
    """What the bill has beyond the ledger is named with its sum."""
    await world.call()
    await world.call("theirs", keep=False, text="quite other words")
    await world.call("", keep=False, text="without any session")
    world.now += 3_600
    found = await world.reconcile()
    (difference,) = found.differences
    assert (difference.cause, difference.calls) == ("other programs", 2)
    assert difference.amount == sum(call.cost for call in world.hub.bill.calls[1:])


async def test_an_organization_pays_its_own(world: World) -> None:
    """Its bill is read with the same token; the owner's has none of it."""
    await world.call("a", bill_to="acme")
    await world.call("b")
    world.now += 3_600
    found = await world.reconcile()
    assert [(each.name, each.is_organization) for each in found.accounts] == [
        ("ann", False),
        ("acme", True),
    ]
    assert [(each.account, each.settled) for each in found.sessions] == [
        ("ann", 1),
        ("acme", 1),
    ]


async def test_a_bill_that_may_not_be_read_is_named(world: World) -> None:
    """With the permission that is missing; the rest goes on without it."""
    ann = world.hub.bill.accounts["ann"]
    world.hub.bill.accounts["ann"] = evolve(ann, permissions={INFERENCE})
    await world.call("a", bill_to="acme")
    await world.call("b")
    world.now += 3_600
    found = await world.reconcile()
    own, acme = found.accounts
    assert isinstance(own.failure, MissingPermission)
    assert own.failure.permission == USER_BILLING
    assert acme.failure is None
    assert found.period_ends is not None
    mine, theirs = found.sessions
    assert (mine.account, mine.billed, mine.unmatched) == ("ann", None, 1)
    assert theirs.settled == 1


async def test_an_organization_nobody_billed_is_not_asked_in_vain(world: World) -> None:
    """The token may not read the bill of "other": that is no news."""
    await world.call()
    found = await world.reconcile()
    assert "other" not in {each.name for each in found.accounts}


async def test_a_token_that_is_refused_ends_it(world: World) -> None:
    """Nothing can be read with it."""
    with pytest.raises(AuthenticationFailed):
        await world.reconcile(token="hf_nobody")


async def test_calls_with_another_token_are_named(world: World) -> None:
    """Their bill is another account's."""
    await world.call(keep=False)
    identity = await asyncio.to_thread(world.ledger.identity, Secret("hf_bob"))
    payer = Payer(identity, "", ROUTER, "org/name")
    cost = Cost(5, is_pending=True)
    world.record(Attempt(payer, "chat", world.now, "x", status=200, cost=cost))
    found = await world.reconcile()
    assert not found.sessions
    assert len(found.unread) == 1
    assert "other tokens" in found.unread[0]


async def test_credits_are_told_once(world: World) -> None:
    """Used of included, of the account's own period."""
    await world.call()
    world.now += 3_600
    first = await world.reconcile()
    used = world.hub.bill.calls[0].cost
    assert [(each.percent, each.used, each.limit) for each in first.alerts] == [
        (50, used, 20_000)
    ]
    assert not (await world.reconcile()).alerts
    assert first.period_ends == datetime(2026, 12, 1, tzinfo=UTC).timestamp()


async def test_the_period_of_the_account_is_read_too(world: World) -> None:
    """Where it is no calendar month, its credits are those of its own days."""
    account = world.hub.bill.accounts["ann"]
    days = 86_400.0
    period = (NOON - 40 * days, NOON + 2 * days)
    world.hub.bill.accounts["ann"] = Account(
        "ann", account.token, permissions=ALL, period=period
    )
    world.now = NOON - 30 * days
    await world.call("before", keep=False)
    world.now = NOON
    await world.call("now")
    world.now += 3_600
    found = await world.reconcile()
    own = found.accounts[0]
    assert own.period is not None
    assert own.current is not None
    assert (own.period.requests, own.current.requests) == (1, 2)
    assert found.period_ends == period[1]


async def test_endpoints_are_priced_by_their_state(world: World) -> None:
    """Those that the token may see, by the minute; others are named as not metered."""
    world.hub.endpoints = [
        ManagedEndpoint("mine", "ann", last_used=NOON - 600, created=NOON - 7_200)
    ]
    identity = await asyncio.to_thread(world.ledger.identity, Secret("hf_ann"))
    seen = world.hub.endpoints[0].url
    hidden = "https://hers.us-east-1.aws.endpoints.huggingface.cloud"
    for origin in (seen, hidden):
        payer = Payer(identity, "", origin, "org/name")
        cost = Cost(unpriced="not metered")
        world.record(Attempt(payer, "chat", NOON, status=200, cost=cost))
    found = await world.reconcile()
    mine, hers = found.endpoints
    assert (mine.endpoint.name, mine.per_hour) == ("mine", 800_000_000)
    assert (mine.least, mine.most) == (-(-800_000_000 // 6), 1_600_000_000)
    assert (hers.endpoint.origin, hers.per_hour) == (hidden, None)
    # Calls of an endpoint are on no bill of the router's.
    assert not found.sessions


async def test_the_token_goes_to_hugging_face_only(world: World) -> None:
    """To the Hub and to the endpoints' management, and no header of an entry's."""
    await world.call()
    await world.reconcile()
    assert sorted(world.sent_to) == [
        (ENDPOINTS_API, True),
        ("https://huggingface.co", True),
    ]


async def test_nothing_is_asked_twice_for_sessions(world: World) -> None:
    """One whoami, a bill and its sessions for each account, the endpoints."""
    await world.call()
    before = len(world.hub.requests)
    await world.reconcile()
    asked = [request.path for request in world.hub.requests[before:]]
    assert asked.count("/api/whoami-v2") == 1
    assert len(asked) == len(set(asked))


async def test_without_a_ledger_the_bill_is_told_alone(world: World) -> None:
    """A machine that never called shows what others did."""
    await world.call("theirs", keep=False)
    world.now += 3_600
    found = await world.reconcile()
    assert not found.sessions
    assert [each.cause for each in found.differences] == ["other programs"]


@pytest.mark.parametrize(
    "when", [lambda: date(2026, 11, 1), lambda: date(2026, 11, 30)]
)
async def test_whole_months_are_compared(
    world: World, when: Callable[[], date]
) -> None:
    """The bill groups sessions by month: no part of one is compared with the whole."""
    await world.call()
    await world.ledger.flush()
    world.now += 3_600
    async with Runtime(connect=MemoryConnect(world.hub)) as runtime:
        found = await reconcile(
            world.folder,
            credential=Credential(Secret("hf_ann"), "HF_TOKEN"),
            since=when(),
            until=when(),
            runtime=runtime,
            env={},
            clock=world.hub.unix,
        )
    assert found.total.settled == 1


async def test_a_ledger_that_cannot_be_written_is_told(world: World) -> None:
    """What was read is shown all the same, and what is missing is named."""
    await world.call("theirs", keep=False)
    await world.ledger.flush()
    path = world.folder / USAGE.name
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    world.now += 3_600
    found = await world.reconcile()
    assert found.accounts[0].period is not None
    assert any(str(path) in said for said in found.unread)
