"""Fill the disk, forbid to write, flip bytes of every file: calls succeed (R27).

    python -m benchmarks.reliability.disk [--flips N] [--sizes N] [--seed N]

A model whose answers are kept, whose calls are counted, and whose server had to be
found out, is called with files that are

- damaged: `--flips` times some bytes of one of them are flipped, or its end is cut off:
  `answers.db`, `usage.db`, their logs, `usage.counts`, `usage.key`, `servers.json`;
- on a disk that is full: no file of the process may grow beyond a size, which is tried
  from nothing to more than is needed;
- where nothing may be written: the folders exist, and are the user's, but read-only.

All calls have to succeed with the answer to their own question, whether it was kept or
not, and of each file at most one warning may be logged in each process. Prints one line
of JSON; exit code 1: a call failed, an answer was another's, there was more than one
warning of a file, or none where nothing can be written. `--unchecked` believes whatever
the file of answers says, for which the command has to fail.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import logging
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from unittest import mock

from attrs import asdict, define

from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf import ByteBuddyError, open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.config.stored_files import SERVERS
from bytebuddy_provider_hf.storage import answers_file, ledger, result_cache
from bytebuddy_provider_hf.testing.answers import chat_reply, json_reply
from bytebuddy_provider_hf.testing.behaviour import echo
from bytebuddy_provider_hf.testing.failures import not_found
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

_BASE: Final = "http://127.0.0.1:8080"
_QUESTIONS: Final = 4
_FILE: Final = re.compile(r"[^/\\\s]+\.(?:db|key|counts|json)\b")
_ROOT: Final = Path(__file__).parents[2]
# Of a file so much may be flipped at once; sometimes its end is cut off instead.
_MOST_FLIPPED: Final = 8
_CUT: Final = 0.1
# Two capabilities of Linux by which root writes wherever it likes (capabilities(7)).
_OVERRIDES: Final = (1, 2)
_CAPABILITIES_3: Final = 0x20080522


class Told(logging.Handler):
    """Count the warnings by the file that they name first."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        named = _FILE.search(said)
        self.counts[named[0] if named else said] += 1


@define
class Outcome:
    """What came of the calls with one state of the disk."""

    calls: int = 0
    failed: int = 0
    wrong: int = 0
    hits: int = 0
    warnings: int = 0

    def add(self, other: Outcome) -> None:
        """Add what came of another; of the warnings the most of one file count."""
        self.calls += other.calls
        self.failed += other.failed
        self.wrong += other.wrong
        self.hits += other.hits
        self.warnings = max(self.warnings, other.warnings)


def questions() -> list[str]:
    """Return questions whose answers are most of what is in the files."""
    return [f"question {number}" + " and so on" * 400 for number in range(_QUESTIONS)]


async def call(
    folder: Path, questions: Sequence[str], *, copy_to: Path | None = None
) -> Outcome:
    """Ask each question with the files of a folder, as a new process would.

    ``copy_to`` gets the folder as a process leaves it that is killed.
    """
    state, cache = folder / "state", folder / "cache"
    told = Told()
    logger = logging.getLogger("bytebuddy_provider_hf")
    logger.addHandler(told)
    sent = 0

    async def answer(request: FakeRequest) -> FakeReply:
        nonlocal sent
        if request.path == "/v1/models":
            listed = {"id": "m", "object": "model", "owned_by": "vllm"}
            return json_reply({"object": "list", "data": [listed]})
        if request.method == "GET":
            return not_found()
        sent += 1
        return chat_reply(f"{echo(request)} is what was asked")

    found = Outcome()
    try:
        async with (
            Runtime(
                connect=MemoryConnect(answer),
                server_cache=ServerCache(cache / SERVERS.name),
            ) as runtime,
            open_model(
                "m",
                api_key="hf_x",
                api_base=_BASE,
                runtime=runtime,
                env={},
                state_dir=state,
                ledger=True,
                cache="all",
                cache_dir=cache,
            ) as model,
        ):
            for question in questions:
                found.calls += 1
                try:
                    reply = await model.chat(question)
                except ByteBuddyError as error:
                    print(f"{error!r:.200}", file=sys.stderr)
                    found.failed += 1
                else:
                    found.wrong += reply.text != f"{question} is what was asked"
            found.hits = found.calls - found.failed - sent
    finally:
        if copy_to is not None:
            await ledger.open_ledger(state).flush()
            await asyncio.to_thread(shutil.copytree, folder, copy_to)
        # Taken out, so that the next look at a folder is that of a new process.
        for opened in (result_cache._opened, ledger._opened):  # noqa: SLF001 - as above
            for path in tuple(opened):
                await opened.pop(path).aclose()
        logger.removeHandler(told)
    found.warnings = max(told.counts.values(), default=0)
    return found


