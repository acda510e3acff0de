"""Which options each server takes on each route, under which name, in which range.

TGI: router/src/lib.rs and validation.rs of v1.4.0 to v3.3.7, which have no word about
reasoning. The others: the servers' own documents; huggingface_hub 2.4 for the router.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.wire.server import Engine, Server

_MANY: Final = 2**31 - 1
_LONG: Final = 2**63 - 1
_LARGEST: Final = 3.4e38


@frozen
class Range:
    """Lowest and highest value; ``above`` and ``below`` exclude them.

    With ``clamped`` a value outside becomes the nearest inside; else it is left out.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False
    clamped: bool = False

    def has(self, value: float) -> bool:
        """Whether a value is inside, also as the 32-bit float that servers make it."""
        for each in (value, _single(value)):
            if not self.low <= each <= self.high:
                return False
            if (self.above and each == self.low) or (self.below and each == self.high):
                return False
        return True

    def nearest(self, value: float) -> float | None:
        """Return a value inside, or ``None`` where there is none to choose."""
        if self.has(value):
            return value
        if not self.clamped or not math.isfinite(value):
            return None
        return self.high if value > self.high else None

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        if self.high >= _MANY:
            return low
        high = f"below {self.high:g}" if self.below else f"at most {self.high:g}"
        return f"{low} and {high}"


_POSITIVE: Final = Range(0, _LARGEST, above=True)
_PENALTY: Final = Range(-2, 2)
_INSIDE: Final = Range(0, 1, above=True, below=True)
_TOKENS: Final = Range(1, _MANY, clamped=True)

_RANGES: Final[Mapping[str, Range]] = {
    "temperature": Range(0, 2, clamped=True),
    "max_tokens": _TOKENS,
    "top_p": Range(0, 1),
    "top_k": Range(1, _MANY),
    "min_p": Range(0, 1),
    "repetition_penalty": _POSITIVE,
    "presence_penalty": _PENALTY,
    "frequency_penalty": _PENALTY,
    "seed": Range(-_LONG, _LONG),
}
_TGI_RANGES: Final = {
    **_RANGES,
    "temperature": _POSITIVE,
    "top_p": _INSIDE,
    "seed": Range(0, _LONG),
}
# vLLM and SGLang refuse a top_p of 0, and so do the providers that run them.
_SHARE_RANGES: Final = {**_RANGES, "top_p": Range(0, 1, above=True)}

_EVERY: Final = {name: name for name in _RANGES} | {"stop": "stop"}


def _only(*names: str, **renamed: str) -> Mapping[str, str]:
    return {name: name for name in names} | renamed


@frozen
class Dialect:
    """What one route of one server takes.

    ``names`` maps our options to the server's. ``own_defaults`` are those whose neutral
    value says something, since the server's own default may be another. ``sends_zero``:
    a temperature of 0 is sent as it is; ``in_parameters``: options go into
    ``parameters``; ``leaves_stop_text``: the server leaves stop texts in the answer, or
    may. ``switches`` are the variables of chat templates that turn reasoning on and
    off; with ``effort_in_template`` the effort goes there too. ``since`` tells which
    version began to read an option, where older ones ignore it.
    """

    names: Mapping[str, str] = field(factory=lambda: _EVERY)
    ranges: Mapping[str, Range] = field(factory=lambda: _RANGES)
    own_defaults: frozenset[str] = frozenset({"top_p"})
    sends_zero: bool = True
    least_temperature: float | None = None
    drop_sampling_when_greedy: bool = False
    in_parameters: bool = False
    leaves_stop_text: bool = True
    switches: tuple[str, ...] = ()
    effort_in_template: bool = False
    since: Mapping[str, str] = field(factory=dict)
    reasons: Mapping[str, str] = field(factory=dict)


_OWN_DEFAULTS: Final = frozenset({"top_p", "top_k", "min_p", "repetition_penalty"})

TEMPLATE: Final = "chat_template_kwargs"
_EFFORT: Final = "reasoning_effort"

