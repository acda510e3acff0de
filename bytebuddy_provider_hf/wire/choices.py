"""Collect the answers of one reply while they come: text, reasoning, tool calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.secret import one_line
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
from bytebuddy_provider_hf.wire.finish_reasons import (
    check_finish,
    finish_reason,
    interrupted,
)
from bytebuddy_provider_hf.wire.openai_json import UNNAMED, ToolPiece
from bytebuddy_provider_hf.wire.surrogates import has_surrogates, join_surrogates
from bytebuddy_provider_hf.wire.thinking import FIRST, ThinkSplitter, split_closed
from bytebuddy_provider_hf.wire.tool_calls import ToolPieces, is_json

# As many as OpenAI lets one ask for; of more in one event none is looked at.
MAX_CHOICES: Final = 128
# A batch of embeddings is the largest honest answer of one piece, some ten MiB.
MAX_REPLY: Final = 64 * 1024 * 1024
# An answer has a few dozen elements, unless it holds what nobody asked for; a token
# with twenty others beside it and their bytes has 170.
ELEMENTS: Final = 32_768
ELEMENTS_WITH_LOGPROBS: Final = 655_360
# No model writes more tokens in one answer, however large its window is.
USUAL_TOKENS: Final = 131_072
# Bytes of a token: 4 on average, 64 in a run of blanks; many more with those that might
# have stood there. The rest is for servers that count reasoning apart.
_LONGEST_TOKEN: Final = 64
_WITH_LOGPROBS: Final = 24
_SLACK: Final = 1024 * 1024
# By which TGI 2.0.1 to 2.3.0 has a model say that no tool fits: it adds the tool itself
# (router/src/infer/mod.rs, ToolGrammar).
_NOTICE: Final = "notify_error"
# Kinds of parts that hold no words: so many are named.
_MOST_KINDS: Final = 5
_LONGEST_KIND: Final = 32
# A server's word for its end: so much of it is kept.
_LONGEST_WORD: Final = 64


def answer_ceiling(
    tokens: int | None = None, *, n: int = 1, logprobs: bool = False
) -> int:
    """Return the bytes that ``n`` answers of so many tokens may have together.

    Without a number it is that of the longest answers there are.
    """
    size = _SLACK + _LONGEST_TOKEN * (USUAL_TOKENS if tokens is None else tokens) * n
    return size * _WITH_LOGPROBS if logprobs else size


@frozen
class Expectations:
    """How an answer is to be read.

    ``n`` answers were asked for, and ``logprobs`` with them. ``tools`` are the names
    of those that were offered, ``tool`` is the one that is called where the server
    gives the call no name. ``json`` is what the text must be. ``split`` tells reasoning
    from text by the marks in it; ``opened`` is the mark with which the model's template
    ends the prompt, where it opens the reasoning itself. ``ceiling`` are the bytes
    that the answers may have together, ``most_body`` those of a body of one piece.
    """

    n: int = 1
    logprobs: bool = False
    tools: tuple[str, ...] = ()
    tool: str = ""
    json: bool = False
    split: bool = True
    opened: str = ""
    ceiling: int = answer_ceiling()
    most_body: int = MAX_REPLY

    def bounded(self, ceiling: int, most_body: int) -> Expectations:
        """Return the same with these bounds."""
        # Member by member: attrs.evolve takes five times as long, at each call.
        return Expectations(
            self.n,
            self.logprobs,
            self.tools,
            self.tool,
            self.json,
            self.split,
            self.opened,
            ceiling,
            most_body,
        )


NO_EXPECTATIONS: Final = Expectations()
# The continuation of a prompt, as it stands.
RAW: Final = Expectations(split=False)


class PartialChoice:
    """One answer while it comes.

    ``half`` is half a character at the end of the text so far, ``plain`` tells that
    nothing is looked for in the text any more.
    """

    __slots__ = (
        "_calls",
        "_half_thought",
        "_kinds",
        "_probable",
        "_reasoning",
        "_refused",
        "_splitter",
        "_uncalled",
        "_wanted",
        "_weighed",
        "_whole",
        "finish",
        "half",
        "index",
        "logprobs",
        "plain",
        "raw_finish",
        "text",
    )

    def __init__(self, index: int, wanted: Expectations) -> None:
        self.index = index
        self.text: list[str] = []
        self.half = ""
        self.finish: FinishReason | None = None
        self.raw_finish: str | None = None
        self.logprobs: list[TokenLogprob] = []
        self._reasoning: list[str] = []
        self._half_thought = ""
        self._calls: ToolPieces | None = None
        self._refused = False
        # Whether the server said that it called a tool, and did not.
        self._uncalled = False
        # Whether the text came at once, and was looked through then.
        self._whole = False
        # The kinds of its parts that hold no words.
        self._kinds: list[str] = []
        # What the probabilities of so many tokens take.
        self._probable = self._weighed = 0
        self._wanted = wanted
        self.plain = not wanted.split
        self._splitter: ThinkSplitter | None = None

    def add_text(self, text: str, events: list[Event]) -> None:
        """Take a piece of the answer."""
        if not text:
            return
        if self.half or (not text.isascii() and has_surrogates(text)):
            text, self.half = join_surrogates(self.half + text)
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

    def add_whole_text(self, text: str, events: list[Event]) -> None:
        """Take all of the answer's text at once."""
        self._whole = True
        alone = not self.plain and not self._reasoning and split_closed(text)
        if alone:
            # The template opened the reasoning, and only its end is in the answer.
            self.add_reasoning(alone[0], events)
            text = alone[1]
        self.add_text(text, events)

    def add_reasoning(self, text: str, events: list[Event]) -> None:
        """Take a piece of what the server itself calls reasoning."""
        # A server that tells reasoning itself leaves no marks of it in the text.
        self.plain = True
        if self._splitter is not None:
            self._add(self._splitter.disable(), events)
            self._splitter = None
        if self._half_thought or has_surrogates(text):
            text, self._half_thought = join_surrogates(self._half_thought + text)
        if text:
            self._reasoning.append(text)
            events.append(Reasoning(text, self.index))

    def add_refusal(self, text: str, events: list[Event]) -> None:
        """Take a piece of what the server calls a refusal: it is the answer."""
        self._refused = True
        self.add_text(text, events)

    def size(self) -> int:
        """Return the bytes of all that is kept, each text in one piece from now."""
        for pieces in (self.text, self._reasoning):
            if len(pieces) > 1:
                pieces[:] = ["".join(pieces)]
        size = sum(
            len(each) if each.isascii() else len(each.encode("utf-8", "replace"))
            for each in (*self.text, *self._reasoning)
        )
        if self._splitter is not None:
            size += self._splitter.held()
        if self._calls is not None:
            size += self._calls.size()
        for token in self.logprobs[self._weighed :]:
            self._probable += _LONGEST_TOKEN * (2 + len(token.alternatives))
        self._weighed = len(self.logprobs)
        return size + self._probable

    def add_kinds(self, kinds: Iterable[str]) -> None:
        """Take note of parts of the answer that hold no words."""
        shown = (one_line(kind, limit=_LONGEST_KIND) for kind in dict.fromkeys(kinds))
        named = (*self._kinds, *shown)
        self._kinds = list(dict.fromkeys(named))[:_MOST_KINDS]

    def add_tool_calls(self, pieces: Iterable[ToolPiece], events: list[Event]) -> None:
        """Take pieces of tool calls."""
        calls = self._tool_pieces()
        events.extend(calls.add(piece, self.index) for piece in pieces)

    def add_whole_calls(self, pieces: Iterable[ToolPiece], events: list[Event]) -> None:
        """Take tool calls that came whole."""
        calls = self._tool_pieces()
        events.extend(calls.add_whole(piece, self.index) for piece in pieces)

    def end(self, word: str) -> None:
        """Take the server's word for why the answer ended.

        Raises ``StreamInterrupted`` for one that names a fault.
        """
        self.raw_finish = word[:_LONGEST_WORD]
        self.finish = finish_reason(word)
        if self.finish is None:
            check_finish(word)

    def end_natively(self, word: str) -> None:
        """Take the word of the provider behind a gateway, kept as the server's own.

        Raises ``StreamInterrupted`` for one that names a fault.
        """
        self.raw_finish = word[:_LONGEST_WORD]
        check_finish(word)

    def release(self, events: list[Event]) -> None:
        """Tell what was held back; a second time there is nothing."""
        if self._half_thought:
            self._half_thought = ""
            self._reasoning.append("\ufffd")
            events.append(Reasoning("\ufffd", self.index))
        if self.half:
            self.half = ""
            if self._splitter is None:
                self.text.append("\ufffd")
                events.append(Text("\ufffd", self.index))
            else:
                self._add(self._splitter.feed("\ufffd"), events)
        if self._splitter is None:
            return
        self._add(self._splitter.close(), events)
        # That the prompt opened the reasoning was a guess by the model's name: some
        # servers take the reasoning out. What was not cut is the answer.
        if self._splitter.unclosed and not self.text and self.finish != "length":
            said, self._reasoning = "".join(self._reasoning), []
            if said:
                self.text.append(said)
                events.append(Text(said, self.index))
        self._splitter = None

    def complete(self, events: list[Event]) -> None:
        """Take note that the answer is complete.

        Raises ``StreamInterrupted`` for JSON that was asked for and did not come whole.
        """
        if self._splitter is not None or self.half or self._half_thought:
            self.release(events)
        # vLLM with a reasoning parser, and a model that did not think: all of the JSON
        # that was asked for came as reasoning.
        if self._wanted.json and not self.text and self._calls is None:
            said = "".join(self._reasoning)
            if is_json(said):
                self.text.append(said)
                events.append(Text(said, self.index))
        if self._calls is not None:
            offered = self._wanted.tools
            if _NOTICE not in offered:
                for said in self._calls.take_notices(_NOTICE):
                    self.text.append(said)
                    events.append(Text(said, self.index))
            if not self._calls:
                self._calls = None
        if self._calls is not None and self.finish in (None, "stop"):
            # vLLM says "stop" of a call it was told to make, TGI never a reason.
            self.finish = "tool_calls"
        elif self._calls is None and self.finish == "tool_calls":
            self.finish, self._uncalled = "stop", True
        if (
            self._wanted.json
            and self.finish is None
            and not is_json("".join(self.text))
        ):
            raise interrupted(self.raw_finish)

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return bool(self.text or self._reasoning or self._calls or self._splitter)

    @property
    def ended(self) -> bool:
        """Whether there is a reason for its end, known or not."""
        return self.finish is not None or self.raw_finish is not None

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
    def is_usual(self) -> bool:
        """Whether it is text that ended well, and there is nothing to tell of it."""
        return bool(
            self.text
            and self._calls is None
            and not self._reasoning
            and not self._refused
            and not self._uncalled
            and not self._kinds
            and not self._wanted.json
            and self.finish in ("stop", "length")
            and (self._whole or not self._closes_alone())
        )

    def to_choice(self) -> Choice:
        """Return the answer as far as it has come."""
        return Choice(
            text="".join(self.text),
            finish_reason=self.finish,
            raw_finish_reason=self.raw_finish,
            reasoning=self.reasoning,
            tool_calls=self.calls,
            logprobs=tuple(self.logprobs),
        )

    def notes(self) -> Iterator[str]:
        """Tell what a caller would not expect of the answer."""
        cut = self.finish == "length"
        if self.raw_finish and self.finish is None:
            yield texts.text("wire.unknown_finish", reason=repr(self.raw_finish))
        if self._refused:
            yield texts.text("wire.refused")
        if self._kinds:
            yield texts.text("wire.parts_without_words", kinds=", ".join(self._kinds))
        # A caller parses them: JSON that was cut must not come as a surprise.
        for call in self.calls:
            if call.arguments and not is_json(call.arguments):
                yield texts.text(
                    "wire.arguments_cut" if cut else "wire.arguments_no_json",
                    name=call.name,
                )
        if self._calls is not None:
            return
        if self._uncalled:
            yield texts.text("wire.no_tool_call")
        if not self._reasoning:
            if not self.text and self._wanted.split:
                yield texts.text("wire.empty_answer")
            elif self._closes_alone():
                yield texts.text("wire.think_closed_alone")
        elif not self.text and cut:
            yield texts.text("wire.cut_while_thinking")
        elif not self.text and self.raw_finish is not None:
            yield texts.text("wire.all_reasoning")
        elif self._wanted.json and "".join(self.text) == self.reasoning:
            yield texts.text("wire.json_as_reasoning")
        # As with arguments: many providers do not know the format, and ignore it.
        if self._wanted.json and self.text and not is_json("".join(self.text)):
            yield texts.text("wire.json_cut" if cut else "wire.no_json")

    def _closes_alone(self) -> bool:
        """Whether the text closes reasoning that it never opened."""
        if self._whole or not self._wanted.split:
            return False
        return split_closed("".join(self.text)) is not None

    def _tool_pieces(self) -> ToolPieces:
        # Made when needed: few answers call a tool, and each choice would have one.
        if self._calls is None:
            self._calls = ToolPieces(self._wanted.tools)
        return self._calls

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
    notes: Sequence[str] = (),
) -> Reply:
    """Return the reply that the answers make, the first one's members its own.

    ``notes`` are those on the answer as a whole.
    """
    first = choices[0]
    usual = first.is_usual
    notes = list(notes)
    if not usual or len(choices) > 1:
        for each in choices:
            if not each.is_usual:
                notes += each.notes()
    if len(choices) < wanted.n:
        notes.append(texts.text("wire.fewer_answers", choices=len(choices), n=wanted.n))
    return Reply(
        text="".join(first.text),
        model=model,
        finish_reason=first.finish,
        raw_finish_reason=first.raw_finish,
        usage=usage,
        reasoning="" if usual else first.reasoning,
        tool_calls=() if usual else first.calls,
        id=given_id,
        # Several answers mostly have the same to tell.
        notes=tuple(dict.fromkeys(notes)) if notes else (),
        logprobs=tuple(first.logprobs),
        choices=tuple(each.to_choice() for each in choices) if len(choices) > 1 else (),
    )
