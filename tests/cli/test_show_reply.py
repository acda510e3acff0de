"""A call ends with a whole reply, or with an error."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from bytebuddy_provider_hf.cli.render import Printer
from bytebuddy_provider_hf.cli.show_reply import show_reply
from bytebuddy_provider_hf.cli.status_line import StatusLine
from bytebuddy_provider_hf.errors import StreamInterrupted
from bytebuddy_provider_hf.plugins.pending_reply import PendingReply
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Event, Reply, Text


def call(*events: Event) -> PendingReply:
    async def whole() -> Reply:
        return Reply("")

    async def stream() -> AsyncGenerator[Event, None]:
        for event in events:
            yield event

    return PendingReply(whole, stream)


@virtual_time
async def test_events_without_a_reply_are_an_error() -> None:
    """A model of another provider that forgets its last event changes no file."""
    line = StatusLine("org/name", quiet=True)
    with pytest.raises(
        StreamInterrupted, match="ended its answer without its end mark"
    ):
        await show_reply(call(Text("half")), line, Printer())
    reply = Reply("whole")
    shown = await show_reply(call(Text("x"), Done(reply)), line, Printer())
    assert shown is reply


@virtual_time
async def test_the_text_so_far_is_there_when_a_call_breaks() -> None:
    """A talk remembers half an answer, and what of several answers is shown."""
    pieces: list[str] = []
    line = StatusLine("org/name", quiet=True)
    events = (Text("half"), Text("another", choice=1), Text(" an answer"))
    with pytest.raises(StreamInterrupted):
        await show_reply(call(*events), line, Printer(), pieces=pieces)
    assert pieces == ["half", " an answer"]
