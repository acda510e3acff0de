"""transformers serve: OpenAI's routes with few options, one answer, no choice of tool.

The fields it reads are in transformers' src/transformers/commands/serving.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from bytebuddy_provider_hf.types import Tool
from bytebuddy_provider_hf.wire.body_parts import EMPTY_PART, BodyPart, JsonForm
from bytebuddy_provider_hf.wire.route_options import RouteOptions, names
from bytebuddy_provider_hf.wire.server import ASK_FOR_JSON, HOLD_TO_JSON, Server


class Transformers(Server):
    """Its list of models does not tell it from others, so that it is never found."""

    name = "transformers serve"
    may_serve_tasks = False

    chat = RouteOptions(
        names=names(
            "temperature", "max_tokens", "top_p", "frequency_penalty", "seed", "stop"
        ),
        several=False,
        logprobs=None,
    )
    completions = chat.for_prompt()

    def tools(
        self, tools: Sequence[Tool], choice: str | None, *, parallel: bool | None
    ) -> BodyPart:
        """Return what offers ``tools``; it reads no choice among them."""
        del parallel
        if choice == "none":
            return EMPTY_PART
        if choice not in (None, "auto"):
            hint = "Leave tool_choice out, and ask for the call in the message."
            raise self.unsupported("be told which tool to call", hint)
        return super().tools(tools, None, parallel=None)

    def json_form(self, form: JsonForm, route: str, *, tools: bool) -> BodyPart:
        """Refuse: it would leave the schema out."""
        del form, route, tools
        raise self.unsupported(HOLD_TO_JSON, ASK_FOR_JSON)
