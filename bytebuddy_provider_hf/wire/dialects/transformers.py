"""transformers serve: OpenAI's routes with few options, one answer, no choice of tool.

The fields it reads are in transformers' src/transformers/commands/serving.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Tool
from bytebuddy_provider_hf.wire.body_parts import EMPTY_PART, BodyPart
from bytebuddy_provider_hf.wire.route_options import RouteOptions, names
from bytebuddy_provider_hf.wire.server import Server


class Transformers(Server):
    """Its list of models does not tell it from others, so that it is never found."""

    name = "transformers serve"
    may_serve_tasks = False

    # Of the other fields of OpenAI's it reads none.
    chat = RouteOptions(
        names=names(
            "temperature", "max_tokens", "top_p", "frequency_penalty", "seed", "stop"
        ),
        several=False,
        logprobs=None,
        json=None,
    )
    completions = chat.for_prompt()

    def tools(
        self, tools: Sequence[Tool], choice: str | None, *, parallel: bool | None
    ) -> BodyPart:
        """Return what offers ``tools``; it reads no choice among them."""
        # It calls what the model writes: the choice and the number are the model's.
        del parallel
        if choice == "none":
            return EMPTY_PART
        if choice not in (None, "auto"):
            hint = text("wire.be_told_tool_hint")
            raise self.unsupported(text("wire.be_told_tool"), hint)
        return super().tools(tools, None, parallel=None)
