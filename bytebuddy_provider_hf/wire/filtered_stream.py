"""Change the text of an answer on its way to the caller: cut at stops, filtered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.edits.text_filter import TextFilter
from bytebuddy_provider_hf.errors import ResponseError
from bytebuddy_provider_hf.types import Event, FinishReason, Reply, Text
from bytebuddy_provider_hf.wire.stream import StreamDecoder

# What makes a reply complete, and the filter that its text went through.
Finish = Callable[[Reply, TextFilter], Reply]

_STOPPED: Final[FinishReason] = "stop"
# After the end of the text so many events may still tell the usage, which comes last.
_EVENTS_AFTER_STOP: Final = 8


class StopFilter:
    """Pass text on up to the first stop, exactly, whatever the borders of its chunks.

    Servers match stop texts at token borders only, take four of them at most, or leave
    them in the answer (TGI, transformers serve). Of stops that overlap the one that
    begins first counts. Text that may yet become a stop is held back, and no other.
    ``done`` tells that a stop came.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(dict.fromkeys(stop for stop in stops if stop))
        self._longest = max(map(len, self._stops), default=0)
        # Alternatives are tried in order at each place: the first to begin is found.
        self._whole = re.compile("|".join(map(re.escape, self._stops)) or "(?!)")
        begins = "".join(re.escape(stop[0]) for stop in self._stops)
        self._begin = re.compile(f"[{begins}]" if begins else "(?!)")
        self._held = ""
        # No more than the longest stop is held back, and that has 200 characters.
        self.done = False

    def feed(self, text: str) -> str:
        """Return what of the text so far may be passed on now."""
        if self.done:
            return ""
        text = self._held + text
        found = self._whole.search(text)
        until = found.start() if found else len(text)
        # A stop that began before the one found, and may yet be completed, goes first.
        first = max(0, len(text) - self._longest + 1)
        for begin in self._begin.finditer(text, first, until):
            rest = text[begin.start() :]
            if any(stop.startswith(rest) for stop in self._stops):
                self._held = rest
                return text[: begin.start()]
        self._held = ""
        self.done = found is not None
        return text[:until]

    def close(self) -> str:
        """Return what was held back, the text having ended."""
        held, self._held = self._held, ""
        found = self._whole.search(held)
        if found is None:
            return held
        self.done = True
        return held[: found.start()]


