"""Import the package as a host does: quick, and nothing happens (R41).

    python -m benchmarks.reliability.importcheck [--rounds N]

A host imports the plugin of every package that is installed, whether or not somebody
uses it. Each import runs in a process of its own, in turn with `import aiohttp`, which
is the least that a client by hand needs. Milliseconds are CPU time and tell of this
machine; the bound is the ratio, medians of rounds with their quartiles: half of what
aiohttp takes stands for 150 ms on the machine where aiohttp took 300. What a program
imports that opens a model is told as well; it has no bound. While they run no socket
may be made, no thread started, and no file written or opened to be written; Python's
own cache of bytecode is off.

Prints one line of JSON; exit code 1: a ratio is above, or something happened.
`--module NAME` imports another module instead.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.reliability.figures import Bound, judged, parser, quartiles, tell

MOST: Final = 0.5
_MODULES: Final = ("bytebuddy_provider_hf", "bytebuddy_provider_hf.plugin")
_ROOT: Final = Path(__file__).parents[2]
_SLOW: Final = 60.0
# Runs in a process of its own: notes what happens, then imports.
_PROBE: Final = """
import os, sys, time
noted = {"sockets": 0, "threads": 0, "writes": 0}
WRITES = ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.truncate")
def hook(event, args):
    if event.startswith("socket."):
        noted["sockets"] += 1
    elif event.startswith("_thread.start"):
        noted["threads"] += 1
    elif event in WRITES:
        noted["writes"] += 1
    elif event == "open":
        _, mode, flags = args
        opened = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        noted["writes"] += bool(opened or set(mode or "") & set("wax+"))
sys.addaudithook(hook)
began = time.process_time()
{statement}
took = time.process_time() - began
import json
print(json.dumps({**noted, "ms": took * 1e3}))
"""


def probe(statement: str, home: Path) -> dict[str, Any]:
    """Run a statement in a new process; return its CPU time, and what happened."""
    env = {"PATH": os.environ.get("PATH", ""), "HOME": str(home)}
    ran = subprocess.run(  # noqa: S603 - of this project
        [
            *(sys.executable, "-B", "-W", "error", "-c"),
            _PROBE.replace("{statement}", statement),
        ],
        # A folder that is not the project: `-c` puts it on the path.
        env=env | {"PYTHONPATH": str(_ROOT)},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=_SLOW,
        check=True,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def measure(rounds: int, modules: Sequence[str]) -> dict[str, Any]:
    """Import each in turn, round by round; return the figures."""
    statements = {
        "aiohttp": "import aiohttp",
        **{module: f"import {module}" for module in modules},
        "open_model": "from bytebuddy_provider_hf import open_model",
    }
    ms: dict[str, list[float]] = {name: [] for name in statements}
    happened = {"sockets": 0, "threads": 0, "writes": 0}
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for _ in range(rounds):
            for each, statement in statements.items():
                found: Mapping[str, Any] = probe(statement, home)
                ms[each].append(found["ms"])
                if each != "aiohttp":
                    for what in happened:
                        happened[what] += found[what]
        files = len(list(home.rglob("*")))
    ratios = {
        each: [one / other for one, other in zip(ms[each], ms["aiohttp"], strict=True)]
        for each in statements
    }
    worst = max(statistics.median(ratios[module]) for module in modules)
    return judged(
        "R41",
        Bound("ratio", round(worst, 3), "<=", MOST),
        Bound("sockets", happened["sockets"], "==", 0),
        Bound("threads", happened["threads"], "==", 0),
        Bound("written", happened["writes"] + files, "==", 0),
        rounds=rounds,
        ms={each: round(statistics.median(ms[each]), 1) for each in statements},
        ratio_quartiles={each: quartiles(ratios[each]) for each in statements},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--rounds", type=int, default=9)
    options_of.add_argument("--module", action="append", help="imported instead")
    options = options_of.parse_args(arguments)
    return tell(measure(options.rounds, options.module or _MODULES))


if __name__ == "__main__":
    sys.exit(main())
