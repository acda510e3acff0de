"""Read the answers of OpenAI-style servers, of chat and of completions."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec
from attrs import evolve

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.errors import MalformedResponse, StreamInterrupted
from bytebuddy_provider_hf.failures.error_in_200 import says_error
from bytebuddy_provider_hf.types import (
    NOT_SERVED,
    Event,
    Reply,
    Text,
    Usage,
)
from bytebuddy_provider_hf.wire import openai_json
from bytebuddy_provider_hf.wire.choices import (
    MAX_CHOICES,
    NO_EXPECTATIONS,
    Expectations,
    PartialChoice,
    reply_of,
)
from bytebuddy_provider_hf.wire.finish_reasons import is_none_yet
from bytebuddy_provider_hf.wire.openai_json import (
    ChoiceData,
    Completion,
    Content,
    ToolPiece,
)
from bytebuddy_provider_hf.wire.sse import SseEvent
from bytebuddy_provider_hf.wire.stream import EventStreamDecoder
from bytebuddy_provider_hf.wire.typed_json import UNDECODED

# TGI whose completions end without any mark: 1.4.5 to 2.1.
_OLD_TGI: Final = re.compile(r"(1\.\d+|2\.[01])\.")

# So many events are read in full at first: they bring the id and the first text.
_FIRST_EVENTS: Final = 4
# Of a stream's end so many events may be of another form: a finish reason, the usage,
# the mark.
_LAST_EVENTS: Final = 3


class _PlainDelta(msgspec.Struct, gc=False):
    """A delta that says text and nothing else."""

    content: str | None = None
    refusal: None = None
    reasoning_content: None = None
    reasoning: None = None
    reasoning_text: None = None
    reasoning_details: None = None
    tool_calls: None = None
    function_call: None = None


class _PlainChoice(msgspec.Struct, gc=False):
    """The only choice of a chunk in the middle of an answer."""

    delta: _PlainDelta | None = None
    text: str | None = None
    index: Literal[0] = 0
    message: None = None
    finish_reason: None = None
    native_finish_reason: None = None
    logprobs: None = None
    usage: None = None
    error: None = None


class _PlainChunk(msgspec.Struct, gc=False):
    """A chunk of the common form: what else could matter is refused by its type."""

    choices: tuple[_PlainChoice]
    usage: None = None
    error: None = None
    x_groq: None = None
    base_resp: None = None
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
        super().__init__(model=model, wanted=wanted)
        self._first = PartialChoice(0, wanted)
        self._others: dict[int, PartialChoice] = {}
        # Whether a choice came at all.
        self._begun = False
        # Whether an answer went on behind a reason for its end.
        self._reopened = False
        self._id = ""
        self._usage: Usage | None = None
        # What the body itself tells of how it was served; few do.
        self._served = NOT_SERVED
        self._unmarked = False

    @property
    def _server(self) -> str:
        return texts.text("wire.openai_api")

    @property
    def partial(self) -> str:
        """The text of the first choice that has come so far."""
        return "".join(self._first.text)

    def _reply(self) -> Reply:
        """Return what has come so far."""
        choices = self._choices()
        notes: list[str] = []
        # Most answers have nothing to tell of, and none is asked.
        if self._unread or self._stray:
            notes += self._notes()
        if self.done and self._wanted.split and not all(c.ended for c in choices):
            notes.append(texts.text("wire.no_finish"))
        reply = reply_of(
            choices,
            self._wanted,
            model=self._model,
            usage=self._usage,
            given_id=self._id,
            notes=notes,
        )
        if self._served is NOT_SERVED:
            return reply
        return evolve(reply, served=self._served)

    def _complete(self, *, clean: bool) -> bool:
        """Whether the end mark, or a finish reason for each choice, came.

        vLLM, TGI and llama.cpp end with ``[DONE]``, some providers just end. The
        completions of TGI before 2.2 have neither, so their end is taken for one.
        """
        if self.done or self._unmarked:
            return True
        if not clean:
            return self.settled
        return all(choice.raw_finish for choice in self._choices())

    def _finish(self, events: list[Event]) -> None:
        if self.done and not self._begun:
            raise MalformedResponse(
                texts.text("wire.no_choices"), hint=texts.text("wire.no_choices_hint")
            )
        for choice in self._choices():
            choice.complete(events)

    def _release(self, events: list[Event]) -> None:
        for choice in self._choices():
            choice.release(events)

    def _kept(self) -> int:
        return sum(choice.size() for choice in self._choices())

    def _choices(self) -> list[PartialChoice]:
        if not self._others:
            return [self._first]
        return [self._first, *(self._others[at] for at in sorted(self._others))]

    def _take_whole(self, piece: Completion, data: bytes, events: list[Event]) -> bool:
        choices = piece.choices or []
        # Some servers number all of their choices 0: then their order counts.
        if len(choices) > 1:
            # A copy, for it is sorted.
            choices = sorted(choices, key=lambda choice: choice.index)
            # One more than were asked for: that it came is told.
            piece.choices = choices[: self._wanted.n + 1]
            for place, choice in enumerate(piece.choices):
                choice.index = place
        self._take(piece, data, events, whole=True)
        return self._begun

    def _take(
        self,
        piece: Completion,
        data: bytes,
        events: list[Event],
        *,
        whole: bool = False,
    ) -> None:
        groq, known = piece.x_groq, self._usage
        if piece.usage is not None:
            self._usage = openai_json.usage(piece.usage, self._usage)
            cost = openai_json.reported_cost(data) if openai_json.COST in data else None
            if cost is not None:
                self._served = evolve(self._served, reported_nano_usd=cost)
        if groq is not None and groq.usage is not None:
            self._usage = openai_json.usage(groq.usage, self._usage)
        # The same counts in every chunk are no news.
        if self._usage is not known and self._usage != known:
            self.progress += 1
        if piece.router is not None:
            self._served = evolve(self._served, provider=piece.router.provider)
            self._model = piece.router.model or self._model
        # The first that names itself counts, whatever later chunks say.
        if not self._id and piece.id:
            self._id = piece.id
            self._model = piece.model or self._model
        failed, broken = False, None
        # No more of them are looked at than anybody can ask for.
        for choice in (piece.choices or ())[:MAX_CHOICES]:
            try:
                self._read_choice(piece, choice, events, whole=whole)
            except StreamInterrupted as error:
                # What the other choices say reaches the caller before it.
                broken = broken or error
            failed = failed or bool(choice.error)
        if broken is not None:
            raise broken
        # vLLM before mid-2025 sends errors flat, with no member "error".
        if (
            failed
            or piece.error
            or piece.kind == "error"
            or piece.base_resp
            or (groq is not None and groq.error)
            or (not piece.choices and openai_json.usage(piece.usage) is None)
        ):
            self._check(data)

    def _take_plain(self, lines: bytes, events: list[Event]) -> bytes:
        # The hot path: one call of ours an event. In a burst an event costs a fifth of
        # what it does in _take, alone in its chunk a third.
        choice = self._first
        for _ in range(_FIRST_EVENTS):
            if choice.plain and self._id:
                break
            line, _, lines = lines.partition(b"\n")
            if line and line[:1] != b":":
                self._read(SseEvent("", line), events)
            if self.done or not lines:
                return lines
        if not choice.plain or choice.half:
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
        kept, before = choice.text, len(choice.text)
        for piece in pieces:
            (said,) = piece.choices
            text = said.text
            if said.delta is not None:
                text = text or said.delta.content
            if text:
                kept.append(text)
                events.append(Text(text))
        if choice.raw_finish is not None and len(kept) > before:
            self._reopen(choice)
        self._begun = True
        self.events += len(pieces)
        self.progress += len(kept) - before
        return left

    def _read_choice(
        self,
        chunk: Completion,
        choice: ChoiceData,
        events: list[Event],
        *,
        whole: bool,
    ) -> None:
        # A server may send the whole message in a stream, or a delta in a whole answer.
        said, index = choice.delta or choice.message, choice.index
        taken: PartialChoice | None = self._first
        # TGI up to 1.4.3 counts the tokens here; only it calls a chat a completion.
        if index and (said is None or chunk.kind != "text_completion"):
            taken = self._others.get(index)
            if taken is None and 0 < index < self._wanted.n:
                taken = self._others[index] = PartialChoice(index, self._wanted)
        # An index beyond all that were asked for: nothing there was.
        if taken is None:
            self._skip("choices")
            return
        self._begun = True
        text = choice.text or (None if said is None else said.content)
        if not whole and choice.delta is None and said is not None and taken.begun:
            # A message behind its deltas is their sum (MiniMax): what it adds counts.
            text = (text or "").removeprefix("".join(taken.text))
            text = None if text == said.content else text
            said = None
        # With this reason, TGI's alone, the text of a piece is the end mark: "</s>".
        elif choice.finish_reason == "eos_token" and not (whole or choice.message):
            text = None
        thought = None if said is None else openai_json.reasoning_text(said)
        more = said is not None and (
            said.tool_calls or said.function_call or said.refusal or said.kinds
        )
        if taken.raw_finish is not None and (text or thought or more):
            self._reopen(taken)
        self.progress += bool(text or thought)
        if thought:
            taken.add_reasoning(thought, events)
        if text:
            (taken.add_whole_text if whole else taken.add_text)(text, events)
        if more and said is not None:
            self._read_rest(taken, said, events, whole=whole)
        if choice.logprobs and self._wanted.logprobs:
            taken.logprobs.extend(openai_json.logprobs(choice.logprobs))
        if choice.usage is not None:
            self._usage = openai_json.usage(choice.usage, self._usage)
        # An error beside it says more than the reason, which then is "error".
        failed = choice.error is not None and says_error(choice.error)
        word = choice.finish_reason
        if word and not failed and not is_none_yet(word):
            # Some servers write one into every chunk, text in it or not.
            self.progress += taken.raw_finish is None and not self._reopened
            taken.end(word)
            if choice.native_finish_reason:
                # The provider's own word is the truth, and may name a fault.
                taken.end_natively(choice.native_finish_reason)
            # Each of the answers asked for has ended, by a reason that is known.
            choices = self._choices()
            self.settled = (
                not self._reopened
                and len(choices) >= self._wanted.n
                and all(each.finish is not None for each in choices)
            )
        elif word is not None:
            self._unmarked = _OLD_TGI.match(chunk.fingerprint or "") is not None

    def _reopen(self, choice: PartialChoice) -> None:
        """Take note that an answer goes on behind a reason for its end.

        Some servers write one into every chunk (litellm#2195, new-api#378), or one at
        the end of the reasoning (gcli2api#403): of such a stream only its own end is
        believed.
        """
        choice.finish = choice.raw_finish = None
        self._reopened, self.settled = True, False

    def _read_rest(
        self, taken: PartialChoice, said: Content, events: list[Event], *, whole: bool
    ) -> None:
        """Add what a message or delta says besides text and reasoning."""
        if said.refusal:
            self.progress += 1
            taken.add_refusal(said.refusal, events)
        if said.kinds:
            taken.add_kinds(said.kinds)
        calls = said.tool_calls or []
        if len(calls) > openai_json.MOST_PIECES:
            raise openai_json.too_many_pieces()
        if said.function_call is not None and not calls:
            calls = [ToolPiece(0, None, said.function_call)]
        # A piece may be as empty as a delta.
        for function in map(openai_json.function_of, calls):
            if function.name or openai_json.arguments_of(function):
                self.progress += 1
                break
        if calls and whole:
            taken.add_whole_calls(calls, events)
        elif calls:
            taken.add_tool_calls(calls, events)
