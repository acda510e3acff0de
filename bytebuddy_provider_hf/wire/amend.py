"""A failed call becomes a better one, or none: bounded, each step in words.

The server's own numbers lower maxTokens; a parameter it refuses is left out; where it
cannot stream, the answer is asked for in one piece. Each is tried once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.types import CompletionOptions

# A call is amended no more often than this, whatever a server says.
MOST: Final = 3

# Options by every name they have on some wire.
_OPTIONS: Final[Mapping[str, str]] = {
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "max_new_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repetition_penalty",
    "repeat_penalty": "repetition_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "seed": "seed",
}


@frozen
class Amendments:
    """What a server made us change. ``notes`` are one sentence each."""

    max_tokens: int | None = None
    dropped: frozenset[str] = frozenset()
    whole: bool = False
    notes: tuple[str, ...] = field(default=(), eq=False)

    def applied(self, options: CompletionOptions) -> CompletionOptions:
        """Return ``options`` as they may be sent."""
        changes: dict[str, int | None] = dict.fromkeys(self.dropped)
        if self.max_tokens is not None:
            changes["max_tokens"] = self.max_tokens
        return evolve(options, **changes) if changes else options  # type: ignore[arg-type]  # names of _OPTIONS


NOTHING: Final = Amendments()


def amend(
    failure: errors.ByteBuddyError, made: Amendments, options: CompletionOptions
) -> Amendments | None:
    """Return what to change before asking again, or ``None`` to let it fail.

    ``made`` are the changes so far, ``options`` those of the call.
    """
    if len(made.notes) >= MOST:
        return None
    match failure:
        case errors.ContextTooLong():
            return _shorter(failure, made, options)
        case errors.ParameterRefused():
            return _without(failure, made, options)
        case errors.StreamingNotSupported() if not made.whole:
            note = "This server cannot stream here; the answer came in one piece."
            return evolve(made, whole=True, notes=(*made.notes, note))
    return None


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


def _without(
    failure: errors.ParameterRefused, made: Amendments, options: CompletionOptions
) -> Amendments | None:
    named = failure.parameters or (failure.parameter or "",)
    refused = {_OPTIONS[name] for name in named if name in _OPTIONS}
    refused = {n for n in refused if getattr(options, n) is not None} - made.dropped
    if not refused:
        return None
    shown = ", ".join(sorted(refused))
    note = f"Left out, because the server refuses it: {shown}."
    return evolve(made, dropped=made.dropped | refused, notes=(*made.notes, note))
