"""vLLM: OpenAI's routes with more options, embeddings and rerank.

entrypoints/openai/chat_completion/protocol.py, and the page "Reasoning Outputs" of its
documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.sampling import SET_BY_MODELS
from bytebuddy_provider_hf.types import Message
from bytebuddy_provider_hf.wire.route_options import (
    NAMES,
    TEMPLATE,
    TOP_P_ABOVE_ZERO,
    RouteOptions,
)
from bytebuddy_provider_hf.wire.server import Server, TokenizeRequest


class Vllm(Server):
    """It says ``owned_by: vllm`` in its list of models."""

    name = "vLLM"
    owners = frozenset({"vllm"})
    usual_routes = frozenset({"chat", "completions", "embeddings", "rerank"})
    # It answers 404 to another name: adapters have names of their own.
    needs_listed_name = True
    may_serve_tasks = False
    embeds_base64 = True

    chat = RouteOptions(
        names={
            **NAMES,
            "reasoning": TEMPLATE,
            "reasoning_effort": "reasoning_effort",
            "reasoning_budget_tokens": "thinking_token_budget",
        },
        ranges=TOP_P_ABOVE_ZERO,
        own_defaults=SET_BY_MODELS,
        leaves_stop_text=False,
        # Qwen3's template reads enable_thinking, that of DeepSeek-V3.1 and Granite
        # thinking; a template passes over what it does not read.
        switches=("enable_thinking", "thinking"),
        # Refused by a server without --reasoning-parser or --reasoning-config.
        since={
            "reasoning_budget_tokens": partial(
                texts.text, "wire.vllm_since", version="0.20"
            )
        },
        reasons={
            "prompt_caching": partial(texts.text, "wire.caches_itself", server="vLLM")
        },
    )
    completions = chat.for_prompt(json="openai")

    def count_text(self, text: str, model: str) -> TokenizeRequest | None:
        """Return what has a text counted (vllm/entrypoints/openai)."""
        return "/tokenize", {"model": model, "prompt": text}

    def count_chat(
        self, messages: Sequence[Message], model: str
    ) -> TokenizeRequest | None:
        """Return what has a conversation counted, its template applied."""
        return "/tokenize", {"model": model, "messages": self.messages(messages)[0]}
