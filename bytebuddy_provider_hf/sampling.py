"""Options of a generation: one row each, with its names, range and neutral value.

The configuration, the check at the door, the command line and the wire read this
table; under which name and in which narrower range a server takes an option stands in
that server's file under ``wire/dialects``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.texts import LocalizedText, text

Kind: TypeAlias = Literal["number", "whole", "flag", "effort", "texts"]
# "number": one value in a range; "as is": sent as it was given; "reasoning": the three
# that decide together; "apart": read by a rule of its own (stop, n, contextLength).
Handling: TypeAlias = Literal["number", "as is", "reasoning", "apart"]

# Servers hold integers in 32 bits; a range that ends there is told without its end.
LARGEST_COUNT: Final = 2**31 - 1


@frozen
class Range:
    """Lowest and highest value; ``above`` and ``below`` exclude them.

    With ``clamped`` a value above it becomes the highest; else it is left out.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    clamped: bool = False

    def contains(self, value: float) -> bool:
        """Whether a value is inside."""
        if not self.low <= value <= self.high:
            return False
        return not (
            (self.above and value == self.low) or (self.below and value == self.high)
        )

    def nearest(self, value: float) -> float | None:
        """Return a value inside, or ``None`` where there is none to choose."""
        # Most servers compute with 32-bit floats, in which 0.99999999999 is 1.
        if self.contains(value) and self.contains(single(value)):
            return value
        if self.clamped and math.isfinite(value) and value > self.high:
            return self.high
        return None

    @property
    def words(self) -> LocalizedText:
        """The range in words, such as: above 0 and at most 2."""
        low = text(
            "wire.range_above" if self.above else "wire.range_from",
            low=f"{self.low:g}",
        )
        if self.high >= LARGEST_COUNT:
            return low
        high = text(
            "wire.range_below" if self.below else "wire.range_to",
            high=f"{self.high:g}",
        )
        return text("wire.range", low=low, high=high)


@frozen
class Option:
    """One field of ``CompletionOptions``.

    ``key`` is its name in the configuration file, ``allowed`` what a caller may say.
    Leaving out ``neutral`` loses nothing, unless it is ``set_by_models``: some servers
    take its default from the model. ``unsent`` is the reason why no server is sent it.
    """

    name: str
    key: str
    kind: Kind
    allowed: Range = Range()
    handling: Handling = "number"
    neutral: float | None = None
    unit: str = ""
    unsent: Callable[[], str] | None = None
    set_by_models: bool = False


_SHARE: Final = Range(0, 1)
_PENALTY: Final = Range(-2, 2)
_COUNT: Final = Range(1)
_ZERO_UP: Final = Range(0)

# In the order of ``CompletionOptions``, which is that of the members of a body.
OPTIONS: Final = (
    Option("temperature", "temperature", "number", Range(0, 2)),
    Option("max_tokens", "maxTokens", "whole", _COUNT, unit="tokens"),
    Option("top_p", "topP", "number", _SHARE, neutral=1, set_by_models=True),
    Option(
        "top_k",
        "topK",
        "whole",
        _ZERO_UP,
        neutral=0,
        unit="tokens",
        set_by_models=True,
    ),
    Option("min_p", "minP", "number", _SHARE, neutral=0, set_by_models=True),
    Option(
        "repetition_penalty",
        "repetitionPenalty",
        "number",
        Range(0, above=True),
        neutral=1,
        set_by_models=True,
    ),
    Option("presence_penalty", "presencePenalty", "number", _PENALTY, neutral=0),
    Option("frequency_penalty", "frequencyPenalty", "number", _PENALTY, neutral=0),
    Option("stop", "stop", "texts", handling="apart"),
    # OpenAI's own limit; hardly any server gives that many.
    Option("n", "n", "whole", Range(1, 128), "apart", unit="answers"),
    Option("seed", "seed", "whole"),
    Option("context_length", "contextLength", "whole", _COUNT, "apart", unit="tokens"),
    Option("reasoning", "reasoning", "flag", handling="reasoning"),
    Option("reasoning_effort", "reasoningEffort", "effort", handling="reasoning"),
    Option(
        "reasoning_budget_tokens",
        "reasoningBudgetTokens",
        "whole",
        _ZERO_UP,
        "reasoning",
        unit="tokens",
    ),
    Option("prompt_caching", "promptCaching", "flag", handling="as is"),
    Option(
        "stream",
        "stream",
        "flag",
        handling="as is",
        unsent=partial(text, "wire.stream_unsent"),
    ),
    Option(
        "keep_alive",
        "keepAlive",
        "whole",
        Range(-1),
        "as is",
        unit="seconds",
        unsent=partial(text, "wire.keep_alive_unsent"),
    ),
)
# vLLM and llama.cpp read these out of the model's files (generation_config.json).
SET_BY_MODELS: Final = frozenset(each.name for each in OPTIONS if each.set_by_models)
BY_NAME: Final[Mapping[str, Option]] = {option.name: option for option in OPTIONS}


def handled(how: Handling) -> tuple[Option, ...]:
    """Return the options that are sent in one way, in the order of the body."""
    return tuple(option for option in OPTIONS if option.handling == how)


def single(value: float) -> float:
    """Return the 32-bit float nearest to ``value``, which most servers compute with."""
    # Whole numbers are sent and read as such, whatever their size.
    if isinstance(value, int):
        return value
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)
