"""Plan requests: what is sent to a server, and how its answer is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import (
    TYPE_CHECKING,
    Final,
    Generic,
    Literal,
    NoReturn,
    TypeAlias,
)

from attrs import define, evolve, field

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.client.context_length import cut_note, room_for_answer
from bytebuddy_provider_hf.client.knowledge import Knowledge
from bytebuddy_provider_hf.edits.text_filter import TextFilter
from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.json_cost import USUAL, JsonBound
from bytebuddy_provider_hf.outcomes import Embeddings, Scores, TaskReply
from bytebuddy_provider_hf.prompts.family import Rendered
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions, Reply, Served
from bytebuddy_provider_hf.wire import openai
from bytebuddy_provider_hf.wire.choices import (
    ELEMENTS,
    ELEMENTS_WITH_LOGPROBS,
    MAX_REPLY,
    RAW,
    USUAL_TOKENS,
    Expectations,
    answer_ceiling,
)
from bytebuddy_provider_hf.wire.filtered_stream import FilteredStream, Finish
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.steps import MOST_BATCH, Steps
from bytebuddy_provider_hf.wire.stream import StreamDecoder
from bytebuddy_provider_hf.wire.supported_options import (
    SupportedOptions,
    supported_options,
)
from bytebuddy_provider_hf.wire.tokenize import Prompted

_CHAT: Final = JsonBound(ELEMENTS)
# Where an answer has a list of its tokens.
_WITH_TOKENS: Final = JsonBound(ELEMENTS_WITH_LOGPROBS)
_ESCAPED: Final = 6

# What a call says that has no options of its own.
NO_OPTIONS: Final = CompletionOptions()

AnyReply: TypeAlias = Reply | Embeddings | Scores | TaskReply
# When a server draws an answer's tokens at random, so that it differs each time: never,
# where the request says so, or unless it says otherwise.
Draws: TypeAlias = Literal["never", "if asked", "by default"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from bytebuddy_provider_hf.wire.llamacpp import InfillRequest

    # With a default, so that a bare Planner is one whose answer is a Reply.
    R = TypeVar("R", bound=AnyReply, default=Reply)
else:
    from typing import TypeVar

    R = TypeVar("R")


@define
class PostProcessing:
    """How an answer is changed: its text by a filter, then the reply finished."""

    make_filter: Callable[[], TextFilter]
    finish: Finish = field(default=lambda reply, _filter: reply)


@define
class Plan(Generic[R]):
    """A request, and how its answer is read.

    ``decoder`` makes what turns the answer's bytes into events, ``stops`` end the texts
    of its ``answers``, and ``changes`` are made to the first of them, in turn. What
    never generates text has ``read`` instead. ``notes`` tells what was changed to
    please the server, one sentence each. Of a prompt ``request`` is what the server is
    asked, ``guess`` its tokens where they were guessed, ``lowered`` the maxTokens that
    was sent in place of a larger one, and ``unsure`` that counting the prompt first
    would tell how far to lower it. An answer of one piece may have ``most_bytes``, and
    cost as much as ``bound`` says.
    """

    http_request: HttpRequest
    # What is known when it is planned; id and secrets are the attempt's business.
    decoder: Callable[[], StreamDecoder]
    read: Callable[[bytes], Steps[R]] | None = None
    notes: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    answers: int = 1
    changes: tuple[PostProcessing, ...] = ()
    request: Prompted | None = None
    guess: int | None = None
    lowered: int | None = None
    unsure: bool = False
    most_bytes: int = MOST_BATCH
    bound: JsonBound = USUAL

    def open_decoder(self) -> StreamDecoder:
        """Return a decoder for one answer, with the stops and filters round it."""
        inner = self.decoder()
        # Most calls have neither: nothing is put between the bytes and the caller.
        if not self.stops and not self.changes:
            return inner
        return FilteredStream(
            inner,
            stops=self.stops,
            filters=[each.make_filter() for each in self.changes],
            finishes=[each.finish for each in self.changes],
            answers=self.answers,
        )


@define
class Planner(ABC, Generic[R]):
    """What a call asks for; it plans the request for whatever server is there.

    ``options`` are those of the call, ``notes`` what every answer's reader should know
    whatever the server.
    """

    options: CompletionOptions
    # What the ledger calls it: a role of the file, or the method.
    role: str = field(init=False)
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    # Whether the Hub may know more of the model than is known here.
    asks_hub: bool = field(default=False, kw_only=True)

    @property
    def draws(self) -> Draws:
        """When the server draws the tokens of the answer at random."""
        return "by default"

    @abstractmethod
    def plan(
        self, knowledge: Knowledge, options: CompletionOptions, *, stream: bool
    ) -> Plan[R]:
        """Return the request for ``knowledge.server``; ``options`` as it takes them.

        Raises ``UnsupportedRole`` for a model or server that cannot answer it.
        """

    def hub_seconds(self, server: Server, *, no_template: bool) -> float:
        """Return how long the Hub may be asked for the model's family; 0: not at all.

        ``no_template`` says that the server has no chat template.
        """
        return 0.0


@define
class CompletionPlanner(Planner):
    """Have a server continue a text exactly as it stands."""

    role: str = field(default="complete", init=False)

    request: openai.CompletionRequest
    target: Target

    def plan(
        self, knowledge: Knowledge, options: CompletionOptions, *, stream: bool
    ) -> Plan:
        """Return the request to the route that continues a text."""
        request = evolve(self.request, options=options)
        return plan_completion(request, self.target, knowledge, stream=stream)


def _fit_answer(
    plan: Plan, again: Callable[..., Plan], request: Prompted, knowledge: Knowledge
) -> Plan:
    """Return ``plan``, made ``again`` where maxTokens must be lowered to what is left.

    The size of its body tells: most are sent as they are.
    """
    plan.request = request
    if knowledge.window is None:
        return plan
    room = room_for_answer(request, len(plan.http_request.body), knowledge)
    if room is None:
        return plan
    if room.lowered is not None:
        options = evolve(request.options, max_tokens=room.lowered)
        # Lowered once: by a guess a second look would lower it again.
        plan = again(
            evolve(request, options=options), knowledge=evolve(knowledge, window=None)
        )
        plan.lowered = room.lowered
        plan.notes = (*plan.notes, room.note)
        plan.request = request
    plan.guess, plan.unsure = room.guess, room.unsure
    return plan


def plan_chat(
    request: openai.ChatRequest, target: Target, knowledge: Knowledge, *, stream: bool
) -> Plan:
    """Return the call that puts a conversation to a server's own template."""
    server = knowledge.server
    supported = _supported(request.options, server, "chat")
    name = server.name_for(target.model)
    call = openai.build_chat(
        request,
        target,
        server=server,
        options=supported.body,
        model=name,
        stream=stream,
    )
    plan = _openai_plan(call, supported, name, request, knowledge)
    again = partial(plan_chat, target=target, stream=stream)
    return _fit_answer(plan, again, request, knowledge)


