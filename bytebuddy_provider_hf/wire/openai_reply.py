"""The OpenAI protocol: answers, whole and streamed, become events and a reply."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

from bytebuddy_provider_hf.errors import (
    MalformedResponse,
    ResponseError,
    ResponseTooLarge,
    StreamInterrupted,
)
from bytebuddy_provider_hf.types import (
    Event,
    FinishReason,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from bytebuddy_provider_hf.wire import decode
from bytebuddy_provider_hf.wire.message import error_message
from bytebuddy_provider_hf.wire.sse import SseDecoder, SseEvent
from bytebuddy_provider_hf.wire.stream_error import stream_failed

MAX_STREAM: Final = 256 * 1024 * 1024

# TGI whose completions end without any mark: 1.4.5 to 2.1.
_OLD_TGI: Final = re.compile(r"(1\.\d+|2\.[01])\.")

_E = TypeVar("_E", bound=ResponseError)


def _same(text: str) -> str:
    return text


def read_reply(data: bytes, *, model: str) -> Reply:
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
    choice = answer.choices[0]
    message = choice.message or choice.delta or decode.Content()
    calls = tuple(decode.tool_call(piece) for piece in message.tool_calls or ())
    text = choice.text if choice.text is not None else message.content
    return Reply(
        text=text or "",
        model=answer.model or model,
        finish_reason=decode.finish_reason(choice.finish_reason),
        usage=decode.usage(answer.usage),
        reasoning=message.reasoning_content or message.reasoning or "",
        tool_calls=calls,
        id=answer.id or "",
    )


class OpenAIStream:
    """Turn the bytes of a stream into events; the last step is :meth:`close`.

    ``scrub`` takes secrets out of what the server says about errors. Only the first
    choice is read.
    """

    def __init__(
        self,
        *,
        model: str,
        request_id: str | None = None,
        scrub: Callable[[str], str] = _same,
    ) -> None:
        self._sse = SseDecoder()
        self._scrub = scrub
        self._model = model
        self._request_id = request_id
        self._id = ""
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[_OpenCall] = []
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._size = 0
        self._unmarked = False
        # Whether the end mark came: nothing after it is read.
        self.done = False
        # Data events so far, so that a watch can tell pings from progress.
        self.events = 0

    @property
    def partial(self) -> str:
        """The text that has come so far."""
        return "".join(self._text)

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``.

        Raises ``StreamFailed`` for an error inside the stream, ``MalformedResponse``
        for data that is not JSON, ``ResponseTooLarge`` above 256 MiB.
        """
        self._size += len(chunk)
        if self._size > MAX_STREAM:
            raise self._with_partial(ResponseTooLarge("The stream exceeds 256 MiB."))
        events: list[Event] = []
        try:
            blocks = self._sse.feed(chunk)
        except ResponseTooLarge as error:
            raise self._with_partial(error) from None
        for block in blocks:
            if self.done:
                break
            self._read(block, events)
        return events

    def close(self) -> tuple[list[Event], Reply]:
        """Return the last events and the reply, the connection having ended well.

        Raises ``StreamInterrupted`` unless the end mark or a finish reason came:
        vLLM, TGI and llama.cpp end with ``[DONE]``, some providers just end. The
        completions of TGI before 2.2 have neither, so their end is taken for one.
        """
        events: list[Event] = []
        for block in () if self.done else self._sse.flush():
            # What lacks its blank line may be cut: then it is neither mark nor JSON.
            if _is_mark(block.data) or decode.completion(block.data) is not None:
                self._read(block, events)
        if not (self.done or self._finish or self._unmarked):
            self._interrupted()
        return events, self.reply()

    def reply(self) -> Reply:
        """Return the reply as far as it has come."""
        return Reply(
            text=self.partial,
            model=self._model,
            finish_reason=self._finish,
            usage=self._usage,
            reasoning="".join(self._reasoning),
            tool_calls=tuple(call.whole() for call in self._calls),
            id=self._id,
            request_id=self._request_id,
        )

    def _interrupted(self) -> NoReturn:
        message = "The stream ended before the answer was complete."
        raise self._with_partial(StreamInterrupted(message)) from None

    def _with_partial(self, error: _E) -> _E:
        error.partial = self.partial
        return error

    def _read(self, event: SseEvent, events: list[Event]) -> None:
        data = event.data
        self.events += 1
        if _is_mark(data):
            self.done = True
            return
        chunk = decode.completion(data)
        # transformers serve writes errors by hand: a quote in one breaks the JSON.
        if event.name == "error" or (chunk is None and data[:8] == b'{"error"'):
            self._failed(data)
        if chunk is None:
            said = self._scrub(error_message(data))
            raise self._with_partial(
                MalformedResponse(f"The stream holds what is not JSON: {said}.")
            )
        if chunk.error or chunk.kind == "error":
            self._failed(data)
        if chunk.choices:
            self._read_choice(chunk, chunk.choices[0], events)
        if chunk.usage is not None:
            self._usage = decode.usage(chunk.usage)
        if not self._id and chunk.id:
            self._id = chunk.id
            self._model = chunk.model or self._model

    def _failed(self, data: bytes) -> NoReturn:
        raise self._with_partial(stream_failed(data, self._scrub))

    def _read_choice(
        self, chunk: decode.Completion, choice: decode.Choice, events: list[Event]
    ) -> None:
        delta = choice.delta
        # TGI up to 1.4.3 counts the tokens here; only it calls a chat a completion.
        if choice.index and (delta is None or chunk.kind != "text_completion"):
            return
        text = choice.text
        if delta is not None:
            text = text or delta.content
            if thought := delta.reasoning_content or delta.reasoning:
                self._reasoning.append(thought)
                events.append(Reasoning(thought))
        # With this reason, TGI's alone, the text is that of the end mark: "</s>".
        if text and choice.finish_reason != "eos_token":
            self._text.append(text)
            events.append(Text(text))
        if delta is not None and delta.tool_calls:
            events.extend(map(self._tool_piece, delta.tool_calls))
        if choice.finish_reason:
            self._finish = decode.finish_reason(choice.finish_reason)
        elif choice.finish_reason is not None:
            self._unmarked = _OLD_TGI.match(chunk.fingerprint or "") is not None

    def _tool_piece(self, piece: decode.ToolPiece) -> ToolCallDelta:
        """Add a piece to its call: found by id first, then by index.

        Ollama and others give several calls the same index: an id not seen before
        at an index in use begins a new call.
        """
        given = "" if piece.id is None else str(piece.id)
        function = piece.function or decode.FunctionPiece()
        arguments = decode.arguments_text(function.arguments)
        position = self._position(given, piece.index)
        if position is None:
            position = len(self._calls)
            self._calls.append(_OpenCall(index=piece.index))
        call = self._calls[position]
        call.id = call.id or given
        call.name = call.name or function.name or ""
        call.arguments.append(arguments)
        return ToolCallDelta(position, given or None, function.name, arguments)

    def _position(self, given: str, index: int | None) -> int | None:
        for position in range(len(self._calls) - 1, -1, -1):
            call = self._calls[position]
            if given and call.id == given and index in (None, call.index):
                return position
            if call.index == index and (not given or not call.id):
                return position
        if not given and index is None and self._calls:
            return len(self._calls) - 1
        return None


def _is_mark(data: bytes) -> bool:
    return data[:1] == b"[" and data.strip().lower() == b"[done]"


class _OpenCall:
    """A tool call whose pieces are still coming."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, *, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

    def whole(self) -> ToolCall:
        return decode.named_call(self.id, self.name, "".join(self.arguments))
