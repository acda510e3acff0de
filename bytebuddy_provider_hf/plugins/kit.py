"""Offer what authors of providers need: calls, messages, and a check of the whole.

A method such as ``chat`` is an async generator of events, given to :func:`reply_call`.
Only authors' code imports this module; a host pays nothing for it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final

from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.plugins.conformance import (
    Conformance,
    Finding,
    inspect_provider,
)
from bytebuddy_provider_hf.plugins.pending_reply import call_of
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.prompts.messages import message_text, read_messages
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Event

__all__: Final = [
    "Conformance",
    "Finding",
    "check_provider",
    "inspect_provider",
    "message_text",
    "read_messages",
    "reply_call",
    "unified_diff",
]


# Seconds in which the tasks that a provider left behind have to end.
_ENDING: Final = 1.0
# Those that do not: kept, as Python complains of every task that is dropped unended.
_left_behind: Final[list[asyncio.Task[Any]]] = []


def reply_call(
    events: Callable[[], AsyncGenerator[Event, None]],
    how: Mapping[str, object] | None = None,
) -> ReplyCall:
    """Return a call of these events: it can be awaited, or entered for the events.

    The last event is ``Done``.

    Args:
        events: An async generator function without arguments. It is called when
            the call is awaited or entered, and closed when that ends.
        how: The keywords that the method was given. Two of them are seen to here: after
            ``timeout`` seconds the call ends with ``DeadlineExceeded``, and while it is
            awaited ``on_event`` is told of every event.

    Raises:
        InvalidOption: ``timeout`` is no number above 0.
    """
    given = how or {}
    seconds, told = given.get("timeout"), given.get("on_event")
    if seconds is not None and (
        # True is an int to Python, and no number of seconds.
        not isinstance(seconds, int | float)
        or isinstance(seconds, bool)
        or not 0 < seconds < math.inf
    ):
        raise InvalidOption(text("kit.bad_timeout", value=f"{seconds!r:.40}"))
    return call_of(events, timeout=seconds, on_event=told if callable(told) else None)


def unified_diff(before: str, after: str, *, path: str = "") -> str:
    """Return the ``diff`` of an ``edit`` or ``apply``: empty where nothing changed.

    Args:
        before: The text that was given.
        after: The text that it became.
        path: The file's name in the first lines of the diff.
    """
    return unified(before, after, path=path)


def check_provider(
    plugin: object,
    *,
    entry: Mapping[str, object] | None = None,
    patience: float = 10.0,
) -> Conformance:
    """Check a plugin as :func:`inspect_provider` does, in an event loop of its own.

    In a test it is the whole test: ``check_provider(my_module)``. Where an event loop
    runs already, await ``inspect_provider``.

    Args:
        plugin: An object or module with the hook.
        entry: What its entries have in ``config.yaml`` beside ``name`` and
            ``provider``, such as ``apiBase``: what is asked has to be answered.
        patience: Seconds that a call may take.

    Raises:
        AssertionError: Something is to be mended; every finding is a line of it.
    """
    # The findings are what pytest shows of a failure, not the lines of this file.
    __tracebackhide__ = True
    check = inspect_provider(plugin, entry=entry, patience=patience)
    loop = asyncio.new_event_loop()
    try:
        found = loop.run_until_complete(check)
        # asyncio.run would wait for ever for a task that goes on when it is cancelled.
        for task in (left := asyncio.all_tasks(loop)):
            task.cancel()
        if left:
            _, stuck = loop.run_until_complete(asyncio.wait(left, timeout=_ENDING))
            _left_behind.extend(stuck)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        # Of a check that did not begin, in a test that has a loop of its own.
        check.close()
        loop.close()
    if found.findings:
        raise AssertionError(str(found))
    return found
