"""Call a server that fails every request: retries are few, and end soon (R4).

    python -m benchmarks.reliability.outage [--callers 1000] [--commands 20]

All callers of one process call at once, a server that answers 500 and one that resets
every connection. The retries of an origin share one budget, 500 of which each costs 14:
so the server sees at most 35 requests more than there are callers. After that a call
fails without a retry; what it takes is CPU time of this process, the server's share
included, as the clock would measure the neighbours too.

On the command line the budget is the same, and is of a process as well. ``embed`` is
the command with many requests, here one a text; it has 32 under way and gives up at the
first that fails for good, so it makes at most 32 requests and 35 retries. Single
commands share nothing: each makes its three attempts, so that 1,000 of them would be
3,000 requests and not 1,035. Prints one line of JSON; exit code 1: a bound was missed,
which ``missed`` names.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.reliability.figures import Measured, at_least, at_most, judge
from benchmarks.reliability.raw_server import (
    Answer,
    Request,
    failing,
    models,
    serving,
)
from bytebuddy_provider_hf import plugin
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.scheduling.coordinator import MAX_CONCURRENCY

FIGURE: Final = "R4"
RETRIES: Final = 35
SOON_MS: Final = 5.0
_ATTEMPTS: Final = 3
_PATIENCE: Final = 120.0
_CONFIG: Final = """\
models:
  - {{name: model, provider: huggingfaceinferenceapi, model: org/name,
      apiBase: "{url}", roles: [chat, embed], embedOptions: {{maxBatchSize: 1}}}}
"""
_FAULTS: Final = {"500": failing(), "reset": Answer(then="reset")}


@frozen
class Outage:
    """What the callers of one process met: requests, and milliseconds of a failure."""

    sent: int
    typed: int
    sent_afterwards: int
    failure_ms: float


async def library(fault: str, callers: int, afterwards: int, seed: int) -> Outage:
    """Let all callers of a process meet an outage; return what they met."""

    def answer(_request: Request) -> Answer:
        return _FAULTS[fault]

    async with (
        serving(answer) as server,
        Runtime(jitter=random.Random(seed).random) as runtime,
    ):
        # With the route in it the address is asked for nothing else.
        base = f"{server.url}/v1"
        model = open_model("org/name", api_base=base, env={}, runtime=runtime)
        async with model:
            ends = await asyncio.gather(
                *(model.chat("Hello") for _ in range(callers)), return_exceptions=True
            )
            sent = server.hits
            took = []
            for _ in range(afterwards):
                began = time.thread_time()
                with suppress(ByteBuddyError):
                    await model.chat("Hello")
                took.append((time.thread_time() - began) * 1e3)
            return Outage(
                sent,
                sum(isinstance(end, ByteBuddyError) for end in ends),
                server.hits - sent - afterwards,
                # A collection of garbage is no failure's own.
                statistics.median(took),
            )


async def commands(single: int, folder: Path, texts: int) -> tuple[int, int, int]:
    """Return the requests of one ``embed``, of single commands, and the exits."""

    def answer(request: Request) -> Answer:
        return models() if request.method == "GET" else failing()

    exits: Counter[int | None] = Counter()
    lines = folder / "lines.txt"
    written = "".join(f"text {number}\n" for number in range(texts))
    await asyncio.to_thread(lines.write_text, written, "utf-8")
    # The package that is measured here, wherever another may be installed.
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(plugin.__file__).parents[1]),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    async with serving(answer) as server:
        config = folder / "config.yaml"
        told = _CONFIG.format(url=f"{server.url}/v1")
        await asyncio.to_thread(config.write_text, told, "utf-8")

        async def run(*arguments: str) -> None:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bytebuddy_provider_hf.cli", *arguments),
                *("--config", str(config), "-m", "model"),
                env=env,
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            async with asyncio.timeout(_PATIENCE):
                exits[await process.wait()] += 1

        await run("embed", "--file", str(lines))
        embedded = server.hits
        for _ in range(single):
            await run("chat", "Hello")
        return embedded, server.hits - embedded, exits[ExitCode.BAD_ANSWER]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--callers", type=int, default=1_000)
    parser.add_argument(
        "--afterwards", type=int, default=200, help="calls once the budget is spent"
    )
    parser.add_argument(
        "--commands", type=int, default=20, help="single commands, of a process each"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    callers = options.callers
    found = {
        fault: asyncio.run(library(fault, callers, options.afterwards, options.seed))
        for fault in _FAULTS
    }
    measured: dict[str, Measured] = {}
    for fault, met in found.items():
        measured |= {
            f"{fault}_requests": at_most(met.sent, callers + RETRIES),
            f"{fault}_typed": at_least(met.typed, callers),
            f"{fault}_retries_afterwards": at_most(met.sent_afterwards, 0),
            f"{fault}_fails_in_ms": at_most(met.failure_ms, SOON_MS),
        }
    if options.commands:
        with tempfile.TemporaryDirectory() as folder:
            single = options.commands
            embed, chats, exits = asyncio.run(commands(single, Path(folder), callers))
        measured |= {
            "embed_requests": at_most(embed, MAX_CONCURRENCY + RETRIES),
            "command_requests": at_most(chats, _ATTEMPTS * single),
            "commands_that_say_so": at_least(exits, single + 1),
        }
    return judge(FIGURE, measured, {"callers": callers, "seed": options.seed})


if __name__ == "__main__":
    sys.exit(main())
