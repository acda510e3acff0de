"""llama.cpp: OpenAI's routes, its own names for options, and infilling.

https://github.com/ggml-org/llama.cpp: tools/server/README.md and server-common.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from attrs import evolve

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.sampling import LARGEST_COUNT, SET_BY_MODELS, Range
from bytebuddy_provider_hf.types import Message, Tool
from bytebuddy_provider_hf.wire.body_parts import BodyPart
from bytebuddy_provider_hf.wire.route_options import (
    NAMES,
    RANGES,
    TEMPLATE,
    RouteOptions,
)
from bytebuddy_provider_hf.wire.server import TOOL_WORDS, Server, TokenizeRequest


class LlamaCpp(Server):
    """It says ``owned_by: llamacpp`` in its list of models."""

    name = "llama.cpp"
    owners = frozenset({"llamacpp", "llama.cpp"})
    usual_routes = frozenset({"chat", "completions", "embeddings", "rerank", "infill"})
    needs_listed_name = True
    may_serve_tasks = False
    embeds_base64 = True

    chat = RouteOptions(
        names={
            **NAMES,
            "repetition_penalty": "repeat_penalty",
            "reasoning": TEMPLATE,
            "reasoning_effort": "reasoning_effort",
            "reasoning_budget_tokens": "thinking_budget_tokens",
            "prompt_caching": "cache_prompt",
        },
        # Its own default of top_k is 40: 0 turns that off.
        ranges={
            **RANGES,
            "top_k": Range(0, LARGEST_COUNT),
            "seed": Range(-1, 2**32 - 1),
        },
        own_defaults=SET_BY_MODELS,
        leaves_stop_text=False,
        # Must be a bool. reasoning_effort is read since #26941 (b10434), before only
        # out of the template's variables.
        switches=("enable_thinking",),
        effort_in_template=True,
        # Read since #20297.
        since={"reasoning_budget_tokens": partial(texts.text, "wire.llamacpp_since")},
        # Asked for none it tells no tokens at all, not asked for any 20 for each.
        least_alternatives=1,
    )
    completions = chat.for_prompt(json="schema")
    infill = evolve(
        completions,
        names={**completions.names, "max_tokens": "n_predict"},
        several=False,
    )

    def options_for(self, route: str) -> RouteOptions:
        """Return what one of ``routes`` takes."""
        return self.infill if route == "infill" else super().options_for(route)

    def tools(
        self, tools: Sequence[Tool], choice: str | None, *, parallel: bool | None
    ) -> BodyPart:
        """Return what offers ``tools``, of which it cannot be told one by name."""
        if choice not in (None, *TOOL_WORDS):
            # It reads a text only, and takes anything else for "auto".
            tools = [next(tool for tool in tools if tool.name == choice)]
            choice = "required"
        return super().tools(tools, choice, parallel=parallel)

    def count_text(self, text: str, model: str) -> TokenizeRequest | None:  # noqa: ARG002 - the base's signature
        """Return what has a text counted."""
        return "/tokenize", {"content": text, "add_special": True}

    def count_chat(
        self, messages: Sequence[Message], model: str
    ) -> TokenizeRequest | None:
        """Return what has the text of a conversation counted, without a template."""
        text = "\n".join(str(message.content) for message in messages)
        return self.count_text(text, model)
