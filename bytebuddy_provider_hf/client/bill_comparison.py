"""Compare the ledger's sessions with a bill, and say why they differ. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.hub.billing import Bill, SessionBill
from bytebuddy_provider_hf.money import dollars
from bytebuddy_provider_hf.storage.session_usage import SessionUsage
from bytebuddy_provider_hf.texts import LocalizedText, text

# What the providers have not told by then is never charged
# (docs/inference-providers/register-as-a-provider.md of huggingface/hub-docs).
TOLD_WITHIN: Final = 1_800.0
# Parts of an estimate below which a difference is rounding.
_PARTS: Final = 1_000
# Names that a sentence has room for.
_MOST_NAMES: Final = 3

# Why ledger and bill do not say the same.
Cause: TypeAlias = Literal[
    "cached tokens",
    "compute time",
    "answer cut",
    "no estimate",
    "other programs",
    "pending",
    "not charged",
    "not in the bill",
    "no session",
    "other price",
]


@frozen
class ComparedSession:
    """Estimated, reported, billed and pending of the calls of one session.

    ``session`` is empty for calls without one, which the bill tells only in sum.
    ``account`` is who pays. ``calls`` are the attempts that were answered (2xx, 3xx):
    only those are billed. Each of them is counted in exactly one of ``settled`` (the
    bill's amount is final), ``pending`` (it is not), ``unpriced`` (neither the bill nor
    the catalogue tells its price, by reason) and ``unmatched`` (there is an estimate,
    and the bill does not have it, or not apart from others). ``billed_calls`` is what
    the bill counts. Amounts are in 10⁻⁹ USD; ``None`` is unknown.
    """

    account: str
    session: str
    calls: int
    estimated: int | None = None
    is_ceiling: bool = False
    reported: int | None = None
    billed: int | None = None
    billed_calls: int | None = None
    settled: int = 0
    pending: int = 0
    unpriced: Mapping[str, int] = field(factory=dict)
    models: tuple[str, ...] = ()
    unmatched: int = 0


@frozen
class Difference:
    """One thing in which ledger and bill differ: where, by how much, and why.

    ``session`` is empty where it is several. ``amount`` is billed less estimated, in
    10⁻⁹ USD, ``None`` where one is unknown; ``said`` is the sentence for people.
    """

    cause: Cause
    account: str
    session: str
    models: tuple[str, ...]
    calls: int
    amount: int | None
    said: LocalizedText


@frozen
class Comparison:
    """What became of the sessions of one account, and what differs."""

    sessions: tuple[ComparedSession, ...]
    differences: tuple[Difference, ...]


def compare(
    account: str,
    usage: Iterable[SessionUsage],
    bill: Bill | None,
    lines: Sequence[SessionBill],
) -> Comparison:
    """Compare what the ledger has for an account with its bill.

    ``lines`` are the bill's sessions. Without a bill nothing is settled.
    """
    used: dict[str, list[SessionUsage]] = defaultdict(list)
    for each in usage:
        used[each.session].append(each)
    billed = billed_by_session(bill, lines)
    found: list[ComparedSession] = []
    causes: dict[tuple[Cause, tuple[str, ...]], list[ComparedSession]] = defaultdict(
        list
    )
    for session, parts in sorted(used.items()):
        compared = compared_session(account, parts, billed.get(session))
        found.append(compared)
        cause = cause_of(compared, parts)
        # Without a bill there is nothing to differ from.
        if cause is not None and bill is not None:
            causes[cause, compared.models].append(compared)
    differences = [_difference(cause, same) for (cause, _), same in causes.items()]
    others = _others(account, bill, billed, used)
    if others is not None:
        differences.append(others)
    differences.sort(key=lambda each: -abs(each.amount or 0))
    return Comparison(tuple(found), tuple(differences))


def total_of(sessions: Iterable[ComparedSession]) -> ComparedSession:
    """Return the sum of all sessions; of an amount the sum of what is known."""
    known = list(sessions)
    reasons: Counter[str] = Counter()
    for each in known:
        reasons.update(each.unpriced)
    accounts = {each.account for each in known}
    return ComparedSession(
        account=accounts.pop() if len(accounts) == 1 else "",
        session="",
        calls=sum(each.calls for each in known),
        estimated=_sum(each.estimated for each in known),
        is_ceiling=any(each.is_ceiling for each in known),
        reported=_sum(each.reported for each in known),
        billed=_sum(each.billed for each in known),
        billed_calls=_sum(each.billed_calls for each in known),
        settled=sum(each.settled for each in known),
        pending=sum(each.pending for each in known),
        unpriced=dict(reasons),
        models=tuple(sorted({model for each in known for model in each.models})),
        unmatched=sum(each.unmatched for each in known),
    )


def billed_by_session(
    bill: Bill | None, lines: Sequence[SessionBill]
) -> dict[str, SessionBill]:
    """Return what the bill says of each session, all its periods together.

    Under "" is what it says of calls without one: what is left of the sum.
    """
    same: dict[str, list[SessionBill]] = defaultdict(list)
    for line in lines:
        same[line.id].append(line)
    found = {
        session: SessionBill(
            session,
            # A part that is not known leaves the sum unknown.
            _whole(line.cost for line in several),
            _whole(line.requests for line in several),
        )
        for session, several in same.items()
    }
    cost = _whole(line.cost for line in found.values())
    requests = _whole(line.requests for line in found.values())
    if "" in found or bill is None or cost is None or requests is None:
        return found
    if bill.used is None or bill.requests is None:
        return found
    left = SessionBill("", bill.used - cost, bill.requests - requests)
    # Less than nothing: sum and sessions were not read at the same moment.
    if bill.used >= cost and bill.requests >= requests:
        found[""] = left
    return found


def compared_session(
    account: str, parts: Sequence[SessionUsage], line: SessionBill | None
) -> ComparedSession:
    """Return what became of one session's calls; ``line`` is what the bill has of it.

    Young calls are pending: a placeholder is billed at 0 until its cost is known.
    """
    calls = sum(each.answered for each in parts)
    reasons: Counter[str] = Counter()
    for each in parts:
        if each.unpriced and each.answered:
            reasons[each.unpriced] += each.answered
    compared = ComparedSession(
        account=account,
        session=parts[0].session,
        calls=calls,
        estimated=_sum(each.estimated for each in parts),
        is_ceiling=any(each.ceilings for each in parts),
        reported=_sum(each.reported for each in parts),
        billed_calls=None if line is None else line.requests,
        models=tuple(sorted({each.model for each in parts})),
    )
    young = sum(each.young for each in parts)
    requests = 0 if line is None else (line.requests or 0)
    # Calls without a session are told only where nobody else sent any.
    mixed = not compared.session and requests != calls
    if line is None or line.cost is None or mixed:
        left = Counter(reasons)
        for each in parts:
            if each.unpriced and each.young:
                left[each.unpriced] -= each.young
        unpriced = {reason: count for reason, count in left.items() if count > 0}
        unmatched = calls - young - sum(unpriced.values())
        return evolve(
            compared,
            billed_calls=None,
            pending=young,
            unpriced=unpriced,
            unmatched=unmatched,
        )
    # Complete before its time: everything is there, at the price that was expected.
    estimate = compared.estimated or 0
    expected = estimate - estimate // _PARTS
    if not reasons and not compared.is_ceiling and requests >= calls:
        young = 0 if line.cost >= expected > 0 else young
    if young and young == calls:
        return evolve(compared, pending=young)
    settled = min(calls - young, requests)
    return evolve(
        compared,
        billed=line.cost,
        settled=settled,
        pending=young,
        unmatched=calls - young - settled,
    )


def cause_of(compared: ComparedSession, parts: Sequence[SessionUsage]) -> Cause | None:
    """Return why a session's bill is not its estimate, if it is not."""
    if compared.pending:
        return "pending"
    billed, estimated = compared.billed, compared.estimated or 0
    if billed is None:
        if not compared.unmatched:
            return None
        return "not in the bill" if compared.session else "no session"
    reasons = {each.unpriced for each in parts if each.answered} - {""}
    more_calls = (compared.billed_calls or 0) > compared.calls
    # Each call is rounded to a whole 10⁻⁹ USD, here and there.
    rounding = estimated // _PARTS + compared.calls
    if not more_calls and not reasons and abs(billed - estimated) <= rounding:
        return "not in the bill" if compared.unmatched else None
    checks: tuple[tuple[bool, Cause], ...] = (
        (more_calls and any(each.unseen for each in parts), "answer cut"),
        (more_calls, "other programs"),
        (compared.unmatched > 0, "not in the bill"),
        ("compute time" in reasons, "compute time"),
        ("answer cut" in reasons or any(each.cut for each in parts), "answer cut"),
        (bool(reasons), "no estimate"),
        (billed == 0, "not charged"),
        (compared.is_ceiling and billed < estimated, "cached tokens"),
    )
    for holds, cause in checks:
        if holds:
            return cause
    return "other price"


