"""Turn the bytes of an answer into events and a reply, whole or streamed.

A whole answer is read into the same state as a stream, so that both cannot disagree.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Generic, TypeVar

from bytebuddy_provider_hf.errors import (
    MalformedResponse,
    ResponseError,
    ResponseTooLarge,
    StreamFailed,
    StreamInterrupted,
)
from bytebuddy_provider_hf.failures.body_text import MAX_BODY, error_message
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Event, Reply
from bytebuddy_provider_hf.wire.sse import SseDecoder, SseEvent

# A model that never stops must not fill the memory: no answer comes near this.
MAX_STREAM: Final = 256 * 1024 * 1024

_P = TypeVar("_P")
_E = TypeVar("_E", bound=ResponseError)


class StreamDecoder(ABC):
    """Turn the bytes of one answer into events.

    ``done`` tells that the end came, after which nothing is read, ``stopped_early``
    that the server may still be writing all the same. ``events`` counts data events, so
    that a watch can tell pings from progress.
    """

    done = False
    stopped_early = False
    events = 0

    @property
    @abstractmethod
    def partial(self) -> str:
        """The text that has come so far."""

    @abstractmethod
    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``; raises ``ResponseError``."""

    @abstractmethod
    def close(self) -> tuple[list[Event], Reply]:
        """Return the last events and the reply, the connection having ended well.

        Raises ``StreamInterrupted`` unless the end of the answer came.
        """

    @abstractmethod
    def whole(self, body: bytes) -> Reply:
        """Return the reply in an answer of one piece.

        Raises ``MalformedResponse`` when there is no reply in it, also when the body
        is an error that came with status 200.
        """

    @abstractmethod
    def reply(self) -> Reply:
        """Return the reply as far as it has come."""


class EventStreamDecoder(StreamDecoder, Generic[_P]):
    """Turn server-sent events into events; the last step is :meth:`close`.

    A protocol says how one event's data are decoded, what is read of them, and when
    the answer is complete. What a server says about an error is quoted as it stands:
    who shows it masks the secrets in it.
    """

    # Whether OpenAI's mark ends the stream; elsewhere some proxies add it.
    mark_ends = True

    def __init__(self, *, model: str) -> None:
        self._sse = SseDecoder()
        self._model = model
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``.

        Raises ``StreamFailed`` for an error inside the stream, ``MalformedResponse``
        for data that is not JSON, ``ResponseTooLarge`` above 256 MiB.
        """
        # Counted by bytes, for an event may say nothing in a megabyte.
        self._size += len(chunk)
        if self._size > MAX_STREAM:
            raise self._with_partial(ResponseTooLarge(text("wire.stream_too_large")))
        events: list[Event] = []
        try:
            # After the end nothing is read, on neither way.
            lines = None if self.done else self._sse.plain_lines(chunk)
            blocks = [] if lines is not None else self._sse.feed(chunk)
        except ResponseTooLarge as error:
            raise self._with_partial(error) from None
        if lines is not None:
            lines = self._take_plain(lines, events)
            if not lines:
                return events
            blocks = [
                SseEvent("", line)
                for line in lines.split(b"\n")
                # As SseDecoder does: some proxies write their keep-alive as data.
                if line and line[:1] != b":"
            ]
        for block in blocks:
            if self.done:
                break
            self._read(block, events)
        if self.done:
            self._finish(events)
        return events

    def close(self) -> tuple[list[Event], Reply]:
        """Return the last events and the reply; raises ``StreamInterrupted``."""
        events: list[Event] = []
        for block in () if self.done else self._sse.flush():
            # Servers that forget the last blank line are read all the same.
            # What lacks its blank line may be cut: then it is neither mark nor JSON.
            if is_mark(block.data) or self._decode(block.data) is not None:
                self._read(block, events)
        if not self._complete():
            message = text("wire.stream_ended")
            raise self._with_partial(StreamInterrupted(message)) from None
        self._finish(events)
        return events, self.reply()

    @staticmethod
    @abstractmethod
    def _decode(data: bytes, /) -> _P | None:
        """Return the value of one event, or ``None`` where it is not JSON."""

    @abstractmethod
    def _take(self, piece: _P, data: bytes, events: list[Event]) -> None:
        """Read one event; ``data`` is what it was decoded from."""

    def _take_plain(self, lines: bytes, events: list[Event]) -> bytes:
        """Read what is of the common form; return the lines that are left to read."""
        del events
        return lines

    # Not every protocol has an end mark, nor every server that has one sends it.
    def _complete(self) -> bool:
        """Whether what came is a whole answer."""
        return self.done

    def _finish(self, events: list[Event]) -> None:
        """Add what was held back until the end; a second time there is nothing."""

    def _read(self, event: SseEvent, events: list[Event]) -> None:
        data = event.data
        self.events += 1
        # The mark is no JSON, so that asking for it costs nothing as long as it is.
        piece = self._decode(data)
        if piece is None and is_mark(data):
            self.done = self.mark_ends
            return
        # transformers serve writes errors by hand: a quote in one breaks the JSON.
        if event.name == "error" or (piece is None and data[:8] == b'{"error"'):
            raise self._failed(data)
        if piece is None:
            said = text("wire.stream_not_json", said=error_message(data))
            raise self._with_partial(MalformedResponse(said))
        self._take(piece, data, events)

    def _failed(self, data: bytes) -> StreamFailed:
        """Return the error of an event that reports one."""
        return self._with_partial(stream_failed(data))

    def _with_partial(self, error: _E) -> _E:
        error.partial = self.partial
        return error


def is_mark(data: bytes) -> bool:
    """Whether data are the mark that ends a stream of OpenAI's."""
    return data.strip().lower() == b"[done]"


def stream_failed(data: bytes) -> StreamFailed:
    """Return the error of an event that reports one, what it says as it stands."""
    said = error_message(data)
    error = StreamFailed(text("failures.in_stream", said=said))
    # As text and uncut: the secrets in it are masked by who knows them.
    error.event = data[:MAX_BODY].decode("utf-8", "replace")
    return error


def without_reply(body: bytes, server: str) -> MalformedResponse:
    """Return the error of a whole answer that holds no reply of such a ``server``."""
    said = error_message(body) or text("failures.empty_body")
    return MalformedResponse(
        text("wire.without_reply", said=said),
        hint=text("wire.without_reply_hint", server=server),
    )
