"""Many inputs for one server: cut into batches, as many in flight as there are permits.

What a server refuses as too much is cut smaller and asked again; the first failure
ends the rest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar, final

from bytebuddy_provider_hf.errors import BatchTooLarge, RequestTooLarge

# How many inputs travel together where nobody says otherwise.
USUAL: Final = 64

A = TypeVar("A")


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
