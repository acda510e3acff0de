"""Values are kept in a file that is private, bounded, checked and shared."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import LONG

from bytebuddy_provider_hf.config.stored_files import ANSWERS, DAMAGED_ANSWERS
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.storage import answers_file
from bytebuddy_provider_hf.storage.answers_file import (
    LEASE,
    AnswersFile,
    CacheStats,
    DamagedValue,
    KeptValue,
    clear_answers,
    read_stats,
)
from bytebuddy_provider_hf.storage.shared_database import NewerDatabase

LIMIT = 10**9
A, B = b"a" * 32, b"b" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / ANSWERS.name


@pytest.fixture
def file(path: Path) -> Iterator[AnswersFile]:
    with AnswersFile(path) as opened:
        yield opened


def found(file: AnswersFile, key: bytes) -> bytes | None:
    kept = file.find(key)[1]
    return None if kept is None else kept.value


def test_a_value_is_found_by_its_key(file: AnswersFile) -> None:
    """With the time at which it was kept; the later one of a key counts."""
    assert found(file, A) is None
    file.put(A, KeptValue(b"one", 1.0), limit=LIMIT)
    file.put(B, KeptValue(b"two", 2.0), limit=LIMIT)
    file.put(A, KeptValue(b"three", 3.0), limit=LIMIT)
    assert file.find(A)[1] == KeptValue(b"three", 3.0)
    assert file.find(B)[1] == KeptValue(b"two", 2.0)


@pytest.mark.parametrize(
    ("age", "most", "young"),
    [(0, None, True), (9, 9, True), (9.1, 9, False), (-1, None, False)],
)
def test_a_value_has_an_age(age: float, most: float | None, young: bool) -> None:
    """One of a time to come is none: the clock was set back."""
    assert KeptValue(b"", 100.0).is_young(100.0 + age, most) is young


def test_the_file_has_neither_keys_nor_their_digests(path: Path) -> None:
    """Who reads it cannot tell what was asked; another file has other rows."""
    rows = set()
    for place in (path, path.with_name("other") / ANSWERS.name):
        with AnswersFile(place) as file:
            file.put(A, KeptValue(b"value", 1.0), limit=LIMIT)
        with sqlite3.connect(place) as read:
            rows |= {row for (row,) in read.execute("SELECT key FROM answers")}
        read.close()
        assert A not in place.read_bytes()
    assert len(rows) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_only_the_user_reads_the_files(path: Path) -> None:
    """The log and the shared memory beside it too, whatever the umask."""
    before = os.umask(0)
    try:
        with AnswersFile(path) as file:
            file.put(A, KeptValue(b"value", 1.0), limit=LIMIT)
            modes = {each.name: each.stat().st_mode for each in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert {name: mode & 0o777 for name, mode in modes.items()} == dict.fromkeys(
        (ANSWERS.name, f"{ANSWERS.name}-wal", f"{ANSWERS.name}-shm"), 0o600
    )


def test_what_was_used_longest_ago_goes_first(file: AnswersFile) -> None:
    """Using a value is what ``uses`` tells; keeping one is a use."""
    for number in range(10):
        key = bytes([number]) * 32
        file.put(key, KeptValue(b"x" * 800, float(number)), limit=10_000)
    file.note_uses({bytes([0]) * 32: 3}, 50.0)
    for number in range(10, 15):
        key = bytes([number]) * 32
        file.put(key, KeptValue(b"x" * 800, float(number)), limit=10_000)
    left = [n for n in range(15) if found(file, bytes([n]) * 32) is not None]
    assert left == [0, *range(6, 15)]
    stats = file.stats()
    assert (stats.entries, stats.size, stats.hits) == (10, 10_000, 3)
    assert (stats.oldest, stats.newest) == (0.0, 14.0)


def test_a_smaller_limit_holds_at_once(file: AnswersFile) -> None:
    """However many values have to go for one."""
    for number in range(1_000):
        file.put(b"%032d" % number, KeptValue(b"x", 1.0 + number), limit=LIMIT)
    file.put(A, KeptValue(b"x" * 700, 5_000.0), limit=1_000)
    assert file.stats().entries == 1
    assert found(file, A) is not None


def test_what_is_larger_than_all_may_be_is_not_kept(file: AnswersFile) -> None:
    """Nothing else goes for it."""
    file.put(A, KeptValue(b"x", 1.0), limit=1_000)
    file.put(B, KeptValue(b"x" * 2_000, 2.0), limit=1_000)
    assert (found(file, A), found(file, B)) == (b"x", None)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 2_000), st.booleans()), max_size=40
    )
)
def test_the_sums_are_those_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    """Kept as rows come, change and go, they never drift; the limit always holds."""
    folder = tmp_path_factory.mktemp("cache")
    with AnswersFile(folder / ANSWERS.name) as file:
        for at, (number, size, clears) in enumerate(steps):
            if clears:
                file.clear(before=at - 5.0)
            value = KeptValue(b"x" * size, float(at))
            file.put(bytes([number]) * 32, value, limit=5_000)
            told = file._fact("size", int)
            assert told == file.stats().size <= 5_000


def test_a_flipped_bit_is_no_value(path: Path) -> None:
    """Of a value, its time or its key: it is dropped, and never given."""
    for change in ("value = x'00' || value", "at = at + 1", "digest = x'00'"):
        with AnswersFile(path) as file:
            file.put(A, KeptValue(b"one", 1.0), limit=LIMIT)
            file.put(B, KeptValue(b"two", 1.0), limit=LIMIT)
        with sqlite3.connect(path) as damaged:
            damaged.execute(f"UPDATE answers SET {change} WHERE id = 1")  # noqa: S608
        damaged.close()
        with AnswersFile(path) as file:
            with pytest.raises(DamagedValue):
                file.find(A)
            assert found(file, A) is None
            assert found(file, B) == b"two"
        path.unlink()


def test_a_row_of_another_key_is_no_value(path: Path) -> None:
    """What somebody put under a key is not given for it."""
    with AnswersFile(path) as file:
        file.put(A, KeptValue(b"one", 1.0), limit=LIMIT)
        file.put(B, KeptValue(b"two", 1.0), limit=LIMIT)
        file._database.execute("UPDATE answers SET key = x'00' WHERE id = 1")
        file._database.execute(
            "UPDATE answers SET key = ? WHERE id = 2", (file._hidden(A),)
        )
        with pytest.raises(DamagedValue):
            file.find(A)


def test_clearing_changes_the_generation(file: AnswersFile) -> None:
    """So that who believed its memory looks again."""
    before = file.generation()
    for at, key in enumerate((A, B)):
        file.put(key, KeptValue(b"x" * 100, float(at)), limit=LIMIT)
    assert file.clear(before=1.0) == (1, 300)
    assert file.generation() > before
    assert (found(file, A), found(file, B)) == (None, b"x" * 100)
    assert file.clear(before=None) == (1, 300)
    assert found(file, B) is None


def test_what_was_cleared_is_in_no_file(path: Path) -> None:
    """Its bytes are overwritten, and the file is small again."""
    with AnswersFile(path) as file:
        for number in range(200):
            value = b"SECRET ANSWER %d " % number * 50
            file.put(b"%032d" % number, KeptValue(value, 1.0), limit=LIMIT)
    assert clear_answers(path.parent, sleep=lambda _: None)[0] == 200
    everything = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert b"SECRET" not in everything
    assert len(everything) < 100_000


def test_clearing_waits_until_nobody_believes_its_memory(path: Path) -> None:
    """As long as a process may go without a look into the file."""
    slept: list[float] = []
    assert clear_answers(path.parent, sleep=slept.append) == (0, 0)
    assert slept == []
    with AnswersFile(path) as file:
        file.put(A, KeptValue(b"x", time.time() - 100), limit=LIMIT)
        file.put(B, KeptValue(b"x", time.time()), limit=LIMIT)
    assert clear_answers(path.parent, older_than=50, sleep=slept.append)[0] == 1
    assert slept == [LEASE]


def test_stats_make_no_file(path: Path) -> None:
    """Where nothing is kept there is nothing."""
    assert read_stats(path.parent) == CacheStats()
    assert not path.parent.exists()


def test_a_newer_file_stays_as_it_is(path: Path) -> None:
    """Another version of this package goes on to use it."""
    with AnswersFile(path) as file:
        file.put(A, KeptValue(b"x", 1.0), limit=LIMIT)
        file._database.execute(f"PRAGMA user_version={ANSWERS.version + 1}")
    before = path.read_bytes()
    with pytest.raises(NewerDatabase):
        AnswersFile(path)
    for command in (read_stats, clear_answers):
        with pytest.raises(ConfigError, match="newer version"):
            command(path.parent)
    assert path.read_bytes() == before


def test_clearing_removes_a_damaged_file(path: Path) -> None:
    """Whole, with the one that was put aside before."""
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    aside = path.with_name(DAMAGED_ANSWERS.name)
    aside.write_bytes(b"older")
    with pytest.raises(ConfigError, match="is damaged"):
        read_stats(path.parent)
    assert clear_answers(path.parent, sleep=lambda _: None) == (0, 0)
    assert list(path.parent.iterdir()) == []


def test_values_go_in_short_transactions(
    file: AnswersFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes write between them."""
    monkeypatch.setattr(answers_file, "_AT_ONCE", 3)
    for number in range(10):
        file.put(b"%032d" % number, KeptValue(b"x", 1.0 + number), limit=LIMIT)
    seen: list[str] = []
    file._database.set_trace_callback(seen.append)
    file.put(A, KeptValue(b"x", 50.0), limit=600)
    assert sum(each == "COMMIT" for each in seen) == 3
    assert file.stats().entries == 2


@pytest.mark.timeout(3_600)
@pytest.mark.skipif(not LONG, reason="BYTEBUDDY_LONG=1")
def test_a_million_values_never_stall(
    file: AnswersFile, figure: Callable[[str], None]
) -> None:
    """Each costs a tenth of a second of this processor at most; the limit holds."""
    slowest = 0.0
    began = time.perf_counter()
    for number in range(1_000_000):
        before = time.thread_time()
        value = KeptValue(b"x" * (number % 300), float(number))
        file.put(b"%032d" % number, value, limit=3_000_000)
        slowest = max(slowest, time.thread_time() - before)
    each = (time.perf_counter() - began) / 1_000_000
    figure(f"{each * 1e6:.0f} µs a value, {slowest * 1e3:.0f} ms for the slowest")
    assert slowest < 0.1
    assert file.stats().size <= 3_000_000
