"""Lay the options of a call over the entry's defaults, each within its range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from attrs import evolve

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.sampling import BY_NAME, Option, Range
from bytebuddy_provider_hf.texts import option_name, text
from bytebuddy_provider_hf.types import (
    LONGEST_STOP,
    CompletionOptions,
    ReasoningEffort,
)

_EFFORTS: Final = get_args(ReasoningEffort)
# A year of seconds is 3e7: what is longer is no time to wait.
_TIMEOUT: Final = Option("timeout", "timeout", "number", Range(0, 1e9, above=True))
# Each decides the other one: an entry's word does not outlast the call's.
_WHETHER: Final = ("reasoning", "reasoning_effort")


def merge_options(
    defaults: CompletionOptions,
    options: CompletionOptions | None,
    asked: Mapping[str, object],
) -> CompletionOptions:
    """Return ``asked`` over ``options`` over ``defaults``; ``None`` means not asked.

    A call that says whether to reason says so alone: what the defaults have of
    ``reasoning`` and ``reasoning_effort`` does not count then. Raises
    ``InvalidOption`` for a value outside its range.
    """
    chosen = dict(asked)
    if options is not None:
        for name in BY_NAME:
            if chosen.get(name) is None:
                chosen[name] = getattr(options, name)
    # Checked right below, name by name.
    changes: dict[str, Any] = {k: v for k, v in chosen.items() if v is not None}
    for name, value in changes.items():
        check_option(name, value)
    if "stop" in changes:
        stop = changes["stop"]
        changes["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    if any(name in changes for name in _WHETHER):
        changes = dict.fromkeys(_WHETHER) | changes
    return evolve(defaults, **changes) if changes else defaults


def check_option(name: str, value: object) -> None:
    """Raise ``InvalidOption`` unless ``value`` is in the range of option ``name``."""
    option = _TIMEOUT if name == _TIMEOUT.name else BY_NAME[name]
    shown = repr(value) if isinstance(value, int | float) else type(value).__name__
    match option.kind:
        case "flag":
            if not isinstance(value, bool):
                raise InvalidOption(
                    text("roles.flag_wrong", name=option_name(name), shown=shown)
                )
        case "effort":
            if value not in _EFFORTS:
                raise InvalidOption(
                    text(
                        "roles.effort_wrong",
                        name=option_name(name),
                        names=", ".join(_EFFORTS),
                        value=f"{value!r:.60}",
                    )
                )
        case "texts":
            stops = (value,) if isinstance(value, str) else value
            if not isinstance(stops, Sequence) or not all(
                isinstance(stop, str) and stop for stop in stops
            ):
                raise InvalidOption(text("roles.stop_wrong", name=option_name(name)))
            longest = max(map(len, stops), default=0)
            # What may become a stop text is held back, and searched with each piece.
            if longest > LONGEST_STOP:
                raise InvalidOption(
                    text(
                        "roles.stop_too_long", most=LONGEST_STOP, given=f"{longest:,}"
                    ),
                    hint=text("roles.stop_too_long_hint"),
                )
        case "number" | "whole":
            whole = option.kind == "whole"
            # A bool is an int to Python, and no number to anybody else.
            if (
                not isinstance(value, int if whole else int | float)
                or isinstance(value, bool)
                or not option.allowed.contains(value)
            ):
                low, high = option.allowed.low, option.allowed.high
                expected = text("roles.whole_number" if whole else "roles.number")
                if not math.isinf(low):
                    expected = text(
                        "roles.number_above"
                        if option.allowed.above
                        else "roles.number_from",
                        number=expected,
                        low=f"{low:g}",
                    )
                if not math.isinf(high):
                    expected = text(
                        "roles.number_to", number=expected, high=f"{high:g}"
                    )
                raise InvalidOption(
                    text(
                        "roles.number_wrong",
                        name=option_name(name),
                        expected=expected,
                        shown=shown,
                    )
                )
