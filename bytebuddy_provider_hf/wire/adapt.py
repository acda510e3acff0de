"""Adapt a failed call to its server, or let it fail: bounded, each step in words.

The server's own numbers lower maxTokens, or tell how much of a history fits; a
parameter it refuses is left out, one that it misses is added; where it cannot stream,
the answer is asked for in one piece; a route that does not serve the model is left.
Each is tried once.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf import errors, lenient_json
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.dialects import options_by_member
from bytebuddy_provider_hf.wire.openai import STREAM_OPTIONS
from bytebuddy_provider_hf.wire.server import ENCODING, TOP_N, Server

# A call is adapted no more often than this, whatever a server says.
MAX_ADAPTATIONS: Final = 3

_BY_MEMBER: Final = {**options_by_member(), "n": frozenset({"n"})}
# Members that no caller asks for. Without them an answer is the same, but for the count
# of its tokens.
_LEFT_OUT: Final = {
    STREAM_OPTIONS: partial(text, "wire.no_stream_options"),
    ENCODING: partial(text, "wire.no_encoding"),
}
_ADDED: Final = frozenset({TOP_N})
# Members of the task API and of TEI that are always sent.
_ALWAYS_SENT: Final = frozenset({"return_full_text", "raw_scores"})
# Deeper there are no parameters, but a tool's own schema.
_DEEPEST: Final = 4


@frozen
class Adaptations:
    """What a server made us change. ``notes`` are one sentence each.

    ``excluded_routes`` are routes that do not serve the model; ``no_template`` says
    that the server has no chat template. ``window`` and ``prompt_tokens`` are what it
    counted when it refused a prompt for its length. ``dropped`` are options that it
    refuses, ``dropped_once`` those that it refuses in this call. ``left_out`` and
    ``demanded`` are members that no option stands for.
    """

    max_tokens: int | None = None
    dropped: frozenset[str] = frozenset()
    dropped_once: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    demanded: frozenset[str] = frozenset()
    no_streaming: bool = False
    excluded_routes: frozenset[str] = frozenset()
    no_template: bool = False
    window: int | None = None
    prompt_tokens: int | None = None
    notes: tuple[str, ...] = field(default=(), eq=False)

    def apply_to(self, options: CompletionOptions) -> CompletionOptions:
        """Return ``options`` as they may be sent."""
        changes: dict[str, int | None] = dict.fromkeys(self.dropped | self.dropped_once)
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
        """Return what holds for later calls too: not what depends on the request."""
        return evolve(
            self,
            max_tokens=None,
            dropped_once=frozenset(),
            window=None,
            prompt_tokens=None,
            notes=(),
        )

    def known_of(self, server: Server) -> Server:
        """Return ``server`` without the routes that were left, its members told."""
        left = self.excluded_routes & server.routes
        if not (left or self.left_out or self.demanded):
            return server
        return evolve(
            server,
            routes=server.routes - left,
            left_out=self.left_out,
            demanded=self.demanded,
        )

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
    estimate: int | None = None,
) -> Adaptations | None:
    """Return what to change before asking again, or ``None`` to let it fail.

    ``adaptations`` are the changes so far, ``options`` those of the call; ``route`` is
    the one that ``server`` was asked by. ``estimate`` stands for the tokens of the
    prompt where the server did not count them.
    """
    # Each change has one note, so that they count the changes too.
    if len(adaptations.notes) >= MAX_ADAPTATIONS:
        return None
    match failure:
        case errors.ContextTooLong():
            return _fit_window(failure, adaptations, options, estimate)
        case errors.ParameterRefused():
            return _drop_parameters(failure, adaptations, options, route, server)
        case errors.BodyRefused() if failure.field in _ADDED - adaptations.demanded:
            note = text("wire.member_added", name=failure.field)
            demanded = adaptations.demanded | {failure.field}
            return adaptations.changed(note, demanded=demanded)
        case errors.RouteNotSupported() | errors.RouteNotFound():
            return _exclude_route(failure, adaptations, route, server)
        case errors.StreamingNotSupported() if not adaptations.no_streaming:
            note = text("wire.no_streaming")
            return adaptations.changed(note, no_streaming=True)
        case errors.TemplateMissing() if not adaptations.no_template:
            note = text("wire.no_template")
            return adaptations.changed(note, no_template=True)
    return None


def not_asked_for(
    failure: errors.ParameterRefused, body: bytes, options: CompletionOptions
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the refused parameters that a request did not have, and those of our own.

    Both are empty where the caller asked for one of them: then that is what to change.
    """
    names = failure.parameters
    members = _members(lenient_json.loads(body), 0)
    asked = {
        name
        for name in names
        if _given(_BY_MEMBER.get(name, frozenset()), options)
        or (name in members and name not in _ALWAYS_SENT)
    }
    if asked:
        return (), ()
    unsent = tuple(name for name in names if name not in members)
    return unsent, tuple(name for name in names if name in members)


