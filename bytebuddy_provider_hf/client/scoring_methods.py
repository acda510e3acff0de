"""The roles that write no text: embed, rerank, and the Hub's other tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bytebuddy_provider_hf.client import call_loop
from bytebuddy_provider_hf.client.attempts import CallSpec
from bytebuddy_provider_hf.client.call_log import ErrorLogging
from bytebuddy_provider_hf.client.call_options import check_option
from bytebuddy_provider_hf.client.model_base import ModelBase
from bytebuddy_provider_hf.client.plan import Planner, R
from bytebuddy_provider_hf.client.roles.batch import USUAL, Batches
from bytebuddy_provider_hf.client.roles.batch_job import BatchJob, CallLimits, S
from bytebuddy_provider_hf.client.roles.embed import embed_job
from bytebuddy_provider_hf.client.roles.rerank import rerank_job
from bytebuddy_provider_hf.client.roles.scoring_api import as_unsupported
from bytebuddy_provider_hf.client.roles.task import MOST_REFUSALS, TaskJob, task_job
from bytebuddy_provider_hf.errors import (
    APIError,
    BadRequest,
    ByteBuddyError,
    ContextTooLong,
    MalformedResponse,
    ParameterRefused,
    UnprocessableRequest,
)
from bytebuddy_provider_hf.outcomes import Embeddings, Scores, TaskReply
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.tasks import Task

# What a server says of an input, so that it helps to know which.
_OF_INPUTS: Final = (BadRequest, UnprocessableRequest, MalformedResponse)


class ScoringRoles(ModelBase):
    """Embed, rerank and task of a model."""

    # What this server once said it takes together, where it does not list it.
    _learned_batch_size: int | None = None
    # The parameters that it once refused, by task.
    _refused_parameters: Mapping[Task, frozenset[str]] = {}  # replaced, never changed

    async def embed(
        self,
        texts: str | Sequence[str],
        *,
        query: bool = False,
        dimensions: int | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> Embeddings:
        """Return one vector for each text, in order, all of the same length.

        Texts travel in batches, several at once; ``timeout`` is seconds for all of
        them together, without it each batch has the configured time. ``query`` puts
        the configured prefix of queries before each text, not that of chunks. A text
        longer than the model reads is an error (``ContextTooLong``) where the server
        can tell. Raises ``UnsupportedRole`` for a server that gives no vectors, and
        ``MalformedResponse`` unless each text has one that is finite.
        """
        job = embed_job(
            texts,
            self._endpoint.target,
            self._entry.embed_options,
            query=query,
            dimensions=dimensions,
            extra=self._endpoint.extra,
        )
        with ErrorLogging(self._endpoint.target):
            return await self._batched(job, self._limits(timeout, on_event, wait=wait))

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> Scores:
        """Return one score for each document, in order; more is better.

        Scores of one call compare with each other; their range is the model's. The
        rest is as for :meth:`embed`, but a document longer than the model reads is
        cut by the server, and ``notes`` say so where it can tell.
        """
        job = rerank_job(
            query, documents, self._endpoint.target, extra=self._endpoint.extra
        )
        with ErrorLogging(self._endpoint.target):
            return await self._batched(job, self._limits(timeout, on_event, wait=wait))

    async def task(
        self,
        name: str,
        inputs: object,
        parameters: Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> TaskReply:
        """Return what the model makes of ``inputs`` for the Hub's task ``name``.

        ``inputs`` is a text, a list of texts, or the mapping the task wants. What the
        server warns of, and parameters it refuses, are told in ``notes``. Raises
        ``InvalidOption`` for an unknown task, ``UnsupportedRole`` for a server
        without it: a server of language models is asked with ``chat``.
        """
        job = task_job(
            name, inputs, parameters, self._endpoint.target, extra=self._endpoint.extra
        )
        job.without = self._refused_parameters.get(job.task, frozenset())
        with ErrorLogging(self._endpoint.target):
            limits = self._limits(timeout, on_event, wait=wait)
            state = self._lease.state()
            server = await call_loop.detect_server(
                self._limited_spec(job.planner(), limits), state
            )
            return await self._retry_without_refused(job, limits, server)

    async def _retry_without_refused(
        self, job: TaskJob, limits: CallLimits, server: Server
    ) -> TaskReply:
        """Ask, and again without the parameters that the server refuses."""
        state = self._lease.state()
        for _ in range(MOST_REFUSALS):
            try:
                return await call_loop.run(
                    self._limited_spec(job.planner(), limits), state
                )
            except ParameterRefused as refusal:
                failure: APIError = refusal
                if not job.drop_refused(refusal):
                    break
                self._refused_parameters = {
                    **self._refused_parameters,
                    job.task: job.without,
                }
            except APIError as error:
                failure = error
                break
        raise self._translate(failure, job, server)

    async def _batched(self, job: BatchJob[S], limits: CallLimits) -> S:
        state = self._lease.state()
        first = self._limited_spec(job.planner(range(1)), limits)
        server = await call_loop.detect_server(first, state)
        endpoint = self._endpoint
        queue = state.coordinator.model_queue(
            endpoint.destination, endpoint.target.model
        )

        async def send(batch: range, tells: bool) -> S:  # noqa: FBT001 - the type in Batches
            return await self._send(
                job, batch, limits if tells else limits.without_events, server
            )

        batches = Batches(
            job.count,
            most=self._batch_size(server),
            permits=lambda: queue.limiter.limit,
            send=send,
        )
        parts = await batches.run()
        self._learned_batch_size = batches.limit or self._learned_batch_size
        return job.merge(parts, server)

    async def _send(
        self, job: BatchJob[S], batch: range, limits: CallLimits, server: Server
    ) -> S:
        """Ask for one batch; say of a failure which inputs it concerns."""
        state = self._lease.state()
        strict = job.strict
        try:
            return await call_loop.run(
                self._limited_spec(job.planner(batch), limits), state
            )
        except ContextTooLong as error:
            failure: ByteBuddyError = error
            if strict and job.may_truncate(server):
                job.strict = False
        except (APIError, MalformedResponse) as error:
            failure = error
        if isinstance(failure, ContextTooLong) and strict and not job.strict:
            return await call_loop.run(
                self._limited_spec(job.planner(batch), limits), state
            )
        if job.count > len(batch) and isinstance(failure, _OF_INPUTS):
            place = f"{batch.start + 1:,} to {batch.stop:,} of {job.count:,}"
            failure.add_note(f"It concerns {job.error_texts.items} {place}.")
        raise self._translate(failure, job, server)

    def _translate(
        self,
        failure: ByteBuddyError,
        job: TaskJob | BatchJob[Embeddings] | BatchJob[Scores],
        server: Server,
    ) -> ByteBuddyError:
        """Return what a failure means for the role: it may be the wrong server."""
        if not isinstance(failure, APIError):
            return failure
        found = as_unsupported(failure, server, self._endpoint.target, job.error_texts)
        if found is None:
            return failure
        found.__cause__ = failure
        return found

    def _batch_size(self, server: Server) -> int:
        options = self._entry.embed_options
        limits = (
            USUAL,
            self._learned_batch_size,
            None if options is None else options.max_batch_size,
            server.max_batch or server.usual_batch,
        )
        return min(limit for limit in limits if limit)

    def _limits(
        self, timeout: float | None, on_event: OnEvent | None, *, wait: bool
    ) -> CallLimits:
        if timeout is None:
            return CallLimits(None, on_event, wait)
        check_option("timeout", timeout)
        return CallLimits(self._lease.state().loop.time() + timeout, on_event, wait)

    def _limited_spec(self, planner: Planner[R], limits: CallLimits) -> CallSpec[R]:
        """Return the call of ``planner`` in the time that is left."""
        left = limits.seconds_left(self._lease.state().loop.time())
        return self._call_spec(
            planner, left, wait=limits.wait, on_event=limits.on_event, part=True
        )
