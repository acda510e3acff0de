"""Reckon what dedicated endpoints cost, from what their management page tells. Pure."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.hub.billing import COSTLY_STATES, DedicatedEndpoint
from bytebuddy_provider_hf.texts import LocalizedText, text

_HOUR: Final = 60
# Billed by the minute, from when it begins to load (pricing.md of Hugging Face's
# documentation of Inference Endpoints).
_MINUTE: Final = 60.0


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


def endpoint_cost(
    endpoint: DedicatedEndpoint, *, since: float, until: float, now: float
) -> EndpointCost:
    """Return what an endpoint cost from ``since`` to ``until``, at most to ``now``."""
    hourly = endpoint.hourly
    if hourly is None:
        said = text("billing.endpoint_without_price", name=endpoint.name)
        return EndpointCost(endpoint, None, None, None, said)
    runs = endpoint.state in COSTLY_STATES
    # While it loads no replica is ready yet, and the first one is billed.
    replicas = max(1, endpoint.replicas or 0) if runs else 0
    until = min(until, now)
    # Nobody knows since when it runs: surely since its last use.
    used = endpoint.last_used
    tail = endpoint.idle_after
    begins = max(since, endpoint.created or since)
    if runs:
        ends = until
    elif used is not None and tail is not None:
        ends = min(until, used + tail)
    else:
        # It was paused, or failed, at its last change at the latest.
        ends = min(until, endpoint.updated or until)
    # The idle tail after the last use was billed, unless somebody paused it meanwhile.
    sure = 0.0
    if used is not None and (runs or endpoint.state == "scaledToZero"):
        sure = ends - max(begins, used)
    most = max(1, endpoint.most_replicas or 0, replicas)
    return EndpointCost(
        endpoint,
        per_hour=hourly * replicas,
        least=_cost(hourly, sure),
        most=_cost(hourly * most, ends - begins),
    )


def not_metered(origin: str) -> EndpointCost:
    """Return that nobody can say what the endpoint at an address costs."""
    host = origin.partition("://")[2]
    endpoint = DedicatedEndpoint(host, "", origin=origin)
    said = text("billing.endpoint_not_metered", host=host)
    return EndpointCost(endpoint, None, None, None, said)


def _cost(hourly: int, seconds: float) -> int:
    """Return what so many seconds cost, a part of a minute counted as a whole one."""
    minutes = -int(-max(0.0, seconds) // _MINUTE)
    return -(-hourly * minutes // _HOUR)
