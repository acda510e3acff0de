"""Read what Hugging Face bills: accounts, their sessions, and dedicated endpoints.

Every address is one of https://huggingface.co, or of https://api.endpoints.huggingface
.cloud where it says so; a client must lead there and carry the user's token. Amounts
are whole numbers of 10⁻⁹ USD, times seconds of the Unix clock. What an answer does not
tell is ``None``, never 0. The routes are those of Hugging Face's own programs
(``backend/usage.py`` of ml-intern, ``_inference_endpoints.py`` of huggingface_hub), and
of huggingface.co/.well-known/openapi.json.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from attrs import evolve, frozen

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.errors import (
    APIError,
    AuthenticationFailed,
    ByteBuddyError,
    MalformedResponse,
    MissingPermission,
    RateLimited,
    ServerError,
)
from bytebuddy_provider_hf.failures.retry_after import requested_wait
from bytebuddy_provider_hf.hub.answer_cache import fetch_answer
from bytebuddy_provider_hf.json_cost import USUAL, JsonBound
from bytebuddy_provider_hf.lenient_json import lenient_integer, lenient_text, loads
from bytebuddy_provider_hf.money import nano_usd
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.transport.turns import take_turns
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.steps import Steps, at_once

ENDPOINTS_API: Final = "https://api.endpoints.huggingface.cloud"
# What a fine-grained token must be given: to call models, and by whose bill is read.
INFERENCE: Final = "inference.serverless.write"
USER_BILLING: Final = "user.billing.read"
ORG_BILLING: Final = "org.billing.read"
ENDPOINTS: Final = "inference.endpoints.write"
# States in which an endpoint costs (pricing.md of Hugging Face's documentation).
COSTLY_STATES: Final = frozenset({"initializing", "running", "updating"})

_log: Final = logging.getLogger(__name__)

_OK: Final = 200
UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_SERVER_ERRORS: Final = range(500, 600)
_LARGEST_ANSWER: Final = 16 * 1024 * 1024
# What a hostile answer can make us keep; an account has a handful of organizations.
_MOST_SESSIONS: Final = 100_000
_MOST_OTHERS: Final = 1_000
# A session has four members; some take 3 µs each to read.
_BOUND: Final = JsonBound(5 * _MOST_SESSIONS)
_SESSIONS_A_STEP: Final = 5_000
_LONGEST_ID: Final = 256
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}", re.ASCII)
# The year 3000: a number beyond it counts milliseconds, or nothing.
_LATEST: Final = 32_503_680_000
# A cent is 10⁷ × 10⁻⁹ USD.
_CENT: Final = 7
_MINUTE: Final = 60


@frozen
class Bill:
    """What an account used of Inference Providers in the time that was asked about.

    ``used`` is what the calls of that time cost, ``included`` the credits of a whole
    period, ``limit`` what may be spent beyond which nothing is served; without one it
    is ``None``, as where it is unknown. ``starts`` and ``ends`` are the account's own
    period, which need not be the time that was asked about.
    """

    used: int | None = None
    included: int | None = None
    limit: int | None = None
    requests: int | None = None
    starts: float | None = None
    ends: float | None = None


@frozen
class SessionBill:
    """What the calls with one ``X-HF-Session-id`` cost in a period of the bill.

    ``id`` is empty for calls without one, where the bill tells of them.
    """

    id: str
    cost: int | None = None
    requests: int | None = None
    starts: float | None = None


@frozen
class AccountHolder:
    """Who a token belongs to, and what it may do.

    ``granted`` has (owner, permission) of a fine-grained token, the owner empty where
    it holds for all. ``token_name`` is what its owner called it.
    """

    name: str
    organizations: tuple[str, ...] = ()
    is_pro: bool = False
    period_ends: float | None = None
    billing_mode: str = ""
    role: str = ""
    granted: tuple[tuple[str, str], ...] = ()
    token_name: str = ""

    @property
    def may_infer(self) -> bool | None:
        """Whether the token may call models for any account; ``None``: not told."""
        if self.role in {"read", "write"}:
            return True
        if self.role != "fineGrained":
            return None
        return any(permission == INFERENCE for _, permission in self.granted)

    def may(self, permission: str, owner: str = "") -> bool | None:
        """Tell whether the token has a permission; ``None`` where nobody says so."""
        if self.role != "fineGrained":
            return None
        owners = {"", owner or self.name}
        return any(of in owners and name == permission for of, name in self.granted)


@frozen
class DedicatedEndpoint:
    """An endpoint as its owner's management page shows it.

    ``hourly`` is the price of one replica for an hour. ``idle_after`` is after how many
    seconds without a request it scales to zero, ``None`` where it never does.
    """

    name: str
    namespace: str
    state: str = ""
    origin: str = ""
    model: str = ""
    hardware: str = ""
    replicas: int | None = None
    most_replicas: int | None = None
    idle_after: int | None = None
    last_used: float | None = None
    created: float | None = None
    updated: float | None = None
    hourly: int | None = None


async def read_bill(
    client: HttpClient, *, since: float, until: float, organization: str | None = None
) -> Bill:
    """Return the bill of the token's owner, or of an organization.

    Raises ``MissingPermission`` where the token may not read it,
    and any other ``ByteBuddyError``.
    """
    # Whole seconds, and never none: an empty range is refused.
    start = max(1, int(since))
    query = f"startDate={start}&endDate={max(start + 1, int(until))}"
    body = await _ask_bill(client, f"usage-v2?{query}", organization)
    found = parse_bill(body)
    if found is None:
        raise _unreadable()
    return found


async def read_sessions(
    client: HttpClient, *, since: float, until: float, organization: str | None = None
) -> tuple[SessionBill, ...]:
    """Return what each session cost, by period; raises as :func:`read_bill` does."""
    start = max(1, int(since))
    # The bill groups by month: a session that crosses one stands in both.
    begins, ends = (
        datetime.fromtimestamp(each, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for each in (start, max(start + 1, int(until)))
    )
    query = f"startDate={begins}&endDate={ends}"
    body = await _ask_bill(
        client, f"usage-by-inference-session?{query}", organization, _BOUND
    )
    found = await take_turns(sessions_in_steps(body))
    if found is None:
        raise _unreadable()
    return found


async def read_whoami(client: HttpClient) -> AccountHolder:
    """Return whose token it is; Hugging Face limits how often that may be asked.

    Raises any ``ByteBuddyError``.
    """
    found = parse_whoami(await _ask(client, f"{HUB}/api/whoami-v2"))
    if found is None:
        raise _unreadable()
    return found


async def read_endpoints(
    client: HttpClient, namespace: str
) -> tuple[DedicatedEndpoint, ...]:
    """Return the dedicated endpoints of a user or an organization, with their prices.

    ``client`` leads to ``ENDPOINTS_API``. Raises ``MissingPermission`` where the token
    may not see them, and any other ``ByteBuddyError``; a price that cannot be read is
    ``None``.
    """
    # Made before it is needed, so that one place says what a 403 means.
    missing = MissingPermission(
        text("billing.no_endpoints", owner=namespace, permission=ENDPOINTS),
        status=_FORBIDDEN,
        hint=text("billing.make_token", page=token_page(ENDPOINTS)),
    )
    missing.owner, missing.permission = namespace, ENDPOINTS
    place = quote(namespace, safe="")
    body = await _ask(client, f"{ENDPOINTS_API}/v2/endpoint/{place}", missing)
    found = parse_endpoints(body, namespace)
    if found is None:
        raise _unreadable()
    if not found:
        return ()
    try:
        body = await _ask(client, f"{ENDPOINTS_API}/v2/provider/{place}", missing)
    except ByteBuddyError as error:
        # Without a price an endpoint is still named, as not metered.
        _log.info("The prices of endpoints could not be read: %s", error)
        return found
    prices = parse_hourly_prices(body)
    return tuple(evolve(each, hourly=prices.get(each.hardware)) for each in found)


def token_page(permission: str) -> str:
    """Return the address where a token with a permission is made.

    Those for an organization are chosen on that page: no address is known to do it.
    """
    own = "" if permission == ORG_BILLING else f"ownUserPermissions={permission}&"
    return f"{HUB}/settings/tokens/new?{own}tokenType=fineGrained"


def parse_bill(data: bytes) -> Bill | None:
    """Return what an answer of ``usage-v2`` says, or ``None``; total."""
    usage = _map(_map(loads(data)).get("usage")).get("inferenceProviders")
    if not isinstance(usage, dict):
        return None
    return Bill(
        used=_nano(usage.get("usedNanoUsd")),
        included=_nano(usage.get("includedNanoUsd")),
        limit=_nano(usage.get("limitNanoUsd")),
        requests=_count(usage.get("numRequests")),
        starts=_time(usage.get("periodStart")),
        ends=_time(usage.get("periodEnd")),
    )


def sessions_in_steps(data: bytes) -> Steps[tuple[SessionBill, ...] | None]:
    """Return the sessions of ``usage-by-inference-session``, or ``None``; total.

    An answer in another currency than USD tells no amount.
    """
    value = _map(loads(data, most=_BOUND.elements))
    periods, currency = value.get("periods"), lenient_text(value.get("currency"))
    if not isinstance(periods, list):
        return None
    # Where none is named, it is the dollar of the rest of the bill.
    is_usd = currency is None or currency.upper() == "USD"
    found: list[SessionBill] = []
    for period in periods[:_MOST_OTHERS]:
        starts, listed = map(_map(period).get, ("period", "sessions"))
        for each in listed if isinstance(listed, list) else ():
            said = _map(each)
            name = lenient_text(said.get("id")) or ""
            if len(name) > _LONGEST_ID or len(found) >= _MOST_SESSIONS:
                continue
            cents = said.get("costCents")
            cost = nano_usd(cents, exponent=_CENT) if is_usd else None
            requests = _count(said.get("requestCount"))
            found.append(SessionBill(name, cost, requests, _time(starts)))
            if not len(found) % _SESSIONS_A_STEP:
                yield
    return tuple(found)


parse_sessions: Final = at_once(sessions_in_steps)


def parse_whoami(data: bytes) -> AccountHolder | None:
    """Return what an answer of ``whoami-v2`` says, or ``None``; total."""
    value = _map(loads(data))
    name = _name(value.get("name"))
    if name is None:
        return None
    named = (_name(_map(each).get("name")) for each in _list(value.get("orgs")))
    token = _map(_map(value.get("auth")).get("accessToken"))
    given = _map(token.get("fineGrained"))
    # Whose account they are for: a repository is no account.
    places: list[tuple[str | None, object]] = [("", given.get("global"))]
    places += [
        (_name(_map(each.get("entity")).get("name")), each.get("permissions"))
        for each in map(_map, _list(given.get("scoped")))
    ]
    return AccountHolder(
        name,
        organizations=tuple(dict.fromkeys(each for each in named if each)),
        is_pro=value.get("isPro") is True,
        period_ends=_time(value.get("periodEnd")),
        billing_mode=_short(value.get("billingMode")),
        role=_short(token.get("role")),
        token_name=one_line(lenient_text(token.get("displayName")) or "", limit=100),
        granted=tuple(
            (owner, _short(each))
            for owner, said in places
            if owner is not None
            for each in _list(said)
        ),
    )


def parse_endpoints(
    data: bytes, namespace: str
) -> tuple[DedicatedEndpoint, ...] | None:
    """Return the endpoints of an answer of ``/v2/endpoint``, or ``None``; total."""
    value = loads(data)
    items = value.get("items") if isinstance(value, dict) else value
    if not isinstance(items, list):
        return None
    found = []
    for each in items[:_MOST_OTHERS]:
        said = _map(each)
        name = _name(said.get("name"))
        if name is None:
            continue
        status, compute = _map(said.get("status")), _map(said.get("compute"))
        scaling, place = _map(compute.get("scaling")), _map(said.get("provider"))
        idle = _count(scaling.get("scaleToZeroTimeout"))
        found.append(
            DedicatedEndpoint(
                name,
                namespace,
                state=_short(status.get("state")),
                origin=_short(status.get("url")).rstrip("/"),
                model=_short(_map(said.get("model")).get("repository")),
                hardware=_hardware(
                    place.get("vendor"),
                    place.get("region"),
                    compute.get("instanceType"),
                    compute.get("instanceSize"),
                ),
                replicas=_count(status.get("readyReplica")),
                most_replicas=_count(scaling.get("maxReplica")),
                # The API counts minutes; 0 and null mean never.
                idle_after=idle * _MINUTE if idle else None,
                last_used=_time(status.get("lastUsedAt")),
                created=_time(status.get("createdAt")),
                updated=_time(status.get("updatedAt")),
            )
        )
    return tuple(found)


def parse_hourly_prices(data: bytes) -> Mapping[str, int]:
    """Return the price of an hour of each kind of hardware; total."""
    computes = [
        (vendor.get("name"), region.get("name"), _map(compute))
        for vendor in map(_map, _list(_map(loads(data)).get("vendors")))
        for region in map(_map, _list(vendor.get("regions")))
        for compute in _list(region.get("computes"))
    ]
    found: dict[str, int] = {}
    for vendor, region, compute in computes:
        # huggingface_hub names it price_per_hour, the API itself pricePerHour.
        price = compute.get("pricePerHour", compute.get("price_per_hour"))
        amount = nano_usd(price)
        if amount is not None:
            kind, size = compute.get("instanceType"), compute.get("instanceSize")
            found[_hardware(vendor, region, kind, size)] = amount
    return found


async def _ask_bill(
    client: HttpClient,
    route: str,
    organization: str | None,
    bound: JsonBound = USUAL,
) -> bytes:
    """Return the answer of a route of the bill, or raise what is missing to read it."""
    if organization is None:
        permission, owner = USER_BILLING, text("billing.your_account")
        place = "settings"
    else:
        permission, owner = ORG_BILLING, text("billing.organization", name=organization)
        place = f"organizations/{quote(organization, safe='')}"
    missing = MissingPermission(
        text("billing.no_bill", owner=owner, permission=permission),
        status=_FORBIDDEN,
        hint=text("billing.make_token", page=token_page(permission)),
    )
    missing.owner, missing.permission = organization, permission
    return await _ask(client, f"{HUB}/api/{place}/billing/{route}", missing, bound)


async def _ask(
    client: HttpClient,
    address: str,
    missing: MissingPermission | None = None,
    bound: JsonBound = USUAL,
) -> bytes:
    """Return the body of a good answer; ``missing`` is what a 403 means.

    What the server says is not quoted: it is no help here, and may echo the token.
    """
    question = HttpRequest(address, method="GET")
    status, headers, body = await fetch_answer(
        question, client, most=_LARGEST_ANSWER, bound=bound
    )
    if status == _OK:
        return body
    if status == _FORBIDDEN and missing is not None:
        raise missing
    refused = status == UNAUTHORIZED
    other = text("billing.not_told", status=status)
    raise error_kind(status)(
        text("billing.token_refused") if refused else other,
        status=status,
        retry_after=requested_wait(headers),
        hint=text("billing.login_again" if refused else "billing.try_later"),
        request_id=headers.get("x-request-id"),
    )


def error_kind(status: int) -> type[APIError]:
    """Return the class for a status with which the Hub tells nothing of an account."""
    if status == UNAUTHORIZED:
        return AuthenticationFailed
    if status == _TOO_MANY:
        return RateLimited
    return ServerError if status in _SERVER_ERRORS else APIError


def _unreadable() -> MalformedResponse:
    return MalformedResponse(text("billing.unreadable"), hint=text("billing.try_later"))


def _hardware(*parts: object) -> str:
    """Return one name for a kind of hardware: vendor, region, type and size."""
    return " ".join(_short(each) for each in parts)


def _nano(value: object) -> int | None:
    """Return an amount of 10⁻⁹ USD; a fraction of one is none."""
    found = lenient_integer(value)
    return found if found is not None and found == value and found >= 0 else None


def _count(value: object) -> int | None:
    found = lenient_integer(value)
    return found if found is not None and found >= 0 else None


def _time(value: object) -> float | None:
    """Return a time that is written in seconds, or as ISO 8601."""
    if isinstance(value, str):
        try:
            # Python 3.10 did not know the Z; an offset is UTC where none is told.
            read = datetime.fromisoformat(value.strip())
            value = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    seconds = lenient_integer(value)
    return float(seconds) if seconds is not None and 0 < seconds < _LATEST else None


def _name(value: object) -> str | None:
    found = lenient_text(value)
    return found if found is not None and _NAME.fullmatch(found) else None


def _short(value: object) -> str:
    found = lenient_text(value) or ""
    return found if len(found) <= _LONGEST_ID and found.isprintable() else ""


def _list(value: object) -> list[object]:
    return value[:_MOST_OTHERS] if isinstance(value, list) else []


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
