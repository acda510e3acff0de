"""Ask whose a token is, seldom: Hugging Face limits how often that may be asked."""

from __future__ import annotations

import json
from typing import Final

from bytebuddy_provider_hf.address import HostKind
from bytebuddy_provider_hf.errors import ByteBuddyError, TokenInvalid
from bytebuddy_provider_hf.failures.next_steps import next_step
from bytebuddy_provider_hf.hub.answer_cache import AnswerStore
from bytebuddy_provider_hf.hub.billing import AccountHolder, read_whoami
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.transport.http_client import HttpClient

# Seconds. What a token may do is changed by hand, and looked at again soon after.
_FRESH: Final = 600.0


def refused_token(error: ByteBuddyError, source: str, place: str) -> TokenInvalid:
    """Return what it means that Hugging Face does not know a token.

    ``source`` and ``place`` are where it was found: the next step depends on it.
    """
    refused = TokenInvalid(error.message, status=error.status)
    refused.found_in, refused.found_as = source, place
    refused.host_kind = HostKind.HUB.value
    refused.hint = next_step(refused)
    return refused


async def known_holder(
    client: HttpClient, identity: str, store: AnswerStore | None
) -> AccountHolder:
    """Return whose token ``client`` carries, by an answer of ten minutes at most.

    ``identity`` stands for the token in ``store``, where neither it nor the account's
    address is kept. Raises any ``ByteBuddyError``.
    """
    key = f"whoami {identity}"
    kept = None if store is None else await store.get(key)
    if kept is not None and kept[1] < _FRESH:
        found = _holder(kept[0])
        if found is not None:
            return found
    holder = await read_whoami(client)
    if store is not None:
        store.put(key, _written(holder))
    return holder


def _written(holder: AccountHolder) -> bytes:
    return json.dumps(
        {
            "name": holder.name,
            "organizations": holder.organizations,
            "role": holder.role,
            "granted": holder.granted,
        }
    ).encode()


def _holder(data: bytes) -> AccountHolder | None:
    """Return what was kept, or ``None`` where it is not as it was written; total."""
    value = loads(data)
    if not isinstance(value, dict):
        return None
    name, role = value.get("name"), value.get("role")
    organizations, granted = value.get("organizations"), value.get("granted")
    if not (
        isinstance(name, str)
        and isinstance(role, str)
        and isinstance(organizations, list)
        and isinstance(granted, list)
        and all(isinstance(each, str) for each in organizations)
        and all(
            isinstance(pair, list) and [*map(type, pair)] == [str, str]
            for pair in granted
        )
    ):
        return None
    pairs = tuple((owner, permission) for owner, permission in granted)
    return AccountHolder(name, tuple(organizations), role=role, granted=pairs)
