"""The answers of one reply while they come: text, reasoning, tool calls, the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from attrs import evolve

from bytebuddy_provider_hf.types import (
    Choice,
    Event,
    FinishReason,
    Reasoning,
    Reply,
    Text,
    TokenLogprob,
    ToolCall,
    Usage,
)
from bytebuddy_provider_hf.wire import decode
from bytebuddy_provider_hf.wire.expectations import Expectations
from bytebuddy_provider_hf.wire.thinking import FIRST, ThinkSplitter
from bytebuddy_provider_hf.wire.tool_pieces import ToolPieces

# As many as OpenAI lets one ask for; a stranger's server may count on.
MAX_CHOICES: Final = 128


class PartialChoice:
    """One answer while it comes."""

    __slots__ = (
        "_begun",
        "_calls",
        "_reasoning",
        "_splitter",
        "_wanted",
        "finish",
        "index",
        "logprobs",
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
        self._begun = not wanted.split
        self._splitter: ThinkSplitter | None = None

    def add_text(self, text: str, events: list[Event]) -> None:
        """Take a piece of the answer."""
        if self._begun and self._splitter is None:
            self.text.append(text)
            events.append(Text(text, self.index))
        elif self._begun or self._begin(text):
            self._split(text, events)
        else:
            self.text.append(text)
            events.append(Text(text, self.index))

    def add_reasoning(self, text: str, events: list[Event]) -> None:
        """Take a piece of what the server itself calls reasoning."""
        self._begun = True
        if self._splitter is not None:
            self._add(self._splitter.disable(), events)
            self._splitter = None
        self._reasoning.append(text)
        events.append(Reasoning(text, self.index))

    def add_tool_calls(
        self, pieces: Iterable[decode.ToolPiece], events: list[Event]
    ) -> None:
        """Take pieces of tool calls."""
        if self._calls is None:
            self._calls = ToolPieces()
        calls = self._calls
        events.extend(calls.add(piece, self.index) for piece in pieces)

    def complete(self, events: list[Event]) -> None:
        """Take note that the answer is complete."""
        if self._splitter is not None:
            self._add(self._splitter.close(), events)
            self._splitter = None
        # vLLM with a reasoning parser, and a model that did not think.
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
        name = self._wanted.tool
        return tuple(
            evolve(call, name=name) if name and call.name in decode.UNNAMED else call
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
        for call in self.calls:
            if call.arguments and not _is_json(call.arguments):
                said = f"The arguments of the call to {call.name} are not JSON"
                yield f"{said}: cut at maxTokens." if cut else f"{said}."
        if not self._reasoning or self._calls is not None:
            return
        if not self.text and cut:
            yield "The answer was cut at maxTokens while the model was thinking."
        elif not self.text and self.finish is not None:
            yield "The whole answer came as reasoning: see the reply's reasoning."
        elif self._wanted.json and "".join(self.text) == self.reasoning:
            yield "The JSON came as reasoning and was taken for the answer."

    def _begin(self, text: str) -> bool:
        """Whether the answer may begin with a mark of reasoning."""
        self._begun = bool(text)
        opened = self._wanted.opened
        if opened or (text and (text[0] in FIRST or text[0].isspace())):
            self._splitter = ThinkSplitter(opened=opened, choice=self.index)
        return not text or self._splitter is not None

    def _split(self, text: str, events: list[Event]) -> None:
        if self._splitter is not None and text:
            self._add(self._splitter.feed(text), events)
            if self._splitter.settled:
                self._splitter = None

    def _add(self, pieces: Iterable[Text | Reasoning], events: list[Event]) -> None:
        for piece in pieces:
            kept = self.text if isinstance(piece, Text) else self._reasoning
            kept.append(piece.text)
            events.append(piece)


def reply_of(
    choices: Sequence[PartialChoice],
    wanted: Expectations,
    *,
    model: str,
    usage: Usage | None = None,
    given_id: str = "",
    request_id: str | None = None,
) -> Reply:
    """Return the reply that the answers make, the first one's members its own."""
    first = choices[0]
    return Reply(
        text="".join(first.text),
        model=model,
        finish_reason=first.finish,
        usage=usage,
        reasoning="" if first.is_text_only else first.reasoning,
        tool_calls=() if first.is_text_only else first.calls,
        id=given_id,
        request_id=request_id,
        notes=_notes(choices, wanted),
        logprobs=tuple(first.logprobs),
        choices=tuple(each.to_choice() for each in choices) if len(choices) > 1 else (),
    )


def _notes(choices: Sequence[PartialChoice], wanted: Expectations) -> tuple[str, ...]:
    notes: list[str] = []
    for choice in choices:
        if not choice.is_text_only:
            notes += choice.notes()
    if len(choices) < wanted.n:
        notes.append(f"The server gave {len(choices)} of {wanted.n} answers.")
    return tuple(dict.fromkeys(notes)) if notes else ()


def _is_json(text: str) -> bool:
    """Whether a text is JSON; as servers and models write it, and no deeper."""
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True
