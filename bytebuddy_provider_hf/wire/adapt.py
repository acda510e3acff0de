"""Adapt a failed call to its server, or let it fail: bounded, each step in words.

The server's own numbers lower maxTokens, or tell how much of a history fits; a
parameter it refuses is left out; where it cannot stream, the answer is asked for in one
piece; a route that does not serve the model is left. Each is tried once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.dialects import dialect, members
from bytebuddy_provider_hf.wire.server import Engine, Server

# A call is adapted no more often than this, whatever a server says.
MAX_ADAPTATIONS: Final = 3

# Options by every name they have on some wire; a stop text is cut here all the same.
_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    member: options
    for member, options in {
        **members(),
        "max_completion_tokens": frozenset({"max_tokens"}),
    }.items()
    if member != "stop"
}


@frozen
class Adaptations:
    """What a server made us change. ``notes`` are one sentence each.

    ``excluded_routes`` are routes that do not serve the model; ``no_template`` says
    that the server has no chat template. ``window`` and ``prompt_tokens`` are what it
    counted when it refused a prompt for its length.
    """

    max_tokens: int | None = None
    dropped: frozenset[str] = frozenset()
    no_streaming: bool = False
    excluded_routes: frozenset[str] = frozenset()
    no_template: bool = False
    window: int | None = None
    prompt_tokens: int | None = None
    notes: tuple[str, ...] = field(default=(), eq=False)

    def apply_to(self, options: CompletionOptions) -> CompletionOptions:
        """Return ``options`` as they may be sent."""
        changes: dict[str, int | None] = dict.fromkeys(self.dropped)
        if self.max_tokens is not None:
            changes["max_tokens"] = self.max_tokens
        return evolve(options, **changes) if changes else options  # type: ignore[arg-type]  # names of _OPTIONS

    def notes_for(self, options: CompletionOptions) -> tuple[str, ...]:
        """Return the notes of a call with ``options``, refused earlier or just now."""
        if not self.dropped:
            return self.notes
        refused = _given(self.dropped, options)
        note = _left_out_note(refused)
        return (*self.notes, note) if refused and note not in self.notes else self.notes

    def persistent(self) -> Adaptations:
        """Return what holds for later calls too: not what depends on the prompt."""
        return evolve(self, max_tokens=None, window=None, prompt_tokens=None, notes=())

    def without_routes(self, server: Server) -> Server:
        """Return ``server`` without the routes that were left."""
        left = self.excluded_routes & server.routes
        return evolve(server, routes=server.routes - left) if left else server


NO_ADAPTATIONS: Final = Adaptations()


def adapt(
    failure: errors.ByteBuddyError,
    adaptations: Adaptations,
    options: CompletionOptions,
    *,
    route: str | None = None,
    server: Server | None = None,
) -> Adaptations | None:
    """Return what to change before asking again, or ``None`` to let it fail.

    ``adaptations`` are the changes so far, ``options`` those of the call; ``route`` is
    the one that ``server`` was asked by.
    """
    if len(adaptations.notes) >= MAX_ADAPTATIONS:
        return None
    match failure:
        case errors.ContextTooLong():
            return _lower_max_tokens(failure, adaptations, options) or _learn_window(
                failure, adaptations
            )
        case errors.ParameterRefused():
            return _drop_parameters(failure, adaptations, options, route, server)
        case errors.RouteNotSupported() | errors.RouteNotFound():
            return _exclude_route(failure, adaptations, route, server)
    return _drop_feature(failure, adaptations)


def refuses_route(failure: errors.ByteBuddyError) -> bool:
    """Whether a failure says that the model is not served at the route asked."""
    kinds = errors.RouteNotSupported, errors.RouteNotFound, errors.TemplateMissing
    return isinstance(failure, kinds)


def _lower_max_tokens(
    failure: errors.ContextTooLong, adaptations: Adaptations, options: CompletionOptions
) -> Adaptations | None:
    limit, given = failure.limit, failure.given
    asked = options.max_tokens or failure.asked
    if (
        limit is None
        or given is None
        or asked is None
        or adaptations.max_tokens is not None
    ):
        return None
    room = limit - given
    if not 1 <= room < asked:
        return None
    note = (
        f"maxTokens was lowered from {asked:,} to {room:,}: the model's window is "
        f"{limit:,} tokens, of which the prompt takes {given:,}."
    )
    return evolve(adaptations, max_tokens=room, notes=(*adaptations.notes, note))


def _learn_window(
    failure: errors.ContextTooLong, adaptations: Adaptations
) -> Adaptations | None:
    limit, given = failure.limit, failure.given
    if (
        limit is None
        or given is None
        or given < limit
        or adaptations.window is not None
    ):
        return None
    note = f"The prompt has {given:,} tokens, the model's window {limit:,}."
    return evolve(
        adaptations, window=limit, prompt_tokens=given, notes=(*adaptations.notes, note)
    )


def _drop_parameters(
    failure: errors.ParameterRefused,
    adaptations: Adaptations,
    options: CompletionOptions,
    route: str | None,
    server: Server | None,
) -> Adaptations | None:
    named = failure.parameters or (failure.parameter or "",)
    refused = frozenset().union(*(_meant(name, server, route) for name in named))
    given = _given(refused - adaptations.dropped, options)
    if not given:
        return None
    note = _left_out_note(given)
    return evolve(
        adaptations,
        dropped=adaptations.dropped | set(given),
        notes=(*adaptations.notes, note),
    )


def _meant(name: str, server: Server | None, route: str | None) -> frozenset[str]:
    """Return the options that a member of the body stands for at a server."""
    if name not in _OPTIONS or server is None:
        return _OPTIONS.get(name, frozenset())
    names = dialect(server, route or "chat").names
    here = frozenset(ours for ours, theirs in names.items() if theirs == name)
    return here or _OPTIONS[name]


def _given(names: frozenset[str], options: CompletionOptions) -> list[str]:
    return sorted(name for name in names if getattr(options, name) is not None)


def _left_out_note(names: list[str]) -> str:
    return f"Left out, because the server refuses it: {', '.join(names)}."


def _drop_feature(
    failure: errors.ByteBuddyError, adaptations: Adaptations
) -> Adaptations | None:
    if (
        isinstance(failure, errors.StreamingNotSupported)
        and not adaptations.no_streaming
    ):
        note = "This server cannot stream here; the answer came in one piece."
        return evolve(adaptations, no_streaming=True, notes=(*adaptations.notes, note))
    if isinstance(failure, errors.TemplateMissing) and not adaptations.no_template:
        note = "The server has no chat template for this model."
        return evolve(adaptations, no_template=True, notes=(*adaptations.notes, note))
    return None


def _exclude_route(
    failure: errors.APIError,
    adaptations: Adaptations,
    route: str | None,
    server: Server | None,
) -> Adaptations | None:
    if route is None or server is None or route in adaptations.excluded_routes:
        return None
    # At the router a bare 404 is about the model, which no other route finds either.
    routed = server.engine in (Engine.ROUTER, Engine.HF_INFERENCE)
    if routed and isinstance(failure, errors.RouteNotFound):
        return None
    if not server.routes - adaptations.excluded_routes - {route}:
        return None
    note = f"The model is not served by the route {route} here; another was asked."
    return evolve(
        adaptations,
        excluded_routes=adaptations.excluded_routes | {route},
        notes=(*adaptations.notes, note),
    )
