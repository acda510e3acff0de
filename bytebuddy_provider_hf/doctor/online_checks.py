"""Ask what only servers know: the network, the token, each model, money, the status.

Every question here is small and, but for :func:`call_findings`, costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from bytebuddy_provider_hf.address import HUB, HostKind
from bytebuddy_provider_hf.client.catalogue import Catalogue, ModelPage
from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.client.providers import POLICIES
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.doctor.entry_checks import (
    length_findings,
    role_findings,
)
from bytebuddy_provider_hf.doctor.findings import (
    Finding,
    Level,
    failure,
    ok,
    unknown,
)
from bytebuddy_provider_hf.errors import (
    AuthenticationFailed,
    ByteBuddyError,
    HostLookupFailed,
    HostNotFound,
    MissingPermission,
    ModelLoading,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
)
from bytebuddy_provider_hf.failures.next_steps import next_step
from bytebuddy_provider_hf.failures.retry_after import requested_wait
from bytebuddy_provider_hf.hub.answer_cache import AnswerStore, fetch_answer
from bytebuddy_provider_hf.hub.billing import (
    ENDPOINTS,
    INFERENCE,
    USER_BILLING,
    AccountHolder,
    DedicatedEndpoint,
    read_bill,
    token_page,
)
from bytebuddy_provider_hf.hub.status_page import OPERATIONAL, STATUS, read_status
from bytebuddy_provider_hf.hub.whoami import known_holder, refused_token
from bytebuddy_provider_hf.money import dollars
from bytebuddy_provider_hf.plugins.protocols import (
    Chat,
    Embed,
    Fill,
    Model,
    Rerank,
)
from bytebuddy_provider_hf.prompts.families import family_by_id
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.http_client import Destination, HttpClient
from bytebuddy_provider_hf.types import CompletionOptions, Role
from bytebuddy_provider_hf.wire.http_request import HttpRequest

# The smallest list there is: it needs no token, and tells the rate limit.
_SMALL: Final = f"{HUB}/api/models?limit=1"
_LARGEST_ANSWER: Final = 1024 * 1024
# Beyond it, certificates and signed requests begin to fail.
_CLOCK_SKEW: Final = 120.0
# Seconds for a call: the model may read slowly, and does not write.
CALL_LIMIT: Final = 60.0
_MINUTE: Final = 60
_TOO_MANY: Final = 429
_MOST_DIGITS: Final = 10
# Names of providers and models in a line.
_MOST_NAMES: Final = 6
_ENDPOINT_LEVELS: Final = {
    "running": Level.OK,
    "initializing": Level.NOTE,
    "updating": Level.NOTE,
    "scaledToZero": Level.NOTE,
    "paused": Level.PROBLEM,
    "failed": Level.PROBLEM,
    "updateFailed": Level.PROBLEM,
}


async def network_findings(
    way: Destination, client: HttpClient, *, now: float | None = None
) -> AsyncIterator[Finding]:
    """Yield whether Hugging Face is reached and how, and whether the clock is right.

    ``way`` and ``client`` lead to huggingface.co.
    """
    try:
        status, headers, _ = await fetch_answer(
            HttpRequest(_SMALL, method="GET"), client, most=_LARGEST_ANSWER
        )
    except ByteBuddyError as error:
        steps: tuple[str, ...] = ()
        if isinstance(error, HostNotFound | HostLookupFailed):
            # The name is right: it is no address of a user's.
            steps = (text("transport.offline_hint"),)
        yield Finding("network.hub", Level.PROBLEM, steps=steps, error=error)
        return
    place = HUB.partition("://")[2]
    proxy = way.proxy
    if proxy is None:
        yield ok("network.hub", text("doctor.reached", host=place))
    else:
        said = text("doctor.reached_by", host=place, proxy=proxy.place)
        yield ok("network.hub", said)
    told = headers.get("date", "")
    try:
        theirs = parsedate_to_datetime(told).timestamp()
    except (ValueError, TypeError):
        yield unknown("network.clock", text("doctor.clock_untold"))
    else:
        off = (time.time() if now is None else now) - theirs
        if abs(off) > _CLOCK_SKEW:
            minutes = round(abs(off) / _MINUTE)
            yield Finding(
                "network.clock",
                Level.WARNING,
                text(
                    "doctor.clock_fast" if off > 0 else "doctor.clock_slow",
                    minutes=minutes,
                ),
                (text("doctor.clock_step"),),
            )
        else:
            yield ok("network.clock", text("doctor.clock"))
    yield _rate_finding(status, headers)


def _rate_finding(status: int, headers: Mapping[str, str]) -> Finding:
    """Return what an answer tells of the Hub's rate limit.

    ``RateLimit: "api";r=999;t=295`` (docs/hub/rate-limits.md of hub-docs).
    """
    parts = (part.partition("=") for part in headers.get("ratelimit", "").split(";"))
    told = {name.strip(): value.strip() for name, _, value in parts}
    left, reset = told.get("r", ""), told.get("t", "")
    known = left.isascii() and left.isdigit() and len(left) < _MOST_DIGITS
    if status == _TOO_MANY or (known and int(left) == 0):
        said = text("doctor.rate_reached")
        wait = requested_wait(headers)
        reached = RateLimited(said, status=_TOO_MANY, retry_after=wait)
        reached.hint = next_step(reached)
        return failure("account.rate", reached)
    if not known:
        return unknown("account.rate", text("doctor.rate_untold"))
    return ok("account.rate", text("doctor.rate", left=left, seconds=reset or "?"))


async def token_findings(
    client: HttpClient,
    source: str,
    place: str,
    payers: frozenset[str],
    *,
    identity: str = "",
    store: AnswerStore | None = None,
) -> AsyncIterator[Finding | AccountHolder]:
    """Yield whose token it is and what it may do; the holder first, where it is known.

    ``client`` leads to huggingface.co with the token of ``source``, which is a
    ``place`` of ``transport.credentials``. ``payers`` are the organizations that
    entries name with ``billTo``, "" for its own account. Where it was asked in the last
    ten minutes, ``store`` has the answer, by ``identity``.
    """
    try:
        holder = await known_holder(client, identity, store)
    except AuthenticationFailed as error:
        yield failure("token.refused", refused_token(error, source, place))
        return
    except RateLimited as error:
        # Asked seldom on purpose: it says nothing of the token.
        yield unknown("token.owner", error.message, steps=(text("cli.wait_minutes"),))
        return
    except ByteBuddyError as error:
        yield failure("token.owner", error, level=Level.WARNING)
        return
    yield holder
    kind = holder.role or text("doctor.role_untold")
    said = text("doctor.token", source=source, owner=holder.name, kind=kind)
    yield ok("token.owner", said)
    if holder.role not in ("read", "write", "fineGrained"):
        # Of a role that nobody knows, what it may do is not known either.
        yield unknown("token.permission", text("doctor.permission_untold"))
        return
    for payer in sorted(payers):
        if payer and payer not in (holder.name, *holder.organizations):
            yield Finding(
                "token.organization",
                Level.PROBLEM,
                text("doctor.no_member", owner=holder.name, organization=payer),
                (text("doctor.no_member_step", organization=payer),),
            )
        elif holder.may(INFERENCE, payer) is False:
            missing = MissingPermission(
                text("cli.lacks_permission", permission=INFERENCE), status=403
            )
            missing.permission, missing.found_in = INFERENCE, source
            missing.host_kind = HostKind.HUB.value
            missing.owner = f"org {payer}" if payer else f"user {holder.name}"
            missing.hint = next_step(missing)
            yield failure("token.permission", missing)
        else:
            yield ok("token.permission", text("cli.may_infer"))


async def model_findings(
    entry: ModelEntry, catalogue: Catalogue
) -> AsyncIterator[Finding]:
    """Yield what the Hub and the router tell of the model of an entry."""
    name = entry.name
    try:
        page = await catalogue.show(entry.model)
    except ModelNotFound as error:
        error.model, error.host_kind = entry.model, HostKind.HUB.value
        error.hint = next_step(error)
        yield failure("model.missing", error, entry=name)
        return
    except ByteBuddyError as error:
        yield Finding("model.untold", Level.UNKNOWN, entry=name, error=error)
        return
    asked = entry.model.partition(":")[0]
    if page.id.lower() != asked.lower():
        yield Finding(
            "model.renamed",
            Level.WARNING,
            text("doctor.renamed", old=asked, new=page.id),
            (text("doctor.renamed_step", new=page.id),),
            name,
        )
    facts = page.facts
    if facts is not None and facts.gated:
        yield Finding(
            "model.gated",
            Level.NOTE,
            text("doctor.gated", model=page.id),
            (text("doctor.gated_step", page=f"{HUB}/{page.id}"),),
            name,
        )
    if family_by_id(entry.model) is None:
        # Else the package's own table has told already.
        for finding in role_findings(entry, page.abilities):
            yield finding
        for finding in length_findings(entry, facts.window if facts else None):
            yield finding
    yield _served_finding(entry, page)


def _served_finding(entry: ModelEntry, page: ModelPage) -> Finding:
    live = [offer.provider for offer in page.offers if offer.is_listed]
    licence = page.facts.licence if page.facts else None
    named = entry.model.partition(":")[2]
    if named and named not in POLICIES and live and named not in live:
        return Finding(
            "model.provider",
            Level.PROBLEM,
            text("doctor.other_provider", model=page.id, provider=named),
            (text("doctor.other_provider_step", model=page.id, names=", ".join(live)),),
            entry.name,
        )
    if not live:
        return Finding(
            "model.unserved",
            Level.PROBLEM,
            text("doctor.unserved", model=page.id),
            (text("doctor.unserved_step", model=page.id),),
            entry.name,
        )
    return ok(
        "model.served",
        text(
            "doctor.served",
            model=page.id,
            names=", ".join(live[:_MOST_NAMES]),
            licence=licence or text("doctor.licence_untold"),
        ),
        entry=entry.name,
    )


def endpoint_finding(
    entry: ModelEntry,
    origin: str,
    managed: Mapping[str, DedicatedEndpoint] | None,
) -> Finding:
    """Return the state of a dedicated endpoint, as its management page has it.

    Asking the endpoint itself would wake it, which costs. ``managed`` are the endpoints
    by origin, ``None`` where the token may not see them.
    """
    host = origin.partition("://")[2]
    found = None if managed is None else managed.get(origin)
    if found is None:
        return unknown(
            "endpoint.state",
            text(
                "doctor.endpoint_strange" if managed else "doctor.endpoint_untold",
                host=host,
            ),
            entry=entry.name,
            steps=(text("doctor.endpoint_untold_step", page=token_page(ENDPOINTS)),),
        )
    level = _ENDPOINT_LEVELS.get(found.state, Level.UNKNOWN)
    said = text("doctor.endpoint", host=host, state=found.state or "?")
    steps: tuple[str, ...] = ()
    if found.state == "paused":
        steps = (text("doctor.endpoint_paused_step", name=found.name),)
    elif level is Level.PROBLEM:
        steps = (text("doctor.endpoint_failed_step", name=found.name),)
    elif found.state == "scaledToZero":
        steps = (text("doctor.endpoint_asleep_step"),)
    return Finding(f"endpoint.{found.state or 'state'}", level, said, steps, entry.name)


async def server_findings(
    entry: ModelEntry, endpoint: Endpoint, catalogue: Catalogue
) -> AsyncIterator[Finding]:
    """Yield what a server of one's own, at an entry's address, says of itself."""
    base = entry.api_base or endpoint.target.origin
    credential = endpoint.credential
    try:
        served = await catalogue.served_at(
            base, api_key=None if credential is None else credential.secret
        )
    except ByteBuddyError as error:
        yield failure("network.server", error, entry=entry.name)
        return
    names = served.models
    said = text("doctor.server", base=served.base, server=served.server)
    yield ok("network.server", said, entry=entry.name)
    if names and entry.model not in names and len(names) > 1:
        yield Finding(
            "model.other",
            Level.WARNING,
            text("doctor.other_model", model=entry.model, base=served.base),
            (text("doctor.other_model_step", names=", ".join(names[:_MOST_NAMES])),),
            entry.name,
        )


async def call_finding(entry: ModelEntry, model: Model) -> Finding:
    """Return how the model answers the smallest call of the entry's first role."""
    options = CompletionOptions(max_tokens=1)
    role = entry.roles[0] if entry.roles else Role.CHAT
    began = time.monotonic()
    try:
        if role is Role.EMBED and isinstance(model, Embed):
            await model.embed("hi", timeout=CALL_LIMIT, wait=False)
        elif role is Role.RERANK and isinstance(model, Rerank):
            await model.rerank("hi", ["hi"], timeout=CALL_LIMIT, wait=False)
        elif role is Role.AUTOCOMPLETE and isinstance(model, Fill):
            await model.fill(
                "x = ", "\n", options=options, timeout=CALL_LIMIT, wait=False
            )
        elif isinstance(model, Chat):
            await model.chat("hi", options=options, timeout=CALL_LIMIT, wait=False)
        else:
            said = text("doctor.no_call", entry=entry.name, role=role.value)
            return unknown("entry.call", said, entry=entry.name)
    except ModelLoading as error:
        # It was asked, so it wakes: a call that waits gets its answer.
        return failure("entry.call", error, entry=entry.name, level=Level.NOTE)
    except ByteBuddyError as error:
        return failure("entry.call", error, entry=entry.name)
    seconds = f"{time.monotonic() - began:.1f}"
    said = text("doctor.answered", entry=entry.name, seconds=seconds)
    return ok("entry.call", said, entry=entry.name)


