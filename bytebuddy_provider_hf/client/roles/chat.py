"""The role chat: a conversation, by the server's template or by the family's."""

from __future__ import annotations

from attrs import define, evolve, field, frozen

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.client import model_family
from bytebuddy_provider_hf.client.context_length import truncate_history
from bytebuddy_provider_hf.client.knowledge import Knowledge, smallest
from bytebuddy_provider_hf.client.plan import (
    Plan,
    Planner,
    PostProcessing,
    plan_chat,
    plan_rendered,
    with_notes,
)
from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.prompts.chat import (
    adapt_messages,
    render_chat,
    special_tokens_of,
)
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.prompts.special_tokens import Unescape
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.server import Server

# With the request that it plans, so that a call of a model needs one import for both.
__all__ = [
    "ChatPlanner",
    "ChatRequest",
    "ModelInfo",
    "plan_conversation",
    "server_has_template",
]


@frozen
class ModelInfo:
    """A model: where it is, its family, and its context length.

    ``opens_reasoning`` tells that its template ends the prompt with ``<think>``.
    """

    target: Target
    family: Family | None = None
    window: int | None = None
    opens_reasoning: bool = False

    def with_family(self, found: Family | None) -> ModelInfo:
        """Return the model with the family found on the Hub, if there is one."""
        return self if found is None else evolve(self, family=found)


@define
class ChatPlanner(Planner):
    """Put a conversation to a server."""

    role: str = field(default="chat", init=False)

    request: ChatRequest
    model_info: ModelInfo

    def plan(
        self, knowledge: Knowledge, options: CompletionOptions, *, stream: bool
    ) -> Plan:
        """Return the request for a conversation, its history cut to what fits."""
        request, server = self.request, knowledge.server
        if options is not request.options:
            request = evolve(request, options=options)
        model = self.model_info
        if knowledge.family is not None:
            model = model.with_family(knowledge.family)
        # The configured context length, the server's, or the published one. Behind the
        # router each provider has one of its own, often longer than the published.
        window = smallest(model.window, server.context_length)
        if (
            window is None
            and model.family is not None
            and not model.target.router_picks_provider
        ):
            window = model.family.window
        request, notes = truncate_history(
            request, window, knowledge.token_counts, server.max_input
        )
        plan = plan_conversation(request, model, knowledge, stream=stream)
        return with_notes(plan, notes) if notes else plan

    def hub_seconds(self, server: Server, *, no_template: bool) -> float:
        """Return how long the Hub may be asked for the model's family."""
        family = self.model_info.family
        return model_family.hub_seconds_for_chat(
            family, server, no_template=no_template
        )


def plan_conversation(
    request: ChatRequest,
    model_info: ModelInfo,
    knowledge: Knowledge,
    *,
    stream: bool,
    role: str = "chat",
) -> Plan:
    """Return the call that answers a conversation at a server.

    The server's own template comes first; where it has none, the family's official
    one is written here.
    """
    target, server, no_template = (
        model_info.target,
        knowledge.server,
        knowledge.no_template,
    )
    family = model_family.family_for(model_info.family, server)
    model_family.refuse_non_generative(family, target.model, role)
    if server_has_template(family, server, no_template=no_template):
        if model_info.opens_reasoning:
            request = evolve(request, opened="<think>")
        if family is None:
            return plan_chat(request, target, knowledge, stream=stream)
        messages, notes = adapt_messages(family, request.messages)
        changed = evolve(request, messages=messages)
        return with_notes(plan_chat(changed, target, knowledge, stream=stream), notes)
    alone = "chat" in server.routes and not no_template
    if alone and not model_family.accepts_raw_prompt(server, target):
        raise model_family.no_template_error(target.model)
    if family is None and not no_template:
        raise UnsupportedRole(
            text("roles.no_chat_route", name=server.said_name(), model=target.model),
            hint=text("roles.no_chat_route_hint"),
        )
    return _plan_rendered_chat(
        request, family or model_family.UNKNOWN_BASE, target, knowledge, stream
    )


def server_has_template(
    family: Family | None, server: Server, *, no_template: bool
) -> bool:
    """Whether a conversation goes to the server's own template.

    Base models and FLAN-T5 come without one, so their servers have none either.
    """
    if "chat" not in server.routes or no_template:
        return False
    return family is None or (
        family.chat is not None and family.kind is not ModelKind.SEQ2SEQ
    )


def _plan_rendered_chat(
    request: ChatRequest,
    family: Family,
    target: Target,
    knowledge: Knowledge,
    stream: bool,  # noqa: FBT001 - one of the call's facts
) -> Plan:
    if request.tools:
        name = knowledge.server.said_name()
        raise UnsupportedRole(
            text("roles.no_tool_calls", name=name, model=target.model),
            hint=text("roles.no_tool_calls_hint"),
        )
    written = render_chat(family, request.messages)
    specials = special_tokens_of(family)
    told: tuple[str, ...] = ()
    if family.chat is not None:
        told = (text("roles.template_written", name=family.said_name),)
    options = request.options
    if (options.n or 1) > 1:
        told = (*told, text("roles.one_answer"))
        options = evolve(options, n=None)
    plan = plan_rendered(
        written,
        CompletionRequest(
            prompt="",
            options=options,
            extra=request.extra,
            logprobs=request.logprobs,
            response_format=request.response_format,
            split=True,
        ),
        target,
        knowledge,
        stream=stream,
        shape=PostProcessing(lambda: Unescape(specials)),
    )
    return with_notes(plan, told)