def _difference(cause: Cause, same: Sequence[ComparedSession]) -> Difference:
    """Return what differs for one reason in some sessions with the same models."""
    total = total_of(same)
    account, models, calls = total.account, total.models, total.calls
    session = same[0].session if len(same) == 1 else ""
    names = ", ".join(models[:_MOST_NAMES])
    if len(models) > _MOST_NAMES:
        names = f"{names}, …"
    # Of these no amount is known, or none of a single session.
    said, facts = None, {"models": names, "account": account}
    if cause == "pending":
        calls = total.pending
        said = text("billing.differs_pending", calls=f"{calls:,}", **facts)
    elif cause == "not in the bill":
        calls = total.unmatched
        said = text("billing.differs_not_in_the_bill", calls=f"{calls:,}", **facts)
    elif cause == "no session":
        said = text("billing.differs_no_session", calls=f"{calls:,}", **facts)
    if said is not None:
        return Difference(cause, account, session, models, calls, None, said)
    where = text("billing.in_sessions", count=f"{len(same):,}")
    if session:
        where = text("billing.in_session", session=session)
    elif len(same) == 1:
        where = text("billing.without_session")
    unknown = text("billing.unknown_amount")
    billed, estimated = total.billed, total.estimated
    said = text(
        "billing.differs",
        models=names,
        where=where,
        calls=f"{calls:,}",
        billed=unknown if billed is None else dollars(billed),
        estimated=unknown if estimated is None else dollars(estimated),
        why=_WHY[cause](),
    )
    amount = None if billed is None else billed - (estimated or 0)
    return Difference(cause, account, session, models, calls, amount, said)


