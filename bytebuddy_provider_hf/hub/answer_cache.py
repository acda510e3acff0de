"""Keep answers with their age; each is asked for once, whoever asks meanwhile waits.

What outlives the process is kept by an :class:`AnswerStore`, which this room is given.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Generic, Protocol, TypeVar

from attrs import frozen

from bytebuddy_provider_hf.errors import ByteBuddyError, ResponseTooLarge
from bytebuddy_provider_hf.json_cost import USUAL, JsonBound
from bytebuddy_provider_hf.transport.bounded import BoundedCache
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

_log: Final = logging.getLogger(__name__)

# After a failure: an outage costs at most one wait a minute for each model.
_MINUTE: Final = 60.0
# Models and lists that are remembered, whatever a long-lived host asks about.
_MOST: Final = 256

A = TypeVar("A")


class AnswerStore(Protocol):
    """Keep answers between processes. What cannot be kept or read is as never asked."""

    async def get(self, key: str) -> tuple[bytes, float] | None:
        """Return an answer and its age in seconds; the loop goes on meanwhile."""
        ...

    def put(self, key: str, answer: bytes) -> None:
        """Have an answer written; neither waits nor fails."""
        ...


@frozen
class _Answer(Generic[A]):
    """The latest ``value``, good ``until``; ``last`` is the last one told, ``at``."""

    value: A | None
    until: float
    last: A | None
    at: float


class AnswerCache(Generic[A]):
    """Keep each answer for ``age`` seconds of ``clock``; ``source`` is who gives them.

    What failed is not tried again for a minute, and never fails a call: it is as if
    the source did not know. ``store`` has the answers of earlier processes, which
    ``read`` understands.
    """

    def __init__(
        self,
        source: str,
        *,
        age: float,
        clock: Callable[[], float],
        store: AnswerStore | None = None,
        read: Callable[[bytes], A | None] | None = None,
    ) -> None:
        self._source = source
        self._age = age
        self._clock = clock
        self._store = store
        self._read = read
        self._kept: BoundedCache[str, _Answer[A]] = BoundedCache(_MOST)
        # Events and no tasks: a caller that is cancelled ends its own question only,
        # and whoever waits for that asks anew.
        self._asking: dict[str, asyncio.Event] = {}

    async def get(
        self,
        name: str,
        ask: Callable[[], Awaitable[A | None]],
        *,
        limit: float,
        key: str | None = None,
    ) -> A | None:
        """Return the answer about ``name`` within ``limit`` seconds, or ``None``.

        ``key`` is what the store calls it. Where no time is left, only what is kept in
        memory is looked at.
        """
        if (kept := self._fresh(name)) is not None:
            return kept.value
        if limit <= 0:
            return None
        try:
            async with asyncio.timeout(limit):
                return await self._once(name, ask, key)
        except TimeoutError:
            source = self._source
            _log.info("%s did not tell about %s within %.1f s", source, name, limit)
        # Whoever still asks, with more time, will keep what it hears.
        if name not in self._asking:
            self._keep(name, None)
        return None

    async def restore(self, name: str, key: str) -> None:
        """Look up in the store what nobody asked about yet in this process."""
        if self._store is None or self._read is None or self.known(name) is not None:
            return
        kept = await self._store.get(key)
        found = None
        if kept is not None:
            try:
                found = self._read(kept[0])
            except ResponseTooLarge as error:
                # Others may write what is stored: it is asked for anew.
                _log.info("What was kept of %s is not read: %s", name, error)
        if kept is not None and found is not None and self.known(name) is None:
            self._keep(name, found, age=kept[1])

    def known(self, name: str) -> tuple[A, float] | None:
        """Return what was told last of ``name``, and its age in seconds."""
        kept = self._kept.get(name)
        if kept is None or kept.last is None:
            return None
        return kept.last, max(0.0, self._clock() - kept.at)

    def forget(self, name: str) -> None:
        """Ask again about ``name`` next time."""
        self._kept.pop(name)

    async def _once(
        self, name: str, ask: Callable[[], Awaitable[A | None]], key: str | None
    ) -> A | None:
        while (under_way := self._asking.get(name)) is not None:
            await under_way.wait()
            if (kept := self._fresh(name)) is not None:
                return kept.value
        done = self._asking[name] = asyncio.Event()
        found: A | None = None
        try:
            if key is not None:
                await self.restore(name, key)
                if (kept := self._fresh(name)) is not None:
                    return kept.value
            found = await ask()
            self._keep(name, found)
        except ByteBuddyError as error:
            _log.info("%s could not be asked about %s: %s", self._source, name, error)
            self._keep(name, None)
        finally:
            # Whoever waits for a question that was cancelled asks it again.
            del self._asking[name]
            done.set()
        return found

    def _fresh(self, name: str) -> _Answer[A] | None:
        kept = self._kept.get(name)
        return kept if kept is not None and self._clock() < kept.until else None

    def _keep(self, name: str, value: A | None, *, age: float = 0.0) -> None:
        now = self._clock()
        if value is not None:
            told = _Answer(value, now - age + self._age, value, now - age)
        else:
            before = self._kept.get(name)
            last, at = (None, now) if before is None else (before.last, before.at)
            told = _Answer(None, now + _MINUTE, last, at)
        self._kept.put(name, told)


async def fetch_answer(
    call: HttpRequest, client: HttpClient, *, most: int, bound: JsonBound = USUAL
) -> tuple[int, Mapping[str, str], bytes]:
    """Send ``call`` and return status, headers and body, of ``most`` bytes.

    Its JSON may cost as much as ``bound`` says.

    Raises any ``ByteBuddyError``.
    """
    response = await client.send(call)
    try:
        body = await response.read(most, bound)
    finally:
        response.close()
    return response.status, response.headers, body
