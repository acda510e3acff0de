"""Keep what a bill says beside the attempts that it is for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen


@frozen
class BilledSession:
    """What the bill says of one session in one of its periods; cost in 10⁻⁹ USD."""

    session: str
    cost: int
    requests: int
    starts: float
    ends: float


@frozen
class BilledPeriod:
    """What the bill says of a whole period; amounts in 10⁻⁹ USD."""

    starts: float
    ends: float
    used: int
    included: int
    limit: int | None
    requests: int


@frozen
class BillMatch:
    """Which sessions of a bill the ledger knows; cost in 10⁻⁹ USD, requests as billed.

    Those it does not know are other programs', or older than its rows.
    """

    sessions: int
    cost: int
    requests: int
    unknown_sessions: int
    unknown_cost: int


def put_bill(
    folder: Path,
    *,
    identity: str,
    bill_to: str,
    sessions: Sequence[BilledSession],
    periods: Sequence[BilledPeriod],
    read_at: float,
) -> BillMatch:
    """Keep a bill, read at ``read_at`` with the token of ``identity``.

    Each session's attempts become billed as a group; a session or period that was
    kept before is replaced. ``bill_to`` is the organization, "" for the token's owner.
    """
    raise NotImplementedError
