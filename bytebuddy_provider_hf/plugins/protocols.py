"""Declare what a host may call on a model, and what a provider gets to open one.

A model implements :class:`Model` and whichever of the other protocols it can; a host
asks with ``isinstance``, or gets one by ``ModelRegistry.chat`` and its like. How to
generate goes into ``options``, so that a provider implements few parameters and a new
option changes no protocol; a class may take more keywords of its own. ``timeout`` is
seconds for the whole call; without ``wait`` a model that is not ready is an error at
once; ``on_event`` is told of every event, and must not block. Calls of one ``session``,
which is a name of at most 256 printable ASCII characters, belong to one conversation:
who can keeps them at one server, for its cache.
"""

from __future__ import annotations

import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager
from datetime import date
from logging import Logger
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from bytebuddy_provider_hf.config.values import AlertOptions, ModelEntry, Source
from bytebuddy_provider_hf.outcomes import (
    Consumption,
    Embeddings,
    Scores,
    TaskReply,
)
from bytebuddy_provider_hf.secret import Environment
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Conversation,
    DoubtMode,
    Event,
    Reply,
    ResponseFormat,
    Role,
    ToolLike,
)

OnEvent: TypeAlias = Callable[[Event], None]


@frozen
class OpenContext:
    """What the registry hands to a provider that opens an entry.

    ``source`` says which file wrote the entry and ``trusted`` whether the user
    trusts that file with every destination. ``runtime`` is whatever the host wants
    shared between the models of a provider; ``None`` lets the provider choose.
    ``ledger`` tells whether calls are counted, in ``state_dir``; ``alerts`` what is
    run when a part of a budget is used up. ``models`` opens another entry of the
    registry by name, as a fallback; ``None`` where there is no registry.
    """

    source: Source
    trusted: bool
    state_dir: Path
    cache_dir: Path
    log: Logger
    clock: Callable[[], float]
    runtime: object | None = None
    # Wrapped: no traceback or log of a provider shows what a variable holds.
    env: Mapping[str, str] = field(factory=lambda: Environment(os.environ))
    ledger: bool = False
    alerts: AlertOptions | None = None
    models: Callable[[str], Awaitable[Model]] | None = None


class ReplyCall(
    Coroutine[object, object, Reply],
    AbstractAsyncContextManager[AsyncIterator[Event]],
):
    """A call not yet made: await it for a reply, or enter it for its events.

    It is a coroutine, so ``create_task``, ``gather`` and a TaskGroup take it too.
    Leaving the ``async with`` block closes the connection at once.
    """

    @staticmethod
    def of(events: Callable[[], AsyncGenerator[Event, None]]) -> ReplyCall:
        """Return a call of these events, for a provider: the last one is ``Done``.

        ``events`` is an async generator function without arguments; it is called when
        the call is awaited or entered, and closed when that ends. Awaited, the call
        gives the reply of ``Done``. ``plugins.kit.reply_call`` keeps to ``timeout`` and
        tells ``on_event``, too.
        """
        # What it makes is a ReplyCall itself.
        from bytebuddy_provider_hf.plugins.pending_reply import call_of

        return call_of(events)


# isinstance looks for the names only (PEP 544): signatures are not compared.
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
class Noticing(Protocol):
    """A model that tells what of its entry it does not do."""

    @property
    def notices(self) -> tuple[str, ...]: ...


@runtime_checkable
class Windowed(Protocol):
    """A model that tells how many tokens it reads, where that is known."""

    @property
    def context_length(self) -> int | None: ...


@runtime_checkable
class Chat(Protocol):
    """A model that answers a conversation."""

    def chat(
        self,
        messages: Conversation,
        *,
        options: CompletionOptions | None = None,
        tools: Sequence[ToolLike] = (),
        tool_choice: str | None = None,
        response_format: ResponseFormat | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        session: str | None = None,
    ) -> ReplyCall:
        """Answer ``messages`` (a string is one user turn).

        A tool is a ``Tool``, OpenAI's mapping of one, or a function with annotations
        and a docstring; what a registry opens is given each as a ``Tool``, and
        ``as_tool`` makes one for whoever is called without a registry.
        ``tool_choice`` is auto, none, required or a tool's name; ``response_format``
        is "json" or a JSON schema.
        """
        ...


@runtime_checkable
class Complete(Protocol):
    """A model that continues a text."""

    def complete(
        self,
        prompt: str,
        *,
        options: CompletionOptions | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        session: str | None = None,
    ) -> ReplyCall:
        """Continue ``prompt`` exactly as it stands; no template is applied."""
        ...


@runtime_checkable
class Fill(Protocol):
    """A model that completes code at a cursor."""

    def fill(
        self,
        prefix: str,
        suffix: str = "",
        *,
        path: str = "",
        language: str = "",
        repository: str = "",
        files: Sequence[tuple[str, str]] = (),
        multiline: bool = True,
        options: CompletionOptions | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        session: str | None = None,
    ) -> ReplyCall:
        """Return what belongs between ``prefix`` and ``suffix``.

        ``files`` are others of the repository as (path, text), the most useful last.
        Without ``multiline`` the answer ends with its line.
        """
        ...


@runtime_checkable
class Edit(Protocol):
    """A model that changes code as it is told."""

    def edit(
        self,
        code: str,
        instruction: str,
        *,
        prefix: str = "",
        suffix: str = "",
        path: str = "",
        language: str = "",
        doubts: DoubtMode = "raise",
        options: CompletionOptions | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        session: str | None = None,
    ) -> ReplyCall:
        """Return the whole of ``code`` changed; the reply has a ``diff`` too.

        ``prefix`` and ``suffix`` are what surrounds it, shown to the model only.
        Raises ``EditDoubtful`` where code may be lost, unless ``doubts`` is "return":
        then the reply has its ``doubts``.
        """
        ...


@runtime_checkable
class Apply(Protocol):
    """A model that applies a suggested change to a file."""

    def apply(
        self,
        original: str,
        suggestion: str,
        *,
        path: str = "",
        language: str = "",
        doubts: DoubtMode = "raise",
        options: CompletionOptions | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        session: str | None = None,
    ) -> ReplyCall:
        """Return ``original`` changed by ``suggestion``; the reply has a ``diff`` too.

        Raises ``ApplyFailed``, which carries both, where a part has no place, and
        ``EditDoubtful`` for a doubtful result, unless ``doubts`` is "return".
        """
        ...


@runtime_checkable
class Embed(Protocol):
    """A model that turns texts into vectors."""

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
        """Return one vector for each text, in order.

        ``query`` puts the configured prefix of queries before each text, not that of
        chunks.
        """
        ...


@runtime_checkable
class Rerank(Protocol):
    """A model that scores how well documents answer a query."""

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> Scores:
        """Return one score for each document, in order."""
        ...


@runtime_checkable
class Tasks(Protocol):
    """A model of another kind: it fills masks, classifies, translates."""

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
        """Return what the model makes of ``inputs`` for the Hub's task ``name``."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A model that counts what its calls use up."""

    async def usage(
        self, *, since: date | None = None, until: date | None = None
    ) -> Consumption:
        """Return what its calls used up, by default since the month began (UTC)."""
        ...


# Awaitable: a provider may have to ask its server before it can open.
Factory: TypeAlias = Callable[[ModelEntry, OpenContext], Model | Awaitable[Model]]
