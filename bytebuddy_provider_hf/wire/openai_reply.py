"""Read the answers of OpenAI-style servers, of chat and of completions."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.types import Event, Reply, Text, Usage
from bytebuddy_provider_hf.wire import openai_json
from bytebuddy_provider_hf.wire.choices import (
    MAX_CHOICES,
    NO_EXPECTATIONS,
    Expectations,
    PartialChoice,
    reply_of,
)
from bytebuddy_provider_hf.wire.openai_json import ChoiceData, Completion
from bytebuddy_provider_hf.wire.stream import EventStreamDecoder, without_reply
from bytebuddy_provider_hf.wire.typed_json import UNDECODED

# TGI whose completions end without any mark: 1.4.5 to 2.1.
_OLD_TGI: Final = re.compile(r"(1\.\d+|2\.[01])\.")

# Of a stream's end so many events may be of another form: a finish reason, the usage,
# the mark.
_LAST_EVENTS: Final = 3


class _PlainDelta(msgspec.Struct, gc=False):
    """A delta that says text and nothing else."""

    content: str | None = None
    reasoning_content: None = None
    reasoning: None = None
    reasoning_text: None = None
    reasoning_details: None = None
    tool_calls: None = None


class _PlainChoice(msgspec.Struct, gc=False):
    """The only choice of a chunk in the middle of an answer."""

    delta: _PlainDelta | None = None
    text: str | None = None
    index: Literal[0] = 0
    finish_reason: None = None
    logprobs: None = None


class _PlainChunk(msgspec.Struct, gc=False):
    """A chunk of the common form: what else could matter is refused by its type."""

    choices: tuple[_PlainChoice]
    usage: None = None
    error: None = None
    kind: Literal["chat.completion.chunk", "text_completion"] | None = msgspec.field(
        default=None, name="object"
    )


class _NamelessChunk(_PlainChunk, gc=False):
    """The same as long as no id has come: the one that brings it is read in full."""

    id: Literal[""] | None = None


_plain_chunks: Final = msgspec.json.Decoder(_PlainChunk).decode_lines
_nameless_chunks: Final = msgspec.json.Decoder(_NamelessChunk).decode_lines


class OpenAIStream(EventStreamDecoder[Completion]):
    """Turn the bytes of an answer into events; the last step is ``close``.

    Of several choices each event tells the one it belongs to.
    """

    _decode = staticmethod(openai_json.completion)

    def __init__(self, *, model: str, wanted: Expectations = NO_EXPECTATIONS) -> None:
        super().__init__(model=model)
        self._wanted = wanted
        self._first = PartialChoice(0, wanted)
        self._others: dict[int, PartialChoice] = {}
        self._id = ""
        self._usage: Usage | None = None
        self._unmarked = False

    @property
    def partial(self) -> str:
        """The text of the first choice that has come so far."""
        return "".join(self._first.text)

    def reply(self) -> Reply:
        """Return the reply as far as it has come."""
        return reply_of(
            self._choices(),
            self._wanted,
            model=self._model,
            usage=self._usage,
            given_id=self._id,
        )

    def whole(self, body: bytes) -> Reply:
        """Return the reply in a whole answer; raises ``MalformedResponse``."""
        answer = openai_json.completion(body)
        if answer is None or not answer.choices:
            raise without_reply(body, texts.text("wire.openai_api"))
        # A copy, for it is sorted.
        given = answer.choices[:MAX_CHOICES]
        # Some servers number all of their choices 0: then their order counts.
        if len(given) > 1:
            given.sort(key=lambda choice: choice.index)
        for place, choice in enumerate(given):
            taken = self._first
            if place:
                taken = self._others[place] = PartialChoice(place, self._wanted)
            said = choice.message or choice.delta or openai_json.Content()
            if thought := openai_json.reasoning_text(said):
                taken.add_reasoning(thought, [])
            if text := choice.text if choice.text is not None else said.content:
                taken.add_text(text, [])
            if said.tool_calls:
                # A whole call is one piece, whatever index or id the server gave it.
                calls = (
                    openai_json.ToolPiece(at, each.id, each.function)
                    for at, each in enumerate(said.tool_calls)
                )
                taken.add_tool_calls(calls, [])
            if choice.logprobs is not None:
                taken.logprobs.extend(openai_json.logprobs(choice.logprobs))
            taken.finish = openai_json.finish_reason(choice.finish_reason)
            taken.complete([])
        self._usage = openai_json.usage(answer.usage)
        self._id = answer.id or ""
        self._model = answer.model or self._model
        self.done = True
        return self.reply()

    def _complete(self) -> bool:
        """Whether the end mark, or a finish reason for each choice, came.

        vLLM, TGI and llama.cpp end with ``[DONE]``, some providers just end. The
        completions of TGI before 2.2 have neither, so their end is taken for one.
        """
        if self.done or self._unmarked:
            return True
        return all(choice.finish for choice in self._choices())

    def _finish(self, events: list[Event]) -> None:
        for choice in self._choices():
            choice.complete(events)

    def _choices(self) -> list[PartialChoice]:
        return [self._first, *(self._others[at] for at in sorted(self._others))]

    def _take(self, piece: Completion, data: bytes, events: list[Event]) -> None:
        # vLLM before mid-2025 sends errors flat, with no member "error".
        if piece.error or piece.kind == "error":
            raise self._failed(data)
        for choice in piece.choices or ():
            self._read_choice(piece, choice, events)
        if piece.usage is not None:
            self._usage = openai_json.usage(piece.usage)
        # The first that names itself counts, whatever later chunks say.
        if not self._id and piece.id:
            self._id = piece.id
            self._model = piece.model or self._model

    def _take_plain(self, lines: bytes, events: list[Event]) -> bytes:
        # The hot path: one call of ours an event. In a burst an event costs a fifth of
        # what it does in _take, alone in its chunk a third.
        if not self._first.plain:
            return lines
        # Types that allow nothing else make the decoder ask all questions at C speed.
        decode = _plain_chunks if self._id else _nameless_chunks
        left = b""
        try:
            pieces = decode(lines)
        except UNDECODED:
            # Mostly it is the end that differs: what comes before is tried alone.
            parts = lines.rsplit(b"\n", _LAST_EVENTS)
            if len(parts) <= _LAST_EVENTS:
                return lines
            try:
                pieces = decode(parts[0])
            except UNDECODED:
                return lines
            left = b"\n".join(parts[1:])
        kept = self._first.text
        for piece in pieces:
            (choice,) = piece.choices
            text = choice.text
            if choice.delta is not None:
                text = text or choice.delta.content
            if text:
                kept.append(text)
                events.append(Text(text))
        self.events += len(pieces)
        return left

    def _read_choice(
        self, chunk: Completion, choice: ChoiceData, events: list[Event]
    ) -> None:
        delta, index = choice.delta, choice.index
        taken: PartialChoice | None = self._first
        # TGI up to 1.4.3 counts the tokens here; only it calls a chat a completion.
        if index and (delta is None or chunk.kind != "text_completion"):
            taken = self._others.get(index)
            if taken is None and 0 < index < MAX_CHOICES:
                taken = self._others[index] = PartialChoice(index, self._wanted)
        # An index beyond all that can be asked for: nothing there was.
        if taken is None:
            return
        text = choice.text
        if delta is not None:
            text = text or delta.content
            if thought := openai_json.reasoning_text(delta):
                taken.add_reasoning(thought, events)
        # With this reason, TGI's alone, the text is that of the end mark: "</s>".
        if text and choice.finish_reason != "eos_token":
            taken.add_text(text, events)
        if delta is not None and delta.tool_calls:
            taken.add_tool_calls(delta.tool_calls, events)
        if choice.logprobs is not None:
            taken.logprobs.extend(openai_json.logprobs(choice.logprobs))
        if choice.finish_reason:
            taken.finish = openai_json.finish_reason(choice.finish_reason)
        elif choice.finish_reason is not None:
            self._unmarked = _OLD_TGI.match(chunk.fingerprint or "") is not None