# Off is an effort of "none" in OpenAI's protocol, which has no word for on:
# https://platform.openai.com/docs/api-reference/chat/create; the router's page
# docs/inference-providers/tasks/chat-completion.md of huggingface/hub-docs has it too.
_OPENAI: Final = Dialect(names={**_EVERY, "reasoning": _EFFORT, _EFFORT: _EFFORT})
_ROUTER: Final = evolve(_OPENAI, ranges=_SHARE_RANGES)
# vLLM, entrypoints/openai/chat_completion/protocol.py. Qwen3's template reads
# enable_thinking, that of DeepSeek-V3.1 and Granite thinking (docs, "Reasoning
# Outputs"); a template passes over what it does not read. The budget is read from
# 0.20 on, and refused by a server without --reasoning-parser or --reasoning-config.
_VLLM: Final = Dialect(
    names={
        **_EVERY,
        "reasoning": TEMPLATE,
        _EFFORT: _EFFORT,
        "reasoning_budget_tokens": "thinking_token_budget",
    },
    ranges=_SHARE_RANGES,
    own_defaults=_OWN_DEFAULTS,
    leaves_stop_text=False,
    switches=("enable_thinking", "thinking"),
    since={"reasoning_budget_tokens": "vLLM from 0.20 on"},
    reasons={"prompt_caching": "vLLM caches by itself, unless it was started not to"},
)
# https://docs.sglang.io/docs/advanced_features/thinking_budget: a budget needs a
# server that was started for one, and is no field of a request to all others.
_SGLANG: Final = evolve(
    _VLLM,
    names={**_EVERY, "reasoning": TEMPLATE, _EFFORT: _EFFORT},
    ranges={
        **_SHARE_RANGES,
        "repetition_penalty": Range(0, 2, above=True, clamped=True),
    },
    since={},
    reasons={
        "prompt_caching": "SGLang caches by itself, unless it was started not to",
        "reasoning_budget_tokens": "SGLang has no field for it",
    },
)
# llama.cpp, tools/server/server-common.cpp: enable_thinking must be a bool; the budget
# is read since #20297 (March 2026), reasoning_effort since #26941 (b10434), before
# only out of the template's variables.
_LLAMA: Final = Dialect(
    names={
        **_EVERY,
        "repetition_penalty": "repeat_penalty",
        "reasoning": TEMPLATE,
        _EFFORT: _EFFORT,
        "reasoning_budget_tokens": "thinking_budget_tokens",
        "prompt_caching": "cache_prompt",
    },
    switches=("enable_thinking",),
    effort_in_template=True,
    since={"reasoning_budget_tokens": "llama.cpp from March 2026 on"},
    # Its own default of top_k is 40: 0 turns that off.
    ranges={
        **_RANGES,
        "top_k": Range(0, _MANY),
        "seed": Range(-1, 2**32 - 1),
    },
    own_defaults=_OWN_DEFAULTS,
    leaves_stop_text=False,
)
_INFILL: Final = evolve(_LLAMA, names={**_LLAMA.names, "max_tokens": "n_predict"})
_TRANSFORMERS: Final = Dialect(
    names=_only(
        "temperature", "max_tokens", "top_p", "frequency_penalty", "seed", "stop"
    ),
)
_TGI_CHAT: Final = Dialect(
    names=_only(
        "temperature", "max_tokens", "top_p", "frequency_penalty", "seed", "stop"
    ),
    ranges=_TGI_RANGES,
    own_defaults=frozenset(),
    drop_sampling_when_greedy=True,
    reasons={
        "presence_penalty": "this server would make a repetition penalty of p + 2 of it"
    },
)
_TGI_COMPLETIONS: Final = evolve(
    _TGI_CHAT,
    names={**_TGI_CHAT.names, "repetition_penalty": "repetition_penalty"},
    reasons={},
)
_GENERATE: Final = Dialect(
    names=_only(
        "temperature",
        "top_p",
        "top_k",
        "repetition_penalty",
        "frequency_penalty",
        "seed",
        "stop",
        max_tokens="max_new_tokens",
    ),
    ranges=_TGI_RANGES,
    own_defaults=frozenset(),
    sends_zero=False,
    drop_sampling_when_greedy=True,
    in_parameters=True,
)
# A pipeline of transformers, or TGI: what both allow.
_TASKS: Final = Dialect(
    names=_only(
        "temperature",
        "top_p",
        "top_k",
        "repetition_penalty",
        max_tokens="max_new_tokens",
    ),
    ranges={
        **_TGI_RANGES,
        "temperature": Range(0, 100, above=True),
        "repetition_penalty": Range(0, 100, above=True, clamped=True),
    },
    own_defaults=frozenset(),
    sends_zero=False,
    drop_sampling_when_greedy=True,
    in_parameters=True,
)

