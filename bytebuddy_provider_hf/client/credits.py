"""Look at an account's credits beside its calls, and tell when they run out."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bytebuddy_provider_hf.errors import ByteBuddyError, PermissionDenied
from bytebuddy_provider_hf.hub.billing import read_bill
from bytebuddy_provider_hf.storage.budgets import credit_alerts, put_period
from bytebuddy_provider_hf.storage.database import claim
from bytebuddy_provider_hf.transport.http_client import Destination

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.metering import Meter
    from bytebuddy_provider_hf.client.runtime import LoopState

_log: Final = logging.getLogger(__name__)

# Seconds between two looks of all programs of this user; most tokens may not look.
EVERY: Final = 3_600.0
_WHERE_FORBIDDEN: Final = 24 * EVERY


async def check_credits(meter: Meter, way: Destination, state: LoopState) -> None:
    """Read the bill once an hour, and log what was passed of credits and limit.

    ``way`` leads to huggingface.co with the token of the calls. One program of all that
    share a ledger asks. A bill that cannot be read is no failure of any call.
    """
    folder, now = meter.ledger.folder, meter.clock()
    payer = await meter.payer()
    name = f"credits {payer.identity} {payer.bill_to}"
    begins = datetime.fromtimestamp(now, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    try:
        if not await asyncio.to_thread(claim, folder, name, now=now, until=now + EVERY):
            return
        with state.clients.lend(way) as client:
            bill = await read_bill(
                client,
                since=begins.timestamp(),
                until=now,
                organization=payer.bill_to or None,
            )
        if bill.starts is None or bill.ends is None:
            return
        await asyncio.to_thread(put_period, folder, bill.starts, bill.ends)
        if bill.used is None or bill.included is None:
            return
        alerts = await asyncio.to_thread(
            credit_alerts,
            folder,
            used=bill.used,
            included=bill.included,
            limit=bill.limit,
            period=(bill.starts, bill.ends),
        )
    except PermissionDenied:
        # Asked again tomorrow: most tokens are for inference only.
        until = now + _WHERE_FORBIDDEN
        await asyncio.to_thread(claim, folder, name, now=until, until=until)
    except ByteBuddyError as error:
        _log.info("the bill could not be read: %s", error)
    else:
        for alert in alerts:
            meter.ledger.tell(alert)
