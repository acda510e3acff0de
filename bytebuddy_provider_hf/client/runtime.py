"""Own what models share: connections, permits, cold starts, for each running loop."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from weakref import WeakKeyDictionary

from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import CATALOGUE, SERVERS, cache_folder
from bytebuddy_provider_hf.errors import Closed
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.http_client import (
    Destination,
    HttpClient,
    HttpClientFactory,
    HttpClients,
)

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.cached_call import Flight
    from bytebuddy_provider_hf.hub.answer_cache import AnswerStore
    from bytebuddy_provider_hf.scheduling.coordinator import Coordinator, Counters


# Seconds that work beside the calls may take when everything is closed.
_GRACE: Final = 0.5


class LoopState:
    """Hold what belongs to one running loop: no other can use its sockets."""

    def __init__(
        self,
        connect: HttpClientFactory,
        jitter: Callable[[], float],
        server_cache: ServerCache | None,
        answers: AnswerStore | None,
    ) -> None:
        # Imported by the first call: a program that opens a model need not make one.
        from bytebuddy_provider_hf.client.providers import ProviderMemory
        from bytebuddy_provider_hf.client.server_info import ServerDetector
        from bytebuddy_provider_hf.hub.models_api import HubCatalogue
        from bytebuddy_provider_hf.hub.rate_limits import RateMemory
        from bytebuddy_provider_hf.hub.router_models import RouterCatalogue
        from bytebuddy_provider_hf.scheduling.coordinator import LocalCoordinator
        from bytebuddy_provider_hf.transport.deadlines import Deadlines

        self.loop = asyncio.get_running_loop()
        self.pid = os.getpid()
        self.coordinator: Coordinator = LocalCoordinator(loop=self.loop, jitter=jitter)
        self.deadlines = Deadlines(self.loop)
        self.clients = HttpClients(connect, self.loop)
        self.rates = RateMemory(clock=self.loop.time, store=answers)
        self.hub = HubCatalogue(clock=self.loop.time, store=answers, rates=self.rates)
        self.detector = ServerDetector(
            loop=self.loop, hub=self.hub, clients=self.clients, store=server_cache
        )
        self.router = RouterCatalogue(clock=self.loop.time, store=answers)
        self.providers = ProviderMemory(clock=self.loop.time)
        self._tasks: set[asyncio.Task[None]] = set()
        # Requests whose answers are kept, while others wait for them, by their keys.
        self.flights: dict[bytes, Flight] = {}
        self._life = self._lived()
        # Begun here, so that the loop knows it and ends it with itself.
        with suppress(StopIteration):
            self._life.asend(None).send(None)

    def begin_task(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Do some work beside the calls; what is not done at the end is cancelled."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Close every connection and stop every timer."""
        await self._life.aclose()

    async def _lived(self) -> AsyncGenerator[None, None]:
        """Close at ``aclose``, or when ``asyncio.run`` ends the loop's generators."""
        try:
            yield
        finally:
            if self._tasks:
                # What a call had asked beside it, such as a price, may just come.
                await asyncio.wait(self._tasks, timeout=_GRACE)
            for task in tuple(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
            self.coordinator.close()
            self.deadlines.close()
            await self.clients.aclose()


class Runtime:
    """Own what models share. Leases count who uses it; the last one out closes it.

    Pass one of your own to give models a transport (``connect``), a seeded ``jitter``,
    a file for what probes find out (``server_cache``), or a store for what Hugging Face
    tells of models (``answers``); then it lives until your ``aclose``. It can be used
    from several event loops one after the other, and in the child of a fork, which gets
    connections of its own.
    """

    def __init__(
        self,
        *,
        connect: HttpClientFactory | None = None,
        jitter: Callable[[], float] = random.random,
        server_cache: ServerCache | None = None,
        answers: AnswerStore | None = None,
    ) -> None:
        self._server_cache = server_cache
        self._answers = answers
        self._connect = connect
        self._jitter = jitter
        self._states: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopState] = (
            WeakKeyDictionary()
        )
        self._leases = 0
        # The state used last: finding it among all of them takes 1.5 µs.
        self._latest: LoopState | None = None
        self._closed = False

    def lease(self) -> Lease:
        """Return a lease: while one is held, connections stay open."""
        self._leases += 1
        return Lease(self)

    def state(self) -> LoopState:
        """Return what belongs to the running loop, made on first use."""
        if self._closed:
            raise Closed(
                text("calls.runtime_was_closed"), hint=text("calls.make_a_new_runtime")
            )
        loop, pid = asyncio.get_running_loop(), os.getpid()
        state = self._latest
        if state is not None and state.loop is loop and state.pid == pid:
            return state
        state = self._states.get(loop)
        if state is None or state.pid != pid:
            # A state holds its loop, so the weak key alone would keep both for ever.
            for ended in [each for each in self._states if each.is_closed()]:
                del self._states[ended]
            state = LoopState(
                self._connect or _sockets,
                self._jitter,
                self._server_cache,
                self._answers,
            )
            self._states[loop] = state
        self._latest = state
        return state

    def counters(self) -> Counters:
        """Return what is in use on the running loop."""
        return self.state().coordinator.counters()

    async def aclose(self) -> None:
        """Close everything on the running loop; nothing can be sent afterwards."""
        self._closed = True
        await self._close_state()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def _returned(self) -> None:
        self._leases -= 1
        if self._leases == 0:
            await self._close_state()

    async def _close_state(self) -> None:
        self._latest = None
        state = self._states.pop(asyncio.get_running_loop(), None)
        if state is not None and state.pid == os.getpid():
            await state.aclose()


class Lease:
    """The right to use a runtime; returned once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime: Runtime | None = runtime

    def state(self) -> LoopState:
        """Return what belongs to the running loop; raises ``Closed``."""
        if self._runtime is None:
            raise Closed(
                text("calls.model_was_closed"), hint=text("calls.open_it_again")
            )
        return self._runtime.state()

    async def aclose(self) -> None:
        """Give the lease back; safe to call again."""
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime._returned()  # noqa: SLF001 - a lease is a part of its runtime


def _sockets(destination: Destination) -> HttpClient:
    # aiohttp is imported when the first request leaves, not when a model opens.
    from bytebuddy_provider_hf.transport.pool import open_http_client

    return open_http_client(destination)


def server_cache_file() -> Path:
    """Return where facts about servers are kept between processes."""
    return cache_folder(os.environ, home_folder()) / SERVERS.name


def answers_folder() -> Path:
    """Return where Hugging Face's answers about models are kept between processes."""
    return cache_folder(os.environ, home_folder()) / CATALOGUE.name


shared_runtime = Runtime(
    server_cache=ServerCache(server_cache_file()),
    answers=KeptAnswers(answers_folder()),
)


class _Defaults(threading.local):
    """The runtime of what is opened in a thread without one of its own."""

    runtime = shared_runtime


defaults = _Defaults()
