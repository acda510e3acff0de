"""Which options each server takes on each route, under which name, in which range.

TGI: router/src/lib.rs and validation.rs of v1.4.0 to v3.3.7. The others: the servers'
own documents; huggingface_hub 2.4 for the router.
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

    ``names`` maps our options to the server's. ``neutral`` are those whose neutral
    value says something, since the server's own default may be another.
    ``sends_zero``: a temperature of 0 is sent as it is; ``nested``: options go into
    ``parameters``; ``cuts``: the server leaves stop texts in the answer, or may.
    """

    names: Mapping[str, str] = field(factory=lambda: _EVERY)
    ranges: Mapping[str, Range] = field(factory=lambda: _RANGES)
    neutral: frozenset[str] = frozenset({"top_p"})
    sends_zero: bool = True
    least_temperature: float | None = None
    greedy_drops: bool = False
    nested: bool = False
    cuts: bool = True
    reasons: Mapping[str, str] = field(factory=dict)


_OWN_DEFAULTS: Final = frozenset({"top_p", "top_k", "min_p", "repetition_penalty"})

_OPENAI: Final = Dialect()
_ROUTER: Final = Dialect(ranges=_SHARE_RANGES)
_VLLM: Final = Dialect(ranges=_SHARE_RANGES, neutral=_OWN_DEFAULTS, cuts=False)
_SGLANG: Final = evolve(
    _VLLM,
    ranges={
        **_SHARE_RANGES,
        "repetition_penalty": Range(0, 2, above=True, clamped=True),
    },
)
_LLAMA: Final = Dialect(
    names={**_EVERY, "repetition_penalty": "repeat_penalty"},
    # Its own default of top_k is 40: 0 turns that off.
    ranges={
        **_RANGES,
        "top_k": Range(0, _MANY),
        "seed": Range(-1, 2**32 - 1),
    },
    neutral=_OWN_DEFAULTS,
    cuts=False,
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
    neutral=frozenset(),
    greedy_drops=True,
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
    neutral=frozenset(),
    sends_zero=False,
    greedy_drops=True,
    nested=True,
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
    neutral=frozenset(),
    sends_zero=False,
    greedy_drops=True,
    nested=True,
)

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
_BY_ROUTE: Final[Mapping[str, Dialect]] = {
    "generate": _GENERATE,
    "tasks": _TASKS,
    "infill": _INFILL,
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


def dialect(server: Server, route: str) -> Dialect:
    """Return what ``route`` of ``server`` takes."""
    if route in _BY_ROUTE:
        return _BY_ROUTE[route]
    if server.engine not in _TGI_ENGINES:
        return _BY_ENGINE.get(server.engine, _OPENAI)
    found = _TGI_COMPLETIONS if route == "completions" else _TGI_CHAT
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
