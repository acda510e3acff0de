"""Collect the answers of one reply while they come: text, reasoning, tool calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from attrs import evolve, frozen

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.types import (
    Choice,
    Event,
    FinishReason,
    Reasoning,
    Reply,
    Text,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from bytebuddy_provider_hf.wire.openai_json import (
    UNNAMED,
    FunctionPiece,
    ToolPiece,
    arguments_of,
    named_call,
)
from bytebuddy_provider_hf.wire.thinking import FIRST, ThinkSplitter

# As many as OpenAI lets one ask for; a stranger's server may count on.
MAX_CHOICES: Final = 128


@frozen
class Expectations:
    """How an answer is to be read.

    ``n`` answers were asked for, and ``logprobs`` with them. ``tool`` is the one that
    is called where the server gives the call no name. ``json`` is what the text must
    be. ``split`` tells reasoning from text by the marks in it; ``opened`` is the mark
    with which the prompt ended, where the template opens the reasoning itself.
    """

    n: int = 1
    logprobs: bool = False
    tool: str = ""
    json: bool = False
    split: bool = True
    opened: str = ""


NO_EXPECTATIONS: Final = Expectations()
# The continuation of a prompt, as it stands.
RAW: Final = Expectations(split=False)


class PartialChoice:
    """One answer while it comes."""

    __slots__ = (
        "_calls",
        "_reasoning",
        "_splitter",
        "_wanted",
        "finish",
        "index",
        "logprobs",
        "plain",
        "text",
    )

    def __init__(self, index: int, wanted: Expectations) -> None:
        self.index = index
        self.text: list[str] = []
        self.finish: FinishReason | None = None
        self.logprobs: list[TokenLogprob] = []
        self._reasoning: list[str] = []
        self._calls: ToolPieces | None = None
        self._wanted = wanted
        # Whether nothing is looked for in the text any more.
        self.plain = not wanted.split
        self._splitter: ThinkSplitter | None = None

    def add_text(self, text: str, events: list[Event]) -> None:
        """Take a piece of the answer."""
        if not text:
            return
        if not self.plain and self._splitter is None:
            # Reasoning is marked at the beginning of an answer, or nowhere.
            opened = self._wanted.opened
            self.plain = not (opened or text[0] in FIRST or text[0].isspace())
            if not self.plain:
                self._splitter = ThinkSplitter(opened=opened, choice=self.index)
        if self._splitter is None:
            self.text.append(text)
            events.append(Text(text, self.index))
            return
        self._add(self._splitter.feed(text), events)
        if self._splitter.settled:
            self._splitter, self.plain = None, True

    def add_reasoning(self, text: str, events: list[Event]) -> None:
        """Take a piece of what the server itself calls reasoning."""
        # A server that tells reasoning itself leaves no marks of it in the text.
        self.plain = True
        if self._splitter is not None:
            self._add(self._splitter.disable(), events)
            self._splitter = None
        self._reasoning.append(text)
        events.append(Reasoning(text, self.index))

    def add_tool_calls(self, pieces: Iterable[ToolPiece], events: list[Event]) -> None:
        """Take pieces of tool calls."""
        # Made when needed: few answers call a tool, and each choice would have one.
        if self._calls is None:
            self._calls = ToolPieces()
        calls = self._calls
        events.extend(calls.add(piece, self.index) for piece in pieces)

    def complete(self, events: list[Event]) -> None:
        """Take note that the answer is complete."""
        if self._splitter is not None:
            self._add(self._splitter.close(), events)
            self._splitter = None
        # vLLM with a reasoning parser, and a model that did not think: all of the JSON
        # that was asked for came as reasoning.
        if self._wanted.json and not self.text and self._calls is None:
            said = "".join(self._reasoning)
            if _is_json(said):
                self.text.append(said)
                events.append(Text(said, self.index))
        if self._calls is not None and self.finish in (None, "stop"):
            # vLLM says "stop" of a call it was told to make, TGI never a reason.
            self.finish = "tool_calls"

    @property
    def reasoning(self) -> str:
        """The reasoning that has come so far."""
        return "".join(self._reasoning)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls as far as they have come."""
        if self._calls is None:
            return ()
        # TGI tells no name of a function that it was made to call.
        name = self._wanted.tool
        return tuple(
            evolve(call, name=name) if name and call.name in UNNAMED else call
            for call in self._calls.whole()
        )

    @property
    def is_text_only(self) -> bool:
        """Whether it is text and nothing else so far."""
        return self._calls is None and not self._reasoning

    def to_choice(self) -> Choice:
        """Return the answer as far as it has come."""
        return Choice(
            text="".join(self.text),
            finish_reason=self.finish,
            reasoning=self.reasoning,
            tool_calls=self.calls,
            logprobs=tuple(self.logprobs),
        )

    def notes(self) -> Iterator[str]:
        """Tell what a caller would not expect of the answer."""
        cut = self.finish == "length"
        # A caller parses them: JSON that was cut must not come as a surprise.
        for call in self.calls:
            if call.arguments and not _is_json(call.arguments):
                yield texts.text(
                    "wire.arguments_cut" if cut else "wire.arguments_no_json",
                    name=call.name,
                )
        if not self._reasoning or self._calls is not None:
            return
        if not self.text and cut:
            yield texts.text("wire.cut_while_thinking")
        elif not self.text and self.finish is not None:
            yield texts.text("wire.all_reasoning")
        elif self._wanted.json and "".join(self.text) == self.reasoning:
            yield texts.text("wire.json_as_reasoning")

    def _add(self, pieces: Iterable[Text | Reasoning], events: list[Event]) -> None:
        for piece in pieces:
            kept = self.text if isinstance(piece, Text) else self._reasoning
            kept.append(piece.text)
            events.append(piece)