def damage(folder: Path, chance: random.Random) -> None:
    """Flip some bytes of one file of a folder, or cut its end off."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    path = chance.choice([each for each in files if each.stat().st_size])
    content = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, _MOST_FLIPPED)):
        # Near another flip as a rule, as a disk fails.
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    if chance.random() < _CUT:
        del content[chance.randrange(len(content)) :]
    path.write_bytes(content)


async def flip(flips: int, seed: int, folder: Path) -> Outcome:
    """Damage a good folder so many times; return what came of the calls."""
    chance = random.Random(seed)
    asked = questions()
    closed, killed = folder / "closed", folder / "killed"
    await call(closed, asked, copy_to=killed)
    found = Outcome()
    for number in range(flips):
        tried = folder / f"tried-{number}"
        shutil.copytree(killed if number % 2 else closed, tried)
        damage(tried, chance)
        found.add(await call(tried, [*asked, f"new {number}"]))
        shutil.rmtree(tried)
    return found


@contextmanager
def obeying_modes() -> Iterator[None]:
    """Let root obey the modes of files and folders too, as every other user does."""
    if os.geteuid():
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(head, sets):
        raise OSError(ctypes.get_errno(), "capget")
    before = sets[0]
    # The effective set alone: the first of three, each of which has two halves.
    for number in _OVERRIDES:
        sets[0] &= ~(1 << number)
    if libc.capset(head, sets):
        raise OSError(ctypes.get_errno(), "capset")
    try:
        yield
    finally:
        sets[0] = before
        libc.capset(head, sets)


def work(size: int | None, folder: Path) -> Outcome:
    """Call while no file may grow beyond ``size``, or where nothing may be written."""
    asked = questions()
    if size is not None:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            return asyncio.run(call(folder, [*asked, *asked]))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    paths = (folder, *folder.rglob("*"))
    for path in paths:
        path.chmod(0o500 if path.is_dir() else 0o400)
    with obeying_modes():
        with suppress(PermissionError):
            (folder / "probe").touch()
            raise RuntimeError("the folder can be written all the same")
        found = asyncio.run(call(folder, [*asked, *asked, "new"]))
    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o600)
    return found


def in_process(jobs: Sequence[tuple[int | None, Path]]) -> list[Outcome]:
    """Return what comes of such disks, in a process that has no other files."""
    told = json.dumps([(size, str(folder)) for size, folder in jobs])
    ran = subprocess.run(  # noqa: S603 - of this project
        [
            *(sys.executable, "-W", "error", "-m", "benchmarks.reliability.disk"),
            *("--worker", told),
        ],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Outcome(**each) for each in json.loads(ran.stdout)]


class _Believed(bytes):
    """A digest that is said to be the one of whatever is compared with it."""

    __slots__ = ()
    __hash__ = bytes.__hash__

    def __ne__(self, _other: object) -> bool:
        return False

    def __eq__(self, _other: object) -> bool:
        return True


def measure(flips: int, sizes: int, seed: int, folder: Path) -> dict[str, Any]:
    """Return the figures of all the disks."""
    flipped = asyncio.run(flip(flips, seed, folder / "flips"))
    full, locked = Outcome(), Outcome()
    jobs: list[tuple[int | None, Path]] = []
    # Nothing, less than a page, and on in steps that double; and read-only at last.
    limits = [0 if not n else 2 ** (n + 8) for n in range(sizes)]
    for size in (*limits, None) if sizes else ():
        for good in ("closed", "killed", ""):
            place = folder / f"{size}-{good}"
            if good:
                shutil.copytree(folder / "flips" / good, place)
            else:
                for name in ("state", "cache"):
                    (place / name).mkdir(parents=True)
            jobs.append((size, place))
    if jobs:
        for (size, _), outcome in zip(jobs, in_process(jobs), strict=True):
            (locked if size is None else full).add(outcome)
    every = (flipped, full, locked)
    return judged(
        "R27",
        Bound("failed_calls", sum(each.failed for each in every), "==", 0),
        Bound("wrong_answers", sum(each.wrong for each in every), "==", 0),
        Bound("most_warnings", max(each.warnings for each in every), "<=", 1),
        # Where nothing can be written at all, nobody may be left in the dark.
        Bound("warnings_read_only", locked.warnings, "==", min(1, sizes)),
        # Else no file was read.
        Bound("hits_of_damaged", flipped.hits, ">", 0),
        flips=flips,
        sizes=sizes,
        seed=seed,
        calls=sum(each.calls for each in every),
        hits=sum(each.hits for each in every),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--flips", type=int, default=10_000)
    options_of.add_argument("--sizes", type=int, default=12)
    options_of.add_argument("--seed", type=int, default=1)
    options_of.add_argument("--unchecked", action="store_true", help="believe the file")
    options_of.add_argument("--worker", help=argparse.SUPPRESS)
    options = options_of.parse_args(arguments)
    if options.worker:
        jobs = [(size, Path(folder)) for size, folder in json.loads(options.worker)]
        sys.stdout.write(json.dumps([asdict(work(*each)) for each in jobs]))
        return 0
    believed = mock.patch.object(answers_file, "_digest", return_value=_Believed())
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        if options.unchecked:
            stack.enter_context(believed)
        flips, sizes, seed = options.flips, options.sizes, options.seed
        return tell(measure(flips, sizes, seed, Path(name)))


if __name__ == "__main__":
    sys.exit(main())
