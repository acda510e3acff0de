"""Options become what a server takes; what it cannot take is left out and told.

An illegal value costs the whole call (TGI refuses a topP of 1), a silently ignored one
costs the user's trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.sampling import BY_NAME, handled, single
from bytebuddy_provider_hf.texts import option_name, text
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.notes import Note
from bytebuddy_provider_hf.wire.route_options import REASONING, TEMPLATE, RouteOptions
from bytebuddy_provider_hf.wire.server import Server

_NUMBERS: Final = handled("number")
_AS_IS: Final = handled("as is")
_BUDGET: Final = BY_NAME["reasoning_budget_tokens"]
# OpenAI's word for an effort that is off.
_NO_EFFORT: Final = "none"

# A server and its route, which a note names.
_Where: TypeAlias = tuple[Server, str]


# One step of C for what hardly any call asks.
_reasoning_of: Final = attrgetter(*REASONING)
_NOTHING_ASKED: Final = (None,) * len(REASONING)


@frozen
class SupportedOptions:
    """What may be sent.

    ``body`` is the part of the request; ``cuts`` are the stop texts to cut on our side;
    ``notes`` tells, one sentence each, what was dropped or changed.
    """

    body: dict[str, object] = field(factory=dict)
    cuts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def supported_options(
    options: CompletionOptions, server: Server, route: str
) -> SupportedOptions:
    """Return what of ``options`` may be sent to ``route``, in the server's names.

    ``route`` is one of the names that ``Server.routes`` has. Nulls are never sent, nor
    values that say nothing: TGI makes a repetition penalty of 2 of a presence penalty
    of 0.
    """
    taken = server.options_for(route)
    notes: list[str] = []
    where = (server, route)
    sent = _numbers(options, taken, notes, where=where)
    for option in _AS_IS:
        value = getattr(options, option.name)
        if value is None:
            continue
        if option.name in taken.names:
            sent[taken.names[option.name]] = value
        else:
            notes.append(_left_out(option.name, taken, where))
    if _reasoning_of(options) != _NOTHING_ASKED:
        asked = [name for name in REASONING if getattr(options, name) is not None]
        sent |= _reasoning(options, asked, taken, notes, where=where)
    cuts: tuple[str, ...] = ()
    if options.stop:
        stops, cuts = _stops(options, server, taken, notes)
        if stops:
            sent[taken.names["stop"]] = list(stops)
    if route == "generate":
        # The details tell why an answer ended, and the tokens if they are wanted.
        sent |= {"return_full_text": False, "details": True}
    nested: dict[str, object] = {"parameters": sent}
    body = nested if taken.in_parameters and sent else sent
    return SupportedOptions(body, cuts, tuple(notes))


def takers(name: str, value: object, kinds: tuple[type[Server], ...]) -> list[str]:
    """Return the names of the servers to whose chat an option is sent."""
    given = CompletionOptions(**{name: value})  # type: ignore[arg-type]  # a field's name
    return [
        kind.name for kind in kinds if supported_options(given, kind(), "chat").body
    ]


def _numbers(
    options: CompletionOptions,
    taken: RouteOptions,
    notes: list[str],
    *,
    where: _Where,
) -> dict[str, object]:
    """Return the options with a range, as they may be sent."""
    # A temperature below half the least 32-bit float is 0 to a server.
    heat = options.temperature
    greedy = heat is not None and single(heat) == 0
    sent: dict[str, object] = {}
    for option in _NUMBERS:
        name, key = option.name, option.key
        value = getattr(options, name)
        if value is None or (greedy and name in taken.greedy_drops):
            continue
        if name == "temperature" and greedy:
            least = taken.least_temperature
            if taken.sends_zero:
                sent[name] = 0
            elif least is not None:
                sent[name] = least
                told = text("wire.temperature_raised", least=f"{least:g}")
                notes.append(Note(told, key))
            continue
        says_nothing = value == option.neutral
        if says_nothing and name not in taken.own_defaults:
            continue
        if name not in taken.names:
            notes.append(_left_out(name, taken, where))
            continue
        nearest = taken.ranges[name].nearest(value)
        if nearest is not None:
            sent[taken.names[name]] = nearest
            if nearest != value:
                told = text(
                    "wire.sent_as_highest",
                    key=option_name(name),
                    nearest=f"{nearest:g}",
                )
                notes.append(Note(told, key))
        elif not says_nothing:
            told = text(
                "wire.out_of_range",
                key=option_name(name),
                value=f"{value:g}",
                range=taken.ranges[name].words,
            )
            notes.append(Note(told, key))
    if taken.in_parameters and greedy:
        sent["do_sample"] = False
    elif taken.in_parameters and any(
        name in sent for name in ("temperature", *taken.greedy_drops)
    ):
        # A temperature of exactly 1 alone would leave TGI greedy.
        sent["do_sample"] = True
    return sent


def _reasoning(
    options: CompletionOptions,
    asked: Sequence[str],
    taken: RouteOptions,
    notes: list[str],
    *,
    where: _Where,
) -> dict[str, object]:
    """Return what tells a server whether, how much and how long to reason.

    The effort decides: none is off, and everything else is on.
    """
    effort, switch = options.reasoning_effort, options.reasoning
    sent: dict[str, object] = {}
    # One note an option that has no member here, in the order of the table.
    missing = (name for name in asked if name not in taken.names)
    notes.extend(_left_out(name, taken, where) for name in missing)
    if effort is not None and switch not in (None, effort != _NO_EFFORT):
        told = text("wire.reasoning_contradicted", effort=effort)
        notes.append(Note(told, "reasoning"))
    if effort is not None and "reasoning_effort" in taken.names:
        sent[taken.names["reasoning_effort"]] = effort
    member = taken.names.get("reasoning")
    if member == TEMPLATE:
        sent |= _template_variables(effort, switch, taken)
    elif member is not None and effort is None and switch is False:
        sent[member] = _NO_EFFORT
    elif member is not None and effort is None and switch:
        told = text("wire.reasoning_by_effort")
        notes.append(Note(told, "reasoning"))
    off = effort == _NO_EFFORT or (effort is None and switch is False)
    budget, key = options.reasoning_budget_tokens, _BUDGET.key
    if budget is None or _BUDGET.name not in taken.names:
        return sent
    if off:
        notes.append(
            Note(text("wire.reasoning_off", key=option_name(_BUDGET.name)), key)
        )
        return sent
    member = taken.names[_BUDGET.name]
    sent[member] = budget
    if (since := taken.since.get(_BUDGET.name)) is not None:
        told = text(
            "wire.sent_since",
            key=option_name(_BUDGET.name),
            member=member,
            since=since(),
        )
        notes.append(Note(told, key))
    return sent


def _template_variables(
    effort: str | None,
    switch: bool | None,  # noqa: FBT001 - the option itself
    taken: RouteOptions,
) -> dict[str, object]:
    """Return what turns reasoning on or off in a chat template's variables."""
    on = switch
    if effort is not None:
        # An effort alone leaves the template's own switch as it is, unless it is off.
        on = None if switch is None and effort != _NO_EFFORT else effort != _NO_EFFORT
    variables: dict[str, object] = {}
    if on is not None:
        variables |= dict.fromkeys(taken.switches, on)
    if taken.effort_in_template and effort not in (None, _NO_EFFORT):
        variables["reasoning_effort"] = effort
    return {TEMPLATE: variables} if variables else {}


def _left_out(name: str, taken: RouteOptions, where: _Where) -> Note:
    option = BY_NAME[name]
    reason = taken.reasons.get(name, option.unsent)
    server, route = where
    because = (
        reason()
        if reason is not None
        else text("wire.not_taken", server=server.said_name(), route=route)
    )
    told = text("wire.not_sent", key=option_name(name), reason=because)
    return Note(told, option.key)


def _stops(
    options: CompletionOptions, server: Server, taken: RouteOptions, notes: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stop texts to send, and those to cut on our side."""
    # An empty stop text would end every answer before it begins.
    asked = tuple(dict.fromkeys(stop for stop in options.stop or () if stop))
    if not asked:
        return (), ()
    if "stop" not in taken.names:
        known = taken.reasons.get("stop")
        reason = text("wire.route_does_not_take") if known is None else known()
        told = text("wire.stop_not_sent", reason=reason)
        notes.append(Note(told, "stop"))
        return (), asked
    most = server.most_stops
    if len(asked) > most:
        told = text("wire.stops_over", most=most, asked=len(asked))
        notes.append(Note(told, "stop"))
        # Which of them comes first is not known, so all are looked for here too.
        return asked[:most], asked
    return asked, asked if taken.leaves_stop_text else ()