# What belongs to a conversation: a raw prompt has its reasoning in it, or none.
REASONING: Final = ("reasoning", "reasoning_effort", "reasoning_budget_tokens")


def _raw(found: Dialect) -> Dialect:
    """Return what is taken for a raw prompt."""
    reason = "a prompt without a template has no reasoning"
    names = {k: v for k, v in found.names.items() if k not in REASONING}
    reasons = {**found.reasons, **dict.fromkeys(REASONING, reason)}
    return evolve(found, names=names, reasons=reasons, since={})


_BY_ENGINE: Final[Mapping[Engine, Dialect]] = {
    Engine.OPENAI: _OPENAI,
    Engine.ROUTER: _ROUTER,
    Engine.VLLM: _VLLM,
    Engine.SGLANG: _SGLANG,
    Engine.LLAMA_CPP: _LLAMA,
    Engine.TRANSFORMERS: _TRANSFORMERS,
    Engine.TGI: _TGI_CHAT,
    Engine.HF_INFERENCE: _TGI_CHAT,
}
_RAW_BY_ENGINE: Final = {engine: _raw(found) for engine, found in _BY_ENGINE.items()}
_TGI_RAW: Final = _raw(_TGI_COMPLETIONS)
_BY_ROUTE: Final[Mapping[str, Dialect]] = {
    "generate": _raw(_GENERATE),
    "tasks": _raw(_TASKS),
    "infill": _raw(_INFILL),
}
_TGI_ENGINES: Final = frozenset({Engine.TGI, Engine.HF_INFERENCE})
# Routes that generate nothing take no such options.
WITHOUT_OPTIONS: Final = frozenset({"embeddings", "embed", "rerank", "predict"})

# What nothing is lost by leaving out.
NEUTRAL: Final[Mapping[str, float]] = {
    "top_p": 1,
    "top_k": 0,
    "min_p": 0,
    "repetition_penalty": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
}


# Whose chats are generated here.
CHATTING: Final = tuple(_BY_ENGINE)


def members() -> Mapping[str, frozenset[str]]:
    """Return the options that each member of any server's body may stand for."""
    found: dict[str, set[str]] = {}
    for taken in (*_BY_ENGINE.values(), *_BY_ROUTE.values(), _TGI_RAW):
        for option, member in taken.names.items():
            found.setdefault(member, set()).add(option)
    return {member: frozenset(options) for member, options in found.items()}


def dialect(server: Server, route: str) -> Dialect:
    """Return what ``route`` of ``server`` takes."""
    if route in _BY_ROUTE:
        return _BY_ROUTE[route]
    if server.engine not in _TGI_ENGINES:
        known = _RAW_BY_ENGINE if route == "completions" else _BY_ENGINE
        return known.get(server.engine, known[Engine.OPENAI])
    found = _TGI_RAW if route == "completions" else _TGI_CHAT
    return found if server.version is None else _of_version(found, server.version)


def _of_version(found: Dialect, version: tuple[int, ...]) -> Dialect:
    """Return what an older TGI takes on its OpenAI routes."""
    if version < (2, 0, 4):
        found = evolve(found, sends_zero=False, least_temperature=0.01)
    if version < (1, 4, 4):
        reason = "this version of the server ignores it"
        found = _without(found, "stop", reason)
    if version < (1, 4, 1):
        reason = "this server would make a repetition penalty of f + 2 of it"
        found = _without(found, "frequency_penalty", reason)
        reasons = {k: v for k, v in found.reasons.items() if k != "presence_penalty"}
        found = evolve(found, reasons=reasons)
    return found


def _without(found: Dialect, name: str, reason: str) -> Dialect:
    names = {key: value for key, value in found.names.items() if key != name}
    return evolve(found, names=names, reasons={**found.reasons, name: reason})


def _single(value: float) -> float:
    """Return the 32-bit float nearest to ``value``, which most servers compute with."""
    if isinstance(value, int):
        return value
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)
