"""A stream whose text goes through a filter on its way to the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.edits.text_filter import TextFilter
from bytebuddy_provider_hf.errors import ResponseError
from bytebuddy_provider_hf.types import Event, FinishReason, Reply, Text
from bytebuddy_provider_hf.wire.decoder import StreamDecoder
from bytebuddy_provider_hf.wire.stops import StopCutter

Finish = Callable[[Reply], Reply]

_STOPPED: Final[FinishReason] = "stop"
# Events after the filter had enough that may still tell the usage.
_EVENTS_AFTER_STOP: Final = 4


class FilteredStream:
    """Read a stream through its decoder, its text changed by a filter.

    Where the filter wants no more, a few events are still read, since the usage comes
    last; then the stream is over, whatever the server goes on to say. ``finish`` makes
    the reply complete. Of several answers the first is filtered.
    """

    def __init__(
        self, decoder: StreamDecoder, through: TextFilter, finish: Finish
    ) -> None:
        self._inner = decoder
        self._filter = through
        self._finish = finish
        self._text: list[str] = []
        # Characters of the decoder's text that the filter has seen.
        self._seen = 0
        self._until = 0
        self._reply: Reply | None = None
        # Whether the filter had enough while the server may still be writing.
        self.stopped_early = False
        self._enough = False
        self.done = False

    @property
    def events(self) -> int:
        """Data events so far."""
        return self._inner.events

    @property
    def partial(self) -> str:
        """The text that has come so far, as the filter left it."""
        return "".join(self._text)

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``; raises what the decoder raises.

        An error after the filter had enough is none: the answer was complete.
        """
        if self.done:
            return []
        try:
            kept = self._kept(self._inner.feed(chunk))
        except ResponseError as error:
            return self._after(error)
        if self._filter.done and not self._until:
            self._until = self.events + _EVENTS_AFTER_STOP
        over = self._filter.done and self.events >= self._until
        self.stopped_early = over and not self._inner.done
        if over or self._inner.done:
            self._end(kept)
        return kept

    def close(self) -> tuple[list[Event], Reply]:
        """Return the last events and the reply; raises what the decoder raises."""
        kept: list[Event] = []
        if not self.done:
            try:
                kept = self._kept(self._inner.close()[0])
            except ResponseError as error:
                return self._after(error), self.reply()
            self._end(kept)
        return kept, self.reply()

    def reply(self) -> Reply:
        """Return the reply as far as it has come."""
        if self._reply is None or not self.done:
            reply = _with_text(self._inner.reply(), self.partial, enough=self._enough)
            self._reply = self._finish(reply)
        return self._reply

    def _after(self, error: ResponseError) -> list[Event]:
        """Return the end of an answer that was complete; else raise ``error``."""
        kept = self._kept([Text(self._inner.partial[self._seen :])])
        if not self._filter.done:
            error.partial = self.partial
            raise error
        self._end(kept)
        self.stopped_early = True
        return kept

    def _kept(self, events: list[Event]) -> list[Event]:
        kept: list[Event] = []
        for event in events:
            # The filter follows one text: another answer's pieces are not part of it.
            if isinstance(event, Text) and not event.choice:
                self._seen += len(event.text)
                self._add(self._filter.feed(event.text), kept)
            else:
                kept.append(event)
        return kept

    def _end(self, kept: list[Event]) -> None:
        self._enough = self._filter.done
        self._add(self._filter.close(), kept)
        self.done = True

    def _add(self, text: str, kept: list[Event]) -> None:
        if text:
            self._text.append(text)
            kept.append(Text(text))


class PassThrough:
    """Leave a text as it is."""

    done = False

    def feed(self, text: str) -> str:
        """Return the text."""
        return text

    def close(self) -> str:
        """Return nothing: nothing was held back."""
        return ""


class StopFilter:
    """End a text before the first of some stops, then change it by another filter."""

    def __init__(self, stops: Iterable[str], inner: TextFilter) -> None:
        self._cutter = StopCutter(stops)
        self._inner = inner

    @property
    def done(self) -> bool:
        """Whether the rest of the answer is not wanted."""
        return self._cutter.stopped or self._inner.done

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        return self._inner.feed(self._cutter.feed(text))

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        return self._inner.feed(self._cutter.finish()) + self._inner.close()


def apply_filter(reply: Reply, through: TextFilter, finish: Finish) -> Reply:
    """Return a whole reply with its text changed by a filter."""
    text = through.feed(reply.text)
    enough = through.done
    return finish(_with_text(reply, text + through.close(), enough=enough))


def _with_text(reply: Reply, text: str, *, enough: bool) -> Reply:
    """Return ``reply`` with another text; a filter that had enough ended it well."""
    reason = _STOPPED if enough else reply.finish_reason
    if reply.choices:
        first = evolve(reply.choices[0], text=text, finish_reason=reason)
        reply = evolve(reply, choices=(first, *reply.choices[1:]))
    return evolve(reply, text=text, finish_reason=reason)
