"""Read what was used: sums of the ledger by model, provider, role, day and more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.storage.budgets import Unit

Dimension: TypeAlias = Literal[
    "model", "provider", "role", "day", "origin", "session", "identity", "bill_to"
]
# What is known of an attempt's cost: each is in exactly one of these. "refused" was
# answered by an error, which nobody is charged for; "estimated" was not reconciled yet.
Settlement: TypeAlias = Literal["billed", "pending", "unpriced", "estimated", "refused"]


@frozen
class UsageRow:
    """What was used under one ``key`` of the dimension asked for.

    ``calls`` are first attempts that were no probe. Amounts are in 10⁻⁹ USD and never
    added to each other; ``None`` is unknown. ``estimated`` is the sum of what has a
    price, with ``ceiling`` it cost that or less. ``pending`` attempts are younger than
    30 minutes and on no bill yet. ``unpriced`` counts attempts without an estimate by
    reason. ``tokens_unknown`` counts answers that did not tell their tokens.

    A session's bill is one amount: where its attempts differ in the dimension, it
    stands under the key "".
    """

    key: str
    attempts: int = 0
    calls: int = 0
    failed: int = 0
    absorbed: int = 0
    cut: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    tokens_unknown: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    estimated: int | None = None
    ceiling: bool = False
    reported: int | None = None
    billed: int | None = None
    pending: int = 0
    unpriced: Mapping[str, int] = field(factory=dict)


@frozen
class BudgetState:
    """How much of a budget is used in its present period.

    ``reserved`` is for calls under way, and for those of programs that were killed.
    ``limit`` is what the configuration says, ``raised`` what was allowed beyond it.
    ``is_assumed`` marks a calendar month that stands for the account's own period.
    """

    name: str
    unit: Unit
    used: int
    reserved: int
    limit: int
    hard: bool
    starts: float
    ends: float
    period: Literal["day", "month", "account"]
    raised: int
    is_assumed: bool = False


@frozen
class BillTotal:
    """What an account's bill says of a period, all its programs together.

    ``bill_to`` is the organization, "" for the user's own account; ``limit`` is
    ``None`` where there is none. Amounts are in 10⁻⁹ USD.
    """

    bill_to: str
    starts: float
    ends: float
    used: int
    included: int
    limit: int | None
    requests: int
    read_at: float


@frozen
class UsageReport:
    """What the ledger knows of the days ``since`` to ``until``, both included (UTC).

    ``days`` has every day of them; ``unaccounted`` are requests that programs which
    were killed, or still run, may have sent; ``first`` is the first day of all.
    ``settlement`` counts the attempts that are kept one by one (90 days).
    """

    since: date
    until: date
    by: Dimension
    rows: tuple[UsageRow, ...]
    total: UsageRow
    days: tuple[UsageRow, ...]
    budgets: tuple[BudgetState, ...] = ()
    unaccounted: int = 0
    first: date | None = None
    settlement: Mapping[Settlement, int] = field(factory=dict)
    bills: tuple[BillTotal, ...] = ()


def read_usage(folder: Path, *, since: date, until: date, by: Dimension) -> UsageReport:
    """Return the usage of the days ``since`` to ``until``, both included, in UTC.

    Blocks; works while other processes write. Without a file the report is empty.
    """
    raise NotImplementedError