async def money_findings(
    client: HttpClient, holder: AccountHolder, *, now: float
) -> AsyncIterator[Finding]:
    """Yield what is left of the month's credits, where the token may read the bill."""
    if holder.may(USER_BILLING) is False:
        steps = (text("doctor.bill_step", page=token_page(USER_BILLING)),)
        said = text("doctor.bill_untold", permission=USER_BILLING)
        yield unknown("account.credits", said, steps=steps)
        return
    month = datetime.fromtimestamp(now, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    try:
        bill = await read_bill(client, since=month.timestamp(), until=now)
    except ByteBuddyError as error:
        yield Finding("account.credits", Level.UNKNOWN, error=error)
        return
    if bill.used is None or bill.included is None:
        yield unknown("account.credits", text("doctor.credits_untold"))
        return
    facts = {"used": dollars(bill.used), "included": dollars(bill.included)}
    if bill.limit is not None and bill.used >= bill.limit:
        used_up = QuotaExhausted(text("doctor.credits_gone", **facts), status=402)
        used_up.host_kind = HostKind.HUB.value
        used_up.hint = next_step(used_up)
        yield failure("account.credits", used_up)
    elif bill.used >= bill.included:
        yield Finding(
            "account.credits",
            Level.WARNING,
            text("doctor.credits_used", **facts),
            (text("doctor.credits_step", page=f"{HUB}/settings/billing"),),
        )
    else:
        yield ok("account.credits", text("doctor.credits", **facts))


async def status_findings(client: HttpClient) -> AsyncIterator[Finding]:
    """Yield what Hugging Face's status page says."""
    try:
        found = await read_status(client)
    except ByteBuddyError as error:
        yield Finding("status.page", Level.UNKNOWN, error=error)
        return
    if found.state == OPERATIONAL and not found.affected:
        yield ok("status.page", text("doctor.status", page=STATUS))
        return
    listed = "; ".join(f"{name}: {state}" for name, state in found.affected)
    yield Finding(
        "status.page",
        Level.WARNING,
        text("doctor.status_other", state=found.state, services=listed or "?"),
        (text("doctor.status_step", page=STATUS),),
    )
