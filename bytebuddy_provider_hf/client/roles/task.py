"""The models of the Hub's other tasks: they fill masks, classify, translate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.client import call_loop
from bytebuddy_provider_hf.client.endpoint import CallSpec
from bytebuddy_provider_hf.client.knowledge import Knowledge
from bytebuddy_provider_hf.client.plan import (
    NO_OPTIONS,
    Draws,
    Plan,
    Planner,
    no_stream,
)
from bytebuddy_provider_hf.client.roles.batch import in_time
from bytebuddy_provider_hf.client.roles.scoring_api import (
    ErrorTexts,
    as_unsupported,
    scoring_api,
)
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.errors import (
    APIError,
    InvalidOption,
    ParameterRefused,
    UnsupportedRole,
)
from bytebuddy_provider_hf.outcomes import Embeddings, Features, TaskReply
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire import tasks, tasks_reply, tei, vectors
from bytebuddy_provider_hf.wire.route_options import Said
from bytebuddy_provider_hf.wire.server import ScoringApi, Server
from bytebuddy_provider_hf.wire.steps import (
    Steps,
    in_one_step,
    scores_bound,
    vectors_bound,
)
from bytebuddy_provider_hf.wire.tasks import Task

ERROR_TEXTS: Final = ErrorTexts(
    partial(text, "roles.does_no_such_task"),
    hint=partial(text, "roles.does_no_such_task_hint"),
    items=partial(text, "roles.inputs"),
)
# A server may refuse parameters this often; each time those it names are left out.
_MOST_REFUSALS: Final = 3
_MOST_WARNINGS: Final = 10
_LONGEST_WARNING: Final = 500
# The pipelines of transformers draw the tokens of these by default, and search the
# likeliest text for those (``_default_generation_config`` of text_generation.py and
# text2text_generation.py).
_DRAWN: Final = frozenset({Task.TEXT_GENERATION, Task.CONVERSATIONAL})
_WRITTEN: Final = frozenset({Task.TEXT2TEXT, Task.SUMMARIZATION, Task.TRANSLATION})
_INSTEAD: Final[Mapping[Task, Said]] = {
    Task.TEXT_GENERATION: partial(text, "roles.use_complete"),
    Task.TEXT2TEXT: partial(text, "roles.use_chat"),
    Task.CONVERSATIONAL: partial(text, "roles.use_chat_whole"),
    Task.SUMMARIZATION: partial(text, "roles.use_chat_summary"),
    Task.TRANSLATION: partial(text, "roles.use_chat_translation"),
    Task.FEATURE_EXTRACTION: partial(text, "roles.use_embed_vectors"),
    Task.SENTENCE_SIMILARITY: partial(text, "roles.use_embed_compare"),
}


@define
class TaskPlanner(Planner[TaskReply]):
    """Ask for one task; ``without`` names the parameters that a server refused."""

    role: str = field(default="task", init=False)

    task: Task
    inputs: object
    parameters: Mapping[str, object]
    target: Target
    extra: Mapping[str, object] = field(factory=dict)
    without: frozenset[str] = frozenset()

    @property
    def draws(self) -> Draws:
        """When the server draws the tokens of the answer at random."""
        if self.task in _DRAWN:
            return "by default"
        return "if asked" if self.task in _WRITTEN else "never"

    def plan(
        self, knowledge: Knowledge, options: CompletionOptions, *, stream: bool
    ) -> Plan[TaskReply]:
        """Return the request; raises ``UnsupportedRole`` for a server without tasks."""
        server = knowledge.server
        self._check(server)
        api = scoring_api(server, self.target)
        if api is ScoringApi.TEI:
            return self._of_tei(server)
        if api is ScoringApi.OPENAI and "classify" in server.routes:
            return self._of_openai(server)
        call = tasks.build_task(
            self.task,
            self.inputs,
            self.parameters,
            self.target,
            without=self.without,
            extra=self.extra,
        )
        left_out = sorted(self.without & self.parameters.keys())
        notes: tuple[str, ...] = ()
        if left_out:
            notes = (text("wire.refused_options", names=", ".join(left_out)),)
        count = tasks.count_of(self.task, self.inputs) or 1
        listed = self.task is Task.FEATURE_EXTRACTION
        bound = vectors_bound(count) if listed else scores_bound(count)
        return Plan(call, no_stream, self._read, notes, bound=bound)

    def without_refused(self, refusal: ParameterRefused) -> TaskPlanner | None:
        """Return the task without the parameters a server refuses, if it has any."""
        named = {*refusal.parameters, refusal.parameter or ""} - {""}
        given = {*self.parameters, "return_full_text"}
        refused = (named & given) - self.without
        return evolve(self, without=self.without | refused) if refused else None

    def _check(self, server: Server) -> None:
        if not server.may_serve_tasks:
            raise UnsupportedRole(
                text("roles.no_task_api", title=server.title, task=self.task),
                hint=_INSTEAD.get(self.task, ERROR_TEXTS.hint)(),
            )

    def _read(self, body: bytes) -> Steps[TaskReply]:
        count = tasks.count_of(self.task, self.inputs)
        reply = yield from tasks_reply.task_in_steps(self.task, body, count=count)
        return evolve(reply, notes=(*reply.notes, *_warning_notes(reply.warnings)))

    def _of_tei(self, server: Server) -> Plan[TaskReply]:
        """Ask TEI, which has a route for each of two tasks and no task API."""
        inputs = self.inputs
        texts = [inputs] if isinstance(inputs, str) else inputs
        count = len(texts) if isinstance(texts, list | tuple) else 0
        if self.task is Task.FEATURE_EXTRACTION and isinstance(texts, list | tuple):
            chosen = {k: v for k, v in self.parameters.items() if v is not None}
            call = tei.build_embed(texts, self.target, extra={**chosen, **self.extra})

            bound, read = (
                vectors_bound(count),
                _as_features(partial(tei.embed_in_steps, count=count)),
            )

        elif self.task is Task.TEXT_CLASSIFICATION and isinstance(texts, list | tuple):
            call = tei.build_predict(texts, self.target, extra=self.extra)

            def classes(body: bytes) -> TaskReply:
                return TaskReply(tei.read_predict(body, count=count).groups)

            bound, read = scores_bound(count), in_one_step(classes)

        else:
            raise self._unknown_to(server)
        return Plan(call, no_stream, read, bound=bound)

    def _of_openai(self, server: Server) -> Plan[TaskReply]:
        """Ask a server that classifies by a route beside OpenAI's."""
        inputs = self.inputs
        texts = [inputs] if isinstance(inputs, str) else inputs
        if not isinstance(texts, list | tuple):
            raise self._unknown_to(server)
        count, asked = len(texts), self.target.model
        target, name = server.at(self.target), server.name_for(asked)
        given = {k: v for k, v in self.parameters.items() if v is not None}
        if self.task is Task.TEXT_CLASSIFICATION:
            server.require_ability("classify", asked)
            call = vectors.build_classify(
                texts, target, model=name, parameters=given, extra=self.extra
            )

            def classes(body: bytes) -> TaskReply:
                return TaskReply(vectors.read_classify(body, count=count))

            bound, read = scores_bound(count), in_one_step(classes)

        elif self.task is Task.FEATURE_EXTRACTION:
            server.require_ability("embed", asked)
            extra = {**given, **self.extra}
            call = vectors.build_embeddings(texts, target, model=name, extra=extra)

            bound, read = (
                vectors_bound(count),
                _as_features(partial(vectors.embeddings_in_steps, count=count)),
            )

        else:
            raise self._unknown_to(server)
        return Plan(call, no_stream, read, bound=bound)

    def _unknown_to(self, server: Server) -> UnsupportedRole:
        return UnsupportedRole(
            text("roles.no_such_task", title=server.title, task=self.task),
            hint=_INSTEAD.get(self.task, ERROR_TEXTS.hint)(),
        )


