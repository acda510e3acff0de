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

        Texts travel in batches, several at once.

        Args:
            texts: A text, or a list of them.
            query: Put the configured prefix of queries before each text, not that
                of chunks.
            dimensions: The length of the vectors, where the server can shorten
                them.
            timeout: Seconds for all batches together; by default each has the
                entry's time, else 600.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            cache: What is done with kept answers, in place of the entry: off, on,
                all, read_only or write_only.

        Raises:
            InvalidOption: An argument is out of its range or malformed.
            UnsupportedRole: The server gives no vectors.
            ContextTooLong: A text is longer than the model reads, where the server
                can tell.
            MalformedResponse: A text has no vector, or one that is not finite.
            ByteBuddyError: Any other, as docs/failures.md lists.
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

        Scores of one call compare with each other; their range is the model's.
        Documents travel in batches. One that is longer than the model reads is cut by
        the server, and ``notes`` say so where it can tell.

        Args:
            query: What the documents are to answer.
            documents: The texts to score.
            timeout: Seconds for all batches together; by default each has the
                entry's time, else 600.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            cache: What is done with kept answers, in place of the entry: off, on,
                all, read_only or write_only.

        Raises:
            InvalidOption: An argument is out of its range or malformed.
            UnsupportedRole: The server gives no scores.
            ByteBuddyError: Any other, as docs/failures.md lists.
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

        What the server warns of, and parameters it refuses, are told in ``notes``.

        Args:
            name: The task, as the Hub calls it: fill-mask, text-classification, …
            inputs: A text, a list of texts, or the mapping that the task wants.
            parameters: The task's own parameters, as the Hub documents them.
            timeout: Seconds for the whole call, waiting included; by default the
                entry's, else 600.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            cache: What is done with kept answers, in place of the entry: off, on,
                all, read_only or write_only.

        Raises:
            InvalidOption: The task is unknown, or its inputs do not fit.
            UnsupportedRole: The server has no such task: ask one of language models
                with :meth:`chat`.
            ByteBuddyError: Any other, as docs/failures.md lists.
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
