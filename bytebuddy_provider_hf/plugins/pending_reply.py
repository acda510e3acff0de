"""The object that ``model.chat`` returns: awaited for a reply, entered for events."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterator,
)
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, cast

from bytebuddy_provider_hf.errors import (
    Closed,
    DeadlineExceeded,
    NotAwaited,
    StreamInterrupted,
)
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import (
    Choice,
    Done,
    Event,
    Reasoning,
    Reply,
    Text,
    ToolCallDelta,
)

_END: Final = object()


class ReaderTask:
    """The task that waits inside a generator of events, and its way out.

    A generator cannot be closed while another task waits in it, and the connection is
    to be closed at once all the same. That task is told by ``Closed``: what ends early
    never ends in silence.
    """

    __slots__ = ("_cancelling", "_left", "_task")

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._left = False
        self._cancelling = 0

    def enter_wait(self) -> None:
        """Note that the running task is about to wait."""
        self._task = asyncio.current_task()

    async def cancel(self, events: AsyncGenerator[Event, None]) -> None:
        """End the wait of another task in ``events``, and close these."""
        task = self._task
        if task is not None and _is_running(events):
            # Others may have asked the task to end before: that stays their wish.
            self._left, self._cancelling = True, task.cancelling()
            task.cancel()
            while _is_running(events):  # noqa: ASYNC110 - a generator has no event
                await asyncio.sleep(0)
        await events.aclose()

    def __enter__(self) -> Self:
        self.enter_wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._left or kind is not asyncio.CancelledError:
            return
        if self._task is None or self._task.uncancel() > self._cancelling:
            return  # somebody else wants the task to end as well
        raise Closed(
            text("calls.block_of_this_call_was_left_while"),
            hint=text("calls.let_that_task_end_before_you_leave"),
        ) from None


def _is_running(events: AsyncGenerator[Event, None]) -> bool:
    """Whether a task waits inside a generator; wrappers of one have no such mark."""
    return bool(getattr(events, "ag_running", False))


class PendingReply(ReplyCall):
    """A call that has not begun; it begins when awaited or entered, and only once.

    It has nothing of a ``Reply`` itself, and is not iterated without ``async with``:
    after a ``break`` nobody would close its connection. Both raise ``NotAwaited``.
    """

    __slots__ = ("_begin", "_coroutine", "_events", "_reading", "_stream")

    def __init__(
        self,
        begin: Callable[[], Coroutine[object, object, Reply]],
        stream: Callable[[], AsyncGenerator[Event, None]],
        reading: ReaderTask | None = None,
    ) -> None:
        self._begin = begin
        self._reading = reading or ReaderTask()
        self._stream = stream
        self._coroutine: Coroutine[object, object, Reply] | None = None
        self._events: AsyncGenerator[Event, None] | None = None

    def __await__(self) -> Generator[object, object, Reply]:
        return self._started().__await__()

    def send(self, value: object) -> object:
        """Run until the next suspension, as a coroutine does."""
        return self._started().send(value)

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
    ) -> object:
        """Raise inside the call, as a coroutine does."""
        # The three forms in which PEP 342 lets a generator be thrown into.
        # The three-argument form, which generators took before Python 3.12.
        error = kind if isinstance(kind, BaseException) else value
        if not isinstance(error, BaseException):
            error = kind() if isinstance(kind, type) else kind
        return self._started().throw(error.with_traceback(traceback))

    def close(self) -> None:
        """End the call."""
        if self._coroutine is not None:
            self._coroutine.close()
        self._begin = _spent

    def unbegun(self) -> Callable[[], PendingReply]:
        """Give the call away: return what makes it again; this object is spent."""
        begin, stream, reading = self._begin, self._stream, self._reading
        self._claim()
        return lambda: PendingReply(begin, stream, reading)

    async def __aenter__(self) -> AsyncIterator[Event]:
        # Made here and not before: a generator that nobody enters must be closed too.
        self._claim()
        self._events = self._stream()
        return self._events

    async def __aexit__(self, *exc: object) -> None:
        if self._events is not None:
            await self._reading.cancel(self._events)

    def __repr__(self) -> str:
        if self._coroutine is not None:
            state = "awaited"
        elif self._events is not None:
            state = "entered"
        elif self._begin is _spent:
            state = "closed"
        else:
            # Whoever sees this in a shell has forgotten it.
            state = "await it for its reply, or enter it with async with for its events"
        return f"<{type(self).__name__}: {state}>"

    # A type checker must not believe that there are such attributes.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            if name.startswith("_") or not hasattr(Reply, name):
                message = f"{type(self).__name__!r} object has no attribute {name!r}"
                raise AttributeError(message, name=name, obj=self)
            raise NotAwaited(
                text("calls.not_awaited", name=name), hint=text("calls.how_to_await")
            )

        def __aiter__(self) -> AsyncIterator[Event]:
            raise NotAwaited(text("calls.not_entered"), hint=text("calls.how_to_await"))

    # As Python does for a coroutine that is never awaited: nothing was sent.
    def __del__(self) -> None:
        if self._coroutine is None and self._events is None and self._begin != _spent:
            warnings.warn(
                "a call was made and never awaited, or entered with async with",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )

    def _started(self) -> Coroutine[object, object, Reply]:
        # Awaited twice it is the same coroutine, and Python says what is wrong.
        if self._coroutine is None:
            begin = self._begin
            self._claim()
            self._coroutine = begin()
        return self._coroutine

    def _claim(self) -> None:
        if self._begin is _spent:
            message = "this call was already made; ask the model again"
            raise RuntimeError(message)
        self._begin = _spent


def _spent() -> Coroutine[object, object, Reply]:
    message = "this call was already made; ask the model again"
    raise RuntimeError(message)


def events_of(reply: Reply) -> Iterator[Event]:
    """Yield the events of an answer that came in one piece."""
    answers: tuple[Reply | Choice, ...] = reply.choices or (reply,)
    for number, each in enumerate(answers):
        if each.reasoning:
            yield Reasoning(each.reasoning, number)
        if each.text:
            yield Text(each.text, number)
        for at, call in enumerate(each.tool_calls):
            yield ToolCallDelta(at, call.id, call.name, call.arguments, number)
    yield Done(reply)


def call_of(
    events: Callable[[], AsyncGenerator[Event, None]],
    *,
    timeout: float | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> ReplyCall:
    """Return a call of a provider's events, the last of which is ``Done``.

    After ``timeout`` seconds it ends with ``DeadlineExceeded``. ``on_event`` is told of
    every event of a call that is awaited.
    """

    async def stream() -> AsyncGenerator[Event, None]:
        now = asyncio.get_running_loop().time()
        until = None if timeout is None else now + timeout
        async with aclosing(events()) as came:
            while True:
                # Not around the yield: it would end what the reader does meanwhile.
                limit = asyncio.timeout_at(until)
                try:
                    async with limit:
                        event = await anext(came, _END)
                except TimeoutError:
                    if not limit.expired():
                        raise
                    raise DeadlineExceeded(
                        text("kit.deadline", seconds=f"{timeout:,g}"),
                        hint=text("kit.deadline_hint"),
                    ) from None
                if event is _END:
                    return
                # Whatever it is: a host's registry tells what is no event.
                yield cast("Event", event)

    async def reply() -> Reply:
        async with aclosing(stream()) as came:
            async for event in came:
                if on_event is not None:
                    on_event(event)
                if isinstance(event, Done):
                    return event.reply
        raise StreamInterrupted(text("plugins.no_done"))

    return PendingReply(reply, stream)
