"""The role edit: code changed as it is told, by commit format or by instruction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.engine import kinship
from bytebuddy_provider_hf.engine.asking import (
    Asked,
    Question,
    Shape,
    ask_rendered,
    shaped,
)
from bytebuddy_provider_hf.engine.filtering import Finish
from bytebuddy_provider_hf.engine.knowledge import Knowledge
from bytebuddy_provider_hf.engine.roles.chat import Talker, converse, templated
from bytebuddy_provider_hf.errors import StreamInterrupted, UnsupportedRole
from bytebuddy_provider_hf.prompts import edit as prompts
from bytebuddy_provider_hf.prompts import history
from bytebuddy_provider_hf.prompts.edit_format import EditFormat
from bytebuddy_provider_hf.prompts.family import Family, Kind
from bytebuddy_provider_hf.prompts.udiff import unified
from bytebuddy_provider_hf.prompts.unwrap import Unwrapper
from bytebuddy_provider_hf.types import CompletionOptions, Message, Reply
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


def edit(request: EditRequest, talker: Talker) -> Question:
    """Return how to have code changed.

    Raises ``UnsupportedRole``, when asked, for a model or server that cannot.
    """
    task = request.task
    options = with_room(request.options, task.code)
    finish = changed(task.code, task.path)

    def ask(known: Knowledge, options: CompletionOptions, stream: bool) -> Asked:  # noqa: FBT001 - the type in Question
        who = talker.knowing(known.family)
        family = kinship.at(who.family, known.server)
        kinship.refuse_other_kinds(family, who.target.model, "edit code")
        kinship.refuse_small_talk(family, who.target.model, "edit code")
        raw = kinship.continues(known.server, talker.target)
        if request.template is None and family is not None and raw and family.edit:
            return by_commit(
                family.edit,
                task,
                CompletionRequest(prompt="", options=options, extra=request.extra),
                who,
                known,
                stream=stream,
                finish=finish,
            )
        refuse_untaught(family, who, "edit code", untemplated=known.untemplated)
        prompt = prompts.edit_messages(task)
        if request.template is not None:
            text = prompts.render_edit_template(request.template, task)
            prompt = prompts.EditPrompt((Message("user", text),), "", "")
        return by_chat(
            ChatRequest(prompt.messages, options=options, extra=request.extra),
            prompt,
            task.code,
            who,
            known,
            stream=stream,
            finish=finish,
        )

    seconds = kinship.hub_seconds_for_chat(talker.family)
    return Question(options, ask, hub_seconds=seconds)


def by_commit(
    taught: EditFormat,
    task: prompts.EditTask,
    request: CompletionRequest,
    talker: Talker,
    known: Knowledge,
    *,
    stream: bool,
    finish: Finish,
) -> Asked:
    """Return the call that asks a base model of code by its format of commits."""
    return ask_rendered(
        prompts.render_commit(taught, task),
        request,
        talker.target,
        known,
        stream=stream,
        shape=Shape(lambda: prompts.CommitFilter(taught, task), finish),
    )


def by_chat(
    request: ChatRequest,
    prompt: prompts.EditPrompt,
    code: str,
    talker: Talker,
    known: Knowledge,
    *,
    stream: bool,
    finish: Finish,
) -> Asked:
    """Return the call that asks a model by instruction, its fences taken off.

    Where the template is written here, the answer is begun with the fence.
    """
    family = kinship.at(talker.family, known.server)
    begun = _begins(family, prompt, known)
    if begun:
        opening = Message("assistant", prompt.prefill)
        request = evolve(request, messages=(*request.messages, opening))
    asked = converse(request, talker, known, stream=stream, role="edit")
    made: list[Unwrapper] = []

    def through() -> Unwrapper:
        fence = prompt.fence if begun else ""
        made[:] = [Unwrapper(code, prefilled=begun, fence=fence)]
        return made[0]

    def finished(reply: Reply) -> Reply:
        whole = not made or made[0].complete
        return finish(reply if whole else _left_open(reply))

    return shaped(asked, Shape(through, finished))


def _begins(
    family: Family | None, prompt: prompts.EditPrompt, known: Knowledge
) -> bool:
    """Whether an answer can be begun: only in a prompt that is written here."""
    if family is None or family.kind is not Kind.CHAT or not prompt.prefill:
        return False
    return not templated(family, known.server, untemplated=known.untemplated)


def _left_open(reply: Reply) -> Reply:
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


def changed(original: str, path: str) -> Finish:
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


def with_room(options: CompletionOptions, code: str) -> CompletionOptions:
    """Return options under which all of the code can come back, once."""
    options = evolve(options, n=None)
    if options.max_tokens is not None:
        return options
    tokens = int(history.estimate(code) * _GROWTH) + _ROOM
    return evolve(options, max_tokens=tokens)


def refuse_untaught(
    family: Family | None, talker: Talker, role: str, *, untemplated: bool
) -> None:
    """Refuse a base model: without an instruction it only goes on writing.

    A model that nobody knows is one where its server has no chat template for it.
    """
    base = family is not None and family.chat is None and family.kind is Kind.BASE
    if not (base or (family is None and untemplated)):
        return
    raise UnsupportedRole(
        f"{talker.target.model} is a base model: it goes on with a text and cannot "
        f"{role}.",
        hint="Give the role to a model tuned to follow instructions, or to StarCoder "
        "behind a dedicated endpoint, which knows a format for edits.",
    )
