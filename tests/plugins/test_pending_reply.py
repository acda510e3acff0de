"""A call that is used as if it were its answer says what to write."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from attrs import fields_dict

from bytebuddy_provider_hf.errors import ByteBuddyError, NotAwaited
from bytebuddy_provider_hf.plugins.pending_reply import PendingReply
from bytebuddy_provider_hf.plugins.protocols import Model, ReplyCall
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Event, Reply


async def events() -> AsyncGenerator[Event, None]:
    yield Done(Reply("hi"))


def call() -> Any:  # noqa: ANN401 - a program that nobody type-checked
    return ReplyCall.of(events)


@virtual_time
async def test_the_parts_of_a_reply_are_not_there_yet() -> None:
    """Each of them raises an error of ours with the line to write."""
    pending = call()
    for name in (*fields_dict(Reply), "provider", "cost", "to_dict"):
        with pytest.raises(NotAwaited, match=rf"no {name}:.*reply = await") as caught:
            getattr(pending, name)
        assert isinstance(caught.value, ByteBuddyError)
    assert (await pending).text == "hi"
    # The reply is what was returned, not the call.
    with pytest.raises(NotAwaited, match="its reply has"):
        _ = pending.text


@virtual_time
async def test_who_asks_whether_it_has_a_part_is_told_no() -> None:
    """Libraries look at objects so; they get an answer, no error of ours."""
    pending = call()
    assert not hasattr(pending, "text")
    assert getattr(pending, "usage", None) is None
    assert not isinstance(pending, Model)
    assert inspect.isawaitable(pending)
    with pytest.raises(AttributeError, match=r"'PendingReply'.*'txt'") as caught:
        _ = pending.txt
    assert not isinstance(caught.value, ByteBuddyError)
    await pending


@virtual_time
async def test_iterating_without_a_block_says_what_to_write() -> None:
    """After a break nobody would close the connection, so it does not begin."""
    pending = call()
    with pytest.raises(NotAwaited, match=r"async with model\.chat"):
        async for _ in pending:
            pass
    async with pending as entered:
        assert [type(event) async for event in entered] == [Done]


@virtual_time
async def test_its_repr_says_how_far_it_is() -> None:
    """And in a shell, what to do with it."""
    pending, other, third = call(), call(), call()
    assert repr(pending).startswith("<PendingReply: await it for its reply")
    await pending
    assert repr(pending) == "<PendingReply: awaited>"
    async with other:
        assert repr(other) == "<PendingReply: entered>"
    third.close()
    assert repr(third) == "<PendingReply: closed>"


def test_a_call_that_is_dropped_says_so() -> None:
    """As Python does of a coroutine."""
    with pytest.warns(RuntimeWarning, match="never awaited, or entered with async"):
        PendingReply(lambda: None, events)  # type: ignore[arg-type, return-value]
