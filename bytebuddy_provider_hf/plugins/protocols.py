"""Declare what a host may call on a model, and what a provider gets to open one.

A model implements :class:`Model` and whichever of the other protocols it can; a host
asks with ``isinstance``, or gets one by ``ModelRegistry.chat`` and its like. How to
generate goes into ``options``, so that a provider implements few parameters and a new
option changes no protocol; a class may take more keywords of its own. ``timeout`` is
seconds for the whole call; without ``wait`` a model that is not ready is an error at
once; ``on_event`` is told of every event of a call that is awaited, and must not block:
``Done`` is the last where a ``Reply`` is given, whose text may come in one piece.
Calls of one ``session``, which is a name of at most 256 printable ASCII characters,
belong to one conversation: who can keeps them at one server, for its cache.
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

        Awaited, the call gives the reply of ``Done``. ``plugins.kit.reply_call`` keeps
        to ``timeout`` and tells ``on_event``, too.

        Args:
            events: An async generator function without arguments. It is called when
                the call is awaited or entered, and closed when that ends.
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

    async def aclose(self) -> None:
        """Give back what the model holds; a second call does nothing."""
        ...


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

        Args:
            messages: The conversation: a text is one user turn; else ``Message``s
                or OpenAI's mappings, the oldest first.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            tools: What the model may call: ``Tool``s, OpenAI's mappings, or
                functions.
            tool_choice: auto, none, required, or the name of the one tool to call.
            response_format: "json", a JSON schema, or OpenAI's ``response_format``.
            timeout: Seconds for the whole call, waiting included; by default the
                provider's.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.

        Raises:
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
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
        """Continue ``prompt`` exactly as it stands; no template is applied.

        Args:
            prompt: The text to continue.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            timeout: Seconds for the whole call, waiting included; by default the
                provider's.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.

        Raises:
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
        """
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

        Args:
            prefix: The code before the cursor.
            suffix: The code after the cursor.
            path: The file's path in its repository, for the model.
            language: Its programming language; by default that of the path.
            repository: The repository's name, for the model.
            files: Others of the repository as (path, text), the most useful last.
            multiline: Without it the answer ends with its line.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            timeout: Seconds for the whole call, waiting included; by default the
                provider's.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.

        Raises:
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
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

        Args:
            code: The code to change.
            instruction: What to change, in words.
            prefix: The code before it, shown to the model and not changed.
            suffix: The code after it, likewise.
            path: The file's path in its repository, for the model.
            language: Its programming language; by default that of the path.
            doubts: "raise" makes a doubtful change an error; with "return" the
                reply has its ``doubts``.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            timeout: Seconds for the whole call, waiting included; by default the
                provider's.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.

        Raises:
            EditDoubtful: Code may be lost by the change, unless ``doubts`` is
                "return".
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
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

        Args:
            original: The text to change.
            suggestion: The change: a diff, code with markers of what is left out,
                or a whole file.
            path: The file's path in its repository, for the model.
            language: Its programming language; by default that of the path.
            doubts: "raise" makes a doubtful change an error; with "return" the
                reply has its ``doubts``.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            timeout: Seconds for the whole call, waiting included; by default the
                provider's.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.

        Raises:
            ApplyFailed: A part has no place; the error carries both texts.
            EditDoubtful: A line may be lost, unless ``doubts`` is "return".
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
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

        Args:
            texts: A text, or a list of them.
            query: Put the configured prefix of queries before each text, not that
                of chunks.
            dimensions: The length of the vectors, where the server can shorten
                them.
            timeout: Seconds for the whole call, waiting included; by default the
                provider's.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.

        Raises:
            ByteBuddyError: Any of them, as docs/failures.md lists.
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
        """Return one score for each document, in order.

        Args:
            query: What the documents are to answer.
            documents: The texts to score.
            timeout: Seconds for the whole call, waiting included; by default the
                provider's.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.

        Raises:
            ByteBuddyError: Any of them, as docs/failures.md lists.
        """
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
        """Return what the model makes of ``inputs`` for the Hub's task ``name``.

        Args:
            name: The task, as the Hub calls it: fill-mask, text-classification, …
            inputs: A text, a list of texts, or the mapping that the task wants.
            parameters: The task's own parameters, as the Hub documents them.
            timeout: Seconds for the whole call, waiting included; by default the
                provider's.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.

        Raises:
            ByteBuddyError: Any of them, as docs/failures.md lists.
        """
        ...


@runtime_checkable
class Metered(Protocol):
    """A model that counts what its calls use up."""

    async def usage(
        self, *, since: date | None = None, until: date | None = None
    ) -> Consumption:
        """Return what its calls used up, by default since the month began (UTC).

        Args:
            since: The first day (UTC); by default the first of this month.
            until: The last day (UTC), included; by default today.
        """
        ...


# Awaitable: a provider may have to ask its server before it can open.
Factory: TypeAlias = Callable[[ModelEntry, OpenContext], Model | Awaitable[Model]]
