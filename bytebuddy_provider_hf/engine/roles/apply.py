"""The role apply: a suggestion worked into a text, by rule first, by the model last."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.engine import kinship
from bytebuddy_provider_hf.engine.asking import Asked, Question
from bytebuddy_provider_hf.engine.knowledge import Knowledge
from bytebuddy_provider_hf.engine.roles import edit
from bytebuddy_provider_hf.engine.roles.chat import Talker
from bytebuddy_provider_hf.errors import ApplyFailed, UnsupportedRole
from bytebuddy_provider_hf.prompts import apply as prompts
from bytebuddy_provider_hf.prompts.edit import EditPrompt, EditTask
from bytebuddy_provider_hf.prompts.merge import Merged, merge
from bytebuddy_provider_hf.prompts.udiff import unified
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


def placed(request: ApplyRequest) -> Reply | tuple[str, ...]:
    """Return the text with the suggestion worked in by rule, where that is certain.

    Else the parts of the suggestion that have no certain place.
    """
    merged = merge(request.original, request.suggestion)
    if merged.text is None:
        return merged.unplaced
    return Reply(
        merged.text,
        finish_reason="stop",
        notes=(_how(merged),),
        diff=unified(request.original, merged.text, path=request.path),
    )


def apply(request: ApplyRequest, talker: Talker) -> Question:
    """Return how to have a model work in what no rule could place.

    Its answer is checked: where a line got lost, ``ApplyFailed`` carries both texts.
    """
    options = edit.with_room(request.options, request.original + request.suggestion)
    task = EditTask(
        request.original,
        request.suggestion,
        path=request.path,
        language=request.language,
    )

    def ask(known: Knowledge, options: CompletionOptions, stream: bool) -> Asked:  # noqa: FBT001 - the type in Question
        model = talker.target.model
        who = talker.knowing(known.family)
        family = kinship.at(who.family, known.server)
        kinship.refuse_other_kinds(family, model, "apply a change")
        kinship.refuse_small_talk(family, model, "apply a change")
        raw = kinship.continues(known.server, who.target)
        if request.template is None and family is not None and raw and family.edit:
            return edit.by_commit(
                family.edit,
                task,
                CompletionRequest(prompt="", options=options, extra=request.extra),
                who,
                known,
                stream=stream,
                finish=finish,
            )
        edit.refuse_untaught(
            family, who, "apply a change", untemplated=known.untemplated
        )
        prompt = _prompt(request)
        return edit.by_chat(
            ChatRequest(prompt.messages, options=options, extra=request.extra),
            prompt,
            request.original,
            who,
            known,
            stream=stream,
            finish=finish,
        )

    def finish(reply: Reply) -> Reply:
        return _checked(request, reply)

    seconds = kinship.hub_seconds_for_chat(talker.family)
    return Question(options, ask, hub_seconds=seconds)


def _prompt(request: ApplyRequest) -> EditPrompt:
    original, suggestion = request.original, request.suggestion
    if request.template is not None:
        text = prompts.render_apply_template(request.template, original, suggestion)
        return EditPrompt((Message("user", text),), "", "")
    return prompts.apply_messages(
        original, suggestion, path=request.path, language=request.language
    )


def _checked(request: ApplyRequest, reply: Reply) -> Reply:
    """Return the reply with its diff; raises ``ApplyFailed`` where a line is lost."""
    if reply.finish_reason == "length":
        raise failed(
            request,
            reply,
            "The model's answer was cut at its limit of tokens.",
            "Raise maxTokens, or apply the change to a smaller part.",
        )
    missing = prompts.checked(request.original, request.suggestion, reply.text)
    if missing:
        count = "a line" if len(missing) == 1 else f"{len(missing)} lines"
        raise failed(
            request,
            reply,
            f"The model's answer lost {count} of the text or of the suggestion.",
            "The error's `unplaced` has them. Ask for the change as a unified diff or "
            "as the whole file.",
            missing,
        )
    diff = unified(request.original, reply.text, path=request.path)
    return evolve(reply, diff=diff, notes=(*reply.notes, *_shrunk(diff)))


def _shrunk(diff: str) -> tuple[str, ...]:
    """Say that more went than came: the suggestion may have meant it."""
    lines = diff.splitlines()[2:]
    out = sum(line.startswith("-") for line in lines)
    put = sum(line.startswith("+") for line in lines)
    if out <= put:
        return ()
    return (f"The model put {put} lines in the place of {out}: see the diff.",)


def failed(
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


def helpless(
    request: ApplyRequest, unplaced: tuple[str, ...], refusal: UnsupportedRole
) -> ApplyFailed:
    """Return the error for what no rule could place and this model cannot."""
    message = f"A part of the suggestion has no certain place. {refusal.message}"
    return failed(request, Reply(""), message, refusal.hint or "", unplaced)


def _how(merged: Merged) -> str:
    return f"Worked in by rule ({merged.how}); no model was asked."
