"""A model over any simulated server in memory, for the roles that write no text."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from attrs import define, field
from client.harness import leftover_tasks

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_entry
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import (
    EmbeddingPrefixes,
    EmbedOptions,
    ModelEntry,
    RequestOptions,
    Source,
)
from bytebuddy_provider_hf.plugins.protocols import OpenContext
from bytebuddy_provider_hf.scheduling.coordinator import Counters
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import MODEL, json_reply
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.types import DEFAULT_ROLES

ENDPOINT = "https://x.endpoints.huggingface.cloud"
IDLE = Counters(permits=0, queued=0, queues_active=0)


@define
class Stand:
    """A model, the requests it made, and how many were in flight at once."""

    handler: Handler
    delay: float = 0.0
    requests: list[FakeRequest] = field(factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def __call__(self, request: FakeRequest) -> FakeReply:
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.delay)
            return await self.handler(request)
        finally:
            self.in_flight -= 1

    @property
    def asked(self) -> list[FakeRequest]:
        """The requests that were no questions about the server."""
        return [each for each in self.requests if each.method == "POST"]

    def sizes(self, key: str) -> list[int]:
        """How many inputs each request had."""
        found = [each.value(key) for each in self.asked]
        return [len(each) if isinstance(each, list) else 1 for each in found]

    def paths(self) -> set[str]:
        return {each.path for each in self.asked}


@define
class Open:
    """A stand and the model that asks it."""

    stand: Stand
    connect: MemoryConnect
    runtime: Runtime
    model: HuggingFaceModel

    def settled(self) -> None:
        """Assert that nothing is held any more: permits, connections, tasks."""
        assert self.runtime.counters() == IDLE
        assert self.connect.open == 0
        assert not leftover_tasks()


def at(
    handler: Handler,
    *,
    model: str = MODEL,
    base: str | None = ENDPOINT,
    delay: float = 0.0,
    embed: EmbedOptions | None = None,
    requests: RequestOptions | None = None,
) -> Open:
    """Return a model at an address that ``handler`` answers."""
    stand = Stand(handler, delay)
    connect = MemoryConnect(stand)
    runtime = Runtime(connect=connect)
    entry = ModelEntry(
        name="m",
        provider="huggingfaceinferenceapi",
        model=model,
        api_key=Secret("hf_test_key"),
        api_base=base,
        roles=DEFAULT_ROLES,
        embed_options=embed,
        request_options=requests or RequestOptions(),
    )
    return Open(stand, connect, runtime, _opened(entry, runtime))


def _opened(entry: ModelEntry, runtime: Runtime) -> HuggingFaceModel:
    nowhere = Path("/nonexistent/.bytebuddy")
    context = OpenContext(
        source=Source(),
        trusted=True,
        state_dir=nowhere,
        cache_dir=nowhere,
        log=logging.getLogger("test"),
        clock=lambda: 0.0,
        runtime=runtime,
        env={},
    )
    return open_entry(entry, context)


def prefixed(chunk: str, query: str) -> EmbedOptions:
    return EmbedOptions(embedding_prefixes=EmbeddingPrefixes(chunk, query))


def changed(
    handler: Handler, change: Callable[[FakeRequest, object], object]
) -> Callable[[FakeRequest], Awaitable[FakeReply]]:
    """Let ``change`` rewrite what a server answers to a POST."""

    async def answer(request: FakeRequest) -> FakeReply:
        reply = await handler(request)
        if request.method != "POST" or reply.status != 200:
            return reply
        return json_reply(change(request, json.loads(b"".join(reply.body))))

    return answer
