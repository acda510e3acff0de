"""A cache that cannot be used costs one warning, and no call."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from rounds import rounds

from bytebuddy_provider_hf.config.stored_files import ANSWERS, DAMAGED_ANSWERS
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.storage import result_cache
from bytebuddy_provider_hf.storage.answers_file import (
    LEASE,
    AnswersFile,
    KeptValue,
    clear_answers,
    read_stats,
)
from bytebuddy_provider_hf.storage.result_cache import (
    MOST_IN_MEMORY,
    ResultCache,
    open_result_cache,
)

LIMIT = 10**9
A, B = b"a" * 32, b"b" * 32


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> Iterator[ResultCache]:
    made = ResultCache(tmp_path / "cache", clock=clock, monotonic=clock)
    yield made
    made.close()


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return what was told so far, in English."""
    caplog.set_level(logging.DEBUG, logger="bytebuddy_provider_hf.storage")
    return lambda: [
        each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING
    ]


def keep(cache: ResultCache, key: bytes, value: bytes = b"value") -> None:
    cache.keep(key, KeptValue(value, cache.now()), limit=LIMIT)


async def value(cache: ResultCache, key: bytes) -> bytes | None:
    found = cache.recall(key) or await cache.find(key)
    return None if found is None else found.value


def path_of(cache: ResultCache) -> Path:
    return cache._path


def test_nothing_is_made_before_it_is_used(tmp_path: Path, cache: ResultCache) -> None:
    """Neither a folder nor a thread."""
    assert cache.recall(A) is None
    assert list(tmp_path.iterdir()) == []
    assert cache._thread is None


def test_a_folder_has_one_cache(tmp_path: Path) -> None:
    """All models of a process share it."""
    assert open_result_cache(tmp_path) is open_result_cache(tmp_path)
    assert open_result_cache(tmp_path) is not open_result_cache(tmp_path / "other")


@pytest.mark.asyncio
async def test_what_was_kept_is_found(tmp_path: Path, cache: ResultCache) -> None:
    """At once, also by another process; the event loop never waits for the disk."""
    with blockbuster_ctx():
        keep(cache, A)
        assert await value(cache, A) == b"value"
        assert await value(cache, B) is None
        other = ResultCache(tmp_path / "cache", clock=cache.now)
        assert await value(other, A) == b"value"
        await other.aclose()
        await cache.aclose()
        assert await value(cache, A) == b"value"
        await cache.aclose()


@pytest.mark.asyncio
async def test_memory_is_believed_for_a_second(
    cache: ResultCache, clock: Clock
) -> None:
    """Then the file is asked whether somebody has cleared it."""
    keep(cache, A)
    assert cache.recall(A) is None  # nobody has looked yet
    assert await value(cache, A) == b"value"
    with AnswersFile(path_of(cache)) as file:
        file.clear(before=None)
    clock.now += LEASE - 0.01
    assert cache.recall(A) is not None
    clock.now += 0.02
    assert cache.recall(A) is None
    assert await value(cache, A) is None


@pytest.mark.asyncio
async def test_nothing_that_was_cleared_is_given(tmp_path: Path) -> None:
    """In real time, from the moment at which ``clear`` returns."""
    cache = ResultCache(tmp_path)
    keep(cache, A)
    assert await value(cache, A) == b"value"

    async def use() -> None:
        while await value(cache, A) is not None:  # noqa: ASYNC110 - a program's calls
            await asyncio.sleep(0.01)

    using = asyncio.create_task(use())
    await asyncio.to_thread(clear_answers, tmp_path)
    assert await value(cache, A) is None
    await using
    await cache.aclose()


@pytest.mark.asyncio
async def test_an_old_value_is_none(cache: ResultCache, clock: Clock) -> None:
    """In memory and in the file."""
    keep(cache, A)
    assert await cache.find(A, max_age=5) is not None
    clock.now += 0.5
    assert cache.recall(A, max_age=0.4) is None
    assert cache.recall(A, max_age=0.6) is not None
    clock.now += 5
    assert await cache.find(A, max_age=5) is None
    assert await cache.find(A, max_age=6) is not None


