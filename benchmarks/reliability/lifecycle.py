"""Open and close clients: their memory comes back, and nothing complains (R13).

    python -m benchmarks.reliability.lifecycle [--clients 1000]

A child process opens one client after the other, each with connections of its own, and
closes it: after an answer, a whole stream, a stream that was left in its middle, a call
that was cancelled, or without any call. Every warning is shown (``-W always``). After a
warm-up of a tenth of the clients its memory is compared with that at the end. Prints
one line of JSON; exit code 1: a bound was missed, which ``missed`` names.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from benchmarks.reliability.figures import at_least, at_most, judge
from benchmarks.reliability.memory import MIB, resident
from benchmarks.reliability.raw_server import (
    Answer,
    Request,
    chat,
    events,
    serving,
    whole,
)
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime

FIGURE: Final = "R13"
MOST_MIB: Final = 4.0
_ENDS: Final = 5
_ROOT: Final = Path(__file__).parents[2]
_PIECES: Final = [f"word {number} " for number in range(20)]


def answer(request: Request) -> Answer:
    """Answer in one piece, or as a stream whose events come one by one."""
    if not request.streamed:
        return whole(chat("Hello"))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    written = [b"%x\r\n%b\r\n" % (len(each), each) for each in (*events(_PIECES), b"")]
    return Answer([head + b"transfer-encoding: chunked\r\n\r\n", *written], gap=0.001)


async def one(url: str, number: int, *, closes: bool) -> None:
    """Open a client, use it in one of several ways, and close it."""
    async with AsyncExitStack() as stack:
        runtime = Runtime()
        model = open_model("org/name", api_base=url, env={}, runtime=runtime)
        if closes:
            await stack.enter_async_context(runtime)
            await stack.enter_async_context(model)
        if number % _ENDS < _ENDS - 1:
            match number % _ENDS:
                case 0:
                    await model.chat("Hello")
                case 1:
                    async with model.chat("Hello") as stream:
                        async for _ in stream:
                            pass
                case 2:
                    async with model.chat("Hello") as stream:
                        async for _ in stream:
                            break
                case 3:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.001):
                            await model.chat("Hello")


async def child(url: str, clients: int, *, closes: bool) -> None:
    """Open and close all clients, and print by how much the memory grew."""
    for number in range(max(_ENDS, clients // 10)):
        await one(url, number, closes=closes)
    gc.collect()
    before, blocks = resident(), sys.getallocatedblocks()
    for number in range(clients):
        await one(url, number, closes=closes)
    gc.collect()
    left = len(asyncio.all_tasks()) - 1
    grown = resident() - before, sys.getallocatedblocks() - blocks
    print(json.dumps([*grown, left]))


async def measure(clients: int, *, closes: bool) -> int:
    """Run the child; print the figures and return the exit code."""
    async with serving(answer) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "always", "-m", "benchmarks.reliability.lifecycle"),
            *("--child", f"{server.url}/v1", "--clients", str(clients)),
            *(() if closes else ("--leave-open",)),
            cwd=_ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, complained = await process.communicate()
        await asyncio.sleep(0.1)
        open_connections = server.connections
    if process.returncode:
        sys.stderr.write(complained.decode("utf-8", "replace"))
        return 1
    grown, blocks, left = json.loads(told)
    return judge(
        FIGURE,
        {
            "grown_mib": at_most(grown / MIB, MOST_MIB),
            "resource_warnings": at_most(complained.count(b"ResourceWarning"), 0),
            "stderr_bytes": at_most(len(complained), 0),
            "tasks_left": at_most(left, 0),
            "connections_left": at_most(open_connections, 0),
            "requests": at_least(server.hits, clients * 3 // _ENDS),
        },
        {"clients": clients, "grown_blocks": blocks},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument(
        "--leave-open", action="store_true", help="close no client: what must be missed"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    closes = not options.leave_open
    if options.child:
        asyncio.run(child(options.child, options.clients, closes=closes))
        return 0
    return asyncio.run(measure(options.clients, closes=closes))


if __name__ == "__main__":
    sys.exit(main())
