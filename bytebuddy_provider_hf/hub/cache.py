"""Keep answers with their age; each is asked for once, whoever asks meanwhile waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Generic, TypeVar

from attrs import frozen

from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.transport.bounded import BoundedCache
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

_log: Final = logging.getLogger(__name__)

# After a failure: an outage costs at most one wait a minute for each model.
_MINUTE: Final = 60.0
# Models and lists that are remembered, whatever a long-lived host asks about.
_MOST: Final = 256

A = TypeVar("A")


@frozen
class _Answer(Generic[A]):
    value: A | None
    until: float


class AnswerCache(Generic[A]):
    """Keep each answer for ``age`` seconds of ``clock``; ``source`` is who gives them.

    What failed is not tried again for a minute, and never fails a call: it is as if
    the source did not know.
    """

    def __init__(self, source: str, *, age: float, clock: Callable[[], float]) -> None:
        self._source = source
        self._age = age
        self._clock = clock
        self._kept: BoundedCache[str, _Answer[A]] = BoundedCache(_MOST)
        # Events and no tasks: a caller that is cancelled ends its own question only,
        # and whoever waits for that asks anew.
        self._asking: dict[str, asyncio.Event] = {}

    async def get(
        self, name: str, ask: Callable[[], Awaitable[A | None]], *, limit: float
    ) -> A | None:
        """Return the answer about ``name`` within ``limit`` seconds, or ``None``.

        Where no time is left, only what is kept is looked at.
        """
        if (kept := self._fresh(name)) is not None:
            return kept.value
        if limit <= 0:
            return None
        try:
            async with asyncio.timeout(limit):
                return await self._once(name, ask)
        except TimeoutError:
            source = self._source
            _log.info("%s did not tell about %s within %.1f s", source, name, limit)
        # Whoever still asks, with more time, will keep what it hears.
        if name not in self._asking:
            self._keep(name, None)
        return None

    def known(self, name: str) -> tuple[A, float] | None:
        """Return what is kept about ``name``, fresh, and its age in seconds."""
        kept = self._fresh(name)
        if kept is None or kept.value is None:
            return None
        return kept.value, self._age - (kept.until - self._clock())

    def forget(self, name: str) -> None:
        """Ask again about ``name`` next time."""
        self._kept.pop(name)

    async def _once(
        self, name: str, ask: Callable[[], Awaitable[A | None]]
    ) -> A | None:
        while (under_way := self._asking.get(name)) is not None:
            await under_way.wait()
            if (kept := self._fresh(name)) is not None:
                return kept.value
        done = self._asking[name] = asyncio.Event()
        found: A | None = None
        try:
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

    def _keep(self, name: str, value: A | None) -> None:
        age = _MINUTE if value is None else self._age
        self._kept.put(name, _Answer(value, self._clock() + age))


async def fetch_answer(
    call: HttpRequest, client: HttpClient, *, most: int
) -> tuple[int, Mapping[str, str], bytes]:
    """Send ``call`` and return status, headers and body, of ``most`` bytes.

    Raises any ``ByteBuddyError``.
    """
    response = await client.send(call)
    try:
        body = await response.read(most)
    finally:
        response.close()
    return response.status, response.headers, body
