"""What is legal where: options become what a server takes, and what it cannot take.

An illegal value costs the whole call (TGI refuses a topP of 1), a silently ignored one
costs the user's trust, so each is left out and told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.dialects import (
    CHATTING,
    NEUTRAL,
    REASONING,
    TEMPLATE,
    WITHOUT_OPTIONS,
    Dialect,
    dialect,
)
from bytebuddy_provider_hf.wire.notes import Note
from bytebuddy_provider_hf.wire.server import Engine, Server

# OpenAI's documented limit, and the default of TGI's --max-stop-sequences.
MAX_STOPS: Final = 4

_NUMBERS: Final = (
    "temperature",
    "max_tokens",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
)
_SAMPLING: Final = ("temperature", "top_p", "top_k")
# Sent as they are, or not at all; two of them nowhere.
_PLAIN: Final = ("prompt_caching", "keep_alive", "stream")
_NOWHERE: Final[Mapping[str, str]] = {
    "keep_alive": "of the servers that are known here none has it, only Ollama",
    "stream": "a call is streamed where its events are asked for, and only there",
}
_NO_EFFORT: Final = "none"


@frozen
class SupportedOptions:
    """What may be sent.

    ``body`` is the request, ``model`` first; ``cuts`` are the stop texts to cut on our
    side; ``notes`` tells, one sentence each, what was dropped or changed.
    """

    body: dict[str, object] = field(factory=dict)
    cuts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def shown(name: str) -> str:
    """Return the name that an option has in the configuration file."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def takers(name: str, value: object) -> tuple[Engine, ...]:
    """Return the servers to whose chat an option is sent."""
    given = evolve(CompletionOptions(), **{name: value})  # type: ignore[arg-type]  # a field's name
    return tuple(
        e for e in CHATTING if supported_options(given, Server(e), "chat", base={}).body
    )


def supported_options(
    options: CompletionOptions,
    server: Server,
    route: str,
    *,
    base: Mapping[str, object],
) -> SupportedOptions:
    """Return the body of a request to ``route``: ``base`` with what may be sent.

    ``route`` is one of the names that ``Server.routes`` has. Nulls are never sent, nor
    values that say nothing: TGI makes a repetition penalty of 2 of a presence penalty
    of 0.
    """
    body = _model_first(base)
    if route in WITHOUT_OPTIONS:
        return SupportedOptions(body)
    taken = dialect(server, route)
    notes: list[str] = []
    where = f"{server.engine} ({route})"
    sent = _numbers(options, taken, notes, where=where)
    sent |= _plain(options, taken, notes, where=where)
    sent |= _reasoning(options, taken, notes, where=where)
    stops, cuts = _stops(options, server, taken, notes)
    if stops:
        sent[taken.names["stop"]] = list(stops)
    if not taken.in_parameters:
        return SupportedOptions({**body, **sent}, cuts, tuple(notes))
    if route == "generate":
        sent |= {"return_full_text": False, "details": True}
    given = body.get("parameters")
    parameters = {**(given if isinstance(given, Mapping) else {}), **sent}
    if parameters:
        body["parameters"] = parameters
    return SupportedOptions(body, cuts, tuple(notes))


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
    greedy = taken.drop_sampling_when_greedy and _is_zero(options.temperature)
    sent: dict[str, object] = {}
    for name in _NUMBERS:
        value = getattr(options, name)
        # A server that samples once it sees one of these would sample after all.
        if value is None or (greedy and name in ("top_p", "top_k")):
            continue
        if name == "temperature" and _is_zero(value):
            _send_zero(taken, sent, notes)
        elif value == NEUTRAL.get(name) and name not in taken.own_defaults:
            continue
        elif name not in taken.names:
            notes.append(_left_out(name, taken, where))
        else:
            _send(name, value, taken, sent, notes)
    if taken.in_parameters and not greedy and any(name in sent for name in _SAMPLING):
        # A temperature of exactly 1 alone would leave TGI greedy.
        sent["do_sample"] = True
    return sent


def _send_zero(taken: Dialect, sent: dict[str, object], notes: list[str]) -> None:
    """Ask for the likeliest tokens in the way the route understands."""
    if taken.sends_zero:
        sent["temperature"] = 0
    elif taken.in_parameters:
        sent["do_sample"] = False
    elif taken.least_temperature is not None:
        sent["temperature"] = taken.least_temperature
        told = (
            f"temperature is sent as {taken.least_temperature:g}: "
            "this version of the server refuses 0."
        )
        notes.append(Note(told, "temperature"))