_WHY: Final[Mapping[Cause, Callable[..., LocalizedText]]] = {
    "answer cut": partial(text, "billing.why_answer_cut"),
    "cached tokens": partial(text, "billing.why_cached_tokens"),
    "compute time": partial(text, "billing.why_compute_time"),
    "no estimate": partial(text, "billing.why_no_estimate"),
    "not charged": partial(text, "billing.why_not_charged"),
    "other price": partial(text, "billing.why_other_price"),
    "other programs": partial(text, "billing.why_other_programs"),
}


def _others(
    account: str,
    bill: Bill | None,
    billed: Mapping[str, SessionBill],
    used: Mapping[str, Sequence[SessionUsage]],
) -> Difference | None:
    """Return what the bill has beyond the sessions that the ledger knows."""
    if bill is None:
        return None
    ours = [line for session, line in billed.items() if session in used]
    requests, cost = bill.requests, bill.used
    if requests is None:
        # Only the sessions are told: those that nobody here began.
        strange = [line for session, line in billed.items() if session not in used]
        requests = _sum(line.requests for line in strange) or 0
        cost = _sum(line.cost for line in strange)
    else:
        requests -= _sum(line.requests for line in ours) or 0
        cost = None if cost is None else cost - (_sum(line.cost for line in ours) or 0)
    if requests <= 0:
        return None
    said = text(
        "billing.differs_other_programs",
        calls=f"{requests:,}",
        amount=text("billing.unknown_amount") if cost is None else dollars(cost),
        account=account,
    )
    return Difference("other programs", account, "", (), requests, cost, said)


def _sum(amounts: Iterable[int | None]) -> int | None:
    """Return the sum of what is known, ``None`` where nothing is."""
    known = [each for each in amounts if each is not None]
    return sum(known) if known else None


def _whole(amounts: Iterable[int | None]) -> int | None:
    """Return the sum, ``None`` where one of them is not known."""
    found = list(amounts)
    return None if None in found else sum(each for each in found if each is not None)
