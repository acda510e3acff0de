"""A question in the words of the server that will read it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeAlias

from attrs import define, evolve, field

from bytebuddy_provider_hf.engine.answer_room import (
    answer_room,
    cut_note,
)
from bytebuddy_provider_hf.engine.filtering import (
    FilteredStream,
    Finish,
    StoppedText,
    Unchanged,
    through_filter,
)
from bytebuddy_provider_hf.engine.knowledge import Knowledge
from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.outcomes import Embeddings, Scores, TaskReply
from bytebuddy_provider_hf.prompts.rendered import Rendered
from bytebuddy_provider_hf.prompts.textfilter import TextFilter
from bytebuddy_provider_hf.types import CompletionOptions, Reply
from bytebuddy_provider_hf.wire import llamacpp, openai, tgi
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.decoder import StreamDecoder
from bytebuddy_provider_hf.wire.notes import Note
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream, read_reply
from bytebuddy_provider_hf.wire.options import Legal, legal, most_stops
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.several import several_members
from bytebuddy_provider_hf.wire.stops import CuttingStream, cut
from bytebuddy_provider_hf.wire.target import Target
from bytebuddy_provider_hf.wire.tasks import build_task
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream, read_generated
from bytebuddy_provider_hf.wire.tokenize import Prompted
from bytebuddy_provider_hf.wire.wanted import Wanted

_NO_WINDOW: Final = Note(
    "contextLength is not used: only chat and fill leave out what would not fit.",
    "contextLength",
)

Scrub = Callable[[str], str]
Answered: TypeAlias = Reply | Embeddings | Scores | TaskReply

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    # With a default, so that a bare Question is one that is answered with a Reply.
    R = TypeVar("R", bound=Answered, default=Reply)
else:
    from typing import TypeVar

    R = TypeVar("R")


@define
class Asked(Generic[R]):
    """One call and how its answer is read.

    ``notes`` tells what was changed to please the server, one sentence each. Of a
    prompt ``request`` is what the server is asked, ``guess`` its tokens where they were
    guessed, ``lowered`` the maxTokens that was sent in place of a larger one, and
    ``unsure`` that counting the prompt first would tell how far to lower it.
    """

    call: Call
    decoder: Callable[[str | None, Scrub], StreamDecoder]
    read: Callable[[bytes], R]
    notes: tuple[str, ...] = ()
    request: Prompted | None = None
    guess: int | None = None
    lowered: int | None = None
    unsure: bool = False


@define
class Question(Generic[R]):
    """What is asked, in nobody's words yet; ``ask`` puts it in a server's.

    Of a model that is not known ``hub_seconds`` tells how long asking the Hub for its
    family may take at such a server, 0 for not at all.
    """

    options: CompletionOptions
    ask: Callable[[Knowledge, CompletionOptions, bool], Asked[R]]
    hub_seconds: Callable[[Server, bool], float] | None = None


@define
class Shape:
    """What becomes of an answer: its text through a filter, then the reply finished."""

    through: Callable[[], TextFilter]
    finish: Finish = field(default=lambda reply: reply)


def completion(request: openai.CompletionRequest, target: Target) -> Question:
    """Return how to have a server continue a text exactly as it stands."""

    def ask(known: Knowledge, options: CompletionOptions, stream: bool) -> Asked:  # noqa: FBT001 - the type in Question
        changed = evolve(request, options=options)
        return ask_prompt(changed, target, known, stream=stream)

    return Question(request.options, ask)


Q = TypeVar("Q", bound=Prompted)


def _fitting(plan: Callable[[Q], Asked], request: Q, known: Knowledge) -> Asked:
    """Return the plan of ``request``, its maxTokens lowered to what is left for it."""
    asked = plan(request)
    room = answer_room(request, len(asked.call.body), known)
    if room is not None and room.lowered is not None:
        options = evolve(request.options, max_tokens=room.lowered)
        asked = plan(evolve(request, options=options))
        asked.lowered = room.lowered
        asked.notes = (*asked.notes, room.note)
    asked.request = request
    if room is not None:
        asked.guess, asked.unsure = room.guess, room.unsure
    return asked


def ask_chat(
    request: openai.ChatRequest, target: Target, known: Knowledge, *, stream: bool
) -> Asked:
    """Return the call that puts a conversation to a server's own template."""
    plan = partial(_chat, target=target, server=known.server, stream=stream)
    return _fitting(plan, request, known)


