"""A file that processes share is opened so that none of them harms another."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bytebuddy_provider_hf.config.disks import disk_of
from bytebuddy_provider_hf.storage.shared_database import (
    NewerDatabase,
    is_busy,
    is_damage,
    is_network,
    open_database,
    set_aside,
    stamp_of,
)

SCHEMA = ("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
MOUNTS = """\
22 28 0:21 / / rw - overlay overlay rw
23 22 0:5 / /home rw - ext4 /dev/sda rw
24 23 0:6 / /home/me/share rw - nfs4 host:/share rw
25 24 0:7 / /home/me/share/local\\040disk rw - tmpfs tmpfs rw
26 22 0:8 / /cifs rw shared:1 - cifs //host rw
27 22 0:9 / /cifs rw - xfs /dev/sdb rw
"""


def test_a_file_is_made_once_with_its_tables(tmp_path: Path) -> None:
    """In the folder that is missing; who opens it later finds it as it is."""
    path = tmp_path / "deep" / "a.db"
    for _ in range(2):
        connection, stamp = open_database(path, SCHEMA, version=3)
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert stamp == stamp_of(path)
        connection.close()


def test_a_newer_file_is_not_opened(tmp_path: Path) -> None:
    """It belongs to a newer version."""
    path = tmp_path / "a.db"
    open_database(path, SCHEMA, version=2)[0].close()
    with pytest.raises(NewerDatabase):
        open_database(path, SCHEMA, version=1)


@pytest.mark.parametrize("content", [b"not a database " * 99, b"SQLite format 3\0xx"])
def test_another_content_is_damage(tmp_path: Path, content: bytes) -> None:
    """And the error says so."""
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(sqlite3.Error) as caught:
        open_database(path, SCHEMA, version=1)
    assert is_damage(caught.value)
    assert not is_busy(caught.value)


def test_another_programs_database_is_damage_too(tmp_path: Path) -> None:
    """Its tables are nobody's here, and stay where they are put."""
    path = tmp_path / "a.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    with pytest.raises(sqlite3.Error) as caught:
        open_database(path, SCHEMA, version=1)
    assert is_damage(caught.value)


def test_a_lock_is_no_damage(tmp_path: Path) -> None:
    """It passes."""
    path = tmp_path / "a.db"
    connection, _ = open_database(path, SCHEMA, version=1)
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        other.execute("BEGIN IMMEDIATE")
    assert is_busy(caught.value)
    assert not is_damage(caught.value)
    other.close()
    connection.close()


def test_a_file_is_set_aside_once(tmp_path: Path) -> None:
    """Not the new one that another process has begun meanwhile."""
    path, kept = tmp_path / "a.db", tmp_path / "a.db.damaged"
    path.write_text("bad")
    stamp = stamp_of(path)
    assert set_aside(path, kept, stamp=stamp)
    assert not set_aside(path, kept, stamp=stamp)
    path.write_text("good")
    assert not set_aside(path, kept, stamp=stamp)
    assert (path.read_text(), kept.read_text()) == ("good", "bad")


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
@pytest.mark.parametrize(
    ("place", "network"),
    [
        ("/", False),
        ("/home/me/.cache", False),
        ("/home/me/share", True),
        ("/home/me/share/deep/er", True),
        ("/home/me/share/local disk/x", False),
        ("/home/me/shared", False),
        ("/cifs/x", False),
    ],
)
def test_a_network_disk_is_known_by_its_mount(place: str, network: bool) -> None:
    """The longest mount that holds the folder counts, of equal ones the last."""
    assert is_network(disk_of(Path(place), MOUNTS)) is network
    assert disk_of(Path(place), "") in ("", "UNC")


def test_many_processes_make_one_file(tmp_path: Path) -> None:
    """All at once: one makes the tables, and all can use them."""
    program = (
        "import sys; from pathlib import Path\n"
        "from bytebuddy_provider_hf.storage.shared_database import open_database\n"
        "schema = ('CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)')\n"
        "sys.stdin.read(1)\n"
        "opened, _ = open_database(Path(sys.argv[1]), schema, version=1)\n"
        "opened.execute('INSERT INTO t VALUES (2)')\n"
        "opened.close()\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "a.db")]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for each in running:
        _, said = each.communicate(b"x", timeout=60)
        assert each.returncode == 0, said
    connection, _ = open_database(tmp_path / "a.db", SCHEMA, version=1)
    assert connection.execute("SELECT sum(a) FROM t").fetchone() == (1 + 4 * 2,)
    connection.close()