def _send(
    name: str,
    value: float,
    taken: Dialect,
    sent: dict[str, object],
    notes: list[str],
) -> None:
    allowed = taken.ranges[name]
    nearest = allowed.nearest(value)
    key = shown(name)
    if nearest is not None:
        sent[taken.names[name]] = nearest
        if nearest != value:
            told = f"{key} is sent as {nearest:g}, the highest it may be."
            notes.append(Note(told, key))
    elif value != NEUTRAL.get(name):
        told = f"{key} {value:g} is not sent: it must be {allowed}."
        notes.append(Note(told, key))


def _plain(
    options: CompletionOptions, taken: Dialect, notes: list[str], *, where: str
) -> dict[str, object]:
    sent: dict[str, object] = {}
    for name in _PLAIN:
        value = getattr(options, name)
        if value is None:
            continue
        if name in taken.names:
            sent[taken.names[name]] = value
        else:
            notes.append(_left_out(name, taken, where))
    return sent


def _reasoning(
    options: CompletionOptions, taken: Dialect, notes: list[str], *, where: str
) -> dict[str, object]:
    """Return what tells a server whether, how much and how long to reason.

    The effort decides: none is off, and everything else is on.
    """
    effort, switch = options.reasoning_effort, options.reasoning
    asked = [name for name in REASONING if getattr(options, name) is not None]
    sent: dict[str, object] = {}
    if not asked:
        return sent
    missing = (name for name in asked if name not in taken.names)
    notes.extend(_left_out(name, taken, where) for name in missing)
    if effort is not None and switch not in (None, effort != _NO_EFFORT):
        told = f"reasoning is not sent: reasoningEffort {effort} says otherwise."
        notes.append(Note(told, "reasoning"))
    if effort is not None and "reasoning_effort" in taken.names:
        sent[taken.names["reasoning_effort"]] = effort
    _switch(effort, switch, taken, sent, notes)
    off = effort == _NO_EFFORT or (effort is None and switch is False)
    budget = options.reasoning_budget_tokens
    if budget is not None and "reasoning_budget_tokens" in taken.names:
        _budget(budget, taken, sent, notes, off=off)
    return sent


def _switch(
    effort: str | None,
    switch: bool | None,  # noqa: FBT001 - the option itself
    taken: Dialect,
    sent: dict[str, object],
    notes: list[str],
) -> None:
    """Turn reasoning on or off, in a template's variables or as an effort."""
    if effort is not None:
        on = None if switch is None and effort != _NO_EFFORT else effort != _NO_EFFORT
    else:
        on = switch
    member = taken.names.get("reasoning")
    if member == TEMPLATE:
        variables: dict[str, object] = {}
        if on is not None:
            variables |= dict.fromkeys(taken.switches, on)
        if taken.effort_in_template and effort not in (None, _NO_EFFORT):
            variables["reasoning_effort"] = effort
        if variables:
            sent[TEMPLATE] = variables
    elif member is not None and effort is None and on is False:
        sent[member] = _NO_EFFORT
    elif member is not None and effort is None and on:
        told = "reasoning is not sent: here an effort turns it on; say reasoningEffort."
        notes.append(Note(told, "reasoning"))


def _budget(
    budget: int,
    taken: Dialect,
    sent: dict[str, object],
    notes: list[str],
    *,
    off: bool,
) -> None:
    key = shown("reasoning_budget_tokens")
    since = taken.since.get("reasoning_budget_tokens")
    if off:
        notes.append(Note(f"{key} is not sent: reasoning is off.", key))
        return
    member = taken.names["reasoning_budget_tokens"]
    sent[member] = budget
    if since is not None:
        told = f"{key} is sent as {member}: {since} keeps to it, older ones do not."
        notes.append(Note(told, key))


def _left_out(name: str, taken: Dialect, where: str) -> Note:
    usual = _NOWHERE.get(name, f"{where} does not take it")
    reason = taken.reasons.get(name, usual)
    return Note(f"{shown(name)} is not sent: {reason}.", shown(name))


def _stops(
    options: CompletionOptions, server: Server, taken: Dialect, notes: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stop texts to send, and those to cut on our side."""
    asked = tuple(dict.fromkeys(stop for stop in options.stop or () if stop))
    if not asked:
        return (), ()
    if "stop" not in taken.names:
        reason = taken.reasons.get("stop", "this route does not take it")
        told = f"stop is not sent: {reason}; the answer is cut here."
        notes.append(Note(told, "stop"))
        return (), asked
    most = most_stops(server)
    if len(asked) > most:
        told = (
            f"Only {most} of {len(asked)} stop texts are sent, as many as the server "
            "takes; the answer is cut here."
        )
        notes.append(Note(told, "stop"))
        return asked[:most], asked
    return asked, asked if taken.leaves_stop_text else ()


def _is_zero(temperature: float | None) -> bool:
    """Whether a temperature is 0, also as the 32-bit float that servers make of it."""
    return temperature is not None and abs(temperature) < 1e-45  # noqa: PLR2004 - half the least float
