"""The role edit: code changed as it is told, by commit format or by instruction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.client import model_family
from bytebuddy_provider_hf.client.knowledge import Knowledge
from bytebuddy_provider_hf.client.plan import (
    Plan,
    Planner,
    PostProcessing,
    plan_rendered,
    post_processed,
)
from bytebuddy_provider_hf.client.roles.chat import (
    ModelInfo,
    plan_conversation,
    server_has_template,
)
from bytebuddy_provider_hf.edits.text_filter import TextFilter
from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.edits.unwrap import Unwrapper
from bytebuddy_provider_hf.errors import StreamInterrupted, UnsupportedRole
from bytebuddy_provider_hf.prompts import edit as prompts
from bytebuddy_provider_hf.prompts import history
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions, Message, Reply
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.server import Server

# The whole of the code comes back, and what was asked for with it.
_GROWTH: Final = 1.5
_ROOM: Final = 512


@define
class CodePlanner(Planner):
    """Have a model return the whole of ``task.code`` changed.

    ``template`` is the one of the configuration, which replaces every prompt of ours.
    """

    task: prompts.EditTask
    model_info: ModelInfo
    template: str | None = None
    extra: Mapping[str, object] = field(factory=dict)

    doing: ClassVar[str]

    @abstractmethod
    def prompt(self) -> prompts.EditPrompt:
        """Return the instruction for a model that follows instructions."""

    @abstractmethod
    def judge(self, reply: Reply) -> Reply:
        """Return the reply with its diff, or with what is wrong with it."""

    def finish(self, reply: Reply, through: TextFilter) -> Reply:
        """Return the reply, judged; ``through`` took the fences off its text."""
        if isinstance(through, Unwrapper) and not through.complete:
            reply = _unclosed_block(reply)
        return self.judge(reply)

    def plan(
        self, knowledge: Knowledge, options: CompletionOptions, *, stream: bool
    ) -> Plan:
        """Return the request for the changed code.

        A base model of code is asked by its format of commits, any other by
        instruction, the fences taken off its answer.
        """
        task, server = self.task, knowledge.server
        info = self.model_info.with_family(knowledge.family)
        family = model_family.family_for(info.family, server)
        model_family.refuse_non_generative(family, info.target.model, self.doing)
        model_family.refuse_dialog_only(family, info.target.model, self.doing)
        raw = model_family.accepts_raw_prompt(server, info.target)
        if self.template is None and family is not None and raw and family.edit:
            taught = family.edit
            return plan_rendered(
                prompts.render_commit(taught, task),
                CompletionRequest(prompt="", options=options, extra=self.extra),
                info.target,
                knowledge,
                stream=stream,
                shape=PostProcessing(
                    lambda: prompts.CommitFilter(taught, task), self.finish
                ),
            )
        self._refuse_base_model(family, no_template=knowledge.no_template)
        prompt = self.prompt()
        messages = prompt.messages
        # An answer can be begun only in a prompt that is written here.
        begun = (
            prompt.prefill != ""
            and family is not None
            and family.kind is ModelKind.CHAT
            and not server_has_template(
                family, server, no_template=knowledge.no_template
            )
        )
        if begun:
            messages = (*messages, Message("assistant", prompt.prefill))
        request = ChatRequest(messages, options=options, extra=self.extra)
        plan = plan_conversation(request, info, knowledge, stream=stream, role="edit")
        fence = prompt.fence if begun else ""
        unwrapper = partial(Unwrapper, task.code, prefilled=begun, fence=fence)
        return post_processed(plan, PostProcessing(unwrapper, self.finish))

    def hub_seconds(self, server: Server, *, no_template: bool) -> float:
        """Return how long the Hub may be asked for the model's family."""
        family = self.model_info.family
        return model_family.hub_seconds_for_chat(
            family, server, no_template=no_template
        )

    def _refuse_base_model(self, family: Family | None, *, no_template: bool) -> None:
        """Refuse a base model: without an instruction it only goes on writing.

        A model that nobody knows is one where its server has no chat template for it.
        """
        if family is None:
            base = no_template
        else:
            base = family.chat is None and family.kind is ModelKind.BASE
        if base:
            raise UnsupportedRole(
                text(
                    "roles.base_model",
                    model=self.model_info.target.model,
                    doing=model_family.DOING[self.doing](),
                ),
                hint=text("roles.base_model_hint"),
            )


@define
class EditPlanner(CodePlanner):
    """Have code changed as an instruction says."""

    doing = "edit code"

    def prompt(self) -> prompts.EditPrompt:
        """Return the instruction, in the configured words if there are any."""
        if self.template is None:
            return prompts.edit_messages(self.task)
        asked = prompts.render_edit_template(self.template, self.task)
        return prompts.EditPrompt((Message("user", asked),), "", "")

    def judge(self, reply: Reply) -> Reply:
        """Return the reply with its diff, or with a note that it is not whole."""
        code = self.task.code
        if reply.finish_reason == "length":
            return evolve(reply, notes=(*reply.notes, text("roles.edit_cut")))
        if reply.finish_reason not in ("stop", None):
            return evolve(reply, notes=(*reply.notes, text("roles.not_whole")))
        if code.strip() and not reply.text.strip():
            return evolve(reply, notes=(*reply.notes, text("roles.no_code")))
        return evolve(reply, diff=unified(code, reply.text, path=self.task.path))


def raise_max_tokens(options: CompletionOptions, code: str) -> CompletionOptions:
    """Return options under which all of the code can come back, once."""
    options = evolve(options, n=None)
    if options.max_tokens is not None:
        return options
    tokens = int(history.estimate_tokens(code) * _GROWTH) + _ROOM
    return evolve(options, max_tokens=tokens)


def _unclosed_block(reply: Reply) -> Reply:
    """Return an answer whose block of code was not closed, or raise.

    A model that says it stopped has forgotten the fence; where nobody says why the
    answer ended, its end may be missing.
    """
    if reply.finish_reason is None:
        error = StreamInterrupted(
            text("roles.ended_in_block"),
            hint=text("roles.ended_in_block_hint"),
        )
        error.partial = reply.text
        raise error
    return evolve(reply, notes=(*reply.notes, text("roles.block_open")))
