"""The role chat: a conversation, by the server's template or by the family's."""

from __future__ import annotations

from attrs import evolve, frozen

from bytebuddy_provider_hf.engine import kinship
from bytebuddy_provider_hf.engine.asking import (
    Asked,
    Question,
    Shape,
    ask_chat,
    ask_rendered,
    with_notes,
)
from bytebuddy_provider_hf.engine.knowledge import Knowledge, smallest
from bytebuddy_provider_hf.engine.window import fitted
from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.prompts.arranged import arranged
from bytebuddy_provider_hf.prompts.chat import render_chat, specials_of
from bytebuddy_provider_hf.prompts.family import Family, Kind
from bytebuddy_provider_hf.prompts.specials import Mending
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.target import Target


@frozen
class Talker:
    """Who is talked to: where, what family it is, and how many tokens it can see."""

    target: Target
    family: Family | None = None
    window: int | None = None

    def knowing(self, told: Family | None) -> Talker:
        """Return who is talked to, with the family that the Hub told, if it did."""
        return self if told is None else evolve(self, family=told)


def chat(request: ChatRequest, talker: Talker) -> Question:
    """Return how to put a conversation to a server.

    Raises ``UnsupportedRole``, when asked, for a model or server that cannot chat.
    """

    def ask(known: Knowledge, options: CompletionOptions, stream: bool) -> Asked:  # noqa: FBT001 - the type in Question
        changed = (
            request if options is request.options else evolve(request, options=options)
        )
        who = talker.knowing(known.family)
        changed, notes = fitted(
            changed,
            _window(who, known.server),
            known.counted,
            max_input=known.server.max_input,
        )
        return with_notes(converse(changed, who, known, stream=stream), notes)

    seconds = kinship.hub_seconds_for_chat(talker.family)
    return Question(request.options, ask, hub_seconds=seconds)


def _window(talker: Talker, server: Server) -> int | None:
    """Return the tokens a model sees: configured, told by the server, or published.

    Behind the router each provider has a window of its own, often a wider one.
    """
    window = smallest(talker.window, server.window)
    if window is None and talker.family is not None and not talker.target.auto:
        return talker.family.window
    return window


def converse(
    request: ChatRequest,
    talker: Talker,
    known: Knowledge,
    *,
    stream: bool,
    role: str = "chat",
) -> Asked:
    """Return the call that answers a conversation at a server.

    The server's own template comes first; where it has none, the family's official
    one is written here.
    """
    target, server, untemplated = talker.target, known.server, known.untemplated
    family = kinship.at(talker.family, server)
    kinship.refuse_other_kinds(family, target.model, role)
    if templated(family, server, untemplated=untemplated):
        if family is None:
            return ask_chat(request, target, known, stream=stream)
        messages, notes = arranged(family, request.messages)
        changed = evolve(request, messages=messages)
        return with_notes(ask_chat(changed, target, known, stream=stream), notes)
    alone = "chat" in server.routes and not untemplated
    if alone and not kinship.continues(server, target):
        raise kinship.untemplated(target.model)
    if family is None and not untemplated:
        raise UnsupportedRole(
            f"{server.engine} has no chat route here, and the chat template of "
            f"{target.model} is not known.",
            hint="Write the family of the model into its entry (family: llama3), or "
            "use complete(), which continues a text.",
        )
    return _rendered(request, family or kinship.UNKNOWN_BASE, target, known, stream)


def templated(family: Family | None, server: Server, *, untemplated: bool) -> bool:
    """Whether a conversation goes to the server's own template.

    Base models and FLAN-T5 come without one, so their servers have none either.
    """
    if "chat" not in server.routes or untemplated:
        return False
    return family is None or (
        family.chat is not None and family.kind is not Kind.SEQ2SEQ
    )


def _rendered(
    request: ChatRequest,
    family: Family,
    target: Target,
    known: Knowledge,
    stream: bool,  # noqa: FBT001 - one of the call's facts
) -> Asked:
    engine = known.server.engine
    if request.tools:
        raise UnsupportedRole(
            f"{engine} has no chat route for {target.model}: nobody would read "
            "its tool calls.",
            hint="Leave the tools out, or ask a server that applies the model's own "
            "template and reads its calls (vLLM, llama.cpp, TGI 1.4.3 and later).",
        )
    written = render_chat(family, request.messages)
    specials = specials_of(family)
    told: tuple[str, ...] = ()
    if family.chat is not None:
        told = (f"The chat template of {family.name} was written here.",)
    options = request.options
    if (options.n or 1) > 1:
        told = (*told, "One answer was asked for: a prompt written here gets one.")
        options = evolve(options, n=None)
    asked = ask_rendered(
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
        known,
        stream=stream,
        shape=Shape(lambda: Mending(specials)),
    )
    return with_notes(asked, told)