def plan_completion(
    request: openai.CompletionRequest,
    target: Target,
    knowledge: Knowledge,
    *,
    stream: bool,
) -> Plan:
    """Return the call that has a server continue a text: TGI in its own words.

    Raises ``UnsupportedRole`` for a server that only chats.
    """
    server = knowledge.server
    if "generate" in server.routes:
        plan = _plan_generate(request, target, knowledge, stream=stream)
    elif "completions" in server.routes:
        supported = _supported(request.options, server, "completions")
        name = server.name_for(target.model)
        call = openai.build_completion(
            request,
            target,
            server=server,
            options=supported.body,
            model=name,
            stream=stream,
        )
        plan = _openai_plan(call, supported, name, request, knowledge)
    elif "tasks" in server.routes:
        plan = _plan_task(request, target, knowledge)
    else:
        raise server.unsupported(
            "continue a text",
            text("calls.ask_a_dedicated_endpoint_tgi_vllm"),
        )
    again = partial(plan_completion, target=target, stream=stream)
    return _fit_answer(plan, again, request, knowledge)


def plan_infill(
    request: InfillRequest,
    target: Target,
    knowledge: Knowledge,
    *,
    stream: bool,
) -> Plan:
    """Return the call for llama.cpp's own infilling, which knows the model's tokens."""
    from bytebuddy_provider_hf.wire.infill_reply import InfillStream
    from bytebuddy_provider_hf.wire.llamacpp import build_infill

    server = knowledge.server
    supported = _supported(request.options, server, "infill")
    call = build_infill(request, target, options=supported.body, stream=stream)
    several = server.several(request.options.n, "infill")
    wanted = _bounded(RAW, request.options, knowledge, call)
    plan: Plan = Plan(
        call,
        partial(InfillStream, model=target.model, wanted=wanted),
        notes=(*supported.notes, *several.notes),
        stops=supported.cuts,
        most_bytes=wanted.most_body,
        bound=_CHAT,
    )
    again = partial(plan_infill, target=target, stream=stream)
    return _fit_answer(plan, again, request, knowledge)


