"""The role edit: code changed as it is told, by commit format or by instruction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen

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
from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.edits.unwrap import Unwrapper
from bytebuddy_provider_hf.errors import StreamInterrupted, UnsupportedRole
from bytebuddy_provider_hf.prompts import edit as prompts
from bytebuddy_provider_hf.prompts import history
from bytebuddy_provider_hf.prompts.edit_format import EditFormat
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.types import CompletionOptions, Message, Reply
from bytebuddy_provider_hf.wire.filtered_stream import Finish
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest

# The whole of the code comes back, and what was asked for with it.
_GROWTH: Final = 1.5
_ROOM: Final = 512

CUT: Final = (
    "The answer was cut at its limit of tokens: it is not the whole of the code. "
    "Raise maxTokens, or edit a smaller part."
)
NOT_WHOLE: Final = "The answer is not whole: it has no diff."
NO_CODE: Final = "The model answered with no code: there is no diff."
OPEN: Final = "The model did not close its block of code: check the end of the answer."


@frozen
class EditRequest:
    """Code to change, and how."""

    task: prompts.EditTask
    options: CompletionOptions
    template: str | None = None
    extra: Mapping[str, object] = field(factory=dict)


def edit_planner(request: EditRequest, model_info: ModelInfo) -> Planner:
    """Return how to have code changed.

    Raises ``UnsupportedRole``, when asked, for a model or server that cannot.
    """
    task = request.task
    options = raise_max_tokens(request.options, task.code)
    finish = diff_finisher(task.code, task.path)

    def make(knowledge: Knowledge, options: CompletionOptions, stream: bool) -> Plan:  # noqa: FBT001 - the type in Planner
        who = model_info.with_family(knowledge.family)
        family = model_family.family_for(who.family, knowledge.server)
        model_family.refuse_non_generative(family, who.target.model, "edit code")
        model_family.refuse_dialog_only(family, who.target.model, "edit code")
        raw = model_family.accepts_raw_prompt(knowledge.server, model_info.target)
        if request.template is None and family is not None and raw and family.edit:
            return plan_commit_format(
                family.edit,
                task,
                CompletionRequest(prompt="", options=options, extra=request.extra),
                who,
                knowledge,
                stream=stream,
                finish=finish,
            )
        refuse_base_model(family, who, "edit code", no_template=knowledge.no_template)
        prompt = prompts.edit_messages(task)
        if request.template is not None:
            text = prompts.render_edit_template(request.template, task)
            prompt = prompts.EditPrompt((Message("user", text),), "", "")
        return plan_instruction(
            ChatRequest(prompt.messages, options=options, extra=request.extra),
            prompt,
            task.code,
            who,
            knowledge,
            stream=stream,
            finish=finish,
        )

    seconds = model_family.hub_seconds_for_chat(model_info.family)
    return Planner(options, make, hub_seconds=seconds)


def plan_commit_format(
    taught: EditFormat,
    task: prompts.EditTask,
    request: CompletionRequest,
    model_info: ModelInfo,
    knowledge: Knowledge,
    *,
    stream: bool,
    finish: Finish,
) -> Plan:
    """Return the call that asks a base model of code by its format of commits."""
    return plan_rendered(
        prompts.render_commit(taught, task),
        request,
        model_info.target,
        knowledge,
        stream=stream,
        shape=PostProcessing(lambda: prompts.CommitFilter(taught, task), finish),
    )


def plan_instruction(
    request: ChatRequest,
    prompt: prompts.EditPrompt,
    code: str,
    model_info: ModelInfo,
    knowledge: Knowledge,
    *,
    stream: bool,
    finish: Finish,
) -> Plan:
    """Return the call that asks a model by instruction, its fences taken off.

    Where the template is written here, the answer is begun with the fence.
    """
    family = model_family.family_for(model_info.family, knowledge.server)
    begun = _can_prefill(family, prompt, knowledge)
    if begun:
        opening = Message("assistant", prompt.prefill)
        request = evolve(request, messages=(*request.messages, opening))
    plan = plan_conversation(request, model_info, knowledge, stream=stream, role="edit")
    made: list[Unwrapper] = []

    def through() -> Unwrapper:
        fence = prompt.fence if begun else ""
        made[:] = [Unwrapper(code, prefilled=begun, fence=fence)]
        return made[0]

    def finished(reply: Reply) -> Reply:
        whole = not made or made[0].complete
        return finish(reply if whole else _unclosed_block(reply))

    return post_processed(plan, PostProcessing(through, finished))


def _can_prefill(
    family: Family | None, prompt: prompts.EditPrompt, knowledge: Knowledge
) -> bool:
    """Whether an answer can be begun: only in a prompt that is written here."""
    if family is None or family.kind is not ModelKind.CHAT or not prompt.prefill:
        return False
    return not server_has_template(
        family, knowledge.server, no_template=knowledge.no_template
    )


def _unclosed_block(reply: Reply) -> Reply:
    """Return an answer whose block of code was not closed, or raise.

    A model that says it stopped has forgotten the fence; where nobody says why the
    answer ended, its end may be missing.
    """
    if reply.finish_reason is None:
        error = StreamInterrupted(
            "The answer ended inside its block of code, and nobody said why.",
            hint="Ask again; what came is in the error's partial text.",
        )
        error.partial = reply.text
        raise error
    return evolve(reply, notes=(*reply.notes, OPEN))


def diff_finisher(original: str, path: str) -> Finish:
    """Return what completes a reply: the diff, or the note that it is not whole."""

    def finish(reply: Reply) -> Reply:
        if reply.finish_reason == "length":
            return evolve(reply, notes=(*reply.notes, CUT))
        if reply.finish_reason not in ("stop", None):
            return evolve(reply, notes=(*reply.notes, NOT_WHOLE))
        if original.strip() and not reply.text.strip():
            return evolve(reply, notes=(*reply.notes, NO_CODE))
        return evolve(reply, diff=unified(original, reply.text, path=path))

    return finish


def raise_max_tokens(options: CompletionOptions, code: str) -> CompletionOptions:
    """Return options under which all of the code can come back, once."""
    options = evolve(options, n=None)
    if options.max_tokens is not None:
        return options
    tokens = int(history.estimate_tokens(code) * _GROWTH) + _ROOM
    return evolve(options, max_tokens=tokens)


def refuse_base_model(
    family: Family | None, model_info: ModelInfo, role: str, *, no_template: bool
) -> None:
    """Refuse a base model: without an instruction it only goes on writing.

    A model that nobody knows is one where its server has no chat template for it.
    """
    base = family is not None and family.chat is None and family.kind is ModelKind.BASE
    if not (base or (family is None and no_template)):
        return
    raise UnsupportedRole(
        f"{model_info.target.model} is a base model: it goes on with a text and cannot "
        f"{role}.",
        hint="Give the role to a model tuned to follow instructions, or to StarCoder "
        "behind a dedicated endpoint, which knows a format for edits.",
    )