@pytest.mark.asyncio
async def test_memory_is_bounded(cache: ResultCache) -> None:
    """What was used longest ago is in the file only."""
    size = MOST_IN_MEMORY // 4
    for number in range(6):
        keep(cache, bytes([number]) * 32, b"x" * size)
        await cache.find(bytes([0]) * 32)
    assert cache._size <= MOST_IN_MEMORY
    known = [n for n in range(6) if cache.recall(bytes([n]) * 32) is not None]
    assert known == [0, 3, 4, 5]
    assert all([await value(cache, bytes([n]) * 32) for n in range(6)])


@pytest.mark.asyncio
async def test_what_waits_for_the_disk_is_bounded(
    cache: ResultCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it answers are not kept; what is written makes room."""
    monkeypatch.setattr(result_cache, "MOST_WAITING", 100)
    with cache._file_lock:
        for number in range(5):
            keep(cache, bytes([number]) * 32, b"x" * 40)
    await cache.aclose()
    assert read_stats(path_of(cache).parent).entries == 2
    keep(cache, A, b"x" * 40)
    assert await value(cache, A) is not None


@pytest.mark.asyncio
async def test_what_is_not_allowed_is_not_kept(cache: ResultCache) -> None:
    """Neither in memory nor in the file."""
    cache.keep(A, KeptValue(b"x", cache.now()), limit=LIMIT, allowed=lambda: False)
    assert await value(cache, A) is None


@pytest.mark.asyncio
async def test_uses_are_counted_in_the_file(cache: ResultCache) -> None:
    """With the next value, at the end, or when there are many."""
    for key in (A, B):
        keep(cache, key)
        await cache.find(key)
    for _ in range(4):
        cache.recall(A)
    await cache.aclose()
    assert read_stats(path_of(cache).parent).hits == 6
    for number in range(result_cache._MOST_USES):
        keep(cache, b"%032d" % number)
    await cache.find(A)
    for number in range(result_cache._MOST_USES):
        cache.recall(b"%032d" % number)
    await cache.find(b"?" * 32)
    assert read_stats(path_of(cache).parent).hits > result_cache._MOST_USES


@pytest.mark.asyncio
async def test_a_file_that_was_removed_is_forgotten(
    cache: ResultCache, clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    """With all that memory has of it; a new one is begun."""
    keep(cache, A)
    assert await value(cache, A) == b"value"
    for each in list(path_of(cache).parent.iterdir()):
        each.unlink()
    clock.now += LEASE + 1
    assert await value(cache, A) is None
    keep(cache, B)
    await cache.aclose()
    assert read_stats(path_of(cache).parent).entries == 1
    assert warnings() == []


@pytest.mark.asyncio
async def test_a_damaged_file_is_put_aside(
    cache: ResultCache, warnings: Callable[[], list[str]]
) -> None:
    """A new one is begun, and answers are kept."""
    path_of(cache).parent.mkdir()
    path_of(cache).write_bytes(b"this is no database " * 500)
    assert await value(cache, A) is None
    keep(cache, A)
    assert await value(cache, A) == b"value"
    await cache.aclose()
    assert read_stats(path_of(cache).parent).entries == 1
    (said,) = warnings()
    assert f"is now {path_of(cache).with_name(DAMAGED_ANSWERS.name)}" in said
    assert path_of(cache).with_name(DAMAGED_ANSWERS.name).stat().st_size == 10_000


# Each page has its head, its rows from the end on, and between them nothing.
STEP = rounds(1_024, long=64)


@pytest.mark.asyncio
@pytest.mark.parametrize("place", range(0, 32_768, STEP))
async def test_flipped_bytes_harm_no_call(tmp_path: Path, place: int) -> None:
    """Wherever they are in the file: what is found is what was kept, or nothing."""
    kept = {b"%032d" % number: b"%d " % number * 300 for number in range(10)}
    cache = ResultCache(tmp_path)
    for key, each in kept.items():
        keep(cache, key, each)
    await cache.aclose()
    content = bytearray(path_of(cache).read_bytes())
    for at in range(place, min(place + 64, len(content))):
        content[at] ^= 0xFF
    path_of(cache).write_bytes(content)
    with suppress(ConfigError):
        read_stats(tmp_path)
    again = ResultCache(tmp_path)
    for key, each in kept.items():
        assert await value(again, key) in (each, None)
    keep(again, A)
    assert await value(again, A) == b"value"
    await again.aclose()


@pytest.mark.asyncio
async def test_a_damaged_row_is_asked_for_anew(
    tmp_path: Path, warnings: Callable[[], list[str]]
) -> None:
    """The others stay; one warning, however many there are."""
    cache = ResultCache(tmp_path)
    for key in (A, B, b"c" * 32):
        keep(cache, key)
    await cache.aclose()
    with sqlite3.connect(path_of(cache)) as damaged:
        damaged.execute("UPDATE answers SET value = x'00' WHERE id < 3")
    damaged.close()
    again = ResultCache(tmp_path)
    found = [await value(again, key) for key in (A, B, b"c" * 32)]
    assert found == [None, None, b"value"]
    (said,) = warnings()
    assert "was damaged, and is asked for anew" in said
    await again.aclose()


@pytest.mark.asyncio
async def test_a_newer_file_is_left_alone(
    cache: ResultCache, warnings: Callable[[], list[str]]
) -> None:
    """Answers are kept in memory, and one warning says so."""
    with AnswersFile(path_of(cache)) as file:
        file._database.execute(f"PRAGMA user_version={ANSWERS.version + 1}")
    before = path_of(cache).read_bytes()
    for key in (A, B):
        assert await value(cache, key) is None
        keep(cache, key)
        assert await value(cache, key) == b"value"
    assert path_of(cache).read_bytes() == before
    (said,) = warnings()
    assert "newer version" in said
    assert "memory only" in said


@pytest.mark.asyncio
async def test_a_folder_that_cannot_be_made_costs_one_warning(
    tmp_path: Path, clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    """As in a read-only home, or where there is none: memory is left."""
    (tmp_path / "file").write_text("no folder")
    cache = ResultCache(tmp_path / "file" / "cache", clock=clock, monotonic=clock)
    for key in (A, B):
        assert await value(cache, key) is None
        keep(cache, key)
        assert await value(cache, key) == b"value"
    clock.now += 1_000
    assert cache.recall(A) is not None
    (said,) = warnings()
    assert "answers are kept in memory only" in said
    await cache.aclose()


@pytest.mark.asyncio
async def test_another_users_file_is_not_used(
    cache: ResultCache,
    warnings: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who wrote it could answer in a server's place."""
    if not hasattr(os, "geteuid"):
        pytest.skip("users have numbers on POSIX only")
    with AnswersFile(path_of(cache)) as file:
        file.put(A, KeptValue(b"poison", cache.now()), limit=LIMIT)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert await value(cache, A) is None
    keep(cache, A)
    assert await value(cache, A) == b"value"
    (said,) = warnings()
    assert "another user made it" in said
    with pytest.raises(ConfigError, match="another user made it"):
        clear_answers(path_of(cache).parent)
    monkeypatch.undo()
    assert read_stats(path_of(cache).parent).entries == 1


@pytest.mark.asyncio
async def test_a_full_disk_costs_one_warning(
    cache: ResultCache, clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    """What is in the file is still given; after a minute it is tried again."""
    keep(cache, A)
    assert await value(cache, A) == b"value"
    file = cache._file
    assert file is not None
    file._database.execute("PRAGMA max_page_count=1")
    for number in range(5):
        keep(cache, b"%032d" % number, b"x" * 10_000)
        assert await value(cache, b"%032d" % number) == b"x" * 10_000
        assert await value(cache, A) == b"value"
    (said,) = warnings()
    assert "cannot be written" in said
    file._database.execute("PRAGMA max_page_count=1000000")
    clock.now += 61
    keep(cache, B)
    await cache.aclose()
    assert read_stats(path_of(cache).parent).entries == 2
    assert len(warnings()) == 1


# A disk that is full in truth: no file of this process may grow.
FULL = """
import asyncio, resource, signal, sys, time
from pathlib import Path
from bytebuddy_provider_hf.storage.answers_file import KeptValue
from bytebuddy_provider_hf.storage.result_cache import ResultCache

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
    cache = ResultCache(Path(sys.argv[1]))
    for number in range(30):
        key = b"%032d" % number
        await cache.find(key)
        cache.keep(key, KeptValue(b"x" * 9_000, time.time()), limit=10**9)
        assert (await cache.find(key)) is not None
    await cache.aclose()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("most", [0, 1, 4_096, 20_000, 100_000])
def test_no_write_that_fails_reaches_a_call(tmp_path: Path, most: int) -> None:
    """Whatever of the file can still be written, the next process finds it whole."""
    assert resource.RLIMIT_FSIZE
    assert signal.SIGXFSZ
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, str(tmp_path), str(most)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("\n") <= 1, ran.stderr

    async def look() -> None:
        cache = ResultCache(tmp_path)
        for number in range(30):
            assert await value(cache, b"%032d" % number) in (None, b"x" * 9_000)
        keep(cache, A)
        assert await value(cache, A) == b"value"
        await cache.aclose()

    asyncio.run(look())


@pytest.mark.asyncio
async def test_a_lock_of_another_process_is_no_failure(
    cache: ResultCache, warnings: Callable[[], list[str]]
) -> None:
    """The answer is not kept, and nothing is told."""
    keep(cache, A)
    assert await value(cache, A) == b"value"
    assert cache._file is not None
    cache._file._database.execute("PRAGMA busy_timeout=10")
    other = sqlite3.connect(path_of(cache), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    keep(cache, B)
    assert await cache.find(B) is not None  # in memory
    other.execute("COMMIT")
    other.close()
    await cache.aclose()
    assert read_stats(path_of(cache).parent).entries == 1
    assert warnings() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_child_of_a_fork_has_a_cache_of_its_own(tmp_path: Path) -> None:
    """Its parent's thread and connection are not there; the file is."""
    cache = ResultCache(tmp_path)

    async def use(key: bytes) -> bool:
        keep(cache, key)
        found = await value(cache, A), await value(cache, key)
        await cache.aclose()
        return found == (b"value", b"value")

    async def begin() -> None:
        keep(cache, A)
        assert await value(cache, A) == b"value"

    asyncio.run(begin())
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if asyncio.run(use(B)) else 1
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert asyncio.run(use(b"c" * 32))
    assert read_stats(tmp_path).entries == 3


def test_what_waits_is_written_at_the_end_of_the_process(tmp_path: Path) -> None:
    """Also where nobody closes anything; nothing is told."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from bytebuddy_provider_hf.storage.answers_file import KeptValue\n"
        "from bytebuddy_provider_hf.storage.result_cache import ResultCache\n"
        "cache = ResultCache(Path(sys.argv[1]))\n"
        "for n in range(50):\n"
        "    cache.keep(b'%032d' % n, KeptValue(b'x', time.time()), limit=10**9)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert read_stats(tmp_path).entries == 50


# Keeps values that tell their key until it is killed, and says when it has begun.
WRITER = """
import hashlib, sys, time
from pathlib import Path
from bytebuddy_provider_hf.storage.answers_file import KeptValue
from bytebuddy_provider_hf.storage.result_cache import ResultCache

cache = ResultCache(Path(sys.argv[1]))
print("begun", flush=True)
number = 0
while True:
    key = b"%032d" % (number % 50)
    value = key * (1 + number % 400)
    cache.keep(key, KeptValue(value, time.time()), limit=200_000)
    number += 1
    if not number % 20:
        time.sleep(0.001)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_a_writer_that_is_killed_leaves_whole_answers(
    tmp_path: Path, warnings: Callable[[], list[str]]
) -> None:
    """At any moment: what is found is what was kept, and nothing is damaged."""
    chance = random.Random(0)

    async def look() -> int:
        cache = ResultCache(tmp_path)
        found = [await value(cache, b"%032d" % number) for number in range(50)]
        for number, each in enumerate(found):
            key = b"%032d" % number
            assert each is None or each == key * (len(each) // len(key))
        await cache.aclose()
        return sum(each is not None for each in found)

    seen = 0
    for _ in range(rounds(3, long=300)):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.1))
            writer.kill()
        began = time.monotonic()
        seen += asyncio.run(look())
        assert time.monotonic() - began < 2
    assert seen > 0
    assert warnings() == []
    assert read_stats(tmp_path).size <= 200_000
