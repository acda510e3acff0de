"""List the commands that measure reliability, one row each, and what they promise.

The page `docs/reliability.md`, the nightly run and the tests read these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen


@frozen
class Promise:
    """What a figure means for a user, and the bound within which it holds."""

    sentence: str
    bound: str


@frozen(eq=False)
class Command:
    """A command, the figures that it measures, and what each of them promises.

    ``arguments`` are those of the full figure, ``short`` those with which it takes
    seconds, ``nightly`` those of the night where they are others. One that is
    ``seeded`` takes ``--seed``.
    """

    module: str
    promises: Mapping[str, Promise]
    arguments: str = ""
    short: str = ""
    nightly: str = ""
    seeded: bool = False

    def written(self, arguments: str) -> str:
        """Return the command as a person types it."""
        return f"python -m benchmarks.reliability.{self.module} {arguments}".rstrip()


COMMANDS: Final = (
    Command(
        "faultmix",
        {
            "R1": Promise(
                "Of 100,000 calls to a server that resets, fails, refuses and truncates"
                " one in five, none has a wrong answer or somebody else's, none hangs,"
                " and every failure is an error of ours.",
                "0 wrong, crossed, doubled, untyped or hung; successes at least"
                " 1-p^attempts less 3 sigma; the count of requests is the server's",
            ),
            "R23": Promise(
                "No more requests are in flight than are allowed, and what is allowed"
                " is used.",
                "in flight <= limit; used >= 95 % while somebody waits",
            ),
        },
        short="--n 500",
        seeded=True,
    ),
    Command(
        "faultmix",
        {
            "R2": Promise(
                "A stream that is cut is never taken for a whole one, whatever byte it"
                " is cut at, and what was delivered is its beginning.",
                "0 silent truncations, 0 repeated events",
            )
        },
        arguments="--stream",
        short="--stream --n 100",
        seeded=True,
    ),
    Command(
        "outage",
        {
            "R4": Promise(
                "A thousand callers of a server that is down do not multiply into a"
                " storm: after few attempts each fails at once.",
                "attempts <= callers + 35, then failing in < 5 ms",
            )
        },
        short="--callers 100",
        seeded=True,
    ),
    Command(
        "herd",
        {
            "R6": Promise(
                "A thousand callers of a model that is being loaded send a handful of"
                " requests meanwhile, and all of them get their answer.",
                "cold requests <= limit + 6 (20 s), + 17 (120 s), + 34 (300 s)",
            )
        },
        short="--waiters 100 --cold 20",
        seeded=True,
    ),
    Command(
        "herd",
        {
            "R7": Promise(
                "So it is where callers leave while they wait, the one that asks for"
                " all of them first.",
                "0 stuck; one request more for each that was replaced",
            )
        },
        arguments="--cancel .1 --seeds 200",
        short="--cancel .1 --seeds 3 --waiters 100",
        seeded=True,
    ),
    Command(
        "release",
        {
            "R9": Promise(
                "When the model is ready, the crowd is let go in steps and does not"
                " crush it.",
                "<= 32 in flight once, <= 17 after the first refusal; < 3 % refused; no"
                " second cold start",
            )
        },
        short="--callers 200",
        seeded=True,
    ),
    Command(
        "soak",
        {
            "R12": Promise(
                "After half an hour of calls, faults, streams and cancelled callers"
                " nothing is left over: no memory, file, task, connection or permit.",
                "memory's growth has 0 in its 95 % interval and is < 1 % an hour; all"
                " counts back where they began",
            )
        },
        arguments="--minutes 30",
        short="--minutes .1",
        seeded=True,
    ),
    Command(
        "lifecycle",
        {
            "R13": Promise(
                "Opening and closing a thousand clients leaves nothing behind.",
                "< 4 MiB; 0 warnings, 0 bytes on stderr",
            )
        },
        short="--clients 50",
    ),
    Command(
        "sse_matrix",
        {
            "R16": Promise(
                "Event streams are read alike, however odd they are and however they"
                " are cut into pieces.",
                "20 of 20 cases at every chunk size",
            )
        },
    ),
    Command(
        "desync",
        {
            "R20": Promise(
                "A thousand callers who were told to wait for one moment do not come"
                " back all at once.",
                "in any 100 ms at most as many as may be in flight",
            )
        },
        short="--sleepers 200",
        seeded=True,
    ),
    Command(
        "aimd",
        {
            "R24": Promise(
                "How many requests at once a server takes is found out soon, and then"
                " hardly run against.",
                "after 60 round trips within 20 %, < 3 % refused",
            )
        },
        short="--seeds 1 --capacities 2 8",
        seeded=True,
    ),
    Command(
        "killer",
        {
            "R25": Promise(
                "A program that is killed at any moment damages no file and has counted"
                " every request it sent.",
                "ledger >= server, and at most 64 more for each that was killed",
            )
        },
        short="--n 10",
        seeded=True,
    ),
    Command(
        "procs",
        {
            "R26": Promise(
                "Eight programs that count in one file at the same time lose nothing.",
                "the sums are exact, nobody sees a lock",
            )
        },
        short="--procs 2 --calls 200",
    ),
    Command(
        "cache_procs",
        {
            "R26": Promise(
                "Eight programs share the kept answers: none gets another question's.",
                "0 wrong, 0 stale, 0 locks",
            )
        },
        short="--processes 2 --operations 100",
    ),
    Command(
        "disk",
        {
            "R27": Promise(
                "On a disk that is full, read-only or damaged calls go on, with right"
                " answers and one warning.",
                "0 failed, 0 wrong, <= 1 warning of a file",
            )
        },
        short="--flips 20 --sizes 2",
        seeded=True,
    ),
    Command(
        "fuzz_config",
        {
            "R28": Promise(
                "A configuration of any bytes is read, or refused with the place of"
                " what is wrong, soon, and without showing a key.",
                "0 crashes, < 1 s and < 50 MiB each, 0 problems without a line, 0 keys",
            )
        },
        short="--n 100 --attacks 20",
        nightly="--n 1000000",
        seeded=True,
    ),
    Command(
        "urls",
        {
            "R29": Promise(
                "No model's id and no path leads a call to another server, or out of"
                " its place there.",
                "origin and path stay, or it is refused",
            )
        },
        short="--n 2000",
        seeded=True,
    ),
    Command(
        "canary",
        {
            "R30": Promise(
                "No error, log, trace, file or screen shows a token.",
                "0 of all errors in all the places",
            )
        },
        short="--every 40",
    ),
    Command(
        "bombs",
        {
            "R32": Promise(
                "A small answer that unpacks to a gigabyte, or to millions of elements,"
                " is refused at once; a large one that was asked for comes whole.",
                "each bomb one typed error, 'partial' exact; < 64 MiB; no callback of"
                " 100 ms",
            )
        },
        short="--megabytes 4 --only calls",
    ),
    Command(
        "overhead",
        {
            "R39": Promise(
                "What a call and an event cost, compared with aiohttp by hand.",
                "call <= 1.20, event <= 0.45 times",
            )
        },
        short="--rounds 2 --share 20",
    ),
    Command(
        "importcheck",
        {
            "R41": Promise(
                "Importing the plugin is quick, and does nothing besides.",
                "<= 0.5 of `import aiohttp`; no socket, thread or file",
            )
        },
        short="--rounds 2",
    ),
    Command(
        "money",
        {
            "R44": Promise(
                "What the ledger reckons is what Hugging Face bills.",
                "within 0.1 %, at most where tokens were cached",
            )
        },
        short="--calls 200",
        seeded=True,
    ),
    Command(
        "pin",
        {
            "R45": Promise(
                "A conversation stays with the provider that has read it before.",
                ">= 95 % of what can be hit is hit",
            )
        },
        short="--conversations 3",
        seeded=True,
    ),
    Command(
        "longstreams",
        {
            "R46": Promise(
                "Callers of long answers do not wait for each other.",
                "last first token within a round trip and 100 ms here, 3 round trips"
                " elsewhere; all in 1.05 times one stream; beyond the limit two waves",
            )
        },
        short="--seconds 3 --elsewhere",
    ),
    Command(
        "busy503",
        {
            "R47": Promise(
                "An endpoint that turns callers away is busy, and is not told as"
                " asleep.",
                "0 told so, 0 probes, < 10 % turned away",
            )
        },
        short="--callers 300 --capacities 4",
        seeded=True,
    ),
    Command(
        "doors",
        {
            "R48": Promise(
                "Every request that leaves is counted, by whatever door.",
                "ledger == server at each",
            )
        },
        short="--library",
    ),
    Command(
        "alerts",
        {
            "budgets": Promise(
                "Of a budget nobody uses more than there is, from however many"
                " programs, and each alert is told once.",
                "10 sent of 64; 12 alerts, each once",
            )
        },
    ),
)
