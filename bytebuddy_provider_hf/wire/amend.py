"""A failed call becomes a better one, or none: bounded, each step in words.

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
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.dialects import dialect, members
from bytebuddy_provider_hf.wire.server import Engine, Server

# A call is amended no more often than this, whatever a server says.
MOST: Final = 3

# Options by every name they have on some wire; a stop text is cut here all the same.
_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    member: options
    for member, options in {
        **members(),
        "max_completion_tokens": frozenset({"max_tokens"}),
    }.items()
    if member != "stop"
}
# What a path ends with, and the name that ``Server.routes`` has for it.
_ROUTES: Final[Mapping[str, str]] = {
    "/chat/completions": "chat",
    "/completions": "completions",
    "/generate": "generate",
    "/generate_stream": "generate",
    "/infill": "infill",
    "/embeddings": "embeddings",
    "/embed": "embed",
    "/rerank": "rerank",
}


@frozen
class Amendments:
    """What a server made us change. ``notes`` are one sentence each.

    ``left`` are routes that do not serve the model; ``untemplated`` says that the
    server has no chat template. ``window`` and ``prompt_tokens`` are what it counted
    when it refused a prompt for its length.
    """

    max_tokens: int | None = None
    dropped: frozenset[str] = frozenset()
    whole: bool = False
    left: frozenset[str] = frozenset()
    untemplated: bool = False
    window: int | None = None
    prompt_tokens: int | None = None
    notes: tuple[str, ...] = field(default=(), eq=False)

    def applied(self, options: CompletionOptions) -> CompletionOptions:
        """Return ``options`` as they may be sent."""
        changes: dict[str, int | None] = dict.fromkeys(self.dropped)
        if self.max_tokens is not None:
            changes["max_tokens"] = self.max_tokens
        return evolve(options, **changes) if changes else options  # type: ignore[arg-type]  # names of _OPTIONS

    def told(self, options: CompletionOptions) -> tuple[str, ...]:
        """Return the notes of a call with ``options``, refused earlier or just now."""
        if not self.dropped:
            return self.notes
        refused = _given(self.dropped, options)
        note = _left_out(refused)
        return (*self.notes, note) if refused and note not in self.notes else self.notes

    def kept(self) -> Amendments:
        """Return what holds for later calls too: not what depends on the prompt."""
        return evolve(self, max_tokens=None, window=None, prompt_tokens=None, notes=())

    def narrowed(self, server: Server) -> Server:
        """Return ``server`` without the routes that were left."""
        left = self.left & server.routes
        return evolve(server, routes=server.routes - left) if left else server


NOTHING: Final = Amendments()


def amend(
    failure: errors.ByteBuddyError,
    made: Amendments,
    options: CompletionOptions,
    *,
    route: str | None = None,
    server: Server | None = None,
) -> Amendments | None:
    """Return what to change before asking again, or ``None`` to let it fail.

    ``made`` are the changes so far, ``options`` those of the call; ``route`` is the
    one that ``server`` was asked by, as :func:`route_of` tells it.
    """
    if len(made.notes) >= MOST:
        return None
    match failure:
        case errors.ContextTooLong():
            return _shorter(failure, made, options) or _smaller(failure, made)
        case errors.ParameterRefused():
            return _without(failure, made, options, route, server)
        case errors.RouteNotSupported() | errors.RouteNotFound():
            return _elsewhere(failure, made, route, server)
    return _lacking(failure, made)


def route_of(call: Call) -> str | None:
    """Return the name of the route that a call takes, as ``Server.routes`` has it."""
    path = call.url.partition("?")[0]
    found = (name for end, name in _ROUTES.items() if path.endswith(end))
    return next(found, None)


def refuses_route(failure: errors.ByteBuddyError) -> bool:
    """Whether a failure says that the model is not served at the route asked."""
    kinds = errors.RouteNotSupported, errors.RouteNotFound, errors.TemplateMissing
    return isinstance(failure, kinds)


def _shorter(
    failure: errors.ContextTooLong, made: Amendments, options: CompletionOptions
) -> Amendments | None:
    limit, given = failure.limit, failure.given
    asked = options.max_tokens or failure.asked
    if limit is None or given is None or asked is None or made.max_tokens is not None:
        return None
    room = limit - given
    if not 1 <= room < asked:
        return None
    note = (
        f"maxTokens was lowered from {asked:,} to {room:,}: the model's window is "
        f"{limit:,} tokens, of which the prompt takes {given:,}."
    )
    return evolve(made, max_tokens=room, notes=(*made.notes, note))


def _smaller(failure: errors.ContextTooLong, made: Amendments) -> Amendments | None:
    limit, given = failure.limit, failure.given
    if limit is None or given is None or given < limit or made.window is not None:
        return None
    note = f"The prompt has {given:,} tokens, the model's window {limit:,}."
    return evolve(made, window=limit, prompt_tokens=given, notes=(*made.notes, note))


def _without(
    failure: errors.ParameterRefused,
    made: Amendments,
    options: CompletionOptions,
    route: str | None,
    server: Server | None,
) -> Amendments | None:
    named = failure.parameters or (failure.parameter or "",)
    refused = frozenset().union(*(_meant(name, server, route) for name in named))
    given = _given(refused - made.dropped, options)
    if not given:
        return None
    note = _left_out(given)
    return evolve(made, dropped=made.dropped | set(given), notes=(*made.notes, note))


def _meant(name: str, server: Server | None, route: str | None) -> frozenset[str]:
    """Return the options that a member of the body stands for at a server."""
    if name not in _OPTIONS or server is None:
        return _OPTIONS.get(name, frozenset())
    names = dialect(server, route or "chat").names
    here = frozenset(ours for ours, theirs in names.items() if theirs == name)
    return here or _OPTIONS[name]


def _given(names: frozenset[str], options: CompletionOptions) -> list[str]:
    return sorted(name for name in names if getattr(options, name) is not None)


def _left_out(names: list[str]) -> str:
    return f"Left out, because the server refuses it: {', '.join(names)}."


def _lacking(failure: errors.ByteBuddyError, made: Amendments) -> Amendments | None:
    if isinstance(failure, errors.StreamingNotSupported) and not made.whole:
        note = "This server cannot stream here; the answer came in one piece."
        return evolve(made, whole=True, notes=(*made.notes, note))
    if isinstance(failure, errors.TemplateMissing) and not made.untemplated:
        note = "The server has no chat template for this model."
        return evolve(made, untemplated=True, notes=(*made.notes, note))
    return None


def _elsewhere(
    failure: errors.APIError,
    made: Amendments,
    route: str | None,
    server: Server | None,
) -> Amendments | None:
    if route is None or server is None or route in made.left:
        return None
    # At the router a bare 404 is about the model, which no other route finds either.
    routed = server.engine in (Engine.ROUTER, Engine.HF_INFERENCE)
    if routed and isinstance(failure, errors.RouteNotFound):
        return None
    if not server.routes - made.left - {route}:
        return None
    note = f"The model is not served by the route {route} here; another was asked."
    return evolve(made, left=made.left | {route}, notes=(*made.notes, note))