def task_planner(
    name: str,
    inputs: object,
    parameters: Mapping[str, object] | None,
    target: Target,
    *,
    extra: Mapping[str, object],
) -> TaskPlanner:
    """Return how to ask for a task; raises ``InvalidOption``."""
    given: object = {} if parameters is None else parameters
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        message = text("roles.parameters_wrong")
        raise InvalidOption(message)
    task = tasks.check_task(name, inputs, given)
    return TaskPlanner(NO_OPTIONS, task, inputs, given, target, extra)


async def run_task(
    planner: TaskPlanner, spec: CallSpec, state: LoopState, *, until: float | None
) -> tuple[TaskReply, frozenset[str]]:
    """Return the answer, and the parameters that had to be left out for it.

    Parameters that the server refuses are left out and the task is asked again, a few
    times. ``until`` bounds all of it.
    """
    now = state.loop.time
    server = await call_loop.detect_server(in_time(spec, until, now()), state)
    refusals = 0
    while True:
        try:
            reply = await call_loop.run(planner, in_time(spec, until, now()), state)
        except ParameterRefused as refusal:
            failure: APIError = refusal
            smaller, refusals = planner.without_refused(refusal), refusals + 1
            if smaller is None or refusals == _MOST_REFUSALS:
                break
            planner = smaller
        except APIError as error:
            failure = error
            break
        else:
            return reply, planner.without
    raise as_unsupported(failure, server, spec.endpoint.target, ERROR_TEXTS)


def _as_features(
    read: Callable[[bytes], Steps[Embeddings]],
) -> Callable[[bytes], Steps[TaskReply]]:
    """Return how vectors are read as the answer to the task that makes them."""

    def steps(body: bytes) -> Steps[TaskReply]:
        found = yield from read(body)
        return TaskReply(
            tuple((Features((one,), pooled=True),) for one in found.vectors)
        )

    return steps


def _warning_notes(warnings: tuple[str, ...]) -> tuple[str, ...]:
    shown = (one_line(each, limit=_LONGEST_WARNING) for each in warnings)
    told = tuple(text("roles.server_warns", said=said) for said in shown)
    return told[:_MOST_WARNINGS]
