"""The role apply: a suggestion worked into a text, by rule first, by the model last."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.client import model_family
from bytebuddy_provider_hf.client.knowledge import Knowledge
from bytebuddy_provider_hf.client.plan import Plan, Planner
from bytebuddy_provider_hf.client.roles import edit
from bytebuddy_provider_hf.client.roles.chat import ModelInfo
from bytebuddy_provider_hf.edits.merge import Merged, merge
from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.errors import ApplyFailed, UnsupportedRole
from bytebuddy_provider_hf.prompts import apply as prompts
from bytebuddy_provider_hf.prompts.edit import EditPrompt, EditTask
from bytebuddy_provider_hf.types import CompletionOptions, Message, Reply
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest


@frozen
class ApplyRequest:
    """A text, and a change of it that somebody suggested."""

    original: str
    suggestion: str
    options: CompletionOptions
    path: str = ""
    language: str = ""
    template: str | None = None
    extra: Mapping[str, object] = field(factory=dict)


def apply_by_rules(request: ApplyRequest) -> Reply | tuple[str, ...]:
    """Return the text with the suggestion worked in by rule, where that is certain.

    Else the parts of the suggestion that have no certain place.
    """
    merged = merge(request.original, request.suggestion)
    if merged.text is None:
        return merged.unplaced
    return Reply(
        merged.text,
        finish_reason="stop",
        notes=(_method_note(merged),),
        diff=unified(request.original, merged.text, path=request.path),
    )


def apply_planner(request: ApplyRequest, model_info: ModelInfo) -> Planner:
    """Return how to have a model work in what no rule could place.

    Its answer is checked: where a line got lost, ``ApplyFailed`` carries both texts.
    """
    options = edit.raise_max_tokens(
        request.options, request.original + request.suggestion
    )
    task = EditTask(
        request.original,
        request.suggestion,
        path=request.path,
        language=request.language,
    )

    def make(knowledge: Knowledge, options: CompletionOptions, stream: bool) -> Plan:  # noqa: FBT001 - the type in Planner
        model = model_info.target.model
        who = model_info.with_family(knowledge.family)
        family = model_family.family_for(who.family, knowledge.server)
        model_family.refuse_non_generative(family, model, "apply a change")
        model_family.refuse_dialog_only(family, model, "apply a change")
        raw = model_family.accepts_raw_prompt(knowledge.server, who.target)
        if request.template is None and family is not None and raw and family.edit:
            return edit.plan_commit_format(
                family.edit,
                task,
                CompletionRequest(prompt="", options=options, extra=request.extra),
                who,
                knowledge,
                stream=stream,
                finish=finish,
            )
        edit.refuse_base_model(
            family, who, "apply a change", no_template=knowledge.no_template
        )
        prompt = _prompt(request)
        return edit.plan_instruction(
            ChatRequest(prompt.messages, options=options, extra=request.extra),
            prompt,
            request.original,
            who,
            knowledge,
            stream=stream,
            finish=finish,
        )

    def finish(reply: Reply) -> Reply:
        return _with_checked_diff(request, reply)

    seconds = model_family.hub_seconds_for_chat(model_info.family)
    return Planner(options, make, hub_seconds=seconds)


def _prompt(request: ApplyRequest) -> EditPrompt:
    original, suggestion = request.original, request.suggestion
    if request.template is not None:
        text = prompts.render_apply_template(request.template, original, suggestion)
        return EditPrompt((Message("user", text),), "", "")
    return prompts.apply_messages(
        original, suggestion, path=request.path, language=request.language
    )


def _with_checked_diff(request: ApplyRequest, reply: Reply) -> Reply:
    """Return the reply with its diff; raises ``ApplyFailed`` where a line is lost."""
    if reply.finish_reason == "length":
        raise apply_failed(
            request,
            reply,
            "The model's answer was cut at its limit of tokens.",
            "Raise maxTokens, or apply the change to a smaller part.",
        )
    missing = prompts.checked(request.original, request.suggestion, reply.text)
    if missing:
        count = "a line" if len(missing) == 1 else f"{len(missing)} lines"
        raise apply_failed(
            request,
            reply,
            f"The model's answer lost {count} of the text or of the suggestion.",
            "The error's `unplaced` has them. Ask for the change as a unified diff or "
            "as the whole file.",
            missing,
        )
    diff = unified(request.original, reply.text, path=request.path)
    return evolve(reply, diff=diff, notes=(*reply.notes, *_fewer_lines_note(diff)))


def _fewer_lines_note(diff: str) -> tuple[str, ...]:
    """Say that more went than came: the suggestion may have meant it."""
    lines = diff.splitlines()[2:]
    out = sum(line.startswith("-") for line in lines)
    put = sum(line.startswith("+") for line in lines)
    if out <= put:
        return ()
    return (f"The model put {put} lines in the place of {out}: see the diff.",)


def apply_failed(
    request: ApplyRequest,
    reply: Reply,
    message: str,
    hint: str,
    unplaced: tuple[str, ...] = (),
) -> ApplyFailed:
    """Return the error that carries both texts, and what the model made of them."""
    error = ApplyFailed(message, hint=hint)
    error.original, error.suggestion = request.original, request.suggestion
    error.unplaced, error.partial = unplaced, reply.text
    return error


def model_cannot_apply(
    request: ApplyRequest, unplaced: tuple[str, ...], refusal: UnsupportedRole
) -> ApplyFailed:
    """Return the error for what no rule could place and this model cannot."""
    message = f"A part of the suggestion has no certain place. {refusal.message}"
    return apply_failed(request, Reply(""), message, refusal.hint or "", unplaced)


def _method_note(merged: Merged) -> str:
    return f"Worked in by rule ({merged.how}); no model was asked."
