"""One call on screen: the wait, the answer, and what was noteworthy about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from attrs import define, field

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.options import Output
from bytebuddy_provider_hf.cli.render import printer
from bytebuddy_provider_hf.cli.verbose import SCREEN
from bytebuddy_provider_hf.cli.waitline import WaitLine
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.types import Done, Event, Loading, Reply, Text


class HasName(Protocol):
    """Anything with the name a person knows it by."""

    @property
    def name(self) -> str:
        """The name."""
        ...


@define
class ShownReply:
    """What came: the text so far also when the call was stopped or broke."""

    pieces: list[str] = field(factory=list)
    reply: Reply | None = None

    @property
    def text(self) -> str:
        """Everything that came, in one piece."""
        return "".join(self.pieces)

    def take(self, event: Event) -> None:
        """Keep an event."""
        if isinstance(event, Text):
            self.pieces.append(event.text)
        elif isinstance(event, Done):
            self.reply = event.reply


async def show_reply(
    call: ReplyCall,
    model: HasName,
    *,
    into: ShownReply,
    output: Output,
    clock: Callable[[], float],
) -> None:
    """Make ``call`` and show its events as they come; ``into`` keeps them.

    However it ends, the screen is left tidy and the text so far stays on it.
    """
    shown = printer(output)
    wait = WaitLine(model.name, clock)
    try:
        async with call as events:
            async for event in events:
                if not isinstance(event, Loading | Done) and event.choice:
                    continue  # of several answers, the first is shown
                into.take(event)
                if isinstance(event, Loading):
                    if not output.as_json:
                        wait.update(event)
                else:
                    wait.clear()
                    SCREEN.hold()
                shown.event(event)
    except asyncio.CancelledError:
        if output.as_json and not output.stream:
            screen.print_json({"stopped": True, "text": into.text})
        raise
    finally:
        wait.clear()
        shown.close()
        SCREEN.show_held()
    if into.reply is not None and not output.as_json:
        print_notes(into.reply)


def print_notes(reply: Reply) -> None:
    """Say on stderr what a reader of the answer should know."""
    for text in reply.notes:
        screen.note(f"note: {text}", colour="yellow")
    if reply.finish_reason == "length":
        screen.note(
            "note: the answer was cut at its limit of tokens (--max-tokens).",
            colour="yellow",
        )
    if not reply.text and not reply.tool_calls:
        screen.note("note: the model answered with no text.", colour="yellow")
