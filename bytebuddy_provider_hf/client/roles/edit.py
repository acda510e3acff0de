"""The role edit: code changed as it is told, by commit format or by instruction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import ClassVar, Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.client import call_loop, model_family
from bytebuddy_provider_hf.client.endpoint import CallSpec
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
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.edits.answers.answer import Refused, read_answer
from bytebuddy_provider_hf.edits.formats.fences import fence_in
from bytebuddy_provider_hf.edits.formats.unwrap import Unwrapper
from bytebuddy_provider_hf.edits.text_filter import TextFilter, Unfiltered, filtered
from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.errors import (
    EditDoubtful,
    ResponseError,
    StreamInterrupted,
    UnsupportedRole,
)
from bytebuddy_provider_hf.prompts import edit as prompts
from bytebuddy_provider_hf.prompts import history
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Done,
    DoubtMode,
    Event,
    Message,
    Progress,
    Reply,
    Text,
)
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
    # Whether a doubtful result is an error, or a reply with its doubts.
    doubts: DoubtMode = field(default="raise", kw_only=True)

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

    def shape(self, prefill: str, fence: str) -> PostProcessing:
        """Return how an answer is read, which ``prefill`` began with a ``fence``."""
        unwrapper = partial(
            Unwrapper, self.task.code, prefilled=bool(prefill), fence=fence
        )
        return PostProcessing(unwrapper, self.finish)

    def decided(self, reply: Reply) -> Reply:
        """Return a reply with its diff; raises ``EditDoubtful`` for doubts.

        Where the call wants them back the reply has them.
        """
        original = self.task.code
        diff = unified(original, reply.text, path=self.task.path)
        if not reply.doubts or self.doubts == "return":
            return evolve(reply, diff=diff)
        first = reply.doubts[0].message
        error = EditDoubtful(
            text("answer.doubtful", doubt=first), hint=text("answer.doubtful_hint")
        )
        error.original, error.result, error.diff = original, reply.text, diff
        error.doubts = reply.doubts
        raise error

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
        started = (prompt.prefill, prompt.fence) if begun else ("", "")
        return post_processed(plan, self.shape(*started))

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

    role: str = field(default="edit", init=False)
    doing = "edit code"

    def prompt(self) -> prompts.EditPrompt:
        """Return the instruction, in the configured words if there are any."""
        if self.template is None:
            return prompts.edit_messages(self.task)
        asked = prompts.render_edit_template(self.template, self.task)
        return prompts.EditPrompt((Message("user", asked),), "", "")

    def shape(self, prefill: str, fence: str) -> PostProcessing:
        """Return how an answer is read: whole, for a diff is not told by its lines."""
        return PostProcessing(Unfiltered, partial(self.read, prefill=prefill))

    def read(self, reply: Reply, _through: TextFilter, *, prefill: str) -> Reply:
        """Return the reply with the code that its whole answer gives."""
        answer = reply.text
        first = answer.lstrip("\r\n").partition("\n")[0]
        # Some servers start the answer anew after a prefill, with its fence.
        if prefill and fence_in(first.rstrip("\r")) is None:
            answer = prefill + answer
        unwrapper = Unwrapper(self.task.code)
        reply = evolve(reply, text=filtered(answer, unwrapper))
        if reply.finish_reason in ("stop", None) and not unwrapper.complete:
            reply = _unclosed_block(reply)
        return self._judged(reply, answer, bare=False)

    def judge(self, reply: Reply) -> Reply:
        """Return the reply with its diff, or with a note that it is not whole."""
        return self._judged(reply, reply.text, bare=True)

    def _judged(self, reply: Reply, answer: str, *, bare: bool) -> Reply:
        """Return what an answer gives; raises ``ResponseError`` where that is none.

        ``bare`` answers are code and nothing else, as those of base models.
        """
        if reply.finish_reason == "length":
            return evolve(reply, notes=(*reply.notes, text("roles.edit_cut")))
        if reply.finish_reason not in ("stop", None):
            return evolve(reply, notes=(*reply.notes, text("roles.not_whole")))
        task = self.task
        found = read_answer(
            task.code,
            answer,
            prefix=task.prefix,
            suffix=task.suffix,
            path=task.path,
            language=task.language,
            instruction=task.instruction,
            bare=bare,
        )
        if isinstance(found, Refused):
            error = ResponseError(found.message, hint=found.hint)
            error.partial = answer
            raise error
        notes = (*reply.notes, *found.notes)
        return self.decided(
            evolve(reply, text=found.text, notes=notes, doubts=found.doubts)
        )


async def stream(
    planner: CodePlanner, spec: CallSpec, state: LoopState
) -> AsyncGenerator[Event, None]:
    """Yield the events of a call whose code is shown only when it was judged.

    Its pieces are counted as ``Progress``, and the text comes whole before ``Done``:
    what is a diff or a refusal would be shown as code.
    """
    characters = lines = 0
    async with aclosing(call_loop.stream(planner, spec, state)) as events:
        async for event in events:
            if isinstance(event, Text):
                characters += len(event.text)
                lines += event.text.count("\n")
                yield Progress(characters, lines)
                continue
            if isinstance(event, Done) and event.reply.text:
                yield Text(event.reply.text)
            yield event


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
