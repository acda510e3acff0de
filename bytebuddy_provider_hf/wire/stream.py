"""Turn the bytes of an answer into events and a reply, whole or streamed.

What an answer is, its first bytes tell, whatever its label says: one value of JSON, or
events. Both ways end in the same state, so that they cannot disagree.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Final, Generic, TypeVar

from bytebuddy_provider_hf.errors import (
    MalformedResponse,
    ResponseError,
    ResponseTooLarge,
    StreamInterrupted,
)
from bytebuddy_provider_hf.failures.body_text import error_message
from bytebuddy_provider_hf.failures.error_in_200 import (
    SIGNS_OF_LIFE,
    error_in,
    failed_by,
    stream_failed,
)
from bytebuddy_provider_hf.json_cost import JsonCost
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Event, Reply
from bytebuddy_provider_hf.wire.choices import (
    ELEMENTS,
    ELEMENTS_WITH_LOGPROBS,
    NO_EXPECTATIONS,
    Expectations,
)
from bytebuddy_provider_hf.wire.sse import (
    JUNK,
    STRAY,
    SseDecoder,
    SseEvent,
    is_mark,
    is_whole,
)

# A model that never stops must not fill the memory: no answer comes near this.
MAX_STREAM: Final = 256 * 1024 * 1024
# Whenever so much of a stream came, what is kept of it is looked at.
_REVIEWED: Final = 256 * 1024
# A body that is made of events is read in pieces of so many bytes.
_PIECE: Final = 64 * 1024
# Blanks before an answer: no more are kept.
_MOST_BLANKS: Final = 80

_BLANKS: Final = JUNK + b"\r\n"
# How a body of one piece begins, and a page that no API sends.
_WHOLE_STARTS: Final = (b"{", b"[", b"<")
# Some proxies write the mark behind an answer of one piece (9router#3492). It is looked
# for at the very end only.
_MARK_BEHIND: Final = re.compile(rb"data:\s{0,8}\[DONE\]\s{0,8}\Z", re.IGNORECASE)
_LONGEST_MARK: Final = 32

# Of an answer without a reply the start is shown; these are members of an API's.
_SHOWN: Final = 80
_API_MEMBERS: Final = ("choices", "usage", "model", "id", "object", "generated_text")
# Members by which an event is one of this protocol that has nothing to say; the last is
# the router's first event (huggingface/chat-ui, openAIChatToTextGenerationStream.ts).
_KNOWN_MEMBERS: Final = (*_API_MEMBERS, "content", "token", "x-router-metadata")
# Of events that are not read so many kinds, or names of members, are told.
_MOST_KINDS: Final = 5
_LONGEST_KIND: Final = 64

_P = TypeVar("_P")
_E = TypeVar("_E", bound=ResponseError)


class StreamDecoder(ABC):
    """Turn the bytes of one answer into events.

    ``done`` tells that the end came, after which nothing is read, ``stopped_early``
    that the server may still be writing all the same. ``settled`` tells that nothing
    but the token counts can be missing, though no end mark came. ``events`` counts data
    events; ``progress`` grows with each that carries text, reasoning, a piece of a tool
    call, new token counts or a reason for the end, so that a watch can tell it from
    signs of life. ``failure`` is an error behind the events that were returned last:
    the next step raises it.
    """

    done = False
    stopped_early = False
    # Asked for each chunk, so no property.
    settled = False
    events = 0
    progress = 0
    failure: ResponseError | None = None

    @property
    @abstractmethod
    def partial(self) -> str:
        """The text that has come so far."""

    @abstractmethod
    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``; raises ``ResponseError``.

        Where events stand before an error they are returned, and ``failure`` is set.
        """

    @abstractmethod
    def close(self, *, clean: bool = True) -> list[Event]:
        """Return the last events, the answer having ended.

        ``clean`` tells that its framing said so. Raises ``StreamInterrupted`` unless
        the end of the answer came, or sets ``failure`` where events stand before it.
        """

    @abstractmethod
    def broken(self) -> list[Event]:
        """Return what was held back, the connection having broken off.

        Then ``partial`` is the text of all events that were returned, and no more.
        """

    @abstractmethod
    def whole(self, body: bytes) -> Reply:
        """Return the reply in an answer of one piece, or in the events that it is.

        Raises ``StreamFailed`` for an error that came with status 200, and
        ``MalformedResponse`` when there is no reply in it.
        """

    @abstractmethod
    def reply(self) -> Reply:
        """Return the reply as far as it has come; raises ``failure``, if any."""


