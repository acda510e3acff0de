"""How streams end on a real socket: whole, or told with the text so far. Never else."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
from client.harness import MODEL, bench
from servers.raw import chunk, head, raw_server, says

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConnectionLost,
    MalformedResponse,
    StreamInterrupted,
)
from bytebuddy_provider_hf.testing.answers import DONE, chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import Ending, FakeReply
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import (
    Done,
    Event,
    Reasoning,
    Text,
    ToolCallDelta,
)
from bytebuddy_provider_hf.wire.http_request import HttpRequest

PIECES = ["Ça ", "va ", "你好 🤗"]
TEXT = "".join(PIECES)
WHOLE = chat_stream(PIECES).content
UNMARKED = chat_stream(PIECES, done=False).content
UNFINISHED = chat_stream(PIECES, finish_reason=None, done=False).content
CHUNKED = head("transfer-encoding: chunked")
LAST = chunk(b"")
ENDINGS: tuple[Ending, ...] = ("length", "chunked", "close")
ONCE = RequestOptions(max_attempts=1)


def local(url: str) -> HuggingFaceModel:
    return open_model("m", api_base=f"{url}/v1", env={}, request_options=ONCE)


async def ended(model: HuggingFaceModel) -> tuple[list[Event], ByteBuddyError | None]:
    """Return the events that came, and the error that ended them, if any."""
    seen: list[Event] = []
    try:
        async with model.chat("a") as events:
            async for event in events:
                seen.append(event)  # noqa: PERF401  # kept where an error follows
    except ByteBuddyError as error:
        return seen, error
    return seen, None


def said(seen: list[Event]) -> str:
    return "".join(event.text for event in seen if isinstance(event, Text))


def sized(size: int) -> bytes:
    return head(f"content-length: {size}")


GOOD = {
    "all there": (CHUNKED, chunk(WHOLE), LAST),
    "the mark, and no last chunk": (CHUNKED, chunk(WHOLE)),
    "a finish reason and no mark": (CHUNKED, chunk(UNMARKED), LAST),
    "a finish reason, and no last chunk": (CHUNKED, chunk(UNMARKED)),
    "a length": (sized(len(WHOLE)), WHOLE),
    "a length longer than the body, after the mark": (sized(len(WHOLE) + 50), WHOLE),
    "the connection's end": (head(), WHOLE),
    "the connection's end, no mark": (head(), UNMARKED),
    "a mark after more spaces": (head(), UNFINISHED, b"data:  [DONE] \n\n"),
    "no content type": (b"HTTP/1.1 200 OK\r\n\r\n", WHOLE),
    "an informational answer first": (b"HTTP/1.1 100 Continue\r\n\r\n", head(), WHOLE),
}
BAD = {
    "a last chunk, and no finish reason": (CHUNKED, chunk(UNFINISHED), LAST),
    "neither": (CHUNKED, chunk(UNFINISHED)),
    "in a chunk": (CHUNKED, b"%x\r\n" % (len(UNFINISHED) + 9), UNFINISHED),
    "a length that is longer": (sized(len(UNFINISHED) + 50), UNFINISHED),
    "a length that is shorter": (sized(len(UNFINISHED)), UNFINISHED),
    "the connection's end": (head(), UNFINISHED),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("case", GOOD)
async def test_an_answer_that_is_whole_is_taken_for_whole(case: str) -> None:
    """The mark, or a finish reason and an end of the body, end an answer."""
    async with raw_server(says(*GOOD[case])) as server, local(server.url) as model:
        seen, error = await ended(model)
    assert error is None
    assert isinstance(seen[-1], Done)
    assert said(seen) == seen[-1].reply.text == TEXT


@pytest.mark.asyncio
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("case", BAD)
async def test_an_answer_that_breaks_off_says_so(case: str, reset: bool) -> None:
    """However its end is told or missing, politely or by a reset: with the text."""
    answer = says(*BAD[case], reset=reset)
    async with raw_server(answer) as server, local(server.url) as model:
        seen, error = await ended(model)
    assert isinstance(error, StreamInterrupted)
    assert error.partial == said(seen) == TEXT
    assert not any(isinstance(event, Done) for event in seen)


def compact(*choices: object) -> list[bytes]:
    """Return a short stream: every byte of it can be the last."""
    told = [json.dumps({"choices": [each]}, ensure_ascii=False) for each in choices]
    return [*(f"data: {each}\n\n".encode() for each in told), DONE]


SHORT = compact(
    {"delta": {"content": "Ça "}},
    {"delta": {"content": "你🤗"}},
    {"delta": {}, "finish_reason": "stop"},
)
SHORT_TEXT = "Ça 你🤗"


def cut_at(cut: int, ending: Ending) -> Behaviour:
    reply = FakeReply(
        headers={"content-type": "text/event-stream"},
        body=SHORT,
        cut=cut,
        ending=ending,
    )
    return Behaviour(always=reply)


def complete_from(ending: Ending) -> int:
    """Return the first cut after which nothing of the answer is missing."""
    # Once the finish reason is there, only the token counts can be missing. Where the
    # connection's end is a good end, its event may lack the blank line too.
    ended = len(b"".join(SHORT[:3]))
    return ended - len(b"\n\n") if ending == "close" else ended


async def cut_everywhere(
    ask: Callable[[int], tuple[HuggingFaceModel, object]], ending: Ending
) -> int:
    """Ask for each cut, check what came; return how many were interruptions."""
    interrupted = 0
    for cut in range(len(b"".join(SHORT)) + 1):
        model, _ = ask(cut)
        seen, error = await ended(model)
        text = said(seen)
        if cut >= complete_from(ending):
            assert error is None, cut
            assert text == SHORT_TEXT, cut
            continue
        interrupted += 1
        assert isinstance(error, (StreamInterrupted, ConnectionLost)), cut
        partial = getattr(error, "partial", "")
        assert SHORT_TEXT.startswith(partial), cut
        assert partial.startswith(text), cut
    return interrupted


@pytest.mark.parametrize("ending", ENDINGS)
@virtual_time
async def test_cut_at_every_byte_in_memory(
    ending: Ending, figure: Callable[[str], None]
) -> None:
    """Whole exactly from the byte on that ends it; before it, never in silence."""
    stand = bench(request_options=ONCE)

    def ask(cut: int) -> tuple[HuggingFaceModel, object]:
        return stand.model, stand.hub.set(MODEL, cut_at(cut, ending))  # type: ignore[func-returns-value]  # for its effect

    interrupted = await cut_everywhere(ask, ending)
    figure(f"{interrupted} interruptions, each told")
    assert interrupted == complete_from(ending)
    stand.settled()


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ENDINGS)
async def test_cut_at_every_byte_on_a_socket(
    ending: Ending, figure: Callable[[str], None]
) -> None:
    """As in memory; where aiohttp itself sees no cut, we do."""
    hub = FakeHub()
    async with hub.serve() as url, local(url) as model:

        def ask(cut: int) -> tuple[HuggingFaceModel, object]:
            return model, hub.set("m", cut_at(cut, ending))  # type: ignore[func-returns-value]  # for its effect

        interrupted = await cut_everywhere(ask, ending)
    figure(f"{interrupted} interruptions, each told")
    assert interrupted == complete_from(ending)


@pytest.mark.asyncio
async def test_a_body_that_cannot_be_unpacked_keeps_the_text() -> None:
    """An error with the text before it."""
    packer = zlib.compressobj()
    packed = packer.compress(UNFINISHED) + packer.flush(zlib.Z_SYNC_FLUSH)
    zipped = head("content-encoding: deflate", "transfer-encoding: chunked")
    answer = says(zipped, chunk(packed), chunk(b"\xff nothing packed"), LAST)
    async with raw_server(answer) as server, local(server.url) as model:
        seen, error = await ended(model)
    assert isinstance(error, StreamInterrupted)
    assert error.partial == said(seen) == TEXT


class Broken:
    """An answer whose framing turns into nonsense in the middle."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "text/event-stream"}

    async def send(self, _call: HttpRequest, **_: object) -> Broken:
        return self

    async def chunks(self) -> AsyncIterator[bytes]:
        yield UNFINISHED
        raise MalformedResponse("The host does not speak HTTP as expected.")

    async def read(self, _limit: int) -> bytes:
        return UNFINISHED

    def abort(self, error: Exception) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is open."""

    async def aclose(self) -> None:
        """Nothing is kept."""


@virtual_time
async def test_framing_that_turns_into_nonsense_keeps_the_text() -> None:
    """What aiohttp without its C extension tells of a broken chunk."""
    async with Runtime(connect=lambda _destination: Broken()) as runtime:
        model = open_model("a/b", api_key="hf_x", env={}, runtime=runtime)
        seen, error = await ended(model)
    assert isinstance(error, MalformedResponse)
    assert error.partial == said(seen) == TEXT


@pytest.mark.asyncio
async def test_a_page_instead_of_a_stream_is_told() -> None:
    """A web site at apiBase gives HTML and 200: what it says, and what to check."""
    page = b"<html><title>Welcome to nginx</title></html>"
    head_of_page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n"
    answer = says(head_of_page + page)
    async with raw_server(answer) as server, local(server.url) as model:
        seen, error = await ended(model)
    assert isinstance(error, MalformedResponse)
    assert "Welcome to nginx" in str(error)
    assert "api_base" in (error.hint or "")
    assert seen == []


@virtual_time
async def test_a_whole_answer_to_a_stream_tells_all_it_holds() -> None:
    """Reasoning, text and tool calls of each answer are events before Done."""
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    first = {"content": "t", "reasoning_content": "r", "tool_calls": [call]}
    choices = [{"index": 0, "message": first, "finish_reason": "tool_calls"}]
    choices += [{"index": 1, "message": {"content": "u"}, "finish_reason": "stop"}]
    body = json.dumps({"choices": choices}).encode()
    headers = {"content-type": "application/json"}
    stand = bench(Behaviour(always=FakeReply(headers=headers, body=body)))
    async with stand.model.chat("a", n=2) as events:
        seen = [event async for event in events]
    assert seen[:-1] == [
        Reasoning("r"),
        Text("t"),
        ToolCallDelta(0, "c", "f", "{}"),
        Text("u", 1),
    ]
    assert isinstance(seen[-1], Done)
