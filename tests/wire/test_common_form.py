"""The fast way through a stream and the general one: whatever the bytes, no difference.

The general machine is ``SseDecoder.feed`` and what follows it; the fast way begins with
``SseDecoder.plain_lines``.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bytebuddy_provider_hf.errors import ResponseError
from bytebuddy_provider_hf.types import Event, Reply
from bytebuddy_provider_hf.wire.choices import NO_EXPECTATIONS, RAW, Expectations
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.sse import SseDecoder


class General(SseDecoder):
    """Never of the common form."""

    def plain_lines(self, chunk: bytes) -> bytes | None:
        del chunk
        return None


def block(**chunk: object) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def said(content: object, **more: object) -> bytes:
    return block(id="c", choices=[{"index": 0, "delta": {"content": content}, **more}])


END = b"data: [DONE]\n\n"
BLOCKS = st.sampled_from(
    [
        said("a"),
        said(" é\n\ndata: x"),
        said("<think>x</think>y"),
        said(" "),
        said(""),
        said(None),
        said(5.0),
        said("b", finish_reason="stop"),
        said("c", finish_reason=""),
        said("d", finish_reason="eos_token"),
        said("e", logprobs={"content": [{"token": "e", "logprob": -1.0}]}),
        said("f", index=1),
        said("g", text="h"),
        block(id="c", object="chat.completion.chunk", choices=[{"text": "t"}]),
        block(id="", object="text_completion", choices=[{"text": "u", "index": 3}]),
        block(object="other", choices=[{"delta": {"content": "v"}}]),
        block(choices=[{"delta": {"content": "w", "reasoning": "r"}}]),
        block(choices=[{"delta": {"tool_calls": [{"index": 0, "id": "x"}]}}]),
        block(choices=[{"delta": {"content": "1"}}, {"delta": {"content": "2"}}]),
        block(id="later", model="n", choices=[]),
        block(choices=[], usage={"prompt_tokens": 1, "completion_tokens": 2}),
        block(error={"message": "boom"}),
        block(object="error", message="boom"),
        END,
        b"data: \n\n",
        b"data: : ping\n\n",
        b"data:  {}\n\n",
        b"data: []\n\n",
        b"data: no\n\n",
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
        b'data:{"choices":[{"text":"tight"}]}\n\n',
        b'data: {"choices":\ndata: [{"text":"two lines"}]}\n\n',
        b'data: {"choices":[{"text":"x"}]}\n{"choices":[{"text":"no field"}]}\n\n',
        b'data: {"choices":[{"text":"x"}]}\n\n{"choices":[{"text":"no field"}]}\n\n',
        b'data: {"choices":[{"text":"crlf"}]}\r\n\r\n',
        b"event: message\n",
        b"event: error\n",
        b": ping\n\n",
        b"\xef\xbb\xbf",
        b"\n",
        b"\r",
        b"data: ",
    ]
)


def drained(
    decoder: OpenAIStream, chunks: list[bytes]
) -> tuple[list[Event], Reply | None, bool, tuple[int, int], str]:
    """Return all that a decoder tells, its error last."""
    events: list[Event] = []
    reply: Reply | None = None
    error = ""
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.close()
        reply = decoder.reply()
    except ResponseError as failure:
        error = f"{type(failure).__name__} {failure} {failure.partial}"
    counts = (decoder.events, decoder.progress)
    return events, reply, decoder.done, counts, error


@pytest.mark.parametrize("wanted", [NO_EXPECTATIONS, RAW])
@example(blocks=[said("b", finish_reason="stop"), said("")], sizes=[])
@example(blocks=[said("a"), END, said("a")], sizes=[len(said("a") + END)])
@given(blocks=st.lists(BLOCKS, max_size=12), sizes=st.lists(st.integers(1, 300)))
def test_the_common_form_gives_the_same_events(
    wanted: Expectations, blocks: list[bytes], sizes: list[int]
) -> None:
    """The same events, reply, end and error, for any blocks in any chunks."""
    stream = b"".join(blocks)
    chunks: list[bytes] = []
    for size in sizes:
        chunks.append(stream[:size])
        stream = stream[size:]
    chunks.append(stream)
    fast = OpenAIStream(model="m", wanted=wanted)
    general = OpenAIStream(model="m", wanted=wanted)
    general._sse = General()
    assert drained(fast, chunks) == drained(general, chunks)


@given(
    st.lists(
        st.sampled_from([b"data: ", b"a", b"\n", b"\n\n", b"\r", b":", b"event: x\n"])
    ),
    st.integers(1, 9),
)
def test_plain_lines_are_what_the_general_machine_reads(
    parts: list[bytes], size: int
) -> None:
    """For any bytes in any chunks, blocks without data left out by both."""
    stream = b"".join(parts)
    fast, general = SseDecoder(), SseDecoder()
    read, expected = [], []
    for at in range(0, len(stream), size):
        chunk = stream[at : at + size]
        lines = fast.plain_lines(chunk)
        if lines is None:
            read += fast.feed(chunk)
        else:
            data = [line for line in lines.split(b"\n") if line and line[:1] != b":"]
            read += [("", line) for line in data]
        expected += general.feed(chunk)
    assert read + fast.flush() == expected + general.flush()


def test_the_common_form_takes_the_fast_way() -> None:
    """However many events in one piece, and with a block that is cut."""
    decoder = SseDecoder()
    assert decoder.plain_lines(b"data: a\n\ndata: b\n\ndat") == b"a\nb"
    assert decoder.plain_lines(b"a: c\n\n") == b"c"
    assert decoder.plain_lines(b"data: d\n") is None
