"""Cut a text before a stop, exactly, whatever the borders of its chunks.

Servers match stop texts at token borders only, take four of them at most, or leave
them in the answer (TGI, transformers serve).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.errors import ResponseError
from bytebuddy_provider_hf.types import Choice, Event, Reply, Text
from bytebuddy_provider_hf.wire.decoder import StreamDecoder

# Events after a stop that may still tell the usage, before the stream is given up.
_EVENTS_AFTER_STOP: Final = 8


class StopCutter:
    """Pass text on up to the first stop; ``stopped`` tells that it came.

    Of stops that overlap the one that begins first counts, whatever the chunks. Text
    that may yet become a stop is held back, and no other.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(dict.fromkeys(stop for stop in stops if stop))
        self._longest = max(map(len, self._stops), default=0)
        self._whole = re.compile("|".join(map(re.escape, self._stops)) or "(?!)")
        begins = "".join(re.escape(stop[0]) for stop in self._stops)
        self._begin = re.compile(f"[{begins}]" if begins else "(?!)")
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """Return what of the text so far may be passed on now."""
        if self.stopped:
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
        self.stopped = found is not None
        return text[:until]

    def finish(self) -> str:
        """Return what was held back, the text having ended."""
        held, self._held = self._held, ""
        found = self._whole.search(held)
        if found is None:
            return held
        self.stopped = True
        return held[: found.start()]


def cut(reply: Reply, stops: Iterable[str]) -> Reply:
    """Return the reply with its text, and that of each choice, ended before a stop."""
    stops = tuple(stops)
    choices = tuple(_cut_choice(choice, stops) for choice in reply.choices)
    text, stopped = _cut_text(reply.text, stops)
    if not stopped:
        return evolve(reply, choices=choices) if choices else reply
    return evolve(reply, text=text, finish_reason="stop", choices=choices)


def _cut_choice(choice: Choice, stops: Iterable[str]) -> Choice:
    text, stopped = _cut_text(choice.text, stops)
    return evolve(choice, text=text, finish_reason="stop") if stopped else choice


def _cut_text(text: str, stops: Iterable[str]) -> tuple[str, bool]:
    cutter = StopCutter(stops)
    kept = cutter.feed(text) + cutter.finish()
    return kept, cutter.stopped


class CuttingStream:
    """Read a stream through its decoder, ending the text before the first stop.

    After a stop a few events are still read, since the usage comes last; then the
    stream is over, whatever the server goes on to say. Where several ``answers`` were
    asked for, each has its own stop, and the stream is read to its end.
    """

    def __init__(
        self, decoder: StreamDecoder, stops: Iterable[str], *, answers: int = 1
    ) -> None:
        self._inner = decoder
        self._stops = tuple(stops)
        self._several = answers > 1
        self._cutter = StopCutter(self._stops)
        self._cutters = {0: self._cutter}
        self._text: list[str] = []
        # Characters of the decoder's text that the cutter has seen.
        self._seen = 0
        self._until = 0
        self.done = False

    @property
    def events(self) -> int:
        """Data events so far."""
        return self._inner.events

    @property
    def partial(self) -> str:
        """The text that has come so far."""
        return "".join(self._text) if self._cutter.stopped else self._inner.partial

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``; raises what the decoder raises.

        An error after the stop is none: the answer was complete.
        """
        if self.done:
            return []
        try:
            kept = self._kept(self._inner.feed(chunk))
        except ResponseError:
            kept = self._rest()
            if not self._over:
                raise
            self.done = True
        if self._over and not self._until:
            self._until = self.events + _EVENTS_AFTER_STOP
        self.done = (
            self.done or self._inner.done or (self._over and self.events >= self._until)
        )
        if self.done:
            self._flush(kept)
        return kept

    def close(self) -> tuple[list[Event], Reply]:
        """Return the last events and the reply; raises what the decoder raises."""
        kept: list[Event] = []
        if not self.done:
            try:
                kept = self._kept(self._inner.close()[0])
            except ResponseError:
                kept = self._rest()
                if not self._over:
                    raise
            self._flush(kept)
            self.done = True
        return kept, self.reply()

    def reply(self) -> Reply:
        """Return the reply as far as it has come."""
        reply = self._inner.reply()
        choices = tuple(_cut_choice(choice, self._stops) for choice in reply.choices)
        if not self._cutter.stopped:
            return evolve(reply, choices=choices) if choices else reply
        return evolve(reply, text=self.partial, finish_reason="stop", choices=choices)

    @property
    def _over(self) -> bool:
        """Whether the one answer is complete."""
        return self._cutter.stopped and not self._several

    def _kept(self, events: list[Event]) -> list[Event]:
        kept: list[Event] = []
        for event in events:
            if not isinstance(event, Text):
                if not self._over:
                    kept.append(event)
            elif event.choice:
                cutter = self._cutters.get(event.choice)
                if cutter is None:
                    cutter = StopCutter(self._stops)
                    self._cutters[event.choice] = cutter
                if text := cutter.feed(event.text):
                    kept.append(Text(text, event.choice))
            else:
                self._seen += len(event.text)
                self._add(self._cutter.feed(event.text), kept)
        return kept

    def _rest(self) -> list[Event]:
        """Take what the decoder read before it failed, and the end of the text."""
        kept = self._kept([Text(self._inner.partial[self._seen :])])
        self._add(self._cutter.finish(), kept)
        return kept

    def _flush(self, kept: list[Event]) -> None:
        """Take what was held back, the answers having ended."""
        for choice, cutter in self._cutters.items():
            text = cutter.finish()
            if not choice:
                self._add(text, kept)
            elif text:
                kept.append(Text(text, choice))

    def _add(self, text: str, kept: list[Event]) -> None:
        if text:
            self._text.append(text)
            kept.append(Text(text))
