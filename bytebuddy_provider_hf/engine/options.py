"""The options of one call: what was asked for, laid over the entry's defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import evolve, fields_dict

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import CompletionOptions

# Lowest and highest, both allowed; the configuration file has the same ranges.
RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "repetition_penalty": (math.ulp(0.0), math.inf),
    "max_tokens": (1, math.inf),
    "top_k": (0, math.inf),
    # OpenAI's own limit; hardly any server gives that many.
    "n": (1, 128),
    "timeout": (math.ulp(0.0), 1e9),
}
_WHOLE: Final = frozenset({"max_tokens", "top_k", "seed", "n"})
_NAMES: Final = frozenset(fields_dict(CompletionOptions))


def merged(
    defaults: CompletionOptions,
    options: CompletionOptions | None,
    asked: Mapping[str, object],
) -> CompletionOptions:
    """Return ``asked`` over ``options`` over ``defaults``; ``None`` means not asked.

    Raises ``InvalidOption`` for a value outside its range.
    """
    chosen = dict(asked)
    if options is not None:
        for name in _NAMES:
            if chosen.get(name) is None:
                chosen[name] = getattr(options, name)
    # Checked right below, name by name.
    changes: dict[str, Any] = {k: v for k, v in chosen.items() if v is not None}
    for name, value in changes.items():
        check(name, value)
    if "stop" in changes:
        changes["stop"] = _stop(changes["stop"])
    return evolve(defaults, **changes) if changes else defaults


def check(name: str, value: object) -> None:
    """Raise ``InvalidOption`` unless ``value`` is in the range of option ``name``."""
    if name not in RANGES and name not in _WHOLE:
        return
    low, high = RANGES.get(name, (-math.inf, math.inf))
    if (
        isinstance(value, bool)
        or not isinstance(value, int if name in _WHOLE else int | float)
        or not low <= value <= high
    ):
        raise InvalidOption(
            f"{name} takes {_expected(name, low, high)}, not {_shown(value)}."
        )


def _stop(value: object) -> tuple[str, ...]:
    stops = (value,) if isinstance(value, str) else value
    if not isinstance(stops, Sequence) or not all(
        isinstance(stop, str) and stop for stop in stops
    ):
        message = "stop takes a list of texts that are not empty."
        raise InvalidOption(message)
    return tuple(stops)


def _expected(name: str, low: float, high: float) -> str:
    kind = "a whole number" if name in _WHOLE else "a number"
    lowest = f"above {0}" if 0 < low < 1 else f"from {low:g}"
    if math.isinf(high):
        return kind if math.isinf(low) else f"{kind} {lowest}"
    return f"{kind} {lowest} to {high:g}"


def _shown(value: object) -> str:
    return (
        repr(value) if isinstance(value, int | float | None) else type(value).__name__
    )
