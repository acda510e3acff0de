"""What is legal where: options become what a server takes, and what it cannot take.

An illegal value costs the whole call (TGI refuses a topP of 1), a silently ignored one
costs the user's trust, so each is left out and told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.dialects import (
    NEUTRAL,
    WITHOUT_OPTIONS,
    Dialect,
    dialect,
)
from bytebuddy_provider_hf.wire.server import Server

# OpenAI's documented limit, and the default of TGI's --max-stop-sequences.
MAX_STOPS: Final = 4

# Our options, by the names that users know from the configuration file.
_SHOWN: Final[Mapping[str, str]] = {
    "temperature": "temperature",
    "max_tokens": "maxTokens",
    "top_p": "topP",
    "top_k": "topK",
    "min_p": "minP",
    "repetition_penalty": "repetitionPenalty",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "seed": "seed",
}
_SAMPLING: Final = ("temperature", "top_p", "top_k")


@frozen
class Legal:
    """What may be sent.

    ``body`` is the request, ``model`` first; ``cuts`` are the stop texts to cut on our
    side; ``notes`` tells, one sentence each, what was dropped or changed.
    """

    body: dict[str, object] = field(factory=dict)
    cuts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def legal(
    options: CompletionOptions,
    server: Server,
    route: str,
    *,
    base: Mapping[str, object],
) -> Legal:
    """Return the body of a request to ``route``: ``base`` with what may be sent.

    ``route`` is one of the names that ``Server.routes`` has. Nulls are never sent, nor
    values that say nothing: TGI makes a repetition penalty of 2 of a presence penalty
    of 0.
    """
    body = _model_first(base)
    if route in WITHOUT_OPTIONS:
        return Legal(body)
    taken = dialect(server, route)
    notes: list[str] = []
    sent = _numbers(options, taken, notes, where=f"{server.engine} ({route})")
    stops, cuts = _stops(options, server, taken, notes)
    if stops:
        sent[taken.names["stop"]] = list(stops)
    if not taken.nested:
        return Legal({**body, **sent}, cuts, tuple(notes))
    if route == "generate":
        sent |= {"return_full_text": False, "details": True}
    given = body.get("parameters")
    parameters = {**(given if isinstance(given, Mapping) else {}), **sent}
    if parameters:
        body["parameters"] = parameters
    return Legal(body, cuts, tuple(notes))


def most_stops(server: Server) -> int:
    """Return how many stop texts a server takes."""
    return MAX_STOPS if server.max_stops is None else max(0, server.max_stops)


def _model_first(base: Mapping[str, object]) -> dict[str, object]:
    """Return ``base`` without nulls; the router reads the model off the first bytes."""
    body = {key: value for key, value in base.items() if value is not None}
    return {"model": body.pop("model"), **body} if "model" in body else body


def _numbers(
    options: CompletionOptions, taken: Dialect, notes: list[str], *, where: str
) -> dict[str, object]:
    greedy = taken.greedy_drops and _is_zero(options.temperature)
    sent: dict[str, object] = {}
    for name, shown in _SHOWN.items():
        value = getattr(options, name)
        # A server that samples once it sees one of these would sample after all.
        if value is None or (greedy and name in ("top_p", "top_k")):
            continue
        if name == "temperature" and _is_zero(value):
            _send_zero(taken, sent, notes)
        elif value == NEUTRAL.get(name) and name not in taken.neutral:
            continue
        elif name not in taken.names:
            reason = taken.reasons.get(name, f"{where} does not take it")
            notes.append(f"{shown} is not sent: {reason}.")
        else:
            _send(name, value, taken, sent, notes)
    if taken.nested and not greedy and any(name in sent for name in _SAMPLING):
        # A temperature of exactly 1 alone would leave TGI greedy.
        sent["do_sample"] = True
    return sent


def _send_zero(taken: Dialect, sent: dict[str, object], notes: list[str]) -> None:
    """Ask for the likeliest tokens in the way the route understands."""
    if taken.sends_zero:
        sent["temperature"] = 0
    elif taken.nested:
        sent["do_sample"] = False
    elif taken.least_temperature is not None:
        sent["temperature"] = taken.least_temperature
        notes.append(
            f"temperature is sent as {taken.least_temperature:g}: "
            "this version of the server refuses 0."
        )


def _send(
    name: str,
    value: float,
    taken: Dialect,
    sent: dict[str, object],
    notes: list[str],
) -> None:
    allowed = taken.ranges[name]
    nearest = allowed.nearest(value)
    shown = _SHOWN[name]
    if nearest is not None:
        sent[taken.names[name]] = nearest
        if nearest != value:
            notes.append(f"{shown} is sent as {nearest:g}, the highest it may be.")
    elif value != NEUTRAL.get(name):
        notes.append(f"{shown} {value:g} is not sent: it must be {allowed}.")


def _stops(
    options: CompletionOptions, server: Server, taken: Dialect, notes: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stop texts to send, and those to cut on our side."""
    asked = tuple(dict.fromkeys(stop for stop in options.stop or () if stop))
    if not asked:
        return (), ()
    if "stop" not in taken.names:
        reason = taken.reasons.get("stop", "this route does not take it")
        notes.append(f"stop is not sent: {reason}; the answer is cut here.")
        return (), asked
    most = most_stops(server)
    if len(asked) > most:
        notes.append(
            f"Only {most} of {len(asked)} stop texts are sent, as many as the server "
            "takes; the answer is cut here."
        )
        return asked[:most], asked
    return asked, asked if taken.cuts else ()


def _is_zero(temperature: float | None) -> bool:
    """Whether a temperature is 0, also as the 32-bit float that servers make of it."""
    return temperature is not None and abs(temperature) < 1e-45  # noqa: PLR2004 - half the least float