def events_of(reply: Reply) -> list[Event]:
    """Return the events in which a stream would have told a whole reply."""
    events: list[Event] = []
    alone = Choice(reply.text, reasoning=reply.reasoning, tool_calls=reply.tool_calls)
    for at, choice in enumerate(reply.choices or (alone,)):
        if choice.reasoning:
            events.append(Reasoning(choice.reasoning, at))
        if choice.text:
            events.append(Text(choice.text, at))
        for place, call in enumerate(choice.tool_calls):
            piece = ToolCallDelta(place, call.id, call.name, call.arguments, at)
            events.append(piece)
    return events


def reply_of(
    choices: Sequence[PartialChoice],
    wanted: Expectations,
    *,
    model: str,
    usage: Usage | None = None,
    given_id: str = "",
) -> Reply:
    """Return the reply that the answers make, the first one's members its own."""
    first = choices[0]
    plain = first.is_text_only
    notes: list[str] = []
    if not plain or len(choices) > 1:
        for each in choices:
            if not each.is_text_only:
                notes += each.notes()
    if len(choices) < wanted.n:
        notes.append(texts.text("wire.fewer_answers", choices=len(choices), n=wanted.n))
    return Reply(
        text="".join(first.text),
        model=model,
        finish_reason=first.finish,
        usage=usage,
        reasoning="" if plain else first.reasoning,
        tool_calls=() if plain else first.calls,
        id=given_id,
        # Several answers mostly have the same to tell.
        notes=tuple(dict.fromkeys(notes)) if notes else (),
        logprobs=tuple(first.logprobs),
        choices=tuple(each.to_choice() for each in choices) if len(choices) > 1 else (),
    )


def _is_json(text: str) -> bool:
    """Whether a text is JSON; as servers and models write it, and no deeper."""
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


class ToolPieces:
    """Add pieces to their calls: found by id first, then by index.

    Ollama and others give several calls the same index: an id not seen before at an
    index in use begins a new call.
    """

    __slots__ = ("_at", "_calls", "_nameless", "_with", "_with_at")

    def __init__(self) -> None:
        self._calls: list[_OpenCall] = []
        # Positions of the last call by index, by id, by both, and without an id.
        self._at: dict[int | None, int] = {}
        self._with: dict[str, int] = {}
        self._with_at: dict[tuple[str, int | None], int] = {}
        self._nameless: dict[int | None, int] = {}

    def add(self, piece: ToolPiece, choice: int) -> ToolCallDelta:
        """Return the event of a piece."""
        given = "" if piece.id is None else str(piece.id)
        function = piece.function or FunctionPiece()
        arguments = arguments_of(function)
        # Some servers name a call in its first piece only, some in each.
        if not given:
            # Without an index too, a piece goes on with the last call.
            last = len(self._calls) - 1 if piece.index is None else -1
            position = self._at.get(piece.index, last)
        else:
            position = self._nameless.get(piece.index, -1)
            same = (
                self._with.get(given, -1)
                if piece.index is None
                else self._with_at.get((given, piece.index), -1)
            )
            position = max(position, same)
        if position < 0:
            position = len(self._calls)
            self._calls.append(_OpenCall(index=piece.index))
            self._at[piece.index] = position
            if not given:
                self._nameless[piece.index] = position
        call = self._calls[position]
        if given and not call.id:
            call.id = given
            # An earlier call that gets its id late hides no later one.
            key = given, call.index
            self._with[given] = max(position, self._with.get(given, -1))
            self._with_at[key] = max(position, self._with_at.get(key, -1))
            self._nameless.pop(call.index, None)
        call.name = call.name or function.name or ""
        call.arguments.append(arguments)
        return ToolCallDelta(position, given or None, function.name, arguments, choice)

    def whole(self) -> tuple[ToolCall, ...]:
        """Return the calls as far as they have come."""
        return tuple(call.whole() for call in self._calls)


class _OpenCall:
    """A tool call whose pieces are still coming."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, *, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

    def whole(self) -> ToolCall:
        return named_call(self.id, self.name, "".join(self.arguments))
