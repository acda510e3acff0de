"""Stop texts cut on our side: exact over any chunk borders, in linear time.

Servers match stop texts at token borders only, take four of them at most, or leave
them in the answer (TGI, transformers serve).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Final

from attrs import define, evolve

from bytebuddy_provider_hf.errors import ResponseError
from bytebuddy_provider_hf.types import Choice, Event, Reply, Text
from bytebuddy_provider_hf.wire.decoder import StreamDecoder

# Events after a stop that may still tell the usage, before the stream is given up.
_EVENTS_AFTER_STOP: Final = 8


@define
class _Node:
    """A state of the automaton: the text ``stops[stop][:depth]``.

    ``found`` is the length of the longest stop that this text ends with.
    """

    stop: int = 0
    depth: int = 0
    fail: int = 0
    found: int = 0


class StopCutter:
    """Pass text on up to the first stop; ``stopped`` tells that it came.

    Of stops that overlap the one that begins first counts, whatever the chunks. Text
    that may yet become a stop is held back, and no other. (Aho and Corasick,
    "Efficient string matching", 1975.)
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(dict.fromkeys(stop for stop in stops if stop))
        self._next: list[dict[str, int]] = [{}]
        self._nodes = [_Node()]
        self._build()
        first = "".join(re.escape(char) for char in self._next[0])
        self._first = re.compile(f"[{first}]") if first else None
        self._state = 0
        # Characters taken, characters passed on, and where the cut will be.
        self._taken = 0
        self._passed = 0
        self._cut: int | None = None
        self.stopped = False

    def feed(self, text: str) -> str:
        """Return what of the text so far may be passed on now."""
        if self.stopped or self._first is None:
            return "" if self.stopped else text
        begun = self._taken
        held = self._nodes[self._state]
        at = 0
        while at < len(text):
            if not self._state:
                match = self._first.search(text, at)
                if match is None:
                    at = len(text)
                    break
                at = match.start()
            self._step(text[at], begun + at + 1)
            at += 1
            if self._cut is not None and self._cut <= begun + at - self._depth:
                self.stopped = True
                break
        self._taken = begun + at
        until = self._taken - self._depth
        if self._cut is not None:
            until = min(until, self._cut)
        return self._release(held, text, begun, until)

    def finish(self) -> str:
        """Return what was held back, the text having ended."""
        if self.stopped:
            return ""
        until = self._taken
        if self._cut is not None:
            until = self._cut
            self.stopped = True
        held = self._nodes[self._state]
        return self._release(held, "", self._taken, until)

    @property
    def _depth(self) -> int:
        return self._nodes[self._state].depth

    def _release(self, held: _Node, text: str, begun: int, until: int) -> str:
        """Return the text up to ``until``: the rest of ``held`` first, then ``text``.

        What was held back need not be kept: it is how one of the stops begins.
        """
        if until <= self._passed:
            return ""
        before = self._stops[held.stop][: held.depth] if held.depth else ""
        start = self._passed - (begun - held.depth)
        end = until - (begun - held.depth)
        self._passed = until
        if end <= held.depth:
            return before[start:end]
        return before[start:] + text[max(0, start - held.depth) : end - held.depth]

    def _step(self, char: str, taken: int) -> None:
        state = self._state
        while state and char not in self._next[state]:
            state = self._nodes[state].fail
        self._state = state = self._next[state].get(char, 0)
        if found := self._nodes[state].found:
            begins = taken - found
            if self._cut is None or begins < self._cut:
                self._cut = begins

    def _build(self) -> None:
        for number, stop in enumerate(self._stops):
            state = 0
            for depth, char in enumerate(stop, 1):
                known = self._next[state].get(char)
                if known is None:
                    known = self._next[state][char] = len(self._nodes)
                    self._nodes.append(_Node(stop=number, depth=depth))
                    self._next.append({})
                state = known
            self._nodes[state].found = len(stop)
        queue = deque(self._next[0].values())
        while queue:
            parent = queue.popleft()
            for char, child in self._next[parent].items():
                queue.append(child)
                fail = self._nodes[parent].fail
                while fail and char not in self._next[fail]:
                    fail = self._nodes[fail].fail
                node = self._nodes[child]
                node.fail = self._next[fail].get(char, 0)
                node.found = node.found or self._nodes[node.fail].found


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
