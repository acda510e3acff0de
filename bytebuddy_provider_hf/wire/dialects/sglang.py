"""SGLang: vLLM's options but for the budget of reasoning; schemas as text."""

from __future__ import annotations

from functools import partial

from attrs import evolve

from bytebuddy_provider_hf.sampling import Range
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.server import Server

_VLLM = Vllm.chat.without(
    "reasoning_budget_tokens", partial(text, "wire.no_field", server="SGLang")
)


class Sglang(Server):
    """It says ``owned_by: sglang`` in its list of models."""

    name = "SGLang"
    owners = frozenset({"sglang"})
    usual_routes = frozenset({"chat", "completions", "embeddings"})
    needs_listed_name = True
    may_serve_tasks = False

    # https://docs.sglang.io/docs/advanced_features/thinking_budget: a budget needs a
    # server that was started for one, and is no field of a request to all others.
    chat = evolve(
        _VLLM,
        ranges={
            **_VLLM.ranges,
            "repetition_penalty": Range(0, 2, above=True, clamped=True),
        },
        since={},
        reasons={
            **_VLLM.reasons,
            "prompt_caching": partial(text, "wire.caches_itself", server="SGLang"),
        },
    )
    completions = chat.for_prompt(json="schema text")
