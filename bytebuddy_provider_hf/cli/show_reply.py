"""Show one call on the screen: the wait, the answer, and the notes about it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import cost_text, used_text
from bytebuddy_provider_hf.cli.call_watch import CallWatch
from bytebuddy_provider_hf.cli.model_source import ModelSource
from bytebuddy_provider_hf.cli.options import CallSettings
from bytebuddy_provider_hf.cli.render import Printer
from bytebuddy_provider_hf.cli.status_line import StatusLine
from bytebuddy_provider_hf.cli.verbose import SCREEN
from bytebuddy_provider_hf.errors import StreamInterrupted
from bytebuddy_provider_hf.money import NO_COST, Cost
from bytebuddy_provider_hf.plugins.protocols import Model, ReplyCall
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import (
    BudgetAlert,
    Done,
    Loading,
    Reasoning,
    Reply,
    Role,
    ServedAnswer,
    Text,
    ToolCallDelta,
    Usage,
)


def ask(
    settings: CallSettings,
    call: Callable[[Model], ReplyCall],
    printer: Printer,
    *,
    role: Role = Role.CHAT,
    quiet: bool,
    counts_lines: bool = False,
) -> Reply:
    """Open the model, show the answer of one call to it, and close the model.

    ``call`` makes the call of the opened model. With ``quiet`` no wait is told.
    """
    used: list[tuple[str, float]] = []

    async def run(watch: CallWatch) -> Reply:
        async with ModelSource(settings) as models:
            model = await models.open(settings.model, role=role)
            line = StatusLine(model.name, quiet=quiet, counts_lines=counts_lines)
            watch.begin(model, settings.timeout)
            began = time.monotonic()
            reply = await show_reply(call(model), line, printer)
            watch.end()
            used.append((reply.model or model.name, time.monotonic() - began))
            return reply

    with CallWatch() as watch:
        reply = asyncio.run(run(watch))
    print_used(settings, reply, *used[0], usage=reply.usage, quiet=quiet)
    return reply


async def show_reply(
    call: ReplyCall,
    line: StatusLine,
    printer: Printer,
    *,
    pieces: list[str] | None = None,
) -> Reply:
    """Make ``call``, show its events as they come, and return the reply.

    However it ends, the screen is left tidy and the text so far stays on it. The
    texts are added to ``pieces``, which has them also when the call was stopped.
    Raises ``StreamInterrupted`` where a model forgets its last event.
    """
    reply: Reply | None = None
    began, alerts = False, list[BudgetAlert]()
    try:
        async with call as events:
            async for event in events:
                if isinstance(event, Text | Reasoning | ToolCallDelta) and event.choice:
                    continue  # of several answers, the first is shown
                if isinstance(event, Text) and pieces is not None:
                    pieces.append(event.text)
                if isinstance(event, Done):
                    reply = event.reply
                if began and isinstance(event, BudgetAlert):
                    alerts.append(event)
                else:
                    line.event(event)
                if not isinstance(event, Loading | BudgetAlert):
                    # Records of the log would tear the answer apart on a terminal, and
                    # so would alerts.
                    SCREEN.hold()
                    began = True
                printer.event(event)
    except asyncio.CancelledError:
        printer.stopped()
        raise
    finally:
        line.clear()
        printer.close()
        SCREEN.show_held()
        for alert in alerts:
            line.event(alert)
    # Unknown is never success: a reply without its end may have been cut.
    if reply is None:
        raise StreamInterrupted(text("cli.no_end_mark", model=line.name))
    return reply


def print_notes(reply: Reply) -> None:
    """Print on stderr what a reader of the answer should know."""
    notes = list(reply.notes)
    if reply.cached is not None:
        from bytebuddy_provider_hf.failures.next_steps import human_time

        notes.append(text("cache.kept_since", age=human_time(reply.cached)))
    if reply.finish_reason == "length":
        notes.append(text("cli.note_cut"))
    if not reply.text and not reply.tool_calls:
        notes.append(text("cli.note_empty"))
    screen.print_notes(notes)


def print_used(
    settings: CallSettings,
    answer: ServedAnswer,
    model: str,
    seconds: float,
    *,
    usage: Usage | None,
    cost: Cost | None = None,
    quiet: bool,
) -> None:
    """Print what a call used, where ``--usage`` asks for it, else its cost with ``-v``.

    ``usage`` and ``cost`` are those of several answers together, of which ``answer`` is
    the last; ``cost`` is its own by default. With ``quiet`` only ``--usage`` is heeded.
    """
    spent = answer.cost if cost is None else cost
    if settings.usage:
        screen.note(
            text("usage.used", said=used_text(answer, model, seconds, usage, spent))
        )
    # Where calls are not counted nobody knows more.
    elif SCREEN.times and spent != NO_COST and not quiet:
        screen.note(text("usage.cost", said=cost_text(spent, sys.stderr)))
