"""The OpenAI protocol: answers, whole and streamed, become events and a reply."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from bytebuddy_provider_hf.errors import MalformedResponse
from bytebuddy_provider_hf.failures.body_text import error_message
from bytebuddy_provider_hf.types import Event, Reply, Usage
from bytebuddy_provider_hf.wire import decode
from bytebuddy_provider_hf.wire.choices import MAX_CHOICES, PartialChoice, reply_of
from bytebuddy_provider_hf.wire.event_stream import EventStreamDecoder, same
from bytebuddy_provider_hf.wire.expectations import NO_EXPECTATIONS, Expectations

# TGI whose completions end without any mark: 1.4.5 to 2.1.
_OLD_TGI: Final = re.compile(r"(1\.\d+|2\.[01])\.")


def read_reply(
    data: bytes, *, model: str, wanted: Expectations = NO_EXPECTATIONS
) -> Reply:
    """Return the reply in a whole answer of chat or completions.

    Raises ``MalformedResponse`` when there is none in it, also when the body is an
    error that came with status 200.
    """
    answer = decode.completion(data)
    if answer is None or not answer.choices:
        said = error_message(data)
        raise MalformedResponse(
            f"The server answered without a reply: {said or 'an empty body'}.",
            hint="Check that apiBase is the address of an OpenAI-style API.",
        )
    return reply_of(
        [_whole(place, choice, wanted) for place, choice in _ordered(answer.choices)],
        wanted,
        model=answer.model or model,
        usage=decode.usage(answer.usage),
        given_id=answer.id or "",
    )


class OpenAIStream(EventStreamDecoder[decode.Completion]):
    """Turn the bytes of a stream into events; the last step is ``close``.

    ``scrub`` takes secrets out of what the server says about errors. Of several
    choices each event tells the one it belongs to.
    """

    _decode = staticmethod(decode.completion)

    def __init__(
        self,
        *,
        model: str,
        request_id: str | None = None,
        scrub: Callable[[str], str] = same,
        wanted: Expectations = NO_EXPECTATIONS,
    ) -> None:
        super().__init__(model=model, request_id=request_id, scrub=scrub)
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
            request_id=self._request_id,
        )

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

    def _take(self, piece: decode.Completion, data: bytes, events: list[Event]) -> None:
        if piece.error or piece.kind == "error":
            self._failed(data)
        for choice in piece.choices or ():
            self._read_choice(piece, choice, events)
        if piece.usage is not None:
            self._usage = decode.usage(piece.usage)
        if not self._id and piece.id:
            self._id = piece.id
            self._model = piece.model or self._model

    def _read_choice(
        self, chunk: decode.Completion, choice: decode.ChoiceData, events: list[Event]
    ) -> None:
        delta = choice.delta
        taken = self._first
        # TGI up to 1.4.3 counts the tokens here; only it calls a chat a completion.
        if choice.index and (delta is None or chunk.kind != "text_completion"):
            found = self._other(choice.index)
            if found is None:
                return
            taken = found
        text = choice.text
        if delta is not None:
            text = text or delta.content
            if thought := decode.reasoning_text(delta):
                taken.add_reasoning(thought, events)
        # With this reason, TGI's alone, the text is that of the end mark: "</s>".
        if text and choice.finish_reason != "eos_token":
            taken.add_text(text, events)
        if delta is not None and delta.tool_calls:
            taken.add_tool_calls(delta.tool_calls, events)
        if choice.logprobs is not None:
            taken.logprobs.extend(decode.logprobs(choice.logprobs))
        if choice.finish_reason:
            taken.finish = decode.finish_reason(choice.finish_reason)
        elif choice.finish_reason is not None:
            self._unmarked = _OLD_TGI.match(chunk.fingerprint or "") is not None

    def _other(self, index: int) -> PartialChoice | None:
        found = self._others.get(index)
        if found is None and 0 < index < MAX_CHOICES:
            found = self._others[index] = PartialChoice(index, self._wanted)
        return found


def _ordered(choices: list[decode.ChoiceData]) -> list[tuple[int, decode.ChoiceData]]:
    """Return the choices by their index; some servers number all of them 0."""
    if len(choices) == 1:
        return [(0, choices[0])]
    ordered = sorted(choices[:MAX_CHOICES], key=lambda choice: choice.index)
    return list(enumerate(ordered))


def _whole(
    place: int, choice: decode.ChoiceData, wanted: Expectations
) -> PartialChoice:
    """Return one answer, all of it at once."""
    said = choice.message or choice.delta or decode.Content()
    events: list[Event] = []
    taken = PartialChoice(place, wanted)
    if thought := decode.reasoning_text(said):
        taken.add_reasoning(thought, events)
    if text := choice.text if choice.text is not None else said.content:
        taken.add_text(text, events)
    if said.tool_calls:
        # A whole call is one piece, whatever index or id the server gave it.
        calls = (
            decode.ToolPiece(at, each.id, each.function)
            for at, each in enumerate(said.tool_calls)
        )
        taken.add_tool_calls(calls, events)
    if choice.logprobs is not None:
        taken.logprobs.extend(decode.logprobs(choice.logprobs))
    taken.finish = decode.finish_reason(choice.finish_reason)
    taken.complete(events)
    return taken
