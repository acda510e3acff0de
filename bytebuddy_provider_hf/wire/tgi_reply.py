"""TGI's own protocol: answers, whole and streamed, become events and a reply."""

from __future__ import annotations

from collections.abc import Callable

from bytebuddy_provider_hf.errors import MalformedResponse
from bytebuddy_provider_hf.failures.body_text import error_message
from bytebuddy_provider_hf.types import Event, FinishReason, Reply, Usage
from bytebuddy_provider_hf.wire import decode
from bytebuddy_provider_hf.wire.choices import PartialChoice, reply_of
from bytebuddy_provider_hf.wire.event_stream import EventStreamDecoder, same
from bytebuddy_provider_hf.wire.expectations import RAW, Expectations


def read_generated(
    data: bytes, *, model: str = "", prompt: str = "", wanted: Expectations = RAW
) -> Reply:
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
    choice = PartialChoice(0, wanted)
    choice.finish, usage = _told(answer.details)
    events: list[Event] = []
    choice.add_text(_without_echo(answer.generated_text, prompt), events)
    choice.complete(events)
    if wanted.logprobs and answer.details is not None:
        choice.logprobs.extend(decode.detailed_logprobs(answer.details))
    return reply_of([choice], wanted, model=model, usage=usage)


class TgiStream(EventStreamDecoder[decode.Generation]):
    """Turn the bytes of ``/generate_stream`` into events; the last step is ``close``.

    The stream is over with the event that holds ``generated_text``, or details with a
    finish reason. Special tokens are no text; a stop text is, for TGI leaves it in.
    ``scrub`` takes secrets out of what the server says about errors.
    """

    _decode = staticmethod(decode.generation)

    def __init__(
        self,
        *,
        model: str,
        request_id: str | None = None,
        prompt: str = "",
        scrub: Callable[[str], str] = same,
        wanted: Expectations = RAW,
    ) -> None:
        super().__init__(model=model, request_id=request_id, scrub=scrub)
        self._prompt = prompt
        self._wanted = wanted
        self._choice = PartialChoice(0, wanted)
        self._begun = False
        self._usage: Usage | None = None

    @property
    def partial(self) -> str:
        """The text that has come so far."""
        return "".join(self._choice.text)

    def reply(self) -> Reply:
        """Return the reply as far as it has come."""
        return reply_of(
            [self._choice],
            self._wanted,
            model=self._model,
            usage=self._usage,
            request_id=self._request_id,
        )

    def _finish(self, events: list[Event]) -> None:
        self._choice.complete(events)

    def _take(self, piece: decode.Generation, data: bytes, events: list[Event]) -> None:
        if piece.error:
            self._failed(data)
        token = piece.token
        if token is not None and token.text and not token.special:
            self._begun = True
            self._choice.add_text(token.text, events)
            if self._wanted.logprobs:
                found = decode.token_logprob(token, piece.top_tokens)
                self._choice.logprobs.extend(() if found is None else (found,))
        if piece.generated_text is None and piece.details is None:
            return
        finish, usage = _told(piece.details)
        self._usage = usage or self._usage
        if piece.generated_text is not None or finish is not None:
            self._choice.finish = finish
            self.done = True
            # A server that sends no tokens has the whole text here, and only here.
            if not self._begun and piece.generated_text:
                text = _without_echo(piece.generated_text, self._prompt)
                self._choice.add_text(text, events)


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
