"""Read from the ledger what a bill may tell of: answered attempts, by session."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.config.stored_files import USAGE
from bytebuddy_provider_hf.storage.database import (
    open_to_read,
    reason_of,
    warn_once,
)
from bytebuddy_provider_hf.storage.shared_database import NewerDatabase
from bytebuddy_provider_hf.texts import text

# Attempts that may cost: answered with success, or with nobody knows what.
_SUMS: Final = """
SELECT identity, bill_to, origin, session, model, provider, unpriced,
    sum(status IS NOT NULL), sum(status IS NOT NULL AND at >= ?),
    sum(status IS NULL), sum(outcome = 'cut'), sum(estimated), sum(is_ceiling),
    sum(reported)
FROM each_attempt
WHERE at >= ? AND at < ? AND role <> 'probe'
    AND (status IS NULL OR status BETWEEN 200 AND 399)
GROUP BY identity, bill_to, origin, session, model, provider, unpriced
"""


@frozen
class SessionUsage:
    """What one session used of one model at one provider, by who pays.

    ``identity`` stands for the token, ``bill_to`` names the organization, "" for the
    owner of the token. ``answered`` attempts got a good status, ``young`` of them a
    short while ago; of ``unseen`` ones nobody saw the answer. ``unpriced`` says why
    they have no estimate, "" where they have one. Amounts are in 10⁻⁹ USD; ``None`` is
    unknown; ``ceilings`` attempts cost their estimate or less.
    """

    identity: str
    bill_to: str
    origin: str
    session: str
    model: str
    provider: str
    unpriced: str
    answered: int
    young: int
    unseen: int
    cut: int
    estimated: int | None
    ceilings: int
    reported: int | None


def read_session_usage(
    folder: Path, *, since: float, until: float, young_since: float
) -> tuple[SessionUsage, ...]:
    """Return what sessions used between two times of the Unix clock.

    What was sent from ``young_since`` on counts as young. Only what is kept attempt by
    attempt (90 days) can be told so. Blocks; works while others write. Without a file
    there is nothing, nor of one that cannot be read, which a warning says.
    """
    path = folder / USAGE.name
    try:
        connection = open_to_read(folder)
        if connection is None:
            return ()
        with closing(connection):
            rows = connection.execute(_SUMS, (young_since, since, until)).fetchall()
    except NewerDatabase:
        warn_once(text("storage.newer", path=path))
    except (PermissionError, sqlite3.Error) as error:
        reason = reason_of(error)
        warn_once(text("storage.unreadable", path=path, reason=reason))
    else:
        return tuple(SessionUsage(*row) for row in rows)
    return ()
