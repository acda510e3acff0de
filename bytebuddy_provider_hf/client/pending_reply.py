"""The object that ``model.chat`` returns: awaited for a reply, entered for events."""

from __future__ import annotations

import warnings
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
)
from types import TracebackType

from bytebuddy_provider_hf.client.reader_task import ReaderTask
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.types import Event, Reply


class PendingReply(ReplyCall):
    """A call that has not begun; it begins when awaited or entered, and only once."""

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

    async def __aenter__(self) -> AsyncIterator[Event]:
        # Made here and not before: a generator that nobody enters must be closed too.
        self._claim()
        self._events = self._stream()
        return self._events

    async def __aexit__(self, *exc: object) -> None:
        if self._events is not None:
            await self._reading.cancel(self._events)

    # As Python does for a coroutine that is never awaited: nothing was sent.
    def __del__(self) -> None:
        if self._coroutine is None and self._events is None and self._begin != _spent:
            warnings.warn(
                "a call was made and never awaited or entered",
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
