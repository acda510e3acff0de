"""A whole reply, told in the events that a stream would have told it in."""

from __future__ import annotations

from collections.abc import Iterator

from bytebuddy_provider_hf.types import Choice, Event, Reasoning, Reply, Text
from bytebuddy_provider_hf.types import ToolCallDelta as Piece


def events_of(reply: Reply) -> Iterator[Event]:
    """Yield what each answer holds: its reasoning, its text, its tool calls."""
    alone = Choice(reply.text, reasoning=reply.reasoning, tool_calls=reply.tool_calls)
    for at, choice in enumerate(reply.choices or (alone,)):
        if choice.reasoning:
            yield Reasoning(choice.reasoning, at)
        if choice.text:
            yield Text(choice.text, at)
        for index, call in enumerate(choice.tool_calls):
            yield Piece(index, call.id, call.name, call.arguments, at)
