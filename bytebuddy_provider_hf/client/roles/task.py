"""The models of the Hub's other tasks: they fill masks, classify, translate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.client.knowledge import Knowledge
from bytebuddy_provider_hf.client.plan import Plan, Planner, no_stream
from bytebuddy_provider_hf.client.roles.batch_job import ErrorTexts
from bytebuddy_provider_hf.client.roles.scoring_api import (
    scoring_api,
)
from bytebuddy_provider_hf.errors import (
    InvalidOption,
    ParameterRefused,
    UnsupportedRole,
)
from bytebuddy_provider_hf.outcomes import Features, TaskReply
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire import tasks, tasks_reply, tei
from bytebuddy_provider_hf.wire.server import ScoringApi, Server
from bytebuddy_provider_hf.wire.tasks import Task

ERROR_TEXTS: Final = ErrorTexts(
    "does no such task here",
    hint="Leave apiBase out to ask hf-inference, or give the address of an endpoint "
    "that runs this model with the inference toolkit.",
)
# A server may refuse parameters this often; each time those it names are left out.
MOST_REFUSALS: Final = 3
_MOST_WARNINGS: Final = 10
_LONGEST_WARNING: Final = 500
_INSTEAD: Final[Mapping[Task, str]] = {
    Task.TEXT_GENERATION: "Use complete(), which continues a text.",
    Task.TEXT2TEXT: "Use chat(), or complete() for a base model.",
    Task.CONVERSATIONAL: "Use chat(), which takes the whole conversation.",
    Task.SUMMARIZATION: "Use chat() and ask for a summary.",
    Task.TRANSLATION: "Use chat() and ask for a translation.",
    Task.FEATURE_EXTRACTION: "Use embed(), which gives vectors.",
    Task.SENTENCE_SIMILARITY: "Use embed() and compare the vectors, or rerank().",
}


@define
class TaskJob:
    """One task; ``without`` names the parameters that a server refused."""

    task: Task
    inputs: object
    parameters: Mapping[str, object]
    target: Target
    extra: Mapping[str, object] = field(factory=dict)
    without: frozenset[str] = frozenset()

    error_texts = ERROR_TEXTS

    def planner(self) -> Planner[TaskReply]:
        """Return how to ask for the task."""

        def ask(
            knowledge: Knowledge,
            _options: CompletionOptions,
            _stream: bool,  # noqa: FBT001 - the type in Planner
        ) -> Plan[TaskReply]:
            self._check(knowledge.server)
            if scoring_api(knowledge.server, self.target) is ScoringApi.TEI:
                return self._of_tei(knowledge.server)
            call = tasks.build_task(
                self.task,
                self.inputs,
                self.parameters,
                self.target,
                without=self.without,
                extra=self.extra,
            )
            return Plan(call, no_stream, self._read, self._notes())

        return Planner(CompletionOptions(), ask)

    def drop_refused(self, refusal: ParameterRefused) -> bool:
        """Leave out the parameters a server refuses; tell whether there were any."""
        named = {*refusal.parameters, refusal.parameter or ""} - {""}
        given = {*self.parameters, "return_full_text"}
        refused = (named & given) - self.without
        self.without |= refused
        return bool(refused)

    def _check(self, server: Server) -> None:
        if not server.may_serve_tasks:
            raise UnsupportedRole(
                f"{server.title} has no task API: it cannot be asked for {self.task}.",
                hint=_INSTEAD.get(self.task, ERROR_TEXTS.hint),
            )

    def _read(self, body: bytes) -> TaskReply:
        count = tasks.count_of(self.task, self.inputs)
        reply = tasks_reply.read_task(self.task, body, count=count)
        return evolve(reply, notes=(*reply.notes, *_warning_notes(reply.warnings)))

    def _notes(self) -> tuple[str, ...]:
        left_out = sorted(self.without & self.parameters.keys())
        if not left_out:
            return ()
        return (f"Left out, because the server refuses it: {', '.join(left_out)}.",)

    def _of_tei(self, server: Server) -> Plan[TaskReply]:
        """Ask TEI, which has a route for each of two tasks and no task API."""
        inputs = self.inputs
        texts = [inputs] if isinstance(inputs, str) else inputs
        count = len(texts) if isinstance(texts, list | tuple) else 0
        if self.task is Task.FEATURE_EXTRACTION and isinstance(texts, list | tuple):
            chosen = {k: v for k, v in self.parameters.items() if v is not None}
            call = tei.build_embed(texts, self.target, extra={**chosen, **self.extra})

            def read(body: bytes) -> TaskReply:
                found = tei.read_embed(body, count=count).vectors
                return TaskReply(
                    tuple((Features((one,), pooled=True),) for one in found)
                )

        elif self.task is Task.TEXT_CLASSIFICATION and isinstance(texts, list | tuple):
            call = tei.build_predict(texts, self.target, extra=self.extra)

            def read(body: bytes) -> TaskReply:
                return TaskReply(tei.read_predict(body, count=count).groups)

        else:
            raise UnsupportedRole(
                f"{server.title} cannot be asked for {self.task}.",
                hint=_INSTEAD.get(self.task, ERROR_TEXTS.hint),
            )
        return Plan(call, no_stream, read)


def task_job(
    name: str,
    inputs: object,
    parameters: Mapping[str, object] | None,
    target: Target,
    *,
    extra: Mapping[str, object],
) -> TaskJob:
    """Return the work of a task; raises ``InvalidOption``."""
    given = {} if parameters is None else parameters
    if not _is_named(given):
        message = "parameters takes a mapping with names as keys."
        raise InvalidOption(message)
    return TaskJob(tasks.check_task(name, inputs, given), inputs, given, target, extra)


def _is_named(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _warning_notes(warnings: tuple[str, ...]) -> tuple[str, ...]:
    shown = (one_line(text, limit=_LONGEST_WARNING) for text in warnings)
    return tuple(f"The server warns: {text}" for text in shown)[:_MOST_WARNINGS]
