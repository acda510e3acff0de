"""Read the bill, keep it beside the ledger, and tell where the two differ.

The user's token goes to https://huggingface.co and https://api.endpoints.huggingface
.cloud only. Estimated, reported and billed amounts stand side by side: they say the
same thing three times and are never added.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.address import HUB, ROUTER, HostKind, parse
from bytebuddy_provider_hf.client.bill_comparison import (
    TOLD_WITHIN,
    Cause,
    ComparedSession,
    Comparison,
    Difference,
    compare,
    total_of,
)
from bytebuddy_provider_hf.client.endpoint_costs import (
    EndpointCost,
    endpoint_cost,
    not_metered,
)
from bytebuddy_provider_hf.client.runtime import Runtime, shared_runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConfigError,
)
from bytebuddy_provider_hf.hub.billing import (
    ENDPOINTS,
    ENDPOINTS_API,
    ORG_BILLING,
    UNAUTHORIZED,
    AccountHolder,
    Bill,
    DedicatedEndpoint,
    SessionBill,
    read_bill,
    read_endpoints,
    read_sessions,
    read_whoami,
)
from bytebuddy_provider_hf.storage.bills import BilledPeriod, BilledSession, put_bill
from bytebuddy_provider_hf.storage.budgets import credit_alerts, put_period
from bytebuddy_provider_hf.storage.ledger import open_ledger
from bytebuddy_provider_hf.storage.session_usage import (
    SessionUsage,
    read_session_usage,
)
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.transport.credentials import (
    Credential,
    refuse_hub_placeholder,
)
from bytebuddy_provider_hf.transport.http_client import HttpClient, destination_for
from bytebuddy_provider_hf.types import BudgetAlert

__all__ = [
    "Cause",
    "ComparedSession",
    "Difference",
    "EndpointCost",
    "ReconciledAccount",
    "Reconciliation",
    "reconcile",
]

# Servers that somebody pays for by the minute, whatever is asked of them.
_BY_THE_MINUTE: Final = (HostKind.ENDPOINT, HostKind.JOB)


@frozen
class ReconciledAccount:
    """The bill of one account: the token's owner, or an organization of theirs.

    ``period`` is the bill of the range that was asked for, ``current`` that of the
    account's own period. Where they could not be read, ``failure`` says why, in its
    hint what to do.
    """

    name: str
    is_organization: bool
    period: Bill | None = None
    current: Bill | None = None
    failure: ByteBuddyError | None = None
    sessions: tuple[SessionBill, ...] = field(default=(), repr=False)

    @property
    def bill_to(self) -> str:
        """What the ledger calls it: "" for the owner of the token."""
        return self.name if self.is_organization else ""


@frozen
class Reconciliation:
    """What the ledger and the bill say of the same days, side by side.

    ``total`` sums the ``sessions``. ``unread`` are sentences for people on what could
    not be compared, such as calls with another token. ``alerts`` were passed for the
    first time: credits. ``period_ends`` is when the account's own period does, in
    seconds of the Unix clock.
    """

    since: date
    until: date
    owner: str
    accounts: tuple[ReconciledAccount, ...]
    sessions: tuple[ComparedSession, ...]
    total: ComparedSession
    differences: tuple[Difference, ...]
    endpoints: tuple[EndpointCost, ...]
    unread: tuple[LocalizedText, ...]
    alerts: tuple[BudgetAlert, ...]
    period_ends: float | None


async def reconcile(
    folder: Path,
    *,
    credential: Credential,
    since: date,
    until: date,
    runtime: Runtime = shared_runtime,
    options: RequestOptions | None = None,
    env: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> Reconciliation:
    """Read the bill of the whole months that ``since`` to ``until`` (UTC) touch.

    Months, because the bill groups its sessions by them: a part of one would be
    compared with the whole. ``folder`` is the ledger's; what is read is kept there.
    ``credential`` must be the user's own, such as ``transport.credentials.find_token``
    finds it: never one that a project's file wrote. Of ``options`` proxy and
    authorities count. Raises any ``ByteBuddyError`` where not even the owner of the
    token can be read; a bill that cannot be read is told by its account.
    """
    refuse_hub_placeholder(credential)
    env = os.environ if env is None else env
    # Headers are tied to the address they were written for.
    way = evolve(options or RequestOptions(), headers={}, extra_body_properties={})
    since, until = since.replace(day=1), _next_month(until) - timedelta(days=1)
    begins, ends = _seconds(since), _seconds(until + timedelta(days=1))
    now = clock()
    identity = await asyncio.to_thread(
        lambda: open_ledger(folder).identity(credential.secret)
    )
    usage = await asyncio.to_thread(
        read_session_usage,
        folder,
        since=begins,
        until=ends,
        young_since=now - TOLD_WITHIN,
    )
    lease = runtime.lease()
    try:
        clients = lease.state().clients
        hub = destination_for(HUB, credential.secret, way, env=env)
        with clients.lend(hub) as client:
            holder = await read_whoami(client)
            accounts = await _read_accounts(
                client, holder, usage, since=begins, until=ends, now=now
            )
        management = destination_for(ENDPOINTS_API, credential.secret, way, env=env)
        with clients.lend(management) as client:
            managed, unread = await _read_managed(client, holder, usage)
    finally:
        await lease.aclose()
    compared = [_compared_account(each, usage, identity=identity) for each in accounts]
    alerts: tuple[BudgetAlert, ...] = ()
    try:
        alerts = await asyncio.to_thread(
            keep_bills, folder, accounts, identity=identity, compared=compared, now=now
        )
    except ConfigError as error:
        # What was read is shown all the same.
        unread = [*unread, text("billing.not_kept", reason=error)]
    sessions = tuple(session for each in compared for session in each.sessions)
    origins = {each.origin for each in managed}
    used = sorted({each.origin for each in usage if _is_by_the_minute(each.origin)})
    costs = [endpoint_cost(m, since=begins, until=ends, now=now) for m in managed]
    costs += [not_metered(origin) for origin in used if origin not in origins]
    # What another token pays for is on a bill that this one may not read.
    strange = sum(
        each.answered
        for each in usage
        if each.identity != identity and each.origin == ROUTER
    )
    if strange:
        unread = [*unread, text("billing.other_tokens", calls=f"{strange:,}")]
    own = accounts[0].current or accounts[0].period
    return Reconciliation(
        since=since,
        until=until,
        owner=holder.name,
        accounts=accounts,
        sessions=sessions,
        total=total_of(sessions),
        differences=tuple(each for c in compared for each in c.differences),
        endpoints=tuple(costs),
        unread=tuple(unread),
        alerts=alerts,
        period_ends=(own.ends if own else None) or holder.period_ends,
    )


def keep_bills(
    folder: Path,
    accounts: Sequence[ReconciledAccount],
    *,
    identity: str,
    compared: Sequence[Comparison],
    now: float,
) -> tuple[BudgetAlert, ...]:
    """Keep beside the ledger what the bill says, and return the alerts on credits.

    A session is kept once all of its calls are settled: until then its amount would
    pass for the whole. Blocks.
    """
    for account, comparison in zip(accounts, compared, strict=True):
        open_ones = {each.session for each in comparison.sessions if each.pending}
        current = account.current
        periods = []
        if (
            current is not None
            and current.used is not None
            and current.included is not None
            and current.starts is not None
            and current.ends is not None
        ):
            periods.append(
                BilledPeriod(
                    current.starts,
                    current.ends,
                    current.used,
                    current.included,
                    current.limit,
                    current.requests or 0,
                )
            )
        sessions = [
            BilledSession(
                line.id,
                line.cost,
                line.requests or 0,
                line.starts,
                _seconds(_next_month(_day(line.starts))),
            )
            for line in account.sessions
            if line.cost is not None
            and line.starts is not None
            and line.id not in open_ones
        ]
        if sessions or periods:
            put_bill(
                folder,
                identity=identity,
                bill_to=account.bill_to,
                sessions=sessions,
                periods=periods,
                read_at=now,
            )
    own = accounts[0].current
    if own is None or own.starts is None or own.ends is None:
        return ()
    put_period(folder, own.starts, own.ends)
    if own.used is None or own.included is None:
        return ()
    return credit_alerts(
        folder,
        used=own.used,
        included=own.included,
        limit=own.limit,
        period=(own.starts, own.ends),
    )


async def _read_accounts(
    client: HttpClient,
    holder: AccountHolder,
    usage: Sequence[SessionUsage],
    *,
    since: float,
    until: float,
    now: float,
) -> tuple[ReconciledAccount, ...]:
    """Return the bills of the token's owner, who comes first, and of organizations.

    Of an organization that nobody here billed anything to, a failure is not told.
    """
    payers = {each.bill_to for each in usage if each.bill_to}
    found = []
    for name in (None, *dict.fromkeys([*holder.organizations, *sorted(payers)])):
        if name not in {None, *payers} and holder.may(ORG_BILLING, name or "") is False:
            continue
        account = ReconciledAccount(name or holder.name, name is not None)
        try:
            times = {"since": since, "until": until}
            bill = await read_bill(client, **times, organization=name)
            current: Bill | None = bill
            # Credits are those of the account's own period, which may be no month.
            if bill.starts is not None and bill.starts != since:
                current = await read_bill(
                    client, since=bill.starts, until=now, organization=name
                )
            account = evolve(account, period=bill, current=current)
            lines = await read_sessions(client, **times, organization=name)
            account = evolve(account, sessions=lines)
        except ByteBuddyError as error:
            # A token that is refused now tells nothing of anybody.
            if error.status == UNAUTHORIZED:
                raise
            if name is not None and name not in payers:
                continue
            account = evolve(account, failure=error)
        found.append(account)
    return tuple(found)


async def _read_managed(
    client: HttpClient, holder: AccountHolder, usage: Sequence[SessionUsage]
) -> tuple[list[DedicatedEndpoint], list[LocalizedText]]:
    """Return the endpoints that the token may see, and why it does not see others."""
    found: list[DedicatedEndpoint] = []
    unread: list[LocalizedText] = []
    wanted = any(_is_by_the_minute(each.origin) for each in usage)
    for namespace in (holder.name, *holder.organizations):
        # Most tokens are for inference only: who uses no endpoint need not be told.
        if holder.may(ENDPOINTS, namespace) is not True and not wanted:
            continue
        try:
            found += await read_endpoints(client, namespace)
        except ByteBuddyError as error:
            said = text("billing.endpoints_unread", owner=namespace, reason=error)
            unread.append(said)
    return found, unread if wanted else []


def _compared_account(
    account: ReconciledAccount, usage: Sequence[SessionUsage], *, identity: str
) -> Comparison:
    own = [
        each
        for each in usage
        if each.identity == identity
        and each.origin == ROUTER
        and each.bill_to == account.bill_to
    ]
    # Half of a bill would make the other half a difference.
    bill = account.period if account.failure is None else None
    return compare(account.name, own, bill, account.sessions)


def _is_by_the_minute(origin: str) -> bool:
    return parse(origin).host_kind in _BY_THE_MINUTE


def _next_month(day: date) -> date:
    # Every month has a 28th, and four days later the next one has begun.
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _day(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
