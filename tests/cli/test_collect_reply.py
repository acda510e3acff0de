"""A call on code ends with a whole reply, or with an error."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from bytebuddy_provider_hf import open_model
from bytebuddy_provider_hf.cli.collect_reply import collect_reply
from bytebuddy_provider_hf.client.pending_reply import PendingReply
from bytebuddy_provider_hf.errors import StreamInterrupted
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
    async with open_model("org/name", api_key="hf_x") as model:
        with pytest.raises(StreamInterrupted, match="without its end mark"):
            await collect_reply(call(Text("half")), model, shown=None)
        reply = Reply("whole")
        assert (
            await collect_reply(call(Text("x"), Done(reply)), model, shown=None)
            is reply
        )
