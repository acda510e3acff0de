"""The rules for the probabilities of an answer's tokens, in all their forms."""

from __future__ import annotations

import json

import pytest
from reading import read_generated, read_reply

from bytebuddy_provider_hf.types import Reply, TokenLogprob
from bytebuddy_provider_hf.wire.choices import Expectations
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream


def data(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(text: str, told: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": told}
    return data({"choices": [choice]})


def read(decoder: OpenAIStream | TgiStream, stream: bytes) -> Reply:
    decoder.feed(stream)
    decoder.close()
    return decoder.reply()


def whole(choice: object) -> Reply:
    body = json.dumps({"choices": [choice]}).encode()
    return read_reply(body, model="m", wanted=ASKED)


ITEM = {
    "token": "He",
    "logprob": -0.5,
    "bytes": [72, 101],
    "top_logprobs": [{"token": "He", "logprob": -0.5}, {"token": "x", "logprob": -3}],
}
ASKED = Expectations(logprobs=True)
HE = TokenLogprob("He", -0.5, (("He", -0.5), ("x", -3)))


def test_a_chat_tells_its_tokens() -> None:
    """Streamed by the piece, or whole."""
    bare = {"token": "y", "logprob": -1.0, "top_logprobs": []}
    stream = chunk("He", {"content": [ITEM]}) + chunk("y", {"content": [bare]})
    expected = (HE, TokenLogprob("y", -1.0))
    stream += b"data: [DONE]\n\n"
    assert read(OpenAIStream(model="m", wanted=ASKED), stream).logprobs == expected
    # Nobody asked for them: they are not even decoded.
    assert read(OpenAIStream(model="m"), stream).logprobs == ()
    told = {"content": [ITEM, bare], "refusal": None}
    assert whole({"message": {"content": "Hey"}, "logprobs": told}).logprobs == expected


def test_completions_tell_theirs_in_three_lists() -> None:
    """OpenAI's old form; vLLM and SGLang have it."""
    told = {
        "tokens": ["He", "y", "z"],
        "token_logprobs": [-0.5, -1.0, None],
        "top_logprobs": [{"He": -0.5, "x": -3}, None],
        "text_offset": [0, 2],
    }
    reply = whole({"text": "Hey", "logprobs": told})
    assert reply.logprobs == (HE, TokenLogprob("y", -1.0))


def test_lenient_numbers_lose_no_token() -> None:
    """NaN for one makes the rest no less readable; a token without one is left out."""
    body = b'{"choices":[{"message":{"content":"ab"},"logprobs":{"content":['
    body += b'{"token":"a","logprob":NaN},{"token":"b","logprob":-1}]}}]}'
    reply = read_reply(body, model="m", wanted=ASKED)
    assert reply.logprobs == (TokenLogprob("b", -1.0),)


@pytest.mark.parametrize("odd", [[-0.5], -0.5, {"content": None}, {}, "x", None])
def test_odd_logprobs_hide_no_text(odd: object) -> None:
    """TGI 1.4.0 sends bare numbers."""
    reply = whole({"message": {"content": "a"}, "logprobs": odd})
    assert (reply.text, reply.logprobs) == ("a", ())


def test_tgi_tells_its_tokens_in_details() -> None:
    """Only where they were asked for; special ones are not text."""
    tokens = [
        {"text": "He", "logprob": -0.5, "special": False},
        {"text": "</s>", "logprob": -0.1, "special": True},
    ]
    tops = [[{"text": "He", "logprob": -0.5}, {"text": "x", "logprob": -3}], []]
    details = {"finish_reason": "eos_token", "tokens": tokens, "top_tokens": tops}
    body = json.dumps({"generated_text": "He", "details": details}).encode()
    asked = Expectations(logprobs=True, split=False)
    assert read_generated(body, wanted=asked).logprobs == (HE,)
    assert read_generated(body).logprobs == ()
    stream = b""
    for token, top in zip(tokens, tops, strict=True):
        stream += data({"token": token, "top_tokens": top, "generated_text": None})
    stream += data({"generated_text": "He"})
    assert read(TgiStream(model="m"), stream).logprobs == ()
    decoder = TgiStream(model="m", wanted=asked)
    assert read(decoder, stream).logprobs == (HE,)