def post_processed(plan: Plan, shape: PostProcessing) -> Plan:
    """Return the same call, its answer put into shape."""
    return evolve(plan, changes=(*plan.changes, shape))


def plan_rendered(
    written: Rendered,
    request: openai.CompletionRequest,
    target: Target,
    knowledge: Knowledge,
    *,
    stream: bool,
    shape: PostProcessing | None = None,
) -> Plan:
    """Return the call for a prompt written here, with the stops that belong to it.

    ``request`` says how; its own stops come first, of the prompt's as many are sent as
    the server takes, and the answer is cut here before each of them.
    """
    options = request.options
    asked_for = options.stop or ()
    room = max(0, knowledge.server.most_stops - len(asked_for))
    sent = (*asked_for, *written.stops[:room])
    options = evolve(options, stop=sent) if sent else options
    request = evolve(request, prompt=written.prompt, options=options)
    plan = plan_completion(request, target, knowledge, stream=stream)
    changes = plan.changes if shape is None else (*plan.changes, shape)
    # All of the prompt's stops are cut here, also those that were sent: TGI leaves
    # a stop text in its answer.
    plan = evolve(plan, stops=(*plan.stops, *written.stops), changes=changes)
    return with_notes(plan, written.notes)


def with_notes(plan: Plan, notes: tuple[str, ...]) -> Plan:
    """Return the same call with more to say about it."""
    return evolve(plan, notes=(*notes, *plan.notes)) if notes else plan


def _plan_generate(
    request: openai.CompletionRequest,
    target: Target,
    knowledge: Knowledge,
    *,
    stream: bool,
) -> Plan:
    """Ask TGI by its native route: it takes every option and marks its end."""
    # Each route that few calls take is imported where it is taken.
    from bytebuddy_provider_hf.wire.tgi import build_generate
    from bytebuddy_provider_hf.wire.tgi_reply import TgiStream

    server = knowledge.server
    supported = _supported(request.options, server, "generate")
    call = build_generate(request, target, stream=stream, server=server)
    # return_full_text is off here: an answer that begins as the prompt does is whole.
    wanted = openai.expectations(request)
    wanted = _bounded(wanted, request.options, knowledge, call)
    return Plan(
        call,
        partial(TgiStream, model=target.model, wanted=wanted),
        notes=(*supported.notes, *call.notes),
        stops=supported.cuts,
        most_bytes=wanted.most_body,
        bound=_WITH_TOKENS,
    )


