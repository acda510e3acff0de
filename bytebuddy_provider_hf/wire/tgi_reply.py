"""Read the answers of TGI's own protocol, ``/generate`` and ``/generate_stream``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import msgspec

from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Event, TokenLogprob, Usage
from bytebuddy_provider_hf.wire.choices import RAW, Expectations
from bytebuddy_provider_hf.wire.single_choice import SingleChoiceStream
from bytebuddy_provider_hf.wire.typed_json import UNDECODED, struct_decoder


class Token(msgspec.Struct):
    """One token; a special one is a mark, not text."""

    text: str | None = None
    special: bool = False
    logprob: float | None = None


class GenerationDetails(msgspec.Struct):
    """What TGI tells of a generation; ``prefill`` is the prompt's tokens, if told."""

    finish_reason: str | None = None
    generated_tokens: int | None = None
    # From 2.3 on; before, only a prefill tells how long the prompt was.
    input_length: int | None = None
    # These three as they came: what nobody asked for is never decoded.
    prefill: msgspec.Raw = msgspec.Raw()
    tokens: msgspec.Raw = msgspec.Raw()
    top_tokens: msgspec.Raw = msgspec.Raw()


class Generation(msgspec.Struct):
    """A whole answer of TGI's own protocol, or one event of its stream."""

    token: Token | None = None
    top_tokens: list[Token] | None = None
    generated_text: str | None = None
    details: GenerationDetails | None = None
    error: object = None
    error_type: str | None = None


class TokenList(msgspec.Struct):
    """The tokens of a whole answer, and those that might have stood there."""

    tokens: list[Token] | None = None
    top_tokens: list[list[Token] | None] | None = None


generation: Final = struct_decoder(Generation)
_tokens: Final = struct_decoder(TokenList, most_fitted=8_192)
_count: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class TgiStream(SingleChoiceStream[Generation]):
    """Turn the bytes of an answer into events; the last step is ``close``.

    A stream is over with the event that holds ``generated_text``, or details with a
    finish reason. Special tokens are no text; a stop text is, for TGI leaves it in. Of
    a whole text an echo of ``prompt`` is removed, which ``return_full_text`` puts
    before it.
    """

    _decode = staticmethod(generation)
    # Beside the text, always: the details are asked for.
    lists_tokens = True

    def __init__(
        self, *, model: str, prompt: str = "", wanted: Expectations = RAW
    ) -> None:
        super().__init__(model=model, wanted=wanted)
        self._prompt = prompt
        self._begun = False

    @property
    def _server(self) -> str:
        return text("wire.tgi_server")

    def _take_whole(self, piece: Generation, data: bytes, events: list[Event]) -> bool:
        choice, details = self._choice, piece.details
        # The root route gives the prompt back unless told not to.
        said = (piece.generated_text or "").removeprefix(self._prompt)
        choice.add_whole_text(said, events)
        if self._wanted.logprobs and details is not None:
            raw = [bytes(e) or b"null" for e in (details.tokens, details.top_tokens)]
            joined = b'{"tokens":%b,"top_tokens":%b}' % (raw[0], raw[1])
            listed = _tokens(joined, most=self._elements) or TokenList()
            tops = listed.top_tokens or []
            for place, token in enumerate(listed.tokens or ()):
                others = tops[place] if place < len(tops) else None
                choice.logprobs.extend(_token_logprob(token, others))
        if piece.generated_text is None or piece.error:
            self._check(data)
        self._read_details(details)
        return piece.generated_text is not None

    def _take(self, piece: Generation, data: bytes, events: list[Event]) -> None:
        token = piece.token
        if token is not None and token.text and not token.special:
            self._begun = True
            self.progress += 1
            self._choice.add_text(token.text, events)
            if self._wanted.logprobs:
                found = _token_logprob(token, piece.top_tokens)
                self._choice.logprobs.extend(found)
        # With status 200: TGI sends the headers before it looks at the request.
        if piece.error or (token is None and piece.generated_text is None):
            self._check(data)
        if piece.generated_text is None and piece.details is None:
            return
        ended = self._read_details(piece.details)
        if piece.generated_text is not None or ended:
            self.done = True
            # A server that sends no tokens has the whole text here, and only here.
            if not self._begun and piece.generated_text:
                said = piece.generated_text.removeprefix(self._prompt)
                self._choice.add_text(said, events)

    def _read_details(self, details: GenerationDetails | None) -> bool:
        """Take the token counts, and why it ended; return whether that is told."""
        if details is None:
            return False
        prompt, answer = details.input_length, details.generated_tokens
        if prompt is None and details.prefill:
            with suppress(*UNDECODED):
                prompt = len(_count(details.prefill)) or None
        # An event may come with a text and no counts after one that had them.
        if answer is not None:
            total = None if prompt is None else prompt + answer
            self._usage = Usage(prompt, answer, total)
        if details.finish_reason:
            self._choice.end(details.finish_reason)
        return bool(details.finish_reason)


def _token_logprob(token: Token, others: list[Token] | None) -> Iterator[TokenLogprob]:
    """Yield a token with its probability, if it is text and has one."""
    if token.text is None or token.logprob is None or token.special:
        return
    alternatives = tuple(
        (each.text, each.logprob)
        for each in others or ()
        if each.text is not None and each.logprob is not None
    )
    yield TokenLogprob(token.text, token.logprob, alternatives)
