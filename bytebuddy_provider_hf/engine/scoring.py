"""The roles that write no text: embed, rerank, and the Hub's other tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bytebuddy_provider_hf.contract.protocols import OnEvent
from bytebuddy_provider_hf.engine import execute
from bytebuddy_provider_hf.engine.asking import Question, R
from bytebuddy_provider_hf.engine.call_log import Ending
from bytebuddy_provider_hf.engine.opened import OpenedEntry
from bytebuddy_provider_hf.engine.options import check
from bytebuddy_provider_hf.engine.passage import Errand
from bytebuddy_provider_hf.engine.roles.apis import unsupported
from bytebuddy_provider_hf.engine.roles.batch import USUAL, Batches
from bytebuddy_provider_hf.engine.roles.embed import embed_job
from bytebuddy_provider_hf.engine.roles.job import Job, S, Terms
from bytebuddy_provider_hf.engine.roles.rerank import rerank_job
from bytebuddy_provider_hf.engine.roles.task import MOST_REFUSALS, TaskJob, task_job
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
from bytebuddy_provider_hf.wire.server import Engine, Server
from bytebuddy_provider_hf.wire.tasks import Task
from bytebuddy_provider_hf.wire.tei import USUAL_BATCH

# What a server says of an input, so that it helps to know which.
_OF_INPUTS: Final = (BadRequest, UnprocessableRequest, MalformedResponse)


class ScoringRoles(OpenedEntry):
    """Embed, rerank and task of a model."""

    # What this server once said it takes together, where it does not list it.
    _most: int | None = None
    # The parameters that it once refused, by task.
    _without: Mapping[Task, frozenset[str]] = {}  # replaced, never changed

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
            self._route.target,
            self._entry.embed_options,
            query=query,
            dimensions=dimensions,
            extra=self._route.extra,
        )
        with Ending(self._route.target):
            return await self._batched(job, self._terms(timeout, on_event, wait=wait))

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
        job = rerank_job(query, documents, self._route.target, extra=self._route.extra)
        with Ending(self._route.target):
            return await self._batched(job, self._terms(timeout, on_event, wait=wait))

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
            name, inputs, parameters, self._route.target, extra=self._route.extra
        )
        job.without = self._without.get(job.task, frozenset())
        with Ending(self._route.target):
            terms = self._terms(timeout, on_event, wait=wait)
            state = self._lease.state()
            server = await execute.server(self._sent(job.question(), terms), state)
            return await self._asked_again(job, terms, server)

    async def _asked_again(
        self, job: TaskJob, terms: Terms, server: Server
    ) -> TaskReply:
        """Ask, and again without the parameters that the server refuses."""
        state = self._lease.state()
        for _ in range(MOST_REFUSALS):
            try:
                return await execute.whole(self._sent(job.question(), terms), state)
            except ParameterRefused as refusal:
                failure: APIError = refusal
                if not job.amended(refusal):
                    break
                self._without = {**self._without, job.task: job.without}
            except APIError as error:
                failure = error
                break
        raise self._meant(failure, job, server)

    async def _batched(self, job: Job[S], terms: Terms) -> S:
        state = self._lease.state()
        first = self._sent(job.question(range(1)), terms)
        server = await execute.server(first, state)
        route = self._route
        lane = state.coordinator.lane(route.destination, route.target.model)

        async def send(batch: range, tells: bool) -> S:  # noqa: FBT001 - the type in Batches
            return await self._send(
                job, batch, terms if tells else terms.silent, server
            )

        batches = Batches(
            job.count,
            most=self._batch_size(server),
            permits=lambda: lane.limiter.limit,
            send=send,
        )
        parts = await batches.run()
        self._most = batches.limit or self._most
        return job.joined(parts, server)

    async def _send(self, job: Job[S], batch: range, terms: Terms, server: Server) -> S:
        """Ask for one batch; say of a failure which inputs it concerns."""
        state = self._lease.state()
        strict = job.strict
        try:
            return await execute.whole(self._sent(job.question(batch), terms), state)
        except ContextTooLong as error:
            failure: ByteBuddyError = error
            if strict and job.relents(server):
                job.strict = False
        except (APIError, MalformedResponse) as error:
            failure = error
        if isinstance(failure, ContextTooLong) and strict and not job.strict:
            return await execute.whole(self._sent(job.question(batch), terms), state)
        if job.count > len(batch) and isinstance(failure, _OF_INPUTS):
            place = f"{batch.start + 1:,} to {batch.stop:,} of {job.count:,}"
            failure.add_note(f"It concerns {job.words.items} {place}.")
        raise self._meant(failure, job, server)

    def _meant(
        self,
        failure: ByteBuddyError,
        job: TaskJob | Job[Embeddings] | Job[Scores],
        server: Server,
    ) -> ByteBuddyError:
        """Return what a failure means for the role: it may be the wrong server."""
        if not isinstance(failure, APIError):
            return failure
        found = unsupported(failure, server, self._route.target, job.words)
        if found is None:
            return failure
        found.__cause__ = failure
        return found

    def _batch_size(self, server: Server) -> int:
        options = self._entry.embed_options
        usual = USUAL_BATCH if server.engine is Engine.TEI else None
        limits = (
            USUAL,
            self._most,
            None if options is None else options.max_batch_size,
            server.max_batch or usual,
        )
        return min(limit for limit in limits if limit)

    def _terms(
        self, timeout: float | None, on_event: OnEvent | None, *, wait: bool
    ) -> Terms:
        if timeout is None:
            return Terms(None, on_event, wait)
        check("timeout", timeout)
        return Terms(self._lease.state().loop.time() + timeout, on_event, wait)

    def _sent(self, question: Question[R], terms: Terms) -> Errand[R]:
        """Return the errand that asks ``question`` in the time that is left."""
        left = terms.left(self._lease.state().loop.time())
        return self._errand(
            question, left, wait=terms.wait, on_event=terms.on_event, part=True
        )
