"""Read what an answer tells of how it was served: by whom, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.hub.router_models import PROVIDER
from bytebuddy_provider_hf.money import NO_COST, Cost, total_cost
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.types import NOT_SERVED, Served

_LONGEST: Final = 256
PROVIDER_HEADER: Final = "x-inference-provider"
# Of TGI (router/src/server.rs) and hf-inference; times are in ms, compute-time in s.
_COMPUTE: Final = (
    "x-compute-type",
    "x-compute-time",
    "x-compute-characters",
    "x-total-time",
    "x-validation-time",
    "x-queue-time",
    "x-inference-time",
    "x-time-per-token",
    "x-prompt-tokens",
    "x-generated-tokens",
)


def read_header(
    headers: Mapping[str, str], name: str, endpoint: Endpoint
) -> str | None:
    """Return what a header says, on a line of 256 characters and without secrets."""
    said = headers.get(name)
    if said is None:
        return None
    said = endpoint.scrub(said)
    if len(said) <= _LONGEST and said.isascii() and said.isprintable():
        return said
    return one_line(said.encode("ascii", "replace").decode(), limit=_LONGEST)


def read_provider(headers: Mapping[str, str], endpoint: Endpoint) -> str | None:
    """Return who answered, of the router's providers; ``None`` where it is no name.

    The header is read in huggingface/chat-ui, ``endpointOai.ts``.
    """
    said = read_header(headers, PROVIDER_HEADER, endpoint)
    return said if said is not None and PROVIDER.fullmatch(said) else None


def read_served(
    headers: Mapping[str, str],
    endpoint: Endpoint,
    told: Served,
    *,
    attempts: int,
    waited: float,
    elapsed: float,
    cost: Cost = NO_COST,
) -> Served:
    """Return how a call was served, by its headers and what its body ``told``."""
    # Hardly any server but the router tells more than what is counted here.
    if told is NOT_SERVED and not (
        PROVIDER_HEADER in headers
        or "inference-id" in headers
        or "x-inference-id" in headers
        or "x-compute-type" in headers
        or "x-compute-time" in headers
    ):
        return Served(attempts=attempts, waited=waited, elapsed=elapsed, cost=cost)
    provider = read_provider(headers, endpoint)
    if provider is None and (said := told.provider) is not None:
        said = endpoint.scrub(said)
        provider = said if PROVIDER.fullmatch(said) else None
    # Both names are in recorded answers.
    billed_as = read_header(headers, "inference-id", endpoint)
    if billed_as is None:
        billed_as = read_header(headers, "x-inference-id", endpoint)
    compute: tuple[tuple[str, str], ...] = ()
    # Few servers measure, and those say on what.
    if "x-compute-type" in headers or "x-compute-time" in headers:
        found = ((name, read_header(headers, name, endpoint)) for name in _COMPUTE)
        compute = tuple((name, said) for name, said in found if said is not None)
    return Served(
        provider,
        billed_as,
        told.reported_nano_usd,
        compute,
        attempts,
        waited,
        elapsed,
        cost=cost,
    )


def merged(parts: Sequence[Served], *, elapsed: float) -> Served:
    """Return how an answer was served that several requests made.

    What they do not have in common, and a cost that one of them does not tell, is
    unknown of the whole; each has its own in ``parts``.
    """
    if len(parts) == 1:
        return parts[0]
    providers = {each.provider for each in parts}
    costs = [each.reported_nano_usd for each in parts]
    known = [cost for cost in costs if cost is not None]
    ages = [each.cached for each in parts if each.cached is not None]
    return Served(
        provider=providers.pop() if len(providers) == 1 else None,
        reported_nano_usd=sum(known) if len(known) == len(costs) else None,
        attempts=sum(each.attempts for each in parts),
        waited=max(each.waited for each in parts),
        elapsed=elapsed,
        parts=tuple(parts),
        cost=total_cost([each.cost for each in parts]),
        # The oldest, where no server was asked for any of them.
        cached=max(ages) if len(ages) == len(parts) else None,
    )
