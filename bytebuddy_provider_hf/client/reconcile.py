"""Compare what the ledger reckoned with what Hugging Face bills, and name what differs.

The user's token goes to https://huggingface.co and https://api.endpoints.huggingface
.cloud only; what is read there is kept beside the ledger. Estimated, reported and
billed amounts stand side by side: they say the same thing three times and are never
added.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.client.runtime import Runtime, shared_runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.hub.billing import Bill, DedicatedEndpoint
from bytebuddy_provider_hf.texts import LocalizedText
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.types import BudgetAlert

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
    "other price",
]


@frozen
class ComparedSession:
    """Estimated, reported, billed and pending of the calls of one session.

    ``session`` is empty for calls without one, which the bill tells only in sum.
    ``account`` is who pays. ``calls`` are the attempts that were answered (2xx, 3xx):
    only those are billed. Each of them is counted in exactly one of ``settled`` (the
    bill's amount is final), ``pending`` and ``unpriced`` (neither the bill nor the
    catalogue tells its price, by reason). ``billed_calls`` is what the bill counts.
    Amounts are in 10⁻⁹ USD; ``None`` is unknown.
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


@frozen
class Difference:
    """One thing in which ledger and bill differ: where, by how much, and why.

    ``amount`` is billed less estimated, in 10⁻⁹ USD, ``None`` where one is unknown;
    ``said`` is the sentence for people.
    """

    cause: Cause
    account: str
    session: str
    models: tuple[str, ...]
    calls: int
    amount: int | None
    said: LocalizedText


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


@frozen
class EndpointCost:
    """What a dedicated endpoint costs, as far as its management page tells.

    ``per_hour`` is what it costs now, all replicas together (0 while it is scaled to
    zero or paused). ``least`` and ``most`` are what it cost in the range: a range,
    because the page tells the present state and the last use only. ``None``: not
    metered, and ``said`` says why.
    """

    endpoint: DedicatedEndpoint
    per_hour: int | None
    least: int | None
    most: int | None
    said: LocalizedText | None = None


@frozen
class Reconciliation:
    """What the ledger and the bill say of the same days, side by side.

    ``total`` sums the ``sessions``. ``unread`` are sentences for people on what could
    not be compared, such as an organization whose bill the token may not read, or an
    endpoint that nobody meters. ``alerts`` were passed for the first time: credits.
    ``period_ends`` is when the account's own period does, in seconds of the Unix clock.
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
    """Read the bill of the days ``since`` to ``until`` (UTC, both included).

    ``folder`` is the ledger's. What is read is kept there. Raises ``TokenInvalid`` and
    any other ``ByteBuddyError`` where not even the owner of the token can be read; a
    bill that cannot be read is told by its account.
    """
    del options, clock
    env = os.environ if env is None else env
    raise NotImplementedError(folder, credential, since, until, runtime)