def _chat(
    request: openai.ChatRequest, *, target: Target, server: Server, stream: bool
) -> Asked:
    allowed = _allowed(request.options, server, "chat")
    name = server.name_for(target.model)
    call = openai.build_chat(
        request,
        target,
        server=server,
        options=allowed.body,
        model=name,
        stream=stream,
    )
    return _openai(call, allowed, name, openai.wanted(request))


def ask_prompt(
    request: openai.CompletionRequest, target: Target, known: Knowledge, *, stream: bool
) -> Asked:
    """Return the call that has a server continue a text: TGI in its own words.

    Raises ``UnsupportedRole`` for a server that only chats.
    """
    plan = partial(_prompt, target=target, server=known.server, stream=stream)
    return _fitting(plan, request, known)


def _prompt(
    request: openai.CompletionRequest, *, target: Target, server: Server, stream: bool
) -> Asked:
    if "generate" in server.routes:
        return _generate(request, target, server, stream=stream)
    if "completions" not in server.routes and "tasks" in server.routes:
        return _task(request, target, server)
    if "completions" not in server.routes:
        raise cannot(
            server,
            "continue a text",
            "Ask a dedicated endpoint (TGI, vLLM) or llama.cpp, or use chat()",
        )
    allowed = _allowed(request.options, server, "completions")
    name = server.name_for(target.model)
    call = openai.build_completion(
        request,
        target,
        server=server,
        options=allowed.body,
        model=name,
        stream=stream,
    )
    return _openai(call, allowed, name, openai.wanted(request))


def ask_infill(
    request: llamacpp.InfillRequest, target: Target, known: Knowledge, *, stream: bool
) -> Asked:
    """Return the call for llama.cpp's own infilling, which knows the model's tokens."""
    plan = partial(_infill, target=target, server=known.server, stream=stream)
    return _fitting(plan, request, known)


def _infill(
    request: llamacpp.InfillRequest, *, target: Target, server: Server, stream: bool
) -> Asked:
    allowed = _allowed(request.options, server, "infill")
    call = llamacpp.build_infill(request, target, options=allowed.body, stream=stream)
    model = target.model

    def decoder(request_id: str | None, scrub: Scrub) -> StreamDecoder:
        inner = llamacpp.InfillStream(model=model, request_id=request_id, scrub=scrub)
        return CuttingStream(inner, allowed.cuts) if allowed.cuts else inner

    def read(body: bytes) -> Reply:
        return cut(llamacpp.read_infill(body, model=model), allowed.cuts)

    several = several_members(request.options.n, server, "infill")
    return Asked(call, decoder, read, (*allowed.notes, *several.notes))


def shaped(asked: Asked, shape: Shape) -> Asked:
    """Return the same call, its answer put into shape."""
    decoder, read = asked.decoder, asked.read

    def shaped_decoder(request_id: str | None, scrub: Scrub) -> StreamDecoder:
        inner = decoder(request_id, scrub)
        return FilteredStream(inner, shape.through(), shape.finish)

    def shaped_read(body: bytes) -> Reply:
        return through_filter(read(body), shape.through(), shape.finish)

    return evolve(asked, decoder=shaped_decoder, read=shaped_read)


def ask_rendered(
    written: Rendered,
    request: openai.CompletionRequest,
    target: Target,
    known: Knowledge,
    *,
    stream: bool,
    shape: Shape | None = None,
) -> Asked:
    """Return the call for a prompt written here, with the stops that belong to it.

    ``request`` says how; its own stops come first, of the prompt's as many are sent as
    the server takes, and the answer is cut here before each of them.
    """
    options = request.options
    asked_for = options.stop or ()
    room = max(0, most_stops(known.server) - len(asked_for))
    sent = (*asked_for, *written.stops[:room])
    options = evolve(options, stop=sent) if sent else options
    request = evolve(request, prompt=written.prompt, options=options)
    asked = ask_prompt(request, target, known, stream=stream)
    inner = shape or Shape(Unchanged)
    through = partial(_stopped, written.stops, inner.through)
    return with_notes(shaped(asked, Shape(through, inner.finish)), written.notes)


def _stopped(stops: tuple[str, ...], inner: Callable[[], TextFilter]) -> TextFilter:
    return StoppedText(stops, inner()) if stops else inner()


def with_notes(asked: Asked, notes: tuple[str, ...]) -> Asked:
    """Return the same call with more to say about it."""
    return evolve(asked, notes=(*notes, *asked.notes)) if notes else asked