def _plan_task(
    request: openai.CompletionRequest, target: Target, knowledge: Knowledge
) -> Plan:
    """Ask a pipeline of transformers, which answers in one piece and may echo."""
    from bytebuddy_provider_hf.wire.tasks import build_task
    from bytebuddy_provider_hf.wire.tgi_reply import TgiStream

    # Only hf-inference's pipelines still come here; they cannot stream.
    server = knowledge.server
    supported = _supported(request.options, server, "tasks")
    given = supported.body.get("parameters")
    parameters = given if isinstance(given, dict) else {}
    call = build_task("text-generation", request.prompt, parameters, target)
    several = server.several(request.options.n, "tasks")
    wanted = _bounded(RAW, request.options, knowledge, call)
    return Plan(
        call,
        partial(TgiStream, model=target.model, prompt=request.prompt, wanted=wanted),
        notes=(*supported.notes, *several.notes),
        stops=supported.cuts,
        most_bytes=wanted.most_body,
        bound=_WITH_TOKENS,
    )


def _bounded(
    wanted: Expectations,
    options: CompletionOptions,
    knowledge: Knowledge,
    call: HttpRequest,
) -> Expectations:
    """Return what is expected with the size that the answer may have.

    It is that of maxTokens, else of the window: no model writes a million tokens,
    however many it reads.
    """
    tokens = options.max_tokens
    if tokens is None:
        window = knowledge.window or knowledge.server.context_length or USUAL_TOKENS
        tokens = min(window, USUAL_TOKENS)
    ceiling = answer_ceiling(tokens, n=wanted.n, logprobs=wanted.logprobs)
    # Some servers give the prompt back, its letters written as six bytes each.
    most = min(MAX_REPLY, ceiling + _ESCAPED * len(call.body))
    return wanted.bounded(ceiling, most)


def _openai_plan(
    call: HttpRequest,
    supported: SupportedOptions,
    model: str,
    request: openai.ChatRequest | openai.CompletionRequest,
    knowledge: Knowledge,
) -> Plan:
    wanted = openai.expectations(request)
    wanted = _bounded(wanted, request.options, knowledge, call)
    return Plan(
        call,
        partial(OpenAIStream, model=model, wanted=wanted),
        notes=(*supported.notes, *call.notes),
        stops=supported.cuts,
        answers=wanted.n,
        most_bytes=wanted.most_body,
        bound=_WITH_TOKENS if wanted.logprobs else _CHAT,
    )


# The answer for an entry's own options, asked for at every call of a script: the
# options object is the same one as long as a call adds none of its own.
_supported_cache: dict[
    tuple[int, str], tuple[CompletionOptions, Server, SupportedOptions]
] = {}
_MOST_KEPT = 256


def _supported(
    options: CompletionOptions, server: Server, route: str
) -> SupportedOptions:
    key = (id(options), route)
    kept = _supported_cache.get(key)
    if kept is not None and kept[0] is options and kept[1] == server:
        return kept[2]
    found = supported_options(options, server, route)
    if len(_supported_cache) >= _MOST_KEPT:
        _supported_cache.clear()
    _supported_cache[key] = options, server, found
    return found


def no_stream() -> NoReturn:
    """Stand for the decoder of an answer that comes in one piece only."""
    raise UnsupportedRole(text("calls.this_is_never_answered_in_a_stream"))


def finished(
    reply: R,
    plan: Plan[R],
    notes: tuple[str, ...],
    request_id: str | None,
    served: Served,
) -> R:
    """Return ``reply`` with the notes of its request and of its call, and its facts."""
    said = (*plan.notes, *notes)
    # It was made for this call and nobody has it yet: what its decoder could not know
    # is filled in where it stands. A copy costs 7 µs, twice what making it did.
    fill = object.__setattr__
    fill(reply, "served", served)
    if isinstance(reply, Reply):
        if plan.lowered is not None and reply.finish_reason == "length":
            said = (*plan.notes, cut_note(plan.lowered), *notes)
        if request_id is not None:
            fill(reply, "request_id", request_id)
    if said:
        fill(reply, "notes", (*reply.notes, *said))
    return reply
