"""Play the bill: accounts, what their calls cost, and who may read it.

Nothing here is reckoned by the code that it is to test: costs are exact fractions, kept
in whole numbers of 10⁻⁹ USD.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final, Literal
from urllib.parse import unquote

from attrs import define, field, frozen

from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.failures import (
    not_found,
    quota_exhausted,
    string_error,
    unauthorized,
)
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

# What the providers have not told by then is never charged.
CHARGED_WITHIN: Final = 1_800.0
INFERENCE: Final = "inference.serverless.write"
USER_BILLING: Final = "user.billing.read"
ORG_BILLING: Final = "org.billing.read"
ENDPOINTS: Final = "inference.endpoints.write"

_OWN: Final = "/api/settings/billing/"
_OF_ORGANIZATIONS: Final = "/api/organizations/"
# A hundredth of a dollar in 10⁻⁹ USD.
_CENT: Final = 10**7
# Whose token it is where a hub has no accounts.
_ANYBODY: Final = {
    "type": "user",
    "name": "simulated",
    "auth": {
        "type": "access_token",
        "accessToken": {"displayName": "simulated", "role": "fineGrained"},
    },
}


def _as_set(values: Iterable[str]) -> frozenset[str]:
    return frozenset(values)


def _as_secret(value: str | Secret | None) -> Secret | None:
    return Secret(value) if isinstance(value, str) else value


@frozen
class Account:
    """A user, or an organization where it has no ``token``.

    ``permissions`` are those of its token for its own account, ``scoped`` those for
    each organization, by name. ``included`` and ``limit`` are in 10⁻⁹ USD; without
    ``pays_more`` nothing is served once the included credits are used up. ``period``
    is from when to when its bill runs, in seconds of the Unix clock; without one it is
    the calendar month.
    """

    name: str
    token: Secret | None = field(default=None, converter=_as_secret)
    permissions: frozenset[str] = field(
        default=frozenset({INFERENCE, USER_BILLING}), converter=_as_set
    )
    organizations: tuple[str, ...] = ()
    scoped: Mapping[str, frozenset[str]] = field(factory=dict)
    included: int = 100_000_000
    limit: int | None = None
    pays_more: bool = True
    preferred: tuple[str, ...] = ()
    is_pro: bool = False
    billing_mode: Literal["prepaid", "postpaid"] = "prepaid"
    period: tuple[float, float] | None = None

    def may(self, permission: str, owner: str) -> bool:
        """Whether its token has a permission for an account."""
        own = owner == self.name and permission in self.permissions
        return own or permission in self.scoped.get(owner, frozenset())


@define
class BilledCall:
    """One call as the bill knows it. ``cost`` is in 10⁻⁹ USD, final from ``known_at``.

    Until then it is counted, and costs nothing yet: a placeholder.
    """

    at: float
    payer: str
    session: str
    model: str
    provider: str
    inference_id: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: int
    known_at: float

    def shown(self, now: float) -> int:
        """Return what the bill shows at a time."""
        return self.cost if now >= self.known_at else 0


class FakeBill:
    """The books of a simulated Hugging Face: every call, and who pays for it.

    Without accounts everybody may ask, and nothing can be read.
    """

    def __init__(self, accounts: Sequence[Account] = ()) -> None:
        self.accounts = {each.name: each for each in accounts}
        self.calls: list[BilledCall] = []

    def holder(self, request: FakeRequest) -> Account | None:
        """Return whose token a request carries."""
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        token = Secret(sent)
        return next(
            (each for each in self.accounts.values() if each.token == token), None
        )

    def refusal(self, request: FakeRequest, *, now: float) -> FakeReply | None:
        """Return why a call is not served: no token, no right, no money."""
        if not self.accounts:
            return None
        holder = self.holder(request)
        if holder is None:
            return unauthorized()
        payer = self.payer(request)
        if not holder.may(INFERENCE, holder.name) or (
            payer != holder.name and payer not in holder.organizations
        ):
            whom = "user" if payer == holder.name else "org"
            return string_error(
                403,
                "This authentication method does not have sufficient permissions to"
                f" call Inference Providers on behalf of {whom} {payer}",
            )
        account = self.accounts.get(payer)
        # Most accounts have no bound, and adding up all calls takes long.
        if account is None or (account.pays_more and account.limit is None):
            return None
        used = self.used(payer, *self.period_of(account, now), now=now)
        most = min(
            math.inf if account.pays_more else account.included,
            math.inf if account.limit is None else account.limit,
        )
        return quota_exhausted() if used >= most else None

    def payer(self, request: FakeRequest) -> str:
        """Return who pays for a call: an organization, or whose token it is."""
        holder = self.holder(request)
        return request.headers.get("x-hf-bill-to") or (holder.name if holder else "")

    def book(
        self,
        request: FakeRequest,
        *,
        at: float,
        model: str,
        provider: str,
        inference_id: str,
        tokens: tuple[int, int, int],
        cost: int,
        told_after: float | None,
    ) -> BilledCall:
        """Write a call down; ``tokens`` are those read, those of them cached, written.

        What is told too late is never charged.
        """
        # The time counts from the call, however often the provider was asked.
        late = told_after is None or told_after > CHARGED_WITHIN
        call = BilledCall(
            at,
            self.payer(request),
            request.headers.get("x-hf-session-id", ""),
            model,
            provider,
            inference_id,
            *tokens,
            cost=0 if late else cost,
            known_at=at
            + (CHARGED_WITHIN if told_after is None or late else told_after),
        )
        self.calls.append(call)
        return call

    def used(self, payer: str, since: float, until: float, *, now: float) -> int:
        """Return what the bill of an account shows for a time."""
        return sum(
            call.shown(now)
            for call in self.calls
            if call.payer == payer and since <= call.at < until
        )

    def period_of(self, account: Account, now: float) -> tuple[float, float]:
        """Return from when to when the present period of an account's bill runs."""
        if account.period is not None:
            return account.period
        first = datetime.fromtimestamp(now, UTC).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        over = first.month == 12  # noqa: PLR2004 - December
        after = first.replace(
            year=first.year + over, month=1 if over else first.month + 1
        )
        return first.timestamp(), after.timestamp()

    def answer(self, request: FakeRequest, *, now: float) -> FakeReply | None:
        """Answer whoami and the routes of the bill; ``None`` for any other route."""
        path, holder = request.path, self.holder(request)
        name, _, route = path.removeprefix(_OF_ORGANIZATIONS).partition("/billing/")
        if path.startswith(_OWN):
            name, permission, route = "", USER_BILLING, path.removeprefix(_OWN)
        elif path.startswith(_OF_ORGANIZATIONS) and route:
            name, permission = unquote(name), ORG_BILLING
        elif path == "/api/whoami-v2":
            if holder is not None:
                return self.whoami_reply(holder, now=now)
            open_to_all = not self.accounts and "authorization" in request.headers
            return json_reply(_ANYBODY) if open_to_all else unauthorized()
        else:
            return None
        if holder is None:
            return unauthorized()
        account = self.accounts.get(name or holder.name)
        # One answer for both: it tells no stranger which organizations there are.
        if account is None or not holder.may(permission, account.name):
            return string_error(403, "Your token lacks the permission for this page")
        since = _asked(request, "startDate", -math.inf)
        until = _asked(request, "endDate", math.inf)
        calls = [
            call
            for call in self.calls
            if call.payer == account.name and since <= call.at < until
        ]
        if route == "usage-v2":
            return self.usage_reply(account, calls, now=now)
        sessions = route == "usage-by-inference-session"
        return sessions_reply(calls, now=now) if sessions else not_found()

    def usage_reply(
        self, account: Account, calls: Sequence[BilledCall], *, now: float
    ) -> FakeReply:
        """Answer ``usage-v2`` for some calls of an account."""
        starts, ends = self.period_of(account, now)
        inference = {
            "usedNanoUsd": sum(call.shown(now) for call in calls),
            "includedNanoUsd": account.included,
            "limitNanoUsd": account.limit,
            "numRequests": len(calls),
            "periodStart": iso(starts),
            "periodEnd": iso(ends),
        }
        jobs = {"usedMicroUsd": 0, "totalMinutes": 0}
        return json_reply({"usage": {"inferenceProviders": inference, "jobs": jobs}})

    def whoami_reply(self, holder: Account, *, now: float) -> FakeReply:
        """Answer ``whoami-v2`` for the holder of a token."""

        def billing(account: Account | None) -> dict[str, object]:
            if account is None:
                return {}
            ends = int(self.period_of(account, now)[1])
            return {"periodEnd": ends, "billingMode": account.billing_mode}

        scoped = [
            {"entity": {"type": "org", "name": name}, "permissions": sorted(given)}
            for name, given in holder.scoped.items()
        ]
        own = {"entity": {"type": "user", "name": holder.name}}
        scoped.insert(0, {**own, "permissions": sorted(holder.permissions)})
        token = {
            "displayName": "simulated",
            "role": "fineGrained",
            "fineGrained": {"global": [], "scoped": scoped},
        }
        organizations = [
            {"type": "org", "name": name, **billing(self.accounts.get(name))}
            for name in holder.organizations
        ]
        who = {
            "type": "user",
            "name": holder.name,
            "fullname": holder.name,
            "isPro": holder.is_pro,
            "canPay": holder.pays_more,
            **billing(holder),
            "orgs": organizations,
            "auth": {"type": "access_token", "accessToken": token},
        }
        return json_reply(who)


def sessions_reply(calls: Iterable[BilledCall], *, now: float) -> FakeReply:
    """Answer ``usage-by-inference-session``: by month, in cents."""
    months: dict[str, dict[str, list[BilledCall]]] = defaultdict(dict)
    for call in calls:
        # Calls without a session stand in the sum only.
        if call.session:
            month = datetime.fromtimestamp(call.at, UTC).strftime("%Y-%m-01")
            months[month].setdefault(call.session, []).append(call)
    periods = [
        {
            "period": f"{month}T00:00:00.000Z",
            "sessions": [
                {
                    "id": session,
                    "requestCount": len(same),
                    "costCents": float(
                        Fraction(sum(call.shown(now) for call in same), _CENT)
                    ),
                }
                for session, same in sessions.items()
            ],
        }
        for month, sessions in sorted(months.items())
    ]
    return json_reply({"currency": "USD", "periods": periods})


def iso(seconds: float) -> str:
    """Return a time of the Unix clock as Hugging Face writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _asked(request: FakeRequest, name: str, usual: float) -> float:
    """Return a time of the query, in seconds or as ISO 8601."""
    written = request.query.get(name, "")
    if not written:
        return usual
    if written.isdigit():
        return float(written)
    read = datetime.fromisoformat(written)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
