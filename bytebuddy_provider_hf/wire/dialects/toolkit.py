"""The inference toolkit: a pipeline of transformers behind the task API."""

from __future__ import annotations

from attrs import evolve

from bytebuddy_provider_hf.sampling import Range
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.route_options import RouteOptions, names
from bytebuddy_provider_hf.wire.server import (
    ScoringApi,
    Server,
)

# Where ``/`` may be a pipeline of transformers or a TGI: what both allow.
PIPELINE = evolve(
    Tgi.generate,
    names=names(
        "temperature",
        "top_p",
        "top_k",
        "repetition_penalty",
        max_tokens="max_new_tokens",
    ),
    ranges={
        **Tgi.generate.ranges,
        "temperature": Range(0, 100, above=True),
        "repetition_penalty": Range(0, 100, above=True, clamped=True),
    },
    logprobs=None,
)


class Toolkit(Server):
    """It says nothing of itself: what no question told is taken for one."""

    name = "the inference toolkit"
    # Nothing said what it is: the OpenAI routes are worth a try all the same.
    usual_routes = frozenset({"chat", "completions", "tasks"})
    scoring_api = ScoringApi.TASKS

    chat = evolve(Server.chat, several=False, logprobs=None, json=None)
    completions = chat.for_prompt()

    @classmethod
    def said_name(cls, *, first: bool = False) -> str:
        """Return its name as a sentence says it, ``first`` at its beginning."""
        return text("wire.toolkit_first" if first else "wire.toolkit")

    def options_for(self, route: str) -> RouteOptions:
        """Return what one of ``routes`` takes."""
        return PIPELINE if route == "tasks" else super().options_for(route)
