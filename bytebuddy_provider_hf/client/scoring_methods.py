"""The roles that write no text: embed, rerank, and the Hub's other tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import evolve

from bytebuddy_provider_hf.client.model_base import ModelBase
from bytebuddy_provider_hf.outcomes import Embeddings, Scores, TaskReply
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.types import CacheUse

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.roles.batch import BatchJob, S
    from bytebuddy_provider_hf.wire.server import Server

# How many inputs travel together where nobody says otherwise.
_USUAL_BATCH: Final = 64


class ScoringRoles(ModelBase):
    """Embed, rerank and task of a model."""

    async def embed(
        self,
        texts: str | Sequence[str],
        *,
        query: bool = False,
        dimensions: int | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        cache: CacheUse | None = None,
    ) -> Embeddings:
        """Return one vector for each text, in order, all of the same length.

        Texts travel in batches, several at once; ``timeout`` is seconds for all of
        them together, without it each batch has the configured time. ``query`` puts
        the configured prefix of queries before each text, not that of chunks. A text
        longer than the model reads is an error (``ContextTooLong``) where the server
        can tell. Raises ``UnsupportedRole`` for a server that gives no vectors, and
        ``MalformedResponse`` unless each text has one that is finite.
        """
        from bytebuddy_provider_hf.client.roles.embed import embed_job

        job = embed_job(
            texts,
            self._endpoint.target,
            self._entry.embed_options,
            query=query,
            dimensions=dimensions,
            extra=self._endpoint.extra,
        )
        return await self._run_batches(job, timeout, on_event, wait=wait, cache=cache)

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        cache: CacheUse | None = None,
    ) -> Scores:
        """Return one score for each document, in order; more is better.

        Scores of one call compare with each other; their range is the model's. The
        rest is as for :meth:`embed`, but a document longer than the model reads is
        cut by the server, and ``notes`` say so where it can tell.
        """
        from bytebuddy_provider_hf.client.roles.rerank import rerank_job

        job = rerank_job(
            query, documents, self._endpoint.target, extra=self._endpoint.extra
        )
        return await self._run_batches(job, timeout, on_event, wait=wait, cache=cache)

    async def task(
        self,
        name: str,
        inputs: object,
        parameters: Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        cache: CacheUse | None = None,
    ) -> TaskReply:
        """Return what the model makes of ``inputs`` for the Hub's task ``name``.

        ``inputs`` is a text, a list of texts, or the mapping the task wants. What the
        server warns of, and parameters it refuses, are told in ``notes``. Raises
        ``InvalidOption`` for an unknown task, ``UnsupportedRole`` for a server
        without it: a server of language models is asked with ``chat``.
        """
        from bytebuddy_provider_hf.client.call_log import ErrorLogging
        from bytebuddy_provider_hf.client.roles.scoring_api import detected_for_tasks
        from bytebuddy_provider_hf.client.roles.task import run_task, task_planner

        target = detected_for_tasks(self._endpoint.target)
        planner = task_planner(
            name, inputs, parameters, target, extra=self._endpoint.extra
        )
        task = planner.task
        planner.without = self._learned.refused_parameters.get(task, frozenset())
        spec = self._call_spec(
            timeout, wait=wait, on_event=on_event, part=True, cache=cache
        )
        spec.endpoint = evolve(spec.endpoint, target=target)
        state = self._lease.state()
        until = None if timeout is None else state.loop.time() + timeout
        with ErrorLogging(spec):
            reply, refused = await run_task(planner, spec, state, until=until)
        if refused:
            known = self._learned.refused_parameters
            self._learned.refused_parameters = {**known, task: refused}
        return reply

    async def _run_batches(
        self,
        job: BatchJob[S],
        timeout: float | None,
        on_event: OnEvent | None,
        *,
        wait: bool,
        cache: CacheUse | None,
    ) -> S:
        from bytebuddy_provider_hf.client.call_log import ErrorLogging
        from bytebuddy_provider_hf.client.roles.batch import run_batches

        spec = self._call_spec(
            timeout, wait=wait, on_event=on_event, part=True, cache=cache
        )
        state = self._lease.state()
        until = None if timeout is None else state.loop.time() + timeout
        with ErrorLogging(spec):
            answer, limit = await run_batches(
                job, spec, state, until=until, batch_size=self._batch_size
            )
        self._learned.batch_size = limit or self._learned.batch_size
        return answer

    def _batch_size(self, server: Server) -> int:
        options = self._entry.embed_options
        limits = (
            _USUAL_BATCH,
            self._learned.batch_size,
            None if options is None else options.max_batch_size,
            server.max_batch or server.usual_batch,
        )
        return min(limit for limit in limits if limit)
