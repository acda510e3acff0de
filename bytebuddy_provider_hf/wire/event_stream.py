"""What every stream of server-sent events has in common: bounds, errors, the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Generic, NoReturn, TypeVar

from bytebuddy_provider_hf.errors import (
    MalformedResponse,
    ResponseError,
    ResponseTooLarge,
    StreamInterrupted,
)
from bytebuddy_provider_hf.failures.body_text import error_message
from bytebuddy_provider_hf.failures.classify import stream_failed
from bytebuddy_provider_hf.types import Event, Reply
from bytebuddy_provider_hf.wire.sse import SseDecoder, SseEvent

MAX_STREAM: Final = 256 * 1024 * 1024

_P = TypeVar("_P")
_E = TypeVar("_E", bound=ResponseError)


def same(text: str) -> str:
    """Return a text in which there is nothing to hide."""
    return text


class EventStreamDecoder(ABC, Generic[_P]):
    """Turn the bytes of a stream into events; the last step is :meth:`close`.

    A protocol says how one event's data are decoded, what is read of them, and when
    the answer is complete. ``scrub`` takes secrets out of what the server says about
    errors.
    """

    # Whether OpenAI's mark ends the stream; elsewhere some proxies add it.
    mark_ends = True

    def __init__(
        self,
        *,
        model: str,
        request_id: str | None = None,
        scrub: Callable[[str], str] = same,
    ) -> None:
        self._sse = SseDecoder()
        self._model = model
        self._request_id = request_id
        self._scrub = scrub
        self._size = 0
        # Whether the end came: nothing after it is read.
        self.done = False
        # Data events so far, so that a watch can tell pings from progress.
        self.events = 0

    @property
    @abstractmethod
    def partial(self) -> str:
        """The text that has come so far."""

    @abstractmethod
    def reply(self) -> Reply:
        """Return the reply as far as it has come."""

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``.

        Raises ``StreamFailed`` for an error inside the stream, ``MalformedResponse``
        for data that is not JSON, ``ResponseTooLarge`` above 256 MiB.
        """
        self._size += len(chunk)
        if self._size > MAX_STREAM:
            raise self._with_partial(ResponseTooLarge("The stream exceeds 256 MiB."))
        events: list[Event] = []
        try:
            blocks = self._sse.feed(chunk)
        except ResponseTooLarge as error:
            raise self._with_partial(error) from None
        for block in blocks:
            if self.done:
                break
            self._read(block, events)
        if self.done:
            self._finish(events)
        return events

    def close(self) -> tuple[list[Event], Reply]:
        """Return the last events and the reply, the connection having ended well.

        Raises ``StreamInterrupted`` unless the end of the answer came.
        """
        events: list[Event] = []
        for block in () if self.done else self._sse.flush():
            # What lacks its blank line may be cut: then it is neither mark nor JSON.
            if is_mark(block.data) or self._decode(block.data) is not None:
                self._read(block, events)
        if not self._complete():
            message = "The stream ended before the answer was complete."
            raise self._with_partial(StreamInterrupted(message)) from None
        self._finish(events)
        return events, self.reply()

    @staticmethod
    @abstractmethod
    def _decode(data: bytes) -> _P | None:
        """Return the value of one event, or ``None`` where it is not JSON."""

    @abstractmethod
    def _take(self, piece: _P, data: bytes, events: list[Event]) -> None:
        """Read one event; ``data`` is what it was decoded from."""

    def _complete(self) -> bool:
        """Whether what came is a whole answer."""
        return self.done

    def _finish(self, events: list[Event]) -> None:
        """Add what was held back until the end; a second time there is nothing."""

    def _read(self, event: SseEvent, events: list[Event]) -> None:
        data = event.data
        self.events += 1
        piece = self._decode(data)
        if piece is None and is_mark(data):
            self.done = self.mark_ends
            return
        if piece is None or event.name == "error":
            self._unreadable(event)
        self._take(piece, data, events)

    def _unreadable(self, event: SseEvent) -> NoReturn:
        # transformers serve writes errors by hand: a quote in one breaks the JSON.
        if event.name == "error" or event.data[:8] == b'{"error"':
            self._failed(event.data)
        said = self._scrub(error_message(event.data))
        raise self._with_partial(
            MalformedResponse(f"The stream holds what is not JSON: {said}.")
        )

    def _failed(self, data: bytes) -> NoReturn:
        raise self._with_partial(stream_failed(data, self._scrub))

    def _with_partial(self, error: _E) -> _E:
        error.partial = self.partial
        return error


def is_mark(data: bytes) -> bool:
    """Whether data are the mark that ends a stream of OpenAI's."""
    return data.strip().lower() == b"[done]"
