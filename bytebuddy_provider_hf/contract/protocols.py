"""What a host may call on a model, and what a provider gets to open one.

A model implements :class:`Model` and whichever of the other protocols it can; a host
asks with ``isinstance``.
"""

from __future__ import annotations

import os
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager
from logging import Logger
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from bytebuddy_provider_hf.config.model import ModelEntry, Source
from bytebuddy_provider_hf.secret import Environment
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Conversation,
    Event,
    Reply,
    Role,
    Tool,
)

OnEvent: TypeAlias = Callable[[Event], None]


@frozen
class OpenContext:
    """What the registry hands to a provider that opens an entry.

    ``source`` says which file wrote the entry and ``trusted`` whether the user
    trusts that file with every destination. ``runtime`` is whatever the host wants
    shared between the models of a provider; ``None`` lets the provider choose.
    """

    source: Source
    trusted: bool
    state_dir: Path
    cache_dir: Path
    log: Logger
    clock: Callable[[], float]
    runtime: object | None = None
    env: Mapping[str, str] = field(factory=lambda: Environment(os.environ))


class ReplyCall(
    Coroutine[object, object, Reply],
    AbstractAsyncContextManager[AsyncIterator[Event]],
):
    """A call not yet made: await it for a reply, or enter it for its events.

    It is a coroutine, so ``create_task``, ``gather`` and a TaskGroup take it too.
    Leaving the ``async with`` block closes the connection at once.
    """


@runtime_checkable
class Model(Protocol):
    """An opened entry."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def roles(self) -> tuple[Role, ...]: ...
    @property
    def capabilities(self) -> frozenset[str]: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class Chat(Protocol):
    """A model that answers a conversation."""

    def chat(
        self,
        messages: Conversation,
        *,
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        repetition_penalty: float | None = None,
        stop: Sequence[str] | None = None,
        seed: int | None = None,
        tools: Sequence[Tool] = (),
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> ReplyCall:
        """Answer ``messages`` (a string is one user turn)."""
        ...


@runtime_checkable
class Complete(Protocol):
    """A model that continues a text."""

    def complete(
        self,
        prompt: str,
        *,
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        repetition_penalty: float | None = None,
        stop: Sequence[str] | None = None,
        seed: int | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> ReplyCall:
        """Continue ``prompt`` exactly as it stands; no template is applied."""
        ...


@runtime_checkable
class ChatModel(Model, Chat, Protocol):
    """A model that chats: what a registry's models are, as far as types can tell."""


Factory: TypeAlias = Callable[[ModelEntry, OpenContext], Model | Awaitable[Model]]
