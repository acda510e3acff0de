"""Server-sent events: bytes in, events out.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
with the lenient readings that real servers need:

- An event at the end of the stream that lacks its blank line is delivered by
  :meth:`SseDecoder.flush`.
- A line that is JSON by itself is data without its field name (lemonade#2826,
  toolhive#6037).
- Whole JSON on one line ends its event: some servers put one line feed between two
  events, not two (opencode#27365, Baseten).
- A field named ``error`` (old llama.cpp builds) is an event of that name, and a name
  of an error holds for the next block where its own has no data (pi#8430).
- Blanks, NUL and byte order marks before a line are no part of it.
- Events that carry nothing (empty data, a keep-alive written as data) are left out.

Nobody reconnects to an answer, so ``id`` and ``retry`` are read over. Any other line
is delivered as an event of the name :data:`STRAY`, for it may say why an answer broke
off.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.texts import text

# The specification allows one byte order mark, at the very start. Proxies that join
# answers write it, NUL and blanks before any line.
JUNK: Final = b"\xef\xbb\xbf\x00 \t"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
# Fields of which nothing is read.
_SKIPPED: Final = (b"", b"id", b"retry")
_ERROR_NAMES: Final = frozenset({"error", "exception", "failed", "failure"})

# The name of an event that is a line by itself: none that a server can send.
STRAY: Final = "\n"
# Of such lines so much is delivered.
_MOST_STRAY: Final = 2_000

_JUNK_STARTS: Final = (b" ", b"\t", b"\x00", b"\xef")
# Checks what is JSON, and makes nothing of it.
_decode: Final = msgspec.json.Decoder(msgspec.Raw).decode

# One event of an answer stays far below this; a stranger's need not.
MAX_EVENT: Final = 8 * 1024 * 1024
# Nobody writes one over so many lines: each costs more than its bytes.
_MOST_LINES: Final = 65_536


class SseEvent(NamedTuple):
    """An event; ``name`` is empty for the default type ``message``."""

    name: str
    data: bytes

    @property
    def is_error(self) -> bool:
        """Whether its name says that it reports an error."""
        return self.name in _ERROR_NAMES


class SseDecoder:
    """Split a byte stream, cut anywhere, into events.

    Time and memory are linear in what is fed. Raises ``ResponseTooLarge`` when one
    event exceeds ``max_event`` bytes.
    """

    __slots__ = ("_buffer", "_data", "_max", "_name", "_size", "_skip_lf", "_stray")

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        # Bytes of stray lines that were delivered.
        self._stray = 0
        self._buffer = bytearray()
        self._data: list[bytes] = []
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
            # The beginning of a field's name is no line of another kind.
            fields = (b"data", b"event")
            if not any(f.startswith(line) and f != line for f in fields):
                self._line(line, events)
        self._dispatch(events)
        if self._name:
            # An error that says nothing is one all the same.
            events.append(SseEvent(self._name, b""))
            self._name = ""
        return events

    def _line(self, line: bytes, events: list[SseEvent]) -> None:
        if not line:
            self._dispatch(events)
            return
        if line[:1] in _JUNK_STARTS:
            line = line.lstrip(JUNK)
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._add(value, events)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace").strip().lower()
        elif field.lower() == b"error":
            self._name = "error"
            self._add(value, events)
        elif line[:1] == b"{":
            self._add(line, events)
        elif field not in _SKIPPED and self._stray < _MOST_STRAY:
            self._stray += len(line)
            events.append(SseEvent(STRAY, line[:_MOST_STRAY]))

    def _add(self, value: bytes, events: list[SseEvent]) -> None:
        # Looked at once only, and only where it ends as JSON or the mark does: one
        # line of JSON that is spread over several is no value by itself.
        if len(self._data) == 1 and is_whole(self._data[0]):
            self._dispatch(events)
        self._size += len(value) + 1
        if self._size > self._max:
            self._refuse()
        if len(self._data) >= _MOST_LINES:
            message = text("wire.event_too_many_lines", most=f"{_MOST_LINES:,}")
            raise ResponseTooLarge(message)
        self._data.append(value)

    def _dispatch(self, events: list[SseEvent]) -> None:
        data = b"\n".join(self._data)
        name = "" if self._name == "message" else self._name
        # What an error says may stand in the next block.
        if data or name not in _ERROR_NAMES:
            self._name = ""
        self._data.clear()
        self._size = 0
        # Some proxies write their keep-alive as data: ": keepalive".
        if data and data[:1] != b":":
            events.append(SseEvent(name, data))

    def _refuse(self) -> None:
        message = text("wire.event_too_large", max=f"{self._max:,}")
        raise ResponseTooLarge(message)


def is_mark(data: bytes) -> bool:
    """Whether data are the mark that ends a stream of OpenAI's."""
    return data.strip(b' \t"').lower() == b"[done]"


def is_whole(line: bytes) -> bool:
    """Whether a line of data is all of an event: a JSON object, or the end mark."""
    if line[-1:] not in (b"}", b"]"):
        return is_mark(line)
    if line.lstrip()[:1] != b"{":
        return is_mark(line)
    try:
        _decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return is_mark(line)
    return True
