"""Options as a route takes them: names, ranges and own defaults, as data.

The names and ranges below are OpenAI's; a server's file changes what differs there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.sampling import LARGEST_COUNT, Range, handled
from bytebuddy_provider_hf.texts import text

_LARGEST_FLOAT: Final = 3.4e38
_LARGEST_SEED: Final = 2**63 - 1

POSITIVE: Final = Range(0, _LARGEST_FLOAT, above=True)
# What callers may say, bounded by the numbers that a server can hold.
RANGES: Final[Mapping[str, Range]] = {
    **{option.name: option.allowed for option in handled("number")},
    "temperature": Range(0, 2, clamped=True),
    "max_tokens": Range(1, LARGEST_COUNT, clamped=True),
    "top_k": Range(1, LARGEST_COUNT),
    "repetition_penalty": POSITIVE,
    "seed": Range(-_LARGEST_SEED, _LARGEST_SEED),
}
# vLLM and SGLang refuse a top_p of 0, and so do the providers that run them.
TOP_P_ABOVE_ZERO: Final = {**RANGES, "top_p": Range(0, 1, above=True)}
NAMES: Final[Mapping[str, str]] = {name: name for name in (*RANGES, "stop")}

# What belongs to a conversation: a raw prompt has its reasoning in it, or none.
REASONING: Final = tuple(option.name for option in handled("reasoning"))
# The member with the variables of a server's chat template.
TEMPLATE: Final = "chat_template_kwargs"
# OpenAI's limit, which is also what vLLM allows unless told otherwise.
MOST_ALTERNATIVES: Final = 20


# A sentence that is said when it is needed: importing these tables reads no texts.
Said: TypeAlias = Callable[[], str]
JsonMember: TypeAlias = Literal["openai", "schema", "schema text"]


@frozen
class RouteOptions:
    """What one route of one server takes.

    ``names`` maps our options to the server's, ``ranges`` to the values it takes;
    ``reasons`` tells why one is not in ``names``, ``since`` which version began to read
    one that older versions ignore. ``own_defaults`` are those whose neutral value says
    something, since the server's own default may be another.

    ``sends_zero``: a temperature of 0 is sent as it is, else as ``least_temperature``;
    ``greedy_drops`` are left out beside it. ``in_parameters``: options go into
    ``parameters``. ``leaves_stop_text``: the server leaves stop texts in the answer, or
    may.

    ``switches`` are the variables of chat templates that turn reasoning on and off;
    with ``effort_in_template`` the effort goes there too. ``several``: more than one
    answer can be asked for. ``logprobs`` is the form in which the tokens are asked for,
    with ``least_alternatives`` to ``most_alternatives`` for each. ``json`` is the form
    that holds an answer to JSON: OpenAI's ``response_format``, the bare schema in
    ``json_schema``, the same as text; ``None`` where it would be left out.
    """

    names: Mapping[str, str] = field(factory=lambda: NAMES)
    ranges: Mapping[str, Range] = field(factory=lambda: RANGES)
    reasons: Mapping[str, Said] = field(factory=dict)
    since: Mapping[str, Said] = field(factory=dict)
    own_defaults: frozenset[str] = frozenset({"top_p"})
    sends_zero: bool = True
    least_temperature: float | None = None
    greedy_drops: tuple[str, ...] = ()
    in_parameters: bool = False
    leaves_stop_text: bool = True
    switches: tuple[str, ...] = ()
    effort_in_template: bool = False
    several: bool = True
    logprobs: Literal["chat", "completions", "details"] | None = "chat"
    least_alternatives: int = 0
    most_alternatives: int = MOST_ALTERNATIVES
    json: JsonMember | None = "openai"

    def for_prompt(self, json: JsonMember | None = None) -> RouteOptions:
        """Return what is taken for a raw prompt, whose text no template writes."""
        reason = partial(text, "wire.prompt_without_reasoning")
        return evolve(
            self,
            names={k: v for k, v in self.names.items() if k not in REASONING},
            reasons={**self.reasons, **dict.fromkeys(REASONING, reason)},
            since={},
            logprobs="completions" if self.logprobs == "chat" else self.logprobs,
            json=json,
        )

    def without(self, name: str, reason: Said) -> RouteOptions:
        """Return the same without one option, and why."""
        names = {key: value for key, value in self.names.items() if key != name}
        return evolve(self, names=names, reasons={**self.reasons, name: reason})


def names(*same: str, **renamed: str) -> Mapping[str, str]:
    """Return the names of options that keep theirs, and of those that do not."""
    return {name: name for name in same} | renamed
