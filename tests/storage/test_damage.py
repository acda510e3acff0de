"""A file that is damaged, foreign or not to be had costs a warning and no call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rounds import rounds
from storage.ledgers import attempt, usage

from bytebuddy_provider_hf.config.disks import disk_of
from bytebuddy_provider_hf.config.stored_files import (
    USAGE,
    USAGE_COUNTS,
    USAGE_DAMAGED,
    USAGE_KEY,
)
from bytebuddy_provider_hf.config.values import Budget, BudgetOptions
from bytebuddy_provider_hf.errors import BudgetExceeded, ConfigError
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage import writer
from bytebuddy_provider_hf.storage.budgets import Amounts, raise_budget
from bytebuddy_provider_hf.storage.ledger import Ledger
from bytebuddy_provider_hf.storage.shared_database import is_network

HARD = [Budget("mine", BudgetOptions(calls=10, hard=True))]
CALL = Amounts(calls=1)


async def calls(ledger: Ledger, count: int) -> None:
    """Make calls, which must all succeed."""
    for _ in range(count):
        if not ledger.try_count():
            await ledger.count()
        ledger.record(attempt())
    await ledger.flush()


async def sent(ledger: Ledger, callers: int) -> int:
    found = await asyncio.gather(
        *(ledger.reserve(HARD, CALL) for _ in range(callers)), return_exceptions=True
    )
    assert all(
        not isinstance(e, Exception) or isinstance(e, BudgetExceeded) for e in found
    )
    return sum(not isinstance(each, Exception) for each in found)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0"])
def test_a_damaged_file_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    """It is kept beside the new one, told once, and counting begins anew."""
    (tmp_path / USAGE.name).write_bytes(content)
    ledger = Ledger(tmp_path)
    asyncio.run(calls(ledger, 100))
    ledger.close()
    (said,) = messages(caplog)
    assert f"{USAGE.name} was damaged and is now" in said
    assert usage(tmp_path).total.attempts == 100
    assert (tmp_path / USAGE_DAMAGED.name).read_bytes() == content


def test_a_file_of_another_program_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What has other tables is not written into."""
    with closing(sqlite3.connect(tmp_path / USAGE.name)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    ledger = Ledger(tmp_path)
    asyncio.run(calls(ledger, 3))
    ledger.close()
    assert len(messages(caplog)) == 1
    with closing(sqlite3.connect(tmp_path / USAGE_DAMAGED.name)) as connection:
        assert connection.execute("SELECT count(*) FROM theirs").fetchone() == (0,)


def test_flipped_bytes_fail_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever byte is another, calls succeed, and at most one warning says so."""
    chance = random.Random(13)
    ledger = Ledger(tmp_path / "sound")
    asyncio.run(calls(ledger, 200))
    asyncio.run(sent(ledger, 5))
    ledger.close()
    sound = (tmp_path / "sound" / USAGE.name).read_bytes()
    for number in range(rounds(10, long=500)):
        folder = tmp_path / str(number)
        folder.mkdir()
        flipped = bytearray(sound)
        for _ in range(chance.choice((1, 20, 2_000))):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        (folder / USAGE.name).write_bytes(flipped)
        caplog.clear()
        ledger = Ledger(folder)
        asyncio.run(calls(ledger, 80))
        assert asyncio.run(sent(ledger, 20)) <= 10
        ledger.close()
        assert len(messages(caplog)) <= 1, messages(caplog)
        usage(folder)


def test_damage_while_it_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is damaged under a program's hands fails no call of it."""
    ledger = Ledger(tmp_path)
    asyncio.run(calls(ledger, 100))
    # By another process: this one would lose SQLite's locks by closing the file.
    script = (
        "import sys; from pathlib import Path; p = Path(sys.argv[1]);"
        "p.write_bytes(b'x' * p.stat().st_size);"
        "w = p.with_name(p.name + '-wal'); w.write_bytes(b'x' * w.stat().st_size)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / USAGE.name], check=True)
    for _ in range(2):
        asyncio.run(calls(ledger, 100))
        ledger.close()
    (said,) = messages(caplog)
    assert "was damaged" in said
    assert usage(tmp_path).total.attempts >= 100


def test_a_file_that_is_removed_while_it_runs(tmp_path: Path) -> None:
    """Counting goes on in a new one."""
    ledger = Ledger(tmp_path)
    asyncio.run(calls(ledger, 100))
    for path in tmp_path.glob("usage*"):
        path.unlink()
    asyncio.run(calls(ledger, 50))
    ledger.close()
    report = usage(tmp_path)
    assert (report.total.attempts, report.unaccounted) == (50, 0)


def test_a_newer_format_stays_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody here reads or changes it, and a hard budget lets nothing through."""
    with closing(sqlite3.connect(tmp_path / USAGE.name)) as connection:
        connection.execute(f"PRAGMA user_version={USAGE.version + 1}")
    before = (tmp_path / USAGE.name).read_bytes()
    ledger = Ledger(tmp_path)
    asyncio.run(calls(ledger, 100))
    assert asyncio.run(sent(ledger, 64)) == 0
    ledger.close()
    assert usage(tmp_path).total.attempts == 0
    with pytest.raises(ConfigError, match="newer version"):
        raise_budget(tmp_path, "mine", "calls", 1)
    (said,) = messages(caplog)
    assert "`pip install --upgrade bytebuddy-provider-hf`" in said
    assert (tmp_path / USAGE.name).read_bytes() == before


@pytest.mark.parametrize("folder", ["/proc/none", f"{os.devnull}/.bytebuddy"])
def test_no_folder_to_write_to(folder: str, caplog: pytest.LogCaptureFixture) -> None:
    """In a container without a home calls succeed, but none of a hard budget."""
    ledger = Ledger(Path(folder))
    asyncio.run(calls(ledger, 100))
    assert asyncio.run(sent(ledger, 64)) == 0
    identity = ledger.identity(Secret("hf_a"))
    assert identity == ledger.identity(Secret("hf_a"))
    ledger.close()
    assert [said.partition(" (")[0] for said in messages(caplog)] == [
        f"Usage cannot be written to {folder}/{USAGE.name}",
        f"{folder}/{USAGE_KEY.name} cannot be used",
    ]
    assert usage(Path(folder)).total.attempts == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no other user to be")
def test_a_read_only_folder() -> None:
    """Calls succeed with one warning, and what is there can be reported."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        ledger = Ledger(folder)
        asyncio.run(calls(ledger, 7))
        ledger.close()
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o555)
        script = f"""
import asyncio, logging, os, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from storage.ledgers import usage
from storage.test_damage import Ledger, calls, sent
folder = Path({name!r})
asyncio.run(calls(Ledger(Path("/proc/none")), 1))
logging.basicConfig(format="%(message)s", stream=sys.stdout)
# Another user may not read what is imported when it is needed.
usage(folder)
if os.getuid() == 0:
    os.setuid(65534)
ledger = Ledger(folder)
asyncio.run(calls(ledger, 100))
assert asyncio.run(sent(ledger, 64)) == 0
ledger.close()
print(usage(folder).total.attempts)
"""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said, attempts = done.stdout.splitlines()
        assert said.startswith(f"Usage cannot be written to {folder / USAGE.name}")
        assert attempts == "7"
        folder.chmod(0o755)


FULL = """
import asyncio, logging, resource, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from storage.ledgers import usage
from storage.test_damage import Ledger, calls, limited, sent
from bytebuddy_provider_hf.storage import writer
logging.basicConfig(format="%(message)s", stream=sys.stdout)
writer._RETRY = 0.3
folder = Path({folder!r})
ledger = Ledger(folder)
async def run():
    await calls(ledger, {before})
    with limited({size}):
        for _ in range(4):
            await calls(ledger, 1_000)
        assert await sent(ledger, 64) == 0
    await asyncio.sleep(0.4)
    await calls(ledger, 100)
    assert await sent(ledger, 64) == 10
asyncio.run(run())
ledger.close()
report = usage(folder)
print(report.total.attempts, report.unaccounted, [b.reserved for b in report.budgets])
"""


@contextlib.contextmanager
def limited(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size``, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("before", "size"), [(0, 0), (100, 0), (100, 300_000)])
def test_a_full_disk(tmp_path: Path, before: int, size: int) -> None:
    """Calls succeed with one warning; when there is room again, nothing is missing."""
    script = FULL.format(
        tests=str(Path(__file__).parents[1]),
        folder=str(tmp_path),
        before=before,
        size=size,
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *said, last = done.stdout.splitlines()
    assert len(said) == 1, said
    assert said[0].startswith(f"Usage cannot be written to {tmp_path / USAGE.name}")
    assert last == f"{before + 4_100} 0 [10]"


def test_a_file_that_another_process_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No caller sees that the database is locked; what was counted then is not lost."""
    monkeypatch.setattr(writer, "_RETRY", 0.0)
    monkeypatch.setattr(writer, "_BUSY_TRIES", 0)
    ledger = Ledger(tmp_path)

    async def run() -> None:
        await calls(ledger, 10)
        with closing(sqlite3.connect(tmp_path / USAGE.name)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            for _ in range(300):
                if not ledger.try_count():
                    await ledger.count()
                ledger.record(attempt())
            await asyncio.sleep(0.5)
            connection.execute("ROLLBACK")
        await calls(ledger, 10)

    monkeypatch.setattr(
        "bytebuddy_provider_hf.storage.shared_database.BUSY_SECONDS", 0.1
    )
    asyncio.run(run())
    ledger.close()
    report = usage(tmp_path)
    assert (report.total.attempts, report.unaccounted) == (320, 0)


def test_without_the_file_of_counts_the_row_is_enough(tmp_path: Path) -> None:
    """A file that was lost makes the ledger count too much, never too little."""
    ledger = Ledger(tmp_path)

    async def run() -> None:
        for _ in range(100):
            await ledger.count()

    asyncio.run(run())
    exact = usage(tmp_path).unaccounted
    assert 100 <= exact <= 164
    (tmp_path / USAGE_COUNTS.name).rename(tmp_path / "away")
    assert usage(tmp_path).unaccounted > exact
    (tmp_path / "away").rename(tmp_path / USAGE_COUNTS.name)


MOUNTS = """\
22 1 259:1 / / rw,relatime - ext4 /dev/root rw
30 22 0:40 / /home rw,nosuid shared:2 - nfs4 server:/home rw,vers=4.2
31 30 259:2 / /home/my\\040disk rw - xfs /dev/b rw
32 22 0:41 / /mnt/c rw - 9p drvfs rw
33 22 0:42 / /lustre rw - lustre mgs:/fs rw
34 22 0:43 / /tmp rw - tmpfs tmpfs rw
35 22 0:44 / /tmp rw - fuse.sshfs host: rw
"""


@pytest.mark.parametrize(
    ("folder", "disk", "is_far"),
    [
        ("/root", "ext4", False),
        ("/home/a/.bytebuddy", "nfs4", True),
        ("/home/my disk/x", "xfs", False),
        ("/homes/a", "ext4", False),
        ("/mnt/c/Users", "9p", True),
        ("/lustre/a", "lustre", True),
        ("/tmp/a", "fuse.sshfs", True),  # noqa: S108 - a name only
    ],
)
def test_disks_of_other_machines_are_told(folder: str, disk: str, is_far: bool) -> None:
    """Memory is not shared across a network: there the journal is another."""
    assert disk_of(Path(folder), MOUNTS) == disk
    assert is_network(disk) == is_far
    assert disk_of(Path(folder), "") == ""
    assert not is_network("")


def test_on_a_network_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One warning, and a journal that needs no shared memory; nothing else changes."""
    monkeypatch.setattr(
        "bytebuddy_provider_hf.storage.database.disk_of", lambda *_: "nfs4"
    )
    ledger = Ledger(tmp_path)
    asyncio.run(calls(ledger, 300))
    assert {path.name for path in tmp_path.iterdir()} == {USAGE.name}
    ledger.close()
    (said,) = messages(caplog)
    assert "network disk (nfs4)" in said
    report = usage(tmp_path)
    assert (report.total.attempts, report.unaccounted) == (300, 0)


def test_a_key_that_is_damaged_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Tokens are told apart by a new one, which a warning says."""
    (tmp_path / USAGE_KEY.name).write_bytes(b"short")
    mine = Ledger(tmp_path).identity(Secret("hf_a"))
    assert Ledger(tmp_path).identity(Secret("hf_a")) == mine
    (said,) = messages(caplog)
    assert f"{USAGE_KEY.name} was damaged" in said


def test_many_processes_make_one_key(tmp_path: Path) -> None:
    """Whoever is first makes it, and all others read the same."""
    script = (
        "import sys; from pathlib import Path;"
        "from bytebuddy_provider_hf.storage.identity import read_key;"
        "sys.stdin.readline(); print(read_key(Path(sys.argv[1])).hex())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    found = {each.communicate("\n")[0] for each in started}
    assert len(found) == 1
    assert len(found.pop().strip()) == 64
