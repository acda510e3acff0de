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
from bytebuddy_provider_hf.client.abilities import abilities_of
from bytebuddy_provider_hf.client.catalogue import Catalogue, ModelPage
from bytebuddy_provider_hf.client.endpoint import MIRROR, Endpoint
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
from bytebuddy_provider_hf.doctor.rate_checks import rate_finding
from bytebuddy_provider_hf.errors import (
    APIError,
    AuthenticationFailed,
    ByteBuddyError,
    HostLookupFailed,
    HostNotFound,
    MalformedResponse,
    MissingPermission,
    ModelLoading,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
)
from bytebuddy_provider_hf.failures.next_steps import human_time, next_step
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
from bytebuddy_provider_hf.lenient_json import loads
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
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.transport.http_client import Destination, HttpClient
from bytebuddy_provider_hf.types import CompletionOptions, Role
from bytebuddy_provider_hf.wire.http_request import HttpRequest

# The smallest list there is: it needs no token, and tells the rate limit.
_SMALL: Final = "/api/models?limit=1"
_OK: Final = 200
_SERVER_ERRORS: Final = range(500, 600)
_LARGEST_ANSWER: Final = 1024 * 1024
# Beyond it, certificates and signed requests begin to fail.
_CLOCK_SKEW: Final = 120.0
# Seconds for a call: the model may read slowly, and does not write.
CALL_LIMIT: Final = 60.0
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
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
    way: Destination, client: HttpClient, *, now: float
) -> AsyncIterator[Finding]:
    """Yield whether Hugging Face is reached and how, and whether the clock is right.

    ``way`` and ``client`` lead to huggingface.co.
    """
    try:
        status, headers, body = await fetch_answer(
            HttpRequest(f"{HUB}{_SMALL}", method="GET"), client, most=_LARGEST_ANSWER
        )
    except ByteBuddyError as error:
        steps: tuple[str, ...] = ()
        if isinstance(error, HostNotFound | HostLookupFailed):
            # The name is right: it is no address of a user's.
            steps = (text("transport.offline_hint"),)
        yield Finding("network.hub", Level.PROBLEM, steps=steps, error=error)
        return
    strange = _strange("network.hub", HUB, status, body)
    if strange is not None:
        yield strange
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
        off = now - theirs
        if abs(off) > _CLOCK_SKEW:
            said = text(
                "doctor.clock_fast" if off > 0 else "doctor.clock_slow",
                time=human_time(abs(off)),
            )
            steps = (text("doctor.clock_step"),)
            yield Finding("network.clock", Level.WARNING, said, steps)
        else:
            yield ok("network.clock", text("doctor.clock"))
    yield rate_finding(status, headers)


async def router_findings(
    _: Destination, client: HttpClient, *, model: str
) -> AsyncIterator[Finding]:
    """Yield whether the router, which calls go to, answers at all."""
    host = client.origin.partition("://")[2]
    path = f"/v1/models/{model.partition(':')[0]}"
    question = HttpRequest(f"{client.origin}{path}", method="GET")
    try:
        answer = await fetch_answer(question, client, most=_LARGEST_ANSWER)
        status, body = answer[0], answer[2]
    except ByteBuddyError as error:
        steps: tuple[str, ...] = ()
        if isinstance(error, HostNotFound | HostLookupFailed):
            steps = (text("doctor.router_step", host=host),)
        yield Finding("network.router", Level.PROBLEM, steps=steps, error=error)
        return
    strange = _strange("network.router", client.origin, status, body)
    yield strange or ok("network.router", text("doctor.reached", host=host))


def _strange(name: str, origin: str, status: int, body: bytes) -> Finding | None:
    """Return what an answer says that is none of Hugging Face's API, or an outage."""
    facts = {"host": origin.partition("://")[2], "status": status}
    if status in _SERVER_ERRORS:
        said = text("doctor.host_fails", **facts)
        steps = (text("doctor.status_step", page=STATUS),)
        return Finding(name, Level.WARNING, said, steps)
    told = loads(body)
    # 404: nobody serves that model. A refusal of too many needs no body.
    good = (status in (_OK, _NOT_FOUND) and isinstance(told, dict | list)) or (
        status == _TOO_MANY
    )
    if good:
        return None
    said = text("doctor.host_strange", **facts)
    return Finding(name, Level.PROBLEM, said, (text("doctor.host_strange_step"),))


