"""Many inputs for one server: cut into batches, as many in flight as there are permits.

What a server refuses as too much is cut smaller and asked again; the first failure
ends the rest.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Final, Generic, TypeVar, final

from attrs import Factory, define, evolve, field

from bytebuddy_provider_hf.client import call_loop
from bytebuddy_provider_hf.client.endpoint import CallSpec
from bytebuddy_provider_hf.client.knowledge import Knowledge
from bytebuddy_provider_hf.client.plan import NO_OPTIONS, Draws, Plan, Planner
from bytebuddy_provider_hf.client.roles.scoring_api import (
    ErrorTexts,
    as_unsupported,
    require_scoring,
)
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.client.served import merged
from bytebuddy_provider_hf.errors import (
    APIError,
    BadRequest,
    BatchTooLarge,
    ByteBuddyError,
    ContextTooLong,
    DeadlineExceeded,
    MalformedResponse,
    RequestTooLarge,
    UnprocessableRequest,
)
from bytebuddy_provider_hf.outcomes import Embeddings, Scores
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.server import Server

# What a server says of an input, so that it helps to know which.
_OF_INPUTS: Final = (BadRequest, UnprocessableRequest, MalformedResponse)

A = TypeVar("A")
S = TypeVar("S", Embeddings, Scores)


@define
class BatchJob(ABC, Generic[S]):
    """Inputs that may travel in batches."""

    role: ClassVar[str]
    error_texts: ClassVar[ErrorTexts]

    @property
    @abstractmethod
    def count(self) -> int:
        """How many inputs there are."""

    @abstractmethod
    def plan_batch(self, batch: range, server: Server, *, strict: bool) -> Plan[S]:
        """Return the request for some of the inputs.

        ``strict`` has a server refuse an input that is too long for its model.
        """

    def may_truncate(self, server: Server) -> bool:
        """Whether the server may cut what is too long for its model."""
        return False

    @abstractmethod
    def merge(self, parts: Sequence[S], server: Server, *, truncated: bool) -> S:
        """Return the answers of all batches as one."""


@define
class BatchPlanner(Planner[S]):
    """Ask for one batch of a job."""

    job: BatchJob[S]
    batch: range
    strict: bool
    role: str = field(
        init=False,
        default=Factory(lambda planner: planner.job.role, takes_self=True),
    )

    @property
    def draws(self) -> Draws:
        """When the server draws the answer at random: vectors and scores never are."""
        return "never"

    def plan(
        self, knowledge: Knowledge, options: CompletionOptions, *, stream: bool
    ) -> Plan[S]:
        """Return the request; raises ``UnsupportedRole`` for a server of texts only."""
        require_scoring(knowledge.server, self.job.error_texts)
        return self.job.plan_batch(self.batch, knowledge.server, strict=self.strict)


def in_time(spec: CallSpec, until: float | None, now: float) -> CallSpec:
    """Return the call with the seconds that are left ``until`` a time of the loop.

    Raises ``DeadlineExceeded`` where there are none.
    """
    if until is None:
        return spec
    if until <= now:
        raise DeadlineExceeded(
            text("roles.out_of_time"),
            hint=text("roles.out_of_time_hint"),
        )
    return evolve(spec, timeout=until - now)


async def run_batches(
    job: BatchJob[S],
    spec: CallSpec,
    state: LoopState,
    *,
    until: float | None,
    batch_size: Callable[[Server], int],
) -> tuple[S, int | None]:
    """Return the answer to a job, and the size of batches that the server told.

    ``until`` bounds all batches together; ``spec.timeout`` bounds each.
    """
    now = state.loop.time
    since = now()
    server = await call_loop.detect_server(in_time(spec, until, now()), state)
    queue = state.coordinator.model_queue(
        spec.endpoint.destination, spec.endpoint.target.model
    )
    # One refusal for length, and all that follow may be cut by the server.
    strict = True

    async def send(batch: range, tells: bool) -> S:  # noqa: FBT001 - the type in Batches
        nonlocal strict
        quiet = spec if tells else evolve(spec, on_event=None)
        failure: ByteBuddyError
        while True:
            planner = BatchPlanner(NO_OPTIONS, job, batch, strict)
            try:
                return await call_loop.run(planner, in_time(quiet, until, now()), state)
            except ContextTooLong as error:
                failure = error
                if planner.strict and job.may_truncate(server):
                    strict = False
                    continue
            except (APIError, MalformedResponse) as error:
                failure = error
            break
        if job.count > len(batch) and isinstance(failure, _OF_INPUTS):
            failure.add_note(
                text(
                    "roles.concerns",
                    items=job.error_texts.items(),
                    first=f"{batch.start + 1:,}",
                    last=f"{batch.stop:,}",
                    count=f"{job.count:,}",
                )
            )
        raise as_unsupported(failure, server, spec.endpoint.target, job.error_texts)

    batches = Batches(
        job.count,
        most=batch_size(server),
        permits=lambda: queue.limiter.limit,
        send=send,
    )
    parts = await batches.run()
    answer = job.merge(parts, server, truncated=not strict)
    served = merged([part.served for part in parts], elapsed=now() - since)
    return evolve(answer, served=served), batches.limit


@final
class Batches(Generic[A]):
    """Send ``count`` inputs, at most ``most`` in a batch.

    ``send`` gets the batch as a range and whether its waiting should be told: of many
    batches that wait for the same thing, one tells. ``permits`` says how many may be
    in flight just now. ``most`` is smaller afterwards if the server wanted it so.
    """

    def __init__(
        self,
        count: int,
        *,
        most: int,
        permits: Callable[[], int],
        send: Callable[[range, bool], Awaitable[A]],
    ) -> None:
        self.limit: int | None = None
        self._most = most
        self._permits = permits
        self._send = send
        self._count = count
        self._left = deque([range(count)])
        self._done: dict[int, A] = {}
        self._workers = 0
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> list[A]:
        """Return the answers in the order of the inputs, or raise the first failure."""
        if self._count <= self._most:
            await self._work(first=True)
            return self._answers()
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as self._group:
                self._start(first=True)
        except BaseExceptionGroup as failures:
            failure = failures.exceptions[0]
        if failure is not None:
            raise failure
        return self._answers()

    def _answers(self) -> list[A]:
        return [self._done[start] for start in sorted(self._done)]

    def _start(self, *, first: bool = False) -> None:
        if self._group is not None:
            self._workers += 1
            self._group.create_task(self._work(first=first))

    async def _work(self, *, first: bool = False) -> None:
        """Send one batch after the other; all but the first give way to a low limit."""
        while (first or self._workers <= self._permits()) and (batch := self._take()):
            if self._left and self._workers < self._permits():
                self._start()
            try:
                answer = await self._send(batch, first)
            except RequestTooLarge as refusal:
                if len(batch) == 1:
                    raise
                self._split(batch, refusal)
            else:
                self._done[batch.start] = answer
        self._workers -= 1

    def _take(self) -> range | None:
        """Return the next inputs, as many as may travel together now."""
        if not self._left:
            return None
        first = self._left.popleft()
        if len(first) > self._most:
            self._left.appendleft(first[self._most :])
        return first[: self._most]

    def _split(self, batch: range, refusal: RequestTooLarge) -> None:
        """Put a refused batch back, to be sent in pieces as large as the server says.

        Its word is taken once; a server that goes on refusing gets half each time.
        """
        smaller = len(batch) // 2
        limit = refusal.limit if isinstance(refusal, BatchTooLarge) else None
        if limit is not None and 0 < limit < len(batch) and self.limit is None:
            smaller = self.limit = limit
        self._most = min(self._most, smaller)
        self._left.appendleft(batch)