class EventStreamDecoder(StreamDecoder, Generic[_P]):
    """Turn server-sent events, or a whole answer, into events.

    A protocol says how one event's data are decoded, what is read of them, and when
    the answer is complete. What a server says about an error is quoted as it stands:
    who shows it masks the secrets in it.
    """

    # Whether OpenAI's mark ends the stream; elsewhere some proxies add it.
    mark_ends = True
    # Whether an answer has a list of its tokens, though nobody asked for it.
    lists_tokens = False

    def __init__(self, *, model: str, wanted: Expectations = NO_EXPECTATIONS) -> None:
        self._sse = SseDecoder()
        self._model = model
        self._wanted = wanted
        self._size = 0
        self._review_at = _REVIEWED
        many = wanted.logprobs or self.lists_tokens
        self._elements = ELEMENTS_WITH_LOGPROBS if many else ELEMENTS
        # What came before it was known what the answer is; then the body of one piece.
        self._body: bytearray | None = bytearray()
        # Judges that body while it comes; none as long as there is no such body.
        self._cost: JsonCost | None = None
        # Lines that are no part of an event, and how often each kind of event came
        # that is not read.
        self._stray = b""
        self._unread: dict[str, int] = {}

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``.

        Raises ``StreamFailed`` for an error inside the stream, ``MalformedResponse``
        for data that is not JSON, ``ResponseTooLarge`` above 256 MiB, or where more is
        to be kept than such an answer has.
        """
        if self.failure is not None:
            raise self.failure
        # Counted by bytes, for an event may say nothing in a megabyte.
        self._size += len(chunk)
        events: list[Event] = []
        try:
            if self._size > self._review_at:
                self._review()
            if self._body is not None:
                begun = self._begin(chunk)
                if begun is None:
                    return []
                chunk = begun
            # After the end nothing is read, on neither way.
            lines = None if self.done else self._sse.plain_lines(chunk)
            if lines is None:
                self._read_all([] if self.done else self._sse.feed(chunk), events)
            elif (lines := self._take_plain(lines, events)) or self.done:
                blocks = [
                    SseEvent("", line)
                    for line in lines.split(b"\n")
                    # As SseDecoder does: some proxies write keep-alives as data.
                    if line and line[:1] != b":"
                ]
                self._read_all(blocks, events)
        except ResponseError as error:
            self._fail(error, events)
        return events

    def close(self, *, clean: bool = True) -> list[Event]:
        """Return the last events; raises ``StreamInterrupted``."""
        if self.failure is not None:
            raise self.failure
        events: list[Event] = []
        try:
            if self._cost is not None:
                body, self._body, self._cost = self._body, None, None
                self._read_body(bytes(body or b""), events)
            if not self.done:
                self._end(events, clean=clean)
        except ResponseError as error:
            self._fail(error, events)
        return events

    def broken(self) -> list[Event]:
        """Return what was held back, the connection having broken off."""
        events: list[Event] = []
        self._release(events)
        return events

    def whole(self, body: bytes) -> Reply:
        """Return the reply in an answer of one piece, or in the events that it is."""
        start = body.lstrip(_BLANKS)
        events: list[Event] = []
        self._body = None
        try:
            if start[:1] in _WHOLE_STARTS or not start:
                self._read_body(start, events)
            else:
                self._read_lines(start, events)
            if not self.done:
                self._end(events, clean=True)
        except ResponseError as error:
            self._release(events)
            self.failure = self._with_partial(error)
        return self.reply()

    def reply(self) -> Reply:
        """Return the reply as far as it has come; raises ``failure``, if any."""
        if self.failure is not None:
            raise self.failure
        return self._reply()

    @abstractmethod
    def _reply(self) -> Reply:
        """Return what has come so far."""

    @staticmethod
    @abstractmethod
    def _decode(data: bytes, /, *, most: int) -> _P | None:
        """Return the value of one event, or ``None`` where it is not JSON.

        Raises ``ResponseTooLarge`` where it has more than ``most`` elements.
        """

    @abstractmethod
    def _take(self, piece: _P, data: bytes, events: list[Event]) -> None:
        """Read one event; ``data`` is what it was decoded from."""

    @abstractmethod
    def _take_whole(self, piece: _P, data: bytes, events: list[Event]) -> bool:
        """Read a whole answer; return whether it held a reply."""

    @property
    @abstractmethod
    def _server(self) -> str:
        """The kind of server that answers so, in a sentence."""

    def _take_plain(self, lines: bytes, events: list[Event]) -> bytes:
        """Read what is of the common form; return the lines that are left to read."""
        del events
        return lines

    # Not every protocol has an end mark, nor every server that has one sends it.
    def _complete(self, *, clean: bool) -> bool:
        """Whether what came is a whole answer."""
        del clean
        return self.done

    def _finish(self, events: list[Event]) -> None:
        """Add what was held back until the end; a second time there is nothing."""

    def _check(self, data: bytes) -> None:
        """Raise ``StreamFailed`` where an event reports an error; else note it."""
        value = loads(data)
        found = error_in(value)
        if found is not None:
            raise failed_by(found)
        if not isinstance(value, dict):
            self._skip(type(value).__name__)
        elif isinstance(kind := value.get("type"), str):
            if kind.lower() not in SIGNS_OF_LIFE:
                self._skip(kind)
        # A chunk without choices, as some servers begin with, says nothing.
        elif value and not any(name in value for name in _KNOWN_MEMBERS):
            self._skip(", ".join(list(value)[:_MOST_KINDS]))

    def _skip(self, kind: str) -> None:
        """Count what is none of this protocol's, to be told in the end."""
        kind = one_line(kind, limit=_LONGEST_KIND)
        if kind in self._unread or len(self._unread) < _MOST_KINDS:
            self._unread[kind] = self._unread.get(kind, 0) + 1

    def _notes(self) -> list[str]:
        """Return what is to be told of lines and events that were not read."""
        notes: list[str] = [
            text("wire.unread_events", kind=kind, count=count)
            for kind, count in self._unread.items()
        ]
        if stray := error_message(self._stray):
            notes.append(text("wire.stray_lines", said=stray))
        return notes

    def _release(self, events: list[Event]) -> None:
        """Add what was held back, the answer having broken off."""

    @abstractmethod
    def _kept(self) -> int:
        """Return the bytes of what has come so far, each text in one piece from now."""

    def _review(self) -> None:
        """Hold what is kept to the answer's ceiling: it is less than what came."""
        if self._size > MAX_STREAM:
            raise ResponseTooLarge(text("wire.stream_too_large"))
        if self._kept() > self._wanted.ceiling:
            most = f"{self._wanted.ceiling:,}"
            raise ResponseTooLarge(text("wire.too_long", most=most))
        self._review_at = min(self._size + _REVIEWED, MAX_STREAM)

    def _begin(self, chunk: bytes) -> bytes | None:
        """Return what to read as events; ``None`` as long as that is not known.

        Nothing of a body of one piece is read before its end.
        """
        body = self._body
        if body is None:
            return chunk
        if self._cost is not None:
            # A watch that waits for progress must not end it; but blanks between the
            # members of JSON keep a connection alive, and say nothing.
            if chunk.strip(_BLANKS):
                self.progress += 1
            self.events += 1
            if len(body) + len(chunk) > self._wanted.most_body:
                most = f"{self._wanted.most_body:,}"
                raise ResponseTooLarge(text("wire.too_long", most=most))
            self._cost.feed(chunk)
            body += chunk
            return None
        body += chunk
        start = body.lstrip(_BLANKS)
        if not start:
            # Blanks without end are no answer: nothing is kept of them.
            if len(body) > _MOST_BLANKS:
                body.clear()
            return None
        if bytes(start[:1]) in _WHOLE_STARTS:
            self.events += 1
            self.progress += 1
            self._body, self._cost = start, JsonCost(self._elements)
            self._cost.feed(bytes(start))
            return None
        self._body = None
        return bytes(start)

    def _read_body(self, body: bytes, events: list[Event]) -> None:
        """Read an answer of one piece, or the lines of JSON that it is."""
        body = body.rstrip(_BLANKS)
        most = self._elements
        piece = self._decode(body, most=most)
        if piece is None and (mark := _MARK_BEHIND.search(body[-_LONGEST_MARK:])):
            piece = self._decode(body[: len(body) - len(mark[0])], most=most)
        if piece is not None:
            # What is missing in an answer of one piece will not come any more.
            self.done = True
            if not self._take_whole(piece, body, events):
                raise without_reply(body, self._server)
            self._finish(events)
        elif body[:8] == b'{"error"':
            # transformers serve writes errors by hand: a quote in one breaks the JSON.
            raise stream_failed(body)
        elif is_whole(body.partition(b"\n")[0].rstrip()):
            # Lines of JSON, as application/x-ndjson has them.
            self._read_lines(body, events)
        else:
            raise without_reply(body, self._server)

    def _read_lines(self, body: bytes, events: list[Event]) -> None:
        # In pieces: all the events of a body at once would take much memory.
        for at in range(0, len(body), _PIECE):
            self._read_all(self._sse.feed(body[at : at + _PIECE]), events)
            if self.done:
                return

    def _end(self, events: list[Event], *, clean: bool) -> None:
        """Read what is left at the end; raise where the answer is not complete."""
        # Servers that forget the last blank line are read all the same. What lacks its
        # blank line may be cut: then it is neither mark nor JSON.
        most = self._elements
        for block in self._sse.flush():
            data, told = block.data, block.is_error or block.name == STRAY
            if told or is_mark(data) or self._decode(data, most=most) is not None:
                self._read(block, events)
        if not self._complete(clean=clean):
            stray = error_message(self._stray)
            if self._stray and not self.events:
                # The words of a proxy, or of another kind of server.
                raise without_reply(self._stray, self._server)
            if stray:
                raise StreamInterrupted(text("wire.stream_ended_saying", said=stray))
            raise StreamInterrupted(text("wire.stream_ended"))
        self._finish(events)

    def _read_all(self, blocks: list[SseEvent], events: list[Event]) -> None:
        for block in blocks:
            if self.done:
                break
            self._read(block, events)
        if self.done:
            self._finish(events)

    def _read(self, event: SseEvent, events: list[Event]) -> None:
        data = event.data
        if event.name == STRAY:
            self._stray += b" " + data if self._stray else data
            return
        self.events += 1
        # The mark is no JSON, so that asking for it costs nothing as long as it is.
        most = self._elements
        piece = self._decode(data, most=most)
        if piece is None and is_mark(data):
            self.done = self.mark_ends
            return
        # Hardly any event has a name.
        failed = event.name and event.is_error
        if failed or (piece is None and data[:8] == b'{"error"'):
            raise stream_failed(data)
        if piece is None:
            # A byte order mark or NUL before the data, or the field's name twice.
            bare = data.strip(JUNK).removeprefix(b"data:").strip(JUNK)
            if bare != data and (
                is_mark(bare) or self._decode(bare, most=most) is not None
            ):
                self._read(SseEvent("", bare), events)
                return
            value = loads(data)
            if isinstance(value, list | int | float) or data == b"null":
                # JSON, and nothing that could be a part of an answer.
                self._skip(type(value).__name__)
                return
            if event.name or self.settled:
                # A ping in words, or what somebody writes behind the end.
                self._skip(event.name or error_message(data))
                return
            said = error_message(data) or one_line(
                data[:_SHOWN].decode("utf-8", "replace")
            )
            raise MalformedResponse(text("wire.stream_not_json", said=said))
        self._take(piece, data, events)

    def _fail(self, error: ResponseError, events: list[Event]) -> None:
        """Raise ``error``, or keep it where events are told before it."""
        # What was held back, as it might have become something else, is text.
        self._release(events)
        self.failure = self._with_partial(error)
        if not events:
            raise error

    def _with_partial(self, error: _E) -> _E:
        error.partial = self.partial
        return error


def without_reply(body: bytes, server: str) -> MalformedResponse:
    """Return the error of a whole answer that holds no reply of such a ``server``."""
    value = loads(body)
    said = (
        error_message(body)
        or one_line(body[:_SHOWN].decode("utf-8", "replace"))
        or text("failures.empty_body")
    )
    # The address is to blame only where nothing of an API was seen.
    api = isinstance(value, dict) and any(name in value for name in _API_MEMBERS)
    hint = text("wire.without_reply_hint", server=server)
    return MalformedResponse(
        text("wire.without_reply", said=said),
        hint=text("wire.no_choices_hint") if api else hint,
    )