def _members(value: object, nesting: int) -> set[str]:
    """Return the names of the members of a body, inner ones too."""
    if nesting >= _DEEPEST or not isinstance(value, dict | list):
        return set()
    inner = value.values() if isinstance(value, dict) else value
    found = {each for each in value if isinstance(each, str)}
    return found.union(*(_members(each, nesting + 1) for each in inner))


def refuses_route(failure: errors.ByteBuddyError) -> bool:
    """Whether a failure says that the model is not served at the route asked."""
    kinds = errors.RouteNotSupported, errors.RouteNotFound, errors.TemplateMissing
    return isinstance(failure, kinds)


def _fit_window(
    failure: errors.ContextTooLong,
    adaptations: Adaptations,
    options: CompletionOptions,
    estimate: int | None,
) -> Adaptations | None:
    """Lower maxTokens to what the prompt leaves, or learn how long one may be."""
    limit, given = failure.limit, failure.given
    asked = options.max_tokens or failure.asked
    if given is None and failure.total is not None:
        given = max(1, failure.total - (asked or 0))
    guessed = given is None or failure.at_least
    if guessed:
        given = None if estimate is None else max(estimate, given or 0)
    if limit is None or given is None:
        return None
    room = limit - given
    if asked is not None and adaptations.max_tokens is None and 1 <= room < asked:
        note = text(
            "wire.max_tokens_lowered_by_guess"
            if guessed
            else "wire.max_tokens_lowered",
            asked=f"{asked:,}",
            room=f"{room:,}",
            limit=f"{limit:,}",
            given=f"{given:,}",
        )
        return adaptations.changed(note, max_tokens=room)
    if room <= 0 and adaptations.window is None:
        note = text(
            "wire.prompt_over_window_by_guess"
            if guessed
            else "wire.prompt_over_window",
            given=f"{given:,}",
            limit=f"{limit:,}",
        )
        return adaptations.changed(note, window=limit, prompt_tokens=given)
    return None


def _drop_parameters(
    failure: errors.ParameterRefused,
    adaptations: Adaptations,
    options: CompletionOptions,
    route: str | None,
    server: Server | None,
) -> Adaptations | None:
    """Leave out the options that refused members stand for, or members of our own."""
    # Servers name members of the body, which are not always our names of options.
    names = {} if server is None else server.options_for(route or "chat").names
    refused: set[str] = set()
    for member in failure.parameters or (failure.parameter or "",):
        # A refused stop text is cut here all the same.
        anywhere = _BY_MEMBER.get(member, frozenset()) - {"stop"}
        # One member may stand for two options: at this server it is this one.
        here = {option for option in anywhere if names.get(option) == member}
        refused |= here or anywhere
    known = adaptations.dropped | adaptations.dropped_once
    given = _given(refused - known, options)
    if not given:
        # Members that nobody asked for are taken back.
        own = set(failure.parameters) & _LEFT_OUT.keys() - adaptations.left_out
        if not own:
            return None
        note = " ".join(_LEFT_OUT[name]() for name in sorted(own))
        return adaptations.changed(note, left_out=adaptations.left_out | own)
    if failure.condition is not None:
        note = text(
            "wire.refused_together",
            names=", ".join(given),
            condition=failure.condition,
        )
        once = adaptations.dropped_once | set(given)
        return adaptations.changed(note, dropped_once=once)
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
