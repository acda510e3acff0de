"""A second provider, for tests: it says the question again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from types import TracebackType

from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.plugins.protocols import (
    Model,
    OnEvent,
    OpenContext,
    ReplyCall,
)
from bytebuddy_provider_hf.plugins.spec import ProviderSpec, hookimpl
from bytebuddy_provider_hf.prompts.messages import message_text, read_messages
from bytebuddy_provider_hf.types import Conversation, Done, Event, Reply, Role, Text


class EchoCall(ReplyCall):
    def __init__(self, text: str, on_event: OnEvent | None = None) -> None:
        self._told = on_event or (lambda _: None)
        self._reply = Reply(text=text, finish_reason="stop")
        self._coroutine = self._answer()

    async def _answer(self) -> Reply:
        await asyncio.sleep(0)
        async for event in self._events():
            self._told(event)
        return self._reply

    async def _events(self) -> AsyncIterator[Event]:
        yield Text(self._reply.text)
        yield Done(self._reply)

    def __await__(self) -> Generator[object, object, Reply]:
        return self._coroutine.__await__()

    def send(self, value: object) -> object:
        return self._coroutine.send(value)

    def throw(self, *error: object) -> object:
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    async def __aenter__(self) -> AsyncIterator[Event]:
        self._coroutine.close()
        return self._events()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


class EchoModel:
    capabilities: frozenset[str] = frozenset()

    def __init__(self, entry: ModelEntry, context: OpenContext) -> None:
        self.entry = entry
        self.context = context
        self.name = entry.name
        self.model = entry.model
        self.roles: tuple[Role, ...] = entry.roles
        self.closed = 0

    def chat(
        self, messages: Conversation, *, on_event: OnEvent | None = None, **_: object
    ) -> EchoCall:
        return EchoCall(message_text(read_messages(messages)[-1]), on_event)

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


def open_entry(entry: ModelEntry, context: OpenContext) -> Model:
    return EchoModel(entry, context)


async def open_later(entry: ModelEntry, context: OpenContext) -> Model:
    await asyncio.sleep(0)
    return EchoModel(entry, context)


@hookimpl
def bytebuddy_providers() -> tuple[ProviderSpec, ...]:
    return (
        ProviderSpec("echo", "echo_provider:open_entry", aliases=("parrot",)),
        ProviderSpec("echo-later", "echo_provider:open_later"),
    )
