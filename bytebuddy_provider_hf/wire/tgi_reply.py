"""TGI's own protocol: answers, whole and streamed, become events and a reply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

from bytebuddy_provider_hf.errors import (
    MalformedResponse,
    ResponseError,
    ResponseTooLarge,
    StreamInterrupted,
)
from bytebuddy_provider_hf.types import Event, FinishReason, Reply, Text, Usage
from bytebuddy_provider_hf.wire import decode
from bytebuddy_provider_hf.wire.message import error_message
from bytebuddy_provider_hf.wire.sse import SseDecoder, SseEvent
from bytebuddy_provider_hf.wire.stream_error import stream_failed

MAX_STREAM: Final = 256 * 1024 * 1024

_E = TypeVar("_E", bound=ResponseError)


def _same(text: str) -> str:
    return text


def read_generated(data: bytes, *, model: str = "", prompt: str = "") -> Reply:
    """Return the reply in a whole answer: an object, or a list of one.

    An echo of ``prompt`` is removed; a stop text is not, which TGI leaves in.
    Raises ``MalformedResponse`` when there is no reply in it, also when the body is an
    error that came with status 200.
    """
    answer = decode.generation(data)
    if answer is None or answer.generated_text is None:
        said = error_message(data)
        raise MalformedResponse(
            f"The server answered without a reply: {said or 'an empty body'}.",
            hint="Check that apiBase is the address of a TGI server.",
        )
    finish, usage = _told(answer.details)
    text = _without_echo(answer.generated_text, prompt)
    return Reply(text, model=model, finish_reason=finish, usage=usage)


class TgiStream:
    """Turn the bytes of ``/generate_stream`` into events; the last step is ``close``.

    The stream is over with the event that holds ``generated_text``, or details with a
    finish reason. Special tokens are no text; a stop text is, for TGI leaves it in.
    ``scrub`` takes secrets out of what the server says about errors.
    """

    def __init__(
        self,
        *,
        model: str,
        request_id: str | None = None,
        prompt: str = "",
        scrub: Callable[[str], str] = _same,
    ) -> None:
        self._sse = SseDecoder()
        self._model = model
        self._request_id = request_id
        self._prompt = prompt
        self._scrub = scrub
        self._text: list[str] = []
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._size = 0
        # Whether the end came: nothing after it is read.
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

        Raises ``StreamInterrupted`` unless the end of the generation came.
        """
        events: list[Event] = []
        for block in () if self.done else self._sse.flush():
            # What lacks its blank line may be cut: then it is no JSON.
            if decode.generation(block.data) is not None:
                self._read(block, events)
        if not self.done:
            self._interrupted()
        return events, self.reply()

    def reply(self) -> Reply:
        """Return the reply as far as it has come."""
        return Reply(
            text=self.partial,
            model=self._model,
            finish_reason=self._finish,
            usage=self._usage,
            request_id=self._request_id,
        )

    def _read(self, event: SseEvent, events: list[Event]) -> None:
        self.events += 1
        piece = decode.generation(event.data)
        if event.name == "error" or event.data[:8] == b'{"error"':
            self._failed(event.data)
        if piece is None:
            # TGI itself never writes this mark here; a gateway may.
            if event.data.strip().lower() == b"[done]":
                self.done = True
                return
            said = self._scrub(error_message(event.data))
            raise self._with_partial(
                MalformedResponse(f"The stream holds what is not JSON: {said}.")
            )
        if piece.error:
            self._failed(event.data)
        token = piece.token
        if token is not None and token.text and not token.special:
            self._add(token.text, events)
        finish, usage = _told(piece.details)
        self._usage = usage or self._usage
        if piece.generated_text is not None or finish is not None:
            self._finish = finish
            self.done = True
            # A server that sends no tokens has the whole text here, and only here.
            if not self._text and piece.generated_text:
                self._add(_without_echo(piece.generated_text, self._prompt), events)

    def _add(self, text: str, events: list[Event]) -> None:
        if text:
            self._text.append(text)
            events.append(Text(text))

    def _interrupted(self) -> NoReturn:
        message = "The stream ended before the answer was complete."
        raise self._with_partial(StreamInterrupted(message)) from None

    def _failed(self, data: bytes) -> NoReturn:
        raise self._with_partial(stream_failed(data, self._scrub))

    def _with_partial(self, error: _E) -> _E:
        error.partial = self.partial
        return error


def _told(
    details: decode.GenerationDetails | None,
) -> tuple[FinishReason | None, Usage | None]:
    if details is None:
        return None, None
    prompt = details.input_length
    if prompt is None:
        prompt = len(details.prefill or ())
    answer = details.generated_tokens
    usage = None if answer is None else Usage(prompt, answer, prompt + answer)
    return decode.finish_reason(details.finish_reason), usage


def _without_echo(text: str, prompt: str) -> str:
    """Return the text without the prompt that return_full_text puts before it."""
    return text.removeprefix(prompt)
