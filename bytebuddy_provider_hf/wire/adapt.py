"""Adapt a failed call to its server, or let it fail: bounded, each step in words.

The server's own numbers lower maxTokens, or tell how much of a history fits; a
parameter it refuses is left out; where it cannot stream, the answer is asked for in one
piece; a route that does not serve the model is left. Each is tried once.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.dialects import options_by_member
from bytebuddy_provider_hf.wire.server import Server

# A call is adapted no more often than this, whatever a server says.
MAX_ADAPTATIONS: Final = 3

_BY_MEMBER: Final = options_by_member()


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
        return evolve(options, **changes) if changes else options  # type: ignore[arg-type]  # names of options

    def notes_for(self, options: CompletionOptions) -> tuple[str, ...]:
        """Return the notes of a call with ``options``, refused earlier or just now."""
        refused = _given(self.dropped, options)
        # Most calls have nothing to tell: no sentence is made for them.
        if not refused:
            return self.notes
        note = _left_out_note(refused)
        return self.notes if note in self.notes else (*self.notes, note)

    def persistent(self) -> Adaptations:
        """Return what holds for later calls too: not what depends on the prompt."""
        return evolve(self, max_tokens=None, window=None, prompt_tokens=None, notes=())

    def without_routes(self, server: Server) -> Server:
        """Return ``server`` without the routes that were left."""
        left = self.excluded_routes & server.routes
        return evolve(server, routes=server.routes - left) if left else server

    def changed(self, note: str, **changes: Any) -> Adaptations:  # noqa: ANN401 - values of fields
        """Return the adaptations with one more, told by ``note``."""
        return evolve(self, notes=(*self.notes, note), **changes)


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
    # Each change has one note, so that they count the changes too.
    if len(adaptations.notes) >= MAX_ADAPTATIONS:
        return None
    match failure:
        case errors.ContextTooLong():
            return _fit_window(failure, adaptations, options)
        case errors.ParameterRefused():
            return _drop_parameters(failure, adaptations, options, route, server)
        case errors.RouteNotSupported() | errors.RouteNotFound():
            return _exclude_route(failure, adaptations, route, server)
        case errors.StreamingNotSupported() if not adaptations.no_streaming:
            note = text("wire.no_streaming")
            return adaptations.changed(note, no_streaming=True)
        case errors.TemplateMissing() if not adaptations.no_template:
            note = text("wire.no_template")
            return adaptations.changed(note, no_template=True)
    return None


def refuses_route(failure: errors.ByteBuddyError) -> bool:
    """Whether a failure says that the model is not served at the route asked."""
    kinds = errors.RouteNotSupported, errors.RouteNotFound, errors.TemplateMissing
    return isinstance(failure, kinds)


def _fit_window(
    failure: errors.ContextTooLong, adaptations: Adaptations, options: CompletionOptions
) -> Adaptations | None:
    """Lower maxTokens to what the prompt leaves, or learn how long one may be."""
    limit, given = failure.limit, failure.given
    if limit is None or given is None:
        return None
    asked, room = options.max_tokens or failure.asked, limit - given
    if asked is not None and adaptations.max_tokens is None and 1 <= room < asked:
        note = text(
            "wire.max_tokens_lowered",
            asked=f"{asked:,}",
            room=f"{room:,}",
            limit=f"{limit:,}",
            given=f"{given:,}",
        )
        return adaptations.changed(note, max_tokens=room)
    if room <= 0 and adaptations.window is None:
        note = text("wire.prompt_over_window", given=f"{given:,}", limit=f"{limit:,}")
        return adaptations.changed(note, window=limit, prompt_tokens=given)
    return None


def _drop_parameters(
    failure: errors.ParameterRefused,
    adaptations: Adaptations,
    options: CompletionOptions,
    route: str | None,
    server: Server | None,
) -> Adaptations | None:
    """Leave out the options that the refused members of the body stand for."""
    # Servers name members of the body, which are not always our names of options.
    names = {} if server is None else server.options_for(route or "chat").names
    refused: set[str] = set()
    for member in failure.parameters or (failure.parameter or "",):
        # A refused stop text is cut here all the same.
        anywhere = _BY_MEMBER.get(member, frozenset()) - {"stop"}
        # One member may stand for two options: at this server it is this one.
        here = {option for option in anywhere if names.get(option) == member}
        refused |= here or anywhere
    given = _given(refused - adaptations.dropped, options)
    if not given:
        return None
    return adaptations.changed(
        _left_out_note(given), dropped=adaptations.dropped | set(given)
    )


def _exclude_route(
    failure: errors.APIError,
    adaptations: Adaptations,
    route: str | None,
    server: Server | None,
) -> Adaptations | None:
    """Leave a route for the others that the server has."""
    if route is None or server is None or route in adaptations.excluded_routes:
        return None
    if server.bare_404_is_model and isinstance(failure, errors.RouteNotFound):
        return None
    # Where no route is left, the refusal is the answer.
    excluded = adaptations.excluded_routes | {route}
    if not server.routes - excluded:
        return None
    note = text("wire.route_left", route=route)
    return adaptations.changed(note, excluded_routes=excluded)


def _given(names: set[str] | frozenset[str], options: CompletionOptions) -> list[str]:
    return sorted(name for name in names if getattr(options, name) is not None)


def _left_out_note(names: list[str]) -> str:
    return text("wire.refused_options", names=", ".join(names))
