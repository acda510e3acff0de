"""The options of one call: what was asked for, laid over the entry's defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args, get_type_hints

from attrs import evolve, fields_dict

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import LONGEST_STOP, CompletionOptions, ReasoningEffort

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
    "context_length": (1, math.inf),
    "reasoning_budget_tokens": (0, math.inf),
    "keep_alive": (-1, math.inf),
    "timeout": (math.ulp(0.0), 1e9),
}
_EFFORTS: Final = get_args(ReasoningEffort)
_NAMES: Final = frozenset(fields_dict(CompletionOptions))
_KINDS: Final = get_type_hints(CompletionOptions)
_WHOLE: Final = frozenset(name for name in _NAMES if _KINDS[name] == int | None)
_FLAGS: Final = frozenset(name for name in _NAMES if _KINDS[name] == bool | None)
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
        for name in _NAMES:
            if chosen.get(name) is None:
                chosen[name] = getattr(options, name)
    # Checked right below, name by name.
    changes: dict[str, Any] = {k: v for k, v in chosen.items() if v is not None}
    for name, value in changes.items():
        check_option(name, value)
    if "stop" in changes:
        changes["stop"] = _stop(changes["stop"])
    if any(name in changes for name in _WHETHER):
        changes = dict.fromkeys(_WHETHER) | changes
    return evolve(defaults, **changes) if changes else defaults


def check_option(name: str, value: object) -> None:
    """Raise ``InvalidOption`` unless ``value`` is in the range of option ``name``."""
    if name in _FLAGS and not isinstance(value, bool):
        raise InvalidOption(f"{name} takes True or False, not {_shown(value)}.")
    if name == "reasoning_effort" and value not in _EFFORTS:
        raise InvalidOption(
            f"reasoning_effort takes one of {', '.join(_EFFORTS)}, not {value!r:.60}."
        )
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
    longest = max(map(len, stops), default=0)
    if longest > LONGEST_STOP:
        raise InvalidOption(
            f"A stop text has at most {LONGEST_STOP} characters, not {longest:,}.",
            hint="Stop at a shorter text that the long one begins with.",
        )
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
