"""Server-sent events: bytes in, events out.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
with the lenient readings that real servers need: an event at the end of the stream that
lacks its blank line is delivered by :meth:`SseDecoder.flush`, a field named ``error``
(old llama.cpp builds) is read as an event of that name, and events that carry nothing
(empty data, a keep-alive written as data) are left out. Nobody reconnects to an answer,
so ``id`` and ``retry`` are read over.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.texts import text

# The specification allows one at the very start; nobody sends it on purpose.
_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")

# One event of an answer stays far below this; a stranger's need not.
MAX_EVENT: Final = 8 * 1024 * 1024


class SseEvent(NamedTuple):
    """An event; ``name`` is empty for the default type ``message``."""

    name: str
    data: bytes


class SseDecoder:
    """Split a byte stream, cut anywhere, into events.

    Time and memory are linear in what is fed. Raises ``ResponseTooLarge`` when one
    event exceeds ``max_event`` bytes.
    """

    __slots__ = ("_buffer", "_data", "_fresh", "_max", "_name", "_size", "_skip_lf")

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self._buffer = bytearray()
        self._data: list[bytes] = []
        self._fresh = True
        self._max = max_event
        self._name = ""
        self._size = 0
        self._skip_lf = False

    def plain_lines(self, chunk: bytes) -> bytes | None:
        """Return the data of the events in ``chunk``, a line each; ``None`` if not so.

        This is the form that nearly every server sends: whole blocks of one line
        ``data: …`` each, whose last may still be coming. Nothing was read where
        ``None`` is returned: then :meth:`feed` is for the chunk.
        """
        end = chunk.rfind(b"\n\n")
        # Asked first: what is held back may be long, and is copied below.
        if end < 0 or self._data or self._name or self._skip_lf:
            return None
        end += 2
        held, rest = bytes(self._buffer), chunk[end:]
        blocks = held + chunk[:end] if held else chunk[:end]
        if (
            blocks[:6] != b"data: "
            or b"\n" in rest
            or b"\r" in chunk
            or len(held) + len(chunk) > self._max
        ):
            return None
        lines = blocks[6:-2].replace(b"\n\ndata: ", b"\n")
        # A border between two blocks lost 7 bytes and left one line end: where there
        # are others, some block has another form.
        if 7 * lines.count(b"\n") != len(blocks) - 8 - len(lines):
            return None
        self._buffer[:] = rest
        self._fresh = False
        return lines

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Return the events that ``chunk`` completes."""
        if not chunk:
            return []
        if self._skip_lf and chunk[:1] == b"\n":
            chunk = chunk[1:]
        # A "\n" that follows in the next chunk belongs to this line's end.
        self._skip_lf = chunk[-1:] == b"\r"
        # What is held back has no line end in it: it is not searched again.
        scanned = len(self._buffer)
        self._buffer += chunk
        events: list[SseEvent] = []
        start = 0
        for match in _LINE_END.finditer(self._buffer, scanned):
            line = bytes(self._buffer[start : match.start()])
            start = match.end()
            self._line(line, events)
        del self._buffer[:start]
        if len(self._buffer) + self._size > self._max:
            self._refuse()
        return events

    def flush(self) -> list[SseEvent]:
        """Return the last event of a stream that ended without a blank line."""
        events: list[SseEvent] = []
        if self._buffer:
            line = bytes(self._buffer)
            self._buffer.clear()
            self._line(line, events)
        self._dispatch(events)
        return events

    def _line(self, line: bytes, events: list[SseEvent]) -> None:
        if self._fresh:
            line = line.removeprefix(_BOM)
            self._fresh = False
        if not line:
            self._dispatch(events)
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._add(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"error":
            self._name = "error"
            self._add(value)

    def _add(self, value: bytes) -> None:
        self._size += len(value) + 1
        if self._size > self._max:
            self._refuse()
        self._data.append(value)

    def _dispatch(self, events: list[SseEvent]) -> None:
        data = b"\n".join(self._data)
        name = "" if self._name == "message" else self._name
        self._data.clear()
        self._name = ""
        self._size = 0
        # Some proxies write their keep-alive as data: ": keepalive".
        if data and data[:1] != b":":
            events.append(SseEvent(name, data))

    def _refuse(self) -> None:
        message = text("wire.event_too_large", max=f"{self._max:,}")
        raise ResponseTooLarge(message)
