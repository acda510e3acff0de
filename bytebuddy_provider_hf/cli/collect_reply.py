"""A call on code, from its first event to its reply."""

from __future__ import annotations

import asyncio
import time

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.render import Printer
from bytebuddy_provider_hf.cli.show_reply import HasName
from bytebuddy_provider_hf.cli.verbose import SCREEN
from bytebuddy_provider_hf.cli.waitline import WaitLine
from bytebuddy_provider_hf.errors import StreamInterrupted
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.types import Done, Loading, Reply


async def collect_reply(
    call: ReplyCall, model: HasName, *, shown: Printer | None
) -> Reply:
    """Make ``call``, let ``shown`` show its events as they come, return the reply.

    Without ``shown`` only JSON is wanted: nothing is told meanwhile, and that a
    person stopped the call is told as JSON.
    """
    reply: Reply | None = None
    wait = WaitLine(model.name, time.monotonic)
    try:
        async with call as events:
            async for event in events:
                if isinstance(event, Done):
                    reply = event.reply
                if shown is None:
                    continue
                if isinstance(event, Loading):
                    wait.update(event)
                else:
                    wait.clear()
                    SCREEN.hold()
                    shown.event(event)
    except asyncio.CancelledError:
        if shown is None:
            screen.print_json({"stopped": True, "written": False})
        raise
    finally:
        wait.clear()
        if shown is not None:
            shown.close()
        SCREEN.show_held()
    if reply is None:
        raise StreamInterrupted(f"{model.name} ended its answer without its end mark.")
    return reply
