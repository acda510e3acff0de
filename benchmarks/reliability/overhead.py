"""Compare what a call and an event cost with aiohttp by hand (R39).

    python -m benchmarks.reliability.overhead [--rounds N]

Measures with `benchmarks/overhead.py`: a server with ready-made answers in a process of
its own, the client's CPU time, this package and hand-written aiohttp in turn. Ratios
are medians of interleaved rounds, told with their quartiles, because microseconds
measure the machine and its neighbours too. A call is a whole chat, `model.chat(...)`
against `session.post` and `json.loads`, one at a time: what 32 and 256 callers at once
cost each, where both clients save some work, is told beside it and has no bound. An
event is one of 5,000 in a stream. Prints one line of JSON; exit code 1: a call costs
more than 1.20 times, or an event more than 0.45 times, what it costs by hand.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, Final

from benchmarks import overhead
from benchmarks.reliability.figures import Bound, judged, parser, quartiles, tell

CALL: Final = 1.20
EVENT: Final = 0.45
# Their method there, and how many calls make a round, at once.
_KINDS: Final = {
    "call": ("whole", 600, 1),
    "call_of_32": ("whole", 1_600, 32),
    "call_of_256": ("whole", 1_600, 256),
    "event": ("streamed", 4, 1),
}


async def measure(
    bases: Sequence[str], rounds: int, share: int
) -> dict[str, list[tuple[float, float]]]:
    """Return seconds by hand and here for each round of each kind."""
    clients = overhead.ByHand(bases), overhead.ByThisPackage(bases)
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in _KINDS}
    for number in range(rounds + 1):
        for name, (method, calls, at_once) in _KINDS.items():
            count = max(1, calls // share)
            hand, here = [
                await overhead.cpu(getattr(each, method), calls=count, at_once=at_once)
                for each in clients
            ]
            # The first round warms both.
            pairs[name] += [(hand, here)] if number else []
    for client in clients:
        await client.aclose()
    return pairs


def figures(pairs: dict[str, list[tuple[float, float]]], rounds: int) -> dict[str, Any]:
    """Return the ratios with their quartiles, and what a call costs more."""
    found = {
        name: quartiles([here / hand for hand, here in each])
        for name, each in pairs.items()
    }
    more = quartiles([(here - hand) * 1e6 for hand, here in pairs["call"]])
    return judged(
        "R39",
        Bound("call", found["call"][1], "<=", CALL),
        Bound("event", found["event"][1], "<=", EVENT),
        rounds=rounds,
        call_of_32=found["call_of_32"][1],
        call_of_256=found["call_of_256"][1],
        quartiles=found,
        call_us_more=more[1],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--rounds", type=int, default=9)
    options_of.add_argument("--share", type=int, default=1, help="a part of the calls")
    options = options_of.parse_args(arguments)
    with overhead.serving() as bases:
        pairs = asyncio.run(measure(bases, options.rounds, options.share))
    return tell(figures(pairs, options.rounds))


if __name__ == "__main__":
    sys.exit(main())