async def mirror_findings(_: Destination, client: HttpClient) -> AsyncIterator[Finding]:
    """Yield whether a mirror of the Hub, to which ``client`` leads, answers as one."""
    host = client.origin.partition("://")[2]
    facts = {"host": host, "variable": MIRROR}
    question = HttpRequest(f"{client.origin}{_SMALL}", method="GET")
    try:
        answer = await fetch_answer(question, client, most=_LARGEST_ANSWER)
        status, body = answer[0], answer[2]
    except ByteBuddyError as error:
        reason: object = error.message
    else:
        if status == _OK and isinstance(loads(body), list):
            yield ok("network.mirror", text("doctor.mirror", **facts))
            return
        reason = text("doctor.mirror_strange", status=status)
    said = text("doctor.mirror_silent", **facts, reason=reason)
    steps = (text("doctor.mirror_step", variable=MIRROR),)
    yield Finding("network.mirror", Level.WARNING, said, steps)


async def token_findings(
    _: Destination,
    client: HttpClient,
    *,
    credential: Credential,
    payers: frozenset[str],
    identity: str = "",
    store: AnswerStore | None = None,
) -> AsyncIterator[Finding | AccountHolder]:
    """Yield whose token it is and what it may do; the holder first, where it is known.

    ``client`` leads to huggingface.co with the token of ``credential``. ``payers`` are
    the organizations that entries name with ``billTo``, "" for its own account. Where
    it was asked in the last ten minutes, ``store`` has the answer, by ``identity``.
    """
    source = credential.source
    try:
        holder = await known_holder(client, identity, store)
    except AuthenticationFailed as error:
        yield failure("token.refused", refused_token(error, source, credential.place))
        return
    except RateLimited:
        # Asked seldom on purpose: it says nothing of the token.
        said = text("doctor.token_asked_often", source=source)
        yield unknown("token.owner", said, steps=(text("doctor.token_later_step"),))
        return
    except APIError as error:
        said = text("doctor.token_untold", source=source, status=error.status)
        steps = (text("doctor.status_step", page=STATUS),)
        yield Finding("token.owner", Level.WARNING, said, steps)
        return
    except MalformedResponse:
        said = text("doctor.token_unreadable", source=source)
        steps = (text("doctor.host_strange_step"),)
        yield Finding("token.owner", Level.WARNING, said, steps)
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
                text("doctor.token_lacks", source=source, permission=INFERENCE),
                status=403,
            )
            missing.permission, missing.found_in = INFERENCE, source
            missing.host_kind = HostKind.HUB.value
            missing.owner = f"org {payer}" if payer else f"user {holder.name}"
            missing.hint = next_step(missing)
            yield failure("token.permission", missing)
        else:
            yield ok("token.permission", text("doctor.token_may", source=source))


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
        abilities = page.abilities
        if not page.is_served:
            # Nobody told whether it chats: the best is taken for true.
            abilities = abilities_of(page.id, facts, chats=True)
        for finding in role_findings(entry, abilities):
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
    if not live and not page.router_told:
        said = text("doctor.router_untold", model=page.id)
        return unknown("model.untold", said, entry=entry.name)
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
        said = text("doctor.endpoint_untold", host=host)
        step = text("doctor.endpoint_untold_step", page=token_page(ENDPOINTS))
        if managed is not None:
            # Also where the list is empty: the token may read it.
            said = text("doctor.endpoint_strange", host=host)
            step = text("doctor.endpoint_strange_step")
        return unknown("endpoint.state", said, entry=entry.name, steps=(step,))
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
    facts = {"base": served.base, "server": served.server}
    if names or served.loaded_model is not None:
        said = text("doctor.server", **facts)
        yield ok("network.server", said, entry=entry.name)
    else:
        # Any page that answers everything is taken for such a one.
        said = text("doctor.server_untold", **facts)
        steps = (text("doctor.server_untold_step"),)
        yield unknown("network.server", said, entry=entry.name, steps=steps)
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
    _: Destination, client: HttpClient, *, holder: AccountHolder, now: float
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


async def status_findings(_: Destination, client: HttpClient) -> AsyncIterator[Finding]:
    """Yield what Hugging Face's status page says."""
    try:
        found = await read_status(client)
    except ByteBuddyError as error:
        # Its general step is for a server of a user's.
        steps = (text("doctor.status_step", page=STATUS),)
        yield Finding("status.page", Level.UNKNOWN, steps=steps, error=error)
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
