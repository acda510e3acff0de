"""The role rerank: how well each document answers a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from attrs import define, field

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.client.plan import Plan, no_stream
from bytebuddy_provider_hf.client.roles.batch import BatchJob
from bytebuddy_provider_hf.client.roles.embed import (
    checked_texts,
    merged_notes,
)
from bytebuddy_provider_hf.client.roles.scoring_api import (
    ErrorTexts,
    scoring_api,
)
from bytebuddy_provider_hf.errors import InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.outcomes import Scores
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Usage
from bytebuddy_provider_hf.wire import tasks, tasks_reply, tei, vectors
from bytebuddy_provider_hf.wire.server import TOP_N, ScoringApi, Server
from bytebuddy_provider_hf.wire.steps import in_one_step, scores_bound
from bytebuddy_provider_hf.wire.tasks_reply import relevance

ERROR_TEXTS: Final = ErrorTexts(
    partial(text, "roles.scores_no_documents"),
    hint=partial(text, "roles.scores_no_documents_hint"),
    items=partial(text, "roles.documents"),
)
_TASK: Final = tasks.Task.TEXT_CLASSIFICATION


@define
class RerankJob(BatchJob[Scores]):
    """Documents to be scored for a query.

    TEI is told to refuse what is longer than its model reads; when it does, the
    documents are sent again to be cut, and a note says so.
    """

    query: str
    documents: Sequence[str]
    target: Target
    extra: Mapping[str, object] = field(factory=dict)

    role = "rerank"
    error_texts = ERROR_TEXTS

    @property
    def count(self) -> int:
        """How many documents there are."""
        return len(self.documents)

    def may_truncate(self, server: Server) -> bool:
        """Whether the server may cut what is too long for its model."""
        return scoring_api(server, self.target) is ScoringApi.TEI

    def merge(
        self, parts: Sequence[Scores], server: Server, *, truncated: bool
    ) -> Scores:
        """Return the scores of all batches as one answer."""
        cut = (text("roles.documents_cut"),) if truncated else ()
        return Scores(
            tuple(score for part in parts for score in part.scores),
            model=parts[0].model or server.model or self.target.model,
            usage=Usage.total([part.usage for part in parts]),
            notes=merged_notes([*(part.notes for part in parts), cut]),
        )

    def plan_batch(self, batch: range, server: Server, *, strict: bool) -> Plan[Scores]:
        """Return the request for the scores of some of the documents."""
        documents = list(self.documents[batch.start : batch.stop])
        count = len(documents)
        match scoring_api(server, self.target):
            case ScoringApi.TEI:
                call = tei.build_rerank(
                    self.query,
                    documents,
                    self.target,
                    truncate=not strict,
                    extra=self.extra,
                )
                return Plan(
                    call,
                    no_stream,
                    in_one_step(partial(tei.read_rerank, count=count)),
                    bound=scores_bound(count),
                )
            case ScoringApi.TASKS:
                call = tasks.build_pairs(
                    self.query, documents, self.target, extra=self.extra
                )
                return Plan(
                    call,
                    no_stream,
                    in_one_step(partial(_of_pairs, count=count)),
                    bound=scores_bound(count),
                )
            case ScoringApi.OPENAI:
                server.require_ability("rerank", self.target.model)
                call = vectors.build_rerank(
                    self.query,
                    documents,
                    server.at(self.target),
                    model=server.name_for(self.target.model),
                    top_n=TOP_N in server.demanded,
                    extra=self.extra,
                )
                return Plan(
                    call,
                    no_stream,
                    in_one_step(partial(vectors.read_rerank, count=count)),
                    bound=scores_bound(count),
                )


def rerank_job(
    query: str,
    documents: Sequence[str],
    target: Target,
    *,
    extra: Mapping[str, object],
) -> RerankJob:
    """Return the work of scoring ``documents``; raises ``InvalidOption``."""
    given: object = query
    if not isinstance(given, str) or not given:
        message = text("roles.query_wrong")
        raise InvalidOption(message)
    if isinstance(documents, str):
        message = text("roles.documents_wrong")
        raise InvalidOption(message)
    return RerankJob(query, checked_texts(documents, "documents"), target, extra)


def _of_pairs(body: bytes, *, count: int) -> Scores:
    reply = tasks_reply.read_task(_TASK, body, count=count)
    scores = relevance(reply.groups)
    if scores is None:
        labels = sorted({getattr(one, "label", "?") for one in reply.groups[0]})
        raise UnsupportedRole(
            text("roles.no_relevant_class", labels=", ".join(labels)),
            hint=text("roles.no_relevant_class_hint"),
        )
    return Scores(scores, notes=reply.notes)