def windowless(question: Question, options: CompletionOptions | None) -> Question:
    """Have the answer tell that the window which a call names is not looked at."""
    if options is None or options.context_length is None:
        return question
    ask = question.ask

    def noted_ask(known: Knowledge, chosen: CompletionOptions, stream: bool) -> Asked:  # noqa: FBT001 - the type in Question
        return with_notes(ask(known, chosen, stream), (_NO_WINDOW,))

    question.ask = noted_ask
    return question


def _generate(
    request: openai.CompletionRequest, target: Target, server: Server, *, stream: bool
) -> Asked:
    """Ask TGI by its native route: it takes every option and marks its end."""
    allowed = _allowed(request.options, server, "generate")
    call = tgi.build_generate(request, target, stream=stream, server=server)
    # return_full_text is off here: an answer that begins as the prompt does is whole.
    model, wanted = target.model, openai.wanted(request)

    def decoder(request_id: str | None, scrub: Scrub) -> StreamDecoder:
        inner = TgiStream(
            model=model, request_id=request_id, scrub=scrub, wanted=wanted
        )
        return CuttingStream(inner, allowed.cuts) if allowed.cuts else inner

    def read(body: bytes) -> Reply:
        reply = read_generated(body, model=model, wanted=wanted)
        return cut(reply, allowed.cuts)

    return Asked(call, decoder, read, (*allowed.notes, *call.notes))


def _task(request: openai.CompletionRequest, target: Target, server: Server) -> Asked:
    """Ask a pipeline of transformers, which answers in one piece and may echo."""
    allowed = _allowed(request.options, server, "tasks")
    given = allowed.body.get("parameters")
    parameters = given if isinstance(given, dict) else {}
    call = build_task("text-generation", request.prompt, parameters, target)
    model, prompt = target.model, request.prompt

    def decoder(request_id: str | None, scrub: Scrub) -> StreamDecoder:
        return TgiStream(model=model, request_id=request_id, prompt=prompt, scrub=scrub)

    def read(body: bytes) -> Reply:
        return cut(read_generated(body, model=model, prompt=prompt), allowed.cuts)

    several = several_members(request.options.n, server, "tasks")
    return Asked(call, decoder, read, (*allowed.notes, *several.notes))


def _openai(call: Call, allowed: Legal, model: str, wanted: Wanted) -> Asked:
    def decoder(request_id: str | None, scrub: Scrub) -> StreamDecoder:
        inner = OpenAIStream(
            model=model, request_id=request_id, scrub=scrub, wanted=wanted
        )
        if not allowed.cuts:
            return inner
        return CuttingStream(inner, allowed.cuts, answers=wanted.n)

    def read(body: bytes) -> Reply:
        reply = read_reply(body, model=model, wanted=wanted)
        return cut(reply, allowed.cuts) if allowed.cuts else reply

    return Asked(call, decoder, read, (*allowed.notes, *call.notes))


# The answer for an entry's own options, asked for at every call of a script: the
# options object is the same one as long as a call adds none of its own.
_last: dict[tuple[int, str], tuple[CompletionOptions, Server, Legal]] = {}
_MOST_KEPT = 256


def _allowed(options: CompletionOptions, server: Server, route: str) -> Legal:
    key = (id(options), route)
    kept = _last.get(key)
    if kept is not None and kept[0] is options and kept[1] == server:
        return kept[2]
    found = legal(options, server, route, base={})
    if len(_last) >= _MOST_KEPT:
        _last.clear()
    _last[key] = options, server, found
    return found


def cannot(server: Server, what: str, instead: str) -> UnsupportedRole:
    """Return the refusal of what a server has no route for."""
    version = "" if not server.version else f" {'.'.join(map(str, server.version))}"
    return UnsupportedRole(
        f"{server.engine}{version} cannot {what}.", hint=f"{instead}."
    )


def no_stream(_request_id: str | None, _scrub: Scrub) -> NoReturn:
    """Stand for the decoder of an answer that comes in one piece only."""
    raise UnsupportedRole("This is never answered in a stream.")


def told(reply: R, asked: Asked[R]) -> R:
    """Return ``reply`` with the notes of the request that it answers."""
    notes = asked.notes
    if asked.lowered is not None and isinstance(reply, Reply):
        cut = reply.finish_reason == "length"
        notes = (*notes, cut_note(asked.lowered)) if cut else notes
    return noted(reply, notes)


def noted(reply: R, notes: tuple[str, ...]) -> R:
    """Return ``reply`` with what was changed on the way."""
    return evolve(reply, notes=(*reply.notes, *notes)) if notes else reply
