"""What is known of an error, as words for its next step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import HUB, OWNED_ID, HostKind, host_kind

_ATTRIBUTES: Final = (
    "status",
    "model",
    "endpoint",
    "found_in",
    "owner",
    "served",
    "limit",
    "given",
    "asked",
    "parameter",
    "field",
    "location",
    "variable",
    "name",
)


def error_facts(
    error: errors.ByteBuddyError, *, spoken: Callable[[float], str] | None = None
) -> dict[str, str]:
    """Return what is known of an error, as words for its step; ``spoken`` says times.

    Demanded only: ``huggingface``, ``dedicated``, ``router``: who answered.
    """
    speak = spoken or human_time
    known = {
        name: str(value)
        for name in _ATTRIBUTES
        if (value := getattr(error, name, None)) not in (None, "")
    }
    known |= host_kind_facts(known.get("endpoint", "")) | _serving(error)
    if (model := known.pop("model", None)) is not None:
        known |= _model(model)
    if error.retry_after:
        known["wait"] = speak(error.retry_after)
    if estimate := getattr(error, "estimate", None):
        known["estimate"] = speak(estimate)
    if parameters := getattr(error, "parameters", ()):
        known["parameters"] = ", ".join(parameters)
    if isinstance(error, errors.ContextTooLong) and error.limit and error.given:
        fits = error.limit - error.given
        if error.asked and fits > 0:
            known["fits"] = str(fits)
    return known


def human_time(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{math.ceil(seconds)} s"
    if seconds < 7_200:  # noqa: PLR2004 - two hours
        return f"{math.ceil(seconds / 60)} minutes"
    hours = seconds / 3_600
    return f"{math.ceil(hours)} hours" if hours < 1e6 else "very long"  # noqa: PLR2004 - a century


def _serving(error: errors.ByteBuddyError) -> dict[str, str]:
    if not isinstance(error, errors.APIError) or error.served_by is None:
        return {}
    if names := error.served_by:
        return {"served_by": ", ".join(names), "provider": names[0]}
    near = {"neighbours": ", ".join(error.neighbours)} if error.neighbours else {}
    return {"unserved": "yes", **near}


def _model(model: str) -> dict[str, str]:
    bare = model.split(":", 1)[0]
    if OWNED_ID.fullmatch(bare) is None:
        return {"model": bare}
    return {"model": bare, "page": f"{HUB}/{bare}"}


_KINDS: Final[Mapping[HostKind, tuple[str, ...]]] = {
    HostKind.ROUTER: ("huggingface", "router"),
    HostKind.HUB: ("huggingface",),
    HostKind.ENDPOINT: ("dedicated",),
    HostKind.LOOPBACK: ("local",),
    HostKind.OTHER: (),
}


def host_kind_facts(endpoint: str) -> dict[str, str]:
    """Return which kinds of server a host is, each as a fact that is only demanded."""
    return dict.fromkeys(_KINDS[host_kind(_host(endpoint))], "yes")


def _host(endpoint: str) -> str:
    return endpoint.rsplit(":", 1)[0] if endpoint.count(":") == 1 else endpoint