class FilteredStream(StreamDecoder):
    """Read an answer through its decoder, its text cut at stops and filtered.

    After a stop, or where a filter wants no more, a few events are still read, since
    the usage comes last; then the stream is over, whatever the server goes on to say.
    Of several ``answers`` each has its own stop, the first alone is filtered, and the
    stream is read to its end. ``finishes`` make the reply complete, in the order of the
    filters.
    """

    def __init__(
        self,
        decoder: StreamDecoder,
        *,
        stops: Sequence[str] = (),
        filters: Sequence[TextFilter] = (),
        finishes: Sequence[Finish] = (),
        answers: int = 1,
    ) -> None:
        self._inner = decoder
        self._stops = stops
        self._filters = filters
        self._finishes = finishes
        # One answer that ended early says nothing of the others.
        self._several = answers > 1
        self._stop = StopFilter(stops)
        # The stops of the other answers, by their number.
        self._others: dict[int, StopFilter] = {}
        # Written into one text: a piece of its own for each token takes 60 bytes more.
        self._text = StringIO()
        self._until = 0
        # Whether the text ended by a stop or a filter, asked before filters are closed:
        # what they say last makes no difference to that.
        self._enough = False
        self._reply: Reply | None = None

    @property
    def partial(self) -> str:
        """The text that has come so far, as the filters left it.

        What is held back because it may become a stop belongs to it, unless a filter
        is still to see it.
        """
        if self._filters or self._stop.done:
            return self._text.getvalue()
        return self._inner.partial

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``; raises what the decoder raises.

        An error after the end of the text is none: the answer was complete.
        """
        if self.done:
            return []
        if self.failure is not None:
            raise self.failure
        try:
            kept = self._kept(self._inner.feed(chunk))
        except ResponseError as error:
            return self._after(error, [])
        finally:
            self.events, self.progress = self._inner.events, self._inner.progress
        if self._inner.failure is not None:
            return self._after(self._inner.failure, kept)
        over = self._over()
        if over and not self._until:
            self._until = self.events + _EVENTS_AFTER_STOP
        self.settled = over or self._inner.settled
        over = over and self.events >= self._until
        self.stopped_early = over and not self._inner.done
        if over or self._inner.done:
            self._end(kept)
        return kept

    def close(self, *, clean: bool = True) -> list[Event]:
        """Return the last events; raises what the decoder raises."""
        if self.failure is not None:
            raise self.failure
        kept: list[Event] = []
        if not self.done:
            try:
                kept = self._kept(self._inner.close(clean=clean))
            except ResponseError as error:
                return self._after(error, [])
            if self._inner.failure is not None:
                return self._after(self._inner.failure, kept)
            self._end(kept)
        return kept

    def broken(self) -> list[Event]:
        """Return what was held back, the connection having broken off."""
        kept = self._kept(self._inner.broken())
        self._pass_on(self._stop.close(), kept)
        return kept

    def whole(self, body: bytes) -> Reply:
        """Return the reply in an answer of one piece; raises as the decoder does."""
        try:
            reply = self._inner.whole(body)
        except ResponseError as error:
            # What came behind a stop is none of the answer's.
            self._after(error, self._kept([Text(error.partial)]))
            return self.reply()
        texts = [choice.text for choice in reply.choices] or [reply.text]
        self._end(self._kept([Text(text, at) for at, text in enumerate(texts)]))
        return self.reply()

    def reply(self) -> Reply:
        """Return the reply as far as it has come; raises ``failure``, if any."""
        if self.failure is not None:
            raise self.failure
        if self._reply is not None and self.done:
            return self._reply
        reply = self._inner.reply()
        text = self._text.getvalue() if self.done else self.partial
        reason = _STOPPED if self._enough or self._stop.done else reply.finish_reason
        choices = reply.choices
        if choices:
            cut = [evolve(choices[0], text=text, finish_reason=reason)]
            for choice in choices[1:]:
                # As its events told it; their numbers may have gaps.
                stop = StopFilter(self._stops)
                kept = stop.feed(choice.text) + stop.close()
                ended = _STOPPED if stop.done else choice.finish_reason
                cut.append(evolve(choice, text=kept, finish_reason=ended))
            choices = tuple(cut)
        reply = evolve(reply, text=text, finish_reason=reason, choices=choices)
        # Once only: a finish may compare whole files.
        for each, finish in zip(self._filters, self._finishes, strict=False):
            reply = finish(reply, each)
        self._reply = reply
        return reply

    def _over(self) -> bool:
        """Whether the one answer is complete."""
        ended = self._stop.done or any(each.done for each in self._filters)
        return ended and not self._several

    def _after(self, error: ResponseError, kept: list[Event]) -> list[Event]:
        """Return the end of an answer that was complete; else tell of ``error``."""
        self._pass_on(self._stop.close(), kept)
        if self._over():
            # The answer was complete: the decoder's reply is good.
            self._inner.failure = None
            self._end(kept)
            self.stopped_early = True
            return kept
        error.partial = self.partial
        self.failure = error
        if not kept:
            raise error
        return kept

    def _kept(self, events: list[Event]) -> list[Event]:
        kept: list[Event] = []
        for event in events:
            if not isinstance(event, Text):
                kept.append(event)
            elif event.choice:
                stop = self._others.get(event.choice)
                if stop is None:
                    stop = self._others[event.choice] = StopFilter(self._stops)
                if text := stop.feed(event.text):
                    kept.append(Text(text, event.choice))
            else:
                self._pass_on(self._stop.feed(event.text), kept)
        return kept

    def _end(self, kept: list[Event]) -> None:
        """Take what was held back, the answers having ended."""
        self._pass_on(self._stop.close(), kept)
        self._enough = any(each.done for each in self._filters)
        text = ""
        # What one filter held back is still to pass through those after it.
        for each in self._filters:
            text = each.feed(text) + each.close()
        self._add(text, kept)
        for choice, stop in self._others.items():
            if rest := stop.close():
                kept.append(Text(rest, choice))
        self.done = True

    def _pass_on(self, text: str, kept: list[Event]) -> None:
        for each in self._filters:
            text = each.feed(text)
        self._add(text, kept)

    def _add(self, text: str, kept: list[Event]) -> None:
        if text:
            self._text.write(text)
            kept.append(Text(text))
